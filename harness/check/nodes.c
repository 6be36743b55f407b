/*
 * Several nodes and the broker between them. Messages cross from the node they were published on to the subscribers of
 * every other: that is known where the clients connect to nodes by themselves. And while the broker is away nobody is
 * thrown out, readiness falls, and nothing that was confirmed meanwhile is lost.
 */
#include <string.h>

#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum {
	ALONE_MIN = 5,             /* messages that came to those on one node alone, to be no accident */
	OUTAGE_MIN_MS = 1500,      /* an outage that readiness must show: shorter ones may pass unseen */
	GRACE_MS = 200,            /* for the broker to stand still, and for a publish to be on its way */
};

static const char CROSS[] = "scale.cross_node", OUTAGE[] = "scale.backplane_outage";
static const char *const checks[] = {CROSS, OUTAGE, NULL};

static const char *const broker_faults[] = {"backplane_kill", "backplane_pause", "backplane_partition"};

/* Of a pair: what came while publisher and subscriber were on two nodes, or on one. */
struct crossing {
	uint64_t across;
};

/* Of a stream: what came to subscribers on its publisher's own node. */
struct local {
	uint64_t came;
	uint32_t node;             /* of the publisher; UINT32_MAX: it changed */
};

struct nodes {
	struct slots crossings, locals;
	uint64_t across, ends, outages;
	uint64_t away_us;          /* since when the broker is away; 0: it is there */
	uint64_t frozen_us;        /* since when it stands still: then nothing can be stored; 0: it does not */
	bool fell, watched, ready_told;
	bool knows_nodes;          /* a connection named its node */
};

static bool is_broker_fault(const struct event *e)
{
	for (size_t i = 0; e->text && i < ARRAY_LEN(broker_faults); i++)
		if (strncmp(e->text, broker_faults[i], strlen(broker_faults[i])) == 0)
			return true;
	return false;
}

static void on_message(struct check_run *run, const struct event *e)
{
	struct nodes *n = check_state(run);
	const struct track *t = check_track(run);
	const struct track_client *publisher = track_client(t, e->publisher);
	struct crossing *c = slots_get(&n->crossings, t->pair->slot, sizeof(*c));
	struct local *l = slots_get(&n->locals, t->stream->slot, sizeof(*l));
	if (!c || !l || !publisher || !publisher->node || !e->node)
		return;
	l->node = l->node && l->node != publisher->node ? UINT32_MAX : publisher->node;
	if (e->node == publisher->node) {
		l->came++;
	} else {
		c->across++;
		n->across++;
	}
}

/* Nothing of a publisher ever came to a subscriber elsewhere, while those beside it got it. */
static void judge_crossing(struct check_run *run, struct track_sub *s)
{
	struct nodes *n = check_state(run);
	for (struct track_stream *stream = s->channel->streams; stream; stream = stream->next) {
		const struct track_pair *p = track_pair(check_track(run), s, stream);
		const struct local *l = slots_get(&n->locals, stream->slot, sizeof(*l));
		const struct crossing *c = p ? slots_get(&n->crossings, p->slot, sizeof(*c)) : NULL;
		if (!l || !c || l->came < ALONE_MIN || c->across || l->node == UINT32_MAX || !s->client->node || p->got.n ||
		    s->client->node == l->node || s->client->connections > 1)
			continue;
		check_fail_of(run, CROSS, NULL, s->client->number, s->channel->number,
			      "client %u on node %u got nothing of publisher %u on node %u, whose messages came to subscribers on its own "
			      "node %llu times", s->client->number, s->client->node, stream->publisher, l->node,
			      (unsigned long long)l->came);
	}
}

static void broker_goes(struct check_run *run, const struct event *e)
{
	struct nodes *n = check_state(run);
	n->away_us = e->at_us;
	n->frozen_us = strncmp(e->note, "node.paused", strlen("node.paused")) == 0 ? e->at_us : 0;
	n->fell = n->ready_told = false;
	n->outages++;
	check_samples(run, OUTAGE, 1);
}

/* It is back, or the fault is over: had anybody noticed? */
static void broker_comes(struct check_run *run, const struct event *e)
{
	struct nodes *n = check_state(run);
	if (n->away_us && n->watched && !n->fell && e->at_us > n->away_us + OUTAGE_MIN_MS * 1000)
		check_fail(run, OUTAGE, e, "the broker was away for %.1f s, and every node said all the while that it was ready",
			   (double)(e->at_us - n->away_us) / 1e6);
	n->away_us = n->frozen_us = 0;
}

static void on_fault(struct check_run *run, const struct event *e)
{
	static const char *const away[] = {"node.signal", "node.paused", "node.cut"},
				 *const back[] = {"node.ready", "node.continued"};
	if (e->type == EVENT_OK || e->type == EVENT_FAIL)
		return broker_comes(run, e);
	for (size_t i = 0; e->type == EVENT_INFO && e->note && i < ARRAY_LEN(away); i++)
		if (strncmp(e->note, away[i], strlen(away[i])) == 0)
			broker_goes(run, e);
	for (size_t i = 0; e->type == EVENT_INFO && e->note && i < ARRAY_LEN(back); i++)
		if (strncmp(e->note, back[i], strlen(back[i])) == 0)
			broker_comes(run, e);
}

/* Who was let go, politely or not, while only the broker was hurt. */
static void on_end(struct check_run *run, const struct event *e)
{
	struct nodes *n = check_state(run);
	const struct track *t = check_track(run);
	for (size_t i = 0; i < t->n_faults; i++)
		if (!is_broker_fault(&(struct event){.text = t->faults[i]}))
			return;
	if (!n->away_us || e->at_us < n->away_us || e->by == END_BY_CLIENT)
		return;
	check_fail(run, OUTAGE, e, "client %u was thrown out (%d) while the broker was away", e->client, e->code);
}

/* It was published while the broker stood still, and is confirmed while it does. */
static void on_confirmed(struct check_run *run, const struct event *e)
{
	const struct nodes *n = check_state(run);
	if (n->frozen_us && e->sent_us > n->frozen_us + GRACE_MS * 1000)
		check_fail(run, OUTAGE, e, "message %llu of publisher %u was confirmed while the broker stood still",
			   (unsigned long long)e->index, e->publisher);
}

static void nodes_event(struct check_run *run, const struct event *e)
{
	struct nodes *n = check_state(run);
	const struct track *t = check_track(run);
	n->knows_nodes |= e->kind == EVENT_CONNECT && e->node;
	if (e->kind == EVENT_DELIVER && t->pair && t->fresh)
		on_message(run, e);
	else if (e->kind == EVENT_FAULT && is_broker_fault(e))
		on_fault(run, e);
	else if (e->kind == EVENT_PUBLISH && e->type == EVENT_OK)
		on_confirmed(run, e);
	else if (e->kind == EVENT_END && t->ended)
		on_end(run, e);
	else if (e->kind == EVENT_NODE) {
		n->watched = true;
		n->fell |= e->value == 0;
	}
}

static void nodes_end(struct check_run *run)
{
	struct nodes *n = check_state(run);
	const struct track *t = check_track(run);
	for (size_t i = 0; i < t->n_clients; i++)
		for (struct track_sub *s = t->clients[i] ? t->clients[i]->subs : NULL; s; s = s->next_of_client)
			if (s->spells)
				judge_crossing(run, s);
	if (!n->knows_nodes)
		check_skip(run, CROSS, CHECK_NO_NODES);
	check_samples(run, CROSS, n->across);
	check_note(run, CROSS, "%llu messages crossed from node to node", (unsigned long long)n->across);
	check_note(run, OUTAGE, "%llu outages", (unsigned long long)n->outages);
}

static void nodes_stop(struct check_run *run)
{
	struct nodes *n = check_state(run);
	slots_fini(&n->crossings);
	slots_fini(&n->locals);
}

static const struct opt options[] = {{0}};

const struct checker checker_nodes = {
	.name = "nodes",
	.about = "messages cross nodes, and an outage of the broker throws nobody out and is told",
	.checks = checks,
	.options = options,
	.state_size = sizeof(struct nodes),
	.event = nodes_event,
	.end = nodes_end,
	.stop = nodes_stop,
};
