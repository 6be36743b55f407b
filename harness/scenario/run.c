/* The timeline of one scenario. */
#include "harness/scenario/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/scenario/care.h"
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
	struct care_watch care;
	struct figures *figures;
	uint64_t ends;             /* of connections, as the clients saw them */
	struct timer timer;
	enum step step;
	size_t phase;              /* of s->phases */
	bool converged;            /* the last heal phase ended well */
	uint64_t began_us, step_began_us, deadline_us; /* of clock_now_us() */
	char *path;
	char why[ERR_TEXT_MAX];
	struct scenario_outcome outcome;
};

static uint64_t now_us(void *owner)
{
	struct scenario_run *run = owner;
	return clock_now_us() - run->began_us;
}

static void tell(struct scenario_run *run, struct event e)
{
	e.at_us = now_us(run);
	history_add(run->history, &e);
}

static void tell_phase(struct scenario_run *run, const char *name, const char *note)
{
	tell(run, (struct event){.kind = EVENT_PHASE, .type = EVENT_OK, .text = name, .note = note});
}

/* Steps -------------------------------------------------------------------------------------------------------- */

static void on_look(void *owner);

static void enter(struct scenario_run *run, enum step step, uint64_t at_most_ms)
{
	run->step = step;
	run->step_began_us = clock_now_us();
	run->deadline_us = run->step_began_us + at_most_ms * 1000;
	timer_start(&run->timer, run->site->loop, at_most_ms < SCENARIO_LOOK_MS ? at_most_ms : SCENARIO_LOOK_MS, on_look, run);
}

static void end_as(struct scenario_run *run, enum scenario_end end, const char *why)
{
	if (run->outcome.end != SCENARIO_RAN)
		return;
	run->outcome.end = end;
	snprintf(run->why, sizeof(run->why), "%s", why);
	run->outcome.why = run->why;
}

static void begin_close(struct scenario_run *run)
{
	weather_end(run->weather);
	workload_publish(run->workload, false);
	tell_phase(run, "end", "end");
	workload_close(run->workload);
	enter(run, STEP_CLOSE, SCENARIO_CLOSE_MS);
}

static void begin_heal(struct scenario_run *run, const char *name, uint64_t within_ms)
{
	weather_end(run->weather);
	workload_publish(run->workload, true);
	tell_phase(run, name, "heal");
	enter(run, STEP_HEAL, within_ms);
}

static const struct scenario_phase *phase_at(const struct scenario_run *run, size_t i)
{
	return i < run->s->phases.len ? &((const struct scenario_phase *)run->s->phases.items)[i] : NULL;
}

/* Whatever the file says, the last thing is that everything is well again. */
static void begin_phase(struct scenario_run *run, size_t i)
{
	const struct scenario_phase *p = phase_at(run, i), *last = phase_at(run, i - 1);
	run->phase = i;
	if (!p && last && last->within_ms)
		return enter(run, STEP_STEADY, run->converged ? SCENARIO_STEADY_MS : 0);
	if (!p || p->within_ms)
		return begin_heal(run, p ? p->name : "heal", p ? p->within_ms : SCENARIO_HEAL_MS);
	tell_phase(run, p->name, p->faults.len ? "chaos" : "warm");
	workload_publish(run->workload, !p->quiet);
	weather_begin(run->weather, p);
	enter(run, STEP_PHASE, p->for_ms);
}

static void on_spent(void *owner)
{
	struct scenario_run *run = owner;
	if (run->step == STEP_PHASE)
		run->deadline_us = clock_now_us();
}

static bool everybody_is_there(const struct workload_state *w)
{
	return w->up == w->clients && w->subscribed == w->wanted;
}

static void not_opened(struct scenario_run *run, const struct workload_state *w)
{
	char why[ERR_TEXT_MAX];
	snprintf(why, sizeof(why), "before anything was hurt only %llu of %llu clients could connect, and %llu of %llu "
		 "subscriptions were confirmed", (unsigned long long)w->up, (unsigned long long)w->clients,
		 (unsigned long long)w->subscribed, (unsigned long long)w->wanted);
	end_as(run, SCENARIO_NOT_OPENED, why);
	begin_close(run);
}

static void finish(struct scenario_run *run);

/* What is done when this step is over: `well` before its time, or late. */
static void next(struct scenario_run *run, const struct workload_state *w, bool well)
{
	switch (run->step) {
	case STEP_OPEN:
		if (!well)
			return not_opened(run, w);
		return begin_phase(run, 0);
	case STEP_PHASE:
		if (weather_failed(run->weather)) {
			end_as(run, SCENARIO_NOT_DRIVEN, weather_failed(run->weather));
			return begin_close(run);
		}
		return begin_phase(run, run->phase + 1);
	case STEP_HEAL:
		run->converged = well;
		if (run->phase < run->s->phases.len)
			return begin_phase(run, run->phase + 1);
		return enter(run, STEP_STEADY, well ? SCENARIO_STEADY_MS : 0);
	case STEP_STEADY:
		workload_publish(run->workload, false);
		return enter(run, STEP_SETTLE, SCENARIO_SETTLE_MS);
	case STEP_SETTLE:
		return begin_close(run);
	case STEP_CLOSE:
		return enter(run, STEP_LOG, run->evidence.log ? SCENARIO_LOG_MS : 0);
	case STEP_LOG:
		return enter(run, STEP_LAST, run->evidence.log ? SCENARIO_LOG_LAST_MS : 0);
	default:
		return finish(run);
	}
}

static bool ends_are_logged(const struct scenario_run *run)
{
	struct log_events_state log;
	if (!run->evidence.log)
		return true;
	log_events_state(run->evidence.log, &log);
	return log.words[LOG_WORD_disconnect] >= run->ends;
}

static bool is_well(const struct scenario_run *run, const struct workload_state *w)
{
	switch (run->step) {
	case STEP_OPEN:
	case STEP_HEAL:
		return everybody_is_there(w);
	case STEP_SETTLE:
		return workload_settled(run->workload);
	case STEP_CLOSE:
		return workload_closed(run->workload);
	case STEP_LOG:
		return ends_are_logged(run);
	default:
		return false;
	}
}

/* Those of everybody, where the target tells them; else those of our clients. */
static double connections(const struct scenario_run *run, const struct workload_state *w)
{
	double all;
	if (run->evidence.scrape && scrape_value(run->evidence.scrape, TARGET_METRIC_connections, &all))
		return all;
	return (double)w->up;
}

static void on_look(void *owner)
{
	struct scenario_run *run = owner;
	struct workload_state w;
	uint64_t now = clock_now_us();
	workload_state(run->workload, &w);
	if (run->step < STEP_CLOSE && care_enough(&run->care, run->site, connections(run, &w), now)) {
		end_as(run, SCENARIO_GUARDED,
		       "the target file's guard stopped it: too many connections were lost for too long (`abort_if`)");
		return begin_close(run);
	}
	if (is_well(run, &w))
		return next(run, &w, true);
	if (now >= run->deadline_us)
		return next(run, &w, false);
	uint64_t left_ms = (run->deadline_us - now + 999) / 1000;
	timer_start(&run->timer, run->site->loop, left_ms < SCENARIO_LOOK_MS ? left_ms : SCENARIO_LOOK_MS, on_look, run);
}

/* The end ------------------------------------------------------------------------------------------------------ */

static void count(void *owner, const struct event *e)
{
	struct scenario_run *run = owner;
	run->outcome.faults_hit += e->kind == EVENT_FAULT && e->type == EVENT_INFO;
	run->ends += e->kind == EVENT_END;
	figures_event(run->figures, e);
}

static void finish(struct scenario_run *run)
{
	struct scenario_outcome *o = &run->outcome;
	evidence_finish(&run->evidence);
	evidence_stop(&run->evidence);
	run->step = STEP_OVER;
	workload_state(run->workload, &o->workload);
	o->duration_ms = (double)now_us(run) / 1000;
	o->events = history_count(run->history);
	history_flush(run->history);
	if (history_failed(run->history) < 0)
		end_as(run, SCENARIO_ERROR, "the file of its events could not be written whole");
	if (o->end == SCENARIO_RAN)
		check_set_end(run->checks, &o->checks, &o->n_checks);
	run->on_done(run->owner, o);
}

void scenario_run_start(struct scenario_run *run)
{
	const struct workload_options *o = &run->s->workload;
	uint64_t clients = o->subscribers + o->publishers;
	uint64_t opening_ms = o->open_rate > 0 ? (uint64_t)((double)clients * 1000 / o->open_rate) : 0;
	tell_phase(run, "open", "warm");
	workload_open(run->workload);
	enter(run, STEP_OPEN, opening_ms + SCENARIO_OPEN_MS);
}

void scenario_run_stop(struct scenario_run *run)
{
	if (run->step == STEP_OVER)
		return;
	end_as(run, SCENARIO_STOPPED, "it was stopped");
	if (run->step < STEP_CLOSE)
		begin_close(run);
}

void scenario_run_now(const struct scenario_run *run, struct scenario_now *ret)
{
	static const char *const names[] = {"opening",  "",        "healing",         "healed",
					    "settling", "closing", "reading the log", "reading the log",
					    "over"};
	const struct scenario_phase *p = phase_at(run, run->phase);
	bool named = p && (run->step == STEP_PHASE || run->step == STEP_HEAL);
	*ret = (struct scenario_now){
		.phase = named ? p->name : names[run->step],
		.phase_ms = (clock_now_us() - run->step_began_us) / 1000,
		.phase_of_ms = (run->deadline_us - run->step_began_us) / 1000,
		.in_force = weather_in_force(run->weather),
		.fault = weather_name(run->weather, 0),
		.violations = check_set_violations(run->checks),
	};
	workload_state(run->workload, &ret->workload);
}

/* Making it ---------------------------------------------------------------------------------------------------- */

static void on_check_event(void *owner, const struct event *e)
{
	struct scenario_run *run = owner;
	if (run->step != STEP_OVER)
		check_set_event(run->checks, e);
}

static void where(void *owner, bool publishers, uint64_t number, uint32_t *ret_client, uint32_t *ret_connection)
{
	struct scenario_run *run = owner;
	workload_find_connection(run->workload, publishers, number, ret_client, ret_connection);
}

static int make_checks(struct scenario_run *run, struct err *e)
{
	int r = check_set_new(&run->site->contract, &run->checks, e);
	if (r == 0 && !target_has_logs(run->site->target))
		check_set_no_log(run->checks);
	for (size_t i = 0; r == 0 && i < run->s->checks.len; i++) {
		const struct opt_call *call = &run->s->checks.items[i];
		r = check_set_add(run->checks, call->callee.what, call->options, e);
	}
	return r;
}

static int make_history(struct scenario_run *run, const char *path, struct err *e)
{
	json_t *head = json_pack("{s:s, s:I, s:s}", "scenario", run->s->name, "seed", (json_int_t)run->site->seed, "target",
				 run->site->target->name);
	int r = history_log_new(path, head, &run->history, e);
	if (r < 0)
		return r;
	r = figures_new((uint32_t)(run->s->workload.subscribers + run->s->workload.publishers), &run->figures);
	if (r < 0)
		return err_set(e, -r, "out of memory");
	run->outcome.figures = run->figures;
	history_watch(run->history, on_check_event, run);
	history_watch(run->history, count, run);
	run->path = path ? strdup(path) : NULL;
	run->outcome.history = run->path;
	return 0;
}

static int make_weather(struct scenario_run *run, struct err *e)
{
	const struct weather_owner o = {
		.history = run->history, .now_us = now_us, .where = where, .on_spent = on_spent, .owner = run};
	int r = weather_new(run->site, run->s, &o, &run->weather);
	return r < 0 ? err_set(e, -r, "out of memory") : 0;
}

/* Of the run's and the scenario's name: two that run at once have channels of their own. */
static uint64_t own_seed(const struct scenario_run *run)
{
	struct rng rng;
	rng_init(&rng, run->site->seed, run->s->name);
	return rng_u64(&rng);
}

static int make_workload(struct scenario_run *run, struct err *e)
{
	struct site *site = run->site;
	bool nodes = run->s->through == SCENARIO_THROUGH_NODES && site->n_ways > 1;
	const struct workload_site w = {
		.loop = site->loop, .alarms = site->alarms, .history = run->history, .now_us = now_us, .seed = own_seed(run),
		.dialect = site->dialect, .contract = &site->contract, .variables = &site->variables, .headers = &site->headers,
		.ways = nodes ? site->ways + 1 : site->ways, .n_ways = nodes ? site->n_ways - 1 : 1,
		.source = site->target->source, .id_header = site->target->id_header,
		.subscriber_toxics = weather_toxics(run->weather, false),
		.publisher_toxics = weather_toxics(run->weather, true), .owner = run,
	};
	return workload_new(&w, &run->s->workload, &run->workload, e);
}

static int make_evidence(struct scenario_run *run, struct err *e)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	const struct evidence_options o = {
		.loop = run->site->loop, .target = run->site->target, .history = run->history, .now_us = now_us,
		.start_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9, .tls = run->site->tls, .owner = run};
	return evidence_start(&run->evidence, &o, e);
}

int scenario_run_new(struct site *site, const struct scenario *s, const char *history,
		     void (*on_done)(void *owner, const struct scenario_outcome *o), void *owner,
		     struct scenario_run **ret_run, struct err *e)
{
	struct scenario_run *run = calloc(1, sizeof(*run));
	if (!run)
		return err_set(e, ENOMEM, "out of memory");
	*run = (struct scenario_run){.site = site, .s = s, .on_done = on_done, .owner = owner, .began_us = clock_now_us()};
	int r = make_checks(run, e);
	if (r == 0)
		r = make_history(run, history, e);
	if (r == 0)
		r = make_weather(run, e);
	if (r == 0)
		r = make_workload(run, e);
	if (r == 0)
		r = make_evidence(run, e);
	if (r < 0) {
		scenario_run_free(run);
		return r;
	}
	*ret_run = run;
	return 0;
}

void scenario_run_free(struct scenario_run *run)
{
	if (!run)
		return;
	timer_fini(&run->timer);
	evidence_stop(&run->evidence);
	if (run->weather)
		weather_end(run->weather);
	workload_free(run->workload);
	weather_free(run->weather);
	history_log_free(run->history);
	check_set_free(run->checks);
	figures_free(run->figures);
	free(run->path);
	free(run);
}
