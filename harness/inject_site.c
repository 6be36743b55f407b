/* What a fault works on, from the command line: processes, an interface, or a URL for clients that misbehave. */
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/near.h"
#include "harness/inject.h"
#include "harness/net/interface.h"
#include "harness/net/netns.h"

static int read_pid(const char *text, pid_t *ret_pid, struct err *e)
{
	char *end;
	errno = 0;
	long pid = strtol(text, &end, 10);
	if (text[0] < '1' || text[0] > '9' || *end || errno || pid > INT32_MAX)
		return err_set(e, EINVAL, "--pid: expected the number of a process, not '%.40s'", text);
	*ret_pid = (pid_t)pid;
	return 0;
}

static int add_node(struct inject_site *s, struct loop *l, const struct fault_node_config *c, struct err *e)
{
	if (s->n == FAULT_NODES_MAX)
		return err_set(e, EINVAL, "more than %d processes or nodes", FAULT_NODES_MAX);
	int r = fault_node_new(l, c, &s->list[s->n], e);
	if (r == 0)
		s->n++;
	return r;
}

static bool has(struct fault_node *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fault_node_name(list[i]), name) == 0)
			return true;
	return false;
}

/* Who is named twice is hurt once. */
static int add_pids(struct inject_site *s, struct loop *l, const struct inject_options *o, struct err *e)
{
	for (size_t i = 0; i < o->pids.len; i++) {
		char name[NODE_NAME_MAX];
		struct fault_node_config c = {.name = name};
		int r = read_pid(o->pids.items[i], &c.pid, e);
		if (r < 0)
			return r;
		snprintf(name, sizeof(name), "pid-%d", (int)c.pid);
		r = has(s->list, s->n, name) ? 0 : add_node(s, l, &c, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Where misbehaving clients connect: a URL, or that of the target file with its fields and certificates. */
static int find_peers(struct inject_site *s, const char *where, struct arena *a, struct err *e)
{
	struct target *t = &s->target;
	int r = target_load(where, a, t, e);
	if (r == 0)
		r = dial_resolve(t->url.host, t->url.port, &s->addresses, e);
	if (r < 0)
		return r;
	const struct tls_options tls = {.ca_file = t->tls.ca, .insecure = t->tls.insecure, .alpn = "http/1.1"};
	r = t->url.tls ? tls_context_new(&tls, &s->tls, e) : 0;
	s->peers = (struct fault_peers){
		.addresses = &s->addresses, .tls = s->tls, .host = t->url.host_field, .path = t->url.target,
		.server_name = t->tls.server_name ? t->tls.server_name : t->url.host, .headers = &t->headers,
		.subprotocol = t->subprotocols.len ? t->subprotocols.items[0] : NULL,
	};
	s->site.peers = &s->peers;
	return r;
}

static int unknown_node(struct fault_node *const *all, const char *name, struct err *e)
{
	const char *names[FAULT_NODES_MAX] = {NULL};
	size_t n = 0;
	for (; all[n]; n++)
		names[n] = fault_node_name(all[n]);
	const char *near = near_word(name, names, n);
	if (n == 0)
		return err_set(e, EINVAL, "the target file has no node '%.60s': it has none for this plane", name);
	return err_set(e, EINVAL, "the target file has no node '%.60s', %s '%s'%s", name,
		       near ? "did you mean" : "the first is", near ? near : names[0], near ? "?" : "");
}

static int choose_named(struct inject_site *s, struct fault_node *const *all, const struct opt_strings *names,
			struct err *e)
{
	for (size_t i = 0; i < names->len; i++) {
		size_t k = 0;
		while (all[k] && strcmp(fault_node_name(all[k]), names->items[i]) != 0)
			k++;
		if (!all[k])
			return unknown_node(all, names->items[i], e);
		if (!has(s->chosen, s->n_chosen, names->items[i]) && s->n_chosen < FAULT_NODES_MAX)
			s->chosen[s->n_chosen++] = all[k];
	}
	for (size_t k = 0; !names->len && all[k] && s->n_chosen < FAULT_NODES_MAX; k++)
		s->chosen[s->n_chosen++] = all[k];
	return 0;
}

/* Processes by their number, and the nodes of a target file: those that are named, else all. */
static int find_nodes(struct inject_site *s, struct loop *l, const struct inject_options *o, enum fault_plane plane,
		      struct arena *a, struct err *e)
{
	int r = add_pids(s, l, o, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n; i++)
		s->chosen[s->n_chosen++] = s->list[i];
	if (!o->target)
		return o->nodes.len ? err_set(e, EINVAL, "--node needs --target FILE") : 0;
	r = target_load(o->target, a, &s->target, e);
	if (r == 0)
		r = run_nodes_init(&s->named, l, &s->target, e);
	if (r < 0)
		return r;
	run_nodes_site(&s->named, &s->target, &s->site);
	if (o->pids.len && !o->nodes.len)
		return 0;
	return choose_named(s, plane == FAULT_BACKPLANE ? s->named.backplane : s->named.nodes, &o->nodes, e);
}

static int find_interface(const struct inject_options *o, struct err *e)
{
	struct netns ns = {.fd = -1};
	struct netlink *nl = NULL;
	struct interface found;
	int r = o->netns ? netns_open(o->netns, &ns, e) : 0;
	if (r == 0)
		r = netlink_open(&ns, NETLINK_ROUTE, &nl, e);
	if (r == 0)
		r = interface_get(nl, o->interface, &found, e);
	netlink_close(nl);
	netns_close(&ns);
	return r;
}

/* What each plane works on, and how it is named. */
static int find_what(struct inject_site *s, struct loop *l, const struct inject_options *o, enum fault_plane plane,
		     struct arena *a, struct err *e)
{
	const char *where = o->url ? o->url : o->target;
	switch (plane) {
	case FAULT_PROCESS:
	case FAULT_BACKPLANE:
		if (!o->pids.len && !o->target)
			return err_set(e, EINVAL, "the plane %s needs processes: --pid N, or --target FILE and perhaps --node NAME",
				       fault_plane_name(plane));
		return find_nodes(s, l, o, plane, a, e);
	case FAULT_HOOK:
		if (!o->target)
			return err_set(e, EINVAL, "the plane hook needs --target FILE: its `hooks` are the commands");
		return find_nodes(s, l, o, plane, a, e);
	case FAULT_LINK:
		if (!o->interface)
			return err_set(e, EINVAL, "the plane link needs --interface IF, and --netns NS when it is in a namespace");
		return find_interface(o, e);
	case FAULT_PEER:
		if (!where)
			return err_set(e, EINVAL, "the plane peer needs --url URL or --target FILE: where the clients connect");
		return find_peers(s, where, a, e);
	default:
		return 0;
	}
}

int inject_site_init(struct inject_site *s, struct loop *l, const struct inject_options *o, enum fault_plane plane,
		     struct arena *a, struct err *e)
{
	int r = find_what(s, l, o, plane, a, e);
	if (r < 0) {
		inject_site_fini(s);
		return r;
	}
	s->site.loop = l;
	s->site.seed = o->seed;
	s->site.interface = o->interface;
	s->site.netns = o->netns;
	s->site.link_direction = (enum link_direction)o->direction;
	if (s->n_chosen && plane == FAULT_BACKPLANE)
		s->site.backplane = s->chosen;
	else if (s->n_chosen)
		s->site.nodes = s->chosen;
	return 0;
}

static void describe_node(struct fault_node *node, struct buf *b)
{
	struct proc_id id;
	struct err e;
	char path[64];
	struct buf name CLEANUP(buf_fini) = {0};
	if (fault_node_find(node, &id, &e) < 0) {
		buf_printf(b, "node %s, which does not run\n", fault_node_name(node));
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)id.pid);
	if (file_read(path, 64, &name, NULL) < 0)
		buf_init(&name, 64);
	const char *comm = buf_cstr(&name);
	buf_printf(b, "process %d (%.*s) and those below it\n", (int)id.pid, (int)strcspn(comm, "\n"), comm);
}

void inject_site_describe(const struct inject_site *s, struct buf *b)
{
	for (size_t i = 0; i < s->n_chosen; i++)
		describe_node(s->chosen[i], b);
	if (s->site.interface)
		buf_printf(b, "interface %s%s%s\n", s->site.interface, s->site.netns ? " in the namespace " : "",
			   s->site.netns ? s->site.netns : "");
	if (s->site.peers)
		buf_printf(b, "%.*s\n", (int)strcspn(s->target.url.text, "?"), s->target.url.text); /* a token may follow */
}

void inject_site_fini(struct inject_site *s)
{
	for (size_t i = 0; i < s->n; i++)
		fault_node_free(s->list[i]);
	run_nodes_fini(&s->named);
	tls_context_free(s->tls);
	*s = (struct inject_site){0};
}
