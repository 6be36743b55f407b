/*
 * A network of namespaces, built step by step and taken away in reverse. Each step is told to the guard before it is
 * taken; a step that fails takes the earlier ones with it.
 */
#include "harness/net/topology.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/net/interface.h"
#include "harness/net/netlink.h"

enum { SUBNET_SECOND = 213, PREFIX4 = 24, PREFIX6 = 64, PREFIX_TEXT = 32 };
/* So that a link that is cut one way is not cut the other way, too, for want of an answer to ARP. */
#define NEIGHBOURS_TRUSTED_MS UINT64_C(86400000)

struct topology {
	struct guard *guard;
	char prefix[PREFIX_TEXT]; /* "wsq-<pid>-<n>": of every name */
	unsigned n;
	bool named;
	struct netns hub;
	struct netlink *hub_nl;
	int hub_undo, host_undo;
	struct topology_node *nodes;
	int *node_undo;
	size_t len;
	uint8_t subnet[4];
	char host_interface[IFNAMSIZ];
};

static int namespace_make(struct topology *t, const char *name, struct netns *ret_ns, int *ret_undo, struct err *e)
{
	char full[NETNS_NAME_MAX + 1];
	const char *words[] = {full, NULL};
	int r;
	snprintf(full, sizeof(full), "%s-%s", t->prefix, name);
	if (t->named && t->guard) {
		r = guard_add(t->guard, "netns", words, e);
		if (r < 0)
			return r;
		*ret_undo = r;
	}
	r = netns_new(t->named ? full : NULL, ret_ns, e);
	/* Root of a user namespace alone may make namespaces, but not name them. */
	if (t->named && (r == -EPERM || r == -EACCES || r == -EROFS) && netns_allowed(NULL) == 0) {
		if (t->guard)
			guard_drop(t->guard, *ret_undo);
		*ret_undo = 0;
		t->named = false;
		r = netns_new(NULL, ret_ns, e);
	}
	return r;
}

/* r: how the undo went. What failed stays with the guard, which tries it again. */
static void forget(struct topology *t, int undo, int r)
{
	if (t->guard && r >= 0)
		guard_drop(t->guard, undo);
}

static void namespace_unmake(struct topology *t, struct netns *ns, int undo)
{
	forget(t, undo, ns->name[0] ? netns_delete(ns->name) : 0);
	netns_close(ns);
}

/* With its addresses; back when packets pass. */
static int up_inside(struct netlink *nl, const char *name, const struct interface_address *addresses, size_t len,
		     struct err *e)
{
	struct interface i;
	int r = interface_get(nl, name, &i, e);
	if (r == 0)
		r = interface_trust_neighbours(nl, i.index, NEIGHBOURS_TRUSTED_MS, e);
	for (size_t k = 0; r == 0 && k < len; k++)
		r = interface_address_add(nl, i.index, &addresses[k], e);
	if (r == 0)
		r = interface_set_up(nl, name, true, e);
	if (r == 0)
		r = interface_wait_ready(nl, name, false, e);
	for (size_t k = 0; r == 0 && k < len; k++)
		r = interface_address_wait(nl, i.index, &addresses[k], e);
	return r;
}

static void addresses_of(const struct topology *t, unsigned last, struct interface_address ret_addresses[2])
{
	ret_addresses[0] = (struct interface_address){.family = AF_INET, .prefix = PREFIX4,
		.octets = {t->subnet[0], t->subnet[1], t->subnet[2], (uint8_t)last}};
	ret_addresses[1] = (struct interface_address){.family = AF_INET6, .prefix = PREFIX6,
		.octets = {0xfd, 0x77, 0x73, 0x71, 0, 0, (uint8_t)(t->n >> 8), (uint8_t)t->n, [15] = (uint8_t)last}};
}

static int port_up(struct topology *t, const char *port, struct err *e)
{
	int r = interface_set_master(t->hub_nl, port, "br0", e);
	if (r == 0)
		r = interface_offload_off(&t->hub, port, e);
	return r < 0 ? r : interface_set_up(t->hub_nl, port, true, e);
}

static int node_make(struct topology *t, struct topology_node *node, struct err *e)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	struct interface_address addresses[2];
	addresses_of(t, node->index + 1, addresses);
	memcpy(&node->address4, addresses[0].octets, 4);
	memcpy(&node->address6, addresses[1].octets, 16);
	node->port = node->name;
	int r = namespace_make(t, node->name, &node->netns, &t->node_undo[node->index], e);
	if (r == 0)
		r = interface_add_veth(t->hub_nl, node->port, &node->netns, TOPOLOGY_INTERFACE, e);
	if (r == 0)
		r = port_up(t, node->port, e);
	if (r == 0)
		r = netlink_open(&node->netns, NETLINK_ROUTE, &nl, e);
	if (r == 0)
		r = interface_set_up(nl, "lo", true, e);
	if (r == 0)
		r = interface_offload_off(&node->netns, TOPOLOGY_INTERFACE, e);
	if (r == 0)
		r = up_inside(nl, TOPOLOGY_INTERFACE, addresses, ARRAY_LEN(addresses), e);
	return r < 0 ? r : interface_wait_ready(t->hub_nl, node->port, true, e);
}

static int hub_make(struct topology *t, struct err *e)
{
	int r = namespace_make(t, "hub", &t->hub, &t->hub_undo, e);
	if (r == 0)
		r = netlink_open(&t->hub, NETLINK_ROUTE, &t->hub_nl, e);
	if (r == 0)
		r = interface_add(t->hub_nl, "br0", "bridge", e);
	return r < 0 ? r : interface_set_up(t->hub_nl, "br0", true, e);
}

/* The pair is made from the hub, its other end in our own namespace: one descriptor of it is all that takes. */
static int host_make(struct topology *t, struct err *e)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	struct netns own CLEANUP(netns_close) = {.fd = -1};
	struct interface_address addresses[2];
	char name[IFNAMSIZ];
	const char *words[] = {"-", name, NULL};
	int r;
	snprintf(name, sizeof(name), "%.*s", IFNAMSIZ - 1, t->prefix);
	if (t->guard) {
		t->host_undo = r = guard_add(t->guard, "link", words, e);
		if (r < 0)
			return r;
	}
	addresses_of(t, TOPOLOGY_HOST_PART, addresses);
	r = netns_open("/proc/self/ns/net", &own, e);
	if (r == 0)
		r = netlink_open(NULL, NETLINK_ROUTE, &nl, e);
	if (r == 0)
		r = interface_add_veth(t->hub_nl, "host", &own, name, e);
	if (r < 0)
		return r;
	memcpy(t->host_interface, name, sizeof(name));
	r = port_up(t, "host", e);
	if (r == 0)
		r = interface_offload_off(NULL, name, e);
	if (r == 0)
		r = up_inside(nl, name, addresses, ARRAY_LEN(addresses), e);
	return r < 0 ? r : interface_wait_ready(t->hub_nl, "host", true, e);
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len <= TOPOLOGY_NODE_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && strcmp(name, "hub") != 0 &&
	       strcmp(name, "host") != 0 && strcmp(name, "br0") != 0 && strcmp(name, "lo") != 0;
}

static int names_check(const char *const *names, size_t *ret_len, struct err *e)
{
	size_t len = 0;
	for (; names[len]; len++) {
		if (!name_ok(names[len]))
			return err_set(e, EINVAL,
				       "'%.40s' is no name of a node: a letter, then at most %d letters, digits and -, in lower "
				       "case; not hub, host, br0 or lo", names[len], TOPOLOGY_NODE_NAME_MAX - 1);
		for (size_t i = 0; i < len; i++)
			if (strcmp(names[i], names[len]) == 0)
				return err_set(e, EINVAL, "two nodes are called '%s'", names[len]);
		if (len == TOPOLOGY_NODES_MAX)
			return err_set(e, EINVAL, "more than %d nodes", TOPOLOGY_NODES_MAX);
	}
	*ret_len = len;
	return 0;
}

/* The host's interfaces have addresses of their own, of other runs too. */
static int subnet_free_on_host(uint8_t *ret_third, struct err *e)
{
	struct interface_address addresses[INTERFACE_ADDRESSES_MAX] = {0};
	bool taken[256] = {0};
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	int n = netlink_open(NULL, NETLINK_ROUTE, &nl, e);
	if (n == 0)
		n = interface_addresses(nl, 0, addresses, e);
	for (int i = 0; i < n; i++)
		if (addresses[i].octets[0] == 10 && addresses[i].octets[1] == SUBNET_SECOND)
			taken[addresses[i].octets[2]] = true;
	for (unsigned i = 0, start = (unsigned)getpid(); n >= 0 && i < ARRAY_LEN(taken); i++)
		if (!taken[(start + i) % ARRAY_LEN(taken)]) {
			*ret_third = (uint8_t)((start + i) % ARRAY_LEN(taken));
			return 0;
		}
	return n < 0 ? n : err_set(e, EADDRINUSE, "every 10.%d.x.0/24 is in use on this host: choose a subnet", SUBNET_SECOND);
}

static int subnet_choose(struct topology *t, const struct topology_options *o, struct err *e)
{
	const uint8_t own[4] = {10, SUBNET_SECOND, (uint8_t)t->n, 0};
	memcpy(t->subnet, own, sizeof(own));
	if (o->subnet && (inet_pton(AF_INET, o->subnet, t->subnet) != 1 || t->subnet[3] != 0))
		return err_set(e, EINVAL, "'%.40s' is no subnet: expected its first address, such as 10.213.7.0 (a /24)", o->subnet);
	return o->host && !o->subnet ? subnet_free_on_host(&t->subnet[2], e) : 0;
}

static int topology_build(struct topology *t, const struct topology_options *o, struct err *e)
{
	int r = subnet_choose(t, o, e);
	if (r == 0)
		r = hub_make(t, e);
	for (size_t i = 0; r == 0 && o->nodes[i]; i++) {
		struct topology_node *node = &t->nodes[t->len];
		*node = (struct topology_node){.index = (unsigned)t->len, .netns = {.fd = -1}};
		snprintf(node->name, sizeof(node->name), "%s", o->nodes[i]);
		t->len++;
		r = node_make(t, node, e);
	}
	return r == 0 && o->host ? host_make(t, e) : r;
}

int topology_new(const struct topology_options *o, struct topology **ret_topology, struct err *e)
{
	static unsigned made; /* in this process */
	size_t len = 0;
	int r = names_check(o->nodes, &len, e);
	if (r == 0)
		r = netns_allowed(e);
	if (r < 0)
		return r;
	struct topology *t = calloc(1, sizeof(*t));
	struct topology_node *nodes = calloc(len + 1, sizeof(*nodes));
	int *undo = calloc(len + 1, sizeof(*undo));
	if (!t || !nodes || !undo) {
		free(t);
		free(nodes);
		free(undo);
		return err_set(e, ENOMEM, "out of memory");
	}
	*t = (struct topology){
		.guard = o->guard, .n = ++made, .named = true, .hub = {.fd = -1}, .nodes = nodes, .node_undo = undo};
	if (o->guard)
		snprintf(t->prefix, sizeof(t->prefix), "%s%u", guard_prefix(o->guard), t->n);
	else
		snprintf(t->prefix, sizeof(t->prefix), "wsq-%d-%u", (int)getpid(), t->n);
	r = topology_build(t, o, e);
	if (r < 0) {
		topology_free(t);
		return r;
	}
	*ret_topology = t;
	return 0;
}

void topology_free(struct topology *t)
{
	if (!t)
		return;
	/* With this end of the pair goes the other one, also where we have no right to take that away. */
	forget(t, t->host_undo, t->host_interface[0] ? interface_delete(t->hub_nl, "host", NULL) : 0);
	while (t->len > 0) {
		struct topology_node *node = &t->nodes[--t->len];
		/* Not left to the end of the namespace, which a process inside may put off. */
		if (t->hub_nl)
			interface_delete(t->hub_nl, node->name, NULL);
		namespace_unmake(t, &node->netns, t->node_undo[t->len]);
	}
	netlink_close(t->hub_nl);
	namespace_unmake(t, &t->hub, t->hub_undo);
	free(t->nodes);
	free(t->node_undo);
	free(t);
}

size_t topology_len(const struct topology *t)
{
	return t->len;
}

const struct topology_node *topology_node(const struct topology *t, size_t index)
{
	return index < t->len ? &t->nodes[index] : NULL;
}

const struct topology_node *topology_find(const struct topology *t, const char *name)
{
	for (size_t i = 0; i < t->len; i++)
		if (strcmp(t->nodes[i].name, name) == 0)
			return &t->nodes[i];
	return NULL;
}

const struct netns *topology_hub(const struct topology *t)
{
	return &t->hub;
}

const char *topology_host_interface(const struct topology *t)
{
	return t->host_interface[0] ? t->host_interface : NULL;
}

void topology_address(const struct topology_node *node, int family, uint16_t port, struct sockaddr_storage *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (family == AF_INET)
		*(struct sockaddr_in *)ret_address =
			(struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = node->address4};
	else
		*(struct sockaddr_in6 *)ret_address =
			(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = node->address6};
}
