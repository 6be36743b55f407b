/*
 * limit_data: a connection dies in the middle of a transfer, at an exact octet, whatever stands there: half a frame
 * header, half a character. The octets up to the limit are passed, then the connection is ended on both sides. They
 * are counted from when the toxic was put on, each direction by itself. With 0, as in Toxiproxy, the first octet ends
 * it.
 */
#include "faults/ending.h"
#include "faults/fault.h"

struct limit_data_options {
	uint64_t bytes;
	int how;
};

static const struct opt limit_data_options[] = {
	{.name = "bytes", .type = OPT_SIZE, .offset = offsetof(struct limit_data_options, bytes), .def = "0B", .bare = 1,
	 .help = "octets that pass before the connection is ended"},
	{.name = "how", .type = OPT_ENUM, .offset = offsetof(struct limit_data_options, how), .def = "fin",
	 .choices = ending_choices, .help = "how it is ended on both sides"},
	{0},
};

static void end(struct filter *f, enum direction d, uint64_t at)
{
	const struct limit_data_options *o = f->options;
	filter_tell(f, d, "end", at, "how=%s", ending_choices[o->how]);
	filter_end(f, (enum stream_end)o->how);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct limit_data_options *o = f->options;
	uint64_t left = o->bytes > f->offset[d] ? o->bytes - f->offset[d] : 0;
	if (left)
		filter_pass(f, d, span_sub(octets, 0, left));
	if (octets.len >= left)
		end(f, d, f->offset[d] + left);
}

/* A limit that has been passed already does not wait for the next octet. */
static void on_changed(struct filter *f)
{
	const struct limit_data_options *o = f->options;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (f->offset[d] && f->offset[d] >= o->bytes) {
			end(f, d, f->offset[d]);
			return;
		}
}

static const struct filter_ops limit_data_stream = {.data = on_data, .changed = on_changed};

const struct fault fault_limit_data = {
	.name = "limit_data",
	.about = "the connection is ended at an exact octet",
	.known_as = "transfers cut off in the middle",
	.options = limit_data_options,
	.options_size = sizeof(struct limit_data_options),
	.stream = &limit_data_stream,
};
