#pragma once
/*
 * What an interface loses when it is set down or loses its addresses, and how it gets it back: its addresses (the
 * kernel forgets those of IPv6) and the routes through it (the kernel forgets all but those that it makes itself).
 * An address with a lifetime, from a router's advertisement say, comes back without one until it is advertised again.
 * Sources: rtnetlink(7), linux/rtnetlink.h, net/ipv4/fib_frontend.c, net/ipv6/addrconf.c.
 */
#include <stddef.h>
#include <stdint.h>

#include "harness/net/interface.h"

enum { ROUTES_MAX = 256, ROUTE_OCTETS_MAX = 512, ROUTE_UNDO_TEXT = 2 * ROUTE_OCTETS_MAX + 1 };

/* The payload of its RTM_NEWROUTE. */
struct route {
	size_t len;
	uint8_t octets[ROUTE_OCTETS_MAX];
};

struct interface_saved {
	struct interface interface;
	struct interface_address addresses[INTERFACE_ADDRESSES_MAX];
	size_t n_addresses;
	struct route *routes;              /* on the heap */
	size_t n_routes;
};

/*
 * What could not be put back is refused with a sentence: -EOPNOTSUPP for a route of several ways (multipath) or by a
 * nexthop object, -EMSGSIZE for one that is too large to be kept, -ENOSPC for more than ROUTES_MAX, or as many
 * addresses as INTERFACE_ADDRESSES_MAX. -ENODEV.
 */
int interface_save(struct netlink *nl, const char *name, struct interface_saved *ret_saved, struct err *e);
void interface_saved_fini(struct interface_saved *s);
/* Each address and route that is not there; what cannot be is told after the others were. It must be up. */
int interface_addresses_restore(struct netlink *nl, const struct interface_saved *s, struct err *e);
int interface_routes_restore(struct netlink *nl, const struct interface_saved *s, struct err *e);

/*
 * What has this source address goes nowhere any more, though a socket still sends it (IPv6 does so after the address
 * was taken away): a rule of policy routing in the whole namespace. -EEXIST; lifting one that is gone is success.
 */
int source_ban(struct netlink *nl, const struct interface_address *a, struct err *e);
int source_lift(struct netlink *nl, const struct interface_address *a, struct err *e);

/*
 * For the guard; each leaves an interface of another index alone. Words begin with namespace (for netns_open; "-": our
 * own), interface, index; then
 *	up       "up"
 *	address  "add" or "delete", the address with its prefix
 *	route    its octets in hex
 * but those of a ban, which are namespace, "source", the address.
 */
extern const struct guard_kind undo_up, undo_address, undo_route, undo_ban;
