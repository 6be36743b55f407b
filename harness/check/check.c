/* Runs the checkers over the events, and keeps what they find with what shows it. */
#include "harness/check/check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/evidence.h"
#include "harness/check/track.h"

enum {
	SET_ARENA_MAX = 256 << 20, /* findings and their evidence, all checks of a scenario together */
	RUN_CHECKS_MAX = 16,       /* checks of one checker */
	SEEN_MAX = 400,
};

struct check_moment {
	struct arena arena;
	const char **evidence, **faults;
	uint64_t at_us;
	uint32_t client, channel;
};

/* One check of one checker. */
struct judged {
	const char *id;
	const struct check_row *row;
	uint64_t samples, fails, warns;
	const char *unknown, *skip, *note;
	struct check_finding findings[CHECK_FINDINGS_MAX];
	size_t n_findings;
};

struct check_run {
	struct check_set *set;
	const struct checker *checker;
	const void *options;
	void *state;
	struct judged judged[RUN_CHECKS_MAX];
	size_t n_judged, moments;
};

struct check_set {
	struct contract contract;
	struct arena arena;
	struct track track;
	struct evidence *evidence;
	struct check_run *runs[CHECKS_MAX];
	size_t n_runs;
	uint64_t violations;
	struct check_result *results;
	bool begun, ended;
};

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

/* A line of the log that came late belongs to what was found before. */
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
				if (judged->findings[f].client != client || !lines || n == CHECK_EVIDENCE_MAX)
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

/* For a checker ------------------------------------------------------------------------------------------------ */

void *check_state(const struct check_run *run)
{
	return run->state;
}

const void *check_options(const struct check_run *run)
{
	return run->options;
}

const struct contract *check_contract(const struct check_run *run)
{
	return &run->set->contract;
}

struct track *check_track(const struct check_run *run)
{
	return &run->set->track;
}

static struct judged *judged_of(struct check_run *run, const char *id)
{
	for (size_t i = 0; i < run->n_judged; i++)
		if (run->judged[i].id == id)
			return &run->judged[i];
	for (size_t i = 0; i < run->n_judged; i++)
		if (strcmp(run->judged[i].id, id) == 0)
			return &run->judged[i];
	assert(!"a check that the checker does not name");
	return NULL;
}

void check_samples(struct check_run *run, const char *id, uint64_t n)
{
	judged_of(run, id)->samples += n;
}

static const char **faults_now(const struct track *t, struct arena *a)
{
	const char **faults = arena_alloc(a, (CHECK_FAULTS_MAX + 1) * sizeof(*faults));
	for (size_t i = 0, n = 0; faults && i < t->n_faults && n < CHECK_FAULTS_MAX; i++) {
		faults[n] = arena_strdup(a, t->faults[i]);
		n += faults[n] != NULL;
	}
	return faults;
}

static struct check_finding *finding_new(struct judged *j, bool warn)
{
	*(warn ? &j->warns : &j->fails) += 1;
	if (j->n_findings == CHECK_FINDINGS_MAX)
		return NULL;
	struct check_finding *f = &j->findings[j->n_findings++];
	f->warn = warn;
	return f;
}

static __attribute__((format(printf, 7, 0))) void found(struct check_run *run, struct judged *j, bool warn,
							const struct event *at, uint32_t client, uint32_t channel,
							const char *seen, va_list ap)
{
	struct check_set *set = run->set;
	char text[SEEN_MAX];
	struct check_finding *f = finding_new(j, warn);
	set->violations++;
	if (!f)
		return;
	vsnprintf(text, sizeof(text), seen, ap);
	f->seen = arena_strdup(&set->arena, text);
	f->at_us = at ? at->at_us : set->track.now_us;
	f->client = client;
	f->channel = channel;
	f->evidence = evidence_lines(set->evidence, &set->arena, at, client);
	f->faults = faults_now(&set->track, &set->arena);
}

void check_fail(struct check_run *run, const char *id, const struct event *at, const char *seen, ...)
{
	va_list ap;
	va_start(ap, seen);
	found(run, judged_of(run, id), false, at, at ? at->client : 0, at ? at->channel : 0, seen, ap);
	va_end(ap);
}

void check_warn(struct check_run *run, const char *id, const struct event *at, const char *seen, ...)
{
	va_list ap;
	va_start(ap, seen);
	found(run, judged_of(run, id), true, at, at ? at->client : 0, at ? at->channel : 0, seen, ap);
	va_end(ap);
}

void check_fail_of(struct check_run *run, const char *id, const struct event *at, uint32_t client, uint32_t channel,
		   const char *seen, ...)
{
	va_list ap;
	va_start(ap, seen);
	found(run, judged_of(run, id), false, at, client, channel, seen, ap);
	va_end(ap);
}

struct check_moment *check_moment(struct check_run *run, const struct event *at, uint32_t client, uint32_t channel)
{
	enum { MOMENT_MAX = 1 << 20 };
	if (run->moments == CHECK_MOMENTS_MAX)
		return NULL;
	struct check_moment *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	arena_init(&m->arena, MOMENT_MAX);
	m->at_us = at ? at->at_us : run->set->track.now_us;
	m->client = client;
	m->channel = channel;
	m->evidence = evidence_lines(run->set->evidence, &m->arena, at, client);
	m->faults = faults_now(&run->set->track, &m->arena);
	run->moments++;
	return m;
}

void check_moment_drop(struct check_run *run, struct check_moment *moment)
{
	if (!moment)
		return;
	run->moments--;
	arena_fini(&moment->arena);
	free(moment);
}

/* A copy with room for max lines. */
static const char *const *copy_list(struct arena *a, const char *const *list, size_t max)
{
	const char **copy = arena_alloc(a, (max + 1) * sizeof(*copy));
	for (size_t i = 0; copy && list && list[i] && i < max; i++)
		copy[i] = arena_strdup(a, list[i]);
	return copy;
}

void check_fail_then(struct check_run *run, const char *id, struct check_moment *moment, const struct event *at,
		     uint32_t client, uint32_t channel, const char *seen, ...)
{
	struct judged *j = judged_of(run, id);
	size_t before = j->n_findings;
	va_list ap;
	va_start(ap, seen);
	found(run, j, false, at, client, channel, seen, ap);
	va_end(ap);
	if (moment && j->n_findings > before) {
		struct check_finding *f = &j->findings[before];
		f->at_us = moment->at_us;
		f->evidence = copy_list(&run->set->arena, moment->evidence, CHECK_EVIDENCE_MAX);
		f->faults = copy_list(&run->set->arena, moment->faults, CHECK_FAULTS_MAX);
	}
	check_moment_drop(run, moment);
}

static __attribute__((format(printf, 4, 0))) void say(struct check_run *run, const char **text, bool first,
						      const char *fmt, va_list ap)
{
	char line[SEEN_MAX];
	if (first && *text)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	*text = arena_strdup(&run->set->arena, line);
}

void check_unknown(struct check_run *run, const char *id, const char *why, ...)
{
	va_list ap;
	va_start(ap, why);
	say(run, &judged_of(run, id)->unknown, true, why, ap);
	va_end(ap);
}

void check_skip(struct check_run *run, const char *id, const char *why, ...)
{
	va_list ap;
	va_start(ap, why);
	say(run, &judged_of(run, id)->skip, true, why, ap);
	va_end(ap);
}

void check_note(struct check_run *run, const char *id, const char *what, ...)
{
	va_list ap;
	va_start(ap, what);
	say(run, &judged_of(run, id)->note, false, what, ap);
	va_end(ap);
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
