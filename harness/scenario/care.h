#pragma once
/* What the owner of a target allows (`guard` of its file): when never, how much at once, and when it is enough. */
#include "harness/scenario/site.h"

/*
 * NULL when the scenario may run at all, else why not, in the arena: it would hurt more nodes at once than
 * `max_affected` allows.
 */
const char *care_forbids(const struct site *s, const struct scenario *scenario);
/* The share of the connections that a fault may be put on: what the scenario asks for, or less. */
double care_toxicity(const struct site *s, double wanted);
/*
 * NULL when nothing forbids hurting the target now and for the next for_ms, else why: a sentence, in the arena. Faults
 * on our own connections are no harm to others, but they are load: they count, too. now: seconds since 1970.
 */
const char *care_never_now(const struct site *s, time_t now, uint64_t for_ms);

/* Watches `abort_if` while a scenario runs. Zero it first. */
struct care_watch {
	double most;               /* connections that were there at once */
	uint64_t lost_since_us;    /* 0: not lost */
};
/* up: connections now; true: too many have been lost for too long. */
bool care_enough(struct care_watch *w, const struct site *s, double up, uint64_t now_us);
