#pragma once
/*
 * Starting a process of the target, so that it outlives us: a session of its own, standard input empty, both outputs
 * appended to its log, its pidfile written before its program begins. A process that a fault ends is promised first:
 * the guard starts it when we cannot.
 */
#include "harness/base/proc.h"
#include "harness/base/guard.h"

enum {
	LAUNCH_ARGS_MAX = 256,
	LAUNCH_ARGV_MAX = 2048,      /* octets of the arguments as JSON: they are one word of a guard entry */
	LAUNCH_UNDO_WAIT_MS = 5000, /* the guard waits so long for who is on its way out, then kills all of it */
};

/* Everything is borrowed; NULL members are absent. Paths are absolute or of our working folder. */
struct launch {
	const char *name;
	const char *const *argv;   /* NULL at the end; argv[0] by PATH */
	const char *folder;        /* its working folder; NULL: ours */
	const char *log;           /* NULL: /dev/null */
	const char *pidfile;
	const char *clock;         /* FAKETIME_TIMESTAMP_FILE: it runs under libfaketime; the file is made when absent */
};

/*
 * In a child between fork and exec: no signal is ignored or blocked, no descriptor but 0, 1 and 2 stays open, and
 * limits are those that we were started with.
 */
void launch_release(void);
/* Checks lengths and, with clock, that libfaketime is there. 0, -E2BIG, -ENOTSUP with a sentence. */
int launch_check(const struct launch *l, struct err *e);
/* Returns when its program runs. A child of ours until it is reaped. Negative errno with a sentence. */
int launch_start(const struct launch *l, struct proc_id *ret_id, struct err *e);
/*
 * An entry "starts NAME again when `was` has ended and nobody else has started it", made just before `was` is told to
 * end. Its id, or a negative errno. Nobody else: as far as the pidfile tells.
 */
int launch_promise(const struct launch *l, struct guard *g, struct proc_id was, struct err *e);
/* libfaketime's path, or NULL when it is not installed. */
const char *launch_faketime(void);
