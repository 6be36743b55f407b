#pragma once
/* For the tests of this folder: an HTTP server in a thread, with blocking sockets, that answers each connection in turn from
 * a list of octets; the last answer goes on for ever. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pages {
	const char *const *answers;    /* NULL at the end; an answer "" closes, "hold" is never given, "-..." is kept open after it */
	int listener;
	uint16_t port;
	pthread_t thread;
	atomic_uint asked;             /* connections that sent a whole head */
	char request[4096];            /* the newest one's */
	int held[16];
	unsigned n_held;
};

/* On a free port of 127.0.0.1; asserts that it can. */
void pages_start(struct pages *p, const char *const *answers);
void pages_stop(struct pages *p);
