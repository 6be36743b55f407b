#pragma once
/*
 * A network of our own: each node is a namespace with an interface `eth0`, joined to one bridge in a namespace of its
 * own, the hub. Nothing of it lies in the host's namespace, so no address or name can collide there.
 *
 *	wsq-<pid>-<n>-<node>   eth0  ----veth----  <node>   wsq-<pid>-<n>-hub (bridge br0)
 *
 * What a node sends leaves through its eth0; what it receives leaves through the hub's port of its name. A netem on
 * the one and on the other makes both directions. Segmentation offload is off on both, so that a packet of netem is a
 * packet of at most the MTU, not 64 KiB.
 *
 * Neighbours that were found once are not asked again, so that a link cut in one direction still works in the other.
 *
 * With the right to name them (root) the namespaces are named, otherwise (netns_become_root) they are anonymous.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "harness/base/err.h"
#include "harness/net/netns.h"

enum {
	TOPOLOGY_NODES_MAX = 200,
	TOPOLOGY_NODE_NAME_MAX = 12,       /* octets: also the name of the hub's port (IFNAMSIZ) */
	TOPOLOGY_HOST_PART = 250,          /* the last octet of the host's own address, see `host` */
};
#define TOPOLOGY_INTERFACE "eth0"

struct guard;
struct topology;

struct topology_node {
	char name[TOPOLOGY_NODE_NAME_MAX + 1];
	unsigned index;                    /* from 0 */
	struct netns netns;                /* its namespace; the topology's */
	struct in_addr address4;           /* <subnet>.<index + 1>, /24 */
	struct in6_addr address6;          /* fd77:7371:0:<n>::<index + 1>, /64 */
	const char *port;                  /* the hub's interface towards it: its name */
};

struct topology_options {
	struct guard *guard;               /* NULL: only what this process itself undoes */
	const char *const *nodes;          /* names: a-z 0-9 and -, starting with a letter, all different; NULL at the end */
	const char *subnet;                /* "10.213.7.0", a /24; NULL: 10.213.<n>.0, with `host` one that is free there */
	/*
	 * Also join our own namespace, the host's: an interface wsq-<pid>-<n> with the address <subnet>.250, for a
	 * target that stays outside. Needs root there.
	 */
	bool host;
};

/* Builds all of it and sets it up, or nothing: 0, -EINVAL, -EPERM, -EEXIST, ... with a sentence. */
int topology_new(const struct topology_options *o, struct topology **ret_topology, struct err *e);
/* Takes everything away, in reverse order. Sockets and processes inside keep their namespace, without links. NULL is
 * fine. */
void topology_free(struct topology *t);

size_t topology_len(const struct topology *t);
const struct topology_node *topology_node(const struct topology *t, size_t index);
/* NULL when there is none of that name. */
const struct topology_node *topology_find(const struct topology *t, const char *name);
/* The namespace with the bridge. */
const struct netns *topology_hub(const struct topology *t);
/* Its interface in the host's namespace; NULL without `host`. */
const char *topology_host_interface(const struct topology *t);
/* The IPv4 or IPv6 address of a node as a socket address. */
void topology_address(const struct topology_node *node, int family, uint16_t port,
		      struct sockaddr_storage *ret_address);
