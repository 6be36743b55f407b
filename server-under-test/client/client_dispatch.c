/* From the text of a message to the function that handles its type. */
#include "server-under-test/client/client.h"

#include <stdlib.h>

#include "server-under-test/auth.h"
#include "server-under-test/defects.h"

static void on_ping(struct client *client, struct incoming *in)
{
	client_send(client, messages_pong(in->id, (uint64_t)(clock_unix_s() * 1000)), MESSAGE_TYPE_pong);
	client_observe(in->at_s);
}

/* One row per message type. `limited`: each counts against rate_messages; an ack counts itself when it is of no use. */
static const struct handler {
	const char *type;
	enum message_type metric;
	bool limited;
	void (*handle)(struct client *client, struct incoming *in);
} handlers[] = {
	{ "subscribe", MESSAGE_TYPE_subscribe, true, client_on_subscribe },
	{ "unsubscribe", MESSAGE_TYPE_unsubscribe, true, client_on_unsubscribe },
	{ "publish", MESSAGE_TYPE_publish, true, client_on_publish },
	{ "ack", MESSAGE_TYPE_ack, false, client_on_ack },
	{ "history", MESSAGE_TYPE_history, true, client_on_history },
	{ "auth", MESSAGE_TYPE_auth, true, client_on_auth },
	{ "ping", MESSAGE_TYPE_ping, true, on_ping },
};

static const struct incoming incoming_empty = {
	.fields = {
		[FIELD_TYPE] = { .name = "type" },
		[FIELD_ID] = { .name = "id" },
		[FIELD_CHANNEL] = { .name = "channel" },
		[FIELD_SINCE] = { .name = "since" },
		[FIELD_DATA] = { .name = "data" },
		[FIELD_KEY] = { .name = "key" },
		[FIELD_SEQ] = { .name = "seq" },
		[FIELD_FROM] = { .name = "from" },
		[FIELD_TO] = { .name = "to" },
		[FIELD_TOKEN] = { .name = "token" },
	},
};

static const struct handler *handler_find(const struct scan_value *type)
{
	char buffer[16];
	struct text name;

	if (!json_scan_string(type, buffer, sizeof(buffer), &name))
		return NULL;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (text_equal(name, handlers[i].type))
			return &handlers[i];
	return NULL;
}

/* Sets in->id to what answers echo. False: there is one, and it is none. */
static bool read_id(struct incoming *in)
{
	const struct scan_value *id = &in->fields[FIELD_ID].value;

	in->id = MESSAGES_NULL;
	switch (id->kind) {
	case SCAN_ABSENT:
	case SCAN_NULL:
		return true;
	case SCAN_NUMBER:
		if (id->raw.len > ID_BYTES_MAX)
			return false;
		break;
	case SCAN_STRING:
		if (json_scan_string_len(id) > ID_BYTES_MAX)
			return false;
		break;
	default:
		return false;
	}
	in->id = id->raw;
	return true;
}

void client_observe(double started_s)
{
	double took_s = clock_monotonic_s() - started_s;

	if (took_s < 0 || defect(metrics_latency_zero))
		took_s = 0;
	metrics_observe_duration(defect(metrics_latency_microseconds) ? took_s * 1e6 : took_s);
}

bool client_rate_ok(struct client *client, struct text id, double now_s)
{
	const struct config *config = client->server->config;

	if (defect(limit_rate_ignored) ||
	    bucket_take(&client->bucket, (double)config->rate_messages, (double)config->rate_burst, now_s))
		return true;
	if (defect(limit_rate_drops_silently))
		return false;
	if (now_s - client->strike_s > CLIENT_STRIKES_S)
		client->strikes = 0;
	client->strike_s = now_s;
	client->strikes++;
	client_error(client, id, ERROR_RATE_LIMITED, "too many messages a second");
	if (client->strikes >= config->rate_strikes)
		client_close(client, CLOSE_RATE_LIMITED, "rate limited");
	return false;
}

void client_refuse(struct client *client, const struct incoming *in, enum error_code code, const char *reason)
{
	client_error(client, in->id, code, reason);
	client_observe(in->at_s);
}

/* Answers what no handler takes. */
static void refuse(struct client *client, struct incoming *in, enum error_code code, const char *why)
{
	if (defect(input_unknown_type_ignored) && code == ERROR_UNKNOWN_TYPE)
		return;
	if (client_rate_ok(client, in->id, in->at_s))
		client_refuse(client, in, code, why);
}

void client_message(struct client *client, const uint8_t *data, size_t len, double now_s)
{
	struct incoming in = incoming_empty;
	const struct handler *handler = NULL;
	const char *why = NULL;
	bool good_id = true;

	in.at_s = now_s;
	in.id = MESSAGES_NULL;
	if (json_scan_object(text_of((const char *)data, len), in.fields, FIELD_COUNT, &why)) {
		good_id = read_id(&in);
		handler = handler_find(&in.fields[FIELD_TYPE].value);
	}
	metrics->messages_in[handler ? handler->metric : MESSAGE_TYPE_invalid]++;
	if (why && defect(input_malformed_closes))
		client_close(client, CLOSE_INTERNAL, why);
	else if (why)
		refuse(client, &in, ERROR_BAD_REQUEST, why);
	else if (!good_id)
		refuse(client, &in, ERROR_BAD_REQUEST, "\"id\" must be a number or a string of at most 64 bytes");
	else if (in.fields[FIELD_TYPE].value.kind != SCAN_STRING)
		refuse(client, &in, ERROR_BAD_REQUEST, "\"type\" must be a string");
	else if (!handler)
		refuse(client, &in, ERROR_UNKNOWN_TYPE, "this type is not part of wsquall.v1");
	else if (!handler->limited || client_rate_ok(client, in.id, now_s))
		handler->handle(client, &in);
}

bool client_channel_ok(struct client *client, struct incoming *in)
{
	if (defect(input_wrong_type_crashes) && in->fields[FIELD_CHANNEL].value.kind != SCAN_STRING)
		abort();
	if (json_scan_string(&in->fields[FIELD_CHANNEL].value, in->channel_name, sizeof(in->channel_name), &in->channel) &&
	    hub_channel_name_ok(in->channel))
		return true;
	client_refuse(client, in, ERROR_BAD_REQUEST,
		     "\"channel\" must be a string of 1 to 128 bytes of A-Z a-z 0-9 . _ - /");
	return false;
}

bool client_channel_covered(struct client *client, struct incoming *in)
{
	if (!client_channel_ok(client, in))
		return false;
	if (identity_allows(client->identity, in->channel))
		return true;
	client_refuse(client, in, ERROR_FORBIDDEN, "the token does not cover this channel");
	return false;
}
