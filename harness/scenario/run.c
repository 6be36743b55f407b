/* The timeline of one scenario. */
#include <stdio.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/scenario/run_internal.h"

uint64_t run_now_us(void *owner)
{
	struct scenario_run *run = owner;
	return clock_now_us() - run->began_us;
}

static void tell(struct scenario_run *run, struct event e)
{
	e.at_us = run_now_us(run);
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
	workload_acks(run->workload, true);
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
	tell_phase(run, p->name, p->faults.len || p->no_acks || p->takeover > 0 ? "chaos" : "warm");
	workload_acks(run->workload, !p->no_acks);
	if (p->messages)
		workload_publish_some(run->workload, p->messages);
	else
		workload_publish(run->workload, !p->quiet);
	weather_begin(run->weather, p);
	workload_take_over(run->workload, p->takeover);
	enter(run, STEP_PHASE, p->for_ms);
}

void run_on_spent(void *owner)
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
		 "subscriptions were confirmed%s%s", (unsigned long long)w->up, (unsigned long long)w->clients,
		 (unsigned long long)w->subscribed, (unsigned long long)w->wanted, run->refusal[0] ? "; the last refusal: " : "",
		 run->refusal);
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

/* What is still coming is not lost: a slow machine needs longer. */
static bool still_coming(struct scenario_run *run, const struct workload_state *w, uint64_t now)
{
	if (w->delivered != run->delivered)
		run->delivered_us = now;
	run->delivered = w->delivered;
	return run->step == STEP_SETTLE && now < run->delivered_us + SCENARIO_QUIET_MS * 1000ull &&
	       now < run->step_began_us + SCENARIO_SETTLE_MAX_MS * 1000ull;
}

/* A phase that publishes a number of messages lasts until they are published, but not for ever. */
static bool still_publishing(const struct scenario_run *run, uint64_t now)
{
	return run->step == STEP_PHASE && workload_unpublished(run->workload) && !weather_failed(run->weather) &&
	       now < run->step_began_us + phase_at(run, run->phase)->for_ms * SCENARIO_LONGER_TIMES * 1000;
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
	if ((still_publishing(run, now) || still_coming(run, &w, now)) && now + SCENARIO_LOOK_MS * 1000 >= run->deadline_us)
		run->deadline_us = now + SCENARIO_LOOK_MS * 2000;
	if (now >= run->deadline_us)
		return next(run, &w, false);
	uint64_t left_ms = (run->deadline_us - now + 999) / 1000;
	timer_start(&run->timer, run->site->loop, left_ms < SCENARIO_LOOK_MS ? left_ms : SCENARIO_LOOK_MS, on_look, run);
}

/* The end ------------------------------------------------------------------------------------------------------ */

static void finish(struct scenario_run *run)
{
	struct scenario_outcome *o = &run->outcome;
	struct scrape_state scraped;
	evidence_finish(&run->evidence);
	if (run->evidence.scrape) {
		scrape_state(run->evidence.scrape, &scraped);
		scrape_state_add(&run->site->scraped, &scraped);
	}
	evidence_stop(&run->evidence);
	run->step = STEP_OVER;
	workload_state(run->workload, &o->workload);
	o->duration_ms = (double)run_now_us(run) / 1000;
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
