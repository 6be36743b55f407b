#pragma once
/*
 * A limit of the processes of a tree, lowered and put back: only the soft one, so that this needs no right to raise it
 * again. Source: prlimit(2).
 */
#include "harness/base/proc.h"
#include "harness/base/guard.h"

struct lowered {
	uint64_t after;
	int undo;
};

/* Zero it, set guard and resource: RLIMIT_NOFILE, RLIMIT_DATA. */
struct rlimit_set {
	struct guard *guard;
	int resource;
	struct lowered *list;
	size_t n;
};

/*
 * Lowers the limit of each process of the tree to what `limit_of` gives for it (or keeps a lower one). 0, -ESRCH,
 * -EPERM, -EBUSY (another fault has lowered it), ... with a sentence; what was done stays in the list then:
 * rlimit_set_end().
 */
int rlimit_set_lower(struct rlimit_set *s, struct proc_id root,
		     int (*limit_of)(struct proc_id id, uint64_t argument, uint64_t *ret_limit), uint64_t argument,
		     struct err *e);
/* Puts all back, also of processes that were born meanwhile and inherited ours. Safe on a zeroed one. */
void rlimit_set_end(struct rlimit_set *s);
