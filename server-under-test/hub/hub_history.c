/* History is answered from the ring when the ring has all of it, else by the store. */
#include "server-under-test/hub/hub_channel.h"

#include "server-under-test/hub/message.h"

#include <stdlib.h>

/* Whether nothing published in from..to is missing. */
static bool is_complete(uint64_t from, uint64_t to, uint64_t newest, struct message **messages, size_t count)
{
	uint64_t last = to < newest ? to : newest;

	if (from > last)
		return true;
	return count && messages[0]->seq == from && messages[count - 1]->seq == last;
}

static void answer_from_store(struct request *request, const struct store_answer *answer)
{
	struct history history = { .status = HUB_OK, .newest = answer->newest.seq, .count = answer->count };
	uint64_t from = request->from, to = request->to;
	hub_history_fn done = request->history;
	struct hub_op *op;

	memcpy(history.epoch, answer->newest.epoch, sizeof(history.epoch));
	history.messages = calloc(answer->count + 1, sizeof(struct message *));
	if (!history.messages)
		abort();
	for (size_t i = 0; i < answer->count; i++)
		history.messages[i] = message_make(request->channel, history.epoch, &answer->messages[i]);
	history.complete = is_complete(from, to, history.newest, history.messages, history.count);
	op = request_finish(request);
	done(op, &history);
	for (size_t i = 0; i < history.count; i++)
		message_unref(history.messages[i]);
	free(history.messages);
}

static void on_range(struct store_op *op, const struct store_answer *answer)
{
	struct request *request = LIST_ENTRY(op, struct request, store);
	const struct history failed = { .status = answer->status };
	hub_history_fn done = request->history;
	struct hub_op *owner;

	if (answer->status == HUB_OK && request->op) {
		answer_from_store(request, answer);
		return;
	}
	owner = request_finish(request);
	if (owner)
		done(owner, &failed);
}

/* The ring has from, and `to` is at or below the newest. */
static void answer_from_ring(const struct channel *channel, struct hub_op *op, uint64_t from, uint64_t to,
			     hub_history_fn done)
{
	struct message *messages[HISTORY_MESSAGES_MAX];
	struct history history = { .status = HUB_OK, .newest = channel->newest.seq, .messages = messages };
	size_t bytes = 0;

	memcpy(history.epoch, channel->newest.epoch, sizeof(history.epoch));
	for (uint64_t seq = from; seq <= to && history.count < HISTORY_MESSAGES_MAX; seq++) {
		struct message *message = ring_get(&channel->ring, seq);

		bytes += message_size(message);
		if (history.count && bytes > HISTORY_BYTES_MAX)
			break;
		messages[history.count++] = message_ref(message);
	}
	history.complete = is_complete(from, to, history.newest, messages, history.count);
	done(op, &history);
	for (size_t i = 0; i < history.count; i++)
		message_unref(messages[i]);
}

void hub_history(struct hub *hub, struct hub_op *op, struct text name, uint64_t from, uint64_t to, hub_history_fn done)
{
	const struct channel *channel = channel_find(hub, name);
	const struct history away = { .status = HUB_UNAVAILABLE };
	struct request *request;

	op->state = NULL;
	if (!hub->up) {
		done(op, &away);
		return;
	}
	if (channel && channel->state == CHANNEL_ATTACHED && to <= channel->newest.seq &&
	    ring_get(&channel->ring, from)) {
		answer_from_ring(channel, op, from, to, done);
		return;
	}
	request = request_new(hub, op, name);
	request->history = done;
	request->from = from;
	request->to = to;
	request->store.done = on_range;
	hub->ops->range(hub->store, request->channel, from, to, HISTORY_MESSAGES_MAX, HISTORY_BYTES_MAX,
			&request->store);
}
