/*
 * GET /poll/{channel}: a subscription that lasts until there is something to tell. Messages are collected while they
 * are replayed and answered as soon as the newest of them is here, a live one has come or the answer is full; `seq` is
 * the last message in the answer when it was cut, so that the next `since` goes on there and nothing is lost.
 */
#include <jansson.h>
#include <stdlib.h>

#include "server-under-test/defects.h"
#include "server-under-test/http/http_answer.h"
#include "server-under-test/http/http_handlers.h"
#include "server-under-test/http/http_params.h"

#define POLL_REPLAY_S 5.0 /* for messages that are known to be there, also when the client does not want to wait */

/* One poll; the door's state. */
struct poll {
	struct subscription subscription; /* first: the hub's callbacks get it */
	struct door *door;
	ev_timer wait;
	unsigned wait_s;
	struct position at; /* everything up to here is in the answer, or was before it */
	uint64_t newest; /* when it was subscribed: the replay ends there */
	bool has_recovered;
	bool recovered;
	bool had_since;
	bool answered;
	struct message *messages[HISTORY_MESSAGES_MAX];
	size_t count;
	size_t bytes; /* of their payloads */
};

static struct poll *poll_of(struct subscription *subscription)
{
	return (struct poll *)subscription;
}

static void append(struct bytes *out, struct text text)
{
	bytes_append(out, text.p, text.len);
}

/* The members before "messages", without the braces. */
static void append_head(struct bytes *out, const struct poll *poll)
{
	json_t *head = json_pack("{s:s, s:I}", "epoch", poll->at.epoch, "seq", (json_int_t)poll->at.seq);
	char *text;

	if (poll->has_recovered)
		json_object_set_new(head, "recovered", json_boolean(poll->recovered));
	text = json_dumps(head, JSON_COMPACT);
	json_decref(head);
	if (!text)
		abort();
	append(out, text_of(text, strlen(text) - 1));
	free(text);
}

static void poll_end(struct poll *poll)
{
	poll->answered = true;
	hub_unsubscribe(&poll->subscription);
	ev_timer_stop(poll->door->doors->server->loop, &poll->wait);
	for (size_t i = 0; i < poll->count; i++)
		message_unref(poll->messages[i]);
	poll->count = 0;
}

static void poll_answer(struct poll *poll)
{
	struct bytes body = { 0 };

	append_head(&body, poll);
	append(&body, text_from(",\"messages\":["));
	for (size_t i = 0; i < poll->count; i++) {
		const struct frame *frame = poll->messages[i]->frame;

		if (i > 0)
			append(&body, text_from(","));
		append(&body, text_of(frame_payload(frame), frame_payload_len(frame)));
	}
	append(&body, text_from("]}"));
	poll_end(poll);
	http_answer(poll->door, 200, HTTP_JSON, text_of((const char *)body.p + body.start, bytes_len(&body)), 0);
	bytes_fini(&body);
}

static void poll_refuse(struct poll *poll)
{
	poll_end(poll);
	http_answer_refusal(poll->door, 503, "the backplane is away", HTTP_RETRY_S);
}

static void on_subscribed(struct subscription *subscription, const struct subscribed *answer)
{
	struct poll *poll = poll_of(subscription);
	struct server *server = poll->door->doors->server;
	double expiry_s = http_expiry_s(poll->door);
	double wait_s = poll->wait_s;

	if (poll->answered)
		return;
	if (answer->status != HUB_OK) {
		poll_refuse(poll);
		return;
	}
	if (poll->had_since)
		http_resume_count(answer);
	poll->newest = answer->newest.seq;
	poll->has_recovered = answer->has_recovered;
	poll->recovered = answer->recovered;
	if (!answer->recovered)
		poll->at = answer->newest;
	if ((poll->had_since && !answer->recovered) || server->refusing) {
		poll_answer(poll);
		return;
	}
	if (poll->at.seq < poll->newest && wait_s < POLL_REPLAY_S)
		wait_s = POLL_REPLAY_S;
	ev_timer_set(&poll->wait, wait_s < expiry_s ? wait_s : expiry_s, 0.);
	ev_timer_start(server->loop, &poll->wait);
}

static void on_message(struct subscription *subscription, struct message *message)
{
	struct poll *poll = poll_of(subscription);
	size_t len = frame_payload_len(message->frame);

	if (poll->answered)
		return;
	if (poll->count > 0 && poll->bytes + len > HISTORY_BYTES_MAX) {
		poll_answer(poll);
		return;
	}
	poll->messages[poll->count++] = message_ref(message);
	poll->bytes += len;
	poll->at.seq = message->seq;
	if (message->seq >= poll->newest || poll->count == HISTORY_MESSAGES_MAX)
		poll_answer(poll);
}

/* What was collected belongs to the old epoch and is told as such; the next poll learns of the new one. */
static void on_epoch(struct subscription *subscription, const struct subscribed *news)
{
	struct poll *poll = poll_of(subscription);

	if (poll->answered)
		return;
	if (poll->count == 0) {
		poll->at = news->newest;
		poll->has_recovered = true;
		poll->recovered = false;
	}
	poll_answer(poll);
}

/* What it has is good; when the next poll goes on there, it is told that the range is gone. */
static void on_evicted(struct subscription *subscription)
{
	struct poll *poll = poll_of(subscription);

	if (!poll->answered)
		poll_answer(poll);
}

static const struct subscription_ops ops = {
	.subscribed = on_subscribed,
	.message = on_message,
	.epoch = on_epoch,
	.evicted = on_evicted,
};

static void on_wait(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	poll_answer(timer->data);
}

static void start(struct door *door)
{
	struct poll *poll;
	char name[HTTP_CHANNEL_BUFFER];
	struct text channel;

	if (text_equal(door->parser.request.method, "HEAD")) {
		http_answer_head(door, HTTP_JSON);
		door_answer(door);
		return;
	}
	poll = calloc(1, sizeof(*poll));
	if (!poll)
		abort();
	door->state = poll;
	poll->door = door;
	poll->subscription.ops = &ops;
	ev_timer_init(&poll->wait, on_wait, 0., 0.);
	poll->wait.data = poll;
	poll->had_since = http_param_since(door->verdict.query, &poll->at) == HTTP_PARAM_OK;
	if (defect(poll_misses_between))
		poll->had_since = false;
	http_param_wait(door->verdict.query, &poll->wait_s);
	http_param_channel(door->verdict.rest, name, &channel);
	hub_subscribe(door->doors->server->hub, &poll->subscription, channel, poll->had_since ? &poll->at : NULL,
		      HISTORY_MESSAGES_MAX);
}

static void drain(struct door *door)
{
	struct poll *poll = door->state;

	if (poll && !poll->answered && poll->subscription.live)
		poll_answer(poll);
}

static void gone(struct door *door)
{
	struct poll *poll = door->state;

	poll_end(poll);
	free(poll);
}

const struct http_handler http_poll = { .needs_peer = true, .start = start, .drain = drain, .gone = gone };
