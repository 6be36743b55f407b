/*
 * Slicer: octets come in small pieces, as a long way through real networks cuts them. Who takes one read for one
 * message breaks here. Where the slices end depends on the offset alone: octets of one slice that come in several
 * reads pass as they come, octets of several slices never pass as one piece. After each slice nothing passes for
 * `delay`.
 */
#include "faults/fault.h"
#include "faults/held.h"

enum { SLICER_HELD_MAX = 64 << 10, SLICER_SIZE_MAX = 1 << 30 };
#define SLICER_DELAY_MAX_US 86400000000 /* 24h */

struct slicer_options {
	uint64_t average_size, size_variation, delay_us;
};

static const struct opt slicer_options[] = {
	{.name = "average_size", .type = OPT_SIZE, .offset = offsetof(struct slicer_options, average_size), .def = "64B",
	 .min = 1, .max = SLICER_SIZE_MAX, .bare = 1, .help = "octets of a slice, on the average"},
	{.name = "size_variation", .type = OPT_SIZE, .offset = offsetof(struct slicer_options, size_variation),
	 .def = "0B", .max = SLICER_SIZE_MAX, .bare = 1, .help = "octets more or less; smaller than average_size"},
	{.name = "delay", .type = OPT_MICROS, .offset = offsetof(struct slicer_options, delay_us), .def = "0s",
	 .max = SLICER_DELAY_MAX_US, .bare = 1, .help = "how long after each slice nothing passes"},
	{0},
};

static int check(const void *options, struct err *e)
{
	const struct slicer_options *o = options;
	if (o->size_variation >= o->average_size)
		return err_set(e, EINVAL, "size_variation must be smaller than average_size");
	return 0;
}

struct slices {
	struct rng rng;
	uint64_t left;             /* octets of the slice that begun; 0: the next octet begins one */
	uint64_t free_us;          /* nothing passes before */
	bool told;
};

struct slicer_state {
	struct slices slices[DIRECTIONS];
};

static void on_open(struct filter *f)
{
	struct slicer_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		rng_init(&s->slices[d].rng, rng_u64(&f->rng), direction_name(d));
		held_limit(f, d, SLICER_HELD_MAX);
	}
}

static void wake_for_next(struct filter *f)
{
	const struct slicer_state *s = f->state;
	uint64_t at_us = UINT64_MAX;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (held_len(f, d) && s->slices[d].free_us < at_us)
			at_us = s->slices[d].free_us;
	filter_wake_at(f, at_us);
}

static uint64_t slice_size(const struct slicer_options *o, struct rng *rng)
{
	return o->average_size - o->size_variation + rng_below(rng, 2 * o->size_variation + 1);
}

static void pass_slices(struct filter *f, enum direction d)
{
	const struct slicer_options *o = f->options;
	struct slices *s = &((struct slicer_state *)f->state)->slices[d];
	size_t len;
	while ((len = held_len(f, d)) && s->free_us <= f->now_us) {
		if (!s->left)
			s->left = slice_size(o, &s->rng);
		len = len < s->left ? len : s->left;
		s->left -= len;
		if (!s->left)
			s->free_us = f->now_us + o->delay_us;
		held_pass(f, d, len);
	}
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct slicer_options *o = f->options;
	struct slices *s = &((struct slicer_state *)f->state)->slices[d];
	if (!s->told) {
		s->told = true;
		filter_tell(f, d, "hit", f->offset[d], "average_size=%llu delay_us=%llu",
			    (unsigned long long)o->average_size, (unsigned long long)o->delay_us);
	}
	if (!held_keep(f, d, octets, 0))
		return;
	pass_slices(f, d);
	wake_for_next(f);
}

static void on_wake(struct filter *f)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		pass_slices(f, d);
	wake_for_next(f);
}

/* A slice that begun keeps its size; nobody waits longer than the new delay. */
static void on_changed(struct filter *f)
{
	const struct slicer_options *o = f->options;
	struct slicer_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		if (s->slices[d].free_us > f->now_us + o->delay_us)
			s->slices[d].free_us = f->now_us + o->delay_us;
		s->slices[d].told = false;
	}
	on_wake(f);
}

static const struct filter_ops slicer_stream = {
	.state_size = sizeof(struct slicer_state),
	.open = on_open,
	.data = on_data,
	.wake = on_wake,
	.changed = on_changed,
};

const struct fault fault_slicer = {
	.name = "slicer",
	.about = "octets come in small slices, with a pause between them if wanted",
	.known_as = "packets cut on the way: one read is not one message",
	.options = slicer_options,
	.options_size = sizeof(struct slicer_options),
	.check = check,
	.stream = &slicer_stream,
};
