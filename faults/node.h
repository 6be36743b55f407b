#pragma once
/*
 * A node: one process of the target (or the broker behind it) with all processes below it, how it is found, ended,
 * started again and known to be ready. Which of these a node can do depends on what its owner told:
 *	start       the command: we start it again ourselves, so that it outlives us (launch.h)
 *	pidfile     without `start`: somebody else (systemd, a supervisor) starts it again and writes the new number there
 *	pid         nothing else: it can be stopped, slowed and killed, but not started again
 * It is found by what we started ourselves, else the pidfile, else the pid; always with its start time (proc.h).
 *
 * Ending and starting take time and happen on the loop, one task of a node at a time; the end is told once by on_done,
 * never from inside the call. Process numbers appear in details of events: those differ from run to run.
 */
#include "faults/launch.h"
#include "harness/base/proc.h"
#include "harness/net/loop.h"

enum {
	FAULT_NODES_MAX = 64,      /* of a target */
	NODE_NAME_MAX = 64,
	NODE_GRACE_MS = 10000,     /* default: from the stop signal to SIGKILL */
	NODE_KILL_MS = 10000,      /* from SIGKILL to giving up: a process in an uninterruptible sleep */
	NODE_END_NOW_MS = 5000,
	NODE_READY_MS = 30000,     /* default: from the start to ready */
	NODE_LOOK_MS = 20,         /* between two looks at a pidfile that is to change */
};

/* Copied; NULL and 0: absent or the default. Paths absolute, or of our working folder. */
struct fault_node_config {
	const char *name, *url;
	pid_t pid;
	const char *pidfile;
	const char *const *start;  /* NULL at the end */
	const char *folder, *log;
	const char *ready;         /* harness/net/ready.h; NULL: ready as soon as it runs */
	const char *stop_signal;   /* "TERM" */
	uint64_t grace_ms, ready_within_ms;
	bool clock;                /* start it under libfaketime, for clock_step; needs pidfile or log */
	const char *proxy_api, *proxy; /* a proxy before it: http://HOST:PORT of its API, and its name there */
};

struct fault_node;

/* -EINVAL, -ESRCH (no process `pid`), -EHOSTUNREACH, -ENOMEM with a sentence that begins with the name. */
int fault_node_new(struct loop *l, const struct fault_node_config *c, struct fault_node **ret_node, struct err *e);
/* Forgets it; its processes go on. NULL is fine. */
void fault_node_free(struct fault_node *n);
const struct fault_node_config *fault_node_config(const struct fault_node *n);
const char *fault_node_name(const struct fault_node *n);
/* The file that FAKETIME_TIMESTAMP_FILE is when we start it, or NULL. */
const char *fault_node_clock(const struct fault_node *n);

/* Its main process now. -ESRCH with a sentence when it does not run. */
int fault_node_find(struct fault_node *n, struct proc_id *ret_id, struct err *e);
/* That and all below it (PROC_TREE_MAX at most); how many, or -ESRCH, ... with a sentence. */
int fault_node_tree(struct fault_node *n, struct proc_id *ret_list, struct err *e);
/* It comes back after its end: by `start` or by its supervisor. */
bool fault_node_returns(const struct fault_node *n);
/* -EINVAL with a sentence that says what its owner must tell. */
int fault_node_must_return(const struct fault_node *n, struct err *e);
/* "TERM" "SIGTERM" "15"; -EINVAL with a sentence. */
int fault_signal_parse(const char *text, int *ret_signal, struct err *e);

/* --- tasks --- */

typedef void (*fault_node_done)(void *owner, int error);

/*
 * Sends the signal to the main process (SIGKILL: to all below it, too); after grace_ms SIGKILL to all. on_done(0) when
 * the main process has ended, -ETIMEDOUT NODE_KILL_MS after SIGKILL. signal 0, grace_ms UINT64_MAX: the node's own.
 */
int fault_node_stop(struct fault_node *n, int signal, uint64_t grace_ms, fault_node_done on_done, void *owner,
		    struct err *e);
/*
 * Starts it, or waits for its supervisor to do so, and then for ready. -ETIMEDOUT, -ECHILD (it ended before): why says
 * more. within_ms 0: the node's own.
 */
int fault_node_start(struct fault_node *n, uint64_t within_ms, fault_node_done on_done, void *owner, struct err *e);
int fault_node_await_ready(struct fault_node *n, uint64_t within_ms, fault_node_done on_done, void *owner,
			   struct err *e);
/*
 * For who else restarts it: remembers the process that runs, and later waits until the pidfile (if there is one) names
 * another, and for ready.
 */
void fault_node_note(struct fault_node *n);
int fault_node_await_return(struct fault_node *n, uint64_t within_ms, fault_node_done on_done, void *owner,
			    struct err *e);
/* The task ends without on_done. */
void fault_node_cancel(struct fault_node *n);
/* A sentence about the task that failed last. */
const char *fault_node_why(const struct fault_node *n);
/* How the process that was ended last did so: "signal=9", "status=0", "unknown" when it was no child of ours. */
const char *fault_node_ending(const struct fault_node *n);

/* Before it is ended: the guard starts it again when we cannot. Its id; 0 when a supervisor does; negative errno. */
int fault_node_promise(struct fault_node *n, struct guard *g, struct err *e);
/* Starts it if it has a `start` and does not run, without waiting for anything. */
int fault_node_start_now(struct fault_node *n, struct err *e);
/*
 * A node that was told to end and still lives: SIGKILL to all of it, and waits (blocking, NODE_END_NOW_MS at most).
 * -EBUSY.
 */
int fault_node_end_now(struct fault_node *n, struct err *e);
