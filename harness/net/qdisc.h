#pragma once
/*
 * The root qdisc of an interface: what it is, replacing it, and putting back what was there. A qdisc with the handle 0:
 * is the kernel's own default and comes back by itself when another one is deleted. Of those that an administrator set,
 * the simple kinds, whose options say all there is, can be put back.
 *
 * A handle of ours is an even major number (in the upper 16 bits): the qdisc that carries it, or the next one, is ours.
 * Two, because a qdisc of one kind cannot be replaced by one of another kind under the same handle.
 * Sources: tc(8), rtnetlink(7), linux/pkt_sched.h, net/sched/sch_api.c.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/guard.h"

struct netlink;
struct netns;
struct nl_msg;

enum { QDISC_KIND_MAX = 16, QDISC_OPTIONS_MAX = 1024 };

struct qdisc {
	char kind[QDISC_KIND_MAX];         /* "noqueue", "fq_codel", "netem" */
	uint32_t handle;                   /* 0: the kernel's default */
	uint8_t options[QDISC_OPTIONS_MAX]; /* TCA_OPTIONS as the kernel told it */
	size_t options_len;
};

/* An interface without any (it is down and never had one): kind "noop", handle 0. -ENODEV. */
int qdisc_root(struct netlink *nl, unsigned ifindex, struct qdisc *ret_qdisc, struct err *e);
/* RTM_NEWQDISC that makes or replaces the root; TCA_OPTIONS is to be added. NULL without memory. */
struct nl_msg *qdisc_request(unsigned ifindex, uint32_t handle, const char *kind);
/* The second handle that goes with it. */
#define QDISC_SECOND(ours) ((ours) | 0x10000)
bool qdisc_is_ours(const struct qdisc *q, uint32_t ours);
/* The same one; the kernel's defaults are all the same. */
bool qdisc_equal(const struct qdisc *a, const struct qdisc *b);
/* What leaves is dropped, and its sender is told it was sent: the qdisc "blackhole", which every kernel has. */
int qdisc_blackhole(struct netlink *nl, unsigned ifindex, uint32_t handle, struct err *e);
/* The root, when it is ours; anything else is left alone and success. The kernel's default comes back. */
int qdisc_delete(struct netlink *nl, unsigned ifindex, uint32_t ours, struct err *e);
/* Whether qdisc_restore() can put it back: 0, or -EBUSY with a sentence that says why not. */
int qdisc_restorable(const struct qdisc *q, const char *interface, struct err *e);
/* Where the root is ours, it is replaced by q. */
int qdisc_restore(struct netlink *nl, unsigned ifindex, uint32_t ours, const struct qdisc *q, struct err *e);

/*
 * For the guard: puts a root qdisc back. Words: namespace (for netns_open; "-": our own), interface, its index (it may
 * have gone and come again), handle of ours, kind, handle and options (in hex, "-" for none) of what was there.
 */
extern const struct guard_kind undo_qdisc;
enum { QDISC_UNDO_WORDS = 7, QDISC_UNDO_TEXT = 2 * QDISC_OPTIONS_MAX + 1 };
