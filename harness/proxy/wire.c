/* Between the client's socket and its TLS: what is read goes upstream through the chain, what is written downstream. */
#include "harness/proxy/wire.h"

#include <stdlib.h>

#include "harness/base/clock.h"

struct wire {
	struct stream stream; /* first */
	struct relay *relay;
	struct stream *below;
	struct chain *chain;  /* NULL: detached */
	struct alarm alarm;
	bool paused;          /* by who is above */
	bool shut, fin_sent;  /* downstream: by who is above; given to the socket */
	bool reset;
};

static void mind_pause(struct wire *w)
{
	stream_pause(w->below, w->paused || (w->chain && chain_full(w->chain, UPSTREAM)));
}

static int give_fin(struct wire *w)
{
	w->fin_sent = true;
	return stream_shutdown(w->below);
}

/* What the chain says ---------------------------------------------------------------------------------------------- */

static void on_out(void *owner, enum direction d, struct span octets)
{
	struct wire *w = owner;
	while (d == UPSTREAM && octets.len) {
		struct span piece = span_sub(octets, 0, STREAM_READ_CHUNK);
		w->stream.events->on_data(w->stream.owner, piece);
		octets = span_sub(octets, piece.len, octets.len);
	}
	if (octets.len && stream_write(w->below, octets) < 0)
		relay_wish_end(w->relay, STREAM_END_RST);
}

static void on_out_eof(void *owner, enum direction d)
{
	struct wire *w = owner;
	if (d == UPSTREAM)
		w->stream.events->on_eof(w->stream.owner, true);
	else
		give_fin(w);
}

static void on_end(void *owner, enum stream_end how)
{
	relay_wish_end(((struct wire *)owner)->relay, how);
}

static void on_alarm(void *owner, uint64_t now_us)
{
	struct wire *w = owner;
	struct relay *r = w->relay;
	relay_enter(r);
	chain_wake(w->chain, now_us);
	relay_leave(r);
}

static void on_wake_at(void *owner, uint64_t at_us)
{
	struct wire *w = owner;
	if (alarm_set(&w->alarm, w->relay->set->alarms, at_us, on_alarm, w) < 0)
		relay_wish_end(w->relay, STREAM_END_RST);
}

static void on_change(void *owner)
{
	struct wire *w = owner;
	mind_pause(w);
	relay_note(w->relay);
}

static const struct chain_events chain_events = {on_out, on_out_eof, on_end, on_wake_at, on_change};

/* What the socket says --------------------------------------------------------------------------------------------- */

static void below_on_open(void *owner)
{
	struct wire *w = owner;
	relay_enter(w->relay);
	w->stream.events->on_open(w->stream.owner);
	relay_leave(w->relay);
}

static void below_on_data(void *owner, struct span octets)
{
	struct wire *w = owner;
	struct relay *r = w->relay;
	relay_enter(r);
	if (!w->chain || chain_idle(w->chain))
		w->stream.events->on_data(w->stream.owner, octets);
	else
		chain_data(w->chain, UPSTREAM, octets, clock_now_us());
	relay_leave(r);
}

static void below_on_eof(void *owner, bool clean)
{
	struct wire *w = owner;
	struct relay *r = w->relay;
	relay_enter(r);
	if (!w->chain || chain_idle(w->chain))
		w->stream.events->on_eof(w->stream.owner, clean);
	else
		chain_eof(w->chain, UPSTREAM, clock_now_us());
	relay_leave(r);
}

static void below_on_error(void *owner, int error)
{
	struct wire *w = owner;
	struct relay *r = w->relay;
	relay_enter(r);
	w->stream.events->on_error(w->stream.owner, error);
	relay_leave(r);
}

static void below_on_drain(void *owner)
{
	struct wire *w = owner;
	struct relay *r = w->relay;
	relay_enter(r);
	if (w->stream.events->on_drain)
		w->stream.events->on_drain(w->stream.owner);
	relay_leave(r);
}

static const struct stream_events below_events = {below_on_open, below_on_data, below_on_eof, below_on_error,
						  below_on_drain};

/* The stream ------------------------------------------------------------------------------------------------------- */

static int wire_write(struct stream *s, struct span octets)
{
	struct wire *w = (struct wire *)s;
	if (!w->chain || chain_idle(w->chain))
		return stream_write(w->below, octets);
	chain_data(w->chain, DOWNSTREAM, octets, clock_now_us());
	return 0;
}

static int wire_shutdown(struct stream *s)
{
	struct wire *w = (struct wire *)s;
	w->shut = true;
	if (!w->chain || chain_idle(w->chain))
		return give_fin(w);
	chain_eof(w->chain, DOWNSTREAM, clock_now_us());
	return 0;
}

static void wire_reset(struct stream *s)
{
	struct wire *w = (struct wire *)s;
	w->reset = true;
	stream_reset(w->below);
}

static void wire_pause(struct stream *s, bool paused)
{
	struct wire *w = (struct wire *)s;
	w->paused = paused;
	mind_pause(w);
}

static size_t wire_unsent(const struct stream *s)
{
	return stream_unsent(((const struct wire *)s)->below);
}

static const char *wire_error_text(const struct stream *s)
{
	return stream_error_text(((const struct wire *)s)->below);
}

static const char *wire_describe(const struct stream *s)
{
	return stream_describe(((const struct wire *)s)->below);
}

static void wire_free(struct stream *s)
{
	struct wire *w = (struct wire *)s;
	wire_detach(s);
	stream_free(w->below);
	free(w);
}

static const struct stream_ops wire_ops = {
	.name = "wire", .write = wire_write, .shutdown = wire_shutdown, .reset = wire_reset, .pause = wire_pause,
	.unsent = wire_unsent, .error_text = wire_error_text, .describe = wire_describe, .free = wire_free,
};

int wire_new(struct relay *r, struct stream *below, struct stream **ret_stream)
{
	uint64_t now_us = clock_now_us();
	struct wire *w = calloc(1, sizeof(*w));
	if (!w || chain_new(&r->proxy->toxics, r->number, CHAIN_WIRE, &chain_events, w, now_us, &w->chain) < 0) {
		free(w);
		stream_free(below);
		return -ENOMEM;
	}
	w->stream.ops = &wire_ops;
	w->relay = r;
	w->below = below;
	below->events = &below_events;
	below->owner = w;
	chain_open(w->chain, now_us);
	*ret_stream = &w->stream;
	return 0;
}

void wire_detach(struct stream *s)
{
	struct wire *w = (struct wire *)s;
	if (w->chain && !w->reset)
		chain_let_go(w->chain, clock_now_us());
	alarm_clear(&w->alarm);
	chain_free(TAKE_PTR(w->chain));
	if (w->shut && !w->fin_sent) /* a toxic had ended it, or kept the FIN to itself */
		give_fin(w);
	mind_pause(w);
}

bool wire_fin_sent(const struct stream *s)
{
	return ((const struct wire *)s)->fin_sent;
}

struct chain *wire_chain(const struct stream *s)
{
	return ((const struct wire *)s)->chain;
}
