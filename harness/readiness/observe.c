/* The metrics agree with what was done: connections come and go, messages are counted, and take a time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/readiness/rows.h"
#include "harness/ws/close_code.h"

enum { GROUP = 2, GAUGE_LINKS = 3 * GROUP, LOOK_MS = 250, OUR_CODE = 3777, STEADY_LOOKS = 3 };

static struct reading *look(struct dialogue *d, const char *const *names, size_t n)
{
	return reading_new(d, names, n);
}

static bool readable(struct dialogue *d, const struct reading *r)
{
	if (r && reading_done(r) && !r->failed)
		return true;
	dialogue_unknown(d, "the metrics cannot be read: %s", r && r->failed ? r->why : "no answer");
	return false;
}

/* Connections ---------------------------------------------------------------------------------------------------- */

enum { GAUGE, CLOSED_OURS, CLOSED_ABNORMAL, GAUGE_NAMES };

struct gauge {
	const char *names[GAUGE_NAMES];
	struct link *links[GAUGE_LINKS];
	struct reading *reading, *before;
	unsigned steady;
	double last;
	uint64_t since_us;
};

static void name_gauge(struct dialogue *d, struct gauge *g)
{
	const struct target_metrics *m = &d->r->site->target->metrics;
	g->names[GAUGE] = m->names[TARGET_METRIC_connections];
	if (!m->closes)
		return;
	g->names[CLOSED_OURS] = arena_printf(&d->arena, "%s{%s=\"%d\"}", m->closes, m->closes_label, OUR_CODE);
	g->names[CLOSED_ABNORMAL] = arena_printf(&d->arena, "%s{%s=\"1006\"}", m->closes, m->closes_label);
}

static bool gauge_settled(const struct gauge *g)
{
	for (size_t i = 0; i < GAUGE_LINKS; i++)
		if (!link_settled(g->links[i]))
			return false;
	return true;
}

static bool all_open(const struct gauge *g)
{
	for (size_t i = 0; i < GAUGE_LINKS; i++)
		if (!g->links[i]->opened)
			return false;
	return true;
}

static void end_links(struct gauge *g)
{
	for (size_t i = 0; i < GAUGE_LINKS; i++) {
		if (i < GROUP)
			link_close(g->links[i], OUR_CODE, "");
		else if (i < 2 * GROUP)
			link_reset(g->links[i]);
		else
			link_fin(g->links[i]);
	}
}

/* At least so many more of these ends. */
static bool closes_counted(const struct gauge *g, size_t which, double wanted)
{
	return !g->names[which] || g->reading->values[which] - g->before->values[which] >= wanted;
}

static bool back(const struct gauge *g)
{
	return reading_done(g->reading) && !g->reading->failed && g->reading->values[GAUGE] == g->before->values[GAUGE] &&
	       closes_counted(g, CLOSED_OURS, GROUP) && closes_counted(g, CLOSED_ABNORMAL, 2 * GROUP);
}

static void judge_closes(struct dialogue *d, const struct gauge *g, size_t which, int code, unsigned wanted)
{
	if (!g->names[which])
		return;
	double rose = g->reading->values[which] - g->before->values[which];
	if (rose < wanted)
		dialogue_fail(d, "%u connections ended with %d, and the count of that code rose by %.0f", wanted, code, rose);
	else
		dialogue_pass(d, "%u ends with %d are counted", wanted, code);
}

static void judge_back(struct dialogue *d, const struct gauge *g)
{
	double now = g->reading->values[GAUGE], before = g->before->values[GAUGE];
	if (now > before)
		dialogue_fail(d, "after %d connections have ended the gauge is %.0f, before they came it was %.0f",
			      GAUGE_LINKS, now, before);
	else if (now < before)
		dialogue_unknown(d, "other clients left meanwhile");
	else
		dialogue_pass(d, "the gauge rose by %d and came back", GAUGE_LINKS);
	judge_closes(d, g, CLOSED_OURS, OUR_CODE, GROUP);
	judge_closes(d, g, CLOSED_ABNORMAL, CLOSE_ABNORMAL, 2 * GROUP);
}

/* False: it did not rise as it must. */
static bool judge_rise(struct dialogue *d, const struct gauge *g)
{
	double rose = g->reading->values[GAUGE] - g->before->values[GAUGE];
	if (rose < GAUGE_LINKS)
		dialogue_fail(d, "%d connections came, and the gauge rose by %.0f", GAUGE_LINKS, rose);
	else if (rose > GAUGE_LINKS)
		dialogue_unknown(d, "other clients came meanwhile: the gauge rose by %.0f instead of %d", rose, GAUGE_LINKS);
	return rose == GAUGE_LINKS;
}

static bool rose(const struct gauge *g)
{
	return reading_done(g->reading) && !g->reading->failed &&
	       g->reading->values[GAUGE] - g->before->values[GAUGE] >= GAUGE_LINKS;
}

static void note_steady(struct gauge *g)
{
	g->steady = g->before && !g->before->failed && g->before->found[GAUGE] && g->before->values[GAUGE] == g->last
			    ? g->steady + 1
			    : 0;
	g->last = g->before ? g->before->values[GAUGE] : 0;
}

static void talk_connections(struct dialogue *d)
{
	struct gauge *g = d->state;
	TALK_BEGIN(d);
	name_gauge(d, g);
	g->since_us = clock_now_us();
	do {
		TALK_PAUSE(d, LOOK_MS);
		g->before = look(d, g->names, GAUGE_NAMES);
		TALK_AWAIT(d, 2 * dialogue_patience(d), reading_done(g->before));
		note_steady(g);
	} while (g->steady < STEADY_LOOKS && dialogue_since_ms(g->since_us) < DIALOGUE_METRICS_MS);
	if (!readable(d, g->before))
		goto over;
	if (g->steady < STEADY_LOOKS) {
		dialogue_unknown(d, "other clients come and go, or nothing is called %s", g->names[GAUGE]);
		goto over;
	}
	for (size_t i = 0; i < GAUGE_LINKS; i++)
		g->links[i] = dialogue_link(d, &(struct link_options){.label = "is counted"});
	TALK_AWAIT(d, dialogue_patience(d), gauge_settled(g));
	if (!all_open(g)) {
		dialogue_unknown(d, "not all of %d connections were let in", GAUGE_LINKS);
		goto over;
	}
	g->since_us = clock_now_us();
	do {
		g->reading = look(d, g->names, GAUGE_NAMES);
		TALK_AWAIT(d, 2 * dialogue_patience(d), reading_done(g->reading));
		TALK_PAUSE(d, LOOK_MS);
	} while (!rose(g) && dialogue_since_ms(g->since_us) < DIALOGUE_METRICS_MS);
	if (!readable(d, g->reading) || !judge_rise(d, g))
		goto over;
	end_links(g);
	g->since_us = clock_now_us();
	do {
		TALK_PAUSE(d, LOOK_MS);
		g->reading = look(d, g->names, GAUGE_NAMES);
		TALK_AWAIT(d, 2 * dialogue_patience(d), reading_done(g->reading));
	} while (!back(g) && dialogue_since_ms(g->since_us) < DIALOGUE_METRICS_MS);
	if (readable(d, g->reading))
		judge_back(d, g);
over:
	TALK_END(d);
}

const struct dialogue_row dialogue_observe_connections = {
	.check = "observe.connections",
	.about = "opens six connections, ends them in three ways, and reads the metrics",
	.needs = NEEDS_METRICS | NEEDS_METRIC_CONNECTIONS,
	.alone = true,
	.state_size = sizeof(struct gauge),
	.talk = talk_connections,
};

/* Messages ------------------------------------------------------------------------------------------------------- */

enum { SUBSCRIBERS = 3, MESSAGES = 5 };
enum { RECEIVED, SENT, COUNT, SUM, MESSAGE_NAMES };
#define TICK_S 0.02                /* of the coarsest clock a server measures with */

struct traffic {
	const char *names[MESSAGE_NAMES];
	const char *channel;
	struct link *subscribers[SUBSCRIBERS], *publisher;
	struct reading *before, *after;
	unsigned published;
	uint64_t since_us;
	double took_s;             /* from the first message until `after` was read */
};

static void name_traffic(struct dialogue *d, struct traffic *t)
{
	const struct target_metrics *m = &d->r->site->target->metrics;
	t->names[RECEIVED] = m->names[TARGET_METRIC_received];
	t->names[SENT] = m->names[TARGET_METRIC_sent];
	if (!m->latency)
		return;
	t->names[COUNT] = arena_printf(&d->arena, "%s_count", m->latency);
	t->names[SUM] = arena_printf(&d->arena, "%s_sum", m->latency);
}

static void come(struct dialogue *d, struct traffic *t)
{
	t->channel = dialogue_channel(d);
	for (size_t i = 0; i < SUBSCRIBERS; i++)
		t->subscribers[i] = dialogue_link(
			d, &(struct link_options){.label = "subscribes", .channel = t->channel});
	t->publisher = dialogue_link(
		d, &(struct link_options){.label = "publishes", .channel = dialogue_url_channel(d, t->channel)});
}

static bool all_there(const struct traffic *t)
{
	bool all = link_settled(t->publisher);
	for (size_t i = 0; i < SUBSCRIBERS; i++)
		all &= link_subscribed(t->subscribers[i]);
	return all;
}

static bool all_got(const struct traffic *t, unsigned n)
{
	bool all = true;
	for (size_t i = 0; i < SUBSCRIBERS; i++)
		all &= t->subscribers[i]->n_got >= n;
	return all;
}

static double rise(const struct traffic *t, size_t which)
{
	return t->after && t->before ? t->after->values[which] - t->before->values[which] : 0;
}

/*
 * At least so many were sent: who publishes where its URL names the channel hears itself. Whether an answer is
 * a message, too, is the target's own affair.
 */
static uint64_t came_back(const struct traffic *t)
{
	return SUBSCRIBERS * MESSAGES + t->publisher->n_got;
}

static bool traffic_counted(const struct traffic *t)
{
	return (!t->names[RECEIVED] || rise(t, RECEIVED) >= MESSAGES) &&
	       (!t->names[SENT] || rise(t, SENT) >= (double)came_back(t)) &&
	       (!t->names[COUNT] || rise(t, COUNT) >= MESSAGES);
}

static void judge_messages(struct dialogue *d, const struct traffic *t)
{
	if (t->names[RECEIVED] && rise(t, RECEIVED) < MESSAGES)
		dialogue_fail(d, "%d messages were published, and the count of those received rose by %.0f", MESSAGES,
			      rise(t, RECEIVED));
	if (t->names[SENT] && rise(t, SENT) < (double)came_back(t))
		dialogue_fail(d, "%d messages were published, %llu came to subscribers, and the count of those sent rose by %.0f",
			      MESSAGES, (unsigned long long)came_back(t), rise(t, SENT));
	dialogue_pass(d, "%d messages to %d subscribers: the metrics have %.0f more received and %.0f more sent",
		      MESSAGES, SUBSCRIBERS, rise(t, RECEIVED), rise(t, SENT));
}

/* Seconds: what a duration is counted in, by the last word of its name; by any other, in seconds. */
static double unit_of(const char *name)
{
	static const struct {
		const char *word;
		double s;
	} units[] = {{"milliseconds", 1e-3}, {"millis", 1e-3}, {"ms", 1e-3}, {"microseconds", 1e-6}, {"us", 1e-6},
		     {"nanoseconds", 1e-9}, {"ns", 1e-9}};
	const char *last = strrchr(name, '_');
	for (size_t i = 0; last && i < ARRAY_LEN(units); i++)
		if (strcmp(last + 1, units[i].word) == 0)
			return units[i].s;
	return 1;
}

/*
 * What `count` durations may be together. Each of ours lies between the first message and the look that counted it, and
 * clocks tick. Of others' messages, who may have come long before, only what nothing here would wait for is too long.
 */
static double most_s(const struct traffic *t, double count)
{
	bool ours = count == MESSAGES || count == MESSAGES * SUBSCRIBERS;
	return ours ? count * t->took_s + TICK_S : count * DIALOGUE_METRICS_MS / 1e3;
}

static void judge_latency(struct dialogue *d, const struct traffic *t)
{
	double count = rise(t, COUNT), sum = rise(t, SUM) * unit_of(d->r->site->target->metrics.latency);
	if (!t->before->found[COUNT] || !t->before->found[SUM])
		dialogue_unknown(d, "nothing is called %s or %s", t->names[COUNT], t->names[SUM]);
	else if (count < MESSAGES)
		dialogue_fail(d, "%d messages were published, and %.0f durations observed", MESSAGES, count);
	else if (!(sum > 0))
		dialogue_fail(d, "%.0f messages took %g s together, by the metrics", count, sum);
	else if (sum > most_s(t, count))
		dialogue_fail(d,
			      "a message took %.3f s in the mean, by the metrics, and all of them were delivered and "
			      "counted in %.3f s",
			      sum / count, t->took_s);
	else
		dialogue_pass(d, "%.0f durations, %.3f ms in the mean", count, 1e3 * sum / count);
}

/* With `judge`, behind what both have in common. */
static void talk_traffic(struct dialogue *d, void (*judge)(struct dialogue *d, const struct traffic *t))
{
	struct traffic *t = d->state;
	TALK_BEGIN(d);
	name_traffic(d, t);
	come(d, t);
	TALK_AWAIT(d, dialogue_patience(d), all_there(t));
	t->before = look(d, t->names, MESSAGE_NAMES);
	TALK_AWAIT(d, 2 * dialogue_patience(d), reading_done(t->before));
	if (!readable(d, t->before))
		goto over;
	t->since_us = clock_now_us();
	while (t->published < MESSAGES) {
		t->published++;
		link_publish(t->publisher, t->channel, "wsquall");
		TALK_AWAIT(d, dialogue_patience(d), all_got(t, t->published));
		if (d->late) {
			dialogue_unknown(d, "message %u did not come to every subscriber", t->published);
			goto over;
		}
	}
	for (;;) {
		t->after = look(d, t->names, MESSAGE_NAMES);
		TALK_AWAIT(d, 2 * dialogue_patience(d), reading_done(t->after));
		t->took_s = (double)(clock_now_us() - t->since_us) / 1e6;
		if (traffic_counted(t) || t->took_s * 1e3 > DIALOGUE_METRICS_MS)
			break;
		TALK_PAUSE(d, LOOK_MS);
	}
	if (readable(d, t->after))
		judge(d, t);
over:
	TALK_END(d);
}

static void talk_messages(struct dialogue *d)
{
	talk_traffic(d, judge_messages);
}

static void talk_latency(struct dialogue *d)
{
	talk_traffic(d, judge_latency);
}

const struct dialogue_row dialogue_observe_messages = {
	.check = "observe.messages", .about = "publishes to three subscribers and reads the metrics",
	.needs = NEEDS_METRICS | NEEDS_METRIC_MESSAGES | NEEDS_DIALECT | NEEDS_PUBLISH, .alone = true,
	.state_size = sizeof(struct traffic), .talk = talk_messages,
};
const struct dialogue_row dialogue_observe_latency = {
	.check = "observe.latency", .about = "publishes to three subscribers and reads the metrics",
	.needs = NEEDS_METRICS | NEEDS_METRIC_LATENCY | NEEDS_DIALECT | NEEDS_PUBLISH, .alone = true,
	.state_size = sizeof(struct traffic), .talk = talk_latency,
};
