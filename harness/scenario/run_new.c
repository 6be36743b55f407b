/* Putting a run together: its history and who watches it, checks, weather, clients, evidence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/scenario/run_internal.h"

/* Why nobody came, should nobody come. */
static void note_refusal(struct scenario_run *run, const struct event *e)
{
	bool refused = (e->kind == EVENT_CONNECT || e->kind == EVENT_SUBSCRIBE) &&
		       (e->type == EVENT_FAIL || e->type == EVENT_INFO);
	if (run->step == STEP_OPEN && refused && e->text)
		snprintf(run->refusal, sizeof(run->refusal), "%s", e->text);
}

static void count(void *owner, const struct event *e)
{
	struct scenario_run *run = owner;
	run->outcome.faults_hit += e->kind == EVENT_FAULT && e->type == EVENT_INFO;
	run->ends += e->kind == EVENT_END;
	figures_event(run->figures, e);
	note_refusal(run, e);
}

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
	run->speech.contract.goodbyes = run->site->target->restart.close_codes;
	int r = check_set_new(&run->speech.contract, &run->checks, e);
	if (r == 0 && !target_has_logs(run->site->target))
		check_set_no_log(run->checks);
	if (r == 0 && !run->site->target->logs.reason)
		check_set_no_reasons(run->checks);
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
		.history = run->history, .now_us = run_now_us, .where = where, .on_spent = run_on_spent, .owner = run};
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
		.loop = site->loop, .alarms = site->alarms, .history = run->history, .now_us = run_now_us, .seed = own_seed(run),
		.dialect = run->speech.dialect, .contract = &run->speech.contract, .variables = &run->speech.variables,
		.headers = &site->headers,
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
		.loop = run->site->loop, .target = run->site->target, .history = run->history, .now_us = run_now_us,
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
	int r = site_speech(site, s, &run->speech, e);
	if (r == 0)
		r = make_checks(run, e);
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
