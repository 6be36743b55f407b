#pragma once
/*
 * Control groups, version 2: a group of ours in which the processes of a node are for a while. Memory that they have
 * already stays charged to where they were; only what they take from then on counts in ours.
 * Source: Documentation/admin-guide/cgroup-v2.rst of the kernel.
 */
#include "harness/base/proc.h"
#include "harness/base/guard.h"

enum { CGROUP_PATH_MAX = 512, CGROUP_ROUNDS_MAX = 32 };

/*
 * controller: "cpu", "memory". 0 when a group with it can be made, which is tried; else -ENOTSUP and a sentence that
 * says what is missing.
 */
int cgroup_probe(const char *controller, struct err *e);

struct cgroup {
	struct guard *guard;
	char path[CGROUP_PATH_MAX]; /* "": there is none */
	int undo;
};

/*
 * Makes the group `<prefix><controller>-<name>`. Where the process is in a group of this run already, because of
 * another controller, that one serves both and goes with the last of them. -EBUSY: it is in a group of another run, or
 * its limits of this controller are another fault's.
 */
int cgroup_make(struct cgroup *c, struct guard *g, const char *controller, const char *name, struct proc_id home,
		struct err *e);
int cgroup_set(const struct cgroup *c, const char *file, const char *value, struct err *e);
/* Moves the whole tree into it; those born later begin in it. */
int cgroup_take(struct cgroup *c, struct proc_id root, struct err *e);
/*
 * Its limits end; with the last of them all in it go back to where `home` was, and it is removed. Safe on a zeroed one.
 */
void cgroup_end(struct cgroup *c);
