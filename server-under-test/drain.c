/*
 * Draining, the same for every engine: a notice, in which load balancers learn of it, then Closes spread evenly so that
 * reconnecting clients do not come as a herd.
 */
#include "server-under-test/drain.h"

#include "server-under-test/defects.h"
#include "server-under-test/http/door.h"

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

	if (share >= 1 || defect(drain_all_at_once))
		return drain->to_close;
	return (unsigned)((double)drain->to_close * share) + 1;
}

/* WebSockets and HTTP answers that are not over. */
static bool is_busy(struct server *server)
{
	return server->engine->open_count(server) > 0 || (server->doors && doors_busy(server->doors) > 0);
}

static void drain_close(struct drain *drain, double now)
{
	struct server *server = drain->server;
	unsigned due = closes_due(drain, now);

	if (due > drain->closed)
		drain->closed += server->engine->close_some(server, due - drain->closed, drain->code);
	if (now - drain->closing_s >= server->config->drain_spread_s) /* whoever came in between */
		server->engine->close_some(server, (unsigned)-1, drain->code);
	if (server->doors)
		doors_drain(server->doors);
	if (!is_busy(server))
		drain_end(drain);
}

static void close_begin(struct drain *drain, double now)
{
	struct server *server = drain->server;

	drain->phase = DRAIN_CLOSING;
	drain->closing_s = now;
	drain->to_close = server->engine->open_count(server);
	server->refusing = true; /* with 503, for who comes late */
	if (defect(drain_without_close))
		drain_end(drain);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct drain *drain = timer->data;
	const struct config *config = drain->server->config;
	double now = ev_now(loop);

	(void)events;
	if (now - drain->begun_s >= config->drain_timeout_s) {
		drain_end(drain);
		return;
	}
	if (drain->phase == DRAIN_NOTICE && now - drain->begun_s >= config->drain_notice_s)
		close_begin(drain, now);
	if (drain->phase == DRAIN_CLOSING)
		drain_close(drain, now);
}

void drain_init(struct drain *drain, struct server *server)
{
	*drain = (struct drain){ .server = server };
	ev_timer_init(&drain->tick, on_tick, DRAIN_TICK_S, DRAIN_TICK_S);
	drain->tick.data = drain;
}

bool drain_begin(struct drain *drain, unsigned code)
{
	struct ev_loop *loop = drain->server->loop;

	if (drain->phase != DRAIN_SERVING) {
		drain_end(drain);
		return false;
	}
	drain->phase = DRAIN_NOTICE;
	drain->code = code;
	drain->server->draining = true;
	ev_now_update(loop);
	drain->begun_s = ev_now(loop);
	ev_timer_start(loop, &drain->tick);
	return true;
}

void drain_fini(struct drain *drain)
{
	ev_timer_stop(drain->server->loop, &drain->tick);
}
