/*
 * The ring as a cache: what lies below it comes from the store, in answers of a bounded size, lowest first, and joins
 * the ring when it reaches it. One question serves everyone who waits, so a crowd that reconnects costs one replay.
 */
#include "server-under-test/hub/hub_channel.h"

#include "server-under-test/defects.h"

#include "server-under-test/hub/message.h"

#include <stdlib.h>

static void on_range(struct store_op *op, const struct store_answer *answer);

static void held_clear(struct fill *fill)
{
	for (size_t i = 0; i < fill->count; i++)
		message_unref(fill->held[i]);
	fill->count = 0;
}

void fill_fini(struct channel *channel)
{
	held_clear(&channel->fill);
	free(channel->fill.held);
}

/* The seq right below the ring. */
static uint64_t below_ring(const struct channel *channel)
{
	return channel->ring.count ? ring_first(&channel->ring) - 1 : channel->newest.seq;
}

static void ask(struct channel *channel, uint64_t from, uint64_t to)
{
	struct hub *hub = channel->hub;

	channel->fill.op.done = on_range;
	channel->fill.busy = true;
	channel->fill.epochs = channel->epochs;
	hub->ops->range(hub->store, channel->name, from, to, HUB_FILL_MESSAGES, HUB_FILL_BYTES, &channel->fill.op);
}

void fill_ask(struct channel *channel)
{
	uint64_t from = UINT64_MAX;
	bool any = false;

	if (channel->fill.busy)
		return;
	held_clear(&channel->fill);
	for (struct link *link = channel->waiting.next; link != &channel->waiting; link = link->next) {
		struct waiting *waiting = LIST_ENTRY(link, struct waiting, link);

		waiting->asking = waiting_needs_store(waiting);
		if (!waiting->asking)
			continue;
		any = true;
		if (waiting_same_epoch(waiting) && waiting->since.seq < from)
			from = waiting->since.seq + 1;
		if (defect(resume_repeats_one) && from > 1 && from != UINT64_MAX)
			from--;
	}
	if (!any)
		return;
	if (from <= below_ring(channel))
		ask(channel, from, below_ring(channel));
	else /* nobody wants what is below: where is the channel? */
		ask(channel, channel->newest.seq + 1, channel->newest.seq + 1);
}

static void hold(struct channel *channel, const struct store_answer *answer)
{
	struct fill *fill = &channel->fill;

	if (answer->count == 0)
		return;
	if (fill->count && fill->held[fill->count - 1]->seq + 1 != answer->messages[0].seq)
		held_clear(fill); /* those between were evicted meanwhile */
	if (fill->size < fill->count + answer->count) {
		fill->size = fill->count + answer->count;
		fill->held = realloc(fill->held, fill->size * sizeof(struct message *));
		if (!fill->held)
			abort();
	}
	for (size_t i = 0; i < answer->count; i++)
		fill->held[fill->count++] = message_make(channel->name, answer->newest.epoch, &answer->messages[i]);
}

/* What is held goes in front of the ring. False: it does not reach it yet. */
static bool join(struct channel *channel)
{
	struct fill *fill = &channel->fill;
	uint64_t below = below_ring(channel);
	size_t count = fill->count;

	while (count && fill->held[count - 1]->seq > below)
		count--;
	if (count && fill->held[count - 1]->seq < below)
		return false;
	ring_prepend(&channel->ring, fill->held, count);
	held_clear(fill);
	return true;
}

/* Tells those who asked what the store said. */
static void told(struct channel *channel, const struct store_answer *answer)
{
	for (struct link *link = channel->waiting.next; link != &channel->waiting; link = link->next) {
		struct waiting *waiting = LIST_ENTRY(link, struct waiting, link);

		if (!waiting->asking)
			continue;
		waiting->asking = false;
		waiting->asks++;
		waiting->store_newest = answer->newest;
		waiting->store_first = answer->first;
	}
}

static void on_range(struct store_op *op, const struct store_answer *answer)
{
	struct channel *channel = LIST_ENTRY(op, struct channel, fill.op);
	struct fill *fill = &channel->fill;
	struct walk walk;

	fill->busy = false;
	walk_begin(channel, &walk);
	if (answer->status != HUB_OK) {
		held_clear(fill);
		waiting_fail(channel, true);
	} else if (fill->epochs == channel->epochs) { /* otherwise it is about an epoch that is over: ask again */
		if (strcmp(answer->newest.epoch, channel->newest.epoch) == 0)
			hold(channel, answer);
		else
			held_clear(fill);
		if (answer->count && !join(channel) && !list_empty(&channel->waiting)) {
			ask(channel, fill->held[fill->count - 1]->seq + 1, below_ring(channel));
			walk_end(channel, &walk);
			return;
		}
		told(channel, answer);
	}
	waiting_pass(channel);
	publishes_pass(channel, false);
	walk_end(channel, &walk);
}
