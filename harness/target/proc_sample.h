#pragma once
/*
 * Memory and descriptors of a target on this machine, read from /proc where no page of metrics tells them, as events of
 * a history (EVENT_METRIC, texts process_resident_memory_bytes and process_open_fds). A node's process is the one of its pidfile,
 * else the one that listens on the port of its URL; its workers, all processes below it, are added. A target without
 * nodes has one process, by the port of its URL, and its events have node 0. Only loopback addresses are ours.
 */
#include "harness/history/history.h"
#include "harness/net/loop.h"
#include "harness/target/target.h"

enum {
	PROC_SAMPLE_FIND_EVERY = 5,    /* looks from one search of all of /proc to the next, while nothing ends */
};

struct proc_sample_options {
	struct loop *loop;
	const struct target *target;
	struct history_log *history;
	uint64_t (*now_us)(void *owner); /* time of the history */
	void *owner;
};

struct proc_sample;

/* Some process of it may be found that way, and no page of metrics speaks for it. */
bool proc_sample_possible(const struct target *t);
/* Borrows all; looks every `metrics.every`. -ENOMEM. */
int proc_sample_new(const struct proc_sample_options *o, struct proc_sample **ret, struct err *e);
/* NULL is fine. */
void proc_sample_free(struct proc_sample *s);
/* Looks once more, now. */
void proc_sample_now(struct proc_sample *s);
