/* Links by rtnetlink: made, changed, taken away. */
#include "harness/net/interface.h"

#include <linux/ethtool.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/net/netns.h"

/* linux/if.h, which cannot be included beside net/if.h. */
#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000
#endif
enum { OPERSTATE_UP = 6 /* IF_OPER_UP, RFC 2863 */ };

static struct nl_msg *link_request(int type, int flags, const char *name)
{
	const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m = netlink_request(type, flags, &header, sizeof(header));
	if (m && nla_put_string(m, IFLA_IFNAME, name) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

static int interface_read(void *owner, struct nlmsghdr *h)
{
	struct interface *i = owner;
	struct nlattr *a[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *port[IFLA_BRPORT_MAX + 1];
	const struct ifinfomsg *header = nlmsg_data(h);
	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(*header), a, IFLA_MAX, NULL) < 0)
		return 0;
	i->index = (unsigned)header->ifi_index;
	i->flags = header->ifi_flags;
	i->carrier = header->ifi_flags & IFF_LOWER_UP;
	if (a[IFLA_IFNAME])
		nla_strlcpy(i->name, a[IFLA_IFNAME], sizeof(i->name));
	if (a[IFLA_MTU])
		i->mtu = nla_get_u32(a[IFLA_MTU]);
	i->running = a[IFLA_OPERSTATE] && nla_get_u8(a[IFLA_OPERSTATE]) == OPERSTATE_UP;
	if (!a[IFLA_LINKINFO] || nla_parse_nested(info, IFLA_INFO_MAX, a[IFLA_LINKINFO], NULL) < 0)
		return 0;
	if (info[IFLA_INFO_KIND])
		nla_strlcpy(i->kind, info[IFLA_INFO_KIND], sizeof(i->kind));
	if (info[IFLA_INFO_SLAVE_DATA] && nla_parse_nested(port, IFLA_BRPORT_MAX, info[IFLA_INFO_SLAVE_DATA], NULL) == 0 &&
	    port[IFLA_BRPORT_STATE])
		i->forwarding = nla_get_u8(port[IFLA_BRPORT_STATE]) == BR_STATE_FORWARDING;
	return 0;
}

int interface_get(struct netlink *nl, const char *name, struct interface *ret_interface, struct err *e)
{
	struct interface found = {0};
	if (strlen(name) >= IFNAMSIZ)
		return err_set(e, ENODEV, "there is no interface '%.40s': names have at most %d characters", name, IFNAMSIZ - 1);
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = link_request(RTM_GETLINK, NLM_F_ACK, name);
	int r = netlink_dump(nl, m, interface_read, &found, e, "cannot look at the interface %s", name);
	if (r == -ENODEV || (r == 0 && found.index == 0))
		return err_set(e, ENODEV, "there is no interface '%s'", name);
	if (r == 0)
		*ret_interface = found;
	return r;
}

int interface_add_veth(struct netlink *nl, const char *name, const struct netns *peer_ns, const char *peer,
		       struct err *e)
{
	const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
	struct nlattr *info = m ? nla_nest_start(m, IFLA_LINKINFO) : NULL;
	if (!info || nla_put_string(m, IFLA_INFO_KIND, "veth") < 0)
		return err_set(e, ENOMEM, "out of memory");
	struct nlattr *data = nla_nest_start(m, IFLA_INFO_DATA);
	struct nlattr *other = data ? nla_nest_start(m, VETH_INFO_PEER) : NULL;
	if (!other || nlmsg_append(m, (void *)(uintptr_t)&header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(m, IFLA_IFNAME, peer) < 0 ||
	    (peer_ns && peer_ns->fd >= 0 && nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)peer_ns->fd) < 0))
		return err_set(e, ENOMEM, "out of memory");
	nla_nest_end(m, other);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
	return netlink_call(nl, m, e, "cannot make the pair of interfaces %s and %s (kind veth)", name, peer);
}

int interface_add(struct netlink *nl, const char *name, const char *kind, struct err *e)
{
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
	struct nlattr *info = m ? nla_nest_start(m, IFLA_LINKINFO) : NULL, *data;
	if (!info || nla_put_string(m, IFLA_INFO_KIND, kind) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (strcmp(kind, "bridge") == 0) {
		data = nla_nest_start(m, IFLA_INFO_DATA);
		if (!data || nla_put_u32(m, IFLA_BR_STP_STATE, 0) < 0 || nla_put_u32(m, IFLA_BR_FORWARD_DELAY, 0) < 0 ||
		    nla_put_u8(m, IFLA_BR_MCAST_SNOOPING, 0) < 0)
			return err_set(e, ENOMEM, "out of memory");
		nla_nest_end(m, data);
	}
	nla_nest_end(m, info);
	return netlink_call(nl, m, e, "cannot make the interface %s (kind %s)", name, kind);
}

int interface_delete(struct netlink *nl, const char *name, struct err *e)
{
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = link_request(RTM_DELLINK, 0, name);
	int r = netlink_call(nl, m, e, "cannot take away the interface %s", name);
	return r == -ENODEV ? 0 : r;
}

int interface_set_up(struct netlink *nl, const char *name, bool up, struct err *e)
{
	const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_change = IFF_UP, .ifi_flags = up ? IFF_UP : 0};
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = netlink_request(RTM_NEWLINK, 0, &header, sizeof(header));
	if (!m || nla_put_string(m, IFLA_IFNAME, name) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return netlink_call(nl, m, e, "cannot set the interface %s %s", name, up ? "up" : "down");
}

int interface_wait_ready(struct netlink *nl, const char *name, bool port, struct err *e)
{
	const uint64_t until_us = clock_now_us() + INTERFACE_READY_MS * UINT64_C(1000);
	for (;;) {
		struct interface i = {0};
		int r = interface_get(nl, name, &i, e);
		if (r < 0 || (i.running && (i.forwarding || !port)))
			return r;
		if (clock_now_us() > until_us)
			return err_set(e, ETIMEDOUT, "the interface %s is not ready after %d ms", name, INTERFACE_READY_MS);
		poll(NULL, 0, 1);
	}
}

int interface_trust_neighbours(struct netlink *nl, unsigned index, uint64_t ms, struct err *e)
{
	static const struct {
		uint8_t family;
		const char *table;
	} tables[] = {{AF_INET, "arp_cache"}, {AF_INET6, "ndisc_cache"}};
	int r = 0;
	for (size_t i = 0; i < ARRAY_LEN(tables) && r == 0; i++) {
		const struct ndtmsg header = {.ndtm_family = tables[i].family};
		struct nl_msg *m CLEANUP(cleanup_nl_msg) = netlink_request(RTM_SETNEIGHTBL, 0, &header, sizeof(header));
		struct nlattr *nest = m && nla_put_string(m, NDTA_NAME, tables[i].table) == 0 ? nla_nest_start(m, NDTA_PARMS) : NULL;
		if (!nest || nla_put_u32(m, NDTPA_IFINDEX, index) < 0 || nla_put_u64(m, NDTPA_DELAY_PROBE_TIME, ms) < 0)
			return err_set(e, ENOMEM, "out of memory");
		nla_nest_end(m, nest);
		r = netlink_call(nl, m, e, "cannot set the time after which neighbours are asked again");
		if (r == -ENOENT && tables[i].family == AF_INET6)
			r = 0; /* a kernel without IPv6 */
	}
	return r;
}

int interface_set_master(struct netlink *nl, const char *name, const char *bridge, struct err *e)
{
	struct interface master = {0};
	int r = interface_get(nl, bridge, &master, e);
	if (r < 0)
		return r;
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = link_request(RTM_NEWLINK, 0, name);
	if (!m || nla_put_u32(m, IFLA_MASTER, master.index) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return netlink_call(nl, m, e, "cannot put the interface %s into the bridge %s", name, bridge);
}

int interface_offload_off(const struct netns *ns, const char *name, struct err *e)
{
	static const uint32_t commands[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO};
	int fd CLEANUP(cleanup_fd) = netns_socket(ns, AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		return err_set(e, -fd, "cannot open a socket: %s", strerror(-fd));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct ethtool_value value = {.cmd = commands[i], .data = 0};
		struct ifreq request = {.ifr_data = (void *)&value};
		snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
		if (ioctl(fd, SIOCETHTOOL, &request) < 0)
			return err_set(e, errno, "cannot switch off the segmentation offload of %s: %s", name, strerror(errno));
	}
	return 0;
}

int interface_open_named(char *const *words, struct netlink **ret_nl, unsigned *ret_index)
{
	struct interface i = {0};
	int r = netlink_open_named(words[0], NETLINK_ROUTE, ret_nl);
	if (r == 0)
		r = interface_get(*ret_nl, words[1], &i, NULL);
	if (r == -ENODEV || (r == 0 && i.index != strtoul(words[2], NULL, 10)))
		return 1;
	if (r == 0)
		*ret_index = i.index;
	return r;
}

static int undo_run(char *const *words)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	if (strncmp(words[1], GUARD_NAMES, strlen(GUARD_NAMES)) != 0)
		return -EINVAL;
	int r = netlink_open_named(words[0], NETLINK_ROUTE, &nl);
	return r ? (r > 0 ? 0 : r) : interface_delete(nl, words[1], NULL);
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "takes away the interface %s", words[1]);
	if (strcmp(words[0], "-") != 0)
		buf_printf(b, " of the network namespace %s", words[0]);
}

/* namespace or "-", name */
const struct guard_kind undo_link = {.name = "link", .words = 2, .undo = undo_run, .describe = undo_describe};
