/*
 * Latency and jitter: mobile networks, far regions, a proxy that is slow today. Octets leave `latency` +/- `jitter`
 * after they came, in their order: what would overtake waits. As in Toxiproxy a FIN is delayed only by what is before
 * it.
 *
 * Jitter is drawn for each virtual packet, LATENCY_PACKET octets of the direction's offset, from (seed, direction,
 * number of the packet): how read() cuts the octets changes nothing, nor does the traffic of the other direction.
 */
#include "faults/fault.h"
#include "faults/held.h"
#include "faults/link.h"

enum {
	LATENCY_PACKET = 1460,     /* octets of TCP in an Ethernet frame */
	TABLE_SIGMA = 8192,        /* of netem's tables */
	NORMAL_TERMS = 12,         /* Irwin and Hall: the sum of 12 has a deviation of 1 */
};
#define LATENCY_MAX_US 86400000000 /* 24h */

struct latency_options {
	uint64_t latency_us, jitter_us;
	int distribution;          /* enum netem_distribution */
	double correlation;
	bool keep_order;
};

static const struct opt latency_options[] = {
	{.name = "latency", .type = OPT_MICROS, .offset = offsetof(struct latency_options, latency_us), .def = "0s",
	 .max = LATENCY_MAX_US, .bare = 1000, .help = "how much later octets arrive"},
	{.name = "jitter", .type = OPT_MICROS, .offset = offsetof(struct latency_options, jitter_us), .def = "0s",
	 .max = LATENCY_MAX_US, .bare = 1000, .help = "by how much more or less; of a normal distribution, its deviation"},
	{.name = "distribution", .type = OPT_ENUM, .offset = offsetof(struct latency_options, distribution),
	 .def = "uniform", .choices = netem_distribution_names, .help = "how the jitter is distributed"},
	{.name = "correlation", .type = OPT_PERCENT, .offset = offsetof(struct latency_options, correlation), .def = "0%",
	 .help = "on a link: how much the jitter of a packet depends on that of the one before; " JITTER_CORRELATION_NOTE},
	{.name = "keep_order", .type = OPT_FLAG, .offset = offsetof(struct latency_options, keep_order), .def = "true",
	 .help = "on a link: packets do not overtake each other, whatever the jitter"},
	{0},
};

struct latency_state {
	uint64_t key;              /* with the number of a packet, of its jitter */
	uint64_t latency_us;       /* in force when the octets held came */
	uint64_t last_us[DIRECTIONS]; /* when the last octet leaves, or left */
	bool told[DIRECTIONS];
};

/* One of netem's values, in units of 1 / TABLE_SIGMA of the deviation. */
static int64_t from_table(struct rng *rng, int distribution)
{
	static int16_t tables[NETEM_DISTRIBUTIONS][NETEM_TABLE_LEN];
	static bool made[NETEM_DISTRIBUTIONS];
	if (!made[distribution])
		netem_table((enum netem_distribution)distribution, tables[distribution]);
	made[distribution] = true;
	return tables[distribution][rng_below(rng, NETEM_TABLE_LEN)];
}

/* Whole numbers and one product: the same on every machine. */
static int64_t deviation(struct rng *rng, const struct latency_options *o)
{
	if (o->distribution == NETEM_PARETO || o->distribution == NETEM_PARETONORMAL)
		return (int64_t)o->jitter_us * from_table(rng, o->distribution) / TABLE_SIGMA;
	if (o->distribution == NETEM_UNIFORM)
		return (int64_t)rng_below(rng, 2 * o->jitter_us + 1) - (int64_t)o->jitter_us;
	int64_t sum = -(int64_t)NORMAL_TERMS / 2 * ((int64_t)1 << 32);
	for (int i = 0; i < NORMAL_TERMS; i++)
		sum += (int64_t)(rng_u64(rng) >> 32);
	return (int64_t)((double)sum * 0x1p-32 * (double)o->jitter_us);
}

static uint64_t delay_us(const struct filter *f, enum direction d, uint64_t packet)
{
	const struct latency_options *o = f->options;
	const struct latency_state *s = f->state;
	struct rng rng;
	if (!o->jitter_us)
		return o->latency_us;
	rng_init(&rng, s->key + packet, direction_name(d));
	int64_t delay = (int64_t)o->latency_us + deviation(&rng, o);
	return delay > 0 ? (uint64_t)delay : 0;
}

static void on_open(struct filter *f)
{
	const struct latency_options *o = f->options;
	struct latency_state *s = f->state;
	s->key = rng_u64(&f->rng);
	s->latency_us = o->latency_us;
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct latency_options *o = f->options;
	struct latency_state *s = f->state;
	uint64_t at = f->offset[d];
	if (!s->told[d] && (o->latency_us || o->jitter_us)) {
		s->told[d] = true;
		filter_tell(f, d, "hit", at, "delay_us=%llu", (unsigned long long)delay_us(f, d, at / LATENCY_PACKET));
	}
	for (size_t n; octets.len; at += n, octets = span_sub(octets, n, octets.len)) {
		uint64_t due_us = f->now_us + delay_us(f, d, at / LATENCY_PACKET);
		n = o->jitter_us ? LATENCY_PACKET - at % LATENCY_PACKET : octets.len;
		n = n < octets.len ? n : octets.len;
		due_us = due_us > s->last_us[d] ? due_us : s->last_us[d];
		s->last_us[d] = due_us;
		if (due_us <= f->now_us && !held_len(f, d))
			filter_pass(f, d, span_sub(octets, 0, n));
		else if (!held_keep(f, d, span_sub(octets, 0, n), due_us))
			return;
	}
	filter_wake_at(f, held_next_us(f));
}

static void on_wake(struct filter *f)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		held_pass_due(f, d);
	filter_wake_at(f, held_next_us(f));
}

/* What is held now leaves when it would have left with the new latency. */
static void on_changed(struct filter *f)
{
	const struct latency_options *o = f->options;
	struct latency_state *s = f->state;
	int64_t by_us = (int64_t)o->latency_us - (int64_t)s->latency_us;
	s->latency_us = o->latency_us;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		held_shift(f, d, by_us);
		if (!held_len(f, d))
			s->last_us[d] = 0;
		else
			s->last_us[d] = by_us < 0 && s->last_us[d] < (uint64_t)-by_us ? 0 : s->last_us[d] + (uint64_t)by_us;
		s->told[d] = false;
	}
	on_wake(f);
}

static const struct filter_ops latency_stream = {
	.state_size = sizeof(struct latency_state),
	.open = on_open,
	.data = on_data,
	.wake = on_wake,
	.changed = on_changed,
};

static int add_latency(const void *options, struct netem *merged, struct err *e)
{
	const struct latency_options *o = options;
	if (merged->jitter_ns && o->jitter_us)
		return err_set(e, EINVAL, "an interface has one jitter at a time: another latency is at work on it");
	merged->delay_ns += o->latency_us * 1000;
	if (!o->jitter_us)
		return 0;
	merged->jitter_ns = o->jitter_us * 1000;
	merged->delay_correlation = o->correlation;
	merged->distribution = (enum netem_distribution)o->distribution;
	merged->keep_order = o->keep_order;
	return 0;
}

static const struct fault_link latency_link = {.netem = add_latency, .action = &link_netem};

const struct fault fault_latency = {
	.name = "latency",
	.about = "octets arrive later, by the same time or with jitter, in their order",
	.known_as = "slow mobile networks, far regions",
	.options = latency_options,
	.options_size = sizeof(struct latency_options),
	.stream = &latency_stream,
	.link = &latency_link,
};
