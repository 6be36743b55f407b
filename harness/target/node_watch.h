#pragma once
/*
 * Whether the nodes of a target serve: their `ready` is asked again and again, and each change, as well as the first
 * answer, is an event (EVENT_NODE): node; value 1: it serves, 0: it does not; text: its name. Of one that does not: sent,
 * when the last question was asked that it answered; note, "refused", when nobody listens any more and `ready` is asked
 * for at the port that clients go to: then they are turned away as well.
 */
#include "harness/history/history.h"
#include "harness/net/loop.h"
#include "harness/target/target.h"

enum { NODE_WATCH_MS = 100 };          /* from an answer to the next question */

struct node_watch_options {
	struct loop *loop;
	const struct target *target;
	struct history_log *history;
	uint64_t (*now_us)(void *owner);   /* time of the history */
	void *owner;
};

struct node_watch;

bool node_watch_possible(const struct target *t);
/* Borrows all. Resolves names, which blocks. -EINVAL, -EHOSTUNREACH, -ENOMEM with a sentence. */
int node_watch_new(const struct node_watch_options *o, struct node_watch **ret, struct err *e);
/* NULL is fine. */
void node_watch_free(struct node_watch *w);
/* 1, 0, or -1: not known yet, or the node has no `ready`. node: from 1. */
int node_watch_ready(const struct node_watch *w, uint32_t node);
