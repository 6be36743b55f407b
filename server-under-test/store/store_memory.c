/*
 * The store of a single process: everything is ordered and kept here and answered at once. The messages it keeps are
 * the hub's own, shared by reference. A channel whose messages have all become too old stays, so that its seq goes on;
 * only when there are too many is one forgotten, and comes back in a new epoch.
 */
#include "server-under-test/store/store_memory.h"

#include "server-under-test/hub/message.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/base/random.h"

struct kept_channel {
	struct table_node node;
	struct store *store;
	char name[CHANNEL_NAME_MAX + 1];
	struct position newest;
	struct ring ring;
	struct table keys; /* struct kept_key, of the messages in the ring */
	bool attached;
	struct link unused; /* in store->unused when not attached */
};

struct kept_key {
	struct table_node node;
	struct message *message; /* in the ring */
};

static void new_epoch(char epoch[EPOCH_MAX + 1])
{
	random_hex(epoch, EPOCH_MAX / 2);
}

static void key_forget(struct ring *ring, struct message *message)
{
	struct kept_channel *channel = LIST_ENTRY(ring, struct kept_channel, ring);
	struct table_node *node = message->key_len ? table_find(&channel->keys, message_key(message)) : NULL;

	if (!node || TABLE_ENTRY(node, struct kept_key, node)->message != message)
		return;
	table_remove(&channel->keys, node);
	free(TABLE_ENTRY(node, struct kept_key, node));
}

static void key_keep(struct kept_channel *channel, struct message *message)
{
	struct kept_key *key;

	if (!message->key_len)
		return;
	key = calloc(1, sizeof(*key));
	if (!key)
		abort();
	key->message = message;
	key->node.key = message_key(message);
	table_add(&channel->keys, &key->node);
}

static void channel_forget(struct kept_channel *channel)
{
	ring_clear(&channel->ring); /* and the keys with it */
	ring_fini(&channel->ring);
	table_fini(&channel->keys);
	table_remove(&channel->store->channels, &channel->node);
	list_remove(&channel->unused);
	free(channel);
}

static struct kept_channel *channel_new(struct store *store, struct text name)
{
	struct kept_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		abort();
	assert(name.len >= 1 && name.len <= CHANNEL_NAME_MAX);
	if (store->channels.count >= MEMORY_CHANNELS_MAX && !list_empty(&store->unused))
		channel_forget(LIST_ENTRY(store->unused.next, struct kept_channel, unused));
	memcpy(channel->name, name.p, name.len);
	channel->store = store;
	new_epoch(channel->newest.epoch);
	ring_init(&channel->ring, store->loop, store->config);
	channel->ring.gone = key_forget;
	channel->node.key = text_of(channel->name, name.len);
	table_add(&store->channels, &channel->node);
	list_append(&store->unused, &channel->unused);
	return channel;
}

/* The channel, made when it is not there; it counts as used now. */
static struct kept_channel *channel_use(struct store *store, struct text name)
{
	struct table_node *node = table_find(&store->channels, name);
	struct kept_channel *channel;

	if (!node)
		return channel_new(store, name);
	channel = TABLE_ENTRY(node, struct kept_channel, node);
	if (!channel->attached) {
		list_remove(&channel->unused);
		list_append(&store->unused, &channel->unused);
	}
	return channel;
}

static int memory_start(struct store **ret, struct ev_loop *loop, const struct config *config,
			const struct store_sink *sink, struct err *err)
{
	struct store *store = calloc(1, sizeof(*store));

	(void)err;
	if (!store)
		abort();
	store->loop = loop;
	store->config = config;
	store->sink = *sink;
	list_init(&store->unused);
	memory_sessions_init(&store->sessions, store);
	*ret = store;
	sink->up(sink->arg, true);
	return 0;
}

static void memory_stop(struct store *store)
{
	struct table_node *node;

	while ((node = table_any(&store->channels)))
		channel_forget(TABLE_ENTRY(node, struct kept_channel, node));
	table_fini(&store->channels);
	memory_sessions_fini(&store->sessions);
	free(store);
}

/* Stores it and hands it to the hub when that is attached. */
static void store_message(struct kept_channel *channel, struct text data, struct text key)
{
	const struct store *store = channel->store;
	struct stored stored = { .seq = channel->newest.seq + 1, .at_s = ev_now(store->loop), .data = data,
				 .key = key };

	stored.message = message_make(channel->name, channel->newest.epoch, &stored);
	stored.data = message_data(stored.message);
	stored.key = message_key(stored.message);
	channel->newest.seq = stored.seq;
	ring_push(&channel->ring, stored.message);
	key_keep(channel, stored.message);
	if (channel->attached)
		store->sink.message(store->sink.arg, channel->name, channel->newest.epoch, &stored);
	message_unref(stored.message); /* the channel may be gone by now */
}

static void memory_publish(struct store *store, struct text name, struct text data, struct text key,
			   struct store_op *op)
{
	struct kept_channel *channel = channel_use(store, name);
	struct table_node *known = key.len ? table_find(&channel->keys, key) : NULL;
	struct store_answer answer = { .status = HUB_OK, .duplicate = known, .newest = channel->newest };

	if (known) {
		answer.newest.seq = TABLE_ENTRY(known, struct kept_key, node)->message->seq;
	} else {
		answer.newest.seq++;
		store_message(channel, data, key);
	}
	op->done(op, &answer);
}

static void memory_attach(struct store *store, const char *name, struct store_op *op)
{
	struct kept_channel *channel = channel_use(store, text_from(name));
	const struct store_answer answer = { .status = HUB_OK, .newest = channel->newest };

	assert(!channel->attached);
	channel->attached = true;
	list_remove(&channel->unused);
	op->done(op, &answer);
}

static void memory_detach(struct store *store, const char *name)
{
	struct kept_channel *channel = channel_use(store, text_from(name));

	assert(channel->attached);
	channel->attached = false;
	list_append(&store->unused, &channel->unused);
}

static void memory_range(struct store *store, const char *name, uint64_t from, uint64_t to, size_t max_count,
			 size_t max_bytes, struct store_op *op)
{
	struct kept_channel *channel = channel_use(store, text_from(name));
	const struct ring *ring = &channel->ring;
	struct store_answer answer = { .status = HUB_OK, .newest = channel->newest };
	size_t room, bytes = 0;
	struct stored *messages;

	answer.first = ring->count ? ring_first(ring) : channel->newest.seq + 1;
	if (from < answer.first)
		from = answer.first;
	if (to > channel->newest.seq)
		to = channel->newest.seq;
	room = from > to ? 0 : (size_t)(to - from + 1);
	if (room > max_count)
		room = max_count ? max_count : 1;
	messages = calloc(room + 1, sizeof(*messages));
	if (!messages)
		abort();
	for (size_t i = 0; i < room; i++) {
		struct message *message = ring_get(ring, from + i);

		bytes += message_size(message);
		if (i > 0 && bytes > max_bytes)
			break;
		messages[answer.count++] = (struct stored){ .seq = message->seq, .at_s = message->at_s,
							    .data = message_data(message), .key = message_key(message),
							    .message = message_ref(message) };
	}
	answer.messages = messages;
	op->done(op, &answer);
	for (size_t i = 0; i < answer.count; i++)
		message_unref(messages[i].message);
	free(messages);
}

const struct store_ops store_memory = {
	.name = "memory",
	.start = memory_start,
	.stop = memory_stop,
	.publish = memory_publish,
	.attach = memory_attach,
	.detach = memory_detach,
	.range = memory_range,
	.session_claim = memory_session_claim,
	.session_save = memory_session_save,
};
