#pragma once
/* The newest sample of one of the target's metrics, by node. */
#include <stddef.h>

#include "harness/check/track.h"
#include "harness/history/event.h"

enum { GAUGE_NODES_MAX = 64 };

/* Zeroed it is empty. */
struct gauge {
	double now[GAUGE_NODES_MAX]; /* by node, 0: of the whole target */
};

/* Takes a sample in; the sum over all nodes. */
static inline double gauge_note(struct gauge *g, const struct event *e)
{
	double sum = 0;
	if (e->node < GAUGE_NODES_MAX)
		g->now[e->node] = e->value;
	for (size_t i = 0; i < GAUGE_NODES_MAX; i++)
		sum += g->now[i];
	return sum;
}

/* Clients that are connected. */
static inline uint64_t gauge_living(const struct track *t)
{
	uint64_t n = 0;
	for (size_t i = 0; i < t->n_clients; i++)
		n += t->clients[i] && t->clients[i]->up;
	return n;
}
