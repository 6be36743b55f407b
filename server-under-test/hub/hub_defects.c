/*
 * Deliberate bugs of the hub that take more than a line. They hold something back for a moment and keep it here, so that
 * the hub itself has no state for them: one at a time is enough to be seen.
 */
#include "server-under-test/hub/hub_channel.h"

#include "server-under-test/defects.h"
#include "server-under-test/hub/message.h"

#include <stdlib.h>

#define HELD_S 0.002 /* when nothing comes that could pass */
#define LARGE_FROM 1001 /* octets of data, of order_small_first */

/* order_publisher_swapped: the first publish lets the next one pass. order_small_first: only a large one does. */
static struct {
	struct request *request; /* NULL: nobody is held back */
	struct ev_timer timer;
	char *texts; /* data, key */
	size_t data_len, key_len;
} held;

static void release_held(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct request *request = held.request;

	(void)events;
	ev_timer_stop(loop, timer);
	held.request = NULL;
	request_store(request, text_of(held.texts, held.data_len), text_of(held.texts + held.data_len, held.key_len));
	free(held.texts);
}

void defect_publish_swapped(struct request *request, struct text data, struct text key)
{
	struct ev_loop *loop = request->hub->loop;

	if (held.request || (defect(order_small_first) && data.len < LARGE_FROM)) {
		request_store(request, data, key);
		if (held.request)
			release_held(loop, &held.timer, 0);
		return;
	}
	held.request = request;
	held.texts = malloc(data.len + key.len + 1);
	if (!held.texts)
		abort();
	memcpy(held.texts, data.p, data.len);
	memcpy(held.texts + data.len, key.len ? key.p : "", key.len);
	held.data_len = data.len;
	held.key_len = key.len;
	ev_timer_init(&held.timer, release_held, HELD_S, 0.);
	ev_timer_start(loop, &held.timer);
}

/* nodes_do_not_talk: what was published here, by its data. */
#define OWN_MAX 4096

static struct {
	uint32_t hashes[OWN_MAX];
	size_t n;
} own;

void defect_own(struct text data)
{
	own.hashes[own.n++ % OWN_MAX] = text_hash(data);
}

bool defect_is_own(const struct message *message)
{
	uint32_t hash = text_hash(message_data(message));

	for (size_t i = 0; i < own.n && i < OWN_MAX; i++)
		if (own.hashes[i] == hash)
			return true;
	return false;
}

/* order_differs_between_subscribers: to some the first of two messages goes behind the second. */
static struct {
	struct hub *hub;
	char channel[CHANNEL_NAME_MAX + 1];
	struct ev_timer timer;
} late;

static void hand_late(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct channel *channel = channel_find(late.hub, text_from(late.channel));
	struct walk walk;

	(void)events;
	ev_timer_stop(loop, timer);
	if (!channel)
		return;
	walk_begin(channel, &walk);
	for (struct subscription *s = channel->first; s; s = walk.next) {
		walk.next = s->next;
		fanout_hand(s);
	}
	walk_end(channel, &walk);
}

static bool hold_message(const struct channel *channel)
{
	if (ev_is_active(&late.timer))
		return strcmp(late.channel, channel->name) == 0;
	late.hub = channel->hub;
	memcpy(late.channel, channel->name, sizeof(late.channel));
	ev_timer_init(&late.timer, hand_late, HELD_S, 0.);
	ev_timer_start(late.hub->loop, &late.timer);
	return true;
}

bool defect_hand_swapped(struct channel *channel, struct subscription *subscription, struct message *message)
{
	struct message *before = ring_get(&channel->ring, message->seq - 1);
	struct walk walk;

	if (subscription->delivered + 1 == message->seq)
		return hold_message(channel);
	if (!before || subscription->delivered + 2 != message->seq || message->seq > subscription->limit)
		return false;
	walk_begin(channel, &walk);
	walk.current = subscription;
	message_ref(before);
	subscription->delivered = message->seq;
	subscription->ops->message(subscription, message);
	if (walk.current)
		subscription->ops->message(subscription, before);
	message_unref(before);
	walk_end(channel, &walk);
	return true;
}

void defect_hand_wastefully(struct channel *channel, struct subscription *subscription, const struct message *message)
{
	const struct stored stored = { .seq = message->seq, .at_s = message->at_s, .data = message_data(message),
				       .key = message_key(message) };
	struct message *copy = message_make(channel->name, channel->newest.epoch, &stored);

	for (const struct subscription *s = channel->first; s && defect(fanout_quadratic); s = s->next)
		if (channel_find(channel->hub, text_from(channel->name)) != s->channel)
			abort();
	subscription->ops->message(subscription, copy);
	message_unref(copy);
}
