#pragma once
/*
 * Finds cases that cost others their connections. A target of several processes, or one that is started again at once, is never seen dead: the
 * canary meets the next process. But whoever was served by the one that ended was cut off. So bystanders are opened, cases are run, and the
 * bystanders are looked at: none was cut, and all of the cases are acquitted; some were, and the halves are looked at. A case that is left
 * alone is found when bystanders were cut each of CONFIRMATIONS times that it ran, and never when a canary and a longer wait took its place.
 */
#include "harness/run/interp.h"
#include "harness/run/listener.h"

enum {
	COLLATERAL_BYSTANDERS = 8,      /* more than one: a target of several processes spreads them */
	COLLATERAL_CONFIRMATIONS = 3,
	COLLATERAL_ROUNDS_MAX = 256,    /* bystanders are opened that often; who was not looked at by then is acquitted */
	COLLATERAL_DEPTH_MAX = 32,      /* halves of halves that wait: one for each time that 2^32 can be halved */
	COLLATERAL_JOBS_MAX = 64,
};

struct collateral_range {
	size_t from, to;                /* of the cases */
	unsigned confirmed;             /* of one case: rounds in which bystanders were cut */
	bool control;                   /* a canary in place of the case */
};

struct collateral {
	struct case_env *env;
	const struct test_case *const *cases;
	unsigned jobs;                  /* cases at once */
	/* Of cases[at]: in each round that it ran at least `cut` of `of` bystanders were cut. */
	void (*on_found)(void *owner, size_t at, unsigned cut, unsigned of);
	/* All is known, or no bystander can be opened (the target may be gone). Called once, from the loop. */
	void (*on_done)(void *owner);
	void *owner;

	/* internal */
	struct listener bystanders[COLLATERAL_BYSTANDERS];
	struct collateral_range stack[COLLATERAL_DEPTH_MAX], now;
	struct case_run *runs[COLLATERAL_JOBS_MAX];
	size_t next;
	unsigned depth, rounds, running, of, fewest_cut;
	enum { COLLATERAL_IDLE, COLLATERAL_OPENING, COLLATERAL_RUNNING, COLLATERAL_ASKING } phase;
	uint64_t started_us, case_us;   /* the cases of the round; how long the last one alone took */
	struct timer timer;
};

/* Looks at cases[0] to cases[n - 1]; the fields above `internal` are set before, and n > 0. Never calls back from inside. */
void collateral_start(struct collateral *c, size_t n);
/* Stops at once. Safe on a zeroed one. */
void collateral_fini(struct collateral *c);
