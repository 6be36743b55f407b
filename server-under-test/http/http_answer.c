/*
 * Plain HTTP answers of the door. One request a connection: every answer says `Connection: close`, which keeps the
 * end of an answer and the end of a stream the same thing.
 */
#include "server-under-test/http/http_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/defects.h"
#include "server-under-test/http/http_route.h"
#include "server-under-test/http/http_status.h"

#define PREFLIGHT_MAX_AGE_S 600

/* One header line, CRLF included. Texts of a request fit: a head is bounded. */
__attribute__((format(printf, 2, 3)))
static void add(struct bytes *out, const char *format, ...)
{
	char *line;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&line, format, args);
	va_end(args);
	if (len < 0)
		abort();
	bytes_append(out, line, (size_t)len);
	bytes_append(out, "\r\n", 2);
	free(line);
}

/* Credentials of a browser are let through only where a list says whose scripts may use them. */
static void add_cors(struct door *door)
{
	const struct handshake_verdict *v = &door->verdict;
	const struct field_lines *origin = &door->parser.request.origin;
	struct bytes *out = &door->out;

	if (!v->route || !v->route->api)
		return;
	add(out, "Vary: Origin");
	if (!v->origin_allowed)
		return;
	add(out, "Access-Control-Allow-Origin: %.*s", (int)origin->v[0].len, origin->v[0].p);
	add(out, "Access-Control-Expose-Headers: Retry-After, X-Wsquall-Conn");
	if (door->doors->server->config->origins.count > 0)
		add(out, "Access-Control-Allow-Credentials: true");
}

/* Fields that follow from the status. */
static void add_status_fields(struct door *door, unsigned status)
{
	const struct http_route *route = door->verdict.route;
	char methods[64];

	if (status == 401)
		add(&door->out, "WWW-Authenticate: Bearer");
	if (status == 405 && route) {
		http_methods_print(route->methods, methods, sizeof(methods));
		add(&door->out, "Allow: %s", methods);
	}
	if (status == 426)
		add(&door->out, "Upgrade: websocket");
	if (door->verdict.version_field)
		add(&door->out, "Sec-WebSocket-Version: 13");
}

static void add_head(struct door *door, unsigned status, const char *type)
{
	struct bytes *out = &door->out;

	add(out, "HTTP/1.1 %u %s", status, http_status_text(status));
	add_status_fields(door, status);
	add_cors(door);
	add(out, status == 426 ? "Connection: Upgrade, close" : "Connection: close");
	add(out, "Cache-Control: no-store");
	if (type)
		add(out, "Content-Type: %s", type);
	add(out, "X-Wsquall-Conn: %s", door->info.id);
}

void http_answer_head(struct door *door, const char *type)
{
	add_head(door, 200, type);
	add(&door->out, "%s", "");
}

void http_answer(struct door *door, unsigned status, const char *type, struct text body, unsigned retry_s)
{
	add_head(door, status, type);
	if (retry_s > 0)
		add(&door->out, "Retry-After: %u", retry_s);
	add(&door->out, "Content-Length: %zu", body.len);
	add(&door->out, "%s", "");
	if (!text_equal(door->parser.request.method, "HEAD"))
		bytes_append(&door->out, body.p, body.len);
	door_answer(door);
}

/* The error codes of PROTOCOL. */
static const char *code_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *code;
	} rows[] = {
		{ 401, "unauthorized" }, { 403, "forbidden" },	  { 404, "not_found" },
		{ 413, "too_large" },	 { 429, "rate_limited" }, { 503, "unavailable" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status)
			return rows[i].code;
	return "bad_request";
}

void http_answer_refusal(struct door *door, unsigned status, const char *why, unsigned retry_s)
{
	bool json = door->verdict.route && door->verdict.route->api;
	char *body;
	int len;

	if ((status != 429 && status != 503) || defect(limit_refusal_without_retry_after))
		retry_s = 0;
	if (json) /* why is a sentence of ours, which needs no escapes */
		len = asprintf(&body, "{\"type\":\"error\",\"code\":\"%s\",\"reason\":\"%s\"}", code_of(status), why);
	else
		len = asprintf(&body, "%s\n", why);
	if (len < 0)
		abort();
	http_answer(door, status, json ? HTTP_JSON : HTTP_TEXT, text_of(body, (size_t)len), retry_s);
	free(body);
}

void http_answer_preflight(struct door *door)
{
	char methods[64];

	http_methods_print(door->verdict.route->methods, methods, sizeof(methods));
	add_head(door, 204, NULL);
	add(&door->out, "Allow: %s", methods);
	if (door->verdict.origin_allowed) {
		add(&door->out, "Access-Control-Allow-Methods: %s", methods);
		add(&door->out, "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID");
		add(&door->out, "Access-Control-Max-Age: %d", PREFLIGHT_MAX_AGE_S);
	}
	add(&door->out, "%s", "");
	door_answer(door);
}
