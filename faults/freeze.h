#pragma once
/*
 * Whole trees of processes stopped with SIGSTOP, and continued. Who was stopped before us stays as it is. To its peers
 * a stopped server is one whose event loop hangs: the kernel still accepts and acknowledges for it.
 */
#include "harness/base/proc.h"
#include "harness/base/guard.h"

/* A tree is scanned until a scan finds nobody new; one that forks faster than this often is refused. */
enum { FREEZE_ROUNDS_MAX = 32 };

struct frozen {
	struct proc_id id;
	int undo;
};

/* Zero it, set guard. */
struct freeze {
	struct guard *guard;
	struct frozen *list;
	size_t n, cap;
};

/*
 * Stops the tree below root. -ESRCH: root is gone; -EBUSY: another fault stops it. On failure what was stopped stays in
 * the list: freeze_end().
 */
int freeze_stop(struct freeze *f, struct proc_id root, struct err *e);
/* All go on; they stay in the list and with the guard. */
void freeze_go(struct freeze *f);
/* All go on, and are forgotten. Safe on a zeroed one. */
void freeze_end(struct freeze *f);
