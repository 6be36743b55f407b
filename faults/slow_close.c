/*
 * slow_close: the FIN comes late. Between the last octet and the end there is a silence in which a peer that waits
 * for the TCP connection to be closed (RFC 6455 7.1.1) keeps its slot, its timer and its descriptor.
 */
#include "faults/fault.h"
#include "faults/filter.h"

#define SLOW_CLOSE_MAX_US 86400000000 /* 24h */

struct slow_close_options {
	uint64_t delay_us;
};

static const struct opt slow_close_options[] = {
	{.name = "delay", .type = OPT_MICROS, .offset = offsetof(struct slow_close_options, delay_us), .def = "0s",
	 .max = SLOW_CLOSE_MAX_US, .bare = 1000, .help = "how much later the end of the connection arrives"},
	{0},
};

struct slow_close_state {
	bool waits[DIRECTIONS];
	uint64_t came_us[DIRECTIONS];
};

static void on_wake(struct filter *f)
{
	const struct slow_close_options *o = f->options;
	struct slow_close_state *s = f->state;
	uint64_t next_us = UINT64_MAX;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		uint64_t due_us = s->came_us[d] + o->delay_us;
		if (s->waits[d] && due_us <= f->now_us) {
			s->waits[d] = false;
			filter_pass_eof(f, d);
		}
		if (s->waits[d] && due_us < next_us)
			next_us = due_us;
	}
	filter_wake_at(f, next_us);
}

static void on_eof(struct filter *f, enum direction d)
{
	const struct slow_close_options *o = f->options;
	struct slow_close_state *s = f->state;
	s->waits[d] = true;
	s->came_us[d] = f->now_us;
	if (o->delay_us)
		filter_tell(f, d, "hit", f->offset[d], "delay_us=%llu", (unsigned long long)o->delay_us);
	on_wake(f);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	filter_pass(f, d, octets);
}

/* The new delay counts from when the FIN came. */
static const struct filter_ops slow_close_stream = {
	.state_size = sizeof(struct slow_close_state),
	.data = on_data,
	.eof = on_eof,
	.wake = on_wake,
	.changed = on_wake,
};

const struct fault fault_slow_close = {
	.name = "slow_close",
	.about = "the end of the connection arrives late",
	.known_as = "connections that linger",
	.options = slow_close_options,
	.options_size = sizeof(struct slow_close_options),
	.stream = &slow_close_stream,
};
