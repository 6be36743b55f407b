/*
 * down: the service is gone. Every open connection ends, and every new one as soon as it is there; the listener
 * stays, so that a client sees connections that open and end, as behind a balancer without a healthy server.
 */
#include "faults/ending.h"
#include "faults/fault.h"

struct down_options {
	int how;
};

static const struct opt down_options[] = {
	{.name = "how", .type = OPT_ENUM, .offset = offsetof(struct down_options, how), .def = "fin",
	 .choices = ending_choices, .help = "how connections are ended on both sides"},
	{0},
};

static void on_open(struct filter *f)
{
	const struct down_options *o = f->options;
	filter_tell(f, DOWNSTREAM, "end", 0, "how=%s", ending_choices[o->how]);
	filter_end(f, (enum stream_end)o->how);
}

/* Never called: the connection has ended before. */
static void on_data(struct filter *f, enum direction d, struct span octets)
{
	(void)f, (void)d, (void)octets;
}

static const struct filter_ops down_stream = {.streams = STREAM_BOTH, .open = on_open, .data = on_data};

const struct fault fault_down = {
	.name = "down",
	.about = "every connection ends, open ones and new ones",
	.known_as = "a service that is gone, a balancer without a healthy server",
	.options = down_options,
	.options_size = sizeof(struct down_options),
	.stream = &down_stream,
};
