/* The life of a client: dial, speak, lose the connection, wait, dial again. */
#include "harness/load/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/load/publisher.h"
#include "harness/load/workload_internal.h"
#include "harness/ws/close_code.h"

static void try_next(struct client *c);
static void on_alarm(void *owner, uint64_t now_us);
static void on_wake(void *owner, uint64_t now_us);

struct event client_event(const struct client *c, enum event_kind kind, enum event_type type)
{
	return (struct event){.kind = kind, .type = type, .client = c->number, .connection = c->connection, .node = c->node};
}

bool client_is_up(const struct client *c)
{
	return c->phase == CLIENT_UP;
}

void client_alarm_at(struct client *c, uint64_t at_us)
{
	if (alarm_set(&c->alarm, c->workload->site.alarms, at_us, on_alarm, c) < 0)
		c->phase = CLIENT_DONE; /* without memory nobody wakes it */
}

/* The end of a connection ------------------------------------------------------------------------------------------ */

static void done(struct client *c)
{
	if (c->phase == CLIENT_UP) /* it needed no connection */
		c->workload->state.up--;
	c->phase = CLIENT_DONE;
	alarm_clear(&c->alarm);
	for (uint32_t k = 0; !c->publisher && k < c->n_channels; k++)
		account_quit(c->workload->account, workload_place(c->workload, c, k));
	if (c->publisher)
		publisher_stop(c->publisher);
}

static void give_up_for_good(struct client *c, const char *why)
{
	struct event e = client_event(c, EVENT_ERROR, EVENT_INFO);
	e.text = "given up";
	e.note = why;
	workload_tell(c->workload, &e);
	c->workload->state.given_up++;
	done(c);
}

/* Waits, and comes back. */
static void come_again(struct client *c, enum session_then then)
{
	struct workload *w = c->workload;
	if (w->closing) {
		done(c);
		return;
	}
	if (then == SESSION_STOP) {
		give_up_for_good(c, "the dialect says not to come back after this close code");
		return;
	}
	uint64_t wait_ms = backoff_next(&c->backoff, &w->options.reconnect, &c->rng);
	if (wait_ms == UINT64_MAX) {
		give_up_for_good(c, "too many tries in a row");
		return;
	}
	c->phase = CLIENT_OUT;
	client_alarm_at(c, clock_now_us() + wait_ms * 1000);
}

/* Nothing of the connection is left; its events are told. */
static void over(struct client *c, int code)
{
	struct workload *w = c->workload;
	transport_free(TAKE_PTR(c->transport));
	adapter_close(TAKE_PTR(c->link));
	alarm_clear(&c->alarm);
	alarm_clear(&c->wake);
	c->wake_at_us = UINT64_MAX;
	if (c->was_up) {
		w->state.up--;
		backoff_up(&c->backoff, &w->options.reconnect, (clock_now_us() - c->up_us) / 1000);
	}
	enum session_then then = session_closed(c->session, code);
	client_unsubscribed(c);
	c->was_up = c->refused = false;
	c->doomed = NULL;
	c->phase = CLIENT_OUT;
	if (c->publisher)
		publisher_down(c->publisher);
	come_again(c, then);
}

/* An event for a connection that was not up, unless it was told already. */
static void tell_refused(struct client *c, int status, const char *why)
{
	struct event e = client_event(c, EVENT_CONNECT, EVENT_FAIL);
	e.code = status;
	e.text = why;
	e.id = c->transport ? c->transport->id : NULL;
	if (!c->refused)
		workload_tell(c->workload, &e);
}

/* Ends it by RST. */
static void reset(struct client *c, const char *why)
{
	struct event e = client_event(c, EVENT_END, EVENT_OK);
	transport_reset(c->transport);
	e.code = CLOSE_ABNORMAL;
	e.by = END_BY_NETWORK;
	e.note = why;
	e.id = c->transport->id;
	if (c->was_up)
		workload_tell(c->workload, &e);
	else
		tell_refused(c, 0, why);
	over(c, CLOSE_ABNORMAL);
}

void client_drop(struct client *c, const char *why)
{
	if (c->transport)
		reset(c, why);
}

static void say_close(struct client *c)
{
	c->phase = CLIENT_CLOSING;
	alarm_clear(&c->alarm);
	transport_close(c->transport, 1000, CLIENT_GOODBYE);
}

void client_after(struct client *c)
{
	if (c->doomed && c->transport && !c->doomed_by_close) {
		reset(c, c->doomed);
		return;
	}
	if (c->doomed && c->transport && c->phase != CLIENT_CLOSING)
		say_close(c);
	uint64_t at_us = c->transport ? session_wake_at(c->session) : UINT64_MAX;
	if (at_us == c->wake_at_us)
		return;
	c->wake_at_us = at_us;
	if (alarm_set(&c->wake, c->workload->site.alarms, at_us, on_wake, c) < 0)
		c->wake_at_us = UINT64_MAX;
}

static void on_wake(void *owner, uint64_t now_us)
{
	struct client *c = owner;
	c->wake_at_us = UINT64_MAX;
	session_wake(c->session, now_us);
	client_after(c);
}

/* The transport ---------------------------------------------------------------------------------------------------- */

static void on_open(void *owner)
{
	struct client *c = owner;
	struct workload *w = c->workload;
	c->phase = CLIENT_GREETING;
	if (w->adapter && adapter_open(w->adapter, &client_adapter_events, c, &c->link) < 0) {
		reset(c, "the adapter is gone, or does not listen");
		return;
	}
	session_open(c->session, clock_now_us());
	client_after(c);
}

static void on_refused(void *owner, int status, const char *why)
{
	struct client *c = owner;
	bool unknown = c->resumes && (status == 400 || status == 404 || status == 410);
	tell_refused(c, status, why);
	if (unknown) /* the session that was asked for: a client without one may come */
		session_forget(c->session);
	over(c, CLOSE_ABNORMAL);
}

static void on_message(void *owner, struct span message, bool binary)
{
	struct client *c = owner;
	if (!c->link) {
		session_receive(c->session, message, binary, c->transport->heard_us);
	} else if (adapter_message(c->link, message, binary) < 0) {
		c->doomed = "the adapter does not listen";
		c->doomed_by_close = false;
	}
	client_after(c);
}

static void on_ping(void *owner)
{
	struct client *c = owner;
	struct event e = client_event(c, EVENT_PING, EVENT_OK);
	workload_tell(c->workload, &e);
}

static void on_pong(void *owner, struct span payload)
{
	struct client *c = owner;
	struct event e = client_event(c, EVENT_ANSWER, EVENT_OK);
	if (!c->pinged_us || !span_eq(payload, span_of(&c->pinged_us, sizeof(c->pinged_us))))
		return; /* unasked, or the answer to an older one */
	e.value = (double)(c->transport->heard_us - c->pinged_us) / 1000;
	c->pinged_us = 0;
	workload_tell(c->workload, &e);
	if (c->phase == CLIENT_UP)
		client_plan(c);
}

static void on_end(void *owner, const struct transport_end *end)
{
	struct client *c = owner;
	struct event e = client_event(c, EVENT_END, EVENT_OK);
	char why[2 * TRANSPORT_WHY_MAX];
	e.code = end->code;
	e.text = end->by == END_BY_CLIENT ? CLIENT_GOODBYE : end->reason;
	e.by = end->by;
	e.clean = end->clean;
	e.note = end->note;
	e.id = c->transport->id;
	if (c->was_up) {
		workload_tell(c->workload, &e);
	} else {
		snprintf(why, sizeof(why), "ended before it was ready: %d %s (%s)", end->code, end->reason, end->note);
		tell_refused(c, 0, why);
	}
	over(c, end->code ? end->code : CLOSE_ABNORMAL);
}

static const struct transport_events transport_events = {on_open, on_refused, on_message, on_ping, on_pong, on_end};

/* Dialling --------------------------------------------------------------------------------------------------------- */

static int dial_way(struct client *c, const struct workload_way *way)
{
	struct workload *w = c->workload;
	const struct workload_site *site = &w->site;
	struct session_request q;
	int r = session_request(c->session, way->target, &q);
	if (r < 0)
		return r;
	c->resumes = q.resumes;
	struct transport_options o = {
		.line = {site->loop, site->alarms, way, site->source,
			 c->publisher ? site->publisher_toxics : site->subscriber_toxics,
			 (uint64_t)c->connection * (w->n_clients + 1) + c->number},
		.target = q.target,
		.headers = site->headers,
		.more_headers = q.headers,
		.n_more_headers = q.n_headers,
		.subprotocols = &site->dialect->subprotocols,
		.id_header = site->id_header,
		.rng = &c->rng,
		.scratch = &w->frame,
	};
	if (site->dialect->transport == DIALECT_SSE)
		return transport_event_stream_new(&o, &transport_events, c, &c->transport);
	return transport_socket_new(&o, &transport_events, c, &c->transport);
}

static void try_next(struct client *c)
{
	struct workload *w = c->workload;
	const struct workload_way *way = &w->site.ways[c->way++ % w->site.n_ways];
	c->connection++;
	c->node = way->node;
	c->pinged_us = 0;
	if (c->connection > 1)
		w->state.reconnects++;
	struct event e = client_event(c, EVENT_CONNECT, EVENT_INVOKE);
	workload_tell(w, &e);
	c->phase = CLIENT_DIALING;
	client_alarm_at(c, clock_now_us() + CLIENT_CONNECT_MS * 1000ull);
	int r = dial_way(c, way);
	if (r < 0) {
		tell_refused(c, 0, strerror(-r));
		over(c, CLOSE_ABNORMAL);
	}
}

/* Time ------------------------------------------------------------------------------------------------------------- */

static void on_alarm(void *owner, uint64_t now_us)
{
	struct client *c = owner;
	if (c->phase == CLIENT_OUT)
		try_next(c);
	else if (c->phase == CLIENT_DIALING || c->phase == CLIENT_GREETING)
		reset(c, c->phase == CLIENT_DIALING ? "no connection in time" : "it was not ready in time");
	else if (c->phase == CLIENT_UP)
		client_look(c, now_us);
}

/* The whole life --------------------------------------------------------------------------------------------------- */

/* A publisher has none, but where it may publish on no other. */
static uint32_t channels_of(const struct client *c)
{
	const struct dialect *d = c->workload->site.dialect;
	if (!c->publisher)
		return (uint32_t)c->workload->options.channels_each;
	return d->publish_subscribed;
}

int client_init(struct client *c, struct workload *w, uint32_t number)
{
	char name[32];
	c->workload = w;
	c->number = number;
	c->way = number - 1;
	c->wake_at_us = UINT64_MAX;
	snprintf(name, sizeof(name), "client/%u", number);
	rng_init(&c->rng, w->site.seed, name);
	int r = session_new(w->site.dialect, w->site.variables, &client_session_events, c, &c->session);
	if (r == 0 && number > w->options.subscribers)
		r = publisher_new(c, &c->publisher);
	if (r < 0)
		return r;
	c->n_channels = channels_of(c);
	c->channels = calloc(c->n_channels + 1, sizeof(*c->channels));
	if (!c->channels)
		return -ENOMEM;
	for (uint32_t k = 0; r == 0 && k < c->n_channels; k++) {
		uint32_t channel = workload_subscription(w, c, k);
		if (!c->publisher)
			account_place(w->account, workload_place(w, c, k), channel);
		r = session_subscribe(c->session, channel, w->channels[channel - 1].name);
	}
	return r;
}

void client_take_over(struct client *c)
{
	if (c->phase != CLIENT_UP || !c->transport || c->link || c->ghost.transport)
		return;
	client_ghost_begin(c);
	c->workload->state.up--;
	session_closed(c->session, CLOSE_ABNORMAL);
	client_unsubscribed(c);
	c->was_up = c->refused = false;
	alarm_clear(&c->wake);
	c->wake_at_us = UINT64_MAX;
	try_next(c);
}

void client_fini(struct client *c)
{
	transport_free(TAKE_PTR(c->ghost.transport));
	alarm_clear(&c->alarm);
	alarm_clear(&c->wake);
	transport_free(TAKE_PTR(c->transport));
	adapter_close(TAKE_PTR(c->link));
	publisher_free(TAKE_PTR(c->publisher));
	session_free(TAKE_PTR(c->session));
	free(TAKE_PTR(c->channels));
}

void client_start(struct client *c)
{
	if (c->phase != CLIENT_OUT || c->alarm.place)
		return;
	if (c->publisher && c->workload->site.dialect->publish_by_http) {
		c->phase = CLIENT_UP; /* no connection is needed */
		c->workload->state.up++;
	} else {
		try_next(c);
	}
}

void client_close(struct client *c)
{
	client_ghost_close(&c->ghost);
	if (c->phase == CLIENT_UP && c->transport)
		say_close(c);
	else if (c->phase == CLIENT_DIALING || c->phase == CLIENT_GREETING)
		reset(c, "the workload is over");
	else if (c->phase != CLIENT_CLOSING && c->phase != CLIENT_DONE)
		done(c);
}
