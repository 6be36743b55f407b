#pragma once
/*
 * Octets that a filter holds back, of each direction by itself: first in, first out, each with the time at which it is
 * due. As long as there are many the sender is not read from any more, so that its TCP feels it; a FIN stays behind
 * them; what is left when the filter is taken off passes then.
 */
#include "faults/filter.h"

enum {
	FILTER_HELD_MAX = 16 << 20, /* above it the sender waits, or above what held_limit() says; due times count */
	/*
	 * Octets of one direction of one filter. A sender that waits adds one read to the limit at most; more comes only
	 * from other filters that are taken off. Past this the connection is reset.
	 */
	HELD_MAX = 4 * FILTER_HELD_MAX,
};

/* The sender of d waits from now on above so many octets, at most FILTER_HELD_MAX. */
void held_limit(struct filter *f, enum direction d, size_t max);
/*
 * Holds these, behind the others. due_us: never before that of those before; use 0 where times do not matter. False:
 * there was no memory, or HELD_MAX was passed; the connection has been reset and an event told.
 */
bool held_keep(struct filter *f, enum direction d, struct span octets, uint64_t due_us);
/* Octets held; with the memory of their due times. */
size_t held_len(const struct filter *f, enum direction d);
size_t held_size(const struct filter *f, enum direction d);
/* So many that the sender waits. */
bool held_full(const struct filter *f, enum direction d);
/* When the first is due; UINT64_MAX: nothing is held. */
uint64_t held_due_us(const struct filter *f, enum direction d);
/* The same of both directions: the next one. */
uint64_t held_next_us(const struct filter *f);
/* Passes the first `len`, at most all, as one piece. */
void held_pass(struct filter *f, enum direction d, size_t len);
void held_pass_all(struct filter *f, enum direction d);
/* Passes those due by f->now_us, as one piece. */
void held_pass_due(struct filter *f, enum direction d);
/* All are due this much later, or earlier when negative. */
void held_shift(struct filter *f, enum direction d, int64_t by_us);
void held_fini(struct held *h);
