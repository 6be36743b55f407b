/*
 * Subscriptions until they are live. One that wants what is in the ring, or nothing old, is answered as soon as the
 * channel is attached. One whose `since` lies below the ring, above the newest or in another epoch waits for what the
 * store says: it fills the ring, or it tells how far another node has got, which our live feed must reach first.
 */
#include "server-under-test/hub/hub_channel.h"

#include "server-under-test/defects.h"

#include <assert.h>
#include <stdlib.h>

enum verdict {
	ANSWER, /* now */
	ANSWER_LOST, /* now: the range is gone */
	ASK, /* the store */
	WAIT, /* for the live feed */
};

/* Whether the live feed is at least where the store said that it is. */
static bool caught_up(const struct channel *channel, const struct waiting *waiting)
{
	return strcmp(channel->newest.epoch, waiting->store_newest.epoch) == 0 &&
	       channel->newest.seq >= waiting->store_newest.seq;
}

bool waiting_same_epoch(const struct waiting *waiting)
{
	const struct channel *channel = waiting->subscription->channel;

	return strcmp(waiting->since.epoch, channel->newest.epoch) == 0 || defect(resume_epoch_ignored);
}

/* Whether the message after `since` is the oldest that is kept, with others lost before it. */
static bool at_edge(const struct channel *channel, const struct position *since)
{
	return channel->ring.count >= channel->hub->config->retention_messages &&
	       since->seq + 1 == ring_first(&channel->ring);
}

static enum verdict judge(const struct channel *channel, const struct waiting *waiting)
{
	const struct position *since = &waiting->since;
	bool same_epoch = waiting_same_epoch(waiting);
	bool asked = waiting->asks > 0;

	if (!waiting->has_since)
		return ANSWER;
	if (same_epoch && since->seq == channel->newest.seq)
		return defect(resume_zero_unrecovered) ? ANSWER_LOST : ANSWER;
	if (same_epoch && defect(resume_edge_refused) && at_edge(channel, since))
		return ANSWER_LOST;
	if (same_epoch && since->seq < channel->newest.seq && ring_get(&channel->ring, since->seq + 1))
		return ANSWER;
	if (defect(resume_this_node_only) && channel->hub->ops != &store_memory)
		return ANSWER_LOST;
	if (!asked)
		return ASK;
	if (!caught_up(channel, waiting))
		return WAIT;
	if (!same_epoch || since->seq > channel->newest.seq)
		return ANSWER_LOST;
	return waiting->store_first > since->seq + 1 || waiting->asks >= HUB_ASKS_MAX ? ANSWER_LOST : ASK;
}

bool waiting_needs_store(const struct waiting *waiting)
{
	const struct subscription *subscription = waiting->subscription;

	return subscription->pending == waiting && judge(subscription->channel, waiting) == ASK;
}

bool waiting_before(const struct channel *channel, uint64_t ticket)
{
	return !list_empty(&channel->waiting) &&
	       LIST_ENTRY(channel->waiting.next, struct waiting, link)->ticket <= ticket;
}

/* Takes it out of everything; it must be the first of its subscription. */
static void waiting_free(struct channel *channel, struct waiting *waiting)
{
	assert(waiting->subscription->pending == waiting);
	for (struct walk *walk = channel->walks; walk; walk = walk->outer)
		if (walk->waiting == waiting)
			walk->waiting = waiting->link.next == &channel->waiting
						? NULL
						: LIST_ENTRY(waiting->link.next, struct waiting, link);
	waiting->subscription->pending = waiting->after;
	list_remove(&waiting->link);
	free(waiting);
}

/* Where a subscription begins, everything up to there being the client's already. */
static uint64_t start_of(const struct channel *channel, const struct waiting *waiting, bool recovered)
{
	uint64_t newest = channel->newest.seq;
	uint64_t start = recovered ? waiting->since.seq : newest;

	if (defect(resume_skips_one) && start < newest)
		return start + 1;
	if (defect(resume_repeats_one) && start < newest && ring_get(&channel->ring, start))
		return start - 1;
	if (defect(resume_zero_repeats) && recovered && start == newest && channel->ring.count)
		return ring_first(&channel->ring) - 1;
	return start;
}

/* Two bugs of those who go live before they have replayed: the newest message comes first, or not at all. */
static void replay_too_late(struct channel *channel, struct subscription *subscription, struct walk *walk)
{
	struct message *newest = ring_get(&channel->ring, channel->newest.seq);
	uint64_t limit = subscription->limit;

	if (!newest || newest->seq > limit || subscription->delivered + 1 >= newest->seq)
		return;
	if (defect(resume_after_live))
		subscription->ops->message(subscription, newest);
	if (!walk->current)
		return;
	subscription->limit = newest->seq - 1;
	fanout_hand(subscription);
	if (!walk->current)
		return;
	subscription->limit = limit;
	subscription->delivered++;
}

/* A bug: a position is good for one resume. */
static bool is_used_up(const struct position *since)
{
	static struct position last;
	bool again = last.seq == since->seq && strcmp(last.epoch, since->epoch) == 0;

	last = *since;
	return again;
}

/* The answer to a subscription that is live already, or becomes so now. */
static void answer_ok(struct channel *channel, struct waiting *waiting, bool recovered)
{
	struct subscription *subscription = waiting->subscription;
	struct subscribed answer = {
		.status = HUB_OK,
		.newest = channel->newest,
		.has_recovered = waiting->has_since,
	};
	uint64_t window = waiting->window;
	uint64_t start;
	struct walk walk;

	recovered = recovered && waiting->has_since;
	if (defect(resume_only_once) && recovered && waiting->since.seq < channel->newest.seq)
		recovered = !is_used_up(&waiting->since);
	answer.recovered = recovered;
	if (defect(resume_claims_recovered) && waiting->has_since && waiting_same_epoch(waiting))
		answer.recovered = true;
	start = start_of(channel, waiting, recovered);
	if (subscription->live && waiting->has_since)
		fanout_remove(subscription);
	waiting_free(channel, waiting);
	walk_begin(channel, &walk);
	walk.current = subscription;
	if (!subscription->live) {
		subscription->delivered = start;
		subscription->window = window;
		subscription->limit = window && !defect(window_ignored) ? start + window : UINT64_MAX;
		fanout_add(channel, subscription);
	}
	subscription->ops->subscribed(subscription, &answer);
	if (walk.current && answer.recovered && (defect(resume_after_live) || defect(resume_misses_meanwhile)))
		replay_too_late(channel, subscription, &walk);
	if (walk.current)
		fanout_hand(subscription);
	walk_end(channel, &walk);
}

/* The callback may call anything: `waiting` and whatever was asked after it for the same subscription are gone then. */
static void answer_unavailable(struct channel *channel, struct waiting *waiting)
{
	struct subscription *subscription = waiting->subscription;
	const struct subscribed answer = { .status = HUB_UNAVAILABLE };

	waiting_free(channel, waiting);
	if (subscription->live)
		fanout_remove(subscription);
	if (!subscription->pending)
		subscription->channel = NULL;
	subscription->ops->subscribed(subscription, &answer);
}

static struct waiting *waiting_first(const struct channel *channel)
{
	return list_empty(&channel->waiting) ? NULL : LIST_ENTRY(channel->waiting.next, struct waiting, link);
}

static struct waiting *waiting_next(const struct channel *channel, const struct waiting *waiting)
{
	return waiting->link.next == &channel->waiting ? NULL : LIST_ENTRY(waiting->link.next, struct waiting, link);
}

/* Answers it when it can be; it is gone then. It is the first of its subscription. */
static enum verdict waiting_try(struct channel *channel, struct waiting *waiting)
{
	enum verdict verdict = judge(channel, waiting);

	if (verdict == ANSWER || verdict == ANSWER_LOST)
		answer_ok(channel, waiting, verdict == ANSWER);
	return verdict;
}

void waiting_pass(struct channel *channel)
{
	struct walk walk;
	bool ask = false;

	if (channel->state != CHANNEL_ATTACHED || list_empty(&channel->waiting))
		return;
	walk_begin(channel, &walk);
	for (struct waiting *w = waiting_first(channel); w; w = walk.waiting) {
		walk.waiting = waiting_next(channel, w);
		if (w->subscription->pending == w && waiting_try(channel, w) == ASK)
			ask = true;
	}
	if (ask)
		fill_ask(channel);
	walk_end(channel, &walk);
}

void waiting_fail(struct channel *channel, bool only_asking)
{
	struct waiting *last = list_empty(&channel->waiting)
				       ? NULL
				       : LIST_ENTRY(channel->waiting.prev, struct waiting, link);
	uint64_t last_ticket = last ? last->ticket : 0; /* what a callback asks anew is not failed here */
	struct walk walk;

	walk_begin(channel, &walk);
	for (struct waiting *w = waiting_first(channel); w && w->ticket <= last_ticket; w = walk.waiting) {
		walk.waiting = waiting_next(channel, w);
		if (w->subscription->pending == w && (!only_asking || w->asking))
			answer_unavailable(channel, w);
	}
	walk_end(channel, &walk);
}

static void refuse(struct subscription *subscription)
{
	const struct subscribed answer = { .status = HUB_UNAVAILABLE };

	hub_unsubscribe(subscription);
	subscription->ops->subscribed(subscription, &answer);
}

static struct waiting *waiting_add(struct channel *channel, struct subscription *subscription,
				   const struct position *since, uint64_t window)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting)), **at = (struct waiting **)&subscription->pending;

	if (!waiting)
		abort();
	waiting->subscription = subscription;
	waiting->ticket = ++channel->hub->ticket;
	waiting->window = window;
	waiting->has_since = since;
	if (since)
		waiting->since = *since;
	while (*at)
		at = &(*at)->after;
	*at = waiting;
	list_append(&channel->waiting, &waiting->link);
	return waiting;
}

void hub_subscribe(struct hub *hub, struct subscription *subscription, struct text name, const struct position *since,
		   uint64_t window)
{
	struct channel *channel = subscription->channel;
	struct waiting *waiting;
	struct walk walk;

	if (!hub->up && !(subscription->live && !since)) {
		refuse(subscription);
		return;
	}
	if (!channel)
		channel = channel_get(hub, name);
	assert(text_equal(name, channel->name));
	walk_begin(channel, &walk);
	channel_idle_stop(channel);
	subscription->channel = channel;
	if (subscription->live && since)
		fanout_remove(subscription);
	waiting = waiting_add(channel, subscription, since, window);
	if (channel->state != CHANNEL_ATTACHED)
		channel_attach(channel);
	else if (subscription->pending == waiting && waiting_try(channel, waiting) == ASK)
		fill_ask(channel);
	walk_end(channel, &walk);
}

void hub_unsubscribe(struct subscription *subscription)
{
	struct channel *channel = subscription->channel;

	if (!channel)
		return;
	while (subscription->pending)
		waiting_free(channel, subscription->pending);
	if (subscription->live)
		fanout_remove(subscription);
	subscription->channel = NULL;
	channel_check_idle(channel);
}
