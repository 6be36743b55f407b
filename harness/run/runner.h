#pragma once
/*
 * Runs many cases at once against one target and turns them into a result. What is decided is reported at once. A verdict that rests on
 * time, or on an end of the connection that nobody asked for, is confirmed by a second run of the case, alone. After a fail, and at the
 * end, a canary looks whether the target still lives; when it does not, the case that killed it is found by running the suspects one by one.
 * Before that second run, cases that may have ended one process of several are looked at beside bystanders (collateral.h).
 */
#include "harness/run/collateral.h"
#include "harness/run/interp.h"
#include "harness/run/listener.h"

struct runner_case {
	const struct test_case *tc;
	const char *suite, *group;
};

enum runner_state { RUNNER_PLANNED, RUNNER_RUNNING, RUNNER_AGAIN, RUNNER_DECIDED };

struct runner_item {
	struct runner_case c;
	enum runner_state state;
	enum verdict verdict;
	const char *seen, *required, *note; /* in the runner's arena */
	char *transcript;          /* malloc'd, of a case that did not pass; or NULL */
	uint64_t started_us, finished_us;
	bool suspect, killed;      /* in flight when the target died; proven to kill it */
	bool unmet;                /* nobody answered even its opening: it cannot have killed anything */
	bool bare;                 /* as in its outcome: it may have ended one process of several */
	bool doubted;              /* the target was found dead right after it, though its canary lived */
};

struct runner_options {
	unsigned jobs;             /* connections at once, 1 to JOBS_MAX */
	uint32_t recover_ms;       /* how long a target that died may take to come back */
	bool listen;               /* keep a listening connection beside the cases (listener.h) */
	bool keep_transcripts;     /* also of cases that passed */
	/* Called as soon as an item is decided; once more if a later finding changes it. May be NULL. */
	void (*on_decided)(void *owner, const struct runner_item *item);
	/* For a target that we control: 0 when it lives; 1 when it had ended, and was started again; -errno when that failed. May be NULL. */
	int (*revive)(void *owner);
	/* Asked between cases: true stops the run. May be NULL. */
	bool (*stop)(void *owner);
	void *owner;
};

struct runner {
	struct case_env *env;
	struct runner_options o;
	struct arena arena;
	struct runner_item *items;
	size_t n, next, running, decided;
	uint64_t last_alive_us, canary_us; /* the target lived; the newest canary began */
	unsigned deaths, cuts_asked; /* the target was found dead; cut frames that the canary under way is to confirm */
	bool stopped;
	const char *abort_reason;  /* or NULL */

	/* internal */
	struct case_run **runs;
	struct case_run *canary;
	bool looping, listening, again_phase, canary_wanted;
	bool looked;               /* a canary was started after the newest end of a case */
	bool lost;                 /* a canary did not come back: no case is started until one does */
	bool dead;                 /* lost, and proven: nobody listens, or a canary that was alone did not come back either */
	bool swept, sweeping;      /* `collateral` has been begun; is at work */
	struct timer recover, heard, watchdog;
	struct listener listener;
	struct collateral collateral;
	const struct test_case **swept_cases; /* what it looks at, and the items of it */
	size_t *swept_items, n_swept;
	uint64_t lost_since_us;
	size_t again_at;
	struct runner_item *alone_before; /* the last one of the second phase that met the target */
	unsigned again_jobs;       /* cases at once in the second phase: 1, but for a target that is doubtful everywhere */
};

/* Copies `cases`. -ENOMEM. */
int runner_init(struct runner *r, struct case_env *env, const struct runner_options *o, const struct runner_case *cases, size_t n);
/* Safe on a zeroed one. */
void runner_fini(struct runner *r);
/* Blocks on the loop until every item is decided, or the run is stopped or aborted (what is left is then VERDICT_ERROR). */
void runner_run(struct runner *r);
