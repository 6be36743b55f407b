/*
 * GET /sse/{channel}: a subscription without a window as Server-Sent Events (HTML standard, 9.2). Messages wait as
 * references to the shared ones and become text when the socket has room, so that a reader who is far behind costs
 * little until the byte budget of a client without a window ends it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/defects.h"
#include "server-under-test/http/http_answer.h"
#include "server-under-test/http/http_handlers.h"
#include "server-under-test/http/http_params.h"
#include "server-under-test/metrics.h"

#define SSE_COMMENT_S 15.0
#define SSE_OUT_MAX (64u * 1024) /* octets written ahead of the socket, a message may exceed it */
#define SSE_ID_MAX (EPOCH_MAX + 32)

struct sse_item {
	struct sse_item *next;
	struct message *message;
};

/* One stream; the door's state. */
struct sse {
	struct subscription subscription; /* first: the hub's callbacks get it */
	struct door *door;
	struct position since;
	bool had_since;
	bool ended;
	char epoch[EPOCH_MAX + 1]; /* of what is queued */
	struct sse_item *first, **last;
	size_t queued; /* octets of the queued messages */
	ev_timer comment;
	ev_timer expiry; /* of the token */
	ev_timer grace; /* runs while too much is unsent */
};

static struct sse *sse_of(struct subscription *subscription)
{
	return (struct sse *)subscription;
}

static struct ev_loop *loop_of(const struct sse *sse)
{
	return sse->door->doors->server->loop;
}

static void append(struct sse *sse, struct text text)
{
	bytes_append(&sse->door->out, text.p, text.len);
}

/* A line end within the text, which JSON allows between its tokens, begins another line of data. */
static void append_event(struct sse *sse, const char *event, uint64_t seq, struct text data)
{
	char id[SSE_ID_MAX];

	if (event) {
		append(sse, text_from("event: "));
		append(sse, text_from(event));
		append(sse, text_from("\n"));
	}
	snprintf(id, sizeof(id), "id: %s:%llu\n", sse->epoch, (unsigned long long)seq);
	append(sse, text_from(id));
	while (data.len > 0) {
		size_t len = 0;

		while (len < data.len && data.p[len] != '\n' && data.p[len] != '\r')
			len++;
		append(sse, text_from("data: "));
		append(sse, text_of(data.p, len));
		append(sse, text_from("\n"));
		len += len < data.len;
		data = text_of(data.p + len, data.len - len);
	}
	append(sse, text_from("\n"));
}

/* Moves queued messages into out until it holds out_max octets. */
static void fill(struct sse *sse, size_t out_max)
{
	while (sse->first && bytes_len(&sse->door->out) < out_max) {
		struct sse_item *item = sse->first;
		const struct frame *frame = item->message->frame;

		append_event(sse, NULL, item->message->seq, text_of(frame_payload(frame), frame_payload_len(frame)));
		sse->queued -= frame_payload_len(frame);
		sse->first = item->next;
		if (!sse->first)
			sse->last = &sse->first;
		message_unref(item->message);
		free(item);
	}
}

static void stop(struct sse *sse)
{
	sse->ended = true;
	hub_unsubscribe(&sse->subscription);
	ev_timer_stop(loop_of(sse), &sse->comment);
	ev_timer_stop(loop_of(sse), &sse->expiry);
	ev_timer_stop(loop_of(sse), &sse->grace);
}

/* Ends the stream behind what is queued. */
static void end(struct sse *sse)
{
	stop(sse);
	fill(sse, SIZE_MAX);
	door_answer(sse->door);
}

static void check_budget(struct sse *sse)
{
	const struct config *config = sse->door->doors->server->config;
	bool over = sse->queued + bytes_len(&sse->door->out) > config->slow_consumer_bytes;

	if (over && !ev_is_active(&sse->grace)) {
		ev_timer_set(&sse->grace, config->slow_consumer_grace_s, 0.);
		ev_timer_start(loop_of(sse), &sse->grace);
	} else if (!over) {
		ev_timer_stop(loop_of(sse), &sse->grace);
	}
}

/*
 * `id` is what a client comes back with. When messages are about to be replayed it is where the replay begins, not the
 * newest: a stream that is cut in between would lose them otherwise.
 */
static void append_subscribed(struct sse *sse, const struct subscribed *answer)
{
	bool replay = answer->has_recovered && answer->recovered;
	char name[HTTP_CHANNEL_BUFFER];
	struct text channel = { 0 };
	json_t *object;
	char *text;

	http_param_channel(sse->door->verdict.rest, name, &channel);
	object = json_pack("{s:s, s:n, s:s%, s:s, s:I}", "type", "subscribed", "id", "channel", channel.p, channel.len,
			   "epoch", answer->newest.epoch, "seq", (json_int_t)answer->newest.seq);
	if (answer->has_recovered)
		json_object_set_new(object, "recovered", json_boolean(answer->recovered));
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!text)
		abort();
	snprintf(sse->epoch, sizeof(sse->epoch), "%s", answer->newest.epoch);
	append_event(sse, "subscribed", replay ? sse->since.seq : answer->newest.seq, text_from(text));
	free(text);
}

static void on_subscribed(struct subscription *subscription, const struct subscribed *answer)
{
	struct sse *sse = sse_of(subscription);
	double expiry_s = http_expiry_s(sse->door);

	if (sse->ended)
		return;
	if (answer->status != HUB_OK) {
		stop(sse);
		http_answer_refusal(sse->door, 503, "the backplane is away", HTTP_RETRY_S);
		return;
	}
	if (sse->had_since)
		http_resume_count(answer);
	http_answer_head(sse->door, "text/event-stream");
	append_subscribed(sse, answer);
	if (sse->door->doors->server->refusing) {
		end(sse);
		return;
	}
	ev_timer_again(loop_of(sse), &sse->comment);
	ev_timer_set(&sse->expiry, expiry_s, 0.);
	ev_timer_start(loop_of(sse), &sse->expiry);
	door_stream(sse->door);
}

static void on_message(struct subscription *subscription, struct message *message)
{
	struct sse *sse = sse_of(subscription);
	struct sse_item *item;

	if (sse->ended)
		return;
	item = calloc(1, sizeof(*item));
	if (!item)
		abort();
	item->message = message_ref(message);
	*sse->last = item;
	sse->last = &item->next;
	sse->queued += frame_payload_len(message->frame);
	fill(sse, SSE_OUT_MAX);
	check_budget(sse);
	door_stream(sse->door);
}

static void on_epoch(struct subscription *subscription, const struct subscribed *news)
{
	struct sse *sse = sse_of(subscription);

	if (sse->ended)
		return;
	fill(sse, SIZE_MAX); /* what is of the old epoch */
	append_subscribed(sse, news);
	check_budget(sse);
	door_stream(sse->door);
}

/* Without a window this needs a replay that never gets to its end; the client may come back. */
static void on_evicted(struct subscription *subscription)
{
	struct sse *sse = sse_of(subscription);

	if (!sse->ended)
		end(sse);
}

static const struct subscription_ops ops = {
	.subscribed = on_subscribed,
	.message = on_message,
	.epoch = on_epoch,
	.evicted = on_evicted,
};

static void on_comment(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sse *sse = timer->data;

	(void)loop;
	(void)events;
	if (bytes_len(&sse->door->out) > 0) /* it has enough to read */
		return;
	append(sse, text_from(": still here\n\n"));
	door_stream(sse->door);
}

static void on_expiry(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	end(timer->data);
}

static void on_grace(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sse *sse = timer->data;

	(void)loop;
	(void)events;
	log_slow_consumer(sse->door->doors->server->log, &sse->door->info, sse->queued + bytes_len(&sse->door->out));
	metrics->slow_consumers++;
	door_drop(sse->door);
}

static void timer_init(struct sse *sse, ev_timer *timer, void (*on_time)(struct ev_loop *, ev_timer *, int))
{
	ev_timer_init(timer, on_time, 0., 0.);
	timer->data = sse;
}

static void start(struct door *door)
{
	struct sse *sse;
	char name[HTTP_CHANNEL_BUFFER];
	struct text channel;

	if (text_equal(door->parser.request.method, "HEAD")) {
		http_answer_head(door, "text/event-stream");
		door_answer(door);
		return;
	}
	sse = calloc(1, sizeof(*sse));
	if (!sse)
		abort();
	door->state = sse;
	sse->door = door;
	sse->last = &sse->first;
	sse->subscription.ops = &ops;
	timer_init(sse, &sse->comment, on_comment);
	sse->comment.repeat = SSE_COMMENT_S;
	timer_init(sse, &sse->expiry, on_expiry);
	timer_init(sse, &sse->grace, on_grace);
	sse->had_since =
		http_param_last_event(&door->parser.request, door->verdict.query, &sse->since) == HTTP_PARAM_OK;
	if (defect(sse_forgets_position))
		sse->had_since = false;
	http_param_channel(door->verdict.rest, name, &channel);
	hub_subscribe(door->doors->server->hub, &sse->subscription, channel, sse->had_since ? &sse->since : NULL, 0);
}

static void room(struct door *door)
{
	struct sse *sse = door->state;

	fill(sse, SSE_OUT_MAX);
	check_budget(sse);
	if (bytes_len(&door->out) > 0)
		door_stream(door);
}

static void drain(struct door *door)
{
	struct sse *sse = door->state;

	if (sse && !sse->ended && sse->subscription.live)
		end(sse);
}

static void gone(struct door *door)
{
	struct sse *sse = door->state;

	stop(sse);
	for (struct sse_item *item = sse->first; item;) {
		struct sse_item *next = item->next;

		message_unref(item->message);
		free(item);
		item = next;
	}
	free(sse);
}

const struct http_handler http_sse = {
	.needs_peer = true,
	.start = start,
	.room = room,
	.drain = drain,
	.gone = gone,
};
