/* A client whose connection is up: is there still somebody at the other end? */
#include "harness/base/clock.h"
#include "harness/load/workload_internal.h"

void client_ready(struct client *c, const struct session_news *n)
{
	struct event e = client_event(c, EVENT_CONNECT, EVENT_OK);
	c->phase = CLIENT_UP;
	c->was_up = true;
	c->up_us = clock_now_us();
	c->workload->state.up++;
	e.recovered = n->recovered;
	e.id = c->transport->id;
	workload_tell(c->workload, &e);
}

static void ping(struct client *c, uint64_t now_us)
{
	struct event e = client_event(c, EVENT_ANSWER, EVENT_INVOKE);
	c->pinged_us = now_us;
	workload_tell(c->workload, &e);
	transport_ping(c->transport, span_of(&c->pinged_us, sizeof(c->pinged_us)));
}

/* UINT64_MAX where there is nothing to look for. */
static uint64_t look_at_us(const struct client *c)
{
	const struct workload_options *o = &c->workload->options;
	uint64_t at_us = UINT64_MAX;
	if (o->ping_ms && c->transport->ops->pings)
		at_us = c->pinged_us ? c->pinged_us + o->ping_timeout_ms * 1000 : c->transport->heard_us + o->ping_ms * 1000;
	if (c->asked_us && c->asked_us + o->answer_ms * 1000 < at_us)
		at_us = c->asked_us + o->answer_ms * 1000;
	if (c->again_us && c->again_us < at_us)
		at_us = c->again_us;
	return at_us;
}

void client_plan(struct client *c)
{
	uint64_t at_us = look_at_us(c);
	alarm_clear(&c->alarm);
	if (at_us != UINT64_MAX)
		client_alarm_at(c, at_us);
}

void client_look(struct client *c, uint64_t now_us)
{
	const struct workload_options *o = &c->workload->options;
	bool pings = o->ping_ms && c->transport->ops->pings;
	if (c->pinged_us && c->transport->heard_us >= c->pinged_us)
		c->pinged_us = 0; /* other octets are life too */
	if (c->pinged_us && now_us >= c->pinged_us + o->ping_timeout_ms * 1000) {
		client_drop(c, "no answer to a Ping");
		return;
	}
	if (pings && !c->pinged_us && now_us >= c->transport->heard_us + o->ping_ms * 1000)
		ping(c, now_us);
	client_subscriptions_due(c, now_us);
	client_after(c);
	if (c->phase == CLIENT_UP)
		client_plan(c);
}
