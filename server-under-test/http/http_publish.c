/*
 * POST /publish/{channel}: a publish of one message by whoever has no WebSocket. The answer is awaited even when the
 * peer has half closed, which is how some clients end a request.
 */
#include <jansson.h>
#include <stdlib.h>

#include "server-under-test/http/http_answer.h"
#include "server-under-test/http/http_handlers.h"
#include "server-under-test/http/http_params.h"
#include "server-under-test/client/json_scan.h"
#include "server-under-test/base/utf8.h"

/* One publish under way; the door's state. */
struct http_publishing {
	struct hub_op op; /* first: done gets it */
	struct door *door;
};

/* A JSON text that jansson made, as a whole body. */
static void answer_json(struct door *door, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	if (!text)
		abort();
	http_answer(door, 200, HTTP_JSON, text_from(text), 0);
	free(text);
}

static void on_published(struct hub_op *op, const struct published *answer)
{
	struct http_publishing *publishing = (struct http_publishing *)op;
	struct door *door = publishing->door;
	char name[HTTP_CHANNEL_BUFFER];
	struct text channel = { 0 };

	if (answer->status != HUB_OK) {
		http_answer_refusal(door, 503, "the message may or may not have been stored: repeat it with its key",
				    HTTP_RETRY_S);
		return;
	}
	http_param_channel(door->verdict.rest, name, &channel);
	answer_json(door, json_pack("{s:s, s:s%, s:s, s:I}", "type", "published", "channel", channel.p, channel.len,
				    "epoch", answer->at.epoch, "seq", (json_int_t)answer->at.seq));
}

/* What a body {"data":ANY,"key":"K"} says; data is malloc'ed. */
struct http_publication {
	char *data;
	size_t data_len;
	char key_buffer[KEY_MAX];
	struct text key; /* len 0: none */
};

static bool is_utf8(struct text text)
{
	struct utf8 utf8 = { 0 };

	return utf8_feed(&utf8, (const uint8_t *)text.p, text.len) && utf8_complete(&utf8);
}

/* NULL: fine; else what is wrong, and data is not allocated. */
static const char *body_fault(struct text body, struct http_publication *ret)
{
	struct scan_member members[] = { { .name = "data" }, { .name = "key" } };
	const struct scan_value *data = &members[0].value;
	const struct scan_value *key = &members[1].value;
	const char *why;

	ret->key = text_of("", 0);
	if (!is_utf8(body))
		return "the body is not UTF-8";
	if (!json_scan_object(body, members, 2, &why))
		return why;
	if (data->kind == SCAN_ABSENT)
		return "the body has no data";
	if (key->kind != SCAN_ABSENT && key->kind != SCAN_NULL &&
	    (!json_scan_string(key, ret->key_buffer, KEY_MAX, &ret->key) || ret->key.len == 0))
		return "the key is not a string of 1 to 256 bytes";
	ret->data = malloc(data->raw.len);
	if (!ret->data)
		abort();
	ret->data_len = json_scan_compact(data->raw, ret->data);
	return NULL;
}

static void publish(struct door *door, const struct http_publication *publication)
{
	const struct server *server = door->doors->server;
	struct http_publishing *publishing = calloc(1, sizeof(*publishing));
	char name[HTTP_CHANNEL_BUFFER];
	struct text channel = { 0 };

	if (!publishing)
		abort();
	publishing->door = door;
	door->state = publishing;
	http_param_channel(door->verdict.rest, name, &channel);
	hub_publish(server->hub, &publishing->op, channel, text_of(publication->data, publication->data_len),
		    publication->key, on_published);
}

static void start(struct door *door)
{
	size_t data_max = door->doors->server->config->channel_max_data;
	struct http_publication publication = { 0 };
	size_t len = bytes_len(&door->body);
	struct text body = len > 0 ? text_of((const char *)door->body.p + door->body.start, len) : text_of("", 0);
	const char *fault = body_fault(body, &publication);

	bytes_fini(&door->body);
	if (fault)
		http_answer_refusal(door, 400, fault, 0);
	else if (data_max > 0 && publication.data_len > data_max)
		http_answer_refusal(door, 413, "data is larger than a message of this channel may be", 0);
	else
		publish(door, &publication);
	free(publication.data);
}

static void gone(struct door *door)
{
	struct http_publishing *publishing = door->state;

	hub_op_cancel(&publishing->op);
	free(publishing);
}

const struct http_handler http_publish = { .body = true, .start = start, .gone = gone };
