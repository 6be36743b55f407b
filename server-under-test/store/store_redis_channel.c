/*
 * What this node knows of channels in Redis. The newest message it has seen goes along with every request, also for
 * channels without subscribers here: it is how the script notices that Redis has lost what clients were told.
 */
#include "server-under-test/store/store_redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/base/random.h"

#define NUMBER_MAX 24

static struct text name_place(char **p, const char *prefix, struct text channel, const char *end)
{
	size_t room = strlen(prefix) + channel.len + strlen(end) + 3;
	int len = snprintf(*p, room, "%s{%.*s}%s", prefix, (int)channel.len, channel.p, end);
	struct text text = text_of(*p, (size_t)len);

	*p += room;
	return text;
}

static struct redis_channel *channel_new(struct store *store, struct text name)
{
	const char *prefix = store->config->redis_prefix;
	size_t each = strlen(prefix) + name.len + 8;
	struct redis_channel *channel = calloc(1, sizeof(*channel) + name.len + 1 + 4 * each);
	char *p;

	if (!channel)
		abort();
	channel->store = store;
	channel->refs = 1;
	memcpy(channel->name, name.p, name.len);
	channel->node.key = text_of(channel->name, name.len);
	list_init(&channel->link);
	list_init(&channel->heard);
	p = channel->name + name.len + 1;
	channel->stream = name_place(&p, prefix, name, ":m");
	channel->hash = name_place(&p, prefix, name, ":h");
	channel->index = name_place(&p, prefix, name, ":k");
	channel->events = name_place(&p, prefix, name, ":e");
	return channel;
}

struct redis_channel *redis_channel_ref(struct redis_channel *channel)
{
	channel->refs++;
	return channel;
}

void redis_channel_unref(struct redis_channel *channel)
{
	assert(channel->refs);
	if (--channel->refs)
		return;
	redis_live_forget(channel);
	free(channel);
}

void redis_channel_forget(struct redis_channel *channel)
{
	struct store *store = channel->store;

	assert(!channel->dead);
	channel->dead = true;
	if (channel->live == REDIS_DETACHED)
		store->remembered_count--;
	list_remove(&channel->link);
	table_remove(&store->channels, &channel->node);
	redis_channel_unref(channel);
}

struct redis_channel *redis_channel_find(struct store *store, struct text name)
{
	struct table_node *node = table_find(&store->channels, name);

	return node ? TABLE_ENTRY(node, struct redis_channel, node) : NULL;
}

struct redis_channel *redis_channel_get(struct store *store, struct text name)
{
	struct redis_channel *channel = redis_channel_find(store, name);

	if (channel) {
		if (channel->live == REDIS_DETACHED) {
			list_remove(&channel->link);
			list_append(&store->remembered, &channel->link);
		}
		return channel;
	}
	if (store->remembered_count >= REDIS_REMEMBERED_MAX)
		redis_channel_forget(LIST_ENTRY(store->remembered.next, struct redis_channel, link));
	channel = channel_new(store, name);
	table_add(&store->channels, &channel->node);
	list_append(&store->remembered, &channel->link);
	store->remembered_count++;
	return channel;
}

void redis_channel_replace(struct redis_channel *channel)
{
	struct redis_channel *other;

	redis_channel_ref(channel);
	redis_channel_forget(channel);
	other = redis_channel_get(channel->store, channel->node.key);
	other->top = channel->top;
	other->doubt = channel->doubt;
	redis_channel_unref(channel);
}

void redis_channel_learn(struct redis_channel *channel, const struct redis_mark *mark)
{
	struct redis_mark *top = &channel->top;
	bool same = strcmp(top->position.epoch, mark->position.epoch) == 0;

	channel->doubt = false;
	if (!same || mark->position.seq > top->position.seq)
		*top = *mark;
}

void redis_channels_init(struct store *store)
{
	list_init(&store->attached);
	list_init(&store->remembered);
}

void redis_channels_fini(struct store *store)
{
	struct table_node *node;

	while ((node = table_any(&store->channels)))
		redis_channel_forget(TABLE_ENTRY(node, struct redis_channel, node));
	table_fini(&store->channels);
}

static struct text number(char place[NUMBER_MAX], uint64_t n)
{
	return text_of(place, (size_t)snprintf(place, NUMBER_MAX, "%llu", (unsigned long long)n));
}

#define EPOCH_BYTES 8

/* A name for an epoch that begins with this request, should one have to. */
static struct text epoch_fresh(char place[EPOCH_MAX + 1])
{
	random_hex(place, EPOCH_BYTES);
	return text_of(place, 2 * EPOCH_BYTES);
}

static uint64_t idle_ms(const struct config *config)
{
	double s = config->retention_time_s * 2 > REDIS_IDLE_S ? config->retention_time_s * 2 : REDIS_IDLE_S;

	return (uint64_t)(s * 1000);
}

#define COMMON_WORDS 10 /* three keys, the verb, and ARGV 2 to 7 */

/* Calls a verb on a channel: rest are the words that are the verb's own. Takes a reference for the answer. */
static void channel_call(struct redis_channel *channel, const char *verb, redis_reply_fn fn, void *arg, int rest_count,
			 const struct text *rest)
{
	char epoch[EPOCH_MAX + 1], seq[NUMBER_MAX], at[NUMBER_MAX], idle[NUMBER_MAX];
	const struct redis_mark *top = &channel->top;
	struct text words[REDIS_WORDS_MAX] = {
		channel->stream, channel->hash, channel->index, text_from(verb),
		epoch_fresh(epoch), text_from(top->position.epoch), number(seq, top->position.seq),
		channel->doubt && top->at_us ? number(at, top->at_us) : text_of(NULL, 0),
		number(idle, idle_ms(channel->store->config)), channel->events,
	};

	assert(COMMON_WORDS + rest_count <= REDIS_WORDS_MAX - 3);
	memcpy(words + COMMON_WORDS, rest, (size_t)rest_count * sizeof(*rest));
	redis_call(channel->store, fn, arg, 3, COMMON_WORDS + rest_count, words);
}

/* A request of the hub that waits for Redis. */
struct request {
	struct redis_channel *channel;
	struct store_op *op;
};

static struct request *request_new(struct redis_channel *channel, struct store_op *op)
{
	struct request *request = malloc(sizeof(*request));

	if (!request)
		abort();
	*request = (struct request){ redis_channel_ref(channel), op };
	return request;
}

static struct store_op *request_end(struct request *request)
{
	struct store_op *op = request->op;

	redis_channel_unref(request->channel);
	free(request);
	return op;
}

static void on_published(void *arg, const struct redisReply *reply)
{
	struct request *request = arg;
	struct store_answer answer = { .status = HUB_OK };
	struct redis_mark mark = { 0 };
	uint64_t known;
	bool ok = redis_is_array(reply, 4) && redis_epoch(reply->element[0], mark.position.epoch) &&
		  redis_number(reply->element[1], &mark.position.seq) && mark.position.seq > 0 &&
		  redis_number(reply->element[2], &mark.at_us) && redis_number(reply->element[3], &known);
	struct store_op *op;

	if (ok) {
		redis_channel_learn(request->channel, &mark);
		answer.newest = mark.position;
		answer.duplicate = known == 1;
	}
	op = request_end(request);
	if (ok)
		op->done(op, &answer);
	else
		store_redis_unavailable(op);
}

void redis_publish(struct store *store, struct text channel, struct text data, struct text key, struct store_op *op)
{
	const struct config *config = store->config;
	char count[NUMBER_MAX], age[NUMBER_MAX], bytes[NUMBER_MAX];
	struct text rest[] = {
		data, key, number(count, config->retention_messages),
		number(age, (uint64_t)(config->retention_time_s * 1e6)), number(bytes, config->retention_bytes),
	};
	struct redis_channel *known;

	if (store->state != REDIS_UP) {
		store_redis_unavailable(op);
		return;
	}
	known = redis_channel_get(store, channel);
	channel_call(known, "publish", on_published, request_new(known, op), 5, rest);
}

void redis_look_call(struct redis_channel *channel, uint64_t from, uint64_t to, size_t max_count, size_t max_bytes,
		     redis_reply_fn fn, void *arg)
{
	char place[4][NUMBER_MAX];
	struct text rest[] = {
		number(place[0], from < REDIS_SEQ_MAX ? from : REDIS_SEQ_MAX),
		number(place[1], to < REDIS_SEQ_MAX ? to : REDIS_SEQ_MAX),
		number(place[2], from <= to ? max_count : 0), number(place[3], max_bytes),
	};

	channel_call(channel, "look", fn, arg, 4, rest);
}

static bool message_read(struct stored *ret, const struct redisReply *reply)
{
	uint64_t at_us;

	if (!redis_is_array(reply, 4) || !redis_number(reply->element[0], &ret->seq) ||
	    !redis_number(reply->element[1], &at_us) || !redis_text(reply->element[2], &ret->key) ||
	    !redis_text(reply->element[3], &ret->data))
		return false;
	ret->at_s = (double)at_us / 1e6;
	return ret->key.len <= KEY_MAX;
}

bool redis_look_read(struct redis_look *look, const struct redisReply *reply)
{
	const struct redisReply *list;

	*look = (struct redis_look){ 0 };
	if (!redis_is_array(reply, 6) || !redis_is_array(reply->element[5], 0) ||
	    !redis_epoch(reply->element[0], look->newest.position.epoch) ||
	    !redis_number(reply->element[1], &look->newest.position.seq) || !redis_number(reply->element[2], &look->base) ||
	    !redis_number(reply->element[3], &look->newest.at_us) || !redis_number(reply->element[4], &look->first))
		return false;
	list = reply->element[5];
	look->messages = calloc(list->elements + 1, sizeof(*look->messages));
	if (!look->messages)
		abort();
	for (; look->count < list->elements; look->count++) {
		struct stored *message = &look->messages[look->count];

		if (!message_read(message, list->element[look->count]) ||
		    (look->count && message->seq <= message[-1].seq) || message->seq > look->newest.position.seq) {
			redis_look_fini(look);
			return false;
		}
	}
	return true;
}

void redis_look_fini(struct redis_look *look)
{
	free(look->messages);
	look->messages = NULL;
}

static void on_range(void *arg, const struct redisReply *reply)
{
	struct request *request = arg;
	struct redis_look look;
	bool ok = redis_look_read(&look, reply);
	struct store_answer answer = { .status = HUB_OK };
	struct store_op *op;

	if (ok)
		redis_channel_learn(request->channel, &look.newest);
	op = request_end(request);
	if (!ok) {
		store_redis_unavailable(op);
		return;
	}
	answer.newest = look.newest.position;
	answer.first = look.first;
	answer.messages = look.messages;
	answer.count = look.count;
	op->done(op, &answer);
	redis_look_fini(&look);
}

void redis_range(struct store *store, const char *channel, uint64_t from, uint64_t to, size_t max_count,
		 size_t max_bytes, struct store_op *op)
{
	struct redis_channel *known;

	if (store->state != REDIS_UP) {
		store_redis_unavailable(op);
		return;
	}
	known = redis_channel_get(store, text_from(channel));
	redis_look_call(known, from, to, max_count, max_bytes, on_range, request_new(known, op));
}
