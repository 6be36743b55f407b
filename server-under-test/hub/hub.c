/*
 * The hub's outside: the store's upcalls, up and down, sessions. Live subscriptions stay while the store is away and
 * catch up when it is back; only what is still awaited is given up.
 */
#include "server-under-test/hub/hub_channel.h"

#include "server-under-test/hub/message.h"

#include <assert.h>
#include <stdlib.h>

static void new_epoch(struct channel *channel, const struct position *newest)
{
	ring_clear(&channel->ring);
	channel->newest = *newest;
	channel->epochs++;
	for (struct link *link = channel->waiting.next; link != &channel->waiting; link = link->next)
		LIST_ENTRY(link, struct waiting, link)->asks = 0; /* what the store said is about the old one */
	fanout_epoch(channel);
}

/* Publishes of an epoch that is over are not waited for any longer. */
static void release_publishes(struct channel *channel)
{
	for (struct link *link = channel->publishes.next; link != &channel->publishes; link = link->next) {
		struct request *request = LIST_ENTRY(link, struct request, link);

		if (strcmp(request->at.epoch, channel->newest.epoch) != 0)
			request->released = true;
	}
}

static void on_epoch(void *arg, const char *name, const struct position *newest)
{
	struct hub *hub = arg;
	struct channel *channel = channel_find(hub, text_from(name));
	struct walk walk;

	if (!channel || channel->state != CHANNEL_ATTACHED)
		return;
	walk_begin(channel, &walk);
	new_epoch(channel, newest);
	release_publishes(channel);
	waiting_pass(channel);
	publishes_pass(channel, false);
	walk_end(channel, &walk);
}

static void on_message(void *arg, const char *name, const char *epoch, const struct stored *stored)
{
	struct hub *hub = arg;
	struct channel *channel = channel_find(hub, text_from(name));
	struct message *message;
	struct walk walk;

	if (!channel || channel->state != CHANNEL_ATTACHED)
		return;
	assert(strcmp(channel->newest.epoch, epoch) == 0 && stored->seq == channel->newest.seq + 1);
	walk_begin(channel, &walk);
	message = message_make(name, epoch, stored);
	ring_push(&channel->ring, message);
	channel->newest.seq = stored->seq;
	fanout_message(channel, message);
	message_unref(message);
	if (!list_empty(&channel->waiting))
		waiting_pass(channel);
	if (!list_empty(&channel->publishes))
		publishes_pass(channel, false);
	walk_end(channel, &walk);
}

static void tell_up(struct hub *hub, bool up)
{
	for (struct hub_watch *watch = hub->watches; watch; watch = hub->watch_next) {
		hub->watch_next = watch->next;
		if (watch->up)
			watch->up(watch, up);
	}
}

struct held_channels {
	struct channel **channels;
	struct walk *walks;
	size_t count;
};

static void hold_channel(struct table_node *node, void *arg)
{
	struct held_channels *held = arg;
	struct channel *channel = TABLE_ENTRY(node, struct channel, node);

	walk_begin(channel, &held->walks[held->count]);
	held->channels[held->count++] = channel;
}

/* Everything that is awaited. The callbacks may drop channels, so all are held first. */
static void give_up(struct hub *hub)
{
	size_t count = hub->channels.count;
	struct held_channels held = {
		.channels = calloc(count + 1, sizeof(struct channel *)),
		.walks = calloc(count + 1, sizeof(struct walk)),
	};

	if (!held.channels || !held.walks)
		abort();
	table_each(&hub->channels, hold_channel, &held);
	for (size_t i = 0; i < held.count; i++) {
		waiting_fail(held.channels[i], false);
		publishes_pass(held.channels[i], true);
	}
	for (size_t i = 0; i < held.count; i++)
		walk_end(held.channels[i], &held.walks[i]);
	free(held.channels);
	free(held.walks);
}

static void on_up(void *arg, bool up)
{
	struct hub *hub = arg;

	if (hub->up == up)
		return;
	hub->up = up;
	if (!up)
		give_up(hub);
	tell_up(hub, up);
}

static void on_taken_over(void *arg, const char *session, const char *by_conn)
{
	struct hub *hub = arg;

	for (struct hub_watch *watch = hub->watches; watch; watch = hub->watch_next) {
		hub->watch_next = watch->next;
		if (watch->taken_over)
			watch->taken_over(watch, session, by_conn);
	}
}

struct hub *hub_new(struct ev_loop *loop, const struct config *config)
{
	struct hub *hub = calloc(1, sizeof(*hub));

	if (!hub)
		abort();
	hub->loop = loop;
	hub->config = config;
	list_init(&hub->idle);
	list_init(&hub->requests);
	ev_timer_init(&hub->idle_timer, channel_on_idle_timer, 0.0, 0.0);
	hub->idle_timer.data = hub;
	return hub;
}

int hub_start(struct hub *hub, const struct store_ops *store, struct err *err)
{
	const struct store_sink sink = {
		.arg = hub,
		.message = on_message,
		.epoch = on_epoch,
		.up = on_up,
		.taken_over = on_taken_over,
	};

	assert(!hub->store);
	hub->ops = store;
	return store->start(&hub->store, hub->loop, hub->config, &sink, err);
}

void hub_free(struct hub *hub)
{
	struct table_node *node;

	if (!hub)
		return;
	hub->up = false;
	if (hub->store)
		hub->ops->stop(hub->store);
	while ((node = table_any(&hub->channels))) {
		struct channel *channel = TABLE_ENTRY(node, struct channel, node);

		while (!list_empty(&channel->publishes))
			request_finish(LIST_ENTRY(channel->publishes.next, struct request, link));
		channel_free(channel);
	}
	while (!list_empty(&hub->requests))
		request_finish(LIST_ENTRY(hub->requests.next, struct request, link));
	ev_timer_stop(hub->loop, &hub->idle_timer);
	table_fini(&hub->channels);
	free(hub);
}

bool hub_up(const struct hub *hub)
{
	return hub->up;
}

void hub_watch_add(struct hub *hub, struct hub_watch *watch)
{
	watch->next = hub->watches;
	hub->watches = watch;
}

void hub_watch_remove(struct hub *hub, struct hub_watch *watch)
{
	for (struct hub_watch **at = &hub->watches; *at; at = &(*at)->next) {
		if (*at == watch) {
			*at = watch->next;
			break;
		}
	}
	if (hub->watch_next == watch)
		hub->watch_next = watch->next;
}

void hub_session_claim(struct hub *hub, const char *wanted, const char *fresh, const char *user, const char *conn,
		       struct store_op *op)
{
	const struct store_answer away = { .status = HUB_UNAVAILABLE };

	if (hub->up)
		hub->ops->session_claim(hub->store, wanted, fresh, user, conn, op);
	else
		op->done(op, &away);
}

void hub_session_save(struct hub *hub, const struct session_record *record, const char *conn, bool ended,
		      struct store_op *op)
{
	const struct store_answer away = { .status = HUB_UNAVAILABLE };

	if (hub->store)
		hub->ops->session_save(hub->store, record, conn, ended, op);
	else if (op)
		op->done(op, &away);
}
