#pragma once
/* ws:// and wss:// URLs, RFC 6455 3. */
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/arena.h"
#include "harness/base/err.h"

struct url {
	bool tls;
	const char *host;        /* without brackets */
	uint16_t port;           /* 80 or 443 when the URL has none */
	const char *target;      /* path and query, at least "/" */
	const char *host_field;  /* for the Host field: bracketed IPv6, port only when it is not the default */
	const char *text;        /* as given */
};

/* -EINVAL with a sentence: another scheme, no host, a bad port, a fragment (3), spaces or control characters, user information. */
int url_parse(const char *text, struct arena *a, struct url *ret_url, struct err *e);
/* The same server, another path: `path` begins with "/"; or a whole URL. */
int url_resolve(const struct url *base, const char *path, struct arena *a, struct url *ret_url, struct err *e);
