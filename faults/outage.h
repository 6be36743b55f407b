#pragma once
/*
 * Nodes that end and come back: kill, terminate and backplane_kill are this with other signals. A node that has a
 * `start` is promised to the guard before it is told to end, and started again after restart_after, else at the end of
 * the fault; one with a supervisor is awaited. Without `restart` it stays away, unless a supervisor brings it back.
 * Events: node.signal, node.ended, node.started, node.ready, node.failed.
 */
#include "faults/which.h"

struct outage_options {
	struct opt_strings nodes;
	const char *signal;        /* NULL: the node's own stop signal */
	uint64_t grace_ms;         /* 0: the node's own */
	bool restart;
	uint64_t restart_after_ms; /* 0: at the end of the fault */
	uint64_t ready_within_ms;  /* 0: the node's own */
};

#define OUTAGE_SIGNAL_ROW(default_word) \
	{.name = "signal", .type = OPT_STRING, .offset = offsetof(struct outage_options, signal), .def = default_word, \
	 .metavar = "SIGNAL", .help = "which signal: TERM, INT, HUP, QUIT, USR1, USR2, KILL, ABRT, SEGV"}
#define OUTAGE_GRACE_ROW \
	{.name = "grace", .type = OPT_DURATION, .offset = offsetof(struct outage_options, grace_ms), \
	 .max = FAULT_TIME_MAX_MS, \
	 .help = "time it has to end before it is killed; without it: the node's own"}
#define OUTAGE_RESTART_ROWS \
	{.name = "restart", .type = OPT_FLAG, .offset = offsetof(struct outage_options, restart), .def = "true", \
	 .help = "start it again"}, \
	{.name = "restart_after", .type = OPT_DURATION, .offset = offsetof(struct outage_options, restart_after_ms), \
	 .max = FAULT_TIME_MAX_MS, .help = "time from its end to its start; without it: at the end of the fault"}, \
	{.name = "ready_within", .type = OPT_DURATION, .offset = offsetof(struct outage_options, ready_within_ms), \
	 .max = FAULT_TIME_MAX_MS, .help = "time it has to become ready again; without it: the node's own"}

int outage_check(const void *options, struct err *e);
extern const struct fault_action outage_action;
/* Ends what a node is about; one that was promised and is away is started. */
void outage_heal(struct fault_run *run, struct fault_node *node, int *promise);
