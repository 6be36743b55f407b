/* From a site to the interfaces that are meant. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/link.h"
#include "harness/net/topology.h"

static void end_add(struct links *l, const struct netns *ns, const char *interface, const char *node, bool hub)
{
	struct link_end *end = &l->ends[l->n++];
	*end = (struct link_end){.netns = *ns, .node = node, .hub = hub};
	/* One without a name ends with us, and with it all that is in it. */
	snprintf(end->where, sizeof(end->where), "%s", ns->name);
	snprintf(end->interface, sizeof(end->interface), "%s", interface);
}

static int of_topology(const struct fault_site *site, enum link_direction d, struct links *l, struct err *e)
{
	bool found = false;
	for (size_t i = 0; i < topology_len(site->topology); i++) {
		const struct topology_node *node = topology_node(site->topology, i);
		if (site->link_node && strcmp(site->link_node, node->name) != 0)
			continue;
		found = true;
		if (d != LINK_TO)
			end_add(l, &node->netns, TOPOLOGY_INTERFACE, node->name, false);
		if (d != LINK_FROM)
			end_add(l, topology_hub(site->topology), node->port, node->name, true);
	}
	return found ? 0 : err_set(e, EINVAL, "the topology has no node '%.40s'", site->link_node ? site->link_node : "");
}

/* What another process finds the same namespace by. */
static int where_write(const char *netns, const struct netns *opened, char where[LINK_NETNS_TEXT], struct err *e)
{
	static const char self[] = "/proc/self/";
	char path[PATH_MAX];
	dev_t device = 0, own_device = 0;
	ino_t inode = 0, own_inode = 0;
	int len, r = netns_id(opened, &device, &inode);
	if (r == 0)
		r = netns_id(NULL, &own_device, &own_inode);
	if (r < 0)
		return err_set(e, -r, "cannot look at the network namespace: %s", strerror(-r));
	unsigned long long number = inode;
	if (device == own_device && inode == own_inode)
		len = snprintf(where, LINK_NETNS_TEXT, "-");
	else if (strncmp(netns, self, strlen(self)) == 0)
		len = snprintf(where, LINK_NETNS_TEXT, "/proc/%d/%s@%llu", (int)getpid(), netns + strlen(self), number);
	else if (netns[0] != '/' && strchr(netns, '/') && realpath(netns, path))
		len = snprintf(where, LINK_NETNS_TEXT, "%s@%llu", path, number);
	else
		len = snprintf(where, LINK_NETNS_TEXT, "%s@%llu", netns, number);
	return len < LINK_NETNS_TEXT ? 0
				     : err_set(e, ENAMETOOLONG, "the path of the network namespace has more than %d octets",
					       LINK_NETNS_TEXT - 1);
}

static int of_interface(const struct fault_site *site, enum link_direction d, struct links *l, struct err *e)
{
	int r = netns_open(site->netns, &l->opened, e);
	if (r < 0)
		return r;
	for (int arriving = d == LINK_TO; r == 0 && arriving <= (d != LINK_FROM); arriving++) {
		end_add(l, &l->opened, site->interface, site->interface, false);
		struct link_end *end = &l->ends[l->n - 1];
		end->arriving = arriving;
		r = where_write(site->netns, &l->opened, end->where, e);
	}
	return r;
}

int links_find(const struct fault_site *site, enum link_direction d, struct links *ret_links, struct err *e)
{
	struct links l = {.opened = {.fd = -1}};
	if (!site->topology && !site->interface)
		return err_set(e, EINVAL, "no link is given: name an interface, or make a topology");
	if (site->interface && strlen(site->interface) >= IFNAMSIZ)
		return err_set(e, EINVAL, "'%.40s' is no name of an interface: at most %d characters", site->interface, IFNAMSIZ - 1);
	l.ends = calloc(LINK_ENDS_MAX, sizeof(*l.ends));
	if (!l.ends)
		return err_set(e, ENOMEM, "out of memory");
	int r = site->interface ? of_interface(site, d, &l, e) : of_topology(site, d, &l, e);
	if (r < 0)
		links_fini(&l);
	else
		*ret_links = l;
	return r;
}

const char *link_end_direction(const struct link_end *end)
{
	return end->hub || end->arriving ? "to" : "from";
}

void links_fini(struct links *l)
{
	netns_close(&l->opened);
	free(l->ends);
	l->ends = NULL;
	l->n = 0;
}
