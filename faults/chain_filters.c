/* How the filters of a chain come, change and go with the toxics of its set. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "faults/chain.h"
#include "faults/held.h"

static void seed_of(const struct chain *c, const struct toxic *t, struct rng *ret)
{
	char name[256 + TOXIC_NAME_MAX];
	snprintf(name, sizeof(name), "%s/%llu/%s", c->set->name, (unsigned long long)c->connection, t->name);
	rng_init(ret, c->set->seed, name);
}

/*
 * The same answer for the same toxicity, so that raising it keeps those that it is on already. Multiples of the golden
 * ratio lie evenly, wherever they begin: of any ten connections in a row a share of 30 % is three, or nearly, and never
 * nobody. Where they begin is the seed's.
 */
static bool is_wanted(const struct chain *c, const struct toxic *t)
{
	static const uint64_t golden = 0x9e3779b97f4a7c15; /* 2^64 times (sqrt(5) - 1) / 2 */
	char name[256 + TOXIC_NAME_MAX];
	struct rng rng;
	bool clear = t->fault->stream->clear && t->fault->stream->clear(t->options);
	if (!(c->layer & (clear ? CHAIN_CLEAR : CHAIN_WIRE)))
		return false;
	snprintf(name, sizeof(name), "%s/%s/toxicity", c->set->name, t->name);
	rng_init(&rng, c->set->seed, name);
	return (double)((rng_u64(&rng) + c->connection * golden) >> 11) * 0x1p-53 < t->toxicity;
}

static struct filter **find(struct chain *c, const struct toxic *t)
{
	struct filter **f = &c->first;
	while (*f && (*f)->toxic != t)
		f = &(*f)->next;
	return f;
}

/* Where a toxic's filter stands: before those of the toxics behind it. */
static struct filter **place(struct chain *c, const struct toxic *t)
{
	struct filter **at = &c->first;
	for (const struct toxic *each = c->set->first; each && each != t; each = each->next)
		if (*at && (*at)->toxic == each)
			at = &(*at)->next;
	return at;
}

static int put_on(struct chain *c, struct toxic *t)
{
	const struct filter_ops *ops = t->fault->stream;
	struct filter *f = calloc(1, sizeof(*f));
	void *state = f ? calloc(1, ops->state_size + !ops->state_size) : NULL;
	if (!state) {
		free(f);
		return -ENOMEM;
	}
	*f = (struct filter){.ops = ops, .options = t->options, .state = state, .now_us = c->now_us, .opened_us = c->opened_us,
			     .connection = c->connection, .streams = t->streams, .chain = c, .toxic = t, .wake_at_us = UINT64_MAX};
	seed_of(c, t, &f->rng);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		held_limit(f, d, FILTER_HELD_MAX);
	struct filter **at = place(c, t), *before = *at == c->first ? NULL : c->first;
	while (before && before->next != *at)
		before = before->next;
	for (enum direction d = 0; d < DIRECTIONS; d++) /* a FIN may have passed this place already */
		f->eof_gone[d] = before ? before->eof_gone[d] : c->eof_in[d];
	f->next = *at;
	*at = f;
	f->dead = c->ending && f->next && f->next->dead;
	if (ops->open && !f->dead)
		ops->open(f);
	return 0;
}

static void free_filter(struct filter *f)
{
	if (f->ops->fini)
		f->ops->fini(f);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		held_fini(&f->held[d]);
	free(f->state);
	free(f);
}

static void take_off(struct chain *c, struct filter **at)
{
	struct filter *f = *at;
	f->now_us = c->now_us;
	if (!c->ended && !f->dead && f->ops->release)
		f->ops->release(f);
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		if (!f->ops->release)
			held_pass_all(f, d);
		if (f->eof_came[d])
			filter_pass_eof(f, d);
	}
	*at = f->next;
	if (c->silenced_by == f->toxic) {
		c->silenced_by = NULL;
		c->events->on_end(c->owner, STREAM_END_RST);
	}
	free_filter(f);
}

void chain_toxic_added(struct chain *c, struct toxic *t, uint64_t now_us)
{
	if (!c->open)
		return;
	chain_enter(c, now_us);
	if (!c->ended && is_wanted(c, t))
		put_on(c, t);
	chain_leave(c);
}

void chain_toxic_removed(struct chain *c, struct toxic *t, uint64_t now_us)
{
	struct filter **at = find(c, t);
	assert(!c->depth); /* not from inside an event: the filter may be at work */
	chain_enter(c, now_us);
	if (*at)
		take_off(c, at);
	chain_leave(c);
}

void chain_toxic_changed(struct chain *c, struct toxic *t, bool streams_too, uint64_t now_us)
{
	struct filter **at = find(c, t), *f = *at;
	assert(!c->depth);
	if (!c->open)
		return;
	chain_enter(c, now_us);
	bool wanted = !(f && f->dead) && is_wanted(c, t);
	if (f && (!wanted || streams_too)) {
		take_off(c, at);
		f = NULL;
	}
	if (!f && wanted && !c->ended)
		put_on(c, t);
	else if (f) { /* of a connection that has ended, too: the old options go */
		f->options = t->options;
		f->now_us = now_us;
		if (!c->ended && f->ops->changed)
			f->ops->changed(f);
		chain_settle(f);
	}
	chain_leave(c);
}

const struct tls_context *chain_certificate(struct chain *c)
{
	struct filter *shows = NULL;
	for (struct filter *f = c->first; f; f = f->next)
		if (f->toxic->certificate)
			shows = f;
	if (!shows)
		return NULL;
	filter_tell(shows, DOWNSTREAM, "hit", 0, NULL);
	return shows->toxic->certificate;
}

void chain_let_go(struct chain *c, uint64_t now_us)
{
	if (c->ended)
		return;
	chain_enter(c, now_us);
	c->going = true;
	while (c->first) {
		struct filter **last = &c->first; /* as toxics_clear() */
		while ((*last)->next)
			last = &(*last)->next;
		take_off(c, last);
	}
	chain_leave(c);
}

void chain_drop_filters(struct chain *c)
{
	for (struct filter *f = c->first, *next; f; f = next) {
		next = f->next;
		free_filter(f);
	}
	c->first = NULL;
}
