/*
 * Packets overtake each other: several paths, several radio channels. All packets wait `delay`, but a share of them, or
 * of every gap-th one, which is sent at once. TCP puts them in order again and takes some for lost meanwhile.
 */
#include "faults/link.h"

enum { REORDER_GAP_MAX = 1 << 20 };

struct reorder_options {
	uint64_t delay_us, gap;
	double probability, correlation;
};

static const struct opt reorder_options[] = {
	{.name = "delay", .type = OPT_MICROS, .offset = offsetof(struct reorder_options, delay_us), .def = "10ms", .min = 1,
	 .max = 86400000000, .bare = 1000, .help = "how long those wait that are overtaken"},
	{.name = "probability", .type = OPT_PERCENT, .offset = offsetof(struct reorder_options, probability), .def = "25%",
	 .help = "how likely a packet overtakes"},
	{.name = "correlation", .type = OPT_PERCENT, .offset = offsetof(struct reorder_options, correlation), .def = "0%",
	 .help = "how much that depends on the packet before"},
	{.name = "gap", .type = OPT_U64, .offset = offsetof(struct reorder_options, gap), .def = "1", .min = 1,
	 .max = REORDER_GAP_MAX, .help = "only every so manieth packet may"},
	{0},
};

static int add_reorder(const void *options, struct netem *merged, struct err *e)
{
	const struct reorder_options *o = options;
	if (merged->reorder > 0)
		return err_set(e, EINVAL, "an interface has one reorder at a time: another is at work on it");
	merged->delay_ns += o->delay_us * 1000;
	merged->reorder = o->probability;
	merged->reorder_correlation = o->correlation;
	merged->reorder_gap = o->probability > 0 ? (uint32_t)o->gap : 0;
	return 0;
}

static const struct fault_link reorder_link = {.netem = add_reorder, .action = &link_netem};

const struct fault fault_reorder = {
	.name = "reorder",
	.about = "packets overtake each other",
	.known_as = "several paths, mobile networks",
	.options = reorder_options,
	.options_size = sizeof(struct reorder_options),
	.link = &reorder_link,
};
