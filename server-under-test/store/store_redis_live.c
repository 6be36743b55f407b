/*
 * Attached channels. A published event may be lost with its connection, so events only say that something is there:
 * the one that follows the last message is handed over as it is, for any other case the stream is read ("a look").
 * What the sink gets is in order and once, whatever the two connections do to each other.
 */
#include "server-under-test/store/store_redis.h"

#include <assert.h>
#include <stdlib.h>

#define LOOK_MESSAGES 1000
#define LOOK_BYTES (1024u * 1024)
#define HEARD_BYTES_MAX (16u * 1024 * 1024) /* of one channel, while a look is under way */

static void channel_look(struct redis_channel *channel);

static void live_caught_up(struct redis_channel *channel)
{
	if (!channel->behind)
		return;
	channel->behind = false;
	store_redis_caught_up(channel->store);
}

/* The sink is told to go on from here: a new epoch, or a part that is gone. */
static void live_restart(struct redis_channel *channel, const char *epoch, uint64_t seq)
{
	struct position newest = { .seq = seq };

	memcpy(newest.epoch, epoch, strlen(epoch) + 1);
	channel->handed = newest;
	channel->store->sink.epoch(channel->store->sink.arg, channel->name, &newest);
}

static void live_hand(struct redis_channel *channel, const struct stored *message)
{
	struct redis_mark *top = &channel->top;

	channel->handed.seq = message->seq;
	/* An event may be older than what an answer told: another epoch says nothing then. */
	if (strcmp(top->position.epoch, channel->handed.epoch) == 0 && message->seq > top->position.seq) {
		top->position.seq = message->seq;
		top->at_us = (uint64_t)(message->at_s * 1e6 + 0.5);
	}
	channel->store->sink.message(channel->store->sink.arg, channel->name, channel->handed.epoch, message);
}

/* A sink may detach from within; and what it does may end the connection. */
static bool live_goes_on(const struct redis_channel *channel)
{
	return !channel->dead && channel->looking;
}

/* An event that came while a look was under way: by the time the stream is read, it may be trimmed there. */
struct heard {
	struct link link;
	char epoch[EPOCH_MAX + 1];
	struct stored message;
	char texts[]; /* its data and key */
};

static struct heard *heard_first(const struct redis_channel *channel)
{
	return list_empty(&channel->heard) ? NULL : LIST_ENTRY(channel->heard.next, struct heard, link);
}

static void heard_drop(struct redis_channel *channel, struct heard *heard)
{
	channel->heard_bytes -= heard->message.data.len;
	list_remove(&heard->link);
	free(heard);
}

void redis_live_forget(struct redis_channel *channel)
{
	struct heard *heard;

	while ((heard = heard_first(channel)))
		heard_drop(channel, heard);
}

static void heard_keep(struct redis_channel *channel, const char *epoch, const struct stored *message)
{
	struct heard *heard;

	if (channel->heard_bytes + message->data.len > HEARD_BYTES_MAX) {
		redis_live_forget(channel); /* the stream has it, or it is too much */
		channel->again = true;
		return;
	}
	heard = malloc(sizeof(*heard) + message->data.len + message->key.len);
	if (!heard)
		abort();
	heard->message = *message;
	heard->message.data.p = memcpy(heard->texts, message->data.p, message->data.len);
	heard->message.key.p = memcpy(heard->texts + message->data.len, message->key.p, message->key.len);
	memcpy(heard->epoch, epoch, strlen(epoch) + 1);
	channel->heard_bytes += message->data.len;
	list_append(&channel->heard, &heard->link);
}

/* Hands over what follows the last message. false: something is left that does not, it is for a look to find out. */
static bool heard_drain(struct redis_channel *channel)
{
	struct heard *heard;

	while (!channel->dead && (heard = heard_first(channel))) {
		if (strcmp(heard->epoch, channel->handed.epoch) != 0 || heard->message.seq > channel->handed.seq + 1)
			return false;
		list_remove(&heard->link);
		channel->heard_bytes -= heard->message.data.len;
		if (heard->message.seq > channel->handed.seq)
			live_hand(channel, &heard->message);
		free(heard);
	}
	return true;
}

/* Messages out of the stream: what is not there is gone for good. */
static void live_hand_all(struct redis_channel *channel, const struct redis_look *look)
{
	for (size_t i = 0; i < look->count && live_goes_on(channel); i++) {
		const struct stored *message = &look->messages[i];
		uint64_t handed = channel->handed.seq;

		if (message->seq <= handed)
			continue;
		if (message->seq > handed + 1)
			live_restart(channel, look->newest.position.epoch, message->seq - 1);
		if (live_goes_on(channel))
			live_hand(channel, message);
	}
}

static void live_catch_up(struct redis_channel *channel, const struct redis_look *look)
{
	const struct position *newest = &look->newest.position;
	bool more;

	heard_drain(channel);
	if (!live_goes_on(channel))
		return;
	if (strcmp(newest->epoch, channel->handed.epoch) != 0) {
		uint64_t gone = look->first ? look->first - 1 : 0;

		live_restart(channel, newest->epoch, gone > look->base ? gone : look->base);
	} else if (look->count == 0 && newest->seq > channel->handed.seq) {
		live_restart(channel, newest->epoch, newest->seq);
	} else {
		live_hand_all(channel, look);
	}
	if (!live_goes_on(channel))
		return;
	more = newest->seq > channel->handed.seq || channel->again;
	if (!more && !heard_drain(channel)) {
		redis_live_forget(channel); /* of another epoch, perhaps an old one */
		more = true;
	}
	if (!live_goes_on(channel))
		return;
	channel->looking = false;
	if (more)
		channel_look(channel);
	else
		live_caught_up(channel);
}

static void on_look(void *arg, const struct redisReply *reply)
{
	struct redis_channel *channel = arg;
	struct redis_look look;

	if (!channel->dead && channel->looking) {
		if (redis_look_read(&look, reply)) {
			redis_channel_learn(channel, &look.newest);
			live_catch_up(channel, &look);
			redis_look_fini(&look);
		} else {
			store_redis_fail(channel->store); /* without it there would be a gap: begin again */
		}
	}
	redis_channel_unref(channel);
}

static void channel_look(struct redis_channel *channel)
{
	assert(!channel->looking);
	channel->looking = true;
	channel->again = false;
	redis_look_call(channel, channel->handed.seq + 1, REDIS_SEQ_MAX, LOOK_MESSAGES, LOOK_BYTES, on_look,
			redis_channel_ref(channel));
}

/* Goes on with what came between SUBSCRIBE and the first look. */
static void live_begin(struct redis_channel *channel)
{
	bool more = !heard_drain(channel) || channel->again;

	if (more && !channel->dead && !channel->looking && channel->store->commands.connected)
		channel_look(channel);
}

/* The place where a channel is when it is attached. */
static void on_first_look(void *arg, const struct redisReply *reply)
{
	struct redis_channel *channel = arg;
	struct store_op *op = channel->attaching;
	struct redis_look look;

	if (!channel->dead && op) {
		channel->attaching = NULL;
		if (redis_look_read(&look, reply)) {
			struct store_answer answer = { .status = HUB_OK, .newest = look.newest.position, .first = look.first };

			redis_channel_learn(channel, &look.newest);
			redis_look_fini(&look);
			channel->live = REDIS_LIVE;
			channel->handed = look.newest.position;
			op->done(op, &answer);
			live_begin(channel);
		} else {
			redis_detach(channel->store, channel->name);
			store_redis_unavailable(op);
		}
	}
	redis_channel_unref(channel);
}

static void on_subscribed(void *arg, const struct redisReply *reply)
{
	struct redis_channel *channel = arg;
	struct store *store = channel->store;

	if (channel->dead || !reply) {
		redis_channel_unref(channel);
		return;
	}
	if (!redis_is_array(reply, 3))
		store_redis_fail(store);
	else if (channel->attaching)
		redis_look_call(channel, 1, 0, 0, 0, on_first_look, redis_channel_ref(channel));
	else if (!channel->looking)
		channel_look(channel);
	redis_channel_unref(channel);
}

static void live_subscribe(struct redis_channel *channel)
{
	struct text words[] = { text_from("SUBSCRIBE"), channel->events };

	redis_link_send(&channel->store->events, on_subscribed, redis_channel_ref(channel), 2, words);
}

void redis_attach(struct store *store, const char *name, struct store_op *op)
{
	struct redis_channel *channel;

	if (store->state != REDIS_UP) {
		store_redis_unavailable(op);
		return;
	}
	channel = redis_channel_get(store, text_from(name));
	assert(channel->live == REDIS_DETACHED);
	list_remove(&channel->link);
	list_append(&store->attached, &channel->link);
	store->remembered_count--;
	channel->live = REDIS_SUBSCRIBING;
	channel->attaching = op;
	live_subscribe(channel);
}

static void on_unsubscribed(void *arg, const struct redisReply *reply)
{
	(void)arg;
	(void)reply;
}

void redis_detach(struct store *store, const char *name)
{
	struct redis_channel *channel = redis_channel_find(store, text_from(name));
	struct store_op *op;

	if (!channel || channel->live == REDIS_DETACHED)
		return;
	redis_channel_ref(channel);
	op = channel->attaching;
	channel->attaching = NULL;
	redis_channel_replace(channel);
	if (store->events.connected) {
		struct text words[] = { text_from("UNSUBSCRIBE"), channel->events };

		redis_link_send(&store->events, on_unsubscribed, NULL, 2, words);
	}
	live_caught_up(channel);
	if (op)
		store_redis_unavailable(op);
	redis_channel_unref(channel);
}

/* <epoch> <seq> <at> <length of key> <key><data> */
static bool event_read(struct text rest, char epoch[EPOCH_MAX + 1], struct stored *ret)
{
	struct text word[4];
	uint64_t at_us, key_len;

	for (int i = 0; i < 4; i++)
		if (!text_word(&rest, &word[i]))
			return false;
	if (!text_epoch(word[0], epoch) || !text_number(word[1], &ret->seq) || !text_number(word[2], &at_us) ||
	    !text_number(word[3], &key_len) || key_len > KEY_MAX || key_len > rest.len)
		return false;
	ret->at_s = (double)at_us / 1e6;
	ret->key = text_of(rest.p, key_len);
	ret->data = text_of(rest.p + key_len, rest.len - key_len);
	return true;
}

static void live_heard(struct redis_channel *channel, const char *epoch, const struct stored *message)
{
	const struct position *handed = &channel->handed;
	bool ready = channel->live == REDIS_LIVE && !channel->looking;
	bool same = strcmp(handed->epoch, epoch) == 0;

	if (channel->live == REDIS_LIVE && same && (!message || message->seq <= handed->seq))
		return;
	if (ready && same && message->seq == handed->seq + 1)
		live_hand(channel, message);
	else if (ready)
		channel_look(channel);
	else if (message)
		heard_keep(channel, epoch, message);
	else
		channel->again = true;
}

static struct redis_channel *event_channel(struct store *store, struct text name)
{
	size_t before = strlen(store->config->redis_prefix) + 1, after = strlen("}:e");

	if (name.len <= before + after)
		return NULL;
	return redis_channel_find(store, text_of(name.p + before, name.len - before - after));
}

void redis_live_event(struct store *store, struct text name, struct text payload)
{
	struct redis_channel *channel = event_channel(store, name);
	char epoch[EPOCH_MAX + 1];
	struct stored message = { 0 };
	struct text kind, word;

	if (!channel || channel->live == REDIS_DETACHED || !text_word(&payload, &kind))
		return;
	redis_channel_ref(channel);
	if (text_equal(kind, "m") && event_read(payload, epoch, &message))
		live_heard(channel, epoch, &message);
	else if (text_equal(kind, "e") && text_word(&payload, &word) && text_epoch(word, epoch))
		live_heard(channel, epoch, NULL);
	redis_channel_unref(channel);
}

void redis_live_down(struct store *store)
{
	struct link *next;

	for (struct link *link = store->remembered.next; link != &store->remembered; link = link->next)
		LIST_ENTRY(link, struct redis_channel, link)->doubt = true;
	for (struct link *link = store->attached.next; link != &store->attached; link = link->next) {
		struct redis_channel *channel = LIST_ENTRY(link, struct redis_channel, link);

		channel->doubt = true;
		channel->looking = false;
		channel->again = false;
		channel->behind = false;
		redis_live_forget(channel);
	}
	store->behind = 0;
	/* Those that were being attached are not: answering may attach or detach others, so it begins again each time. */
	for (struct link *link = store->attached.next; link != &store->attached; link = next) {
		struct redis_channel *channel = LIST_ENTRY(link, struct redis_channel, link);

		next = link->next;
		if (!channel->attaching)
			continue;
		redis_detach(store, channel->name);
		next = store->attached.next;
	}
}

void redis_live_resync(struct store *store)
{
	for (struct link *link = store->attached.next; link != &store->attached; link = link->next) {
		struct redis_channel *channel = LIST_ENTRY(link, struct redis_channel, link);

		channel->behind = true;
		store->behind++;
		live_subscribe(channel);
	}
}
