#pragma once
/* The newest sample of one of the target's metrics, by node. */
#include <stddef.h>

#include "harness/check/track.h"
#include "harness/history/event.h"

enum {
	GAUGE_OTHERS_PERCENT = 25, /* of our clients: with more others on a gauge it is not ours to judge */
};

/* Zeroed it is empty. */
struct gauge {
	double now[EVENT_NODES_MAX]; /* by node, 0: of the whole target */
};

/* Takes a sample in; the sum over all nodes. */
static inline double gauge_note(struct gauge *g, const struct event *e)
{
	double sum = 0;
	if (e->node < EVENT_NODES_MAX)
		g->now[e->node] = e->value;
	for (size_t i = 0; i < EVENT_NODES_MAX; i++)
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

/* So many others are counted beside so many of ours that what the gauge does says nothing: they come and go. */
static inline bool gauge_is_of_others(double others, uint64_t ours)
{
	return others * 100 > (double)ours * GAUGE_OTHERS_PERCENT;
}
