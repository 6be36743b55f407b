/*
 * Handing messages to live subscriptions. The loop of fanout_message is the server's hottest: a subscription that is up
 * to date costs a look at its numbers and the call. Callbacks may unsubscribe anyone, subscribe, open limits and
 * publish; whatever happens, each subscription gets each seq once and in order, because what it gets next is decided by
 * its own `delivered`, never by where the loop is.
 */
#include "server-under-test/hub/hub_channel.h"

#include "server-under-test/defects.h"

#include <assert.h>

void walk_begin(struct channel *channel, struct walk *walk)
{
	*walk = (struct walk){ .outer = channel->walks };
	channel->walks = walk;
}

void walk_end(struct channel *channel, struct walk *walk)
{
	assert(channel->walks == walk);
	channel->walks = walk->outer;
	if (!channel->walks)
		channel_check_idle(channel);
}

void fanout_add(struct channel *channel, struct subscription *subscription)
{
	subscription->live = true;
	subscription->next = NULL;
	subscription->prev = channel->last;
	if (channel->last)
		channel->last->next = subscription;
	else
		channel->first = subscription;
	channel->last = subscription;
}

void fanout_remove(struct subscription *subscription)
{
	struct channel *channel = subscription->channel;

	for (struct walk *walk = channel->walks; walk; walk = walk->outer) {
		if (walk->next == subscription)
			walk->next = subscription->next;
		if (walk->current == subscription)
			walk->current = NULL;
	}
	if (subscription->prev)
		subscription->prev->next = subscription->next;
	else
		channel->first = subscription->next;
	if (subscription->next)
		subscription->next->prev = subscription->prev;
	else
		channel->last = subscription->prev;
	subscription->next = NULL;
	subscription->prev = NULL;
	subscription->live = false;
}

static void evict(struct subscription *subscription)
{
	hub_unsubscribe(subscription); /* also what it may still be waiting for */
	subscription->ops->evicted(subscription);
}

/* Whether the message it needs next is there no more. */
static bool is_evicted(const struct channel *channel, const struct subscription *subscription)
{
	uint64_t next = subscription->delivered + 1;

	return next <= channel->newest.seq && (channel->ring.count == 0 || next < ring_first(&channel->ring));
}

void fanout_hand(struct subscription *subscription)
{
	struct channel *channel = subscription->channel;
	struct walk walk;

	walk_begin(channel, &walk);
	walk.current = subscription;
	while (walk.current && subscription->delivered < subscription->limit &&
	       subscription->delivered < channel->newest.seq) {
		struct message *message = ring_get(&channel->ring, subscription->delivered + 1);

		if (!message) {
			evict(subscription);
			break;
		}
		message_ref(message);
		subscription->delivered++;
		subscription->ops->message(subscription, message);
		message_unref(message);
	}
	walk_end(channel, &walk);
}

/* Bugs: messages that nobody here is told of, though all are up to date. */
static bool is_missed(const struct channel *channel, const struct message *message)
{
	if (defect(outage_not_caught_up) && !channel->hub->up)
		return true;
	return defect(nodes_do_not_talk) && !defect_is_own(message);
}

void fanout_message(struct channel *channel, struct message *message)
{
	uint64_t seq = message->seq;
	unsigned count = 0;
	struct walk walk;

	if (is_missed(channel, message)) {
		for (struct subscription *s = channel->first; s; s = s->next)
			s->delivered = seq;
		return;
	}
	walk_begin(channel, &walk);
	for (struct subscription *s = channel->first; s; s = walk.next) {
		walk.next = s->next;
		if (defect(order_differs_between_subscribers) && count++ % 2 && defect_hand_swapped(channel, s, message))
			continue;
		if (s->delivered + 1 == seq && seq <= s->limit) {
			s->delivered = seq;
			if (defect(fanout_serialises_each) || defect(fanout_quadratic))
				defect_hand_wastefully(channel, s, message);
			else
				s->ops->message(s, message);
		} else if (s->delivered < seq) { /* it waits for its limit, or a callback of this walk came before it */
			if (is_evicted(channel, s))
				evict(s);
			else
				fanout_hand(s);
		}
	}
	walk_end(channel, &walk);
}

void fanout_evict(struct channel *channel)
{
	struct walk walk;

	walk_begin(channel, &walk);
	for (struct subscription *s = channel->first; s; s = walk.next) {
		walk.next = s->next;
		if (is_evicted(channel, s))
			evict(s);
	}
	walk_end(channel, &walk);
}

static uint64_t limit_from(const struct subscription *subscription)
{
	return subscription->window ? subscription->delivered + subscription->window : UINT64_MAX;
}

void fanout_epoch(struct channel *channel)
{
	struct subscribed news = { .status = HUB_OK, .has_recovered = true, .newest = channel->newest };
	struct walk walk;

	walk_begin(channel, &walk);
	for (struct subscription *s = channel->first; s; s = s->next) {
		s->delivered = channel->newest.seq;
		s->limit = 0; /* until it has been told */
	}
	for (struct subscription *s = channel->first; s; s = walk.next) {
		walk.next = s->next;
		walk.current = s;
		if (s->limit != 0)
			continue; /* subscribed from within this walk */
		s->limit = limit_from(s);
		s->ops->epoch(s, &news);
		if (walk.current)
			fanout_hand(s);
	}
	walk_end(channel, &walk);
}

void hub_set_limit(struct subscription *subscription, uint64_t limit)
{
	if (!subscription->live || !subscription->window || defect(window_acks_ignored))
		return;
	subscription->limit = defect(window_counts_each_ack) ? subscription->limit + 1 : limit;
	fanout_hand(subscription);
}
