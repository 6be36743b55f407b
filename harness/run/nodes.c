/* faults/ knows no target file, harness/target/ no fault: here the one becomes the other. */
#include "harness/run/nodes.h"

_Static_assert((int)TARGET_NODES_MAX <= (int)FAULT_NODES_MAX, "every node of a target file is one of a fault");
_Static_assert((int)TARGET_NODE_NAME_MAX < (int)NODE_NAME_MAX, "and its name fits");

static int make(struct loop *l, const struct target_node *t, struct fault_node **ret_node, struct err *e)
{
	const char *start[LAUNCH_ARGS_MAX + 1] = {NULL};
	if (t->start.len > LAUNCH_ARGS_MAX)
		return err_set(e, E2BIG, "%s: `start` has more than %d words", t->name, LAUNCH_ARGS_MAX);
	for (size_t i = 0; i < t->start.len; i++)
		start[i] = t->start.items[i];
	const struct fault_node_config config = {
		.name = t->name, .url = t->url, .pidfile = t->pidfile, .start = t->start.len ? start : NULL,
		.folder = t->folder, .log = t->log, .ready = t->ready, .stop_signal = t->stop_signal,
		.grace_ms = t->grace_ms, .ready_within_ms = t->ready_within_ms, .clock = t->clock,
		.proxy_api = t->proxy_api, .proxy = t->proxy,
	};
	return fault_node_new(l, &config, ret_node, e);
}

static int make_all(struct loop *l, const struct opt_sections *list, struct fault_node **to, struct err *e)
{
	const struct target_node *nodes = list->items;
	int r = 0;
	for (size_t i = 0; r == 0 && i < list->len; i++)
		r = make(l, &nodes[i], &to[i], e);
	return r;
}

int run_nodes_init(struct run_nodes *n, struct loop *l, const struct target *t, struct err *e)
{
	int r = make_all(l, &t->nodes, n->nodes, e);
	if (r == 0)
		r = make_all(l, &t->backplane, n->backplane, e);
	n->hooks = t->hooks;
	if (r < 0)
		run_nodes_fini(n);
	return r;
}

void run_nodes_site(const struct run_nodes *n, const struct target *t, struct fault_site *site)
{
	site->nodes = n->nodes[0] ? n->nodes : NULL;
	site->backplane = n->backplane[0] ? n->backplane : NULL;
	site->hooks = n->hooks.len ? &n->hooks : NULL;
	site->hooks_folder = t->folder;
}

void run_nodes_fini(struct run_nodes *n)
{
	for (size_t i = 0; n->nodes[i]; i++)
		fault_node_free(n->nodes[i]);
	for (size_t i = 0; n->backplane[i]; i++)
		fault_node_free(n->backplane[i]);
	*n = (struct run_nodes){0};
}
