/*
 * The filters of one connection, in the order of its toxics. Octets go from filter to filter by plain calls and leave
 * at the end; nothing is queued here: what waits is held by the filter that makes it wait. Everything that callers
 * want to know (the next wake, whether a sender is to wait) is told once per entry, when the filters have come to
 * rest.
 */
#include "faults/chain.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "faults/held.h"

const char *direction_name(enum direction d)
{
	return d == UPSTREAM ? "upstream" : "downstream";
}

/* Entering and leaving -------------------------------------------------------------------------------------------- */

void chain_enter(struct chain *c, uint64_t now_us)
{
	c->depth++;
	c->now_us = now_us;
}

static uint64_t next_wake(const struct chain *c)
{
	uint64_t at = UINT64_MAX;
	for (const struct filter *f = c->ended ? NULL : c->first; f; f = f->next)
		if (!f->dead && f->wake_at_us < at)
			at = f->wake_at_us;
	return at;
}

/* A filter ended it by FIN: the last FIN to come out is the end, one before it is a FIN. */
static void finish(struct chain *c)
{
	if (c->eof_out[UPSTREAM] && c->eof_out[DOWNSTREAM]) {
		c->ended = true;
		c->events->on_end(c->owner, STREAM_END_FIN);
		return;
	}
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (c->eof_out[d] && !c->eof_told[d]) {
			c->eof_told[d] = true;
			c->events->on_out_eof(c->owner, d);
		}
}

/* To all that callers ask, as bits. */
static unsigned answers(const struct chain *c)
{
	unsigned bits = chain_idle(c);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		bits = bits << 3 | (unsigned)chain_full(c, d) << 2 | (unsigned)chain_ignores(c, d) << 1 | chain_keeps_reset(c, d);
	return bits;
}

void chain_leave(struct chain *c)
{
	if (c->depth == 1 && c->ending && !c->ended)
		finish(c);
	if (--c->depth)
		return;
	uint64_t wake = next_wake(c);
	unsigned before = c->told;
	c->told = answers(c);
	if (wake != c->wake_told_us) {
		c->wake_told_us = wake;
		c->events->on_wake_at(c->owner, wake);
	}
	if (c->told != before)
		c->events->on_change(c->owner);
}

/* From filter to filter ------------------------------------------------------------------------------------------- */

static struct filter *working(struct filter *f, enum direction d)
{
	while (f && !(f->streams & 1u << d))
		f = f->next;
	return f;
}

void chain_settle(struct filter *f)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (f->eof_came[d] && !f->ops->eof && !held_len(f, d))
			filter_pass_eof(f, d);
}

static void give(struct chain *c, struct filter *f, enum direction d, struct span octets)
{
	if (c->ended || !octets.len)
		return;
	f = working(f, d);
	if (!f) {
		c->events->on_out(c->owner, d, octets);
		return;
	}
	f->now_us = c->now_us;
	f->ops->data(f, d, octets);
	f->offset[d] += octets.len;
	chain_settle(f);
}

static void give_eof(struct chain *c, struct filter *f, enum direction d)
{
	if (c->ended)
		return;
	for (; f && !(f->streams & 1u << d); f = f->next)
		f->eof_gone[d] = true;
	if (!f) {
		c->eof_out[d] = true;
		if (c->ending) /* finish() */
			return;
		c->eof_told[d] = true;
		c->events->on_out_eof(c->owner, d);
		return;
	}
	f->eof_came[d] = true;
	f->now_us = c->now_us;
	if (f->ops->eof)
		f->ops->eof(f, d);
	chain_settle(f);
}

void filter_pass(struct filter *f, enum direction d, struct span octets)
{
	assert(f->chain->depth);
	if (!f->dead && !f->eof_gone[d])
		give(f->chain, f->next, d, octets);
}

static void pass_eof(struct filter *f, enum direction d)
{
	if (f->eof_gone[d])
		return;
	f->eof_gone[d] = true;
	give_eof(f->chain, f->next, d);
}

void filter_pass_eof(struct filter *f, enum direction d)
{
	assert(f->chain->depth);
	if (!f->dead)
		pass_eof(f, d);
}

/* What the filter has passed and others behind it hold still arrives: the FINs go after it. */
static void end_by_fin(struct filter *f)
{
	struct chain *c = f->chain;
	for (struct filter *each = c->first; each != f->next; each = each->next)
		each->dead = true;
	c->ending = true;
	pass_eof(f, UPSTREAM);
	pass_eof(f, DOWNSTREAM);
}

void filter_end(struct filter *f, enum stream_end how)
{
	struct chain *c = f->chain;
	assert(c->depth);
	if (c->ended || c->going || f->dead)
		return;
	if (how == STREAM_END_FIN) {
		end_by_fin(f);
		return;
	}
	c->ended = true;
	c->silenced_by = how == STREAM_END_SILENCE ? f->toxic : NULL;
	c->events->on_end(c->owner, how);
}

void filter_wake_at(struct filter *f, uint64_t at_us)
{
	f->wake_at_us = at_us;
}

void filter_ignore_sender(struct filter *f, enum direction d)
{
	f->ignores[d] = true;
}

void filter_keep_reset(struct filter *f, enum direction d, bool keep)
{
	f->keeps_reset[d] = keep && f->streams & 1u << d;
}

void filter_tell(struct filter *f, enum direction d, const char *what, uint64_t at, const char *detail_fmt, ...)
{
	const struct toxics *set = f->chain->set;
	char detail[TOXIC_DETAIL_MAX];
	struct fault_event event = {
		.fault = f->toxic->fault->name, .name = f->toxic->name, .plane = FAULT_STREAM, .what = what,
		.node = set->name, .connection = f->connection, .stream = direction_name(d), .at = at,
	};
	if (!set->on_event || f->chain->ended || f->chain->going || f->dead)
		return;
	if (detail_fmt) {
		va_list ap;
		va_start(ap, detail_fmt);
		vsnprintf(detail, sizeof(detail), detail_fmt, ap);
		va_end(ap);
		event.detail = detail;
	}
	set->on_event(set->owner, &event);
}

/* The chain ------------------------------------------------------------------------------------------------------- */

int chain_new(struct toxics *t, uint64_t connection, enum chain_layer layer, const struct chain_events *events,
	      void *owner, uint64_t now_us, struct chain **ret_chain)
{
	struct chain *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct chain){.set = t, .events = events, .owner = owner, .layer = layer, .opened_us = now_us, .now_us = now_us,
			    .wake_told_us = UINT64_MAX};
	c->told = answers(c);
	c->connection = connection ? connection : ++t->connections;
	c->next = t->chains;
	c->link = &t->chains;
	if (c->next)
		c->next->link = &c->next;
	t->chains = c;
	*ret_chain = c;
	return 0;
}

void chain_open(struct chain *c, uint64_t now_us)
{
	chain_enter(c, now_us);
	c->open = true;
	for (struct toxic *t = c->set->first; t && !c->ended; t = t->next)
		chain_toxic_added(c, t, now_us);
	chain_leave(c);
}

void chain_free(struct chain *c)
{
	if (!c)
		return;
	assert(!c->depth && !c->set->busy);
	chain_drop_filters(c);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	free(c);
}

void chain_hand_over(struct chain *c, const struct chain_events *events, void *owner)
{
	assert(!c->depth);
	c->events = events;
	c->owner = owner;
}

struct chain *chain_next(struct chain *c)
{
	return c->next;
}

uint64_t chain_connection(const struct chain *c)
{
	return c->connection;
}

void chain_data(struct chain *c, enum direction d, struct span octets, uint64_t now_us)
{
	chain_enter(c, now_us);
	if (!c->ending && !c->eof_in[d])
		give(c, c->first, d, octets);
	chain_leave(c);
}

void chain_eof(struct chain *c, enum direction d, uint64_t now_us)
{
	chain_enter(c, now_us);
	if (!c->ending && !c->eof_in[d]) {
		c->eof_in[d] = true;
		give_eof(c, c->first, d);
	}
	chain_leave(c);
}

void chain_wake(struct chain *c, uint64_t now_us)
{
	chain_enter(c, now_us);
	c->wake_told_us = UINT64_MAX; /* it has come */
	for (struct filter *f = c->first; f && !c->ended; f = f->next)
		if (!f->dead && f->wake_at_us <= now_us) {
			f->wake_at_us = UINT64_MAX;
			f->now_us = now_us;
			if (f->ops->wake)
				f->ops->wake(f);
			chain_settle(f);
		}
	chain_leave(c);
}

void chain_silence(struct chain *c)
{
	if (!c || c->ended)
		return;
	chain_enter(c, c->now_us);
	c->ended = true;
	chain_leave(c);
}

bool chain_idle(const struct chain *c)
{
	return !c->first && !c->ended && !c->ending;
}

bool chain_full(const struct chain *c, enum direction d)
{
	for (const struct filter *f = c->ending ? NULL : c->first; f; f = f->next)
		if (held_full(f, d) || f->ignores[d])
			return true;
	return false;
}

bool chain_ignores(const struct chain *c, enum direction d)
{
	for (const struct filter *f = c->ending ? NULL : c->first; f; f = f->next)
		if (f->ignores[d])
			return true;
	return false;
}

bool chain_keeps_reset(const struct chain *c, enum direction d)
{
	for (const struct filter *f = c->first; f; f = f->next)
		if (f->keeps_reset[d])
			return true;
	return false;
}
