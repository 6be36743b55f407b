/*
 * pause and cpu_limit both stop every process of a node: its workers too, or they would go on serving. New workers may
 * be born while the tree is being stopped, so it is looked at again until nothing is new.
 */
#include "faults/freeze.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "faults/undo.h"

static const struct frozen *freeze_find(const struct freeze *f, struct proc_id id)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i].id.pid == id.pid && f->list[i].id.started == id.started)
			return &f->list[i];
	return NULL;
}

static int room(struct freeze *f)
{
	if (f->n < f->cap)
		return 0;
	size_t cap = f->cap ? 2 * f->cap : 16;
	struct frozen *list = cap > 4 * PROC_TREE_MAX ? NULL : realloc(f->list, cap * sizeof(*list));
	if (!list)
		return -ENOMEM;
	f->list = list;
	f->cap = cap;
	return 0;
}

/* 1: it is stopped; 0: it was before us, and stays so. */
static int freeze_one(struct freeze *f, struct proc_id id, struct err *e)
{
	char pid[PROC_WORD_MAX], started[PROC_WORD_MAX];
	int r = room(f);
	if (r < 0)
		return err_set(e, -r, "too many processes to stop");
	proc_words(id, pid, started);
	int undo = guard_add(f->guard, "thaw", (const char *const[]){pid, started, NULL}, e);
	if (undo < 0)
		return undo;
	/* Looked at after the guard knows of it: a stop of another fault would end while we count on it. */
	if (proc_state(id) == 'T') {
		guard_drop(f->guard, undo);
		return 0;
	}
	f->list[f->n++] = (struct frozen){id, undo};
	r = proc_signal(id, SIGSTOP);
	if (r < 0 && r != -ESRCH)
		return err_set(e, -r, "process %d cannot be stopped: %s", (int)id.pid, strerror(-r));
	return 1;
}

/* How many were new, or what failed. */
static int freeze_round(struct freeze *f, struct proc_id root, struct err *e)
{
	struct proc_id tree[PROC_TREE_MAX];
	int n = proc_tree(root, tree, PROC_TREE_MAX), fresh = 0;
	if (n < 0)
		return err_set(e, -n, "the processes of %d cannot be told: %s", (int)root.pid, strerror(-n));
	for (int i = 0; i < n; i++) {
		int r = freeze_find(f, tree[i]) ? 0 : freeze_one(f, tree[i], e);
		if (r < 0)
			return r;
		fresh += r;
	}
	return fresh;
}

static void forget_gone(struct freeze *f)
{
	size_t kept = 0;
	for (size_t i = 0; i < f->n; i++) {
		if (proc_lives(f->list[i].id))
			f->list[kept++] = f->list[i];
		else
			guard_drop(f->guard, f->list[i].undo);
	}
	f->n = kept;
}

int freeze_stop(struct freeze *f, struct proc_id root, struct err *e)
{
	forget_gone(f);
	for (size_t i = 0; i < f->n; i++)
		proc_signal(f->list[i].id, SIGSTOP);
	for (int round = 0; round < FREEZE_ROUNDS_MAX; round++) {
		int fresh = freeze_round(f, root, e);
		if (fresh <= 0)
			return fresh;
	}
	return err_set(e, EAGAIN, "process %d starts processes faster than they can be stopped", (int)root.pid);
}

void freeze_go(struct freeze *f)
{
	for (size_t i = f->n; i > 0; i--)
		proc_signal(f->list[i - 1].id, SIGCONT);
}

void freeze_end(struct freeze *f)
{
	freeze_go(f);
	for (size_t i = 0; i < f->n; i++)
		guard_drop(f->guard, f->list[i].undo);
	free(TAKE_PTR(f->list));
	f->n = f->cap = 0;
}

static int undo_run(char *const *words)
{
	struct proc_id id;
	int r = proc_from_words(words[0], words[1], &id);
	if (r == 0)
		r = proc_signal(id, SIGCONT);
	return r == -ESRCH ? 0 : r;
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "lets process %s go on", words[0]);
}

const struct guard_kind undo_thaw = {
	.name = "thaw", .words = 2, .claims = 2, .undo = undo_run, .describe = undo_describe};
