/*
 * A proxy that buffers: what comes bit by bit from the sender leaves in one piece, when enough of it is there, when a
 * frame is complete, or when it has been held too long. The sender's pace is lost, and behind a long frame everything
 * waits.
 */
#include "faults/fault.h"
#include "faults/frames.h"
#include "faults/held.h"

enum { BUFFER_SIZE_MAX = FILTER_HELD_MAX / 2 }; /* so that the sender is never told to wait before it is reached */

enum until { UNTIL_SIZE, UNTIL_FRAME };
static const char *const until_choices[] = {"size", "frame", NULL};

struct buffer_options {
	int until;
	uint64_t size, hold_us;
};

static const struct opt buffer_options[] = {
	{.name = "until", .type = OPT_ENUM, .offset = offsetof(struct buffer_options, until), .def = "size",
	 .choices = until_choices, .help = "hold until there are `size` octets, or until a frame or a head is complete"},
	{.name = "size", .type = OPT_SIZE, .offset = offsetof(struct buffer_options, size), .def = "64KiB", .min = 1,
	 .max = BUFFER_SIZE_MAX, .bare = 1, .help = "octets that leave in one piece; of a longer frame, too"},
	{.name = "hold", .type = OPT_MICROS, .offset = offsetof(struct buffer_options, hold_us), .def = "0s",
	 .help = "the longest time that octets are held, 0s: as long as it takes"},
	{0},
};

struct buffer_side {
	struct frames frames;
	uint64_t since_us;         /* when the first held octet came */
	bool told;
};

struct buffer_state {
	int until;
	struct buffer_side sides[DIRECTIONS];
};

static bool needs_clear(const void *options)
{
	const struct buffer_options *o = options;
	return o->until == UNTIL_FRAME;
}

static void arm(struct filter *f)
{
	const struct buffer_options *o = f->options;
	const struct buffer_state *s = f->state;
	uint64_t at_us = UINT64_MAX;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		uint64_t due_us;
		if (o->hold_us && held_len(f, d) &&
		    !__builtin_add_overflow(s->sides[d].since_us, o->hold_us, &due_us) && due_us < at_us)
			at_us = due_us;
	}
	filter_wake_at(f, at_us);
}

static void follow(struct filter *f)
{
	const struct buffer_options *o = f->options;
	struct buffer_state *s = f->state;
	s->until = o->until;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		frames_init(&s->sides[d].frames, d);
}

/* Holds the octets; what makes `size` leaves. False: the connection has ended. */
static bool hold(struct filter *f, enum direction d, struct span octets, uint64_t at)
{
	const struct buffer_options *o = f->options;
	struct buffer_state *s = f->state;
	struct buffer_side *side = &s->sides[d];
	if (!side->told)
		filter_tell(f, d, "hit", at, "until=%s", until_choices[o->until]);
	side->told = true;
	while (octets.len) {
		size_t room = (size_t)o->size - held_len(f, d);
		struct span part = span_sub(octets, 0, room);
		if (!held_len(f, d))
			side->since_us = f->now_us;
		if (!held_keep(f, d, part, 0))
			return false;
		if (part.len == room)
			held_pass_all(f, d);
		octets = span_sub(octets, part.len, octets.len);
	}
	return true;
}

static void hold_frames(struct filter *f, enum direction d, struct span octets)
{
	struct buffer_state *s = f->state;
	struct buffer_side *side = &s->sides[d];
	struct cut cut;
	while (frames_next(&side->frames, &octets, &cut)) {
		frames_tell_plain(&side->frames, f, &cut);
		if (cut.kind == FRAMES_PLAIN) {
			held_pass_all(f, d);
			filter_pass(f, d, cut.octets);
			continue;
		}
		if (!hold(f, d, cut.octets, cut.at))
			return;
		if (cut.last)
			held_pass_all(f, d);
	}
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct buffer_state *s = f->state;
	if (s->until == UNTIL_FRAME)
		hold_frames(f, d, octets);
	else
		hold(f, d, octets, f->offset[d]);
	arm(f);
}

static void let_go(struct filter *f, enum direction d)
{
	struct buffer_state *s = f->state;
	held_pass_all(f, d);
	frames_let_go(&s->sides[d].frames, f);
}

static void on_eof(struct filter *f, enum direction d)
{
	let_go(f, d);
	filter_pass_eof(f, d);
	arm(f);
}

static void on_wake(struct filter *f)
{
	const struct buffer_options *o = f->options;
	struct buffer_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (f->now_us - s->sides[d].since_us >= o->hold_us)
			held_pass_all(f, d);
	arm(f);
}

static void on_release(struct filter *f)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		let_go(f, d);
}

/* What is held was held by other rules: it leaves. Frames that were followed are followed on. */
static void on_changed(struct filter *f)
{
	const struct buffer_options *o = f->options;
	struct buffer_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		held_pass_all(f, d);
	if (s->until != o->until) {
		on_release(f);
		follow(f);
	}
	arm(f);
}

static const struct filter_ops buffer_stream = {
	.state_size = sizeof(struct buffer_state),
	.clear = needs_clear,
	.open = follow,
	.data = on_data,
	.eof = on_eof,
	.wake = on_wake,
	.changed = on_changed,
	.release = on_release,
};

const struct fault fault_buffer = {
	.name = "buffer",
	.about = "octets are held until there are enough or a frame is complete, and leave in one piece",
	.known_as = "head-of-line blocking at a proxy that buffers",
	.options = buffer_options,
	.options_size = sizeof(struct buffer_options),
	.stream = &buffer_stream,
};
