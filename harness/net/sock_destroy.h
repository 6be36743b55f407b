#pragma once
/*
 * Kills established TCP connections from outside, without a proxy between: SOCK_DESTROY over sock_diag. The local
 * program sees ECONNABORTED, the other side a RST (ECONNRESET). Sources: sock_diag(7), linux/inet_diag.h, ss(8) -K.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "harness/base/err.h"

struct netns;

/* Zeroed: every one. A part that is set must match. */
struct sock_match {
	int family;                        /* AF_INET, AF_INET6; 0: both. An IPv4 address also matches ::ffff:a.b.c.d */
	bool has_local, has_remote;
	uint8_t local[16], remote[16];     /* as IPv6; IPv4 as ::ffff:a.b.c.d (sock_match_address) */
	uint16_t local_port, remote_port;  /* 0: any */
	uint16_t port;                     /* either side has it; 0: any */
	/* Asked for each one that matches; false: it is left alone. NULL: all. */
	bool (*chosen)(void *owner);
	void *owner;
};

/* "10.0.0.1" or "fd00::1" into `local` or `remote`. -EINVAL. */
int sock_match_address(const char *text, uint8_t to[16], struct err *e);
/*
 * In ns (NULL: our own). How many were killed; or -EOPNOTSUPP when the kernel cannot (CONFIG_INET_DIAG_DESTROY),
 * -EPERM, with a sentence. What closes by itself meanwhile is not counted.
 */
int sock_destroy(const struct netns *ns, const struct sock_match *match, struct err *e);
/* How many match (chosen is not asked); as sock_destroy. */
int sock_count(const struct netns *ns, const struct sock_match *match, struct err *e);
/* Whether it is possible at all: 0, or as sock_destroy; changes nothing. */
int sock_destroy_possible(const struct netns *ns, struct err *e);
