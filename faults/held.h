#pragma once
/*
 * Octets that a filter holds back in one direction: first in, first out, each with the time at which it is due. What is
 * held is told to the chain by every call here (filter_held), so that the sender waits and a FIN stays behind it.
 */
#include "faults/filter.h"
#include "harness/base/buf.h"

/*
 * Octets in one direction of one filter. A sender that waits adds one read to `max` at most; more comes only from other
 * filters that are taken off. Past this the connection is reset.
 */
enum { HELD_MAX = 4 * FILTER_HELD_MAX };

/* For the state of a filter; zero it first, then set `max`. */
struct held {
	size_t max;                /* above it the sender waits: filter_held() */

	/* internal */
	struct buf octets;         /* the first held is at `from` */
	size_t from;
	struct buf runs;           /* struct held_run after struct held_run; the first is at `run_from` */
	size_t run_from;
};

/*
 * Holds these, behind the others. due_us: never before that of those before; use 0 where times do not matter. False:
 * there was no memory, or HELD_MAX was passed; the connection has been reset and an event told.
 */
bool held_keep(struct held *h, struct filter *f, enum direction d, struct span octets, uint64_t due_us);
size_t held_len(const struct held *h);
/* When the first is due; UINT64_MAX: nothing is held. */
uint64_t held_due_us(const struct held *h);
/* Passes the first `len`, at most all, as one piece. */
void held_pass(struct held *h, struct filter *f, enum direction d, size_t len);
/* Passes those due by f->now_us, as one piece. */
void held_pass_due(struct held *h, struct filter *f, enum direction d);
/* All are due this much later, or earlier when negative. */
void held_shift(struct held *h, int64_t by_us);
void held_fini(struct held *h);
