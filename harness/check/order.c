/*
 * Order, as the messages themselves show it: those of one publisher come as they were published, and all subscribers of
 * a channel agree. Only the first delivery of a message to a subscription counts, and only within one spell of it: what
 * is replayed again is no order. Messages that a publisher sent over different connections, or tried twice, have none.
 */
#include <stdlib.h>

#include "harness/check/check.h"
#include "harness/check/precedence.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum { ERAS = 4 };                 /* connections of the publisher that are compared within at once */

static const char PUBLISHER[] = "order.publisher", TOTAL[] = "order.total";
static const char *const checks[] = {PUBLISHER, TOTAL, NULL};

/* Of a pair: the highest index of each connection of the publisher that came in this spell. */
struct tops {
	uint64_t turn;
	struct {
		uint64_t era, top;
	} eras[ERAS];
	unsigned next;
};

/* Of a subscription: what came last. */
struct last {
	uint64_t turn, message, index;
	uint32_t publisher;
};

struct order {
	struct slots tops, lasts;
	struct map channels;       /* struct precedence */
	uint64_t steps, seen;
};

static int order_start(struct check_run *run, struct err *e)
{
	(void)e;
	if (!check_contract(run)->ordered)
		check_skip(run, PUBLISHER, "the contract promises no order");
	if (!check_contract(run)->total_order)
		check_skip(run, TOTAL, "the contract does not promise one order for all");
	return 0;
}

static void see_publisher(struct check_run *run, const struct event *e, uint64_t turn)
{
	struct order *o = check_state(run);
	struct track *t = check_track(run);
	struct tops *tops = slots_get(&o->tops, t->pair->slot, sizeof(*tops));
	uint64_t era = track_era(t->stream, e->index);
	if (!tops || !era)
		return;
	if (tops->turn != turn)
		*tops = (struct tops){.turn = turn};
	unsigned i = 0;
	while (i < ERAS && tops->eras[i].era != era)
		i++;
	if (i == ERAS) {
		i = tops->next++ % ERAS;
		tops->eras[i].era = era;
		tops->eras[i].top = e->index;
		return;
	}
	o->steps++;
	if (e->index < tops->eras[i].top)
		check_fail(run, PUBLISHER, e, "client %u got message %llu of publisher %u on channel %u after message %llu",
			   e->client, (unsigned long long)e->index, e->publisher, e->channel, (unsigned long long)tops->eras[i].top);
	else
		tops->eras[i].top = e->index;
}

static void see_total(struct check_run *run, const struct event *e, uint64_t turn)
{
	struct order *o = check_state(run);
	struct track *t = check_track(run);
	struct last *last = slots_get(&o->lasts, t->sub->slot, sizeof(*last));
	struct precedence *p = map_get(&o->channels, e->channel);
	if (!p) {
		p = precedence_new();
		if (p && map_put(&o->channels, e->channel, p) < 0) {
			precedence_free(p);
			p = NULL;
		}
	}
	if (!last || !p)
		return;
	uint64_t message = precedence_message(p, e->publisher, e->index);
	if (last->turn == turn && last->message) {
		uint32_t other = precedence_saw(p, e->client, last->message, message);
		o->seen++;
		if (other)
			check_fail(run, TOTAL, e,
				   "client %u got message %llu of publisher %u after message %llu of publisher %u on channel %u, %s %u "
				   "the other way round", e->client, (unsigned long long)e->index, e->publisher,
				   (unsigned long long)last->index, last->publisher, e->channel,
				   other == UINT32_MAX ? "others of channel" : "client", other == UINT32_MAX ? e->channel : other);
	}
	*last = (struct last){turn, message, e->index, e->publisher};
}

static void order_event(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	if (e->kind != EVENT_DELIVER || !t->pair || !t->fresh || t->client->tampered == e->connection ||
	    ranges_has(&t->stream->repeated, e->index))
		return;
	uint64_t turn = map_pair(e->connection, t->sub->turn + 1);
	if (check_contract(run)->ordered)
		see_publisher(run, e, turn);
	if (check_contract(run)->total_order)
		see_total(run, e, turn);
}

static void order_end(struct check_run *run)
{
	struct order *o = check_state(run);
	check_samples(run, PUBLISHER, o->steps);
	check_samples(run, TOTAL, o->seen);
}

static void order_stop(struct check_run *run)
{
	struct order *o = check_state(run);
	for (size_t i = 0; i < o->channels.cap; i++)
		if (o->channels.slots[i].key)
			precedence_free(o->channels.slots[i].value);
	map_fini(&o->channels);
	slots_fini(&o->tops);
	slots_fini(&o->lasts);
}

static const struct opt options[] = {{0}};

const struct checker checker_order = {
	.name = "order",
	.about = "messages of one publisher keep their order, and all subscribers of a channel see one",
	.checks = checks,
	.options = options,
	.state_size = sizeof(struct order),
	.start = order_start,
	.event = order_event,
	.end = order_end,
	.stop = order_stop,
};
