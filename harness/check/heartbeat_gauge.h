#pragma once
/*
 * Whether clients that vanished are still counted: the target's gauge of connections, held against those that live. It
 * is looked at from the moment on when the last of them must be gone, and it fails where every sample until the end
 * counts most of them. A gauge that counts many others as well says nothing: they come and go.
 */
#include "harness/check/check.h"
#include "harness/check/gauge.h"

/* Zeroed it is empty. */
struct heartbeat_gauge {
	struct gauge gauge;
	double others;             /* counted beside our clients, before anybody was hurt, at most */
	bool began;                /* others is known */
	double least;              /* counted too many, of all samples */
	uint64_t samples, from_us, to_us;
	struct check_moment *at;   /* of the first of them */
};

/* A sample of the gauge. vanished: connections that must be gone by now, 0: not yet; living: of our clients. */
void heartbeat_gauge_sample(struct check_run *run, struct heartbeat_gauge *g, const struct event *e, uint64_t vanished,
			    uint64_t living);
/* The history is over: a violation of the check `id`, or a chance to break it, or neither. */
void heartbeat_gauge_end(struct check_run *run, struct heartbeat_gauge *g, const char *id, uint64_t vanished);
