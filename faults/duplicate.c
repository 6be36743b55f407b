/*
 * Packets arrive twice: a network that sends again what was not lost, or two paths that both deliver. TCP throws the
 * second one away; what is seen above it is work and acknowledgements, never an octet twice.
 */
#include "faults/link.h"

struct duplicate_options {
	double probability, correlation;
};

static const struct opt duplicate_options[] = {
	{.name = "probability", .type = OPT_PERCENT, .offset = offsetof(struct duplicate_options, probability), .def = "1%",
	 .help = "how likely a packet comes twice"},
	{.name = "correlation", .type = OPT_PERCENT, .offset = offsetof(struct duplicate_options, correlation), .def = "0%",
	 .help = "how much that depends on the packet before"},
	{0},
};

static int add_duplicate(const void *options, struct netem *merged, struct err *e)
{
	const struct duplicate_options *o = options;
	if (merged->duplicate_correlation > 0 && o->correlation > 0)
		return err_set(
			e, EINVAL,
			"an interface has one correlation of duplicates at a time: another duplicate is at work on it");
	merged->duplicate = link_share(merged->duplicate, o->probability);
	merged->duplicate_correlation += o->correlation;
	return 0;
}

static const struct fault_link duplicate_link = {.netem = add_duplicate, .action = &link_netem};

const struct fault fault_duplicate = {
	.name = "duplicate",
	.about = "packets arrive twice",
	.known_as = "mobile networks",
	.options = duplicate_options,
	.options_size = sizeof(struct duplicate_options),
	.link = &duplicate_link,
};
