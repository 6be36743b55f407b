/*
 * Packets leave in bunches: Wi-Fi, LTE uplinks and cable modems wait for their turn, then send what has gathered. Small
 * messages that were sent evenly arrive together.
 */
#include "faults/link.h"

struct slot_options {
	uint64_t min_us, max_us;
	uint64_t packets, octets;
};

static const struct opt slot_options[] = {
	{.name = "min", .type = OPT_MICROS, .offset = offsetof(struct slot_options, min_us), .def = "20ms", .min = 1,
	 .max = 86400000000, .bare = 1000, .help = "shortest time between two turns"},
	{.name = "max", .type = OPT_MICROS, .offset = offsetof(struct slot_options, max_us), .def = "0s", .max = 86400000000,
	 .bare = 1000, .help = "longest time between two turns; 0s: the same as the shortest"},
	{.name = "packets", .type = OPT_U64, .offset = offsetof(struct slot_options, packets), .def = "0", .max = INT32_MAX,
	 .help = "packets of one turn; 0: all there are"},
	{.name = "octets", .type = OPT_SIZE, .offset = offsetof(struct slot_options, octets), .def = "0B", .max = INT32_MAX,
	 .bare = 1, .help = "octets of one turn; 0B: all there are"},
	{0},
};

static int slot_check(const void *options, struct err *e)
{
	const struct slot_options *o = options;
	return o->max_us && o->max_us < o->min_us ? err_set(e, EINVAL, "max is less than min") : 0;
}

static int add_slot(const void *options, struct netem *merged, struct err *e)
{
	const struct slot_options *o = options;
	if (merged->slot.max_delay_ns || merged->slot.delay_ns)
		return err_set(e, EINVAL, "an interface has one slot at a time: another is at work on it");
	merged->slot.min_delay_ns = o->min_us * 1000;
	merged->slot.max_delay_ns = (o->max_us ? o->max_us : o->min_us) * 1000;
	merged->slot.max_packets = (uint32_t)o->packets;
	merged->slot.max_octets = (uint32_t)o->octets;
	return 0;
}

static const struct fault_link slot_link = {.netem = add_slot, .action = &link_netem};

const struct fault fault_slot = {
	.name = "slot",
	.about = "packets leave in bunches, whenever it is their turn",
	.known_as = "Wi-Fi, mobile uplinks",
	.options = slot_options,
	.options_size = sizeof(struct slot_options),
	.check = slot_check,
	.link = &slot_link,
};
