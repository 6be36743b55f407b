#pragma once
/*
 * Resumes that were promised and refused: which situation they have in common. A server that refuses on another node is
 * wrong about nodes, even if the client was also fast; that shows when many are looked at together.
 */
#include "harness/check/check.h"

/* What was special about a resume. */
enum resume_situation {
	RESUME_ZERO = 1,           /* nothing was missed */
	RESUME_TWICE = 2,          /* it, or its position, was resumed before */
	RESUME_FAST = 4,           /* it was back at once */
	RESUME_OTHER_NODE = 8,
	RESUME_STALE = 16,         /* its old connection was still open */
	RESUME_EMPTY = 32,         /* no message had come to the client yet, so that it has no position */
	RESUME_ANEW = 64,          /* every node's process had begun anew meanwhile */
	RESUME_SITUATIONS = 7,
};

struct resume_refused {
	struct {
		uint64_t recovered, refused;
		struct check_moment *moment; /* of the first that was refused */
		uint32_t client, channel;
		uint64_t away_us, missed;
	} of[1 << RESUME_SITUATIONS];
};

void resume_recovered(struct resume_refused *r, unsigned situation);
/* channel 0: the session of the whole connection. missed: messages, 0 unknown. */
void resume_refuse(struct check_run *run, struct resume_refused *r, unsigned situation, const struct event *at,
		   uint64_t away_us, uint64_t missed);
/* The history is over: makes findings of the checks `ids` by situation, in the order above, and `otherwise`. */
void resume_blame(struct check_run *run, struct resume_refused *r, const char *const *ids, const char *otherwise);
void resume_refused_fini(struct check_run *run, struct resume_refused *r);
