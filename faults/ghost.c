/* Ghosts wait for one thing: that the fault which hides their end is no more. */
#include "faults/ghost.h"

#include <stdlib.h>

struct ghost {
	struct loop *loop;
	struct chain *chain;
	struct stream *below;
	struct timer turn;
	bool silent, gone;
};

static void ghost_free(struct ghost *g)
{
	timer_fini(&g->turn);
	chain_free(g->chain);
	stream_free(g->below);
	free(g);
}

static void on_turn(void *owner)
{
	ghost_free(owner);
}

/* Nothing hides it any more. The chain cannot be freed from inside its events; without a timer it goes with its set. */
static void go(struct ghost *g)
{
	if (g->gone)
		return;
	g->gone = true;
	stream_reset(g->below);
	timer_start(&g->turn, g->loop, 0, on_turn, g);
}

static void chain_on_out(void *owner, enum direction d, struct span octets)
{
	(void)owner, (void)d, (void)octets;
}

static void chain_on_out_eof(void *owner, enum direction d)
{
	(void)owner, (void)d;
}

static void chain_on_end(void *owner, enum stream_end how)
{
	struct ghost *g = owner;
	if (how == STREAM_END_SILENCE)
		g->silent = true;
	else
		go(g);
}

static void chain_on_wake_at(void *owner, uint64_t at_us)
{
	(void)owner, (void)at_us;
}

static void chain_on_change(void *owner)
{
	struct ghost *g = owner;
	if (!g->silent && !chain_keeps_reset(g->chain, UPSTREAM))
		go(g);
}

static const struct chain_events chain_events = {chain_on_out, chain_on_out_eof, chain_on_end, chain_on_wake_at,
						 chain_on_change, on_turn};

static void below_on_open(void *owner)
{
	(void)owner;
}

static void below_on_data(void *owner, struct span data)
{
	(void)owner, (void)data;
}

static void below_on_eof(void *owner, bool clean)
{
	(void)owner, (void)clean;
}

static void below_on_error(void *owner, int error)
{
	(void)owner, (void)error;
}

static const struct stream_events below_events = {below_on_open, below_on_data, below_on_eof, below_on_error, NULL};

int ghost_new(struct loop *l, struct chain *chain, struct stream *below, bool silent)
{
	struct ghost *g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	*g = (struct ghost){.loop = l, .chain = chain, .below = below, .silent = silent};
	chain_hand_over(chain, &chain_events, g);
	below->events = &below_events;
	below->owner = g;
	stream_pause(below, true);
	return 0;
}
