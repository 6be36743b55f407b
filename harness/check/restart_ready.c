/*
 * A port that refuses at once is as good as a probe that fails: whoever was just closed is not sent back to it. That is
 * taken for true when the port is seen closed, or the process gone, soon after the first goodbye, and nobody was let in
 * or told that the node is ready in between. A probe that is seen to fail as late may have fallen before or after.
 */
#include "harness/check/restart_ready.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness/check/track.h"

enum {
	READY_DOUBT_MS = 500,      /* readiness is asked for from outside: it may have fallen this much before it is seen */
	READY_LATE_MS = 100,       /* a port that is closed with the connections may be seen open this much after */
};

static const char READY_FIRST[] = "restart.ready_first";

static void decide(struct check_run *run, struct restart_ready *r)
{
	r->decided = true;
	r->doubt_us = 0;
	check_samples(run, READY_FIRST, 1);
}

static __attribute__((format(printf, 2, 3))) void leave_open(struct restart_ready *r, const char *why, ...)
{
	va_list ap;
	va_start(ap, why);
	if (!r->why[0])
		vsnprintf(r->why, sizeof(r->why), why, ap);
	va_end(ap);
	r->doubt_us = 0;
}

/* The doubt is about this node, or may be. */
static bool concerns(const struct restart_ready *r, uint32_t node)
{
	return r->doubt_us && (!node || !r->node || node == r->node);
}

static void settle(struct check_run *run, struct restart_ready *r, const struct event *at)
{
	if (!r->doubt_us || check_track(run)->now_us <= r->doubt_us + READY_DOUBT_MS * 1000)
		return;
	if (r->gone)
		return leave_open(r, "the node's process ended, and was there again before its readiness was seen to fall");
	check_fail_of(run, READY_FIRST, at, r->client, 0,
		      "connections were closed while every node still said that it was ready");
	r->doubt_us = 0;
}

static unsigned ms_between(uint64_t from_us, uint64_t to_us)
{
	return (unsigned)((to_us - from_us) / 1000);
}

/* Its readiness is seen to fall in time for it to have fallen first. */
static void judge_fall(struct check_run *run, struct restart_ready *r, const struct event *e)
{
	bool closed = concerns(r, e->node) && (r->gone || (e->note && strcmp(e->note, "refused") == 0));
	bool late = e->sent_us > r->doubt_us + READY_LATE_MS * 1000;
	unsigned ms = ms_between(r->doubt_us, e->at_us);
	if (!closed)
		leave_open(r, "readiness was seen to fall %u ms after the first goodbye; it is looked at from outside, so that it "
			   "may have fallen before or after", ms);
	else if (late)
		leave_open(r, "the node was seen to take no more connections %u ms after its first goodbye, but was ready %u ms "
			   "after it", ms, ms_between(r->doubt_us, e->sent_us));
	else if (r->let_in)
		leave_open(r, "the node was seen to take no more connections %u ms after its first goodbye, and before that "
			   "client %u was let in, by it or by another", ms, r->let_in);
	else
		decide(run, r);
}

static void on_node(struct check_run *run, struct restart_ready *r, const struct event *e)
{
	uint64_t bit = (uint64_t)1 << (e->node % EVENT_NODES_MAX);
	r->watched = true;
	if (e->value != 0) {
		r->unready &= ~bit;
		return;
	}
	r->unready |= bit;
	if (r->doubt_us)
		judge_fall(run, r, e);
}

static void on_gone(struct restart_ready *r, const struct event *e)
{
	r->gone_us[0] = e->at_us;
	if (e->node < EVENT_NODES_MAX)
		r->gone_us[e->node] = e->at_us;
	r->gone |= concerns(r, e->node);
}

static void on_connect(struct restart_ready *r, const struct event *e)
{
	uint64_t *dialed = slots_get(&r->dialed, e->client, sizeof(*dialed));
	if (!dialed)
		return;
	if (e->type == EVENT_INVOKE)
		*dialed = e->at_us;
	else if (e->type == EVENT_OK && concerns(r, e->node) && !r->gone && *dialed > r->doubt_us)
		r->let_in = e->client;
}

static bool is_gone(const struct event *e)
{
	return e->kind == EVENT_FAULT && e->type == EVENT_INFO && e->note &&
	       strncmp(e->note, "node.ended", strlen("node.ended")) == 0;
}

void restart_ready_event(struct check_run *run, struct restart_ready *r, const struct event *e)
{
	settle(run, r, e);
	if (e->kind == EVENT_NODE)
		on_node(run, r, e);
	else if (is_gone(e))
		on_gone(r, e);
	else if (e->kind == EVENT_CONNECT)
		on_connect(r, e);
}

void restart_ready_goodbye(struct check_run *run, struct restart_ready *r, const struct event *e)
{
	uint64_t gone_us = r->gone_us[e->node < EVENT_NODES_MAX ? e->node : 0];
	if (!r->watched)
		return;
	if (r->unready)
		return decide(run, r);
	r->doubt_us = e->at_us;
	r->client = e->client;
	r->node = e->node;
	r->let_in = 0;
	/* What was said before the process ended may be read after it. */
	r->gone = gone_us && e->at_us <= gone_us + READY_DOUBT_MS * 1000;
}

void restart_ready_end(struct check_run *run, struct restart_ready *r)
{
	settle(run, r, NULL);
	if (!r->watched)
		check_unknown(run, READY_FIRST, "nobody watched the readiness of the nodes");
	else if (!r->decided && r->why[0])
		check_skip(run, READY_FIRST, "%s", r->why);
}

void restart_ready_fini(struct restart_ready *r)
{
	slots_fini(&r->dialed);
}
