/*
 * A client that does not read, or hardly: a phone in a tunnel, a tab in the background, a consumer stuck in its own
 * database. What the server does with the messages that it cannot send is the question: grow without bound, block the
 * others, or drop the slow one and say so.
 */
#include "faults/peer.h"

struct slow_consumer_options {
	struct peer_options peers;
	uint64_t rate, receive_buffer, stop_after;
};

static const struct opt slow_consumer_options[] = {
	PEER_OPTIONS(struct slow_consumer_options, peers, "1"),
	{.name = "rate", .type = OPT_SIZE, .offset = offsetof(struct slow_consumer_options, rate), .def = "0B",
	 .max = 1 << 30, .help = "octets read a second; 0B: nothing is read once it is open"},
	{.name = "receive_buffer", .type = OPT_SIZE, .offset = offsetof(struct slow_consumer_options, receive_buffer),
	 .def = "4KiB", .min = 2 << 10, .max = 16 << 20, .help = "what the kernel keeps of what was not read"},
	{.name = "stop_after", .type = OPT_SIZE, .offset = offsetof(struct slow_consumer_options, stop_after), .def = "0B",
	 .help = "octets read at full speed before"},
	{0},
};

static const struct slow_consumer_options *options_of(const struct peer *p)
{
	return p->run->options;
}

static void slow_down(struct peer *p, size_t octets)
{
	const struct slow_consumer_options *o = options_of(p);
	if (p->came < o->stop_after)
		return;
	peer_pause(p, true);
	if (o->rate)
		peer_wake_in(p, octets * 1000 / o->rate + 1);
}

static void on_open(struct peer *p)
{
	if (options_of(p)->stop_after == 0) {
		peer_tell(p, "hit", "rate=%llu", (unsigned long long)options_of(p)->rate);
		slow_down(p, 0);
	}
}

static void on_data(struct peer *p, size_t octets)
{
	const struct slow_consumer_options *o = options_of(p);
	if (!p->open)
		return;
	if (o->stop_after && p->came >= o->stop_after && p->came - octets < o->stop_after)
		peer_tell(p, "hit", "rate=%llu", (unsigned long long)o->rate);
	slow_down(p, octets);
}

static void on_wake(struct peer *p)
{
	peer_pause(p, false);
}

static const struct peer_ops ops = {.open = on_open, .data = on_data, .wake = on_wake};

static int start(struct fault_run *run, struct err *e)
{
	const struct slow_consumer_options *o = run->options;
	return crowd_start(run, &o->peers, &ops, (int)o->receive_buffer, run->state, e);
}

static const struct fault_action slow_consumer_peer = {
	.state_size = sizeof(struct crowd *), .start = start, .stop = crowd_heal};

const struct fault fault_slow_consumer = {
	.name = "slow_consumer",
	.about = "clients subscribe and then read slowly or not at all, with a small receive buffer",
	.known_as = "slow consumers",
	.options = slow_consumer_options,
	.options_size = sizeof(struct slow_consumer_options),
	.peer = &slow_consumer_peer,
};
