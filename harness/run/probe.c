/* One connection, one message, one Ping. An echo may come after the Pong (an application answers later than a protocol layer): it is waited for. */
#include "harness/run/probe.h"

#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/base/escape.h"
#include "harness/run/approach.h"

enum { ECHO_WAIT_MS = 2500 }; /* after the Pong, for an echo to come; not longer than the deadline */

struct probing {
	struct case_env *env;
	struct probe *probe;
	struct conn conn;
	struct arena arena;
	struct transcript transcript;
	struct handshake_request request;
	struct timer timer;
	struct rng rng;
	char text[40];
	uint64_t sent_us;
	bool done;
};

static void stop(struct probing *p)
{
	p->done = true;
	timer_stop(&p->timer);
	loop_stop(p->env->loop);
}

static void on_timeout(void *owner)
{
	struct probing *p = owner;
	if (!p->probe->connected)
		snprintf(p->probe->why, sizeof(p->probe->why), "no connection within %u ms", p->env->timeout_ms);
	else if (!p->probe->status)
		snprintf(p->probe->why, sizeof(p->probe->why), "no reply to the opening handshake within %u ms", p->env->timeout_ms);
	stop(p);
}

static void took(struct probing *p)
{
	uint32_t ms = (uint32_t)((clock_now_us() - p->sent_us) / 1000);
	if (ms > p->probe->answer_ms)
		p->probe->answer_ms = ms;
}

static void send_frame(struct probing *p, uint8_t opcode, struct span payload)
{
	struct frame f = {.fin = true, .opcode = opcode, .masked = true, .payload = payload};
	struct buf b;
	rng_fill(&p->rng, f.key, 4);
	buf_init(&b, 256);
	if (frame_write(&b, &f) == 0)
		conn_write(&p->conn, buf_span(&b));
	buf_fini(&b);
}

static void on_open(struct probing *p)
{
	p->probe->connected = true;
	approach_write(&p->conn, &p->request);
	p->sent_us = clock_now_us();
	timer_start(&p->timer, p->env->loop, p->env->timeout_ms, on_timeout, p);
}

static void on_reply(struct probing *p)
{
	struct span server = {0};
	took(p);
	p->probe->status = p->conn.reply.status;
	if (handshake_reply_count(&p->conn.reply, "Server", &server)) {
		struct buf b;
		buf_init(&b, sizeof(p->probe->server) - 1);
		escape_text_max(&b, server, 80);
		snprintf(p->probe->server, sizeof(p->probe->server), "%s", buf_cstr(&b));
		buf_fini(&b);
	}
	if (p->probe->status != 101) {
		snprintf(p->probe->why, sizeof(p->probe->why), p->probe->status ? "the opening handshake was answered with HTTP %d, not 101"
			 : "the answer to the opening handshake is no HTTP reply (%d)", p->probe->status);
		stop(p);
		return;
	}
	p->sent_us = clock_now_us();
	send_frame(p, OPCODE_TEXT, span_str(p->text));
	send_frame(p, OPCODE_PING, span_str(p->text));
	timer_start(&p->timer, p->env->loop, p->env->timeout_ms, on_timeout, p);
}

static void on_pong(struct probing *p)
{
	took(p);
	p->probe->pong = true;
	if (p->probe->echo || (p->env->target->echo_known && !p->env->target->has_echo)) {
		stop(p);
		return;
	}
	uint32_t ms = p->env->timeout_ms < ECHO_WAIT_MS ? p->env->timeout_ms : ECHO_WAIT_MS;
	timer_start(&p->timer, p->env->loop, ms, on_timeout, p);
}

static void on_message(struct probing *p, const struct conn_event *e)
{
	if (!span_eq(e->octets, span_str(p->text))) {
		p->probe->chatty = true;
		return;
	}
	took(p);
	p->probe->echo = e->opcode == OPCODE_TEXT;
	if (p->probe->pong)
		stop(p);
}

static void on_event(void *owner, const struct conn_event *e)
{
	struct probing *p = owner;
	if (p->done)
		return;
	switch (e->kind) {
	case CONN_OPEN: on_open(p); return;
	case CONN_REPLY: on_reply(p); return;
	case CONN_PONG:
		if (span_eq(e->octets, span_str(p->text)))
			on_pong(p);
		return;
	case CONN_MESSAGE: on_message(p, e); return;
	case CONN_EOF:
	case CONN_ERROR:
	case CONN_ENDLESS:
		if (!p->probe->status)
			snprintf(p->probe->why, sizeof(p->probe->why), "%s", e->kind == CONN_ERROR ? stream_error_text(p->conn.stream) :
				 e->kind == CONN_EOF ? "the connection was closed without an answer" : p->conn.limit_text);
		stop(p);
		return;
	default: return;
	}
}

void probe_run(struct case_env *env, struct probe *ret_probe)
{
	struct probing p = {.env = env, .probe = ret_probe};
	*ret_probe = (struct probe){0};
	arena_init(&p.arena, CASE_ARENA_MAX);
	transcript_init(&p.transcript, &p.arena, clock_now_us());
	p.transcript.secrets = env->secrets;
	rng_init(&p.rng, env->seed, "probe");
	snprintf(p.text, sizeof(p.text), "wsquall-probe-%016llx", (unsigned long long)rng_u64(&p.rng));
	approach_request(env, &p.rng, &p.arena, &p.request);
	struct dial_options o = approach_dial(env, false);
	int r = conn_dial(&p.conn, env->loop, &o, &p.arena, &p.transcript, on_event, &p);
	p.conn.request = &p.request;
	if (r < 0) {
		snprintf(ret_probe->why, sizeof(ret_probe->why), "%s", strerror(-r));
	} else {
		timer_start(&p.timer, env->loop, (uint64_t)env->timeout_ms * 2, on_timeout, &p);
		loop_run(env->loop);
	}
	conn_fini(&p.conn);
	timer_fini(&p.timer);
	arena_fini(&p.arena);
}
