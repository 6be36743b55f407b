#pragma once
/*
 * What an interface receives, led through another one of kind "ifb" (interface_add), which sends it on to where it was
 * received: a root qdisc shapes only what is sent, that of the ifb shapes what arrives. It is a qdisc "ingress" with
 * one filter that takes all there is (u32) and redirects it (mirred). An interface has at most one qdisc of that sort,
 * "ingress" or "clsact"; that of somebody else is left alone.
 * Sources: tc-mirred(8), tc-u32(8), linux/pkt_cls.h, linux/tc_act/tc_mirred.h, drivers/net/ifb.c.
 */
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/guard.h"

struct netlink;

/* 0, or -EBUSY with a sentence when the interface has such a qdisc already. */
int ingress_unused(struct netlink *nl, unsigned ifindex, const char *interface, struct err *e);
/*
 * to: the index of the ifb, which must be up. ours: above 0, the priority of the filter, by which it is known. -EEXIST
 * when there is such a qdisc already, -ENOENT, ... when the kernel lacks a part, with a sentence; then nothing is done.
 */
int ingress_lead(struct netlink *nl, unsigned ifindex, unsigned to, uint16_t ours, struct err *e);
/* Where it is ours it goes; with filters that somebody has added since, ours alone. One that is gone is success. */
int ingress_clear(struct netlink *nl, unsigned ifindex, uint16_t ours, struct err *e);

/* For the guard. Words: namespace (as for netlink_open_named), interface, its index, ours in hex. */
extern const struct guard_kind undo_ingress;
