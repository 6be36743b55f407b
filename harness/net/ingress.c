/* What arrives, redirected: a qdisc of its own sort, one filter, one action. */
#include "harness/net/ingress.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/net/interface.h"
#include "harness/net/netlink.h"
#include "harness/net/qdisc.h"

enum { FIRST_ACTION = 1 };
static const uint32_t ingress_handle = TC_H_MAKE(TC_H_INGRESS, 0);

struct looking {
	unsigned ifindex;
	uint16_t ours;
	char kind[QDISC_KIND_MAX];         /* of the qdisc; "": there is none */
	bool has_ours, has_others;         /* filters */
};

static int qdisc_read(void *owner, struct nlmsghdr *h)
{
	struct looking *l = owner;
	struct nlattr *a[TCA_MAX + 1];
	const struct tcmsg *header = nlmsg_data(h);
	if (h->nlmsg_type == RTM_NEWQDISC && nlmsg_parse(h, sizeof(*header), a, TCA_MAX, NULL) == 0 && a[TCA_KIND] &&
	    header->tcm_ifindex == (int)l->ifindex && header->tcm_parent == TC_H_INGRESS)
		nla_strlcpy(l->kind, a[TCA_KIND], sizeof(l->kind));
	return 0;
}

static int filter_read(void *owner, struct nlmsghdr *h)
{
	struct looking *l = owner;
	const struct tcmsg *header = nlmsg_data(h);
	if (h->nlmsg_type != RTM_NEWTFILTER || nlmsg_datalen(h) < (int)sizeof(*header) ||
	    header->tcm_ifindex != (int)l->ifindex)
		return 0;
	bool ours = TC_H_MAJ(header->tcm_info) >> 16 == l->ours;
	l->has_ours = l->has_ours || ours;
	l->has_others = l->has_others || !ours;
	return 0;
}

static struct nl_msg *request(int type, int flags, unsigned ifindex, uint32_t parent, uint32_t handle, uint32_t info)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC, .tcm_ifindex = (int)ifindex, .tcm_parent = parent, .tcm_handle = handle, .tcm_info = info,
	};
	return netlink_request(type, flags, &header, sizeof(header));
}

static struct nl_msg *filter_request(int type, int flags, unsigned ifindex, uint16_t ours)
{
	return request(type, flags, ifindex, ingress_handle, 0, TC_H_MAKE((uint32_t)ours << 16, htons(ETH_P_ALL)));
}

static int look(struct netlink *nl, struct looking *l, struct err *e)
{
	struct nl_msg *qdiscs CLEANUP(cleanup_nl_msg) = request(RTM_GETQDISC, 0, l->ifindex, TC_H_INGRESS, 0, 0);
	struct nl_msg *filters CLEANUP(cleanup_nl_msg) = request(RTM_GETTFILTER, 0, l->ifindex, ingress_handle, 0, 0);
	int r = netlink_dump(nl, qdiscs, qdisc_read, l, e, "cannot look at the ingress qdisc");
	return r < 0 || !l->kind[0] ? r : netlink_dump(nl, filters, filter_read, l, e, "cannot look at the ingress filters");
}

int ingress_unused(struct netlink *nl, unsigned ifindex, const char *interface, struct err *e)
{
	struct looking l = {.ifindex = ifindex};
	int r = look(nl, &l, e);
	if (r < 0 || !l.kind[0])
		return r;
	return err_set(e, EBUSY,
		       "the interface %s has a qdisc for what arrives already (%s ffff:): take it away first (tc qdisc del dev %s "
		       "%s), or shape what the other end of the link sends", interface, l.kind, interface, l.kind);
}

/* Everything matches; the one action sends it out of `to`. */
static int put_redirect(struct nl_msg *m, unsigned to)
{
	const struct tc_u32_sel one_key = {.flags = TC_U32_TERMINAL, .nkeys = 1};
	const struct tc_mirred redirect = {.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = to};
	uint8_t selector[sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key)] = {0};
	memcpy(selector, &one_key, sizeof(one_key));
	if (nla_put_string(m, TCA_KIND, "u32") < 0)
		return -ENOMEM;
	struct nlattr *options = nla_nest_start(m, TCA_OPTIONS);
	if (!options || nla_put(m, TCA_U32_SEL, sizeof(selector), selector) < 0)
		return -ENOMEM;
	struct nlattr *actions = nla_nest_start(m, TCA_U32_ACT);
	struct nlattr *action = actions ? nla_nest_start(m, FIRST_ACTION) : NULL;
	if (!action || nla_put_string(m, TCA_ACT_KIND, "mirred") < 0)
		return -ENOMEM;
	struct nlattr *words = nla_nest_start(m, TCA_ACT_OPTIONS | NLA_F_NESTED);
	if (!words || nla_put(m, TCA_MIRRED_PARMS, sizeof(redirect), &redirect) < 0)
		return -ENOMEM;
	nla_nest_end(m, words);
	nla_nest_end(m, action);
	nla_nest_end(m, actions);
	nla_nest_end(m, options);
	return 0;
}

static int qdisc_take(struct netlink *nl, unsigned ifindex, struct err *e)
{
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = request(RTM_DELQDISC, 0, ifindex, TC_H_INGRESS, ingress_handle, 0);
	int r = netlink_call(nl, m, e, "cannot take the ingress qdisc away");
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

int ingress_lead(struct netlink *nl, unsigned ifindex, unsigned to, uint16_t ours, struct err *e)
{
	const int make = NLM_F_CREATE | NLM_F_EXCL;
	struct nl_msg *qdisc CLEANUP(cleanup_nl_msg) = request(RTM_NEWQDISC, make, ifindex, TC_H_INGRESS, ingress_handle, 0);
	struct nl_msg *filter CLEANUP(cleanup_nl_msg) = filter_request(RTM_NEWTFILTER, make, ifindex, ours);
	if (!qdisc || nla_put_string(qdisc, TCA_KIND, "ingress") < 0 || !filter || put_redirect(filter, to) < 0)
		return err_set(e, ENOMEM, "out of memory");
	int r = netlink_call(nl, qdisc, e, "cannot make an ingress qdisc");
	if (r < 0)
		return r;
	r = netlink_call(nl, filter, e, "cannot redirect what arrives (u32, mirred)");
	if (r < 0)
		qdisc_take(nl, ifindex, NULL);
	return r;
}

int ingress_clear(struct netlink *nl, unsigned ifindex, uint16_t ours, struct err *e)
{
	struct looking l = {.ifindex = ifindex, .ours = ours};
	int r = look(nl, &l, e);
	if (r < 0 || strcmp(l.kind, "ingress") != 0)
		return r;
	if (!l.has_others)
		return qdisc_take(nl, ifindex, e);
	if (!l.has_ours)
		return 0;
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = filter_request(RTM_DELTFILTER, 0, ifindex, ours);
	return netlink_call(nl, m, e, "cannot take the redirection away");
}

static int undo_run(char *const *words)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	unsigned index = 0;
	unsigned long ours = strtoul(words[3], NULL, 16);
	if (ours == 0 || ours > UINT16_MAX)
		return -EINVAL;
	int r = interface_open_named(words, &nl, &index);
	return r ? (r > 0 ? 0 : r) : ingress_clear(nl, index, (uint16_t)ours, NULL);
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "leads what the interface %s receives straight to it again", words[1]);
}

const struct guard_kind undo_ingress = {.name = "ingress", .words = 4, .undo = undo_run, .describe = undo_describe};
