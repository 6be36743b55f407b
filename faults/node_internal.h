#pragma once
/* What node.c and node_task.c share. */
#include "faults/node.h"
#include "harness/net/ready.h"
#include "harness/net/watch.h"
#include "harness/base/arena.h"

enum { NODE_ARENA_MAX = 1 << 20 };

struct fault_node {
	struct loop *loop;
	struct arena arena;
	struct fault_node_config config;
	struct launch launch;
	const char *clock;
	int stop_signal;
	bool has_ready;
	struct ready ready;
	struct proc_id given, ours; /* by config.pid; started by us and not yet reaped */

	/* The task. */
	struct proc_id was;        /* that is or was ended; a supervisor's new one is another */
	bool told;                 /* it was sent a signal to end by */
	struct watch end;          /* of the process that is ended, or that is to become ready */
	struct timer timer;
	struct ready_wait waiting;
	struct proc_id *tree;      /* what SIGKILL goes to; PROC_TREE_MAX */
	int tree_n;
	bool killed;
	uint64_t until_us;
	fault_node_done on_done;
	void *owner;
	struct err why;
	char ending[32];
};

/* Takes the exit status of what we started, if it has ended. */
void node_reap(struct fault_node *n);
