/* What a checker asks and says: its state, and findings with what shows them. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/check_internal.h"

enum { SEEN_MAX = 400 };

struct check_moment {
	struct arena arena;
	const char **evidence, **faults;
	const char *healed;
	uint64_t at_us, healed_us;
	uint32_t client, channel;
};

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

uint64_t check_sampled(struct check_run *run, const char *id)
{
	return judged_of(run, id)->samples;
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
	f->healed = arena_strdup(&set->arena, set->track.healed);
	f->healed_us = set->track.healed_us;
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
	m->healed = arena_strdup(&m->arena, run->set->track.healed);
	m->healed_us = run->set->track.healed_us;
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
		f->healed = arena_strdup(&run->set->arena, moment->healed);
		f->healed_us = moment->healed_us;
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
