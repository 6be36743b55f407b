/* Root qdiscs: what is there is read before it is replaced, so that it can be put back. */
#include "harness/net/qdisc.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/net/hex.h"
#include "harness/net/interface.h"
#include "harness/net/netlink.h"
#include "harness/net/netns.h"

struct looking {
	unsigned ifindex;
	struct qdisc *to;
	bool found, large;
};

static int qdisc_read(void *owner, struct nlmsghdr *h)
{
	struct looking *l = owner;
	struct nlattr *a[TCA_MAX + 1];
	const struct tcmsg *header = nlmsg_data(h);
	if (h->nlmsg_type != RTM_NEWQDISC || nlmsg_parse(h, sizeof(*header), a, TCA_MAX, NULL) < 0)
		return 0;
	if (header->tcm_ifindex != (int)l->ifindex || header->tcm_parent != TC_H_ROOT || !a[TCA_KIND])
		return 0;
	l->found = true;
	l->to->handle = header->tcm_handle;
	nla_strlcpy(l->to->kind, a[TCA_KIND], sizeof(l->to->kind));
	size_t len = a[TCA_OPTIONS] ? (size_t)nla_len(a[TCA_OPTIONS]) : 0;
	l->large = len > sizeof(l->to->options);
	l->to->options_len = l->large ? 0 : len;
	if (l->to->options_len)
		memcpy(l->to->options, nla_data(a[TCA_OPTIONS]), l->to->options_len);
	return 0;
}

int qdisc_root(struct netlink *nl, unsigned ifindex, struct qdisc *ret_qdisc, struct err *e)
{
	const struct tcmsg header = {.tcm_family = AF_UNSPEC, .tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_ROOT};
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = netlink_request(RTM_GETQDISC, 0, &header, sizeof(header));
	struct qdisc q = {.kind = "noop"};
	struct looking l = {.ifindex = ifindex, .to = &q};
	/* A dump with the index set gives the qdiscs of all interfaces on some kernels: each is looked at. */
	int r = netlink_dump(nl, m, qdisc_read, &l, e, "cannot look at the qdiscs");
	if (r == 0 && l.large)
		return err_set(e, EMSGSIZE, "the root qdisc (%s) has more than %d octets of options", q.kind, QDISC_OPTIONS_MAX);
	if (r == 0)
		*ret_qdisc = q;
	return r;
}

struct nl_msg *qdisc_request(unsigned ifindex, uint32_t handle, const char *kind)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC, .tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_ROOT, .tcm_handle = handle,
	};
	struct nl_msg *m = netlink_request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));
	if (m && nla_put_string(m, TCA_KIND, kind) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

bool qdisc_is_ours(const struct qdisc *q, uint32_t ours)
{
	return ours != 0 && (q->handle == ours || q->handle == QDISC_SECOND(ours));
}

bool qdisc_equal(const struct qdisc *a, const struct qdisc *b)
{
	if (a->handle != b->handle || a->handle == 0)
		return a->handle == b->handle;
	return strcmp(a->kind, b->kind) == 0 && a->options_len == b->options_len &&
	       memcmp(a->options, b->options, a->options_len) == 0;
}

int qdisc_blackhole(struct netlink *nl, unsigned ifindex, uint32_t handle, struct err *e)
{
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = qdisc_request(ifindex, handle, "blackhole");
	return netlink_call(nl, m, e, "cannot set a blackhole");
}

int qdisc_delete(struct netlink *nl, unsigned ifindex, uint32_t ours, struct err *e)
{
	struct tcmsg header = {.tcm_family = AF_UNSPEC, .tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_ROOT};
	struct qdisc now = {0};
	int r = qdisc_root(nl, ifindex, &now, e);
	if (r < 0 || !qdisc_is_ours(&now, ours))
		return r;
	header.tcm_handle = now.handle;
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = netlink_request(RTM_DELQDISC, 0, &header, sizeof(header));
	r = netlink_call(nl, m, e, "cannot take the root qdisc away");
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

int qdisc_restorable(const struct qdisc *q, const char *interface, struct err *e)
{
	/* A dump of these is a request for the same again; others have classes, tables or filters below. */
	static const char *const simple[] = {"noqueue", "pfifo", "bfifo", "pfifo_fast", "fq", "fq_codel", "cake", "codel"};
	if (q->handle == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(simple); i++)
		if (strcmp(q->kind, simple[i]) == 0)
			return 0;
	return err_set(e, EBUSY,
		       "the interface %s has a root qdisc of its own already (%s %x:) that could not be put back afterwards: take it "
		       "away first (tc qdisc del dev %s root), or use another interface", interface, q->kind,
		       (unsigned)(q->handle >> 16), interface);
}

int qdisc_restore(struct netlink *nl, unsigned ifindex, uint32_t ours, const struct qdisc *q, struct err *e)
{
	struct qdisc now = {0};
	int r = qdisc_root(nl, ifindex, &now, e);
	if (r < 0 || !qdisc_is_ours(&now, ours))
		return r;
	if (q->handle == 0)
		return qdisc_delete(nl, ifindex, ours, e);
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = qdisc_request(ifindex, q->handle, q->kind);
	if (!m || (q->options_len && nla_put(m, TCA_OPTIONS, (int)q->options_len, q->options) < 0))
		return err_set(e, ENOMEM, "out of memory");
	return netlink_call(nl, m, e, "cannot put the root qdisc %s back", q->kind);
}

static int undo_run(char *const *words)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	unsigned index = 0;
	struct qdisc q = {.handle = (uint32_t)strtoul(words[5], NULL, 16)};
	uint32_t ours = (uint32_t)strtoul(words[3], NULL, 16);
	snprintf(q.kind, sizeof(q.kind), "%s", words[4]);
	if (ours == 0 || hex_read(words[6], q.options, sizeof(q.options), &q.options_len) < 0)
		return -EINVAL;
	int r = interface_open_named(words, &nl, &index);
	return r ? (r > 0 ? 0 : r) : qdisc_restore(nl, index, ours, &q, NULL);
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "puts the root qdisc %s of the interface %s back", words[4], words[1]);
}

const struct guard_kind undo_qdisc = {
	.name = "qdisc", .words = QDISC_UNDO_WORDS, .undo = undo_run, .describe = undo_describe};
