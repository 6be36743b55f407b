/* The simulated server, its network and its clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/base/rng.h"
#include "harness/check/simulation.h"

enum {
	SUBS = 8, PUBS = 4, CLIENTS = SUBS + PUBS, CHANNELS = 2,
	KEPT = 40, LOG_MAX = 4096, QUEUE_MAX = 4096, STEPS = 6000,
};

struct message {
	uint32_t publisher;
	uint64_t index, sent_us;
};

/* What travels. To the server: a publish or a subscribe; to the client: an answer or a message. */
struct item {
	enum { PUBLISH, SUBSCRIBE, PUBLISHED, SUBSCRIBED, MESSAGE } what;
	uint32_t channel, epoch, publisher;
	uint64_t index, seq;
	enum recovered recovered;
	bool resumes, replay;
	uint64_t sent_us;
};

struct queue {
	struct item items[QUEUE_MAX];
	size_t from, to;
};

struct client {
	struct queue up, down, late;  /* late: sent over a connection that is dead, and still on its way */
	uint32_t connection, channel, epoch;
	uint64_t seq, index;          /* position; of a publisher its last message */
	uint64_t waiting_from;        /* publishes without an answer begin here */
	bool is_up, subscribed;       /* as the server sees it, for `subscribed` */
};

struct channel {
	struct message log[LOG_MAX];
	uint64_t n, first;            /* messages of this epoch; the oldest kept is number `first` */
	uint32_t epoch;
};

struct world {
	struct check_set *set;
	struct rng rng;
	struct client clients[CLIENTS];
	struct channel channels[CHANNELS];
	uint64_t number, now_us;
	enum lie lie;
	uint64_t lied;
};

static void tell(struct world *w, uint32_t client, struct event e)
{
	e.client = client;
	e.connection = client ? w->clients[client - 1].connection : 0;
	e.number = ++w->number;
	e.at_us = w->now_us += 100 + rng_below(&w->rng, 400);
	check_set_event(w->set, &e);
}

static void put(struct queue *q, struct item i)
{
	assert_true(q->to < QUEUE_MAX);
	q->items[q->to++] = i;
}

static bool take(struct queue *q, struct item *ret)
{
	if (q->from == q->to) {
		q->from = q->to = 0;
		return false;
	}
	*ret = q->items[q->from++];
	return true;
}

static bool lies(struct world *w, enum lie lie, unsigned one_in)
{
	bool yes = w->lie == lie && rng_below(&w->rng, one_in) == 0;
	w->lied += yes;
	return yes;
}

/* The server ------------------------------------------------------------------------------------------------------- */

static void send_message(struct world *w, struct client *c, uint32_t channel, uint64_t seq, bool replay)
{
	const struct message *m = &w->channels[channel - 1].log[seq - 1];
	struct item i = {MESSAGE, channel,   w->channels[channel - 1].epoch, m->publisher, m->index, seq, 0, false,
			 replay,  m->sent_us};
	if (!replay && lies(w, LOSES, 50))
		return;
	if (!replay && lies(w, CROSSES_CHANNELS, 50))
		i.channel = 3 - channel;
	if (!replay && lies(w, RENUMBERS, 50))
		i.seq++;
	put(&c->down, i);
	if (!replay && lies(w, DUPLICATES, 50))
		put(&c->down, i);
	struct queue *q = &c->down;
	if (!replay && q->to - q->from >= 2 && q->items[q->to - 2].what == MESSAGE && lies(w, SWAPS, 20)) {
		struct item swapped = q->items[q->to - 1];
		q->items[q->to - 1] = q->items[q->to - 2];
		q->items[q->to - 2] = swapped;
	}
}

static void serve_publish(struct world *w, struct client *publisher, const struct item *i, bool answer)
{
	struct channel *ch = &w->channels[i->channel - 1];
	bool stored = !lies(w, CONFIRMS_UNSTORED, 50);
	if (stored && ch->n < LOG_MAX) {
		ch->log[ch->n++] = (struct message){i->publisher, i->index, w->now_us};
		if (ch->n - ch->first >= KEPT)
			ch->first = ch->n - KEPT + 1;
		for (size_t c = 0; c < SUBS; c++)
			if (w->clients[c].subscribed && w->clients[c].channel == i->channel)
				send_message(w, &w->clients[c], i->channel, ch->n, false);
	}
	if (answer)
		put(&publisher->down, (struct item){PUBLISHED, i->channel, ch->epoch, i->publisher, i->index,
						    stored ? ch->n : 0, 0, false, false, 0});
}

static void serve_subscribe(struct world *w, struct client *c, const struct item *i)
{
	struct channel *ch = &w->channels[i->channel - 1];
	struct item answer = {SUBSCRIBED, i->channel, ch->epoch, 0, 0, ch->n, RECOVERED_UNTOLD, i->resumes, false};
	bool same = i->epoch == ch->epoch, whole = same && i->seq + 1 >= ch->first && i->seq <= ch->n;
	uint64_t from = i->seq + 1;
	if (i->resumes)
		answer.recovered = whole ? RECOVERED_YES : RECOVERED_NO;
	if (i->resumes && whole && i->seq < ch->n && lies(w, REFUSES, 1))
		answer.recovered = RECOVERED_NO;
	if (i->resumes && whole && i->seq == ch->n && lies(w, REFUSES_ZERO, 1))
		answer.recovered = RECOVERED_NO;
	if (i->resumes && same && !whole && lies(w, CLAIMS_RECOVERED, 1)) {
		answer.recovered = RECOVERED_YES;
		from = ch->first;
	}
	if (i->resumes && !same && lies(w, IGNORES_EPOCH, 1)) {
		answer.recovered = RECOVERED_YES;
		from = ch->n + 1;
	}
	put(&c->down, answer);
	c->subscribed = true;
	if (answer.recovered != RECOVERED_YES)
		return;
	if (from < ch->n && lies(w, SKIPS_IN_REPLAY, 3))
		from++;
	if (i->seq && from > ch->first && from <= ch->n && lies(w, REPEATS_IN_REPLAY, 3))
		from--;
	if (from < ch->n && lies(w, LIVE_FIRST, 3))
		send_message(w, c, i->channel, ch->n, true);
	for (uint64_t seq = from; seq <= ch->n; seq++)
		send_message(w, c, i->channel, seq, true);
}

static void serve(struct world *w, struct client *c, struct queue *q)
{
	struct item i;
	if (!take(q, &i))
		return;
	if (i.what == PUBLISH)
		serve_publish(w, c, &i, q == &c->up);
	else if (q == &c->up)
		serve_subscribe(w, c, &i);
}

/* The store comes back empty. */
static void new_epoch(struct world *w, uint32_t channel)
{
	struct channel *ch = &w->channels[channel - 1];
	tell(w, 0, (struct event){.kind = EVENT_FAULT, .type = EVENT_INFO, .text = "backplane_kill", .note = "node.ended"});
	ch->epoch++;
	ch->n = 0;
	ch->first = 1;
	for (size_t c = 0; c < SUBS; c++)
		if (w->clients[c].subscribed && w->clients[c].channel == channel)
			put(&w->clients[c].down,
			    (struct item){SUBSCRIBED, channel, ch->epoch, 0, 0, 0, RECOVERED_NO, false, false, 0});
}

/* The clients ------------------------------------------------------------------------------------------------------ */

static uint32_t number_of(const struct world *w, const struct client *c)
{
	return (uint32_t)(c - w->clients) + 1;
}

static void hear(struct world *w, struct client *c)
{
	struct item i;
	if (!c->is_up || !take(&c->down, &i))
		return;
	struct event e = {.type = EVENT_OK, .channel = i.channel, .epoch = i.epoch, .seq = i.seq};
	if (i.what == PUBLISHED) {
		e.kind = EVENT_PUBLISH;
		e.publisher = i.publisher;
		e.index = i.index;
		c->waiting_from = i.index + 1;
	} else if (i.what == SUBSCRIBED) {
		e.kind = EVENT_SUBSCRIBE;
		e.recovered = i.recovered;
		if (i.recovered != RECOVERED_YES) {
			c->seq = i.seq;
			c->epoch = i.epoch;
		}
	} else {
		e.kind = EVENT_DELIVER;
		e.publisher = i.publisher;
		e.index = i.index;
		e.said_channel = c->channel;
		e.replay = i.replay;
		e.sent_us = i.sent_us;
		c->seq = i.seq > c->seq || i.epoch != c->epoch ? i.seq : c->seq;
		c->epoch = i.epoch;
	}
	tell(w, number_of(w, c), e);
}

static void come(struct world *w, struct client *c)
{
	uint32_t number = number_of(w, c);
	w->now_us += rng_below(&w->rng, 2) * 200000; /* some are back at once */
	c->connection++;
	c->is_up = true;
	uint32_t node = 1 + (uint32_t)rng_below(&w->rng, 3);
	tell(w, number, (struct event){.kind = EVENT_CONNECT, .type = EVENT_OK, .node = node});
	if (number > SUBS)
		return;
	bool resumes = c->epoch != 0;
	tell(w, number, (struct event){.kind = EVENT_SUBSCRIBE, .type = EVENT_INVOKE, .channel = c->channel, .seq = c->seq,
				       .epoch = c->epoch});
	put(&c->up, (struct item){SUBSCRIBE, c->channel, c->epoch, 0, 0, c->seq, 0, resumes, false, 0});
}

/* What is on its way to the client is gone; what is on its way to the server is gone from somewhere on, or late. */
static void cut(struct world *w, struct client *c)
{
	struct item i;
	uint32_t number = number_of(w, c);
	while (c->late.to < QUEUE_MAX && rng_below(&w->rng, 4) && take(&c->up, &i))
		put(&c->late, i);
	c->up.from = c->up.to = c->down.from = c->down.to = 0;
	c->is_up = c->subscribed = false;
	for (uint64_t index = c->waiting_from; number > SUBS && index <= c->index; index++)
		tell(w, number, (struct event){.kind = EVENT_PUBLISH, .type = EVENT_INFO, .channel = c->channel,
					       .publisher = number, .index = index});
	c->waiting_from = c->index + 1;
	tell(w, number, (struct event){.kind = EVENT_END, .type = EVENT_OK, .code = 1006, .by = END_BY_NETWORK});
}

static void publish(struct world *w, struct client *c)
{
	uint32_t number = number_of(w, c);
	struct event e = {.kind = EVENT_PUBLISH, .type = EVENT_INVOKE, .channel = c->channel, .publisher = number,
			  .index = ++c->index};
	tell(w, number, e);
	put(&c->up, (struct item){PUBLISH, c->channel, 0, number, c->index, 0, 0, false, false, 0});
}

static void step(struct world *w)
{
	struct client *c = &w->clients[rng_below(&w->rng, CLIENTS)];
	struct client *publisher = &w->clients[SUBS + rng_below(&w->rng, PUBS)];
	for (uint64_t n = rng_below(&w->rng, 4); n; n--)
		hear(w, c);
	for (uint64_t n = rng_below(&w->rng, 4); n && c->is_up; n--)
		serve(w, c, &c->up);
	if (rng_below(&w->rng, 20) == 0)
		serve(w, c, &c->late);
	if (!c->is_up && rng_below(&w->rng, 6) == 0)
		come(w, c);
	else if (c->is_up && rng_below(&w->rng, 60) == 0)
		cut(w, c);
	if (publisher->is_up && rng_below(&w->rng, 2))
		publish(w, publisher);
	if (rng_below(&w->rng, 1500) == 0)
		new_epoch(w, 1 + (uint32_t)rng_below(&w->rng, CHANNELS));
}

/* Everybody comes back, everything arrives, and all say goodbye. */
static void settle(struct world *w)
{
	tell(w, 0, (struct event){.kind = EVENT_PHASE, .type = EVENT_OK, .note = "heal"});
	for (size_t i = 0; i < CLIENTS; i++)
		if (!w->clients[i].is_up)
			come(w, &w->clients[i]);
	for (int round = 0; round < 1000; round++)
		for (size_t i = 0; i < CLIENTS; i++) {
			serve(w, &w->clients[i], &w->clients[i].up);
			hear(w, &w->clients[i]);
			hear(w, &w->clients[i]);
		}
	w->now_us += 6000000;
	tell(w, 0, (struct event){.kind = EVENT_PHASE, .type = EVENT_OK, .note = "end"});
	for (uint32_t i = 1; i <= CLIENTS; i++)
		tell(w, i, (struct event){.kind = EVENT_END, .type = EVENT_OK, .code = 1000, .by = END_BY_CLIENT,
					  .clean = true});
}

const struct check_result *simulate(uint64_t seed, enum lie lie, struct check_set **ret_set, size_t *ret_n,
				    uint64_t *ret_lied)
{
	static const struct contract contract = {
		.delivery = DELIVERY_AT_LEAST_ONCE, .ordered = true, .total_order = true, .numbered = true, .contiguous = true,
		.resumes = true, .tells_recovered = true, .resume_window_ms = 600000, .resume_messages = KEPT, .recovery_ms = 600000,
	};
	const struct check_result *results;
	struct world *w = calloc(1, sizeof(*w));
	rng_init(&w->rng, seed, "simulation");
	w->lie = lie;
	assert_int_equal(check_set_new(&contract, &w->set, NULL), 0);
	for (size_t i = 0; i < checkers_len; i++)
		assert_int_equal(check_set_add(w->set, checkers[i], NULL, NULL), 0);
	for (size_t i = 0; i < CHANNELS; i++)
		w->channels[i] = (struct channel){.first = 1, .epoch = 1};
	for (uint32_t i = 0; i < CLIENTS; i++)
		w->clients[i] = (struct client){.channel = i % CHANNELS + 1, .waiting_from = 1};
	tell(w, 0, (struct event){.kind = EVENT_PHASE, .type = EVENT_OK, .note = "chaos"});
	for (int i = 0; i < STEPS; i++)
		step(w);
	settle(w);
	check_set_end(w->set, &results, ret_n);
	*ret_set = w->set;
	*ret_lied = w->lied;
	free(w);
	return results;
}
