/* Addresses and routes of an interface, kept while it is down. */
#include "harness/net/route.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/net/hex.h"
#include "harness/net/netns.h"

struct saving {
	struct interface_saved *to;
	int error;
};

/* One of several ways of a route leads through the interface. */
static bool is_a_way(const struct nlattr *ways, unsigned index)
{
	const struct rtnexthop *way = nla_data(ways);
	int left = nla_len(ways);
	for (; RTNH_OK(way, left); left -= (int)RTNH_ALIGN(way->rtnh_len), way = RTNH_NEXT(way))
		if (way->rtnh_ifindex == (int)index)
			return true;
	return false;
}

/* Whether a route through the interface can be put back as the kernel tells it: 0, or why not. */
static int route_check(const struct saving *s, struct nlattr *const *a, size_t len)
{
	if (a[RTA_MULTIPATH] || a[RTA_NH_ID])
		return -EOPNOTSUPP;
	if (len > ROUTE_OCTETS_MAX)
		return -EMSGSIZE;
	return s->to->n_routes == ROUTES_MAX ? -ENOSPC : 0;
}

static int route_read(void *owner, struct nlmsghdr *h)
{
	struct saving *s = owner;
	struct nlattr *a[RTA_MAX + 1];
	struct rtmsg *header = nlmsg_data(h);
	size_t len = (size_t)nlmsg_datalen(h);
	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*header), a, RTA_MAX, NULL) < 0)
		return 0;
	const unsigned index = s->to->interface.index;
	bool ours = (a[RTA_OIF] && nla_get_u32(a[RTA_OIF]) == index) ||
		    (a[RTA_MULTIPATH] && is_a_way(a[RTA_MULTIPATH], index));
	if (!ours || header->rtm_table == RT_TABLE_LOCAL || header->rtm_protocol == RTPROT_KERNEL ||
	    (header->rtm_flags & RTM_F_CLONED) || header->rtm_type != RTN_UNICAST)
		return 0;
	int error = route_check(s, a, len);
	if (error < 0) {
		s->error = error;
		return 0;
	}
	struct route *r = &s->to->routes[s->to->n_routes++];
	r->len = len;
	memcpy(r->octets, header, len);
	/* How it was at the moment; the kernel takes no request with these. */
	((struct rtmsg *)r->octets)->rtm_flags &= ~(unsigned)(RTNH_F_DEAD | RTNH_F_LINKDOWN);
	return 0;
}

int interface_save(struct netlink *nl, const char *name, struct interface_saved *ret_saved, struct err *e)
{
	const struct rtmsg header = {.rtm_family = AF_UNSPEC};
	struct interface_saved saved = {.routes = calloc(ROUTES_MAX, sizeof(*saved.routes))};
	struct saving s = {.to = &saved};
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = netlink_request(RTM_GETROUTE, 0, &header, sizeof(header));
	int r = saved.routes ? interface_get(nl, name, &saved.interface, e) : err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = interface_addresses(nl, saved.interface.index, saved.addresses, e);
	if (r == INTERFACE_ADDRESSES_MAX)
		r = err_set(e, ENOSPC, "the interface %s has %d addresses or more: too many to be put back", name, r);
	if (r >= 0) {
		saved.n_addresses = (size_t)r;
		r = netlink_dump(nl, m, route_read, &s, e, "cannot list the routes");
	}
	if (r == 0 && s.error)
		r = err_set(e, -s.error, "the interface %s has routes that could not be put back: %s", name,
			    s.error == -ENOSPC	   ? "too many"
			    : s.error == -EMSGSIZE ? "too large"
						   : "of several ways, or by a nexthop object");
	if (r < 0)
		interface_saved_fini(&saved);
	else
		*ret_saved = saved;
	return r;
}

void interface_saved_fini(struct interface_saved *s)
{
	free(s->routes);
	s->routes = NULL;
	s->n_routes = 0;
}

int interface_addresses_restore(struct netlink *nl, const struct interface_saved *s, struct err *e)
{
	int result = 0;
	for (size_t i = 0; i < s->n_addresses; i++) {
		int r = interface_address_add(nl, s->interface.index, &s->addresses[i], e);
		result = r < 0 ? r : result;
	}
	return result;
}

static int route_add(struct netlink *nl, const struct route *route, struct err *e)
{
	struct nl_msg *m CLEANUP(cleanup_nl_msg) =
		netlink_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route->octets, route->len);
	int r = netlink_call(nl, m, e, "cannot put a route back");
	return r == -EEXIST ? 0 : r;
}

int interface_routes_restore(struct netlink *nl, const struct interface_saved *s, struct err *e)
{
	int result = 0;
	/* Twice: one may lead to the gateway of another. */
	for (int round = 0; round < 2; round++) {
		result = 0;
		for (size_t i = 0; i < s->n_routes; i++) {
			int r = route_add(nl, &s->routes[i], e);
			result = r < 0 ? r : result;
		}
	}
	return result;
}

static int undo_up_run(char *const *words)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	unsigned index;
	int r = interface_open_named(words, &nl, &index);
	return r ? (r > 0 ? 0 : r) : interface_set_up(nl, words[1], true, NULL);
}

static void undo_up_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "sets the interface %s up", words[1]);
}

const struct guard_kind undo_up = {.name = "up", .words = 4, .undo = undo_up_run, .describe = undo_up_describe};

static int undo_address_run(char *const *words)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	struct interface_address a;
	unsigned index;
	bool add = strcmp(words[3], "add") == 0;
	if ((!add && strcmp(words[3], "delete") != 0) || interface_address_parse(words[4], &a, NULL) < 0)
		return -EINVAL;
	int r = interface_open_named(words, &nl, &index);
	if (r)
		return r > 0 ? 0 : r;
	return add ? interface_address_add(nl, index, &a, NULL) : interface_address_delete(nl, index, &a, NULL);
}

static void undo_address_describe(char *const *words, struct buf *b)
{
	bool add = strcmp(words[3], "add") == 0;
	buf_printf(b, "%s the address %s %s the interface %s", add ? "gives" : "takes", words[4], add ? "back to" : "off",
		   words[1]);
}

const struct guard_kind undo_address = {
	.name = "address", .words = 5, .undo = undo_address_run, .describe = undo_address_describe,
};

static int undo_route_run(char *const *words)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	struct route route;
	unsigned index;
	if (hex_read(words[3], route.octets, sizeof(route.octets), &route.len) < 0 || route.len < sizeof(struct rtmsg))
		return -EINVAL;
	int r = interface_open_named(words, &nl, &index);
	return r ? (r > 0 ? 0 : r) : route_add(nl, &route, NULL);
}

static void undo_route_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "puts a route through the interface %s back", words[1]);
}

const struct guard_kind undo_route = {
	.name = "route", .words = 4, .undo = undo_route_run, .describe = undo_route_describe};

/* Banned sources: rules that can be told from others by what they say they come from. */
enum { BAN_PRIORITY = 30000, BAN_PROTOCOL = 0x77 };

static int source_rule(struct netlink *nl, int type, int flags, const struct interface_address *a, struct err *e)
{
	const bool four = a->family == AF_INET;
	const struct fib_rule_hdr header = {
		.family = (uint8_t)a->family, .src_len = four ? 32 : 128, .action = FR_ACT_BLACKHOLE,
	};
	char text[INTERFACE_ADDRESS_TEXT];
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = netlink_request(type, flags, &header, sizeof(header));
	if (!m || nla_put(m, FRA_SRC, four ? 4 : 16, a->octets) < 0 || nla_put_u32(m, FRA_PRIORITY, BAN_PRIORITY) < 0 ||
	    nla_put_u8(m, FRA_PROTOCOL, BAN_PROTOCOL) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return netlink_call(nl, m, e, "cannot ban the source address %s", interface_address_text(a, text));
}

int source_ban(struct netlink *nl, const struct interface_address *a, struct err *e)
{
	return source_rule(nl, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, a, e);
}

int source_lift(struct netlink *nl, const struct interface_address *a, struct err *e)
{
	int r = source_rule(nl, RTM_DELRULE, 0, a, e);
	return r == -ENOENT ? 0 : r;
}

static int undo_ban_run(char *const *words)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	struct interface_address a;
	if (strcmp(words[1], "source") != 0 || interface_address_parse(words[2], &a, NULL) < 0)
		return -EINVAL;
	int r = netlink_open_named(words[0], NETLINK_ROUTE, &nl);
	return r ? (r > 0 ? 0 : r) : source_lift(nl, &a, NULL);
}

static void undo_ban_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "lets the source address %s pass again", words[2]);
}

const struct guard_kind undo_ban = {.name = "ban", .words = 3, .undo = undo_ban_run, .describe = undo_ban_describe};
