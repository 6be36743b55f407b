#pragma once
/*
 * Finds cases that cost others their connections. A target of several processes, or one that is started again at once, is never seen dead: the
 * canary meets the next process. But whoever was served by the one that ended was cut off. So bystanders are opened, cases are run, and the
 * bystanders are looked at: none was cut, and all of the cases are acquitted; some were, and the halves are looked at. A case that is left
 * alone is found when bystanders were cut each of CONFIRMATIONS times that it ran, and never when a canary and a longer wait took its place.
 * After bystanders were cut the target is left alone for a while: processes of it may be about to end, or to begin.
 */
#include "harness/run/interp.h"
#include "harness/run/listener.h"

enum {
	COLLATERAL_BYSTANDERS = 8,      /* more than one: a target of several processes spreads them */
	COLLATERAL_CONFIRMATIONS = 3,
	COLLATERAL_UNMET_MAX = 3,       /* a case that got no octet back is run again so often: what was to answer may have been about to end */
	COLLATERAL_UNMET_KEPT = 32,     /* of those in a round; more of them than that are not run again */
	COLLATERAL_FOUND_MAX = 8,       /* so many cases are found, then it is enough */
	COLLATERAL_ROUNDS_MAX = 256,    /* bystanders are opened that often at most */
	COLLATERAL_DEPTH_MAX = 96,      /* halves of halves that wait, one for each time that 2^32 can be halved, and those that were not met */
	COLLATERAL_JOBS_MAX = 64,
};

struct collateral_range {
	size_t from, to;                /* of the cases */
	unsigned confirmed, fewest_cut; /* of one case: rounds in which bystanders were cut, and how many at least */
	unsigned unmet;                 /* of one case: rounds in which it got no octet back */
	bool control;                   /* a canary in place of the case */
};

struct collateral {
	struct case_env *env;
	const struct test_case *const *cases;
	unsigned jobs;                  /* cases at once */
	uint32_t recover_ms;            /* how long it may take until bystanders can be opened again */
	bool troubled;                  /* processes end for sure: they are given time to, and time to be replaced */
	/* Of cases[at]: in each round that it ran at least `cut` of `of` bystanders were cut. */
	void (*on_found)(void *owner, size_t at, unsigned cut, unsigned of);
	/* Called once, from the loop: all is known, but for cases that a limit left (collateral_left), or no bystander can be opened any more. */
	void (*on_done)(void *owner);
	void *owner;
	unsigned found;                 /* so far; never set by the owner */

	/* internal */
	struct listener bystanders[COLLATERAL_BYSTANDERS];
	struct collateral_range stack[COLLATERAL_DEPTH_MAX], now;
	struct case_run *runs[COLLATERAL_JOBS_MAX];
	size_t at[COLLATERAL_JOBS_MAX], unmet[COLLATERAL_UNMET_KEPT]; /* of the cases: those that run; those of the round that got nothing back */
	unsigned n_unmet;
	size_t next;
	unsigned depth, rounds, running, of;
	bool gone;                      /* no bystander could be opened */
	uint64_t gone_us;               /* since when none can; 0: some can */
	enum { COLLATERAL_IDLE, COLLATERAL_OPENING, COLLATERAL_RUNNING, COLLATERAL_ASKING } phase;
	uint64_t started_us, case_us;   /* the cases of the round; how long the last one alone took */
	struct timer timer;
};

/* Looks at cases[0] to cases[n - 1]; the fields above `internal` are set before, and n > 0. Never calls back from inside. */
void collateral_start(struct collateral *c, size_t n);
/* Nothing is known of cases[at]: a limit was reached before. In on_done. */
bool collateral_left(const struct collateral *c, size_t at);
/* Stops at once. Safe on a zeroed one. */
void collateral_fini(struct collateral *c);
