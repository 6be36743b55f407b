#pragma once
/* The inside of a run: run.c goes through its steps, run_new.c puts it together. */
#include "harness/scenario/care.h"
#include "harness/scenario/run.h"
#include "harness/scenario/weather.h"
#include "harness/target/evidence.h"

/* What the clients are told at each step, and what ends it. */
enum step {
	STEP_OPEN,                 /* until everybody is subscribed */
	STEP_PHASE,                /* until its time is over */
	STEP_HEAL,                 /* until everybody is back */
	STEP_STEADY,               /* a while longer */
	STEP_SETTLE,               /* nothing new: until everything has arrived */
	STEP_CLOSE,                /* until everybody is gone */
	STEP_LOG,                  /* until the log has told so */
	STEP_LAST,                 /* and what came with it */
	STEP_OVER,
};

struct scenario_run {
	struct site *site;
	const struct scenario *s;
	void (*on_done)(void *owner, const struct scenario_outcome *o);
	void *owner;
	struct history_log *history;
	struct check_set *checks;
	struct weather *weather;
	struct workload *workload;
	struct evidence evidence;
	struct site_speech speech;
	struct care_watch care;
	struct figures *figures;
	uint64_t ends;             /* of connections, as the clients saw them */
	uint64_t delivered, delivered_us; /* so far, and when the last one came: of clock_now_us() */
	struct timer timer;
	enum step step;
	size_t phase;              /* of s->phases */
	bool converged;            /* the last heal phase ended well */
	uint64_t began_us, step_began_us, deadline_us; /* of clock_now_us() */
	char *path;
	char why[ERR_TEXT_MAX];
	char refusal[ERR_TEXT_MAX / 2]; /* the last one of a connection or subscription; "": none */
	struct scenario_outcome outcome;
};

/* For those whom a run owns: microseconds since it began. */
uint64_t run_now_us(void *owner);
/* The faults of a phase have all come to an end of their own. */
void run_on_spent(void *owner);
