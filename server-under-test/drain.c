/*
 * Draining, the same for every engine: a notice, then Closes spread evenly so that reconnecting clients do not come
 * as a herd.
 */
#include "server-under-test/drain.h"

#include <signal.h>

#define DRAIN_TICK_S 0.02

static void drain_end(struct drain *drain)
{
	ev_break(drain->server->loop, EVBREAK_ALL);
}

/* How many Closes should have been sent by now. */
static unsigned closes_due(const struct drain *drain, double now)
{
	double spread = drain->server->config->drain_spread_s;
	double share = spread > 0 ? (now - drain->closing_s) / spread : 1;

	if (share >= 1)
		return drain->to_close;
	return (unsigned)((double)drain->to_close * share) + 1;
}

static void drain_close(struct drain *drain, double now)
{
	struct server *server = drain->server;
	unsigned due = closes_due(drain, now);

	if (due > drain->closed)
		drain->closed += server->engine->close_some(server, due - drain->closed, drain->code);
	if (now - drain->closing_s >= server->config->drain_spread_s) /* whoever came in between */
		server->engine->close_some(server, (unsigned)-1, drain->code);
	if (server->engine->open_count(server) == 0)
		drain_end(drain);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct drain *drain = timer->data;
	const struct config *config = drain->server->config;
	double now = ev_now(loop);

	(void)events;
	if (now - drain->signalled_s >= config->drain_timeout_s) {
		drain_end(drain);
		return;
	}
	if (drain->phase == DRAIN_NOTICE && now - drain->signalled_s >= config->drain_notice_s) {
		drain->phase = DRAIN_CLOSING;
		drain->closing_s = now;
		drain->to_close = drain->server->engine->open_count(drain->server);
		drain->server->refusing = true;
		listener_stop(&drain->server->listener);
	}
	if (drain->phase == DRAIN_CLOSING)
		drain_close(drain, now);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct drain *drain = watcher->data;

	(void)events;
	if (drain->phase != DRAIN_SERVING) {
		drain_end(drain);
		return;
	}
	drain->phase = DRAIN_NOTICE;
	drain->code = watcher->signum == SIGUSR2 ? 1012 : 1001;
	ev_now_update(loop);
	drain->signalled_s = ev_now(loop);
	log_server_drain(drain->server->log, drain->code, drain->server->engine->open_count(drain->server));
	ev_timer_start(loop, &drain->tick);
}

void drain_init(struct drain *drain, struct server *server)
{
	static const int signums[] = { SIGTERM, SIGUSR2, SIGINT };

	*drain = (struct drain){ .server = server };
	for (unsigned i = 0; i < 3; i++) {
		ev_signal_init(&drain->signals[i], on_signal, signums[i]);
		drain->signals[i].data = drain;
		ev_signal_start(server->loop, &drain->signals[i]);
	}
	ev_timer_init(&drain->tick, on_tick, DRAIN_TICK_S, DRAIN_TICK_S);
	drain->tick.data = drain;
}

void drain_fini(struct drain *drain)
{
	for (unsigned i = 0; i < 3; i++)
		ev_signal_stop(drain->server->loop, &drain->signals[i]);
	ev_timer_stop(drain->server->loop, &drain->tick);
}
