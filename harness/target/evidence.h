#pragma once
/*
 * Everything that a target tells about itself while it is tested, in one history: lines of its log (log_events.h),
 * its metrics (scrape.h), or memory and descriptors of its processes (proc_sample.h), and whether its nodes serve
 * (node_watch.h). What the target file does not tell is left out.
 */
#include "harness/target/log_events.h"
#include "harness/target/node_watch.h"
#include "harness/target/proc_sample.h"
#include "harness/target/scrape.h"

struct evidence_options {
	struct loop *loop;
	const struct target *target;
	struct history_log *history;
	uint64_t (*now_us)(void *owner); /* time of the history */
	double start_s;                /* when that was 0, in seconds since 1970 */
	struct tls_context *tls;       /* for metrics by https; NULL: none */
	void *owner;
};

/* Zeroed: none. A part that is NULL is not there. */
struct evidence {
	struct log_events *log;
	struct scrape *scrape;
	struct proc_sample *processes;
	struct node_watch *nodes;
};

/* Borrows all. 0, or what one of them says; nothing is left then. */
int evidence_start(struct evidence *v, const struct evidence_options *o, struct err *e);
/* The log is read to its end, what has no line end included; processes are looked at once more. */
void evidence_finish(struct evidence *v);
/* Also of a zeroed one. */
void evidence_stop(struct evidence *v);
