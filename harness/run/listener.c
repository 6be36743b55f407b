/* Says nothing but Pongs. */
#include "harness/run/listener.h"

#include "harness/base/clock.h"
#include "harness/run/approach.h"

enum { LISTENER_ARENA_MAX = 8 << 20 };

static void answer_ping(struct listener *l, struct span payload)
{
	struct frame f = {.fin = true, .opcode = OPCODE_PONG, .masked = true, .key = {1, 2, 3, 4}, .payload = payload};
	struct buf b;
	buf_init(&b, 256);
	if (payload.len <= CONTROL_PAYLOAD_MAX && frame_write(&b, &f) == 0)
		conn_write(&l->conn, buf_span(&b));
	buf_fini(&b);
}

static void on_end(struct listener *l)
{
	if (l->open && !l->ended)
		l->ended_us = clock_now_us();
	l->ended = true;
}

static void on_event(void *owner, const struct conn_event *e)
{
	struct listener *l = owner;
	switch (e->kind) {
	case CONN_OPEN: approach_write(&l->conn, &l->request); return;
	case CONN_REPLY:
		l->open = l->conn.upgraded;
		l->opened_us = clock_now_us();
		return;
	case CONN_MESSAGE: l->env->chatty = true; return;
	case CONN_PING: answer_ping(l, e->octets); return;
	case CONN_CLOSE:
	case CONN_EOF:
	case CONN_ERROR:
	case CONN_ENDLESS: on_end(l); return;
	default: return;
	}
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
}

uint32_t listener_heard_ms(const struct listener *l)
{
	if (!l->open)
		return 0;
	return (uint32_t)(((l->ended ? l->ended_us : clock_now_us()) - l->opened_us) / 1000);
}

void listener_fini(struct listener *l)
{
	conn_fini(&l->conn);
	arena_fini(&l->arena);
}
