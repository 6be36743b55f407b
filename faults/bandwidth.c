/*
 * Bandwidth: a slow client, a thin line. n octets take n / rate to pass, to the microsecond over any length; what the
 * line cannot take yet waits in the sender's TCP, for little of it is held here. With rate 0 nothing passes, as in
 * Toxiproxy, where teams use it to cut a connection without ending it.
 *
 * Octets leave in pieces of what the line carries in 0.5 to 2 ms, a packet where that is between: a piece leaves when
 * its last octet has been carried, or when nothing is left. Pieces are counted by octets, never by read().
 */
#include "faults/fault.h"
#include "faults/held.h"
#include "faults/link.h"

enum {
	BANDWIDTH_PACKET = 1460,
	BANDWIDTH_PIECES_MIN = 500, /* a second: 2 ms */
	BANDWIDTH_PIECES_MAX = 2000,
	BANDWIDTH_HELD_MIN = 16 << 10, /* the sender waits above what the line carries in 10 ms, within these */
	BANDWIDTH_HELD_MAX = 4 << 20,
	SECOND_US = 1000000,
};
#define BANDWIDTH_RATE_MAX 1000000000000 /* octets a second: no product here leaves 64 bits */

struct bandwidth_options {
	uint64_t rate, burst;
};

static const struct opt bandwidth_options[] = {
	{.name = "rate", .type = OPT_SIZE, .offset = offsetof(struct bandwidth_options, rate), .def = "0B",
	 .max = BANDWIDTH_RATE_MAX, .bare = 1000, .help = "octets a second; 0: nothing passes"},
	{.name = "burst", .type = OPT_SIZE, .offset = offsetof(struct bandwidth_options, burst), .def = "0B",
	 .max = BANDWIDTH_RATE_MAX, .bare = 1, .help = "octets that pass at once after the line was idle"},
	{0},
};

/* One direction: a bucket that held `burst` octets at start_us, gains `rate` a second, and has given `carried`. */
struct line {
	uint64_t start_us, carried;
	bool told;
};

struct bandwidth_state {
	struct bandwidth_options in_force;
	struct line lines[DIRECTIONS];
};

static uint64_t gained(const struct bandwidth_options *o, uint64_t us)
{
	uint64_t whole;
	if (__builtin_mul_overflow(us / SECOND_US, o->rate, &whole) || whole > INT64_MAX)
		return INT64_MAX;
	return whole + us % SECOND_US * o->rate / SECOND_US;
}

static uint64_t credit(const struct bandwidth_options *o, const struct line *line, uint64_t now_us)
{
	uint64_t gain = gained(o, now_us - line->start_us) + o->burst;
	return o->rate && gain > line->carried ? gain - line->carried : 0;
}

/* The bucket is full again: what it would gain now is lost. */
static void fill_if_idle(const struct filter *f, enum direction d, struct line *line)
{
	const struct bandwidth_options *o = f->options;
	if (!held_len(f, d) && credit(o, line, f->now_us) >= o->burst) {
		line->start_us = f->now_us;
		line->carried = 0;
	}
}

static void carry(const struct bandwidth_options *o, struct line *line, size_t len)
{
	line->carried += len;
	if (line->carried > o->burst) { /* whole seconds are settled, so that the numbers stay small */
		uint64_t seconds = (line->carried - o->burst) / o->rate;
		line->start_us += seconds * SECOND_US;
		line->carried -= seconds * o->rate;
	}
}

static uint64_t piece(uint64_t rate)
{
	uint64_t len = rate / BANDWIDTH_PIECES_MIN < BANDWIDTH_PACKET ? rate / BANDWIDTH_PIECES_MIN : BANDWIDTH_PACKET;
	len = len > rate / BANDWIDTH_PIECES_MAX ? len : rate / BANDWIDTH_PIECES_MAX;
	return len ? len : 1;
}

/* When the next piece of what is held has been carried. */
static uint64_t next_us(const struct filter *f, enum direction d)
{
	const struct bandwidth_options *o = f->options;
	const struct line *line = &((const struct bandwidth_state *)f->state)->lines[d];
	uint64_t len = held_len(f, d);
	if (!len || !o->rate)
		return UINT64_MAX;
	uint64_t until = line->carried + (len < piece(o->rate) ? len : piece(o->rate));
	until = until > o->burst ? until - o->burst : 0;
	return line->start_us + until / o->rate * SECOND_US + (until % o->rate * SECOND_US + o->rate - 1) / o->rate;
}

static void wake_for_next(struct filter *f)
{
	uint64_t up = next_us(f, UPSTREAM), down = next_us(f, DOWNSTREAM);
	filter_wake_at(f, up < down ? up : down);
}

static void set_limits(struct filter *f)
{
	const struct bandwidth_options *o = f->options;
	struct bandwidth_state *s = f->state;
	uint64_t max = o->rate / 100;
	max = max > BANDWIDTH_HELD_MIN ? max : BANDWIDTH_HELD_MIN;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		held_limit(f, d, max < BANDWIDTH_HELD_MAX ? max : BANDWIDTH_HELD_MAX);
	s->in_force = *o;
}

static void on_open(struct filter *f)
{
	struct bandwidth_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		s->lines[d].start_us = f->now_us;
	set_limits(f);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct bandwidth_options *o = f->options;
	struct line *line = &((struct bandwidth_state *)f->state)->lines[d];
	if (!line->told) {
		line->told = true;
		filter_tell(f, d, "hit", f->offset[d], "rate=%llu burst=%llu", (unsigned long long)o->rate,
			    (unsigned long long)o->burst);
	}
	fill_if_idle(f, d, line);
	if (!held_len(f, d) && credit(o, line, f->now_us)) {
		struct span now = span_sub(octets, 0, credit(o, line, f->now_us));
		octets = span_sub(octets, now.len, octets.len);
		carry(o, line, now.len);
		filter_pass(f, d, now);
	}
	if (octets.len && !held_keep(f, d, octets, 0))
		return;
	wake_for_next(f);
}

static void on_wake(struct filter *f)
{
	const struct bandwidth_options *o = f->options;
	struct bandwidth_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct line *line = &s->lines[d];
		if (next_us(f, d) > f->now_us)
			continue;
		uint64_t len = held_len(f, d), can = credit(o, line, f->now_us);
		len = len < can ? len : can;
		carry(o, line, len);
		held_pass(f, d, len);
	}
	wake_for_next(f);
}

/* What has been carried until now was carried at the old rate. */
static void on_changed(struct filter *f)
{
	const struct bandwidth_options *o = f->options;
	struct bandwidth_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct line *line = &s->lines[d];
		uint64_t can = credit(&s->in_force, line, f->now_us);
		line->start_us = f->now_us;
		line->carried = o->burst > can ? o->burst - can : 0;
		line->told = false;
	}
	set_limits(f);
	on_wake(f);
}

static const struct filter_ops bandwidth_stream = {
	.state_size = sizeof(struct bandwidth_state),
	.open = on_open,
	.data = on_data,
	.wake = on_wake,
	.changed = on_changed,
};

/* The thinnest counts. Netem sends each packet at the rate: after an idle time there is nothing to catch up with. */
static int add_rate(const void *options, struct netem *merged, struct err *e)
{
	const struct bandwidth_options *o = options;
	if (o->burst)
		return err_set(e, EINVAL, "a burst works on the plane stream alone: netem has none");
	if (o->rate == 0) {
		merged->loss_model = NETEM_LOSS_RANDOM;
		merged->loss = 1;
	}
	if (merged->rate == 0 || (o->rate && o->rate < merged->rate))
		merged->rate = o->rate;
	return 0;
}

static const struct fault_link bandwidth_link = {.netem = add_rate, .action = &link_netem};

const struct fault fault_bandwidth = {
	.name = "bandwidth",
	.about = "octets pass at a limited rate, and their sender feels it",
	.known_as = "slow clients, thin lines",
	.options = bandwidth_options,
	.options_size = sizeof(struct bandwidth_options),
	.stream = &bandwidth_stream,
	.link = &bandwidth_link,
};
