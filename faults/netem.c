/*
 * The kernel's network emulator with every parameter it has: for those who know tc-netem(8), and for what no other
 * fault has: slots by a distribution, link cells, the limit of the queue.
 */
#include "faults/link.h"

struct netem_options {
	uint64_t delay_us, jitter_us;
	double delay_correlation;
	int distribution;
	bool keep_order;
	int loss_model;
	double loss, loss_correlation;
	double p, r, bad_loss, good_loss, p13, p31, p32, p23, p14;
	double duplicate, duplicate_correlation, reorder, reorder_correlation, corrupt, corrupt_correlation;
	uint64_t gap, rate, cell_size, limit;
	int64_t packet_overhead, cell_overhead;
	uint64_t slot_min_us, slot_max_us, slot_delay_us, slot_jitter_us, slot_packets, slot_octets;
	int slot_distribution;
	bool ecn;
};

#define AT(NAME) .name = #NAME, .offset = offsetof(struct netem_options, NAME)
#define SHARE(NAME, HELP) {AT(NAME), .type = OPT_PERCENT, .def = "0%", .help = HELP}
#define TIME(NAME, FIELD, HELP)                                                                                        \
	{.name = NAME, .offset = offsetof(struct netem_options, FIELD), .type = OPT_MICROS, .def = "0s", .max = 86400000000, \
	 .bare = 1000, .help = HELP}
#define COUNT(NAME, MAX, HELP) {AT(NAME), .type = OPT_U64, .def = "0", .max = MAX, .help = HELP}
#define OCTETS(NAME, HELP)                                                                                             \
	{AT(NAME), .type = OPT_INT, .def = "0", .min = -NETEM_HEADER_MAX, .max = NETEM_HEADER_MAX, .help = HELP}
#define WORD(NAME, WORDS, HELP) {AT(NAME), .type = OPT_ENUM, .choices = WORDS, .help = HELP}
#define FLAG(NAME, HELP) {AT(NAME), .type = OPT_FLAG, .def = "false", .help = HELP}

static const struct opt netem_options[] = {
	TIME("delay", delay_us, "how long each packet waits"),
	TIME("jitter", jitter_us, "by how much more or less"),
	SHARE(delay_correlation, "how much the jitter depends on that of the packet before; " JITTER_CORRELATION_NOTE),
	WORD(distribution, netem_distribution_names, "of the jitter"),
	FLAG(keep_order, "packets do not overtake each other, whatever the jitter"),
	WORD(loss_model, netem_loss_model_names, "which packets are lost"),
	SHARE(loss, "random: how likely a packet is lost"),
	SHARE(loss_correlation, "random: how much that depends on the packet before"),
	SHARE(p, "gemodel: from the good to the bad state"),
	SHARE(r, "gemodel: from the bad to the good state"),
	SHARE(bad_loss, "gemodel: loss in the bad state, 1-h in tc"),
	SHARE(good_loss, "gemodel: loss in the good state, 1-k in tc"),
	SHARE(p13, "state: from good (1) to burst loss (3)"),
	SHARE(p31, "state: from burst loss (3) to good (1)"),
	SHARE(p32, "state: from burst loss (3) to good within a burst (2)"),
	SHARE(p23, "state: from good within a burst (2) to burst loss (3)"),
	SHARE(p14, "state: from good (1) to a single loss (4)"),
	SHARE(duplicate, "how likely a packet comes twice"),
	SHARE(duplicate_correlation, "how much that depends on the packet before"),
	SHARE(reorder, "how likely a packet does not wait, and overtakes; needs a delay"),
	SHARE(reorder_correlation, "how much that depends on the packet before"),
	COUNT(gap, UINT32_MAX, "only every so manieth packet may overtake; 0: every one"),
	SHARE(corrupt, "how likely a bit of a packet is turned"),
	SHARE(corrupt_correlation, "how much that depends on the packet before"),
	{AT(rate), .type = OPT_SIZE, .def = "0B", .max = (int64_t)NETEM_RATE_MAX, .bare = 1000,
	 .help = "octets a second; 0B: no limit"},
	OCTETS(packet_overhead, "octets that the link adds to each packet"),
	COUNT(cell_size, NETEM_HEADER_MAX, "octets of a cell of the link; 0: none"),
	OCTETS(cell_overhead, "octets that the link adds to each cell"),
	TIME("slot_min", slot_min_us, "shortest time between two turns to send"),
	TIME("slot_max", slot_max_us, "longest time between two turns to send"),
	WORD(slot_distribution, netem_distribution_names, "of the time between turns, with delay and jitter"),
	TIME("slot_delay", slot_delay_us, "mean time between two turns"),
	TIME("slot_jitter", slot_jitter_us, "by how much more or less"),
	COUNT(slot_packets, INT32_MAX, "packets of one turn; 0: all there are"),
	COUNT(slot_octets, INT32_MAX, "octets of one turn; 0: all there are"),
	FLAG(ecn, "mark packets that can carry a mark instead of losing them"),
	COUNT(limit, NETEM_LIMIT_MAX, "packets that wait at most; 0: enough for rate and delay"),
	{0},
};

static struct netem netem_of(const struct netem_options *o)
{
	return (struct netem){
		.delay_ns = o->delay_us * 1000, .jitter_ns = o->jitter_us * 1000, .delay_correlation = o->delay_correlation,
		.distribution = (enum netem_distribution)o->distribution, .keep_order = o->keep_order,
		.loss_model = (enum netem_loss_model)o->loss_model, .loss = o->loss, .loss_correlation = o->loss_correlation,
		.gemodel = {o->p, o->r, o->bad_loss, o->good_loss}, .state = {o->p13, o->p31, o->p32, o->p23, o->p14},
		.duplicate = o->duplicate, .duplicate_correlation = o->duplicate_correlation,
		.reorder = o->reorder, .reorder_correlation = o->reorder_correlation, .reorder_gap = (uint32_t)o->gap,
		.corrupt = o->corrupt, .corrupt_correlation = o->corrupt_correlation,
		.rate = o->rate, .packet_overhead = (int32_t)o->packet_overhead, .cell_size = (uint32_t)o->cell_size,
		.cell_overhead = (int32_t)o->cell_overhead,
		.slot = {.min_delay_ns = o->slot_min_us * 1000, .max_delay_ns = o->slot_max_us * 1000,
			 .distribution = (enum netem_distribution)o->slot_distribution, .delay_ns = o->slot_delay_us * 1000,
			 .jitter_ns = o->slot_jitter_us * 1000, .max_packets = (uint32_t)o->slot_packets,
			 .max_octets = (uint32_t)o->slot_octets},
		.ecn = o->ecn, .limit = (uint32_t)o->limit,
	};
}

static int check(const void *options, struct err *e)
{
	const struct netem n = netem_of(options);
	return netem_check(&n, e);
}

/* It has a word on everything: nothing else may be at work beside it. */
static int add_netem(const void *options, struct netem *merged, struct err *e)
{
	const struct netem before = *merged;
	if (!netem_is_none(&before))
		return err_set(e, EINVAL, "netem sets everything: another link fault is at work on the interface");
	*merged = netem_of(options);
	merged->has_seed = before.has_seed;
	merged->seed = before.seed;
	return 0;
}

static const struct fault_link netem_link = {.netem = add_netem, .action = &link_netem};

const struct fault fault_netem = {
	.name = "netem",
	.about = "the kernel's network emulator, with every parameter it has",
	.known_as = "tc qdisc add dev eth0 root netem",
	.options = netem_options,
	.options_size = sizeof(struct netem_options),
	.check = check,
	.link = &netem_link,
};
