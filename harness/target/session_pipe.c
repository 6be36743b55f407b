/*
 * A session on a pipe, for tests that own the sockets: JSON lines in, what the session wants done and tells out, and a
 * line {"done": result} behind each command. ci/e2e/dialects is the other end.
 *
 *	session_pipe DIALECT [NAME=VALUE...]
 *	{"do":"about"} {"do":"request","base":"/ws"} {"do":"open"} {"do":"receive","text":T} or "hex":"00ff"
 *	{"do":"closed","code":1006} {"do":"subscribe","channel":1,"name":"c"} {"do":"unsubscribe","channel":1}
 *	{"do":"publish","channel":1,"name":"c","data":T,"key":K,"op":1} {"do":"http_done","op":1,"status":200,"text":T}
 *	{"do":"cursor","channel":1} {"do":"forget"} {"do":"acks","on":false} {"do":"wake","at_us":1}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/target/session.h"

enum { ARENA_MAX = 16 << 20, VARIABLES_MAX = 32 };

static const char *const recovered_names[] = {"untold", "yes", "no"};
static const struct dialect *dialect;
static uint64_t now_us;

static void tell(json_t *line)
{
	json_dumpf(line, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(line);
}

static json_t *text_or_null(const char *text)
{
	return text ? json_text(span_str(text)) : json_null();
}

static void tell_news(const char *what, const struct session_news *n)
{
	json_t *line = json_pack("{s:s, s:I, s:I, s:b, s:b, s:s, s:I, s:b}", "tell", what, "channel",
				 (json_int_t)n->channel, "op", (json_int_t)n->op, "ok", n->ok, "unsure", n->unsure, "recovered",
				 recovered_names[n->recovered], "seq", (json_int_t)n->seq, "replay", n->replay);
	json_object_set_new(line, "epoch", json_text(n->epoch));
	json_object_set_new(line, "data", json_text(n->data));
	json_object_set_new(line, "code", text_or_null(n->code));
	json_object_set_new(line, "reason", text_or_null(n->reason));
	tell(line);
}

static void on_say(void *owner, struct span message, bool binary)
{
	(void)owner;
	tell(json_pack("{s:s, s:o, s:b}", "tell", "say", "text", json_text(message), "binary", binary));
}

static void on_http(void *owner, uint64_t op, const char *method, const char *target, const char *type, struct span body)
{
	(void)owner;
	tell(json_pack("{s:s, s:I, s:s, s:s, s:o, s:o}", "tell", "http", "op", (json_int_t)op, "method", method, "target",
		       target, "type", text_or_null(type), "body", json_text(body)));
}

#define ON_NEWS(name) \
	static void on_##name(void *owner, const struct session_news *n) \
	{ \
		(void)owner; \
		tell_news(#name, n); \
	}
ON_NEWS(ready)
ON_NEWS(subscribed)
ON_NEWS(published)
ON_NEWS(message)
ON_NEWS(moved)
ON_NEWS(error)

static void on_acked(void *owner, uint32_t channel, uint64_t seq)
{
	(void)owner;
	tell(json_pack("{s:s, s:I, s:I}", "tell", "acked", "channel", (json_int_t)channel, "seq", (json_int_t)seq));
}

static void on_ping(void *owner)
{
	(void)owner;
	tell(json_pack("{s:s}", "tell", "ping"));
}

static void on_unknown(void *owner, struct span message)
{
	(void)owner;
	tell(json_pack("{s:s, s:o}", "tell", "unknown", "text", json_text(message)));
}

static const struct session_events events = {
	.say = on_say, .http = on_http, .ready = on_ready, .subscribed = on_subscribed, .published = on_published,
	.message = on_message, .moved = on_moved, .acked = on_acked, .ping = on_ping, .error = on_error,
	.unknown = on_unknown,
};

static json_t *strings(const struct opt_strings *list)
{
	json_t *all = json_array();
	for (size_t i = 0; i < list->len; i++)
		json_array_append_new(all, json_string(list->items[i]));
	return all;
}

static json_t *do_about(void)
{
	static const char *const transports[] = {"websocket", "sse", "adapter"};
	return json_pack("{s:s, s:o, s:o, s:b}", "transport", transports[dialect->transport], "subprotocols",
			 strings(&dialect->subprotocols), "adapter", strings(&dialect->adapter), "publish_by_http",
			 dialect->publish_by_http);
}

static json_t *do_request(struct session *s, const char *base)
{
	struct session_request request;
	int r = session_request(s, base, &request);
	if (r < 0)
		return json_integer(r);
	json_t *headers = json_object();
	for (size_t i = 0; i < request.n_headers; i++)
		json_object_set_new(headers, request.headers[i].key, json_string(request.headers[i].value));
	return json_pack("{s:s, s:o, s:b}", "target", request.target, "headers", headers, "resumes", request.resumes);
}

static json_t *do_closed(struct session *s, int code)
{
	static const char *const names[] = {"reconnect", "afresh", "stop"};
	return json_string(names[session_closed(s, code)]);
}

static json_t *do_cursor(struct session *s, uint32_t channel)
{
	uint64_t seq;
	struct span epoch;
	if (!session_cursor(s, channel, &seq, &epoch))
		return json_null();
	return json_pack("{s:I, s:o}", "seq", (json_int_t)seq, "epoch", json_text(epoch));
}

/* For octets that are no text. */
static void receive_hex(struct session *s, const char *hex)
{
	struct buf octets CLEANUP(buf_fini);
	buf_init(&octets, SESSION_UNIT_MAX);
	for (unsigned octet; sscanf(hex, "%2x", &octet) == 1; hex += 2)
		buf_append_u8(&octets, (uint8_t)octet);
	session_receive(s, buf_span(&octets), true, now_us);
}

static json_t *run(struct session *s, json_t *line)
{
	const char *what = "", *base = "/", *name = "", *key = NULL, *text = "", *hex = NULL;
	size_t len = 0;
	int code = 1006, on = 1, status = 0, r = 0;
	json_int_t channel = 0, op = 0, at_us = 0;
	json_unpack(line, "{s:s, s?s, s?s, s?s, s?s%, s?s%, s?i, s?b, s?i, s?I, s?I, s?I, s?s}", "do", &what, "base", &base,
		    "name", &name, "key", &key, "text", &text, &len, "data", &text, &len, "code", &code, "on", &on,
		    "status", &status, "channel", &channel, "op", &op, "at_us", &at_us, "hex", &hex);
	if (at_us)
		now_us = (uint64_t)at_us;
	if (strcmp(what, "about") == 0)
		return do_about();
	if (strcmp(what, "request") == 0)
		return do_request(s, base);
	if (strcmp(what, "closed") == 0)
		return do_closed(s, code);
	if (strcmp(what, "cursor") == 0)
		return do_cursor(s, (uint32_t)channel);
	if (strcmp(what, "open") == 0)
		session_open(s, now_us);
	else if (strcmp(what, "receive") == 0 && hex)
		receive_hex(s, hex);
	else if (strcmp(what, "receive") == 0)
		session_receive(s, span_of(text, len), false, now_us);
	else if (strcmp(what, "subscribe") == 0)
		r = session_subscribe(s, (uint32_t)channel, name);
	else if (strcmp(what, "unsubscribe") == 0)
		session_unsubscribe(s, (uint32_t)channel);
	else if (strcmp(what, "publish") == 0)
		r = session_publish(s, (uint32_t)channel, name, span_of(text, len), key, (uint64_t)op);
	else if (strcmp(what, "http_done") == 0)
		session_http_done(s, (uint64_t)op, status, span_of(text, len));
	else if (strcmp(what, "forget") == 0)
		session_forget(s);
	else if (strcmp(what, "acks") == 0)
		session_set_acks(s, on);
	else if (strcmp(what, "wake") == 0)
		session_wake(s, now_us);
	else
		return json_string("unknown command");
	return json_integer(r);
}

static void read_lines(struct session *s)
{
	char *text = NULL;
	size_t cap = 0;
	while (getline(&text, &cap, stdin) > 0) {
		json_t *line = json_loads(text, 0, NULL);
		tell(json_pack("{s:o, s:I}", "done", run(s, line), "wake_at_us",
			       (json_int_t)(session_wake_at(s) == UINT64_MAX ? 0 : session_wake_at(s))));
		fflush(stdout);
		json_decref(line);
	}
	free(text);
}

int main(int argc, char **argv)
{
	struct opt_pair pairs[VARIABLES_MAX];
	struct opt_map variables = {.items = pairs};
	struct session *s;
	struct arena a;
	struct err e;
	for (int i = 2; i < argc && variables.len < VARIABLES_MAX; i++) {
		char *equals = strchr(argv[i], '=');
		if (!equals)
			return 64;
		*equals = 0;
		pairs[variables.len++] = (struct opt_pair){argv[i], equals + 1};
	}
	arena_init(&a, ARENA_MAX);
	int r = argc < 2 ? -EINVAL : dialect_load(argv[1], NULL, &a, &dialect, &e);
	if (r < 0) {
		fprintf(stderr, "%s\n", argc < 2 ? "usage: session_pipe DIALECT [NAME=VALUE...]" : e.text);
		arena_fini(&a);
		return 64;
	}
	if (session_new(dialect, &variables, &events, NULL, &s) == 0) {
		read_lines(s);
		session_free(s);
	}
	arena_fini(&a);
	return 0;
}
