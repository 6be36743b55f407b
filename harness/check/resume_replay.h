#pragma once
/*
 * A replay of numbered messages, judged while it comes: from a confirmation that claims recovery to the number that it
 * named as the newest. Where each session has one run of numbers over all its channels, a replay is the session's; it
 * tells no newest number as a rule, and then only what comes first can be judged here, the rest by sequence.contiguous.
 */
#include "harness/check/check.h"
#include "harness/check/track.h"

/* Of a subscription, or, with numbers of a session, of a client. A zeroed one is over. */
struct resume_replay {
	bool on, zero, implicit, beyond;
	bool first;                /* the newest number was not told: only what comes first can be judged */
	bool again;                /* somebody had asked for the position that was asked for last */
	uint64_t asked, next, newest, ok_us;
	uint32_t connection, epoch;
	uint64_t last_seq;         /* the highest that ever came, in last_epoch */
	uint32_t last_epoch;
	uint64_t recoveries;
};

/* The subscription is told recovered. zero: nothing was missed; promised: the contract promises this one. */
void resume_replay_begin(struct check_run *run, struct track_sub *sub, struct resume_replay *r, bool zero,
			 bool promised);
/* A number came while it is on. */
void resume_replay_number(struct check_run *run, struct resume_replay *r, const struct event *e);
/* Nothing comes any more. r may be NULL. */
void resume_replay_finish(struct check_run *run, struct resume_replay *r, struct track_sub *sub,
			  const struct event *at);
/* What a finding says of it: "was told recovered on" or "resumed". */
const char *resume_claim(const struct track_sub *sub);
