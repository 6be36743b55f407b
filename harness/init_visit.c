/* A connection of `wsquall init`: a proper handshake, then whatever its owner wants to see. */
#include <stdarg.h>
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/init.h"
#include "harness/run/approach.h"

enum { VISIT_ARENA_MAX = 8 << 20 };

void init_tell(struct init *in, const char *what, ...)
{
	struct buf line CLEANUP(buf_fini) = {0};
	va_list ap;
	if (!in->live.on)
		return;
	buf_init(&line, LIVE_TEXT_MAX);
	buf_printf(&line, "  looking ");
	va_start(ap, what);
	buf_vprintf(&line, what, ap);
	va_end(ap);
	buf_printf(&line, " ...\n");
	live_draw(&in->live, buf_span(&line));
}

void init_visit_end(struct init_visit *v)
{
	v->over = true;
	timer_stop(&v->timer);
	loop_stop(&v->in->loop);
}

static void on_timer(void *owner)
{
	struct init_visit *v = owner;
	if (!v->status) {
		snprintf(v->why, sizeof(v->why),
			 v->connected ? "no reply to the opening handshake within %u ms" : "no connection within %u ms",
			 v->in->timeout_ms);
		return init_visit_end(v);
	}
	if (v->on_time)
		v->on_time(v);
	else
		init_visit_end(v);
}

void init_visit_wait(struct init_visit *v, uint32_t ms)
{
	timer_start(&v->timer, &v->in->loop, ms, on_timer, v);
}

void init_visit_say(struct init_visit *v, uint8_t opcode, struct span payload)
{
	struct frame f = {.fin = true, .opcode = opcode, .masked = true, .payload = payload};
	struct buf b;
	rng_fill(&v->in->rng, f.key, sizeof(f.key));
	buf_init(&b, payload.len + FRAME_HEAD_MAX);
	if (frame_write(&b, &f) == 0)
		conn_write(&v->conn, buf_span(&b));
	buf_fini(&b);
}

static void on_event(void *owner, const struct conn_event *e)
{
	struct init_visit *v = owner;
	if (v->over)
		return;
	if (e->kind == CONN_OPEN) {
		v->connected = true;
		approach_write(&v->conn, &v->request);
		return init_visit_wait(v, v->in->timeout_ms);
	}
	bool reply = e->kind == CONN_REPLY;
	if (reply)
		v->status = v->conn.reply.status;
	if (reply && v->status == 0)
		snprintf(v->why, sizeof(v->why), "the answer to the opening handshake is no HTTP reply");
	else if (!v->status)
		snprintf(v->why, sizeof(v->why), "%s",
			 e->kind == CONN_ERROR ? stream_error_text(v->conn.stream)
					       : "the connection was closed without an answer");
	if (v->status != 101 || !v->on_event)
		return init_visit_end(v);
	v->on_event(v, e);
	if (!v->over && (e->kind == CONN_EOF || e->kind == CONN_ERROR || e->kind == CONN_ENDLESS))
		init_visit_end(v);
}

static void fill_request(struct init_visit *v)
{
	const struct url *u = &v->in->target.url;
	uint8_t nonce[16];
	char *key = arena_alloc(&v->arena, HANDSHAKE_KEY_LEN + 1);
	const struct {
		const char *name, *value;
	} own[] = {{"Sec-WebSocket-Protocol", v->subprotocols},
		   {"Sec-WebSocket-Extensions", v->extensions},
		   {"Origin", v->origin}};
	rng_fill(&v->in->rng, nonce, sizeof(nonce));
	handshake_key(nonce, key);
	handshake_request_init(&v->request, span_str(v->target ? v->target : u->target), span_str(u->host_field),
			       span_str(key));
	for (size_t i = 0; i < v->in->headers->len; i++)
		handshake_request_set(&v->request, v->in->headers->items[i].key,
				      span_str(v->in->headers->items[i].value));
	for (size_t i = 0; i < v->n_headers; i++)
		handshake_request_set(&v->request, v->headers[i].key, span_str(v->headers[i].value));
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (own[i].value)
			handshake_request_set(&v->request, own[i].name, span_str(own[i].value));
}

void init_visit_run(struct init *in, struct init_visit *v)
{
	const struct url *u = &in->target.url;
	struct dial_options o = {.addresses = &in->addresses,
				 .connect_timeout_ms = in->timeout_ms,
				 .tls = u->tls ? in->tls : NULL,
				 .server_name = u->tls ? u->host : NULL};
	v->in = in;
	arena_init(&v->arena, VISIT_ARENA_MAX);
	transcript_init(&v->transcript, &v->arena, clock_now_us());
	fill_request(v);
	int r = conn_dial(&v->conn, &in->loop, &o, &v->arena, &v->transcript, on_event, v);
	v->conn.request = &v->request;
	if (r < 0) {
		snprintf(v->why, sizeof(v->why), "%s", strerror(-r));
		return;
	}
	init_visit_wait(v, 2 * in->timeout_ms);
	loop_run(&in->loop);
}

void init_visit_fini(struct init_visit *v)
{
	conn_fini(&v->conn);
	timer_fini(&v->timer);
	arena_fini(&v->arena);
}
