#pragma once
/*
 * A wall before an interface, by nf_tables: what arrives is dropped, or what crosses is answered. It is a table of ours
 * with base chains; taking the table away takes the wall down. Nothing else of the rules is touched.
 *
 * Dropped: in the netdev family's ingress hook, ARP and neighbour discovery too, as if the cable were cut. (What leaves
 * is dropped by a qdisc, not here: a drop in a hook is told to the sending TCP, which then does not count it as lost.)
 * Answered: TCP by a RST to its sender, UDP by an ICMP "administratively prohibited", in the hooks of IP. ICMP itself
 * passes (neighbour discovery is part of it), and so do RSTs, which may be our answers.
 * Sources: linux/netfilter/nf_tables.h, nft(8).
 */
#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/base/guard.h"

struct netlink;
struct netns;

enum wall_style { WALL_DROP, WALL_REJECT };

struct wall {
	const char *name;                  /* of the table: begins as guard_prefix() does */
	const char *interface;
	bool in, out;                      /* what arrives; what leaves, with WALL_REJECT alone */
	enum wall_style style;
};

/*
 * nl: NETLINK_NETFILTER in the interface's namespace, in which it must exist. -EEXIST, or -EOPNOTSUPP and others when
 * the kernel has no nf_tables, with a sentence. All of it stands afterwards, or nothing.
 */
int wall_build(struct netlink *nl, const struct wall *w, struct err *e);
/* One that is gone already is success. */
int wall_remove(struct netlink *nl, const char *name, struct err *e);

/* For the guard. Words: namespace (for netns_open; "-": our own), name. */
extern const struct guard_kind undo_wall;
