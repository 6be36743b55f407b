#pragma once
/*
 * A command of the target's owner, run by /bin/sh -c in a process group of its own, with a deadline. What it says on
 * both outputs is kept up to COMMAND_OUTPUT_MAX octets and thrown away beyond. After the deadline its whole group is
 * terminated, COMMAND_KILL_MS later killed.
 */
#include <sys/types.h>

#include "harness/net/watch.h"
#include "harness/base/err.h"
#include "harness/base/guard.h"

enum { COMMAND_OUTPUT_MAX = 4096, COMMAND_KILL_MS = 1000, COMMAND_TIMEOUT_MS = 30000, COMMAND_VARIABLES_MAX = 8 };

struct command_result {
	int status;                /* of the shell; 128 + signal */
	bool late;                 /* the deadline was over */
	char output[COMMAND_OUTPUT_MAX + 1];
	size_t len;
	bool cut;                  /* it said more */
};

struct command_spec {
	const char *text;          /* for sh -c */
	const char *folder;        /* NULL: ours */
	uint64_t timeout_ms;
	const char *variables[COMMAND_VARIABLES_MAX]; /* "NAME=VALUE", added to our environment; NULL at the end */
};

/* Zero it before the first start. */
struct command_run {
	struct loop *loop;
	pid_t pid;
	struct watch end, output;
	struct timer timer;
	struct command_result result;
	struct guard *guard;
	int undo;
	void (*on_done)(void *owner, const struct command_result *result);
	void *owner;
};

/*
 * on_done once, from the loop. Negative errno when it could not even start. g, unless NULL: is told of it before it
 * begins; when we are killed the guard kills it with all of its group.
 */
int command_start(struct command_run *c, struct loop *l, struct guard *g, const struct command_spec *spec,
		  void (*on_done)(void *owner, const struct command_result *result), void *owner, struct err *e);
/* Kills it if it still runs; no on_done. Safe on a zeroed one. */
void command_stop(struct command_run *c);
/* The same at once, blocking; 0 when it ended with status 0, -ETIMEDOUT, -ECHILD, or what starting gave. */
int command_finish(const struct command_spec *spec, struct command_result *ret_result);
