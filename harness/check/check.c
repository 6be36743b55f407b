/* Runs the checkers over the events, and keeps what they find with what shows it. */
#include "harness/check/check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/check_internal.h"

enum { SET_ARENA_MAX = 256 << 20 }; /* findings and their evidence, all checks of a scenario together */

int check_set_new(const struct contract *contract, struct check_set **ret_set, struct err *e)
{
	struct check_set *set = calloc(1, sizeof(*set));
	if (!set || evidence_new(&set->evidence) < 0) {
		free(set);
		return err_set(e, ENOMEM, "out of memory");
	}
	set->contract = *contract;
	arena_init(&set->arena, SET_ARENA_MAX);
	track_init(&set->track, &set->contract);
	*ret_set = set;
	return 0;
}

void check_set_no_reasons(struct check_set *set)
{
	set->track.no_reasons = true;
}

void check_set_no_log(struct check_set *set)
{
	set->track.no_log = true;
}

static void run_free(struct check_run *run)
{
	if (run->checker->stop)
		run->checker->stop(run);
	free(run->state);
	free(run);
}

void check_set_free(struct check_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_runs; i++)
		run_free(set->runs[i]);
	track_fini(&set->track);
	evidence_free(set->evidence);
	arena_fini(&set->arena);
	free(set);
}

static int run_begin(struct check_run *run, const void *options, struct err *e)
{
	const struct checker *c = run->checker;
	for (size_t i = 0; c->checks[i]; i++) {
		assert(i < RUN_CHECKS_MAX);
		run->judged[i] = (struct judged){.id = c->checks[i], .row = check_row_find(c->checks[i])};
		assert(run->judged[i].row);
		run->n_judged++;
	}
	run->options = options;
	if (!options) {
		void *defaults = arena_alloc(&run->set->arena, c->options_size ? c->options_size : 1);
		if (!defaults || opt_defaults(c->options, defaults, &run->set->arena) < 0)
			return err_set(e, ENOMEM, "out of memory");
		run->options = defaults;
	}
	return c->start ? c->start(run, e) : 0;
}

int check_set_add(struct check_set *set, const struct checker *c, const void *options, struct err *e)
{
	assert(!set->begun && set->n_runs < CHECKS_MAX);
	for (size_t i = 0; i < set->n_runs; i++)
		if (set->runs[i]->checker == c)
			return err_set(e, EEXIST, "the checker %s is named twice", c->name);
	struct check_run *run = calloc(1, sizeof(*run));
	void *state = calloc(1, c->state_size ? c->state_size : 1);
	if (!run || !state) {
		free(run);
		free(state);
		return err_set(e, ENOMEM, "out of memory");
	}
	run->set = set;
	run->checker = c;
	run->state = state;
	int r = run_begin(run, options, e);
	if (r < 0) {
		run_free(run);
		return r;
	}
	set->runs[set->n_runs++] = run;
	return 0;
}

/* A line of the log that came late belongs to what was found just before. */
static void add_line(struct check_set *set, const struct event *e, uint32_t client)
{
	const char *line = NULL;
	for (size_t r = 0; r < set->n_runs; r++)
		for (size_t j = 0; j < set->runs[r]->n_judged; j++) {
			struct judged *judged = &set->runs[r]->judged[j];
			for (size_t f = 0; f < judged->n_findings; f++) {
				const char **lines = (const char **)judged->findings[f].evidence;
				size_t n = 0;
				while (lines && lines[n])
					n++;
				if (judged->findings[f].client != client || !lines || n == CHECK_EVIDENCE_MAX ||
				    e->at_us > judged->findings[f].at_us + CHECK_LATE_US)
					continue;
				if (!line)
					line = evidence_line(&set->arena, e);
				lines[n] = line;
			}
		}
}

void check_set_event(struct check_set *set, const struct event *e)
{
	assert(!set->ended);
	set->begun = true;
	track_event(&set->track, e);
	uint32_t client = evidence_event(set->evidence, e);
	if (e->kind == EVENT_LOG && client && set->violations)
		add_line(set, e, client);
	for (size_t i = 0; i < set->n_runs; i++)
		set->runs[i]->checker->event(set->runs[i], e);
}

uint64_t check_set_violations(const struct check_set *set)
{
	return set->violations;
}

/* Results ------------------------------------------------------------------------------------------------------ */

static struct check_result result_of(const struct check_run *run, const struct judged *j, bool out_of_memory)
{
	uint64_t violations = j->fails + j->warns; /* each of them was a chance, too */
	struct check_result r = {
		.row = j->row, .checker = run->checker, .samples = j->samples > violations ? j->samples : violations,
		.violations = violations,
		.note = j->note, .findings = j->findings, .n_findings = j->n_findings,
	};
	if (j->fails) {
		r.outcome = CHECK_FAIL;
	} else if (j->skip) {
		r.outcome = CHECK_SKIP;
		r.note = j->skip;
	} else if (j->unknown || out_of_memory) {
		r.outcome = CHECK_INCONCLUSIVE;
		r.note = j->unknown ? j->unknown : "out of memory";
	} else if (j->warns) {
		r.outcome = CHECK_WARN;
	} else if (!j->samples) {
		r.outcome = CHECK_INCONCLUSIVE;
		r.untested = true;
		r.note = j->note ? j->note : "it was never put to the test";
	}
	return r;
}

static int by_row(const void *a, const void *b)
{
	const struct check_result *x = a, *y = b;
	return (x->row > y->row) - (x->row < y->row);
}

void check_set_end(struct check_set *set, const struct check_result **ret_results, size_t *ret_n)
{
	size_t n = 0, max = 0;
	assert(!set->ended);
	set->ended = true;
	for (size_t i = 0; i < set->n_runs; i++) {
		max += set->runs[i]->n_judged;
		if (set->runs[i]->checker->end)
			set->runs[i]->checker->end(set->runs[i]);
	}
	set->results = arena_alloc(&set->arena, (max + 1) * sizeof(*set->results));
	for (size_t i = 0; set->results && i < set->n_runs; i++)
		for (size_t j = 0; j < set->runs[i]->n_judged; j++)
			set->results[n++] = result_of(set->runs[i], &set->runs[i]->judged[j], set->track.out_of_memory);
	if (n)
		qsort(set->results, n, sizeof(*set->results), by_row);
	*ret_results = set->results;
	*ret_n = n;
}
