/*
 * reset_peer: RST on both sides, at once or after a time, on connections that are open already and on new ones: a
 * process killed, a balancer that drops its table, a firewall that has forgotten. Until then its stream carries
 * nothing, as in Toxiproxy, so that the reset is never mistaken for an answer. The time counts from when the toxic is
 * put on or changed; no octet has to come first.
 */
#include "faults/fault.h"
#include "faults/filter.h"

#define RESET_PEER_MAX_US 86400000000 /* 24h */

struct reset_peer_options {
	uint64_t timeout_us;
};

static const struct opt reset_peer_options[] = {
	{.name = "timeout", .type = OPT_MICROS, .offset = offsetof(struct reset_peer_options, timeout_us), .def = "0s",
	 .max = RESET_PEER_MAX_US, .bare = 1000, .help = "when the connection is reset; 0: at once"},
	{0},
};

struct reset_peer_state {
	bool lost;                 /* octets or a FIN of this connection */
};

static void reset(struct filter *f)
{
	enum direction d = f->streams & STREAM_UP ? UPSTREAM : DOWNSTREAM;
	filter_tell(f, d, "end", f->offset[d], "how=rst");
	filter_end(f, STREAM_END_RST);
}

static void on_start(struct filter *f)
{
	const struct reset_peer_options *o = f->options;
	if (o->timeout_us)
		filter_wake_at(f, f->now_us + o->timeout_us);
	else
		reset(f);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	struct reset_peer_state *s = f->state;
	(void)d, (void)octets;
	s->lost = true;
}

static void on_eof(struct filter *f, enum direction d)
{
	struct reset_peer_state *s = f->state;
	(void)d;
	s->lost = true;
}

/* Taken off before its time: who has lost nothing lives on. */
static void on_release(struct filter *f)
{
	const struct reset_peer_state *s = f->state;
	if (s->lost)
		reset(f);
}

static const struct filter_ops reset_peer_stream = {
	.state_size = sizeof(struct reset_peer_state),
	.open = on_start,
	.data = on_data,
	.eof = on_eof,
	.wake = reset,
	.changed = on_start,
	.release = on_release,
};

const struct fault fault_reset_peer = {
	.name = "reset_peer",
	.about = "both sides get a RST, at once or after a time",
	.known_as = "connection reset by peer",
	.options = reset_peer_options,
	.options_size = sizeof(struct reset_peer_options),
	.stream = &reset_peer_stream,
};
