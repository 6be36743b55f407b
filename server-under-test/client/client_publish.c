/* Publish and history: a question to the hub, an answer to the client, and what is kept in between. */
#include "server-under-test/client/client.h"

#include <stdlib.h>

#include "server-under-test/defects.h"

static const char *channel_of(const struct client_request *request)
{
	return request->text + request->id_len;
}

struct client_request *client_request_new(struct client *client, const struct incoming *in)
{
	struct client_request *request = malloc(sizeof(*request) + in->id.len + in->channel.len + 1);

	if (!request)
		abort();
	*request = (struct client_request){ .client = client, .started_s = in->at_s, .id_len = in->id.len };
	list_init(&request->link);
	memcpy(request->text, in->id.p, in->id.len);
	memcpy(request->text + in->id.len, in->channel.p, in->channel.len);
	request->text[in->id.len + in->channel.len] = '\0';
	return request;
}

void client_request_free(struct client_request *request)
{
	if (!request)
		return;
	if (request->publish) {
		request->client->publishes--;
		request->client->publish_bytes -= request->size;
	}
	list_remove(&request->link);
	free(request);
}

void client_drop_requests(struct client *client)
{
	while (!list_empty(&client->requests)) {
		struct client_request *request = LIST_ENTRY(client->requests.next, struct client_request, link);

		hub_op_cancel(&request->op);
		client_request_free(request);
	}
}

/* The answer is queued; the request is over. */
static void request_done(struct client_request *request)
{
	struct client *client = request->client;

	client_observe(request->started_s);
	client_request_free(request);
	client_check_pause(client);
}

static void on_published(struct hub_op *op, const struct published *answer)
{
	struct client_request *request = (struct client_request *)(void *)((char *)op - offsetof(struct client_request, op));
	struct text id = client_request_id(request);

	if (answer->status == HUB_OK || defect(outage_publish_confirmed))
		client_send(request->client, messages_published(id, channel_of(request), &answer->at),
			    MESSAGE_TYPE_published);
	else
		client_error(request->client, id, ERROR_UNAVAILABLE,
			     "the backplane is away: it may or may not have been stored, repeat it with its key");
	request_done(request);
}

/* Reads `key`, len 0 for none. False: malformed. */
static bool key_read(const struct scan_value *value, char buffer[KEY_MAX], struct text *ret)
{
	*ret = text_of(NULL, 0);
	if (value->kind == SCAN_ABSENT || value->kind == SCAN_NULL)
		return true;
	return json_scan_string(value, buffer, KEY_MAX, ret) && ret->len > 0;
}

static void publish(struct client *client, struct incoming *in, struct text data, struct text key)
{
	struct client_request *request = client_request_new(client, in);

	request->publish = true;
	request->size = data.len;
	client->publishes++;
	client->publish_bytes += data.len;
	list_append(&client->requests, &request->link);
	hub_publish(client->server->hub, &request->op, in->channel, data, key, on_published);
	client_check_pause(client);
}

void client_on_publish(struct client *client, struct incoming *in)
{
	size_t max = client->server->config->channel_max_data;
	const struct scan_value *value = &in->fields[FIELD_DATA].value;
	char key_buffer[KEY_MAX];
	struct text key, data;
	char *compact;

	if (value->kind == SCAN_ABSENT) {
		client_refuse(client, in, ERROR_BAD_REQUEST, "\"data\" is missing");
		return;
	}
	if (!key_read(&in->fields[FIELD_KEY].value, key_buffer, &key)) {
		client_refuse(client, in, ERROR_BAD_REQUEST, "\"key\" must be a string of 1 to 256 bytes");
		return;
	}
	if (!client_channel_covered(client, in))
		return;
	compact = malloc(value->raw.len);
	if (!compact)
		abort();
	data = text_of(compact, json_scan_compact(value->raw, compact));
	if (max && data.len > max)
		client_refuse(client, in, ERROR_TOO_LARGE, "\"data\" is larger than a message of this channel may be");
	else
		publish(client, in, data, key);
	free(compact);
}

static void on_history(struct hub_op *op, const struct history *answer)
{
	struct client_request *request = (struct client_request *)(void *)((char *)op - offsetof(struct client_request, op));
	struct text id = client_request_id(request);

	request->client->awaiting--;
	if (answer->status == HUB_OK)
		client_send(request->client, messages_history(id, channel_of(request), answer), MESSAGE_TYPE_history);
	else
		client_error(request->client, id, ERROR_UNAVAILABLE, "the backplane is away");
	request_done(request);
}

void client_on_history(struct client *client, struct incoming *in)
{
	struct client_request *request;
	uint64_t from, to;

	if (!json_scan_seq(&in->fields[FIELD_FROM].value, &from) || !json_scan_seq(&in->fields[FIELD_TO].value, &to) ||
	    from < 1 || to < from) {
		client_refuse(client, in, ERROR_BAD_REQUEST,
			     "\"from\" and \"to\" must be whole numbers, from at least 1 and to at least from");
		return;
	}
	if (!client_channel_covered(client, in))
		return;
	request = client_request_new(client, in);
	list_append(&client->requests, &request->link);
	client->awaiting++;
	hub_history(client->server->hub, &request->op, in->channel, from, to, on_history);
	client_check_pause(client);
}
