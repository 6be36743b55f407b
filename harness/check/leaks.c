/*
 * What connections take comes back: after many of them were lost, and the clients are there again, the target counts as
 * many connections and descriptors as before. A few more are its own affair; as many as half of those that were lost
 * are a leak. Only what it keeps at every look from the last fault on counts.
 */
#include <stdio.h>
#include <string.h>

#include "harness/check/check.h"
#include "harness/check/gauge.h"
#include "harness/check/track.h"

enum {
	LOST_MIN = 16,             /* connections, to tell a leak from what comes and goes */
	CALM_US = 500000,          /* after the last fault */
};

static const char CONNECTIONS[] = "observe.connections", DESCRIPTORS[] = "capacity.fds";
static const char *const checks[] = {CONNECTIONS, DESCRIPTORS, NULL};

static const struct kind {
	const char *metric, *id, *what;
} kinds[] = {
	{"connections", CONNECTIONS, "connections are counted"},
	{"process_open_fds", DESCRIPTORS, "descriptors are open"},
};
enum { KINDS = ARRAY_LEN(kinds) };

/* One metric, less the clients that are connected. */
struct series {
	struct gauge gauge;
	double before, after;      /* at most before the first fault, at least since the last */
	bool began;
	uint64_t looks;            /* since the last fault */
	struct check_moment *at;   /* of the first of these */
};

struct leaks {
	struct series series[KINDS];
	uint64_t lost, living;     /* connections; clients before the first fault, at most */
	bool hurt;
};

static void look(struct check_run *run, struct series *s, const struct event *e)
{
	struct leaks *l = check_state(run);
	const struct track *t = check_track(run);
	uint64_t living = gauge_living(t);
	double more = gauge_note(&s->gauge, e) - (double)living;
	if (!l->hurt) {
		s->before = !s->began || more > s->before ? more : s->before;
		s->began = true;
		l->living = living > l->living ? living : l->living;
	}
	if (!l->hurt || t->n_faults || t->now_us < t->calm_us + CALM_US || t->phase >= TRACK_END)
		return;
	if (!s->looks++ || more < s->after)
		s->after = more;
	if (!s->at)
		s->at = check_moment(run, e, 0, 0);
}

static void begin_anew(struct check_run *run, struct leaks *l)
{
	l->hurt = true;
	for (size_t i = 0; i < KINDS; i++) {
		l->series[i].looks = 0;
		check_moment_drop(run, TAKE_PTR(l->series[i].at));
	}
}

static void leaks_event(struct check_run *run, const struct event *e)
{
	struct leaks *l = check_state(run);
	const struct track *t = check_track(run);
	if (e->kind == EVENT_FAULT && e->type == EVENT_INVOKE)
		begin_anew(run, l);
	l->lost += e->kind == EVENT_END && l->hurt && t->phase < TRACK_END;
	for (size_t i = 0; e->kind == EVENT_METRIC && e->text && i < KINDS; i++)
		if (strcmp(e->text, kinds[i].metric) == 0)
			look(run, &l->series[i], e);
}

static void judge(struct check_run *run, const struct kind *k, struct series *s)
{
	const struct leaks *l = check_state(run);
	double more = s->after - s->before;
	if (!s->began || !s->looks || l->lost < LOST_MIN || check_track(run)->down_us)
		return;
	check_samples(run, k->id, 1);
	check_note(run, k->id, "%llu connections were lost, and no more %s than before", (unsigned long long)l->lost, k->what);
	if (more * 2 >= (double)l->lost)
		check_fail_then(run, k->id, TAKE_PTR(s->at), NULL, 0, 0,
				"%llu connections were lost, and with as many clients as before %.0f more %s",
				(unsigned long long)l->lost, more, k->what);
}

static void leaks_end(struct check_run *run)
{
	struct leaks *l = check_state(run);
	struct series *connections = &l->series[0];
	if (connections->began && gauge_is_of_others(connections->before, l->living)) {
		for (size_t i = 0; i < KINDS; i++)
			check_skip(run, kinds[i].id, "other clients are connected, and come and go");
		return;
	}
	for (size_t i = 0; i < KINDS; i++)
		judge(run, &kinds[i], &l->series[i]);
}

static void leaks_stop(struct check_run *run)
{
	struct leaks *l = check_state(run);
	for (size_t i = 0; i < KINDS; i++)
		check_moment_drop(run, l->series[i].at);
}

static const struct opt options[] = {
	{0},
};

const struct checker checker_leaks = {
	.name = "leaks",
	.about = "connections that were lost leave neither descriptors nor counts behind",
	.checks = checks,
	.options = options,
	.options_size = 0,
	.state_size = sizeof(struct leaks),
	.whole_target = true,
	.event = leaks_event,
	.end = leaks_end,
	.stop = leaks_stop,
};
