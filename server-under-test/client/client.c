/*
 * The service behind /ws: what the wire tells a client, and how one ends. A client never unsubscribes from within what
 * the hub or the store tell it, except the one subscription that was told of: the rest waits for the wire's word that
 * the connection is over, so no loop of theirs is pulled from under them.
 */
#include "server-under-test/client/client.h"

#include <math.h>
#include <stdlib.h>

#include "server-under-test/auth.h"
#include "server-under-test/defects.h"

/* The door has refused a window that is no number. */
static unsigned window_of(const struct config *config, struct text query)
{
	unsigned window = (unsigned)config->window;
	char buffer[LOG_TEXT_MAX];
	uint64_t asked = 0;
	struct text value;

	if (!query_value(query, "window", buffer, sizeof(buffer), &value) || value.len == 0)
		return window;
	for (size_t i = 0; i < value.len && asked <= window; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return window;
		asked = asked * 10 + (uint64_t)(value.p[i] - '0');
	}
	return asked < window ? (unsigned)asked : window;
}

static void on_opened(struct wire *wire, const struct wire_opening *opening)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		abort();
	client->wire = wire;
	client->server = wire_server(wire);
	client->window = window_of(client->server->config, opening->query);
	list_init(&client->requests);
	list_init(&client->savings);
	client_init_timers(client);
	wire_set_user(wire, client);
	client_set_identity(client, opening->identity);
	client->awaiting++; /* the session */
	client_claim_session(client, opening);
	if (defect(security_token_after_upgrade) && client->server->auth && !client->identity)
		client_close(client, CLOSE_POLICY, "bad token");
	client_check_pause(client);
}

static void on_message(struct wire *wire, bool binary, const uint8_t *data, size_t len)
{
	struct client *client = wire_user(wire);

	if (client->closing)
		return;
	if (defect(heartbeat_any_traffic))
		client->pong_due_s = INFINITY;
	if (!binary) {
		client_message(client, data, len, clock_monotonic_s());
		return;
	}
	metrics->messages_in[MESSAGE_TYPE_invalid]++;
	client_close(client, CLOSE_UNSUPPORTED, "binary messages are not part of wsquall.v1");
}

static void on_pong(struct wire *wire)
{
	struct client *client = wire_user(wire);

	if (!defect(heartbeat_kills_living))
		client->pong_due_s = INFINITY;
}

static void on_drained(struct wire *wire)
{
	struct client *client = wire_user(wire);

	client->slow_due_s = INFINITY;
	client_check_pause(client);
}

static void on_closed(struct wire *wire, const struct conn_end *end)
{
	struct client *client = wire_user(wire);

	(void)end;
	client->closing = true;
	ev_timer_stop(client->server->loop, &client->timer);
	client_end_session(client);
	client_drop_subs(client);
	client_drop_requests(client);
	client_forget_savings(client);
	identity_free(client->identity);
	wire_set_user(wire, NULL);
	free(client);
}

static size_t message_max(const struct config *config)
{
	return defect(limit_message_ignored) ? MESSAGE_UNLIMITED : config->message_max;
}

const struct service service_ws = {
	.path = "/ws",
	.opened = on_opened,
	.message = on_message,
	.pong = on_pong,
	.drained = on_drained,
	.closed = on_closed,
	.message_max = message_max,
};

/* The defect metrics_messages_once: only the first to get a broadcast counts it. */
static bool counted_before(const struct frame *broadcast)
{
	static const struct frame *last;
	bool before = broadcast == last;

	last = broadcast;
	return before;
}

static bool over_budget(const struct client *client, const struct frame *frame)
{
	return !client->window &&
	       wire_queued(client->wire) + frame->len > client->server->config->slow_consumer_bytes;
}

void client_send_shared(struct client *client, struct frame *frame, enum message_type type)
{
	if (client->closing || (defect(slow_consumer_drops) && over_budget(client, frame)))
		return;
	if (!defect(metrics_messages_once) || type != MESSAGE_TYPE_message || !counted_before(frame))
		metrics->messages_out[type]++;
	if (!isinf(client->slow_due_s))
		client_watch_queue(client, -INFINITY); /* it may have fallen since the last time */
	wire_send(client->wire, frame);
	client_watch_queue(client, -INFINITY);
}

void client_send(struct client *client, struct frame *frame, enum message_type type)
{
	client_send_shared(client, frame, type);
	frame_unref(frame);
	client_check_pause(client);
}

void client_error(struct client *client, struct text id, enum error_code code, const char *reason)
{
	client_send(client, messages_error(id, code, reason), MESSAGE_TYPE_error);
}

/* What a session has not kept yet is kept now; `ended` waits for the end. */
static bool end_begins(struct client *client)
{
	if (client->closing)
		return false;
	if (client->changed)
		client_save(client, false);
	client->closing = true;
	ev_timer_stop(client->server->loop, &client->timer);
	return true;
}

void client_close(struct client *client, enum client_close code, const char *reason)
{
	if (end_begins(client))
		wire_close(client->wire, code, reason);
}

void client_abort(struct client *client, enum client_close code, const char *reason)
{
	if (end_begins(client))
		wire_abort(client->wire, code, reason);
}

void client_slow_consumer(struct client *client)
{
	if (client->closing)
		return;
	if (!defect(slow_consumer_unlogged)) {
		metrics->slow_consumers++;
		log_slow_consumer(client->server->log, wire_info(client->wire), wire_queued(client->wire));
	}
	client_abort(client, CLOSE_SLOW_CONSUMER, "slow consumer");
}

bool client_waits_for_store(const struct client *client)
{
	return client->awaiting || client->publishes >= CLIENT_PUBLISHES_MAX ||
	       client->publish_bytes >= CLIENT_PUBLISH_BYTES_MAX;
}

static bool input_waits(const struct client *client)
{
	return client_waits_for_store(client) || wire_queued(client->wire) > CLIENT_QUEUE_MAX;
}

/*
 * Going on waits for a loop turn of its own: the wire may hand over what it held back at once, and the hub may be in
 * the middle of something.
 */
void client_check_pause(struct client *client)
{
	bool waits = !client->closing && input_waits(client);

	if (waits && !client->paused) {
		client->paused = true;
		wire_pause(client->wire, true);
	} else if (!waits && client->paused && isinf(client->resume_due_s)) {
		client->resume_due_s = 0;
		client_arm(client);
	}
}
