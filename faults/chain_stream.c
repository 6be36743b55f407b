/*
 * A chain as a stream. The code above runs only from pump(), with no filter on the stack: what it does there (write,
 * free, change toxics) may go into the chain again. So octets that leave the chain are queued first, and what leaves it
 * from inside a call to this stream, or by a change of toxics, is told on the loop's next turn.
 */
#include "faults/chain_stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "faults/ghost.h"
#include "faults/pending.h"
#include "harness/base/clock.h"

enum { PENDING_MAX = 1 << 20 }; /* octets for the code above, from which on the stream below is paused */

struct chain_stream {
	struct stream stream; /* first */
	struct loop *loop;
	struct alarms *alarms;
	struct toxics *toxics;
	struct stream *below;
	struct chain *chain;
	uint64_t number;
	enum chain_layer layer;
	struct alarm wake;
	struct timer turn;
	struct pending in, out; /* for the code above; for a chain that is full */
	unsigned busy;       /* callbacks on the stack; memory stays until they return */
	bool open, paused, below_paused;
	bool eof, eof_told, clean; /* nothing more comes; it was told; as the peer did it */
	bool shut, shut_given;     /* stream_shutdown called; the chain knows */
	bool over;           /* the chain gives nothing any more, or is not to be asked */
	bool silent;         /* ended by silence */
	bool closed;         /* a fault's FIN went to the server */
	bool reset;          /* a RST came that a fault keeps */
	int error;           /* to tell once `in` is empty */
	bool ended, freed;   /* on_error told or stream_reset called; stream_free called */
	char error_text[ERR_TEXT_MAX];
	char description[256];
};

static void on_turn(void *owner);

static void schedule(struct chain_stream *c)
{
	if (!c->ended && timer_start(&c->turn, c->loop, 0, on_turn, c) < 0)
		c->error = -ENOMEM; /* told with the next callback from below */
}

/* Nothing more comes or goes by the chain. error: told behind what is queued. */
static void give_up(struct chain_stream *c, int error, const char *text)
{
	c->over = true;
	c->silent = false;
	if (c->error || c->ended)
		return;
	c->error = error;
	snprintf(c->error_text, sizeof(c->error_text), "%s", text);
	alarm_clear(&c->wake);
	schedule(c);
}

static void leave(struct chain_stream *c)
{
	if (--c->busy == 0 && c->freed)
		free(c);
}

static void set_below_paused(struct chain_stream *c)
{
	bool paused = c->silent || c->paused || pending_len(&c->in) > PENDING_MAX ||
		      (c->chain && !c->over && chain_full(c->chain, DOWNSTREAM));
	if (!c->open || c->ended || paused == c->below_paused)
		return;
	c->below_paused = paused;
	stream_pause(c->below, paused);
}

/* What the code above has written, and its FIN, as far as the chain takes them. */
static void feed(struct chain_stream *c)
{
	uint8_t chunk[STREAM_READ_CHUNK];
	while (c->open && !c->over && pending_len(&c->out) && !chain_full(c->chain, UPSTREAM))
		chain_data(c->chain, UPSTREAM, pending_take(&c->out, chunk), clock_now_us());
	if (c->open && !c->over && c->shut && !c->shut_given && !pending_len(&c->out)) {
		c->shut_given = true;
		chain_eof(c->chain, UPSTREAM, clock_now_us());
	}
}

/* Tells the code above what there is; only from the loop. */
static void pump(struct chain_stream *c)
{
	uint8_t chunk[STREAM_READ_CHUNK];
	const struct stream_events *events = c->stream.events;
	while (c->open && !c->ended && !c->paused && pending_len(&c->in))
		events->on_data(c->stream.owner, pending_take(&c->in, chunk));
	if (c->open && !c->ended && !c->paused && c->eof && !c->eof_told) {
		c->eof_told = true;
		events->on_eof(c->stream.owner, c->clean);
	}
	if (!c->ended && !c->paused && c->error && !pending_len(&c->in)) {
		c->ended = true;
		timer_fini(&c->turn);
		events->on_error(c->stream.owner, c->error);
	}
	set_below_paused(c);
}

/* From the chain -------------------------------------------------------------------------------------------------- */

static void chain_on_out(void *owner, enum direction d, struct span octets)
{
	struct chain_stream *c = owner;
	if (c->over)
		return;
	int r = d == UPSTREAM ? stream_write(c->below, octets) : pending_add(&c->in, octets);
	if (r < 0 && r != -EPIPE) /* after an error, on_error tells */
		give_up(c, r, strerror(-r));
	else if (d == DOWNSTREAM)
		schedule(c);
}

static void chain_on_out_eof(void *owner, enum direction d)
{
	struct chain_stream *c = owner;
	if (c->over)
		return;
	if (d == UPSTREAM) {
		stream_shutdown(c->below);
		return;
	}
	c->eof = true;
	schedule(c);
}

static void chain_on_end(void *owner, enum stream_end how)
{
	struct chain_stream *c = owner;
	if (c->ended || c->error)
		return;
	alarm_clear(&c->wake);
	c->over = true;
	c->silent = how == STREAM_END_SILENCE;
	if (how == STREAM_END_RST) {
		stream_reset(c->below);
		give_up(c, -ECONNRESET, strerror(ECONNRESET));
	}
	if (how == STREAM_END_FIN) {
		stream_shutdown(c->below);
		c->closed = c->clean = c->eof = true;
	}
	set_below_paused(c);
	schedule(c);
}

static void on_wake(void *owner, uint64_t now_us)
{
	struct chain_stream *c = owner;
	c->busy++;
	if (!c->over)
		chain_wake(c->chain, now_us);
	feed(c);
	pump(c);
	leave(c);
}

static void chain_on_wake_at(void *owner, uint64_t at_us)
{
	struct chain_stream *c = owner;
	if (!c->over && alarm_set(&c->wake, c->alarms, at_us, on_wake, c) < 0)
		give_up(c, -ENOMEM, strerror(ENOMEM));
}

static void chain_on_change(void *owner)
{
	struct chain_stream *c = owner;
	set_below_paused(c);
	if (c->reset && !chain_keeps_reset(c->chain, DOWNSTREAM))
		give_up(c, -ECONNRESET, strerror(ECONNRESET));
	if (!chain_full(c->chain, UPSTREAM) && (pending_len(&c->out) || c->shut != c->shut_given))
		schedule(c);
}

static const struct chain_events chain_events = {chain_on_out, chain_on_out_eof, chain_on_end, chain_on_wake_at,
						 chain_on_change};

/* From below ------------------------------------------------------------------------------------------------------ */

static void opened(struct chain_stream *c)
{
	uint64_t now_us = clock_now_us();
	snprintf(c->description, sizeof(c->description), "faults over %s", stream_describe(c->below));
	if (chain_new(c->toxics, c->number, c->layer, &chain_events, c, now_us, &c->chain) < 0) {
		give_up(c, -ENOMEM, strerror(ENOMEM));
		pump(c);
		return;
	}
	c->number = chain_connection(c->chain);
	c->open = true;
	chain_open(c->chain, now_us);
	set_below_paused(c);
	c->stream.events->on_open(c->stream.owner);
}

static void on_turn(void *owner)
{
	struct chain_stream *c = owner;
	c->busy++;
	if (!c->open && !c->error)
		opened(c);
	feed(c);
	pump(c);
	leave(c);
}

static void below_on_open(void *owner)
{
	struct chain_stream *c = owner;
	c->busy++;
	if (!c->open && !c->ended)
		opened(c);
	leave(c);
}

static void below_on_data(void *owner, struct span data)
{
	struct chain_stream *c = owner;
	if (c->over) {
		if (c->closed && !c->ended) /* as a closed socket answers */
			stream_reset(c->below);
		return;
	}
	c->busy++;
	if (chain_idle(c->chain) && !c->paused && !pending_len(&c->in)) {
		c->stream.events->on_data(c->stream.owner, data);
	} else {
		chain_data(c->chain, DOWNSTREAM, data, clock_now_us());
		pump(c);
	}
	leave(c);
}

static void below_on_eof(void *owner, bool clean)
{
	struct chain_stream *c = owner;
	if (c->over)
		return;
	c->busy++;
	c->clean = clean;
	chain_eof(c->chain, DOWNSTREAM, clock_now_us());
	pump(c);
	leave(c);
}

static void below_on_error(void *owner, int error)
{
	struct chain_stream *c = owner;
	if (c->ended || c->over) /* what becomes of a connection that a fault has ended is not told */
		return;
	c->reset = error == -ECONNRESET && c->open && chain_keeps_reset(c->chain, DOWNSTREAM);
	if (c->reset)
		return;
	c->busy++;
	give_up(c, error, stream_error_text(c->below));
	pump(c);
	leave(c);
}

static const struct stream_events below_events = {below_on_open, below_on_data, below_on_eof, below_on_error};

/* From above ------------------------------------------------------------------------------------------------------ */

static size_t chain_stream_unsent(const struct stream *s)
{
	const struct chain_stream *c = (const struct chain_stream *)s;
	return pending_len(&c->out) + (c->ended ? 0 : stream_unsent(c->below));
}

static int chain_stream_write(struct stream *s, struct span data)
{
	struct chain_stream *c = (struct chain_stream *)s;
	if (c->ended || c->shut)
		return -EPIPE;
	if (!c->open)
		return -ENOTCONN;
	if (data.len == 0 || c->error)
		return 0;
	if (c->over && !c->silent) { /* written to a peer that has closed */
		if (c->eof)
			give_up(c, -ECONNRESET, strerror(ECONNRESET));
		return 0;
	}
	size_t unsent = chain_stream_unsent(s);
	if (unsent > STREAM_UNSENT_MAX || data.len > STREAM_UNSENT_MAX - unsent)
		return -ENOBUFS;
	if (c->silent || pending_len(&c->out) || chain_full(c->chain, UPSTREAM))
		return pending_add(&c->out, data);
	if (chain_idle(c->chain))
		return stream_write(c->below, data);
	chain_data(c->chain, UPSTREAM, data, clock_now_us());
	return 0;
}

static int chain_stream_shutdown(struct stream *s)
{
	struct chain_stream *c = (struct chain_stream *)s;
	if (c->ended)
		return -EPIPE;
	if (!c->open)
		return -ENOTCONN;
	c->shut = true;
	feed(c);
	return 0;
}

/* No callback comes any more, from nowhere. The peer hears of it when no fault keeps that from it. */
static void quieten(struct chain_stream *c)
{
	bool hidden = c->chain && !c->ended && (c->silent || chain_keeps_reset(c->chain, UPSTREAM));
	if (hidden && ghost_new(c->loop, c->chain, c->below, c->silent) == 0) {
		c->chain = NULL;
		c->below = NULL;
	}
	c->ended = c->over = true;
	alarm_clear(&c->wake);
	timer_fini(&c->turn);
	chain_free(TAKE_PTR(c->chain));
	pending_fini(&c->in);
	pending_fini(&c->out);
}

static void chain_stream_reset(struct stream *s)
{
	struct chain_stream *c = (struct chain_stream *)s;
	quieten(c);
	if (c->below)
		stream_reset(c->below);
}

static void chain_stream_pause(struct stream *s, bool paused)
{
	struct chain_stream *c = (struct chain_stream *)s;
	if (c->paused == paused || c->ended)
		return;
	c->paused = paused;
	set_below_paused(c);
	if (!paused && c->open)
		schedule(c);
}

static const char *chain_stream_error_text(const struct stream *s)
{
	return ((const struct chain_stream *)s)->error_text;
}

static const char *chain_stream_describe(const struct stream *s)
{
	return ((const struct chain_stream *)s)->description;
}

static void chain_stream_free(struct stream *s)
{
	struct chain_stream *c = (struct chain_stream *)s;
	assert(!c->freed);
	c->busy++;
	c->freed = true;
	quieten(c);
	stream_free(TAKE_PTR(c->below));
	leave(c);
}

static const struct stream_ops chain_stream_ops = {
	.name = "chain",
	.write = chain_stream_write,
	.shutdown = chain_stream_shutdown,
	.reset = chain_stream_reset,
	.pause = chain_stream_pause,
	.unsent = chain_stream_unsent,
	.error_text = chain_stream_error_text,
	.describe = chain_stream_describe,
	.free = chain_stream_free,
};

int chain_stream_new(struct loop *l, struct alarms *alarms, struct toxics *toxics, uint64_t number,
		     enum chain_layer layer, struct stream *below, const struct stream_events *events, void *owner,
		     struct stream **ret_stream)
{
	struct chain_stream *c = calloc(1, sizeof(*c));
	if (!c) {
		stream_free(below);
		return -ENOMEM;
	}
	*c = (struct chain_stream){.stream = {&chain_stream_ops, events, owner}, .loop = l, .alarms = alarms, .toxics = toxics,
				   .below = below, .number = number, .layer = layer};
	pending_init(&c->in, STREAM_UNSENT_MAX);
	pending_init(&c->out, STREAM_UNSENT_MAX);
	snprintf(c->error_text, sizeof(c->error_text), "no error");
	snprintf(c->description, sizeof(c->description), "faults over %s", stream_describe(below));
	below->events = &below_events;
	below->owner = c;
	/* Open already: on_open does not come again. */
	if (stream_write(below, span_of(NULL, 0)) == 0 && timer_start(&c->turn, l, 0, on_turn, c) < 0) {
		stream_free(below);
		free(c);
		return -ENOMEM;
	}
	*ret_stream = &c->stream;
	return 0;
}

uint64_t chain_stream_number(const struct stream *s)
{
	const struct chain_stream *c = (const struct chain_stream *)s;
	return c->open ? c->number : 0;
}
