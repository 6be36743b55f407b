/*
 * Server-sent events as a transport: a GET whose answer never ends. What comes is handed on as it comes, cut anywhere;
 * the session cuts it into events. Nothing can be sent on it, and there are no codes: an answer that is complete was
 * ended by the target, any other end is the network's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/limits.h"
#include "harness/load/transport.h"
#include "harness/target/http_body.h"

enum { REPLY_ARENA_MAX = 64 << 10, REQUEST_MAX = 64 << 10, PHRASE_MAX = 100 };

struct event_stream {
	struct transport transport; /* first */
	struct alarms *alarms;
	struct stream *stream;
	const char *id_header;
	char *id;
	struct buf request, head;
	struct buf part;           /* octets of the body that just came */
	struct http_body body;
	unsigned busy;             /* callbacks on the stack; memory stays until they return */
	bool open, over, freed;
	struct alarm closed;       /* our own end is told from the loop */
};

static const struct transport_ops event_stream_ops;

static void leave(struct event_stream *s)
{
	if (--s->busy == 0 && s->freed)
		free(s);
}

static void refuse(struct event_stream *s, int status, const char *why)
{
	s->over = true;
	s->transport.events->on_refused(s->transport.owner, status, why);
}

static void finish(struct event_stream *s, enum end_by by, bool clean, const char *note)
{
	struct transport_end end = {.reason = "", .by = by, .clean = clean, .note = note};
	s->over = true;
	alarm_clear(&s->closed);
	s->transport.events->on_end(s->transport.owner, &end);
}

/* What is wrong with the answer's head, into why; false: nothing. */
static bool judge_reply(struct event_stream *s, const struct handshake_reply *reply, char *why, size_t len)
{
	static const struct span wanted = {(const uint8_t *)"text/event-stream", 17};
	struct span type = {0};
	handshake_reply_count(reply, "Content-Type", &type);
	if (reply->faults || reply->status != 200)
		snprintf(why, len, reply->status ? "HTTP %d %.*s" : "not HTTP", reply->status,
			 (int)(reply->reason.len < PHRASE_MAX ? reply->reason.len : PHRASE_MAX), (const char *)reply->reason.p);
	else if (!span_eq_nocase(span_sub(type, 0, wanted.len), wanted))
		snprintf(why, len, "its Content-Type is not that of an event stream");
	else if (http_body_start(&s->body, reply, false, &s->part) < 0)
		snprintf(why, len, "an answer without a clear end");
	else
		return false;
	return true;
}

/* The answer's head. Returns what belongs to the body. */
static struct span read_head(struct event_stream *s, struct span in)
{
	struct arena a CLEANUP(arena_fini) = {0};
	struct handshake_reply reply = {0};
	struct span id;
	char why[TRANSPORT_WHY_MAX];
	size_t before = s->head.len;
	arena_init(&a, REPLY_ARENA_MAX);
	int r = buf_append_span(&s->head, in);
	if (r == 0)
		r = handshake_reply_parse(buf_span(&s->head), &a, &reply);
	if (r < 0)
		refuse(s, 0, "an endless answer");
	if (r <= 0)
		return (struct span){0};
	if (s->id_header && handshake_reply_count(&reply, s->id_header, &id) && id.len)
		s->transport.id = s->id = strndup((const char *)id.p, id.len < TRANSPORT_ID_MAX ? id.len : TRANSPORT_ID_MAX);
	if (judge_reply(s, &reply, why, sizeof(why))) {
		refuse(s, reply.status, why);
		return (struct span){0};
	}
	in = span_sub(in, reply.size - before, in.len);
	buf_fini(&s->head);
	s->open = true;
	s->transport.events->on_open(s->transport.owner);
	return s->over ? (struct span){0} : in;
}

static void on_open(void *owner)
{
	struct event_stream *s = owner;
	stream_write(s->stream, buf_span(&s->request)); /* a failure is told by on_error */
	buf_fini(&s->request);
}

static void read_body(struct event_stream *s, struct span in)
{
	int r = http_body_feed(&s->body, in);
	if (s->part.len) {
		struct buf part CLEANUP(buf_fini) = s->part; /* it may be freed meanwhile */
		buf_init(&s->part, STREAM_READ_CHUNK);
		s->body.overhead = 0; /* a stream has no end: what counts is what comes without data */
		s->transport.events->on_message(s->transport.owner, buf_span(&part), false);
	}
	if (!s->over && r < 0)
		finish(s, END_BY_CLIENT, false, "a broken chunk");
	else if (!s->over && r == 1)
		finish(s, END_BY_SERVER, true, "the answer is complete");
}

static void on_data(void *owner, struct span in)
{
	struct event_stream *s = owner;
	if (s->over)
		return;
	s->busy++;
	s->transport.heard_us = clock_now_us();
	if (!s->open)
		in = read_head(s, in);
	if (s->open && !s->over)
		read_body(s, in);
	leave(s);
}

static void stream_ended(struct event_stream *s, const char *how, bool fin)
{
	if (s->over)
		return;
	s->busy++;
	if (!s->open)
		refuse(s, 0, how);
	else if (fin && http_body_ended(&s->body))
		finish(s, END_BY_SERVER, true, how);
	else
		finish(s, END_BY_NETWORK, false, how);
	leave(s);
}

static void on_eof(void *owner, bool clean)
{
	stream_ended(owner, clean ? "FIN" : "FIN without close_notify", clean);
}

static void on_error(void *owner, int error)
{
	struct event_stream *s = owner;
	stream_ended(s, error == -ECONNRESET ? "RST" : stream_error_text(s->stream), false);
}

static const struct stream_events stream_events = {on_open, on_data, on_eof, on_error, NULL};

static int event_stream_send(struct transport *t, struct span message, bool binary)
{
	(void)t;
	(void)message;
	(void)binary;
	return -ENOTSUP;
}

static void on_closed(void *owner, uint64_t now_us)
{
	struct event_stream *s = owner;
	(void)now_us;
	s->busy++;
	finish(s, END_BY_CLIENT, true, "closed by us");
	leave(s);
}

static void event_stream_close(struct transport *t, int code, const char *reason)
{
	struct event_stream *s = (struct event_stream *)t;
	(void)code;
	(void)reason;
	if (s->over || s->closed.place)
		return;
	stream_shutdown(s->stream);
	alarm_set(&s->closed, s->alarms, clock_now_us(), on_closed, s);
}

static void event_stream_reset(struct transport *t)
{
	struct event_stream *s = (struct event_stream *)t;
	s->over = true;
	alarm_clear(&s->closed);
	stream_reset(s->stream);
}

static size_t event_stream_unsent(const struct transport *t)
{
	return stream_unsent(((const struct event_stream *)t)->stream);
}

static void event_stream_free(struct transport *t)
{
	struct event_stream *s = (struct event_stream *)t;
	s->busy++;
	s->freed = s->over = true;
	alarm_clear(&s->closed);
	stream_free(TAKE_PTR(s->stream));
	buf_fini(&s->request);
	buf_fini(&s->head);
	buf_fini(&s->part);
	free(TAKE_PTR(s->id));
	leave(s);
}

static int write_request(struct event_stream *s, const struct transport_options *o)
{
	struct handshake_request q = {.method = SPAN_LIT("GET"), .target = span_str(o->target),
				      .version = SPAN_LIT("HTTP/1.1")};
	int r = handshake_request_add(&q, "Host", span_str(o->line.way->host));
	if (r == 0)
		r = handshake_request_add(&q, "Accept", SPAN_LIT("text/event-stream"));
	if (r == 0)
		r = handshake_request_add(&q, "Cache-Control", SPAN_LIT("no-store"));
	for (size_t i = 0; r == 0 && o->headers && i < o->headers->len; i++)
		r = handshake_request_add(&q, o->headers->items[i].key, span_str(o->headers->items[i].value));
	for (size_t i = 0; r == 0 && i < o->n_more_headers; i++)
		r = handshake_request_set(&q, o->more_headers[i].key, span_str(o->more_headers[i].value));
	return r == 0 ? handshake_request_write(&q, &s->request) : r;
}

int transport_event_stream_new(const struct transport_options *o, const struct transport_events *events, void *owner,
			       struct transport **ret_transport)
{
	struct event_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->transport = (struct transport){.ops = &event_stream_ops, .events = events, .owner = owner};
	s->alarms = o->line.alarms;
	s->id_header = o->id_header;
	buf_init(&s->request, REQUEST_MAX);
	buf_init(&s->head, HANDSHAKE_REPLY_MAX + STREAM_READ_CHUNK);
	buf_init(&s->part, STREAM_READ_CHUNK);
	int r = write_request(s, o);
	if (r == 0)
		r = line_dial(&o->line, &stream_events, s, &s->stream);
	if (r < 0) {
		event_stream_free(&s->transport);
		return r;
	}
	*ret_transport = &s->transport;
	return 0;
}

static const struct transport_ops event_stream_ops = {
	.name = "event stream",
	.send = event_stream_send,
	.close = event_stream_close,
	.reset = event_stream_reset,
	.unsent = event_stream_unsent,
	.free = event_stream_free,
};
