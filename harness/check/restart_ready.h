#pragma once
/*
 * Whether a node that ends was out of rotation before it closed its connections: it said that it was not ready, or its
 * port took no more connections, which sends a load balancer to the next node as well. The first goodbye of a burst is
 * held against what was seen of the nodes until then and half a second after it: they are looked at from outside.
 */
#include "harness/check/check.h"
#include "harness/check/slots.h"

enum { READY_WHY_MAX = 240 };

/* Zeroed it is empty. */
struct restart_ready {
	uint64_t unready;          /* nodes, one bit each */
	bool watched, decided;     /* readiness is known at all; of a burst it was known which came first */
	uint64_t doubt_us;         /* a burst began while everybody was ready; 0: none */
	uint32_t client, node;     /* of its first goodbye; node 0: not known */
	uint32_t let_in;           /* a client that dialed since then and was let in, by it or nobody knows where; 0: none */
	bool gone;                 /* the process has ended since, or just before */
	uint64_t gone_us[EVENT_NODES_MAX]; /* by node, [0]: any: when its process had ended */
	struct slots dialed;       /* by client: when it dialed last */
	char why[READY_WHY_MAX];   /* it could not be told; the first reason */
};

/* Every event, before restart_ready_goodbye(). */
void restart_ready_event(struct check_run *run, struct restart_ready *r, const struct event *e);
/* The first one of a burst. */
void restart_ready_goodbye(struct check_run *run, struct restart_ready *r, const struct event *e);
/* The history is over. */
void restart_ready_end(struct check_run *run, struct restart_ready *r);
void restart_ready_fini(struct restart_ready *r);
