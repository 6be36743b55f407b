/*
 * Frames get lost while the connection lives: a proxy that does not understand Ping, a broken client library, a Pong
 * that never comes. TCP never does this; what waits for the frame must have a timeout of its own.
 *
 * A frame is dropped as its octets come. When the fault is taken off in the middle of one, the other side could not
 * make sense of the rest: the connection is ended with RST, and that is told.
 */
#include "faults/fault.h"
#include "faults/frame_choice.h"

struct frame_drop_options {
	struct frame_choice choice;
};

static const struct opt frame_drop_options[] = {
	FRAME_CHOICE_ROWS(struct frame_drop_options, choice, "drop"),
	{0},
};

struct frame_drop_state {
	struct frame_chooser choosers[DIRECTIONS];
};

static void on_open(struct filter *f)
{
	struct frame_drop_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		frame_chooser_init(&s->choosers[d], f, d);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct frame_drop_options *o = f->options;
	struct frame_drop_state *s = f->state;
	struct frame_chooser *c = &s->choosers[d];
	struct cut cut;
	while (frame_chooser_next(c, f, &o->choice, &octets, &cut)) {
		if (!c->take)
			frames_pass(&c->frames, f, cut.octets);
		else if (cut.first)
			frame_chooser_tell(c, f, &cut, "hit");
	}
	frames_flush(&c->frames, f);
}

static void on_eof(struct filter *f, enum direction d)
{
	struct frame_drop_state *s = f->state;
	frames_let_go(&s->choosers[d].frames, f);
	filter_pass_eof(f, d);
}

static void on_release(struct filter *f)
{
	struct frame_drop_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		if (frames_inside(&s->choosers[d].frames) && s->choosers[d].take) {
			filter_tell(f, d, "end", f->offset[d], "how=rst reason=inside-a-frame");
			filter_end(f, STREAM_END_RST);
			return;
		}
		frames_let_go(&s->choosers[d].frames, f);
	}
}

static const struct filter_ops frame_drop_stream = {
	.state_size = sizeof(struct frame_drop_state),
	.streams = STREAM_BOTH,
	.clear = frame_choice_clear,
	.open = on_open,
	.data = on_data,
	.eof = on_eof,
	.release = on_release,
};

const struct fault fault_frame_drop = {
	.name = "frame_drop",
	.about = "chosen WebSocket frames do not arrive",
	.known_as = "lost pongs, proxies that swallow control frames",
	.options = frame_drop_options,
	.options_size = sizeof(struct frame_drop_options),
	.stream = &frame_drop_stream,
};
