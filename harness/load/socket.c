/*
 * A lean WebSocket client: what a message of a workload needs and nothing else. Unlike the client of the conformance
 * cases (harness/run/conn.c), which can send every wrong octet and judges nothing, this one is a user: it speaks
 * correctly, and a target that does not is left.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/load/socket_internal.h"

enum {
	UNSENT_MAX = 8 << 20,
	PONGS_UNSENT_MAX = 1 << 20,
	REQUEST_MAX = 64 << 10,
	SCRATCH_KEPT = 1 << 20,
	WAIT_LATE_MS = 100,
};

static const struct transport_ops socket_ops;

/* The end --------------------------------------------------------------------------------------------------------- */

void socket_refuse(struct socket *s, int status, const char *why)
{
	s->over = true;
	alarm_clear(&s->wait);
	s->transport.events->on_refused(s->transport.owner, status, why);
}

/*
 * Both sides said Close: who began? When ours went first, theirs is the answer, which repeats our code (RFC 6455 5.5.1)
 * or says nothing of its own; another code tells that the two crossed, and that the target had begun by itself.
 */
static enum end_by who_began(const struct socket *s)
{
	if (!s->peer_closed)
		return s->we_closed ? END_BY_CLIENT : END_BY_NETWORK;
	if (!s->we_began)
		return END_BY_SERVER;
	bool answer = s->peer_code == s->our_code || s->peer_code == 1000 || s->peer_code == CLOSE_NO_CODE;
	return answer ? END_BY_CLIENT : END_BY_SERVER;
}

void socket_finish(struct socket *s, const char *note)
{
	char text[TRANSPORT_WHY_MAX];
	enum end_by by = who_began(s);
	struct transport_end end = {
		.code = s->peer_closed ? s->peer_code : CLOSE_ABNORMAL,
		.reason = s->reason ? s->reason : "",
		.by = by,
		.clean = s->peer_closed && s->we_closed && !s->broken && (s->we_began || s->answered),
		.note = text,
	};
	snprintf(text, sizeof(text), "%s%s%s%s", s->broken ? s->broken : "", s->broken ? "; " : "",
		 s->we_began && by == END_BY_SERVER ? "both sides began to close; " : "", note);
	s->over = true;
	alarm_clear(&s->wait);
	s->transport.events->on_end(s->transport.owner, &end);
}

static void leave(struct socket *s)
{
	if (--s->busy == 0 && s->freed)
		free(s);
}

static void on_wait(void *owner, uint64_t now_us)
{
	struct socket *s = owner;
	/* We were late ourselves: the answer may be there, unread. */
	if (now_us > s->wait.at_us + WAIT_LATE_MS * 1000 &&
	    alarm_set(&s->wait, s->alarms, now_us + WAIT_LATE_MS * 1000, on_wait, s) == 0)
		return;
	s->busy++;
	if (s->peer_closed) {
		socket_finish(s, "the target kept TCP open");
	} else {
		stream_reset(s->stream);
		socket_finish(s, "no answer to our Close");
	}
	leave(s);
}

/* Saying ---------------------------------------------------------------------------------------------------------- */

static int say_frame(struct socket *s, enum opcode opcode, struct span payload)
{
	struct frame f = {.fin = true, .opcode = opcode, .masked = true, .payload = payload};
	uint32_t key = (uint32_t)rng_u64(s->rng);
	memcpy(f.key, &key, sizeof(f.key));
	s->scratch->len = 0;
	int r = frame_write(s->scratch, &f);
	if (r == 0)
		r = stream_write(s->stream, buf_span(s->scratch));
	if (s->scratch->cap > SCRATCH_KEPT)
		buf_fini(s->scratch);
	return r;
}

int socket_control(struct socket *s, enum opcode opcode, struct span payload)
{
	if (opcode == OPCODE_PONG && stream_unsent(s->stream) > PONGS_UNSENT_MAX)
		return -ENOBUFS; /* one who does not read gets no answers */
	return say_frame(s, opcode, payload);
}

void socket_say_close(struct socket *s, int code, const char *reason)
{
	uint8_t body[CONTROL_PAYLOAD_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
	struct span text = span_sub(span_str(reason), 0, CLOSE_REASON_MAX);
	if (text.len)
		memcpy(body + 2, text.p, text.len);
	s->we_closed = true;
	s->we_began = !s->peer_closed;
	s->our_code = code;
	s->answered = say_frame(s, OPCODE_CLOSE, span_of(body, code == CLOSE_NO_CODE ? 0 : 2 + text.len)) == 0;
	if (alarm_set(&s->wait, s->alarms, clock_now_us() + TRANSPORT_CLOSE_WAIT_MS * 1000ull, on_wait, s) < 0)
		stream_shutdown(s->stream); /* without memory for waiting, the target's FIN must do */
}

void socket_break(struct socket *s, int code, const char *what)
{
	s->broken = what;
	s->reader.stop = true;
	if (!s->we_closed)
		socket_say_close(s, code, "");
	stream_shutdown(s->stream);
}

static bool may_speak(const struct socket *s)
{
	return !s->over && !s->we_closed && s->phase == SOCKET_OPEN;
}

static int socket_send(struct transport *t, struct span message, bool binary)
{
	struct socket *s = (struct socket *)t;
	if (!may_speak(s))
		return -EPIPE;
	if (stream_unsent(s->stream) > UNSENT_MAX)
		return -ENOBUFS;
	return say_frame(s, binary ? OPCODE_BINARY : OPCODE_TEXT, message);
}

static void socket_ping(struct transport *t, struct span payload)
{
	struct socket *s = (struct socket *)t;
	if (may_speak(s))
		socket_control(s, OPCODE_PING, payload);
}

static void socket_close(struct transport *t, int code, const char *reason)
{
	struct socket *s = (struct socket *)t;
	if (may_speak(s))
		socket_say_close(s, code, reason);
}

static void socket_reset(struct transport *t)
{
	struct socket *s = (struct socket *)t;
	s->over = s->reader.stop = true;
	alarm_clear(&s->wait);
	stream_reset(s->stream);
}

static size_t socket_unsent(const struct transport *t)
{
	return stream_unsent(((const struct socket *)t)->stream);
}

static void socket_free(struct transport *t)
{
	struct socket *s = (struct socket *)t;
	s->busy++;
	s->freed = s->over = s->reader.stop = true;
	alarm_clear(&s->wait);
	stream_free(TAKE_PTR(s->stream));
	buf_fini(&s->request);
	buf_fini(&s->in);
	free(TAKE_PTR(s->reason));
	free(TAKE_PTR(s->id));
	leave(s);
}

/* The stream ------------------------------------------------------------------------------------------------------ */

static void on_open(void *owner)
{
	struct socket *s = owner;
	s->busy++;
	int r = stream_write(s->stream, buf_span(&s->request));
	buf_fini(&s->request);
	s->phase = SOCKET_ASKED;
	if (r < 0)
		socket_refuse(s, 0, strerror(-r));
	leave(s);
}

static void on_data(void *owner, struct span data)
{
	struct socket *s = owner;
	if (s->over)
		return;
	s->busy++;
	s->transport.heard_us = clock_now_us();
	socket_read(s, data);
	leave(s);
}

static void stream_ended(struct socket *s, const char *how)
{
	char why[TRANSPORT_WHY_MAX];
	if (s->over)
		return;
	s->busy++;
	if (s->phase == SOCKET_OPEN) {
		socket_finish(s, how);
	} else {
		snprintf(why, sizeof(why), "%s%s", s->phase == SOCKET_ASKED ? "no answer to the handshake: " : "", how);
		socket_refuse(s, 0, why);
	}
	leave(s);
}

static void on_eof(void *owner, bool clean)
{
	stream_ended(owner, clean ? "FIN" : "FIN without close_notify");
}

static void on_error(void *owner, int error)
{
	struct socket *s = owner;
	stream_ended(s, error == -ECONNRESET ? "RST" : stream_error_text(s->stream));
}

static const struct stream_events stream_events = {on_open, on_data, on_eof, on_error, NULL};

/* The beginning --------------------------------------------------------------------------------------------------- */

static int offer(struct handshake_request *q, const struct opt_strings *names, struct buf *text)
{
	int r = 0;
	for (size_t i = 0; names && r == 0 && i < names->len; i++)
		r = buf_printf(text, "%s%s", i ? ", " : "", names->items[i]);
	return r == 0 && text->len ? handshake_request_set(q, "Sec-WebSocket-Protocol", buf_span(text)) : r;
}

static int write_request(struct socket *s, const struct transport_options *o)
{
	struct handshake_request q;
	struct buf names CLEANUP(buf_fini) = {.max = REQUEST_MAX};
	uint8_t nonce[16];
	rng_fill(s->rng, nonce, sizeof(nonce));
	handshake_key(nonce, s->key);
	handshake_request_init(&q, span_str(o->target), span_str(o->line.way->host), span_str(s->key));
	int r = offer(&q, o->subprotocols, &names);
	for (size_t i = 0; r == 0 && o->headers && i < o->headers->len; i++)
		r = handshake_request_add(&q, o->headers->items[i].key, span_str(o->headers->items[i].value));
	for (size_t i = 0; r == 0 && i < o->n_more_headers; i++)
		r = handshake_request_set(&q, o->more_headers[i].key, span_str(o->more_headers[i].value));
	return r == 0 ? handshake_request_write(&q, &s->request) : r;
}

int transport_socket_new(const struct transport_options *o, const struct transport_events *events, void *owner,
			 struct transport **ret_transport)
{
	struct socket *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->transport = (struct transport){.ops = &socket_ops, .events = events, .owner = owner};
	s->alarms = o->line.alarms;
	s->rng = o->rng;
	s->scratch = o->scratch;
	s->subprotocols = o->subprotocols;
	s->id_header = o->id_header;
	buf_init(&s->request, REQUEST_MAX);
	buf_init(&s->in, HANDSHAKE_REPLY_MAX + STREAM_READ_CHUNK);
	socket_reader_init(s);
	int r = write_request(s, o);
	if (r == 0)
		r = line_dial(&o->line, &stream_events, s, &s->stream);
	if (r < 0) {
		socket_free(&s->transport);
		return r;
	}
	*ret_transport = &s->transport;
	return 0;
}

static const struct transport_ops socket_ops = {
	.name = "websocket",
	.pings = true,
	.send = socket_send,
	.ping = socket_ping,
	.close = socket_close,
	.reset = socket_reset,
	.unsent = socket_unsent,
	.free = socket_free,
};
