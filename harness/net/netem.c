/* What a netem may be, how many packets it must hold, and how it is said. The message to the kernel is netem_message.c.
 */
#include "harness/net/netem.h"

#include <math.h>
#include <stddef.h>

#include "harness/base/unit.h"

const char *const netem_distribution_names[] = {"uniform", "normal", "pareto", "paretonormal", NULL};
const char *const netem_loss_model_names[] = {"random", "gemodel", "state", NULL};

/* What a link carries when nobody said: a veth's or a fast card's. */
#define RATE_UNKNOWN UINT64_C(1250000000)
enum { PACKET_OCTETS = 1500, NS_PER_S = 1000000000 };

static const struct {
	const char *name;
	size_t offset;
} shares[] = {
	{"delay correlation", offsetof(struct netem, delay_correlation)},
	{"loss", offsetof(struct netem, loss)},
	{"loss correlation", offsetof(struct netem, loss_correlation)},
	{"gemodel p", offsetof(struct netem, gemodel.p)},
	{"gemodel r", offsetof(struct netem, gemodel.r)},
	{"gemodel loss in the bad state", offsetof(struct netem, gemodel.bad_loss)},
	{"gemodel loss in the good state", offsetof(struct netem, gemodel.good_loss)},
	{"state p13", offsetof(struct netem, state.p13)},
	{"state p31", offsetof(struct netem, state.p31)},
	{"state p32", offsetof(struct netem, state.p32)},
	{"state p23", offsetof(struct netem, state.p23)},
	{"state p14", offsetof(struct netem, state.p14)},
	{"duplicate", offsetof(struct netem, duplicate)},
	{"duplicate correlation", offsetof(struct netem, duplicate_correlation)},
	{"reorder", offsetof(struct netem, reorder)},
	{"reorder correlation", offsetof(struct netem, reorder_correlation)},
	{"corrupt", offsetof(struct netem, corrupt)},
	{"corrupt correlation", offsetof(struct netem, corrupt_correlation)},
};

bool netem_is_none(const struct netem *n)
{
	bool none = !n->delay_ns && !n->jitter_ns && n->distribution == NETEM_UNIFORM && !n->keep_order &&
		    n->loss_model == NETEM_LOSS_RANDOM && !n->reorder_gap && !n->ecn && !n->limit;
	none = none && !n->rate && !n->packet_overhead && !n->cell_size && !n->cell_overhead;
	none = none && !n->slot.min_delay_ns && !n->slot.max_delay_ns && n->slot.distribution == NETEM_UNIFORM &&
	       !n->slot.delay_ns && !n->slot.jitter_ns && !n->slot.max_packets && !n->slot.max_octets;
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		none = none && *(const double *)((const char *)n + shares[i].offset) <= 0;
	return none;
}

static int shares_check(const struct netem *n, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
		double share = *(const double *)((const char *)n + shares[i].offset);
		if (!(share >= 0 && share <= 1))
			return err_set(e, EINVAL, "%s is to be 0%% to 100%%", shares[i].name);
		if (share > 0 && rint(share * UINT32_MAX) == 0)
			return err_set(e, EINVAL, "%s is too small: the kernel counts in steps of 1 in 4294967296", shares[i].name);
	}
	return 0;
}

static int times_check(const struct netem *n, struct err *e)
{
	if (n->delay_ns > NETEM_DELAY_MAX_NS || n->slot.delay_ns > NETEM_DELAY_MAX_NS ||
	    n->slot.max_delay_ns > NETEM_DELAY_MAX_NS || n->slot.min_delay_ns > NETEM_DELAY_MAX_NS)
		return err_set(e, EINVAL, "a delay is at most 24h");
	if (n->jitter_ns > NETEM_JITTER_MAX_NS || n->slot.jitter_ns > NETEM_JITTER_MAX_NS)
		return err_set(e, EINVAL, "jitter is at most 2.147483647s: the kernel would cut it there");
	if (n->distribution != NETEM_UNIFORM && n->jitter_ns == 0)
		return err_set(e, EINVAL, "the distribution %s needs jitter", netem_distribution_names[n->distribution]);
	if (n->delay_correlation > 0 && n->jitter_ns == 0)
		return err_set(e, EINVAL, "a delay correlation needs jitter");
	if (n->slot.min_delay_ns > n->slot.max_delay_ns)
		return err_set(e, EINVAL, "the shortest time between slots is longer than the longest");
	if (n->slot.distribution == NETEM_UNIFORM ? n->slot.delay_ns || n->slot.jitter_ns : n->slot.max_delay_ns > 0)
		return err_set(e, EINVAL, "slots have either a shortest and a longest time between them, or a distribution with "
					  "delay and jitter");
	return 0;
}

int netem_check(const struct netem *n, struct err *e)
{
	int r = shares_check(n, e);
	if (r == 0)
		r = times_check(n, e);
	if (r < 0)
		return r;
	if (n->reorder > 0 && n->delay_ns == 0)
		return err_set(e, EINVAL, "reordering needs a delay: it is the packets that do not wait which overtake");
	if (n->reorder_gap && n->reorder == 0)
		return err_set(e, EINVAL, "a gap needs a share of packets to reorder");
	if (n->rate > NETEM_RATE_MAX)
		return err_set(e, EINVAL, "a rate is at most 10 Tbit/s");
	if (n->rate == 0 && (n->packet_overhead || n->cell_size || n->cell_overhead))
		return err_set(e, EINVAL, "packet overhead and cells need a rate");
	if (n->packet_overhead > NETEM_HEADER_MAX || n->packet_overhead < -NETEM_HEADER_MAX ||
	    n->cell_overhead > NETEM_HEADER_MAX || n->cell_overhead < -NETEM_HEADER_MAX || n->cell_size > NETEM_HEADER_MAX)
		return err_set(e, EINVAL, "packet overhead and cells are at most %d octets", NETEM_HEADER_MAX);
	if (n->cell_size == 0 && n->cell_overhead)
		return err_set(e, EINVAL, "a cell overhead needs a cell size");
	if (n->slot.max_packets > INT32_MAX || n->slot.max_octets > INT32_MAX)
		return err_set(e, EINVAL, "packets and octets of a slot are at most 2147483647");
	if (n->limit > NETEM_LIMIT_MAX)
		return err_set(e, EINVAL, "the limit is at most %d packets", NETEM_LIMIT_MAX);
	return 0;
}

uint32_t netem_limit(const struct netem *n)
{
	if (n->limit)
		return n->limit;
	/* A normal distribution reaches past 4 sigma once in 30,000 packets, a slot holds what comes until it opens. */
	double seconds = ((double)n->delay_ns + 4.0 * (double)n->jitter_ns + (double)n->slot.max_delay_ns +
			  (double)n->slot.delay_ns + 4.0 * (double)n->slot.jitter_ns) / NS_PER_S;
	double packets = (double)(n->rate ? n->rate : RATE_UNKNOWN) * seconds / PACKET_OCTETS;
	return (uint32_t)fmin(NETEM_LIMIT_DEFAULT + ceil(packets), NETEM_LIMIT_MAX);
}

static void print_time(struct buf *b, uint64_t ns)
{
	if (ns % 1000)
		buf_printf(b, "%lluns", (unsigned long long)ns);
	else
		unit_micros_print(b, ns / 1000);
}

static void print_times(struct buf *b, const char *word, uint64_t first_ns, uint64_t second_ns)
{
	buf_printf(b, "%s ", word);
	print_time(b, first_ns);
	if (second_ns) {
		buf_append_u8(b, ' ');
		print_time(b, second_ns);
	}
}

/* "loss 1%", with the correlation behind when there is one; nothing for 0. */
static void print_share(struct buf *b, const char *word, double share, double correlation)
{
	if (share <= 0)
		return;
	buf_printf(b, " %s %.6g%%", word, share * 100);
	if (correlation > 0)
		buf_printf(b, " %.6g%%", correlation * 100);
}

static void print_loss(struct buf *b, const struct netem *n)
{
	if (n->loss_model == NETEM_LOSS_GEMODEL)
		buf_printf(b, " loss gemodel p %.6g%% r %.6g%% 1-h %.6g%% 1-k %.6g%%", n->gemodel.p * 100, n->gemodel.r * 100,
			   n->gemodel.bad_loss * 100, n->gemodel.good_loss * 100);
	else if (n->loss_model == NETEM_LOSS_STATE)
		buf_printf(b, " loss state p13 %.6g%% p31 %.6g%% p32 %.6g%% p23 %.6g%% p14 %.6g%%", n->state.p13 * 100,
			   n->state.p31 * 100, n->state.p32 * 100, n->state.p23 * 100, n->state.p14 * 100);
	else
		print_share(b, "loss", n->loss, n->loss_correlation);
}

static void print_slot(struct buf *b, const struct netem *n)
{
	if (n->slot.distribution != NETEM_UNIFORM) {
		buf_printf(b, " slot distribution %s ", netem_distribution_names[n->slot.distribution]);
		print_times(b, "delay", n->slot.delay_ns, n->slot.jitter_ns);
	} else if (n->slot.max_delay_ns || n->slot.max_packets || n->slot.max_octets) {
		print_times(b, " slot", n->slot.min_delay_ns, n->slot.max_delay_ns);
	}
	if (n->slot.max_packets)
		buf_printf(b, " packets %u", n->slot.max_packets);
	if (n->slot.max_octets)
		buf_printf(b, " bytes %u", n->slot.max_octets);
}

int netem_print(const struct netem *n, struct buf *b)
{
	buf_printf(b, "limit %u", netem_limit(n));
	if (n->delay_ns || n->jitter_ns) {
		print_times(b, " delay", n->delay_ns, n->jitter_ns);
		if (n->delay_correlation > 0)
			buf_printf(b, " %.6g%%", n->delay_correlation * 100);
		if (n->distribution != NETEM_UNIFORM)
			buf_printf(b, " distribution %s", netem_distribution_names[n->distribution]);
	}
	print_loss(b, n);
	print_share(b, "duplicate", n->duplicate, n->duplicate_correlation);
	print_share(b, "reorder", n->reorder, n->reorder_correlation);
	if (n->reorder > 0)
		buf_printf(b, " gap %u", n->reorder_gap ? n->reorder_gap : 1);
	print_share(b, "corrupt", n->corrupt, n->corrupt_correlation);
	if (n->rate)
		buf_printf(b, " rate %lluB/s overhead %d cell %u %d", (unsigned long long)n->rate, n->packet_overhead, n->cell_size,
			   n->cell_overhead);
	print_slot(b, n);
	if (n->ecn)
		buf_printf(b, " ecn");
	/* The last one tells whether there was room for all. */
	return n->has_seed ? buf_printf(b, " seed %llu", (unsigned long long)n->seed) : buf_printf(b, "%s", "");
}
