/* The other side is the target itself in all its states: it may answer slowly, without end, or with another protocol. */
#include "harness/target/http_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "harness/target/http_body.h"

enum { ASK_ARENA_MAX = 1 << 20, HTTP_WHY_MAX = 200 };

struct http_ask {
	struct loop *loop;
	struct stream *stream;
	struct timer deadline;
	struct arena arena;
	struct buf request, head, body;
	struct http_body cut;
	struct handshake_reply reply;
	bool no_body, replied;
	char why[HTTP_WHY_MAX];
	void (*on_done)(void *owner, const struct http_got *got);
	void *owner;
};

int http_place_parse(const char *url, struct arena *a, struct http_place *ret_place, struct err *e)
{
	struct http_place place = {.url = {0}};
	if (strncasecmp(url, "http", 4) != 0 || (strncasecmp(url + 4, "://", 3) != 0 && strncasecmp(url + 4, "s://", 4) != 0))
		return err_set(e, EINVAL, "expected an http:// or https:// URL");
	/* The rest is as of ws:// and wss://. */
	const char *as_ws = arena_printf(a, "ws%s", url + 4);
	if (!as_ws)
		return err_set(e, ENOMEM, "no memory for a URL");
	int r = url_parse(as_ws, a, &place.url, e);
	if (r == 0)
		r = dial_resolve(place.url.host, place.url.port, &place.addresses, e);
	place.url.text = r == 0 ? arena_strdup(a, url) : NULL;
	if (r == 0)
		*ret_place = place;
	return r;
}

static void finish(struct http_ask *a, int error, const char *why)
{
	struct http_got got = {.error = error, .why = a->why, .status = a->replied ? a->reply.status : 0, .head = a->reply,
			       .body = buf_span(&a->body)};
	snprintf(a->why, sizeof(a->why), "%s", why);
	timer_stop(&a->deadline);
	stream_free(TAKE_PTR(a->stream)); /* nothing comes after this */
	a->on_done(a->owner, &got);
}

static void finish_body(struct http_ask *a, int fed)
{
	if (fed > 0)
		finish(a, 0, "");
	else if (fed == -EFBIG)
		finish(a, fed, "the answer is too large");
	else if (fed < 0)
		finish(a, fed, "the answer's body is no HTTP");
}

static void on_open(void *owner)
{
	struct http_ask *a = owner;
	stream_write(a->stream, buf_span(&a->request)); /* what goes wrong comes as on_error */
}

/* Octets of the head; what follows it is the body's. */
static void on_head(struct http_ask *a, struct span data)
{
	if (buf_append_span(&a->head, data) < 0)
		return finish(a, -EFBIG, "the answer's head is too large");
	int r = handshake_reply_parse(buf_span(&a->head), &a->arena, &a->reply);
	if (r == 0)
		return;
	if (r < 0 || a->reply.status == 0)
		return finish(a, r < 0 ? r : -EPROTO, "the answer is no HTTP");
	a->replied = true;
	r = http_body_start(&a->cut, &a->reply, a->no_body, &a->body);
	if (r == 0)
		r = http_body_feed(&a->cut, span_sub(buf_span(&a->head), a->reply.size, a->head.len));
	finish_body(a, r);
}

static void on_data(void *owner, struct span data)
{
	struct http_ask *a = owner;
	if (!a->replied)
		return on_head(a, data);
	finish_body(a, http_body_feed(&a->cut, data));
}

static void on_eof(void *owner, bool clean)
{
	struct http_ask *a = owner;
	(void)clean; /* many servers send no close_notify */
	if (a->replied && http_body_ended(&a->cut))
		finish(a, 0, "");
	else
		finish(a, -EPIPE, a->replied ? "the answer was cut" : "the connection was closed without an answer");
}

static void on_error(void *owner, int error)
{
	struct http_ask *a = owner;
	finish(a, error, stream_error_text(a->stream));
}

static void on_deadline(void *owner)
{
	finish(owner, -ETIMEDOUT, "no whole answer in time");
}

static int write_request(struct http_ask *a, const struct http_question *q)
{
	const char *target = q->target ? q->target : q->place->url.target, *method = q->method ? q->method : "GET";
	int r = buf_printf(&a->request, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: wsquall\r\nAccept: */*\r\nConnection: close\r\n",
			   method, target, q->place->url.host_field);
	for (size_t i = 0; r == 0 && i < q->n_fields; i++)
		r = buf_printf(&a->request, "%.*s: %.*s\r\n", (int)q->fields[i].name.len, (const char *)q->fields[i].name.p,
			       (int)q->fields[i].value.len, (const char *)q->fields[i].value.p);
	if (r == 0 && q->type)
		r = buf_printf(&a->request, "Content-Type: %s\r\n", q->type);
	if (r == 0 && (q->body.len || strcmp(method, "POST") == 0))
		r = buf_printf(&a->request, "Content-Length: %zu\r\n", q->body.len);
	if (r == 0)
		r = buf_append_span(&a->request, SPAN_LIT("\r\n"));
	return r == 0 ? buf_append_span(&a->request, q->body) : r;
}

static int start(struct http_ask *a, const struct http_question *q)
{
	static const struct stream_events events = {.on_open = on_open, .on_data = on_data, .on_eof = on_eof, .on_error = on_error};
	uint32_t deadline_ms = q->deadline_ms ? q->deadline_ms : HTTP_ASK_MS;
	bool tls = q->place->url.tls;
	struct dial_options o = {
		.addresses = &q->place->addresses, .source = q->source, .connect_timeout_ms = deadline_ms, .tls = tls ? q->tls : NULL,
		.server_name = !tls ? NULL : q->server_name ? q->server_name : q->place->url.host,
	};
	int r = write_request(a, q);
	if (r == 0)
		r = timer_start(&a->deadline, a->loop, deadline_ms, on_deadline, a);
	return r == 0 ? dial(a->loop, &o, &events, a, &a->stream) : r;
}

int http_ask_new(struct loop *l, const struct http_question *q, void (*on_done)(void *owner, const struct http_got *got),
		 void *owner, struct http_ask **ret_ask)
{
	if (q->place->url.tls && !q->tls)
		return -EINVAL;
	struct http_ask *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = (struct http_ask){.loop = l, .on_done = on_done, .owner = owner, .no_body = q->method && strcmp(q->method, "HEAD") == 0};
	arena_init(&a->arena, ASK_ARENA_MAX);
	buf_init(&a->request, HTTP_ASK_HEAD_MAX + q->body.len);
	buf_init(&a->head, HANDSHAKE_REPLY_MAX + STREAM_READ_CHUNK);
	buf_init(&a->body, q->body_max ? q->body_max : HTTP_ASK_BODY_MAX);
	int r = start(a, q);
	if (r < 0)
		http_ask_free(a);
	else
		*ret_ask = a;
	return r;
}

void http_ask_free(struct http_ask *a)
{
	if (!a)
		return;
	stream_free(a->stream);
	timer_fini(&a->deadline);
	buf_fini(&a->request);
	buf_fini(&a->head);
	buf_fini(&a->body);
	arena_fini(&a->arena);
	free(a);
}
