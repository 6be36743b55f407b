/*
 * A publish is answered by the store as soon as it is stored, but here only when it was handed to our own subscribers:
 * a publisher sees its own message first, then `published`, whichever way the message took through the store.
 */
#include "server-under-test/hub/hub_channel.h"

#include "server-under-test/defects.h"

#include <assert.h>
#include <stdlib.h>

struct request *request_new(struct hub *hub, struct hub_op *op, struct text channel)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		abort();
	assert(channel.len >= 1 && channel.len <= CHANNEL_NAME_MAX);
	memcpy(request->channel, channel.p, channel.len);
	request->hub = hub;
	request->op = op;
	op->state = request;
	list_append(&hub->requests, &request->link);
	return request;
}

struct hub_op *request_finish(struct request *request)
{
	struct hub_op *op = request->op;

	list_remove(&request->link);
	free(request);
	if (op)
		op->state = NULL;
	return op;
}

/* Whether it is still in the store's hands, so that its memory must stay. */
static bool in_store(const struct request *request)
{
	return request->store.done;
}

void hub_op_cancel(struct hub_op *op)
{
	struct request *request = op->state;

	if (!request)
		return;
	op->state = NULL;
	request->op = NULL;
	if (!in_store(request))
		request_finish(request);
}

static void published_ok(struct request *request)
{
	struct published answer = { .status = HUB_OK, .at = request->at };
	hub_published_fn done = request->published;
	struct hub_op *op = request_finish(request);

	if (op)
		done(op, &answer);
}

/* Whether everybody here who was subscribed when it was published has been handed it. */
static bool handed_out(const struct channel *channel, const struct request *request)
{
	if (waiting_before(channel, request->ticket))
		return false;
	if (channel->state != CHANNEL_ATTACHED || request->released)
		return true;
	return strcmp(channel->newest.epoch, request->at.epoch) == 0 && channel->newest.seq >= request->at.seq;
}

void publishes_pass(struct channel *channel, bool all)
{
	struct walk walk;

	walk_begin(channel, &walk);
	while (!list_empty(&channel->publishes)) {
		struct request *request = LIST_ENTRY(channel->publishes.next, struct request, link);

		if (!all && !handed_out(channel, request))
			break;
		published_ok(request);
	}
	walk_end(channel, &walk);
}

static void on_published(struct store_op *op, const struct store_answer *answer)
{
	struct request *request = LIST_ENTRY(op, struct request, store);
	struct channel *channel = channel_find(request->hub, text_from(request->channel));

	request->store.done = NULL;
	if (answer->status != HUB_OK) {
		const struct published failed = { .status = answer->status };
		hub_published_fn done = request->published;
		struct hub_op *owner = request_finish(request);

		if (owner)
			done(owner, &failed);
		return;
	}
	request->at = answer->newest;
	if (defect(publish_key_new_number) && answer->duplicate) {
		request->at.seq += 1 + (channel ? channel->newest.seq : 0);
		request->released = true; /* nothing of that number will be handed out */
	}
	if (!request->op || !channel || handed_out(channel, request)) {
		published_ok(request);
		return;
	}
	list_remove(&request->link);
	list_append(&channel->publishes, &request->link);
}

void request_store(struct request *request, struct text data, struct text key)
{
	struct hub *hub = request->hub;

	if (defect(publish_key_ignored))
		key.len = 0;
	if (defect(nodes_do_not_talk))
		defect_own(data);
	hub->ops->publish(hub->store, text_from(request->channel), data, key, &request->store);
}

void hub_publish(struct hub *hub, struct hub_op *op, struct text channel, struct text data, struct text key,
		 hub_published_fn done)
{
	const struct published away = { .status = HUB_UNAVAILABLE };
	struct request *request;

	op->state = NULL;
	if (!hub->up) {
		done(op, &away);
		return;
	}
	request = request_new(hub, op, channel);
	request->published = done;
	request->ticket = hub->ticket;
	request->store.done = on_published;
	if (defect(order_publisher_swapped) || defect(order_small_first))
		defect_publish_swapped(request, data, key);
	else
		request_store(request, data, key);
}
