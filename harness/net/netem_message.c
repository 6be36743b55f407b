/*
 * A netem to and from the kernel: struct tc_netem_qopt, then attributes in tc's order. For what tc can say the octets
 * are the same as tc's; the 64-bit times are added only where the 32-bit ticks cannot hold them.
 */
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "harness/net/netem.h"
#include "harness/net/netlink.h"
#include "harness/net/qdisc.h"

/* Linux 6.6; linux/pkt_sched.h of Debian 12 is older. */
enum { NETEM_ATTRIBUTE_SEED = TCA_NETEM_SLOT_DIST + 1 };
enum { NS_PER_TICK = 64 /* PSCHED_SHIFT of net/pkt_sched.h */ };

static uint32_t share32(double share)
{
	return (uint32_t)rint(share * UINT32_MAX);
}

static double share_of(uint32_t share)
{
	return (double)share / UINT32_MAX;
}

static uint32_t ticks(uint64_t ns)
{
	return ns > NETEM_DELAY32_MAX_NS ? UINT32_MAX : (uint32_t)(ns / NS_PER_TICK);
}

static bool ticks_hold(uint64_t ns)
{
	return ns <= NETEM_DELAY32_MAX_NS && ns % NS_PER_TICK == 0;
}

static int put_loss(struct nl_msg *m, const struct netem *n, bool over)
{
	const struct tc_netem_gemodel ge = {
		.p = share32(n->gemodel.p), .r = share32(n->gemodel.r),
		.h = share32(1 - n->gemodel.bad_loss), .k1 = share32(n->gemodel.good_loss),
	};
	const struct tc_netem_gimodel gi = {
		.p13 = share32(n->state.p13), .p31 = share32(n->state.p31), .p32 = share32(n->state.p32),
		.p14 = share32(n->state.p14), .p23 = share32(n->state.p23),
	};
	(void)over; /* without it the model is random again */
	if (n->loss_model == NETEM_LOSS_RANDOM)
		return 0;
	struct nlattr *nest = nla_nest_start(m, TCA_NETEM_LOSS | NLA_F_NESTED);
	int r = nest ? 0 : -ENOMEM;
	if (r == 0 && n->loss_model == NETEM_LOSS_GEMODEL)
		r = nla_put(m, NETEM_LOSS_GE, sizeof(ge), &ge);
	else if (r == 0)
		r = nla_put(m, NETEM_LOSS_GI, sizeof(gi), &gi);
	if (r == 0)
		nla_nest_end(m, nest);
	return r;
}

static int put_rate(struct nl_msg *m, const struct netem *n, bool over)
{
	uint64_t rate = n->rate ? n->rate : n->keep_order && n->jitter_ns ? NETEM_RATE_IN_ORDER : 0;
	const struct tc_netem_rate small = {
		.rate = rate >= UINT32_MAX ? UINT32_MAX : (uint32_t)rate,
		.packet_overhead = n->packet_overhead, .cell_size = n->cell_size, .cell_overhead = n->cell_overhead,
	};
	if (rate == 0 && !over)
		return 0;
	int r = rate >= UINT32_MAX ? nla_put(m, TCA_NETEM_RATE64, sizeof(rate), &rate) : 0;
	return r < 0 ? r : nla_put(m, TCA_NETEM_RATE, sizeof(small), &small);
}

static int put_slot(struct nl_msg *m, const struct netem *n, bool over)
{
	const struct tc_netem_slot slot = {
		.min_delay = (int64_t)n->slot.min_delay_ns, .max_delay = (int64_t)n->slot.max_delay_ns,
		.max_packets = (int32_t)n->slot.max_packets, .max_bytes = (int32_t)n->slot.max_octets,
		.dist_delay = (int64_t)n->slot.delay_ns, .dist_jitter = (int64_t)n->slot.jitter_ns,
	};
	static const struct tc_netem_slot none;
	return !over && memcmp(&slot, &none, sizeof(slot)) == 0 ? 0 : nla_put(m, TCA_NETEM_SLOT, sizeof(slot), &slot);
}

static int put_table(struct nl_msg *m, int attribute, enum netem_distribution d, bool over)
{
	int16_t table[NETEM_TABLE_LEN];
	if (d == NETEM_UNIFORM && !over)
		return 0;
	netem_table(d, table);
	return nla_put(m, attribute, sizeof(table), table);
}

static int put_random(struct nl_msg *m, const struct netem *n, bool over)
{
	const struct tc_netem_corr corr = {
		.delay_corr = share32(n->delay_correlation), .loss_corr = share32(n->loss_correlation),
		.dup_corr = share32(n->duplicate_correlation),
	};
	const struct tc_netem_reorder reorder = {share32(n->reorder), share32(n->reorder_correlation)};
	const struct tc_netem_corrupt corrupt = {share32(n->corrupt), share32(n->corrupt_correlation)};
	int r = 0;
	/* tc sends it for any correlation at all. */
	if (over || corr.delay_corr || corr.loss_corr || corr.dup_corr || reorder.correlation || corrupt.correlation)
		r = nla_put(m, TCA_NETEM_CORR, sizeof(corr), &corr);
	if (r == 0 && (over || reorder.probability))
		r = nla_put(m, TCA_NETEM_REORDER, sizeof(reorder), &reorder);
	if (r == 0 && (over || n->ecn))
		r = nla_put_u32(m, TCA_NETEM_ECN, n->ecn);
	if (r == 0 && (over || corrupt.probability))
		r = nla_put(m, TCA_NETEM_CORRUPT, sizeof(corrupt), &corrupt);
	return r;
}

static int put_times64(struct nl_msg *m, const struct netem *n, bool over)
{
	(void)over; /* the 32-bit times are always there, and count first */
	int r = ticks_hold(n->delay_ns) ? 0 : nla_put(m, TCA_NETEM_LATENCY64, sizeof(n->delay_ns), &n->delay_ns);
	if (r == 0 && !ticks_hold(n->jitter_ns))
		r = nla_put(m, TCA_NETEM_JITTER64, sizeof(n->jitter_ns), &n->jitter_ns);
	if (r == 0 && n->has_seed)
		r = nla_put(m, NETEM_ATTRIBUTE_SEED, sizeof(n->seed), &n->seed);
	return r;
}

int netem_put(struct nl_msg *m, const struct netem *n, bool over, struct err *e)
{
	const struct tc_netem_qopt qopt = {
		.latency = ticks(n->delay_ns), .jitter = ticks(n->jitter_ns), .limit = netem_limit(n),
		.loss = n->loss_model == NETEM_LOSS_RANDOM ? share32(n->loss) : 0, .duplicate = share32(n->duplicate),
		.gap = n->reorder > 0 && n->reorder_gap == 0 ? 1 : n->reorder_gap,
	};
	static int (*const parts[])(struct nl_msg *m, const struct netem *n, bool over) = {
		put_random, put_slot, put_loss, put_rate, put_times64,
	};
	int r = netem_check(n, e);
	if (r < 0)
		return r;
	struct nlattr *options = nla_nest_start(m, TCA_OPTIONS);
	if (!options || nlmsg_append(m, (void *)(uintptr_t)&qopt, sizeof(qopt), NLMSG_ALIGNTO) < 0)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++)
		r = parts[i](m, n, over);
	if (r == 0)
		r = put_table(m, TCA_NETEM_DELAY_DIST, n->distribution, over);
	if (r == 0)
		r = put_table(m, TCA_NETEM_SLOT_DIST, n->slot.distribution, over && n->slot.jitter_ns);
	nla_nest_end(m, options);
	return r < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

int netem_set(struct netlink *nl, unsigned ifindex, uint32_t handle, const struct netem *n, struct err *e)
{
	struct netem seen = {0};
	struct qdisc now = {0};
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = qdisc_request(ifindex, handle, "netem");
	int r = m ? qdisc_root(nl, ifindex, &now, e) : err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = netem_put(m, n, now.handle == handle && strcmp(now.kind, "netem") == 0, e);
	if (r < 0)
		return r;
	r = netlink_call(nl, m, e, "cannot set a netem");
	if (r == -ENOENT)
		return netem_missing(e);
	if (r < 0 || n->delay_ns <= NETEM_DELAY32_MAX_NS)
		return r;
	/* A kernel that does not know an attribute says nothing. */
	r = netem_get(nl, ifindex, &seen, e);
	if (r == 0 && seen.delay_ns != n->delay_ns) {
		qdisc_delete(nl, ifindex, handle, NULL);
		return err_set(e, EOPNOTSUPP, "this kernel delays by at most 274s");
	}
	return r;
}

int netem_missing(struct err *e)
{
	return err_set(
		e, ENOENT,
		"this kernel has no netem: load it with `modprobe sch_netem`; the module comes with Debian's "
		"linux-image-amd64, "
		"Ubuntu's linux-modules-extra-$(uname -r), Fedora's kernel-modules-extra; a kernel of one's own needs "
		"CONFIG_NET_SCH_NETEM");
}

static void parse_loss(struct nlattr *nest, struct netem *n)
{
	struct nlattr *a[NETEM_LOSS_MAX + 1];
	if (!nest || nla_parse_nested(a, NETEM_LOSS_MAX, nest, NULL) < 0)
		return;
	if (a[NETEM_LOSS_GE] && nla_len(a[NETEM_LOSS_GE]) >= (int)sizeof(struct tc_netem_gemodel)) {
		const struct tc_netem_gemodel *ge = nla_data(a[NETEM_LOSS_GE]);
		n->loss_model = NETEM_LOSS_GEMODEL;
		n->gemodel.p = share_of(ge->p);
		n->gemodel.r = share_of(ge->r);
		n->gemodel.bad_loss = share_of(UINT32_MAX - ge->h);
		n->gemodel.good_loss = share_of(ge->k1);
	} else if (a[NETEM_LOSS_GI] && nla_len(a[NETEM_LOSS_GI]) >= (int)sizeof(struct tc_netem_gimodel)) {
		const struct tc_netem_gimodel *gi = nla_data(a[NETEM_LOSS_GI]);
		n->loss_model = NETEM_LOSS_STATE;
		n->state.p13 = share_of(gi->p13);
		n->state.p31 = share_of(gi->p31);
		n->state.p32 = share_of(gi->p32);
		n->state.p23 = share_of(gi->p23);
		n->state.p14 = share_of(gi->p14);
	}
}

/* A copy of an attribute of at least `len` octets; zeroes when it is not there. */
static void attribute(struct nlattr *const *a, int which, void *to, size_t len)
{
	memset(to, 0, len);
	if (a[which] && nla_len(a[which]) >= (int)len)
		memcpy(to, nla_data(a[which]), len);
}

static void parse_shaping(struct nlattr *const *a, struct netem *n)
{
	struct tc_netem_rate rate;
	struct tc_netem_slot slot;
	attribute(a, TCA_NETEM_RATE, &rate, sizeof(rate));
	attribute(a, TCA_NETEM_SLOT, &slot, sizeof(slot));
	attribute(a, TCA_NETEM_RATE64, &n->rate, sizeof(n->rate));
	if (n->rate == 0)
		n->rate = rate.rate;
	n->packet_overhead = rate.packet_overhead;
	n->cell_size = rate.cell_size;
	n->cell_overhead = rate.cell_overhead;
	n->slot.min_delay_ns = (uint64_t)slot.min_delay;
	n->slot.max_delay_ns = (uint64_t)slot.max_delay;
	/* The kernel tells "no limit" as the largest number. */
	n->slot.max_packets = slot.max_packets == INT32_MAX ? 0 : (uint32_t)slot.max_packets;
	n->slot.max_octets = slot.max_bytes == INT32_MAX ? 0 : (uint32_t)slot.max_bytes;
	n->slot.delay_ns = (uint64_t)slot.dist_delay;
	n->slot.jitter_ns = (uint64_t)slot.dist_jitter;
}

int netem_parse(const void *options, size_t len, struct netem *ret_netem)
{
	struct nlattr *a[NETEM_ATTRIBUTE_SEED + 1] = {0};
	struct tc_netem_qopt qopt;
	struct tc_netem_corr corr;
	struct tc_netem_reorder reorder;
	struct tc_netem_corrupt corrupt;
	if (len < sizeof(qopt))
		return -EINVAL;
	memcpy(&qopt, options, sizeof(qopt));
	if (nla_parse(a, NETEM_ATTRIBUTE_SEED, (struct nlattr *)((uintptr_t)options + sizeof(qopt)),
		      (int)(len - sizeof(qopt)), NULL) < 0)
		return -EINVAL;
	struct netem n = {
		.delay_ns = (uint64_t)qopt.latency * NS_PER_TICK, .jitter_ns = (uint64_t)qopt.jitter * NS_PER_TICK,
		.limit = qopt.limit, .loss = share_of(qopt.loss), .reorder_gap = qopt.gap, .duplicate = share_of(qopt.duplicate),
		.has_seed = a[NETEM_ATTRIBUTE_SEED] != NULL,
	};
	if (a[TCA_NETEM_LATENCY64])
		attribute(a, TCA_NETEM_LATENCY64, &n.delay_ns, sizeof(n.delay_ns));
	if (a[TCA_NETEM_JITTER64])
		attribute(a, TCA_NETEM_JITTER64, &n.jitter_ns, sizeof(n.jitter_ns));
	attribute(a, TCA_NETEM_CORR, &corr, sizeof(corr));
	attribute(a, TCA_NETEM_REORDER, &reorder, sizeof(reorder));
	attribute(a, TCA_NETEM_CORRUPT, &corrupt, sizeof(corrupt));
	attribute(a, NETEM_ATTRIBUTE_SEED, &n.seed, sizeof(n.seed));
	n.delay_correlation = share_of(corr.delay_corr);
	n.loss_correlation = share_of(corr.loss_corr);
	n.duplicate_correlation = share_of(corr.dup_corr);
	n.reorder = share_of(reorder.probability);
	n.reorder_correlation = share_of(reorder.correlation);
	n.corrupt = share_of(corrupt.probability);
	n.corrupt_correlation = share_of(corrupt.correlation);
	n.ecn = a[TCA_NETEM_ECN] && nla_get_u32(a[TCA_NETEM_ECN]);
	parse_loss(a[TCA_NETEM_LOSS], &n);
	parse_shaping(a, &n);
	*ret_netem = n;
	return 0;
}

int netem_get(struct netlink *nl, unsigned ifindex, struct netem *ret_netem, struct err *e)
{
	struct qdisc q;
	int r = qdisc_root(nl, ifindex, &q, e);
	if (r < 0)
		return r;
	if (strcmp(q.kind, "netem") != 0)
		return err_set(e, ENOENT, "there is no netem: the root qdisc is of the kind %s", q.kind);
	return netem_parse(q.options, q.options_len, ret_netem) < 0
		       ? err_set(e, EINVAL, "the kernel's netem cannot be read")
		       : 0;
}
