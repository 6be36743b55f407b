#pragma once
/*
 * Pipes for splice(2), through which many octets go from socket to socket without being copied. They are lent: a
 * connection has one only while octets are in it.
 */
#include <stddef.h>

enum { PIPES_MAX = 64, PIPE_OCTETS = 1 << 20 };

struct pipes;
struct pipe {
	int in, out;               /* write to, read from */
	size_t held;               /* octets in it */
	struct pipe *next;
};

/* NULL: no memory. */
struct pipes *pipes_new(void);
/* All must have been given back. NULL is fine. */
void pipes_free(struct pipes *ps);
/* An empty one; NULL when PIPES_MAX are lent or there are no descriptors: then copy. */
struct pipe *pipes_lend(struct pipes *ps);
/* What is in it is lost. NULL is fine. */
void pipes_take_back(struct pipes *ps, struct pipe *p);
