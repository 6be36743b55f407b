/*
 * A frame is late while the octets of TCP are not: a server that answers a Ping from a busy event loop, a broker that
 * stalls on one message. What is behind it waits, as behind a slow handler; or overtakes it, as from another thread.
 *
 * With `overtake`, only whole messages and control frames are late: a fragment that others overtake would be another
 * message. A late frame goes in between two frames and not into a fragmented message; before a Close and a FIN all
 * that is late goes. A frame for which there is no room in FRAME_LATE_MAX passes at once, which is told as "skip".
 */
#include "faults/fault.h"
#include "faults/frame_choice.h"
#include "faults/held.h"

enum {
	FRAME_WAIT_MAX = 1 << 20,  /* octets of a direction that wait before their sender is to wait */
	FRAME_LATE_MAX = 4 << 20,  /* octets of a direction that are late while others overtake them */
	FRAME_LATE_COST = 64,      /* of one late frame, beside its octets */
};
#define FRAME_DELAY_MAX_US 86400000000 /* 24h */

struct frame_delay_options {
	struct frame_choice choice;
	uint64_t delay_us;
	bool overtake;
};

static const struct opt frame_delay_options[] = {
	FRAME_CHOICE_ROWS(struct frame_delay_options, choice, "delay"),
	{.name = "delay", .type = OPT_MICROS, .offset = offsetof(struct frame_delay_options, delay_us), .def = "1s",
	 .max = FRAME_DELAY_MAX_US, .bare = 1000, .help = "how late they are"},
	{.name = "overtake", .type = OPT_FLAG, .offset = offsetof(struct frame_delay_options, overtake), .def = "false",
	 .help = "the frames behind a late one do not wait for it"},
	{0},
};

struct frame_delay_side {
	struct frame_chooser chooser;
	uint64_t due_us;           /* of the last chosen frame */
	bool overtake;             /* what is held is the late frames; else all that waits */
	bool in_message;           /* a fragment has been passed, and not the last one */
	bool eof;
};

struct frame_delay_state {
	uint64_t delay_us;
	struct frame_delay_side sides[DIRECTIONS];
};

static int check(const void *options, struct err *e)
{
	const struct frame_delay_options *o = options;
	const char *opcode = frame_choice_opcodes[o->choice.opcode];
	if (o->overtake && strcmp(opcode, "continuation") == 0)
		return err_set(e, EINVAL, "nothing can overtake a continuation frame: it is a part of a message");
	if (o->overtake && strcmp(opcode, "close") == 0)
		return err_set(e, EINVAL, "nothing comes behind a Close frame that could overtake it");
	return 0;
}

static void on_open(struct filter *f)
{
	const struct frame_delay_options *o = f->options;
	struct frame_delay_state *s = f->state;
	s->delay_us = o->delay_us;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		frame_chooser_init(&s->sides[d].chooser, f, d);
}

static void settle(struct filter *f)
{
	struct frame_delay_state *s = f->state;
	uint64_t at_us = UINT64_MAX;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct frame_delay_side *side = &s->sides[d];
		uint64_t due_us = held_due_us(f, d);
		bool waits = side->overtake && !side->eof && (frames_inside(&side->chooser.frames) || side->in_message);
		if (side->eof && !held_len(f, d))
			filter_pass_eof(f, d);
		if (!waits && due_us < at_us) /* else the end of the frame or message is awaited */
			at_us = due_us;
	}
	filter_wake_at(f, at_us);
}

/* Late frames that may go now go. all: whether it is time or not. */
static void pass_late(struct filter *f, enum direction d, bool all)
{
	struct frame_delay_state *s = f->state;
	struct frame_delay_side *side = &s->sides[d];
	if (!side->overtake || !held_len(f, d) || side->in_message)
		return;
	if (!all && held_due_us(f, d) > f->now_us)
		return;
	frames_flush(&side->chooser.frames, f);
	if (all)
		held_pass_all(f, d);
	else
		held_pass_due(f, d);
}

/* The first piece of a chosen frame. */
static void begin_late(struct filter *f, enum direction d, const struct cut *cut)
{
	const struct frame_delay_options *o = f->options;
	struct frame_delay_state *s = f->state;
	struct frame_delay_side *side = &s->sides[d];
	uint64_t due_us;
	bool part = !cut->head->fin || cut->head->opcode == OPCODE_CONTINUATION;
	bool room = cut->head->len < FRAME_LATE_MAX && held_size(f, d) + cut->head->len + FRAME_LATE_COST < FRAME_LATE_MAX;
	if (side->overtake && (part || !room)) {
		side->chooser.take = false;
		frame_chooser_tell(&side->chooser, f, cut, "skip");
		return;
	}
	if (__builtin_add_overflow(f->now_us, o->delay_us, &due_us))
		due_us = UINT64_MAX - 1;
	if (due_us > side->due_us)
		side->due_us = due_us;
	frame_chooser_tell(&side->chooser, f, cut, "hit");
}

static void begin_frame(struct filter *f, enum direction d, const struct cut *cut)
{
	const struct frame_delay_options *o = f->options;
	struct frame_delay_state *s = f->state;
	struct frame_delay_side *side = &s->sides[d];
	pass_late(f, d, cut->head->opcode == OPCODE_CLOSE && !side->chooser.take);
	if (!held_len(f, d)) {
		side->overtake = o->overtake;
		held_limit(f, d, o->overtake ? FRAME_LATE_MAX : FRAME_WAIT_MAX);
	}
	if (side->chooser.take)
		begin_late(f, d, cut);
	if (!side->chooser.take && !opcode_is_control(cut->head->opcode))
		side->in_message = !cut->head->fin;
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct frame_delay_options *o = f->options;
	struct frame_delay_state *s = f->state;
	struct frame_delay_side *side = &s->sides[d];
	struct frames *frames = &side->chooser.frames;
	struct cut cut;
	while (frame_chooser_next(&side->chooser, f, &o->choice, &octets, &cut)) {
		if (cut.kind == FRAMES_FRAME && cut.first)
			begin_frame(f, d, &cut);
		bool waits = side->chooser.take || (!side->overtake && held_len(f, d));
		if (!waits)
			frames_pass(frames, f, cut.octets);
		else {
			frames_flush(frames, f);
			if (!held_keep(f, d, cut.octets, side->due_us))
				return;
		}
		if (cut.last)
			pass_late(f, d, false);
	}
	frames_flush(frames, f);
	settle(f);
}

static void on_wake(struct filter *f)
{
	struct frame_delay_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct frame_delay_side *side = &s->sides[d];
		if (!side->overtake || side->eof)
			held_pass_due(f, d);
		else if (!frames_inside(&side->chooser.frames))
			pass_late(f, d, false);
	}
	settle(f);
}

static void on_eof(struct filter *f, enum direction d)
{
	struct frame_delay_state *s = f->state;
	struct frame_delay_side *side = &s->sides[d];
	struct span rest = frames_rest(&side->chooser.frames);
	side->eof = true;
	if (rest.len && held_len(f, d)) {
		if (!held_keep(f, d, rest, side->due_us))
			return;
	} else if (rest.len) {
		filter_pass(f, d, rest);
	}
	settle(f);
}

/* What is late now is late by the new delay. */
static void on_changed(struct filter *f)
{
	const struct frame_delay_options *o = f->options;
	struct frame_delay_state *s = f->state;
	int64_t by_us = (int64_t)o->delay_us - (int64_t)s->delay_us;
	s->delay_us = o->delay_us;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct frame_delay_side *side = &s->sides[d];
		held_shift(f, d, by_us);
		side->due_us = by_us < 0 && side->due_us < (uint64_t)-by_us ? 0 : side->due_us + (uint64_t)by_us;
	}
	on_wake(f);
}

static void on_release(struct filter *f)
{
	struct frame_delay_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct frame_delay_side *side = &s->sides[d];
		bool inside = frames_inside(&side->chooser.frames) && !side->chooser.take;
		if (side->overtake && held_len(f, d) && !side->eof && (inside || side->in_message)) {
			filter_tell(f, d, "end", f->offset[d], "how=rst reason=inside-a-%s", inside ? "frame" : "message");
			filter_end(f, STREAM_END_RST);
			return;
		}
		held_pass_all(f, d);
		frames_let_go(&side->chooser.frames, f);
	}
}

static const struct filter_ops frame_delay_stream = {
	.state_size = sizeof(struct frame_delay_state),
	.streams = STREAM_BOTH,
	.clear = frame_choice_clear,
	.open = on_open,
	.data = on_data,
	.eof = on_eof,
	.wake = on_wake,
	.changed = on_changed,
	.release = on_release,
};

const struct fault fault_frame_delay = {
	.name = "frame_delay",
	.about = "chosen WebSocket frames arrive late",
	.known_as = "delayed pongs",
	.options = frame_delay_options,
	.options_size = sizeof(struct frame_delay_options),
	.check = check,
	.stream = &frame_delay_stream,
};
