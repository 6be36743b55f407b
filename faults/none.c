/*
 * No fault: octets pass as they are. The one to copy for a new fault (docs/adding-a-fault.md), and the control of every
 * measurement: what a `none` changes, the machinery changes.
 */
#include "faults/fault.h"
#include "faults/filter.h"
#include "faults/link.h"

struct none_options {
	bool tell;
};

static const struct opt none_options[] = {
	{.name = "tell", .type = OPT_FLAG, .offset = offsetof(struct none_options, tell), .def = "false",
	 .help = "tell an event for the first octets of each direction"},
	{0},
};

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct none_options *o = f->options;
	if (o->tell && f->offset[d] == 0)
		filter_tell(f, d, "hit", 0, NULL);
	filter_pass(f, d, octets);
}

static const struct filter_ops none_stream = {.streams = STREAM_BOTH, .data = on_data};

/* A netem that changes nothing. */
static int add_none(const void *options, struct netem *merged, struct err *e)
{
	(void)options;
	(void)merged;
	(void)e;
	return 0;
}

static const struct fault_link none_link = {.netem = add_none, .action = &link_netem};

const struct fault fault_none = {
	.name = "none",
	.about = "nothing is changed",
	.known_as = "the control",
	.options = none_options,
	.options_size = sizeof(struct none_options),
	.stream = &none_stream,
	.link = &none_link,
};
