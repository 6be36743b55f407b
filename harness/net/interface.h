#pragma once
/*
 * Network interfaces and their addresses over a netlink socket of their namespace. Every call is one request; sentences
 * name the interface. Sources: rtnetlink(7), linux/if_link.h, linux/if_addr.h.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/guard.h"
#include "harness/net/netlink.h"

struct interface {
	char name[IFNAMSIZ];
	unsigned index;
	unsigned flags;                    /* IFF_UP, IFF_LOOPBACK, ...: netdevice(7) */
	bool carrier;                      /* IFF_LOWER_UP */
	bool running;                      /* the kernel has noticed that it is up: packets pass */
	bool forwarding;                   /* as a port of a bridge */
	unsigned mtu;                      /* octets */
	char kind[16];                     /* "veth", "bridge", ...; "" for hardware and lo */
};

/* -ENODEV "there is no interface eth9". */
int interface_get(struct netlink *nl, const char *name, struct interface *ret_interface, struct err *e);
/* A pair; the other end is made in peer_ns (NULL: the same namespace). */
int interface_add_veth(struct netlink *nl, const char *name, const struct netns *peer_ns, const char *peer,
		       struct err *e);
/* "bridge", "dummy", "ifb": what needs no more than its kind. Of a bridge forwarding delay, spanning tree and multicast
 * snooping are off. */
int interface_add(struct netlink *nl, const char *name, const char *kind, struct err *e);
/* One that is gone already is success. */
int interface_delete(struct netlink *nl, const char *name, struct err *e);
/*
 * Waits until it is running, and as a port forwarding: a link that was set up passes packets only when the kernel has
 * come round to it. -ETIMEDOUT after INTERFACE_READY_MS.
 */
enum { INTERFACE_READY_MS = 10000 };
int interface_wait_ready(struct netlink *nl, const char *name, bool port, struct err *e);
/* Neighbours of this interface that are known once are not asked again for so long (the kernel's default is 5 s). */
int interface_trust_neighbours(struct netlink *nl, unsigned index, uint64_t ms, struct err *e);
int interface_set_up(struct netlink *nl, const char *name, bool up, struct err *e);
/* Into a bridge. */
int interface_set_master(struct netlink *nl, const char *name, const char *bridge, struct err *e);
/* No segmentation or receive offload: what is sent is at most the MTU. fd_ns: the interface's namespace. */
int interface_offload_off(const struct netns *ns, const char *name, struct err *e);

/*
 * For undos: the interface of these words: namespace (as for netlink_open_named), name, index. 1: it is gone, or
 * another has its name. 0, or a negative errno.
 */
int interface_open_named(char *const *words, struct netlink **ret_nl, unsigned *ret_index);

struct interface_address {
	int family;                        /* AF_INET, AF_INET6 */
	uint8_t octets[16];
	unsigned prefix;                   /* bits of the network */
	bool no_broadcast;                 /* IPv4: as `ip address add` makes it without `brd`; else the network's last */
	bool has_peer;                     /* of a point-to-point link: the prefix is that of the other end's address */
	uint8_t peer[16];
};
enum { INTERFACE_ADDRESSES_MAX = 64, INTERFACE_ADDRESS_TEXT = 128 };

/*
 * "10.0.0.1/24", "10.0.0.1/24,nobrd", "fd00::1/64", "10.0.0.1/32,nobrd,peer=10.0.0.2"; without a prefix: the whole
 * address. -EINVAL.
 */
int interface_address_parse(const char *text, struct interface_address *ret_address, struct err *e);
const char *interface_address_text(const struct interface_address *a, char *text);
/* IPv6 ones are usable at once (no duplicate address detection). One that is there already is success. */
int interface_address_add(struct netlink *nl, unsigned index, const struct interface_address *a, struct err *e);
/*
 * Waits until others can find it: the kernel joins the multicast group of an IPv6 address (RFC 4291 2.7.1), at which
 * neighbours ask for it, only when it has come round to it. The interface must be up. -ETIMEDOUT after
 * INTERFACE_READY_MS.
 */
int interface_address_wait(struct netlink *nl, unsigned index, const struct interface_address *a, struct err *e);
/* One that is gone already is success. */
int interface_address_delete(struct netlink *nl, unsigned index, const struct interface_address *a, struct err *e);
/* Without link-local ones; index 0: of all interfaces. Returns how many, at most INTERFACE_ADDRESSES_MAX. */
int interface_addresses(struct netlink *nl, unsigned index, struct interface_address *ret_addresses, struct err *e);

/* For the guard: an interface with a name of ours. Words: namespace (as for netns_open; "-": our own), name. */
extern const struct guard_kind undo_link;
