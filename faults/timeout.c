/*
 * timeout: octets vanish, then the connection ends: what a client must survive with a deadline of its own. As in
 * Toxiproxy, with 0 it never ends by itself, and taking the toxic off ends it, for octets of it are lost. The time
 * counts from when the toxic is put on or changed, whether octets come or not.
 */
#include "faults/fault.h"
#include "faults/filter.h"

#define TIMEOUT_MAX_US 86400000000 /* 24h */

struct timeout_options {
	uint64_t timeout_us;
};

static const struct opt timeout_options[] = {
	{.name = "timeout", .type = OPT_MICROS, .offset = offsetof(struct timeout_options, timeout_us), .def = "0s",
	 .max = TIMEOUT_MAX_US, .bare = 1000, .help = "when the connection ends; 0: never"},
	{0},
};

struct timeout_state {
	bool told[DIRECTIONS];
};

static void on_start(struct filter *f)
{
	const struct timeout_options *o = f->options;
	filter_wake_at(f, o->timeout_us ? f->now_us + o->timeout_us : UINT64_MAX);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	struct timeout_state *s = f->state;
	(void)octets;
	if (!s->told[d])
		filter_tell(f, d, "hit", f->offset[d], NULL);
	s->told[d] = true;
}

static void on_end(struct filter *f)
{
	enum direction d = f->streams & STREAM_UP ? UPSTREAM : DOWNSTREAM;
	filter_tell(f, d, "end", f->offset[d], "how=fin");
	filter_end(f, STREAM_END_FIN);
}

static const struct filter_ops timeout_stream = {
	.state_size = sizeof(struct timeout_state),
	.open = on_start,
	.data = on_data,
	.wake = on_end,
	.changed = on_start,
	.release = on_end,
};

const struct fault fault_timeout = {
	.name = "timeout",
	.about = "octets vanish, and after a time the connection ends",
	.known_as = "peers that hang",
	.options = timeout_options,
	.options_size = sizeof(struct timeout_options),
	.stream = &timeout_stream,
};
