/* Says nothing but Pongs, and a Ping when it is told to. */
#include "harness/run/listener.h"

#include "harness/base/clock.h"
#include "harness/run/approach.h"

enum { LISTENER_ARENA_MAX = 8 << 20 };

static void say(struct listener *l, uint8_t opcode, struct span payload)
{
	struct frame f = {.fin = true, .opcode = opcode, .masked = true, .key = {1, 2, 3, 4}, .payload = payload};
	struct buf b;
	buf_init(&b, 256);
	if (payload.len <= CONTROL_PAYLOAD_MAX && frame_write(&b, &f) == 0)
		conn_write(&l->conn, buf_span(&b));
	buf_fini(&b);
}

static void on_end(struct listener *l, bool cut)
{
	if (l->ended)
		return;
	if (l->open) {
		l->ended_us = clock_now_us();
		l->cut = cut;
	}
	l->ended = true;
}

static void changed(struct listener *l)
{
	if (l->on_change)
		l->on_change(l->owner);
}

static void on_event(void *owner, const struct conn_event *e)
{
	struct listener *l = owner;
	switch (e->kind) {
	case CONN_OPEN: approach_write(&l->conn, &l->request); return;
	case CONN_REPLY:
		l->open = l->conn.upgraded;
		l->opened_us = clock_now_us();
		if (!l->open)
			on_end(l, false);
		break;
	case CONN_MESSAGE: l->env->chatty = true; return;
	case CONN_PING: say(l, OPCODE_PONG, e->octets); return;
	case CONN_PONG: l->answered = true; break;
	case CONN_CLOSE:
	case CONN_ENDLESS: on_end(l, false); break;
	case CONN_EOF:
	case CONN_ERROR: on_end(l, true); break;
	default: return;
	}
	changed(l);
}

void listener_start(struct listener *l, struct case_env *env)
{
	struct rng rng;
	struct dial_options o = approach_dial(env, false);
	*l = (struct listener){.env = env};
	arena_init(&l->arena, LISTENER_ARENA_MAX);
	transcript_init(&l->transcript, &l->arena, clock_now_us());
	l->transcript.secrets = env->secrets;
	rng_init(&rng, env->seed, "listener");
	approach_request(env, &rng, &l->arena, &l->request);
	if (conn_dial(&l->conn, env->loop, &o, &l->arena, &l->transcript, on_event, l) < 0)
		l->ended = true;
	l->conn.request = &l->request;
	l->conn.deaf = true;
}

uint32_t listener_heard_ms(const struct listener *l)
{
	if (!l->open)
		return 0;
	return (uint32_t)(((l->ended ? l->ended_us : clock_now_us()) - l->opened_us) / 1000);
}

void listener_ask(struct listener *l)
{
	l->answered = false;
	if (l->open && !l->ended)
		say(l, OPCODE_PING, span_str("still there?"));
}

void listener_fini(struct listener *l)
{
	conn_fini(&l->conn);
	arena_fini(&l->arena);
}
