/* The list of toxics: what is on it is on every open connection, whenever either of the two came. */
#include "faults/toxics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "faults/chain.h"
#include "harness/base/rune.h"
#include "harness/net/tls.h"

enum { TOXIC_OPTIONS_MAX = 1 << 20 }; /* octets that the texts of one toxic's options may take */

void toxics_init(struct toxics *t, uint64_t seed, const char *name)
{
	*t = (struct toxics){.seed = seed, .name = name};
}

static void free_toxic(struct toxic *toxic)
{
	arena_fini(&toxic->arena);
	tls_context_free(toxic->certificate);
	free(toxic->options);
	free(toxic);
}

void toxics_fini(struct toxics *t)
{
	assert(!t->busy);
	while (t->chains) {
		assert(t->chains->events->on_set_end);
		t->chains->events->on_set_end(t->chains->owner);
	}
	for (struct toxic *toxic = t->first, *next; toxic; toxic = next) {
		next = toxic->next;
		free_toxic(toxic);
	}
	*t = (struct toxics){0};
}

struct toxic *toxics_find(struct toxics *t, const char *name)
{
	struct toxic *toxic = t->first;
	while (toxic && strcmp(toxic->name, name) != 0)
		toxic = toxic->next;
	return toxic;
}

/* What a spec asks for
 * ------------------------------------------------------------------------------------------------- */

/* As long as it can be shown and be a part of a path: Toxiproxy's clients name toxics as they like. */
static bool is_name(const char *name)
{
	struct span left = span_str(name);
	uint32_t c;
	if (!left.len || left.len > TOXIC_NAME_MAX)
		return false;
	for (size_t n; left.len; left = span_sub(left, n, left.len)) {
		n = rune_decode(left, &c);
		if (!n || rune_is_control(c) || c == '/')
			return false;
	}
	return true;
}

static int make_certificate(const struct toxics *t, const struct fault *f, struct toxic *into, struct err *e)
{
	if (!f->stream->certificate)
		return 0;
	if (!t->certificate)
		return err_set(e, ENOTSUP, "%s shows a certificate, which only a proxy with \"tls\" can", f->name);
	return f->stream->certificate(into->options, t->certificate, &into->certificate, e);
}

static int fill_options(const struct toxics *t, const struct toxic_spec *spec, const struct fault *f,
			struct toxic *into, struct err *e)
{
	arena_init(&into->arena, TOXIC_OPTIONS_MAX);
	into->options = calloc(1, f->options_size + !f->options_size);
	if (!into->options || opt_defaults(f->options, into->options, &into->arena) < 0)
		return err_set(e, ENOMEM, "out of memory");
	int r = spec->fill ? spec->fill(spec->from, f, into->options, &into->arena, e) : 0;
	if (r == 0 && f->check)
		r = f->check(into->options, e);
	return r < 0 ? r : make_certificate(t, f, into, e);
}

static int check_spec(const struct toxic_spec *spec, struct err *e)
{
	if (!(spec->toxicity >= 0 && spec->toxicity <= 1))
		return err_set(e, EINVAL, "a toxicity is a number from 0 to 1");
	if (spec->streams & ~(unsigned)STREAM_BOTH)
		return err_set(e, EINVAL, "a stream is upstream, downstream or both");
	return 0;
}

const char *streams_name(unsigned streams)
{
	return streams == STREAM_BOTH ? "both" : direction_name(streams == STREAM_UP ? UPSTREAM : DOWNSTREAM);
}

static uint64_t end_of(const struct toxic_spec *spec, uint64_t now_us)
{
	uint64_t us;
	if (!spec->duration_ms || __builtin_mul_overflow(spec->duration_ms, 1000, &us) || us > UINT64_MAX - now_us)
		return UINT64_MAX;
	return now_us + us;
}

/* A toxic as the spec wants it, not on the list yet. */
static int make(struct toxics *t, const struct toxic_spec *spec, uint64_t now_us, struct toxic **ret, struct err *e)
{
	const struct filter_ops *ops = spec->fault->stream;
	if (!ops)
		return err_set(e, EINVAL, "%s is no fault of the stream plane", spec->fault->name);
	int r = check_spec(spec, e);
	if (r < 0)
		return r;
	struct toxic *toxic = calloc(1, sizeof(*toxic));
	if (!toxic)
		return err_set(e, ENOMEM, "out of memory");
	toxic->fault = spec->fault;
	toxic->toxicity = spec->toxicity;
	toxic->streams = spec->streams ? spec->streams : ops->streams ? ops->streams : STREAM_DOWN;
	toxic->ends_us = end_of(spec, now_us);
	if (!spec->name)
		snprintf(toxic->name, sizeof(toxic->name), "%s_%s", spec->fault->name, streams_name(toxic->streams));
	else if (is_name(spec->name))
		snprintf(toxic->name, sizeof(toxic->name), "%s", spec->name);
	else
		r = err_set(e, EINVAL, "a toxic's name is text without '/' and control characters, 1 to %d octets", TOXIC_NAME_MAX);
	if (r == 0 && toxics_find(t, toxic->name))
		r = err_set(e, EEXIST, "there is a toxic named %s already", toxic->name);
	if (r == 0)
		r = fill_options(t, spec, spec->fault, toxic, e);
	if (r < 0) {
		free_toxic(toxic);
		return r;
	}
	*ret = toxic;
	return 0;
}

/* Changes
 * --------------------------------------------------------------------------------------------------------------- */

/* Chains may go while this goes on: an event of theirs may end a connection, but never frees it (chain.h). */
#define EACH_CHAIN(c, t) (struct chain *c = (t)->chains, *next_ = NULL; c && (next_ = chain_next(c), true); c = next_)

int toxics_add(struct toxics *t, const struct toxic_spec *spec, uint64_t now_us, struct toxic **ret_toxic,
	       struct err *e)
{
	struct toxic *toxic = NULL, **at = &t->first;
	assert(!t->busy);
	if (t->n >= TOXICS_MAX)
		return err_set(e, ENOSPC, "there are %d toxics already, the most there may be", TOXICS_MAX);
	int r = make(t, spec, now_us, &toxic, e);
	if (r < 0)
		return r;
	while (*at)
		at = &(*at)->next;
	*at = toxic;
	t->n++;
	t->busy = true;
	for EACH_CHAIN(c, t)
		chain_toxic_added(c, toxic, now_us);
	t->busy = false;
	if (ret_toxic)
		*ret_toxic = toxic;
	return 0;
}

int toxics_update(struct toxics *t, struct toxic *toxic, const struct toxic_spec *spec, uint64_t now_us, struct err *e)
{
	struct toxic fresh = {0};
	assert(!t->busy);
	int r = check_spec(spec, e);
	if (r == 0)
		r = fill_options(t, spec, toxic->fault, &fresh, e);
	if (r < 0) {
		arena_fini(&fresh.arena);
		free(fresh.options);
		return r;
	}
	bool streams_too = spec->streams && spec->streams != toxic->streams;
	struct toxic old = *toxic;
	toxic->options = fresh.options;
	toxic->arena = fresh.arena;
	toxic->certificate = fresh.certificate;
	toxic->toxicity = spec->toxicity;
	if (streams_too)
		toxic->streams = spec->streams;
	if (spec->duration_ms)
		toxic->ends_us = end_of(spec, now_us);
	t->busy = true;
	for EACH_CHAIN(c, t)
		chain_toxic_changed(c, toxic, streams_too, now_us);
	t->busy = false;
	arena_fini(&old.arena);
	tls_context_free(old.certificate);
	free(old.options);
	return 0;
}

void toxics_remove(struct toxics *t, struct toxic *toxic, uint64_t now_us)
{
	struct toxic **at = &t->first;
	assert(!t->busy);
	t->busy = true;
	for EACH_CHAIN(c, t)
		chain_toxic_removed(c, toxic, now_us);
	t->busy = false;
	while (*at != toxic)
		at = &(*at)->next;
	*at = toxic->next;
	t->n--;
	free_toxic(toxic);
}

void toxics_clear(struct toxics *t, uint64_t now_us)
{
	while (t->first) {
		struct toxic *last = t->first; /* so that what is let go meets no other toxic */
		while (last->next)
			last = last->next;
		toxics_remove(t, last, now_us);
	}
}

uint64_t toxics_expire(struct toxics *t, uint64_t now_us)
{
	uint64_t next_us = UINT64_MAX;
	for (struct toxic *toxic = t->first, *next; toxic; toxic = next) {
		next = toxic->next;
		if (toxic->ends_us <= now_us)
			toxics_remove(t, toxic, now_us);
		else if (toxic->ends_us < next_us)
			next_us = toxic->ends_us;
	}
	return next_us;
}
