/* Subscriptions: made, restored, moved on by acks, and what the hub has for them. */
#include "server-under-test/client/client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/auth.h"

#define REASON_MAX 256

/* The hash is looked at before the name: an ack must be cheap with a thousand subscriptions. A client that makes its own
 * names collide slows down nobody but itself, and not by much. */
struct client_entry {
	uint32_t hash;
	struct client_sub *sub;
};

struct client_sub *client_sub_at(const struct client *client, unsigned index)
{
	return client->subs[index].sub;
}

static struct client_sub *sub_find(const struct client *client, struct text name)
{
	uint32_t hash = text_hash(name);

	for (unsigned i = 0; i < client->sub_count; i++)
		if (client->subs[i].hash == hash && text_equal(name, client->subs[i].sub->name))
			return client->subs[i].sub;
	return NULL;
}

static struct client_sub *sub_add(struct client *client, struct text name)
{
	struct client_sub *sub = calloc(1, sizeof(*sub) + name.len + 1);

	if (client->sub_count == client->sub_capacity) {
		client->sub_capacity = client->sub_capacity ? client->sub_capacity * 2 : 2;
		client->subs = realloc(client->subs, client->sub_capacity * sizeof(*client->subs));
	}
	if (!sub || !client->subs)
		abort();
	sub->client = client;
	memcpy(sub->name, name.p, name.len);
	client->subs[client->sub_count++] = (struct client_entry){ .hash = text_hash(name), .sub = sub };
	return sub;
}

static void sub_free(struct client_sub *sub)
{
	if (sub->awaited)
		sub->client->awaiting--;
	hub_unsubscribe(&sub->at);
	client_request_free(sub->request);
	free(sub);
}

static void sub_remove(struct client_sub *sub)
{
	struct client *client = sub->client;

	for (unsigned i = 0; i < client->sub_count; i++) {
		if (client->subs[i].sub == sub) {
			client->subs[i] = client->subs[--client->sub_count];
			break;
		}
	}
	sub_free(sub);
}

void client_drop_subs(struct client *client)
{
	for (unsigned i = 0; i < client->sub_count; i++)
		sub_free(client->subs[i].sub);
	free(client->subs);
	client->subs = NULL;
	client->sub_count = 0;
}

/* The subscription could not be made, and one that was there before is gone with it. */
static void sub_failed(struct client_sub *sub)
{
	struct client *client = sub->client;
	bool restoring = !sub->request;

	if (restoring) { /* the session stays as it is: the client comes back for it */
		client_close(client, CLOSE_INTERNAL, "the backplane is away");
		return;
	}
	client_error(client, client_request_id(sub->request), ERROR_UNAVAILABLE, "the backplane is away");
	client_observe(sub->request->started_s);
	if (sub->confirmed) {
		client_send(client, messages_unsubscribed(MESSAGES_NULL, sub->name), MESSAGE_TYPE_unsubscribed);
		client_changed(client, clock_monotonic_s());
	}
	sub_remove(sub);
}

static void on_subscribed(struct subscription *subscription, const struct subscribed *answer)
{
	struct client_sub *sub = (struct client_sub *)(void *)((char *)subscription - offsetof(struct client_sub, at));
	struct client *client = sub->client;

	assert(sub->awaited);
	sub->awaited = false;
	client->awaiting--;
	client_check_pause(client);
	if (client->closing)
		return;
	if (answer->status != HUB_OK) {
		sub_failed(sub);
		return;
	}
	if (answer->has_recovered)
		(*(answer->recovered ? &metrics->resumes_recovered : &metrics->resumes_lost))++;
	if (answer->has_recovered ? !answer->recovered : !sub->cursor.epoch[0])
		sub->cursor = answer->newest;
	sub->confirmed = true;
	if (sub->request)
		client_changed_for_good(client);
	else
		client_changed(client, clock_monotonic_s());
	client_send(client,
		    messages_subscribed(sub->request ? client_request_id(sub->request) : MESSAGES_NULL, sub->name, answer),
		    MESSAGE_TYPE_subscribed);
	if (sub->request)
		client_observe(sub->request->started_s);
	client_request_free(sub->request);
	sub->request = NULL;
}

static void on_message(struct subscription *subscription, struct message *message)
{
	struct client_sub *sub = (struct client_sub *)(void *)((char *)subscription - offsetof(struct client_sub, at));

	client_send_shared(sub->client, message->frame, MESSAGE_TYPE_message);
}

static void on_epoch(struct subscription *subscription, const struct subscribed *news)
{
	struct client_sub *sub = (struct client_sub *)(void *)((char *)subscription - offsetof(struct client_sub, at));
	struct client *client = sub->client;

	if (client->closing)
		return;
	sub->cursor = news->newest;
	client_send(client, messages_subscribed(MESSAGES_NULL, sub->name, news), MESSAGE_TYPE_subscribed);
	client_changed(client, clock_monotonic_s());
}

static void on_evicted(struct subscription *subscription)
{
	struct client_sub *sub = (struct client_sub *)(void *)((char *)subscription - offsetof(struct client_sub, at));

	client_slow_consumer(sub->client);
}

static const struct subscription_ops sub_ops = {
	.subscribed = on_subscribed,
	.message = on_message,
	.epoch = on_epoch,
	.evicted = on_evicted,
};

/* The answer may come before this returns, and a failure frees the subscription. */
static void sub_ask(struct client_sub *sub, const struct position *since)
{
	struct client *client = sub->client;

	sub->at.ops = &sub_ops;
	sub->awaited = true;
	client->awaiting++;
	if (since)
		sub->cursor = *since;
	hub_subscribe(client->server->hub, &sub->at, text_from(sub->name), since, client->window);
	client_check_pause(client);
}

/* Reads `since` into *ret. False: malformed. An epoch that is too long is one that matches no channel. */
static bool since_read(const struct scan_value *value, struct position *ret)
{
	struct scan_member fields[] = { { .name = "epoch" }, { .name = "seq" } };
	struct text epoch;
	const char *why;

	if (value->kind != SCAN_OBJECT || !json_scan_object(value->raw, fields, 2, &why) ||
	    fields[0].value.kind != SCAN_STRING || !json_scan_seq(&fields[1].value, &ret->seq))
		return false;
	memset(ret->epoch, 0, sizeof(ret->epoch));
	if (!json_scan_string(&fields[0].value, ret->epoch, EPOCH_MAX, &epoch) || memchr(epoch.p, '\0', epoch.len))
		memset(ret->epoch, 0, sizeof(ret->epoch));
	return true;
}

void client_on_subscribe(struct client *client, struct incoming *in)
{
	const struct scan_value *value = &in->fields[FIELD_SINCE].value;
	bool has_since = value->kind != SCAN_ABSENT && value->kind != SCAN_NULL;
	struct position since;
	struct client_sub *sub;

	if (has_since && !since_read(value, &since)) {
		client_refuse(client, in, ERROR_BAD_REQUEST,
			     "\"since\" must be an object with a string \"epoch\" and a whole number \"seq\"");
		return;
	}
	if (!client_channel_covered(client, in))
		return;
	sub = sub_find(client, in->channel);
	if (!sub && client->sub_count >= client->server->config->subscriptions_max) {
		client_refuse(client, in, ERROR_FORBIDDEN, "this connection has as many subscriptions as it may");
		return;
	}
	if (!sub)
		sub = sub_add(client, in->channel);
	assert(!sub->request);
	sub->request = client_request_new(client, in);
	sub_ask(sub, has_since ? &since : NULL);
}

void client_on_unsubscribe(struct client *client, struct incoming *in)
{
	struct client_sub *sub;
	struct frame *answer;

	if (!client_channel_ok(client, in))
		return;
	sub = sub_find(client, in->channel);
	if (!sub) {
		client_refuse(client, in, ERROR_NOT_FOUND, "not subscribed to this channel");
		return;
	}
	answer = messages_unsubscribed(in->id, sub->name);
	sub_remove(sub);
	client_changed_for_good(client);
	client_send(client, answer, MESSAGE_TYPE_unsubscribed);
	client_observe(in->at_s);
}

/*
 * An ack that moves on is free, for each is owed to a message of ours; of others one could send any number. One for
 * more than was sent counts as one for what was sent.
 */
void client_on_ack(struct client *client, struct incoming *in)
{
	struct client_sub *sub;
	uint64_t seq;

	if (!json_scan_seq(&in->fields[FIELD_SEQ].value, &seq)) {
		if (client_rate_ok(client, in->id, in->at_s))
			client_refuse(client, in, ERROR_BAD_REQUEST, "\"seq\" must be a whole number");
		return;
	}
	if (!json_scan_string(&in->fields[FIELD_CHANNEL].value, in->channel_name, sizeof(in->channel_name), &in->channel) ||
	    !hub_channel_name_ok(in->channel)) {
		if (client_rate_ok(client, in->id, in->at_s))
			client_channel_ok(client, in);
		return;
	}
	sub = sub_find(client, in->channel);
	if (sub && seq > sub->at.delivered)
		seq = sub->at.delivered;
	if (!sub || !sub->at.live || seq <= sub->cursor.seq) {
		client_rate_ok(client, in->id, in->at_s);
		return;
	}
	sub->cursor.seq = seq;
	if (client->window)
		hub_set_limit(&sub->at, seq + client->window);
	client_changed(client, in->at_s);
}

static void tell_uncovered(struct client *client, const char *name)
{
	char reason[REASON_MAX];

	snprintf(reason, sizeof(reason), "the token does not cover channel %s", name);
	client_send(client, messages_unsubscribed(MESSAGES_NULL, name), MESSAGE_TYPE_unsubscribed);
	client_error(client, MESSAGES_NULL, ERROR_FORBIDDEN, reason);
	client_changed(client, clock_monotonic_s());
}

void client_drop_uncovered(struct client *client)
{
	for (unsigned i = client->sub_count; i-- > 0;) {
		struct client_sub *sub = client->subs[i].sub;

		if (identity_allows(client->identity, text_from(sub->name)))
			continue;
		tell_uncovered(client, sub->name);
		sub_remove(sub);
	}
}

/* All are there before the first is asked for: if one fails, the session is still kept whole. */
void client_restore(struct client *client, const struct session_record *record)
{
	unsigned count;

	for (unsigned i = 0; i < record->count; i++) {
		const struct session_cursor *kept = &record->cursors[i];

		if (!hub_channel_name_ok(text_from(kept->channel)) || sub_find(client, text_from(kept->channel)))
			continue;
		if (identity_allows(client->identity, text_from(kept->channel)))
			sub_add(client, text_from(kept->channel))->cursor = kept->at;
		else
			tell_uncovered(client, kept->channel);
	}
	count = client->sub_count;
	for (unsigned i = 0; i < count && !client->closing; i++) {
		struct position since = client->subs[i].sub->cursor;

		sub_ask(client->subs[i].sub, &since);
	}
}
