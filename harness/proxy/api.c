/*
 * From a request to the row of its route. What many routes share is done here once: who may ask, the path, the proxy
 * and the toxic it names, the JSON of the body, and errors.
 */
#include "harness/proxy/api_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/escape.h"
#include "harness/base/json.h"
#include "harness/base/near.h"

enum { NO_BODY = 0, BODY = 1 };

/* A segment {p}, {t} or {n} is the name of a proxy, of one of its toxics, or the number of one of its connections. */
static const struct route {
	const char *method, *path;
	void (*answer)(struct api_call *c);
	bool body;                 /* it wants JSON; else what is sent is ignored */
} routes[] = {
	{"GET", "/", api_show_routes, NO_BODY},
	{"GET", "/proxies", api_list_proxies, NO_BODY},
	{"POST", "/proxies", api_create_proxy, BODY},
	{"POST", "/populate", api_populate, BODY},
	{"GET", "/proxies/{p}", api_show_proxy, NO_BODY},
	{"POST", "/proxies/{p}", api_change_proxy, BODY},
	{"PATCH", "/proxies/{p}", api_change_proxy, BODY},
	{"DELETE", "/proxies/{p}", api_delete_proxy, NO_BODY},
	{"GET", "/proxies/{p}/toxics", api_list_toxics, NO_BODY},
	{"POST", "/proxies/{p}/toxics", api_create_toxic, BODY},
	{"GET", "/proxies/{p}/toxics/{t}", api_show_toxic, NO_BODY},
	{"POST", "/proxies/{p}/toxics/{t}", api_change_toxic, BODY},
	{"PATCH", "/proxies/{p}/toxics/{t}", api_change_toxic, BODY},
	{"DELETE", "/proxies/{p}/toxics/{t}", api_delete_toxic, NO_BODY},
	{"GET", "/proxies/{p}/connections", api_list_connections, NO_BODY},
	{"GET", "/proxies/{p}/connections/{n}", api_show_connection, NO_BODY},
	{"DELETE", "/proxies/{p}/connections/{n}", api_kill_connection, NO_BODY},
	{"POST", "/reset", api_reset, NO_BODY},
	{"GET", "/version", api_show_version, NO_BODY},
	{"GET", "/metrics", api_show_metrics, NO_BODY},
	{"GET", "/events", api_show_events, NO_BODY},
	{"GET", "/faults", api_show_faults, NO_BODY},
};

/* Answers ---------------------------------------------------------------------------------------------------------- */

void api_answer(struct api_call *c, unsigned status, json_t *value)
{
	static const char no_memory[] = "{\"error\":\"out of memory\",\"status\":500}";
	struct buf *b = &c->answer->body;
	c->answer->status = status;
	c->answer->content_type = "application/json";
	b->len = 0;
	if (!value || options_json_print(b, value) < 0 || buf_append_u8(b, '\n') < 0) {
		b->len = 0;
		c->answer->status = 500;
		buf_append(b, no_memory, sizeof(no_memory) - 1);
	}
	json_decref(value);
}

json_t *api_error(unsigned status, const char *sentence)
{
	return json_pack("{s:o, s:i}", "error", json_text(span_str(sentence)), "status", (int)status);
}

void api_fail(struct api_call *c, unsigned status, const char *fmt, ...)
{
	struct err e;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	api_answer(c, status, api_error(status, e.text));
}

unsigned api_status_of(int error)
{
	switch (-error) {
	case EEXIST:
	case EADDRINUSE:
	case ENOSPC:
		return 409;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return 503;
	default:
		return 400;
	}
}

void api_refuse(struct api_call *c, int error, const struct err *e)
{
	api_fail(c, api_status_of(error), "%s", e->text);
}

/* What a path names ------------------------------------------------------------------------------------------------ */

static void fail_unknown(struct api_call *c, const char *what, const char *name, const char *near)
{
	struct buf shown CLEANUP(buf_fini) = {0};
	escape_word(&shown, name);
	if (near)
		api_fail(c, 404, "%s not found: \"%s\", did you mean \"%s\"?", what, buf_cstr(&shown), near);
	else
		api_fail(c, 404, "%s not found: \"%s\"", what, buf_cstr(&shown));
}

static bool find_proxy(struct api_call *c, const char *name)
{
	static const char *names[PROXIES_MAX];
	size_t n = 0;
	c->proxy = proxies_find(c->api->proxies, name);
	if (c->proxy)
		return true;
	for (struct proxy *p = proxies_next(c->api->proxies, NULL); p; p = proxies_next(c->api->proxies, p))
		if (n < ARRAY_LEN(names))
			names[n++] = proxy_name(p);
	fail_unknown(c, "proxy", name, near_word(name, names, n));
	return false;
}

static bool find_toxic(struct api_call *c, const char *name)
{
	const char *names[TOXICS_MAX];
	size_t n = 0;
	c->toxic = toxics_find(proxy_toxics(c->proxy), name);
	if (c->toxic)
		return true;
	for (const struct toxic *t = proxy_toxics(c->proxy)->first; t && n < ARRAY_LEN(names); t = t->next)
		names[n++] = t->name;
	fail_unknown(c, "toxic", name, near_word(name, names, n));
	return false;
}

static bool find_connection(struct api_call *c, const char *text)
{
	char *end;
	c->connection = strtoull(text, &end, 10);
	if (text[0] >= '1' && text[0] <= '9' && !*end)
		return true;
	fail_unknown(c, "connection", text, NULL);
	return false;
}

static bool find_all(struct api_call *c, const char *path)
{
	for (size_t i = 0; i < c->path.n; i++) {
		const char *name = c->path.segments[i];
		path = strchr(path, '/') + 1;
		bool found = path[0] != '{' || (path[1] == 'p'   ? find_proxy(c, name)
						: path[1] == 't' ? find_toxic(c, name)
								 : find_connection(c, name));
		if (!found)
			return false;
	}
	return true;
}

static bool fits(const char *path, const struct api_path *asked)
{
	size_t n = 0;
	for (size_t len; path[0] && path[1]; path += len) {
		len = strcspn(++path, "/");
		if (n >= asked->n || (path[0] != '{' && !span_eq(span_of(path, len), span_str(asked->segments[n]))))
			return false;
		n++;
	}
	return n == asked->n;
}

/* From request to route -------------------------------------------------------------------------------------------- */

static const struct route *find_route(struct api_call *c, const char *method)
{
	char *methods = c->answer->allow;
	size_t size = sizeof(c->answer->allow);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!fits(routes[i].path, &c->path))
			continue;
		if (strcmp(routes[i].method, method) == 0) {
			methods[0] = 0;
			return &routes[i];
		}
		size_t len = strlen(methods);
		snprintf(methods + len, size - len, "%s%s", len ? ", " : "", routes[i].method);
	}
	if (!methods[0]) {
		api_fail(c, 404, "there is no such resource; GET / tells which there are");
		return NULL;
	}
	api_fail(c, 405, "method not allowed: this resource knows %s", methods);
	return NULL;
}

static bool is_too_deep(const json_t *value, unsigned depth)
{
	const char *key;
	json_t *item, *v = (json_t *)value;
	size_t i;
	if (depth > API_DEPTH_MAX)
		return true;
	json_array_foreach(v, i, item)
		if (is_too_deep(item, depth + 1))
			return true;
	json_object_foreach(v, key, item)
		if (is_too_deep(item, depth + 1))
			return true;
	return false;
}

static bool read_body(struct api_call *c, const struct http_request *q)
{
	json_error_t error;
	const char *text = q->body.len ? (const char *)q->body.p : "";
	c->body = json_loadb(text, q->body.len, JSON_REJECT_DUPLICATES, &error);
	if (c->body && !is_too_deep(c->body, 1))
		return true;
	if (c->body) {
		api_fail(c, 400, "bad request body: nested deeper than %d", API_DEPTH_MAX);
		return false;
	}
	struct buf shown CLEANUP(buf_fini) = {0};
	buf_init(&shown, ERR_TEXT_MAX);
	escape_text_max(&shown, span_str(error.text), ERR_TEXT_MAX / 8);
	api_fail(c, 400, "bad request body: line %d, column %d: %s", error.line, error.column, buf_cstr(&shown));
	return false;
}

static void dispatch(struct api_call *c, const struct http_request *q)
{
	struct err e;
	if (q->too_large) {
		api_fail(c, 413, "the request's body is too large: at most %d octets", HTTP_BODY_MAX);
		return;
	}
	if (api_path_read(q->target, &c->arena, &c->path, &e) < 0) {
		api_fail(c, 400, "%s", e.text);
		return;
	}
	const struct route *route = find_route(c, q->method);
	if (route && find_all(c, route->path) && (!route->body || read_body(c, q)))
		route->answer(c);
}

void api_on_request(void *owner, const struct http_request *q, struct http_answer *a)
{
	struct api_call c = {.api = owner, .answer = a};
	struct err e;
	arena_init(&c.arena, API_CALL_MEMORY_MAX);
	unsigned status = api_admit(&c.api->door, q, &e);
	if (status)
		api_fail(&c, status, "%s", e.text);
	else
		dispatch(&c, q);
	if (status == 401)
		a->challenge = "Bearer";
	metrics_count_request(c.api->metrics, a->status);
	json_decref(c.body);
	arena_fini(&c.arena);
}

void api_show_routes(struct api_call *c)
{
	json_t *list = json_array();
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		json_array_append_new(list, json_sprintf("%s %s", routes[i].method, routes[i].path));
	api_answer(c, 200, json_pack("{s:s, s:o}", "server", "wsquall " WSQUALL_VERSION, "routes", list));
}
