/* Every fault on processes asks the same: on whom? */
#include "faults/which.h"

#include <string.h>

#include "harness/base/near.h"

static struct fault_node *find(struct fault_node *const *all, const char *name)
{
	for (; *all; all++)
		if (strcmp(fault_node_name(*all), name) == 0)
			return *all;
	return NULL;
}

static int unknown(struct fault_node *const *all, size_t n, const char *name, struct err *e)
{
	const char *names[FAULT_NODES_MAX + 3] = {"all", "one", "random"};
	for (size_t i = 0; i < n; i++)
		names[i + 3] = fault_node_name(all[i]);
	const char *near = near_word(name, names, n + 3);
	if (near)
		return err_set(e, EINVAL, "nodes: there is no node '%.60s', did you mean '%s'?", name, near);
	return err_set(e, EINVAL, "nodes: there is no node '%.60s'; the first is '%s'", name, fault_node_name(all[0]));
}

static bool chosen(const struct which *w, const struct fault_node *node)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->nodes[i] == node)
			return true;
	return false;
}

static int choose_word(struct fault_run *run, struct fault_node *const *all, size_t n, const char *word,
		       struct which *w, struct err *e)
{
	if (strcmp(word, "all") == 0) {
		memcpy(w->nodes, all, n * sizeof(*all));
		w->n = n;
		return 0;
	}
	struct fault_node *node = find(all, word);
	if (!node && strcmp(word, "one") == 0)
		node = all[0];
	else if (!node && strcmp(word, "random") == 0)
		node = all[rng_below(&run->rng, n)];
	if (!node)
		return unknown(all, n, word, e);
	if (!chosen(w, node))
		w->nodes[w->n++] = node;
	return 0;
}

int which_choose(struct fault_run *run, const struct opt_strings *words, struct which *ret_which, struct err *e)
{
	bool broker = run->plane == FAULT_BACKPLANE;
	struct fault_node *const *all = broker ? run->site->backplane : run->site->nodes;
	struct which w = {.n = 0};
	size_t n = 0;
	while (all && n < FAULT_NODES_MAX && all[n])
		n++;
	if (n == 0)
		return err_set(e, EINVAL, broker ? "the broker's process is not known: the target file has no `backplane`"
						 : "no process of the target is known: its file has no `nodes`");
	for (size_t i = 0; i < words->len; i++) {
		int r = choose_word(run, all, n, words->items[i], &w, e);
		if (r < 0)
			return r;
	}
	if (w.n == 0)
		return err_set(e, EINVAL, "nodes: name at least one, or all, one, random");
	*ret_which = w;
	return 0;
}
