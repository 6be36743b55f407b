/* The part of a target file about processes: nodes, the broker behind them, and commands of the owner. */
#include <string.h>

#include "harness/target/target.h"

#define ROW(field_name, field, opt_type, help_text, ...) \
	{.name = field_name, .type = opt_type, .offset = offsetof(struct target_node, field), .help = help_text, ##__VA_ARGS__}

const struct opt target_node_table[] = {
	ROW("name", name, OPT_STRING, "what faults and events call it: letters, digits, '-', '_', '.'", .flags = OPT_REQUIRED),
	ROW("url", url, OPT_STRING, "ws:// or wss:// URL of this node alone"),
	ROW("start", start, OPT_STRINGS, "the command that starts it, word by word; without it: whoever writes the pidfile does"),
	ROW("folder", folder, OPT_STRING, "its working folder; without it: this file's"),
	ROW("ready", ready, OPT_STRING,
	    "how to see that it serves: http://HOST:PORT/PATH (200), tcp://HOST:PORT, unix:///PATH, redis://HOST:PORT, redis+unix:///PATH"),
	ROW("log", log, OPT_STRING, "file that its output is appended to when wsquall starts it"),
	ROW("pidfile", pidfile, OPT_STRING, "file with the number of its process; written when wsquall starts it"),
	ROW("stop_signal", stop_signal, OPT_STRING, "signal that tells it to end", .def = "TERM"),
	ROW("grace", grace_ms, OPT_DURATION, "time from that to SIGKILL", .def = "10s", .min = 1, .max = 3600000),
	ROW("ready_within", ready_within_ms, OPT_DURATION, "time from its start to ready", .def = "30s", .min = 1, .max = 3600000),
	ROW("clock", clock, OPT_FLAG, "start it under libfaketime, so that clock_step can move its clock"),
	ROW("proxy", proxy, OPT_STRING, "of a broker: the name of the proxy through which the nodes reach it, for backplane_partition"),
	ROW("proxy_api", proxy_api, OPT_STRING, "http://HOST:PORT of that proxy's API (wsquall proxy, Toxiproxy)"),
	ROW("metrics", metrics, OPT_STRING, "http:// or https:// URL of this node's metrics"),
	{0},
};

static int check_name(const char *name, const char *where, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	static const char *const words[] = {"all", "one", "random"};
	if (!*name || strlen(name) > TARGET_NODE_NAME_MAX || name[strspn(name, letters)] || *name == '.')
		return err_set(e, EINVAL, "%s: expected a name of letters, digits, '-', '_', '.', at most %d of them", where,
			       TARGET_NODE_NAME_MAX);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], name) == 0)
			return err_set(e, EINVAL, "%s: '%s' cannot be a name: faults mean something else by it", where, name);
	return 0;
}

static int check_node(const struct target_node *n, const char *where, struct arena *a, struct err *e)
{
	struct url url;
	struct err why;
	int r = check_name(n->name, where, e);
	if (r == 0 && n->url && url_parse(n->url, a, &url, &why) < 0)
		return err_set(e, EINVAL, "%s: %s: %s", where, n->name, why.text);
	if (r == 0 && !n->start.len && !n->pidfile)
		return err_set(e, EINVAL, "%s: %s: how is its process found? Tell `start` or `pidfile`", where, n->name);
	if (r == 0 && !n->proxy != !n->proxy_api)
		return err_set(e, EINVAL, "%s: %s: `proxy` and `proxy_api` belong together", where, n->name);
	return r;
}

static int check_list(const struct opt_sections *list, const char *where, struct arena *a, struct err *e)
{
	const struct target_node *nodes = list->items;
	if (list->len > TARGET_NODES_MAX)
		return err_set(e, EINVAL, "%s: at most %d are possible", where, TARGET_NODES_MAX);
	for (size_t i = 0; i < list->len; i++) {
		int r = check_node(&nodes[i], where, a, e);
		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (strcmp(nodes[k].name, nodes[i].name) == 0)
				return err_set(e, EINVAL, "%s: two are called '%s'", where, nodes[i].name);
	}
	return 0;
}

int target_nodes_check(const struct target *t, struct arena *a, struct err *e)
{
	int r = check_list(&t->nodes, "nodes", a, e);
	if (r == 0)
		r = check_list(&t->backplane, "backplane", a, e);
	for (size_t i = 0; r == 0 && i < t->hooks.len; i++)
		if (!*t->hooks.items[i].value)
			return err_set(e, EINVAL, "hooks: '%.60s' has no command", t->hooks.items[i].key);
	return r;
}

static int resolve(const char **path, const char *folder, struct arena *a)
{
	if (!*path || **path == '/')
		return 0;
	*path = arena_printf(a, "%s/%s", folder, *path);
	return *path ? 0 : -ENOMEM;
}

int target_nodes_resolve(struct target *t, struct arena *a)
{
	struct opt_sections *const lists[] = {&t->nodes, &t->backplane};
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		struct target_node *nodes = lists[l]->items;
		for (size_t i = 0; i < lists[l]->len; i++) {
			struct target_node *n = &nodes[i];
			n->folder = n->folder ? n->folder : t->folder;
			if (resolve(&n->folder, t->folder, a) < 0 || resolve(&n->log, t->folder, a) < 0 ||
			    resolve(&n->pidfile, t->folder, a) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}
