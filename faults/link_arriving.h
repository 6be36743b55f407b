#pragma once
/* What a plain interface receives, led through an ifb of ours: for link.c, which shapes what the ifb sends on. */
#include "faults/link.h"

struct guard;
struct netlink;

struct arriving {
	char ifb[IFNAMSIZ];                /* "wsq-<pid>-i<n>", in the interface's namespace */
	unsigned index;                    /* of the ifb */
	int undo_ifb, undo_lead;           /* of the guard, 0: none */
};

/*
 * ours: as for ingress_lead(). -EBUSY when somebody else has a qdisc for what arrives there, -ENOTSUP when the kernel
 * has no ifb or a part of it, with a sentence; then nothing is changed.
 */
int arriving_lead(struct arriving *a, struct netlink *nl, const struct link_end *end, unsigned ifindex, uint16_t ours,
		  struct guard *g, struct err *e);
/* Straight to the interface again; the ifb goes. 0, or what failed, which the guard keeps. */
int arriving_release(struct arriving *a, struct netlink *nl, unsigned ifindex, uint16_t ours, struct guard *g,
		     struct err *e);
