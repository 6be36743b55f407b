/* fd_limit and memory_limit take away what a process may still have; prlimit(2) does that to a running one. */
#include "faults/rlimit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "faults/undo.h"

static const struct {
	const char *name;
	int resource;
} resources[] = {{"NOFILE", RLIMIT_NOFILE}, {"DATA", RLIMIT_DATA}};

static const char *resource_name(int resource)
{
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (resources[i].resource == resource)
			return resources[i].name;
	return NULL;
}

static int set_soft(struct proc_id id, int resource, const struct rlimit *limit)
{
	int fd CLEANUP(cleanup_fd) = proc_open(id); /* while it is open and alive, the number is not given again */
	if (fd < 0)
		return TAKE_FD(fd);
	return prlimit(id.pid, (__rlimit_resource_t)resource, limit, NULL) < 0 ? -errno : 0;
}

static int get(struct proc_id id, int resource, struct rlimit *ret)
{
	return prlimit(id.pid, (__rlimit_resource_t)resource, NULL, ret) < 0 ? -errno : 0;
}

/* 0 also when the limit is that low already. */
static int lower_one(struct rlimit_set *s, struct proc_id id, uint64_t soft, struct err *e)
{
	struct rlimit limit;
	char pid[PROC_WORD_MAX], started[PROC_WORD_MAX], before[PROC_WORD_MAX], after[PROC_WORD_MAX];
	const char *name = resource_name(s->resource);
	int r = get(id, s->resource, &limit);
	if (r < 0 || limit.rlim_cur <= soft)
		return r == -ESRCH || r == 0 ? 0 : err_set(e, -r, "the limits of process %d cannot be read: %s",
							   (int)id.pid, strerror(-r));
	proc_words(id, pid, started);
	snprintf(before, sizeof(before), "%llu", (unsigned long long)limit.rlim_cur);
	snprintf(after, sizeof(after), "%llu", (unsigned long long)soft);
	int undo = guard_add(s->guard, "rlimit", (const char *const[]){pid, started, name, before, after, NULL}, e);
	if (undo < 0)
		return undo;
	s->list[s->n++] = (struct lowered){soft, undo};
	limit.rlim_cur = soft;
	r = set_soft(id, s->resource, &limit);
	if (r == 0 || r == -ESRCH)
		return 0;
	return err_set(e, -r, "the limit %s of process %d cannot be set: %s", name, (int)id.pid, strerror(-r));
}

int rlimit_set_lower(struct rlimit_set *s, struct proc_id root,
		     int (*limit_of)(struct proc_id id, uint64_t argument, uint64_t *ret_limit), uint64_t argument,
		     struct err *e)
{
	struct proc_id tree[PROC_TREE_MAX];
	int n = proc_tree(root, tree, PROC_TREE_MAX), r = 0;
	s->list = n > 0 ? calloc((size_t)n, sizeof(*s->list)) : NULL;
	if (!s->list)
		return err_set(e, n < 0 ? -n : ENOMEM, "the processes of %d cannot be told", (int)root.pid);
	for (int i = 0; r == 0 && i < n; i++) {
		uint64_t limit;
		r = limit_of(tree[i], argument, &limit);
		if (r == -ESRCH)
			r = 0;
		else if (r < 0)
			err_set(e, -r, "process %d cannot be looked at: %s", (int)tree[i].pid, strerror(-r));
		else
			r = lower_one(s, tree[i], limit, e);
	}
	return r;
}

void rlimit_set_end(struct rlimit_set *s)
{
	for (size_t i = s->n; i > 0; i--)
		guard_undo(s->guard, s->list[i - 1].undo);
	free(TAKE_PTR(s->list));
	s->n = 0;
}

/* Only while the limit is what we made it: its owner may have set another one since. */
static int put_back(struct proc_id id, int resource, uint64_t ours, uint64_t before)
{
	struct rlimit limit;
	int r = get(id, resource, &limit);
	if (r == 0 && limit.rlim_cur == ours) {
		limit.rlim_cur = before;
		r = set_soft(id, resource, &limit);
	}
	return r == -ESRCH ? 0 : r;
}

/* And of all below it: who was born meanwhile has the limits of its parent. */
static int undo_run(char *const *words)
{
	struct proc_id id, tree[PROC_TREE_MAX];
	int resource = -1, r = proc_from_words(words[0], words[1], &id);
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (strcmp(resources[i].name, words[2]) == 0)
			resource = resources[i].resource;
	if (r < 0 || resource < 0)
		return -EINVAL;
	int n = proc_tree(id, tree, PROC_TREE_MAX);
	for (int i = 0; i < n; i++) {
		int one = put_back(tree[i], resource, strtoull(words[4], NULL, 10), strtoull(words[3], NULL, 10));
		r = r < 0 ? r : one;
	}
	return n == -ESRCH ? 0 : n < 0 ? n : r;
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "gives process %s its limit %s of %s back", words[0], words[2], words[3]);
}

const struct guard_kind undo_rlimit = {
	.name = "rlimit", .words = 5, .claims = 3, .undo = undo_run, .describe = undo_describe};
