/*
 * Messages without an outcome stand in a ring, by their number of the publisher, which also tells their channel and
 * index: publisher i begins at channel i and takes the channels in turn. Nothing else of a message is kept: when it is
 * sent again its data is made again.
 */
#include "harness/load/publisher.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/load/http.h"
#include "harness/load/workload_internal.h"

enum publish_state {
	PUBLISH_DONE,
	PUBLISH_SENT,
	PUBLISH_SILENT,            /* sent, and no answer will come */
	PUBLISH_AGAIN,             /* to be sent again */
};

struct publish {
	uint64_t sent_us, due_us;  /* as the message says; clock: when its answer is given up */
	uint8_t state, tries;
	bool by_http, seen;
};

struct publisher {
	struct client *client;
	uint32_t number;           /* among the publishers, from 1 */
	uint32_t base, channels, first; /* behind channel `base`, how many it takes in turn; where it begins, from 0 */
	struct publish *ring;
	size_t size;               /* a power of two */
	uint64_t oldest, next;     /* numbers of messages; [oldest, next) are in the ring */
	uint64_t sent, again, repairing; /* messages in these states; with more than one try and without an outcome */
	uint64_t again_us;         /* clock: not before */
	uint64_t sending;          /* its number + 1, while the session is asked to; else 0 */
	bool stopping;
	struct alarm alarm;
	struct http *http;
};

static void plan(struct publisher *p);

static struct publish *at(struct publisher *p, uint64_t op)
{
	return &p->ring[op & (p->size - 1)];
}

static uint32_t channel_of(const struct publisher *p, uint64_t op)
{
	return p->base + (uint32_t)((p->first + op) % p->channels) + 1;
}

static uint64_t index_of(const struct publisher *p, uint64_t op)
{
	return op / p->channels + 1;
}

static int grow(struct publisher *p)
{
	size_t size = p->size ? 2 * p->size : 8;
	if (p->next - p->oldest < p->size)
		return 0;
	struct publish *ring = calloc(size, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (uint64_t op = p->oldest; op < p->next; op++)
		ring[op & (size - 1)] = *at(p, op);
	free(p->ring);
	p->ring = ring;
	p->size = size;
	return 0;
}

static void set_state(struct publisher *p, struct publish *m, enum publish_state state)
{
	p->sent -= m->state == PUBLISH_SENT;
	p->again -= m->state == PUBLISH_AGAIN;
	m->state = (uint8_t)state;
	p->sent += state == PUBLISH_SENT;
	p->again += state == PUBLISH_AGAIN;
}

static bool is_waiting(struct publisher *p, uint64_t op)
{
	return op >= p->oldest && op < p->next && (at(p, op)->state == PUBLISH_SENT || at(p, op)->state == PUBLISH_SILENT);
}

/* A later message of its channel was confirmed. */
static bool is_overtaken(const struct publisher *p, uint64_t op)
{
	return account_newest(p->client->workload->account, channel_of(p, op), p->number) > index_of(p, op);
}

static struct event message_event(const struct publisher *p, uint64_t op, enum event_type type, uint64_t sent_us)
{
	struct event e = client_event(p->client, EVENT_PUBLISH, type);
	e.channel = channel_of(p, op);
	e.publisher = p->client->number;
	e.index = index_of(p, op);
	e.sent_us = sent_us;
	return e;
}

/* Outcomes --------------------------------------------------------------------------------------------------------- */

struct outcome {
	enum event_type type;
	uint64_t seq;
	struct span epoch;
	const char *text, *note;
};

static void tell_outcome(struct publisher *p, uint64_t op, const struct outcome *o)
{
	struct workload *w = p->client->workload;
	struct publish *m = at(p, op);
	struct event e = message_event(p, op, o->type, m->sent_us);
	char note[TRANSPORT_WHY_MAX];
	e.seq = o->seq;
	e.epoch = workload_epoch(w, e.channel, o->epoch);
	e.text = o->text;
	e.note = o->note;
	if (m->tries > 1) {
		snprintf(note, sizeof(note), "sent %u times%s%s", m->tries, o->note ? "; " : "", o->note ? o->note : "");
		e.note = note;
	}
	workload_tell(w, &e);
}

static void finish(struct publisher *p, uint64_t op, const struct outcome *o)
{
	struct workload *w = p->client->workload;
	struct publish *m = at(p, op);
	tell_outcome(p, op, o);
	account_outcome(w->account, channel_of(p, op), p->number, index_of(p, op), o->type == EVENT_OK || m->seen);
	w->state.waiting--;
	w->state.published += o->type == EVENT_OK;
	w->state.unsure += o->type == EVENT_INFO;
	w->state.refused += o->type == EVENT_FAIL;
	if (w->state.waiting == 0 && w->doubt_until_us == UINT64_MAX)
		w->doubt_until_us = clock_now_us() + WORKLOAD_DOUBT_MS * 1000;
	p->repairing -= m->tries > 1;
	set_state(p, m, PUBLISH_DONE);
	while (p->oldest < p->next && at(p, p->oldest)->state == PUBLISH_DONE)
		p->oldest++;
}

static void finish_as(struct publisher *p, uint64_t op, enum event_type type, const char *text, const char *note)
{
	finish(p, op, &(struct outcome){.type = type, .text = text, .note = note});
}

/* Nobody knows whether it was done. */
static void unknown(struct publisher *p, uint64_t op, const char *why, const char *note)
{
	struct publish *m = at(p, op);
	if (m->state == PUBLISH_SILENT)
		why = "publishes are not answered";
	if (!p->client->workload->options.keyed || m->state != PUBLISH_SENT || p->stopping ||
	    m->tries >= PUBLISHER_TRIES_MAX || is_overtaken(p, op)) {
		finish_as(p, op, EVENT_INFO, why, note);
		return;
	}
	set_state(p, m, PUBLISH_AGAIN);
	p->again_us = clock_now_us() + PUBLISHER_AGAIN_MS * 1000;
}

void publisher_answer(struct publisher *p, const struct session_news *n)
{
	if (!is_waiting(p, n->op))
		return; /* given up before */
	if (n->ok && p->sending == n->op + 1) {
		set_state(p, at(p, n->op), PUBLISH_SILENT);
		return;
	}
	if (n->ok)
		finish(p, n->op, &(struct outcome){.type = EVENT_OK, .seq = n->seq, .epoch = n->epoch});
	else if (n->unsure)
		unknown(p, n->op, n->code ? n->code : "the target does not know", n->reason);
	else
		finish_as(p, n->op, EVENT_FAIL, n->code ? n->code : "refused", n->reason);
	plan(p);
}

void publisher_seen(struct publisher *p, uint32_t channel, uint64_t index, uint64_t seq)
{
	uint32_t turn = (channel - 1 - p->base + p->channels - p->first) % p->channels;
	uint64_t op = (index - 1) * p->channels + turn;
	if (op < p->oldest || op >= p->next || at(p, op)->state == PUBLISH_DONE)
		return;
	at(p, op)->seen = true;
	if (at(p, op)->state == PUBLISH_SILENT)
		finish(p, op, &(struct outcome){.type = EVENT_OK, .seq = seq, .note = "no answer; a subscriber was given it"});
}

/* Sending ---------------------------------------------------------------------------------------------------------- */

/* Sends it, for the first time or again. On failure it certainly was not. */
static int transmit(struct publisher *p, uint64_t op)
{
	struct workload *w = p->client->workload;
	struct publish *m = at(p, op);
	uint32_t channel = channel_of(p, op);
	struct payload data = {w->run, p->client->number, channel, index_of(p, op), m->sent_us};
	char key[64];
	snprintf(key, sizeof(key), "%08" PRIx32 "-%u-%" PRIu64, w->run, p->client->number, op);
	w->message.len = 0;
	int r = payload_write(&w->message, &data, payload_size(&w->sizes, &data));
	if (r < 0)
		return r;
	p->repairing += m->tries == 1;
	if (m->tries++ > 0) {
		struct event e = message_event(p, op, EVENT_INVOKE, w->site.now_us(w->site.owner));
		e.note = "again";
		workload_tell(w, &e);
	}
	m->due_us = clock_now_us() + w->options.answer_ms * 1000;
	set_state(p, m, PUBLISH_SENT);
	p->sending = op + 1;
	r = session_publish(p->client->session, channel, w->channels[channel - 1].name, buf_span(&w->message),
			    w->options.keyed ? key : NULL, op);
	p->sending = 0;
	return r;
}

static bool may_publish(struct publisher *p)
{
	const struct client *c = p->client;
	if (!client_is_up(c) || p->stopping || p->again || p->repairing)
		return false;
	if (c->transport && transport_unsent(c->transport) > PUBLISHER_UNSENT_MAX)
		return false;
	if (p->http && http_waiting(p->http) >= PUBLISHER_REQUESTS_MAX)
		return false;
	return p->next - p->oldest < PUBLISHER_WAITING_MAX && grow(p) == 0;
}

bool publisher_turn(struct publisher *p)
{
	struct workload *w = p->client->workload;
	if (!may_publish(p))
		return false;
	uint64_t op = p->next++;
	*at(p, op) = (struct publish){.sent_us = w->site.now_us(w->site.owner)};
	set_state(p, at(p, op), PUBLISH_SENT);
	struct event e = message_event(p, op, EVENT_INVOKE, at(p, op)->sent_us);
	uint64_t index = account_invoke(w->account, e.channel, p->number);
	assert(index == e.index);
	w->state.waiting++;
	workload_tell(w, &e);
	int r = transmit(p, op);
	if (r < 0 && is_waiting(p, op))
		finish_as(p, op, EVENT_FAIL, "not sent", strerror(-r));
	plan(p);
	client_after(p->client);
	return true;
}

/* Those of an unknown outcome, in their order, once nothing else is on its way. */
static void send_again(struct publisher *p)
{
	for (uint64_t op = p->oldest, end = p->next; op < end && p->again && client_is_up(p->client); op++) {
		if (op < p->oldest || at(p, op)->state != PUBLISH_AGAIN)
			continue;
		if (is_overtaken(p, op)) {
			finish_as(p, op, EVENT_INFO, "overtaken by a later message", NULL);
			continue;
		}
		int r = transmit(p, op);
		if (r < 0 && is_waiting(p, op))
			unknown(p, op, "could not be sent again", strerror(-r));
		if (r < 0)
			return;
	}
}

/* Time ------------------------------------------------------------------------------------------------------------- */

static void give_up_answers(struct publisher *p, uint64_t now_us)
{
	for (uint64_t op = p->oldest, end = p->next; op < end; op++) {
		if (!is_waiting(p, op) || at(p, op)->due_us > now_us)
			continue;
		session_give_up(p->client->session, op);
		if (at(p, op)->by_http && p->http && http_forget(p->http, op))
			finish_as(p, op, EVENT_FAIL, "not sent in time", NULL);
		else
			unknown(p, op, "no answer in time", NULL);
	}
}

static void on_alarm(void *owner, uint64_t now_us)
{
	struct publisher *p = owner;
	give_up_answers(p, now_us);
	if (p->again && !p->sent && now_us >= p->again_us && client_is_up(p->client)) {
		send_again(p);
		client_after(p->client);
	}
	plan(p);
}

static void plan(struct publisher *p)
{
	uint64_t at_us = UINT64_MAX, soon_us = clock_now_us() + PUBLISHER_LOOK_MS * 1000;
	/* Those that were sent again may be due later than ones behind them, and then those are noticed late. */
	for (uint64_t op = p->oldest; op < p->next && at_us == UINT64_MAX; op++)
		if (is_waiting(p, op))
			at_us = at(p, op)->due_us > soon_us ? at(p, op)->due_us : soon_us;
	if (p->again && !p->sent && client_is_up(p->client) && p->again_us < at_us)
		at_us = p->again_us;
	if (p->alarm.place && p->alarm.at_us <= at_us && !p->stopping)
		return; /* early is fine, and moving it for every message is not free */
	alarm_set(&p->alarm, p->client->workload->site.alarms, at_us, on_alarm, p);
}

void publisher_up(struct publisher *p)
{
	if (p->again && !p->sent)
		send_again(p);
	plan(p);
}

void publisher_down(struct publisher *p)
{
	for (uint64_t op = p->oldest, end = p->next; op < end; op++)
		if (is_waiting(p, op) && !at(p, op)->by_http)
			unknown(p, op, "the connection ended before the answer", NULL);
	plan(p);
}

void publisher_stop(struct publisher *p)
{
	p->stopping = true;
	for (uint64_t op = p->oldest, end = p->next; op < end; op++) {
		if (op < p->oldest || at(p, op)->state == PUBLISH_DONE)
			continue;
		bool waits = at(p, op)->by_http && at(p, op)->state == PUBLISH_SENT && p->http;
		bool unsent = waits && http_forget(p->http, op) && at(p, op)->tries == 1;
		finish_as(p, op, unsent ? EVENT_FAIL : EVENT_INFO, "the workload was over", NULL);
	}
	plan(p);
}

/* By HTTP ---------------------------------------------------------------------------------------------------------- */

static void on_http_answer(void *owner, const struct http_answer *a)
{
	struct publisher *p = owner;
	if (a->status) {
		session_http_done(p->client->session, a->op, a->status, a->body);
	} else if (is_waiting(p, a->op)) {
		session_give_up(p->client->session, a->op);
		if (a->sent || at(p, a->op)->tries > 1)
			unknown(p, a->op, "no answer", a->why);
		else
			finish_as(p, a->op, EVENT_FAIL, "not sent", a->why);
	}
	plan(p);
}

void publisher_http(struct publisher *p, uint64_t op, const struct http_request *q)
{
	const struct workload *w = p->client->workload;
	const struct workload_site *site = &w->site;
	struct http_options o = {
		.line = {site->loop, site->alarms, &site->ways[(p->client->number - 1) % site->n_ways], site->source,
			 site->publisher_toxics, w->n_clients + 1 + p->client->number},
		.number_step = w->n_clients + 1,
		.headers = site->headers,
	};
	int r = p->http ? 0 : http_new(&o, on_http_answer, p, &p->http);
	if (!is_waiting(p, op))
		return;
	at(p, op)->by_http = true;
	if (r == 0)
		r = http_ask(p->http, op, q);
	if (r < 0)
		finish_as(p, op, EVENT_FAIL, "not sent", strerror(-r));
}

/* Life ------------------------------------------------------------------------------------------------------------- */

int publisher_new(struct client *c, struct publisher **ret_publisher)
{
	const struct workload *w = c->workload;
	const struct dialect *d = w->site.dialect;
	struct publisher *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->client = c;
	p->number = c->number - (uint32_t)w->options.subscribers;
	p->channels = w->n_published;
	p->first = (p->number - 1) % w->n_published;
	if (d->publish_subscribed) { /* to one channel */
		p->base = p->first;
		p->first = 0;
		p->channels = 1;
	}
	*ret_publisher = p;
	return 0;
}

void publisher_free(struct publisher *p)
{
	if (!p)
		return;
	alarm_clear(&p->alarm);
	http_free(p->http);
	free(p->ring);
	free(p);
}
