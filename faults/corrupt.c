/*
 * corrupt: bits flip on the way: bad memory in a middlebox, a checksum offload gone wrong. TCP's 16 bit sum lets some
 * of it through, TLS none, and a WebSocket peer sees broken UTF-8, wrong lengths, reserved bits. Where it hits is
 * drawn ahead, as gaps between hits, for each direction by itself: what is hit depends on the seed and the offset
 * alone.
 */
#include "faults/fault.h"
#include "faults/filter.h"
#include "faults/link.h"

enum {
	CORRUPT_COPY = 4096,       /* octets copied at once to flip bits in */
	CORRUPT_TOLD_MAX = 1000,   /* hits told of one direction; all are made */
	GAP_BITS = 62,             /* gaps are shorter than 1 << GAP_BITS */
};

static const char *const bits[] = {"any", "0", "1", "2", "3", "4", "5", "6", "7", NULL};

struct corrupt_options {
	double probability;
	int bit;                   /* 0: any; else one more than the bit */
};

static const struct opt corrupt_options[] = {
	{.name = "probability", .type = OPT_PERCENT, .offset = offsetof(struct corrupt_options, probability), .def = "0.1%",
	 .help = "how likely a bit of an octet is flipped; on a link, one of a packet"},
	{.name = "bit", .type = OPT_ENUM, .offset = offsetof(struct corrupt_options, bit), .def = "any", .choices = bits,
	 .help = "the bit that is flipped, 0 the lowest; on a link any"},
	{0},
};

struct hits {
	struct rng rng;
	uint64_t next;             /* offset of the octet hit next; UINT64_MAX: none */
	uint64_t n;
};

struct corrupt_state {
	struct hits hits[DIRECTIONS];
};

/*
 * Octets that stay whole before the next hit: n or more of them with probability (1 - p)^n. Found bit by bit with
 * products alone, which are the same on every machine; logarithms are not.
 */
static uint64_t gap(struct rng *rng, double p)
{
	double power[GAP_BITS], whole = 1, u = (double)((rng_u64(rng) >> 11) + 1) * 0x1p-53;
	uint64_t n = 0;
	power[0] = 1 - p;
	for (int i = 1; i < GAP_BITS; i++)
		power[i] = power[i - 1] * power[i - 1];
	for (int i = GAP_BITS - 1; i >= 0; i--)
		if (whole * power[i] >= u) {
			whole *= power[i];
			n |= (uint64_t)1 << i;
		}
	return n;
}

static void draw(struct filter *f, enum direction d, uint64_t from)
{
	const struct corrupt_options *o = f->options;
	struct hits *h = &((struct corrupt_state *)f->state)->hits[d];
	h->next = o->probability > 0 ? from + gap(&h->rng, o->probability) : UINT64_MAX;
}

static void on_open(struct filter *f)
{
	struct corrupt_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		rng_init(&s->hits[d].rng, rng_u64(&f->rng), direction_name(d));
		draw(f, d, 0);
	}
}

/* Flips one bit and draws the next hit. */
static uint8_t hit(struct filter *f, enum direction d, uint8_t octet)
{
	const struct corrupt_options *o = f->options;
	struct hits *h = &((struct corrupt_state *)f->state)->hits[d];
	unsigned bit = o->bit ? (unsigned)o->bit - 1 : (unsigned)rng_below(&h->rng, 8);
	if (h->n++ < CORRUPT_TOLD_MAX)
		filter_tell(f, d, "hit", h->next, "bit=%u", bit);
	draw(f, d, h->next + 1);
	return octet ^ (uint8_t)(1u << bit);
}

/*
 * Each piece begins with the octet that is hit, so that a hit is told before anything behind it passes: what comes
 * next may end the connection there, and what is told must not hang on how much was read at once.
 */
static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct hits *h = &((const struct corrupt_state *)f->state)->hits[d];
	uint8_t copy[CORRUPT_COPY];
	uint64_t at = f->offset[d];
	while (octets.len && h->next - at < octets.len) {
		struct span before = span_sub(octets, 0, h->next - at);
		filter_pass(f, d, before);
		octets = span_sub(octets, before.len, octets.len);
		at += before.len;
		struct span part = span_sub(octets, 0, sizeof(copy));
		memcpy(copy, part.p, part.len);
		do {
			size_t i = h->next - at; /* hit() moves it */
			copy[i] = hit(f, d, copy[i]);
		} while (h->next - at < part.len && h->n >= CORRUPT_TOLD_MAX);
		part = span_sub(span_of(copy, part.len), 0, h->next - at);
		filter_pass(f, d, part);
		octets = span_sub(octets, part.len, octets.len);
		at += part.len;
	}
	filter_pass(f, d, octets);
}

/* A gap has no memory: what comes from here on is hit with the new probability. */
static void on_changed(struct filter *f)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		draw(f, d, f->offset[d]);
}

static const struct filter_ops corrupt_stream = {
	.state_size = sizeof(struct corrupt_state),
	.open = on_open,
	.data = on_data,
	.changed = on_changed,
};

static int add_corrupt(const void *options, struct netem *merged, struct err *e)
{
	const struct corrupt_options *o = options;
	if (o->bit)
		return err_set(e, EINVAL, "which bit is flipped can be chosen on the plane stream alone: netem flips any");
	merged->corrupt = link_share(merged->corrupt, o->probability);
	return 0;
}

static const struct fault_link corrupt_link = {.netem = add_corrupt, .action = &link_netem};

const struct fault fault_corrupt = {
	.name = "corrupt",
	.about = "bits flip on the way",
	.known_as = "bad memory in a middlebox",
	.options = corrupt_options,
	.options_size = sizeof(struct corrupt_options),
	.stream = &corrupt_stream,
	.link = &corrupt_link,
};
