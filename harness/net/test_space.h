#pragma once
/*
 * For tests in network namespaces: the right to make them, what is on this machine before and after, and TCP with
 * ordinary blocking sockets inside them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "harness/net/netns.h"

enum { SPACE_HANG_S = 30, SPACE_LISTING_MAX = 1 << 16 };

/* Root, or root of a user namespace from now on; else the test is skipped and the reason printed. */
void space_enter(void);
/* "SKIP <test>: <why>", and skips. */
void space_skip(const char *why) __attribute__((noreturn));
/* Of the capabilities this process was given only these (a bit each) are in force; SPACE_ALL: all of them again. */
#define SPACE_ALL UINT64_MAX
void space_powers(uint64_t capabilities);
/* The namespaces and interfaces that can be seen from ours, but the counters: the same text, nothing left. */
void space_listing(char ret_text[SPACE_LISTING_MAX]);

/* A listener in ns at that address (port 0: a free one); the address with its port comes back. */
int space_listen(const struct netns *ns, struct sockaddr_storage *address);
/* A connection from ns, SPACE_HANG_S as the limit of every wait; a negative errno. */
int space_connect(const struct netns *ns, const struct sockaddr_storage *to);
int space_accept(int listener);
/* Writes all of it; reads exactly so many and compares. Fails the test otherwise. */
void space_send(int fd, const char *text);
void space_expect(int fd, const char *text);
/* Unacknowledged segments and retransmissions in a row, from TCP_INFO. */
unsigned space_unacked(int fd);
unsigned space_retransmits(int fd);
/* Waits until the other side has acknowledged all: a cut does not find an acknowledgement under way. */
void space_wait_acked(int fd);
/* Waits until the octets in flight of fd have been sent again at least `times` times in a row: nobody answers. */
void space_wait_retransmits(int fd, unsigned times);
