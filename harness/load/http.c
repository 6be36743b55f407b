/* One connection, one request on it at a time: what is published by HTTP keeps its order, and an outcome is clear. */
#include "harness/load/http.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/limits.h"
#include "harness/target/http_body.h"

enum phase { HTTP_CLOSED, HTTP_DIALING, HTTP_IDLE, HTTP_ASKED };
enum { REPLY_ARENA_MAX = 64 << 10, TARGET_MAX = 16 << 10 };

struct ask {
	uint64_t op;
	struct buf request;
};

struct http {
	struct http_options options;
	void (*on_answer)(void *owner, const struct http_answer *a);
	void *owner;
	struct stream *stream;     /* NULL: closed */
	enum phase phase;
	struct timer turn;         /* dials again; never from inside a call */
	struct ask *asks;          /* the first is on its way in HTTP_ASKED */
	size_t n, size, octets;
	struct buf in;             /* the answer's head, then its body */
	bool in_body, keep;
	int status;
	struct http_body body;
};

static void send_next(struct http *h);

static void close_connection(struct http *h)
{
	stream_free(TAKE_PTR(h->stream));
	h->phase = HTTP_CLOSED;
	h->in.len = 0;
	h->in_body = false;
}

static void drop(struct http *h, size_t i)
{
	h->octets -= h->asks[i].request.len;
	buf_fini(&h->asks[i].request);
	memmove(h->asks + i, h->asks + i + 1, (--h->n - i) * sizeof(*h->asks));
}

/* Takes the first one off and answers it; body: taken. */
static void answer(struct http *h, int status, struct buf *body, bool sent, const char *why)
{
	struct http_answer a = {.op = h->asks[0].op, .status = status, .sent = sent, .why = why};
	struct buf kept CLEANUP(buf_fini) = {0};
	if (body) {
		kept = *body;
		buf_init(body, HTTP_BODY_MAX);
	}
	a.body = buf_span(&kept);
	drop(h, 0);
	h->on_answer(h->owner, &a);
}

/* The connection is over: of the first one nobody knows; when it was never open, nothing was sent. */
static void lost(struct http *h, const char *why)
{
	char text[ERR_TEXT_MAX];
	enum phase phase = h->phase;
	snprintf(text, sizeof(text), "%s", why); /* why may be the stream's */
	close_connection(h);
	if (phase == HTTP_ASKED)
		answer(h, 0, NULL, true, text);
	for (size_t n = phase == HTTP_DIALING ? h->n : 0; n > 0; n--)
		answer(h, 0, NULL, false, text);
	send_next(h);
}

static void whole(struct http *h)
{
	struct buf body = h->in;
	int status = h->status;
	buf_init(&h->in, HTTP_BODY_MAX);
	h->in_body = false;
	h->phase = HTTP_IDLE;
	if (!h->keep)
		close_connection(h);
	answer(h, status, &body, true, NULL);
	send_next(h);
}

/* Negative: the answer makes no sense. *in: what was read; moved on to the body. */
static int read_head(struct http *h, struct span *in)
{
	struct arena a CLEANUP(arena_fini) = {0};
	struct handshake_reply reply = {0};
	size_t before = h->in.len;
	arena_init(&a, REPLY_ARENA_MAX);
	int r = buf_append_span(&h->in, *in);
	if (r == 0)
		r = handshake_reply_parse(buf_span(&h->in), &a, &reply);
	if (r <= 0) {
		*in = (struct span){0};
		return r;
	}
	if (reply.faults || reply.status < 200 || reply.status > 599)
		return -EPROTO;
	*in = span_sub(*in, reply.size - before, in->len);
	h->status = reply.status;
	h->in_body = true;
	r = http_body_start(&h->body, &reply, false, &h->in);
	h->keep = h->body.mode != HTTP_BODY_UNTIL_CLOSE && reply.version_minor == 1 &&
		  !handshake_reply_has_token(&reply, "Connection", "close");
	h->in.len = 0;
	return r;
}

static void on_data(void *owner, struct span in)
{
	struct http *h = owner;
	int r = h->phase == HTTP_ASKED ? 0 : -EPROTO; /* an answer to nothing */
	if (r == 0 && !h->in_body)
		r = read_head(h, &in);
	if (r == 0 && h->in_body)
		r = http_body_feed(&h->body, in);
	if (r < 0)
		lost(h, "the target's answer is not HTTP, or too large");
	else if (r == 1)
		whole(h);
}

static void on_open(void *owner)
{
	struct http *h = owner;
	h->phase = HTTP_IDLE;
	send_next(h);
}

static void on_eof(void *owner, bool clean)
{
	struct http *h = owner;
	if (h->phase == HTTP_ASKED && h->in_body && http_body_ended(&h->body) && clean)
		whole(h);
	else
		lost(h, clean ? "FIN" : "FIN without close_notify");
}

static void on_error(void *owner, int error)
{
	struct http *h = owner;
	lost(h, error == -ECONNRESET ? "RST" : stream_error_text(h->stream));
}

static const struct stream_events stream_events = {on_open, on_data, on_eof, on_error, NULL};

static void on_turn(void *owner)
{
	struct http *h = owner;
	if (h->phase != HTTP_CLOSED || h->n == 0)
		return;
	int r = line_dial(&h->options.line, &stream_events, h, &h->stream);
	h->options.line.number += h->options.number_step;
	h->phase = HTTP_DIALING;
	if (r < 0)
		lost(h, strerror(-r));
}

static void send_next(struct http *h)
{
	if (h->n == 0 || h->phase == HTTP_DIALING || h->phase == HTTP_ASKED)
		return;
	if (h->phase == HTTP_CLOSED) {
		timer_start(&h->turn, h->options.line.loop, 0, on_turn, h); /* without memory: with the next request */
		return;
	}
	h->phase = HTTP_ASKED;
	stream_write(h->stream, buf_span(&h->asks[0].request)); /* a failure is told by on_error */
}

static int write_request(const struct http *h, const struct http_request *q, struct buf *b)
{
	const struct workload_way *way = h->options.line.way;
	const struct opt_map *headers = h->options.headers;
	struct handshake_request r = {.method = span_str(q->method), .version = SPAN_LIT("HTTP/1.1"), .body = q->body};
	struct buf target CLEANUP(buf_fini) = {.max = TARGET_MAX};
	const char *base = *q->target == '/' ? "" : way->http_target ? way->http_target : "/";
	char length[24];
	int e = buf_printf(&target, "%s%s", base, q->target);
	if (e < 0)
		return e;
	r.target = buf_span(&target);
	snprintf(length, sizeof(length), "%zu", q->body.len);
	e = handshake_request_add(&r, "Host", span_str(way->host));
	for (size_t i = 0; e == 0 && headers && i < headers->len; i++)
		e = handshake_request_add(&r, headers->items[i].key, span_str(headers->items[i].value));
	if (e == 0 && q->type)
		e = handshake_request_set(&r, "Content-Type", span_str(q->type));
	if (e == 0)
		e = handshake_request_set(&r, "Content-Length", span_str(length));
	return e == 0 ? handshake_request_write(&r, b) : e;
}

int http_ask(struct http *h, uint64_t op, const struct http_request *q)
{
	struct ask ask = {.op = op, .request = {.max = HTTP_WAITING_OCTETS_MAX}};
	if (h->n == HTTP_WAITING_MAX || h->octets > HTTP_WAITING_OCTETS_MAX)
		return -ENOBUFS;
	if (h->n == h->size) {
		size_t size = h->size ? 2 * h->size : 4;
		struct ask *asks = realloc(h->asks, size * sizeof(*asks));
		if (!asks)
			return -ENOMEM;
		h->asks = asks;
		h->size = size;
	}
	int r = write_request(h, q, &ask.request);
	if (r < 0) {
		buf_fini(&ask.request);
		return r;
	}
	h->octets += ask.request.len;
	h->asks[h->n++] = ask;
	send_next(h);
	return 0;
}

bool http_forget(struct http *h, uint64_t op)
{
	size_t i = 0;
	while (i < h->n && h->asks[i].op != op)
		i++;
	if (i == h->n)
		return false;
	bool sent = i == 0 && h->phase == HTTP_ASKED;
	if (sent) {
		stream_reset(h->stream);
		close_connection(h);
	}
	drop(h, i);
	send_next(h);
	return !sent;
}

size_t http_waiting(const struct http *h)
{
	return h->n;
}

int http_new(const struct http_options *o, void (*on_answer)(void *owner, const struct http_answer *a), void *owner,
	     struct http **ret_http)
{
	struct http *h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	*h = (struct http){.options = *o, .on_answer = on_answer, .owner = owner};
	buf_init(&h->in, HTTP_BODY_MAX);
	*ret_http = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	close_connection(h);
	timer_fini(&h->turn);
	while (h->n)
		drop(h, h->n - 1);
	free(h->asks);
	buf_fini(&h->in);
	free(h);
}
