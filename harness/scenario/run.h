#pragma once
/*
 * One scenario against one deployment: the clients come, the phases pass, everything heals, the clients go, the checks
 * look back. Several may run at once on one loop when none of them touches what they share (scenario->alone).
 */
#include "harness/scenario/figures.h"
#include "harness/scenario/site.h"

enum {
	SCENARIO_OPEN_MS = 30000,     /* for everybody to be connected and subscribed, beyond what open_rate takes */
	SCENARIO_HEAL_MS = 30000,     /* of a scenario that has no heal phase of its own */
	SCENARIO_STEADY_MS = 1000,    /* publishing goes on this long after everybody is back, then it ends */
	SCENARIO_SETTLE_MS = 10000,   /* for the last messages to arrive; longer while they do: */
	SCENARIO_QUIET_MS = 2000,     /* none has come for so long */
	SCENARIO_SETTLE_MAX_MS = 60000,
	SCENARIO_CLOSE_MS = 6000,     /* for the closing handshakes */
	SCENARIO_LOG_MS = 3000,       /* for the log to tell of every connection's end */
	SCENARIO_LOG_LAST_MS = 250,   /* and a little longer, for what else it says */
	SCENARIO_LOOK_MS = 50,        /* between two looks at the workload */
	SCENARIO_LONGER_TIMES = 2,    /* a phase's `for`, where its messages are not all published within it */
};

enum scenario_end {
	SCENARIO_RAN,              /* to its end: the checks tell */
	SCENARIO_NOT_OPENED,       /* the clients could not all connect and subscribe before anything was hurt */
	SCENARIO_NOT_DRIVEN,       /* a fault could not be made as asked */
	SCENARIO_GUARDED,          /* the target file's guard stopped it (care.h) */
	SCENARIO_STOPPED,          /* scenario_run_stop() */
	SCENARIO_ERROR,            /* our own trouble */
};

struct scenario_run;

struct scenario_outcome {
	enum scenario_end end;
	const char *why;           /* a clause; NULL when it ran */
	const struct check_result *checks; /* none unless it ran */
	size_t n_checks;
	struct workload_state workload;
	uint64_t events, faults_hit; /* events of the history; of them, what faults did */
	const struct figures *figures;
	double duration_ms;
	const char *history;       /* path of the file of events, or NULL */
};

struct scenario_now {
	const char *phase;
	uint64_t phase_ms, phase_of_ms; /* how long it has lasted, and at most will */
	size_t in_force;
	const char *fault;         /* the first one in force, or "" */
	uint64_t violations;
	struct workload_state workload;
};

/*
 * history: path of the file of events, NULL: none. on_done comes once from the loop; the outcome lives until the run is
 * freed, which may happen inside. -ENOMEM, -EINVAL, ... with a sentence.
 */
int scenario_run_new(struct site *site, const struct scenario *s, const char *history,
		     void (*on_done)(void *owner, const struct scenario_outcome *o), void *owner,
		     struct scenario_run **ret_run, struct err *e);
void scenario_run_start(struct scenario_run *run);
/* Heals at once and ends soon. */
void scenario_run_stop(struct scenario_run *run);
void scenario_run_now(const struct scenario_run *run, struct scenario_now *ret);
/* NULL is fine. */
void scenario_run_free(struct scenario_run *run);
