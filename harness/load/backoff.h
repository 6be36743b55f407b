#pragma once
/* When a client that lost its connection tries again: exponential, with a cap and full jitter, reset by success. */
#include "harness/base/opt.h"
#include "harness/base/rng.h"

enum { BACKOFF_FACTOR_MAX = 100, BACKOFF_WAIT_MAX_MS = 24 * 3600 * 1000 };

struct backoff_options {
	uint64_t base_ms, cap_ms;  /* the first wait, and the longest */
	uint64_t factor;           /* of one wait to the next, 1 to BACKOFF_FACTOR_MAX */
	bool jitter;               /* uniform between 0 and the wait; false: the wait itself */
	uint64_t reset_ms;         /* up for this long: the next wait is the first again */
	uint64_t give_up;          /* tries in a row; 0: never */
};
extern const struct opt backoff_table[];

struct backoff {
	uint64_t tries;            /* in a row */
};

/* Milliseconds to wait before the next try; UINT64_MAX: give up. */
uint64_t backoff_next(struct backoff *b, const struct backoff_options *o, struct rng *rng);
/* A connection that was up is over after up_ms. */
void backoff_up(struct backoff *b, const struct backoff_options *o, uint64_t up_ms);
