/*
 * A connection that was left open while its client came a second time: a phone that changed networks, a second tab with
 * the same session. It listens and says nothing; what it hears is told, for it should be nothing but a Close.
 */
#include "harness/base/clock.h"
#include "harness/load/workload_internal.h"

static struct event ghost_event(const struct client_ghost *g, enum event_kind kind)
{
	struct event e = client_event(g->client, kind, EVENT_OK);
	e.connection = g->connection;
	e.node = g->node;
	return e;
}

static void on_message(void *owner, struct span message, bool binary)
{
	struct client_ghost *g = owner;
	struct event e = ghost_event(g, EVENT_PING);
	(void)message;
	(void)binary;
	e.note = "a message over the connection that was left open";
	workload_tell(g->client->workload, &e);
}

static void on_ping(void *owner)
{
	struct client_ghost *g = owner;
	struct event e = ghost_event(g, EVENT_PING);
	workload_tell(g->client->workload, &e);
}

static void on_end(void *owner, const struct transport_end *end)
{
	struct client_ghost *g = owner;
	struct event e = ghost_event(g, EVENT_END);
	e.code = end->code;
	e.text = end->reason;
	e.by = end->by;
	e.clean = end->clean;
	e.note = end->note;
	e.id = g->transport->id;
	workload_tell(g->client->workload, &e);
	transport_free(TAKE_PTR(g->transport));
}

static void on_open(void *owner)
{
	(void)owner;
}

static void on_refused(void *owner, int status, const char *why)
{
	(void)owner;
	(void)status;
	(void)why;
}

static void on_pong(void *owner, struct span payload)
{
	(void)owner;
	(void)payload;
}

static const struct transport_events events = {on_open, on_refused, on_message, on_ping, on_pong, on_end};

void client_ghost_begin(struct client *c)
{
	c->ghost = (struct client_ghost){
		.client = c, .transport = TAKE_PTR(c->transport), .connection = c->connection, .node = c->node};
	c->ghost.transport->events = &events;
	c->ghost.transport->owner = &c->ghost;
}

void client_ghost_close(struct client_ghost *g)
{
	if (g->transport)
		transport_close(g->transport, 1000, "");
}
