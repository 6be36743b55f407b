/*
 * A message comes twice: a retry in the middle of the path, a broker that redelivers. The copy is the frame's octets
 * again, with its mask, right behind it. What is sent twice is a frame: the copy of a fragment makes a message longer
 * or breaks its protocol, and `opcode` says which frames it may hit.
 *
 * A frame longer than FRAME_COPY_MAX, or with copies that would take more than COPIES_OCTETS_MAX, passes once, and that
 * is told.
 */
#include "faults/fault.h"
#include "faults/frame_choice.h"
#include "harness/base/buf.h"
#include "harness/base/limits.h"

enum {
	FRAME_COPY_MAX = 4 << 20,
	COPIES_OCTETS_MAX = 16 << 20, /* of one frame; they come out at once */
	COPIES_MAX = COPIES_OCTETS_MAX / STREAM_READ_CHUNK, /* so that those of the small frames of one read are no more */
};

struct frame_duplicate_options {
	struct frame_choice choice;
	uint64_t copies;
};

static const struct opt frame_duplicate_options[] = {
	FRAME_CHOICE_ROWS(struct frame_duplicate_options, choice, "duplicate"),
	{.name = "copies", .type = OPT_U64, .offset = offsetof(struct frame_duplicate_options, copies), .def = "1",
	 .min = 1, .max = COPIES_MAX, .help = "how many times more it is sent"},
	{0},
};

struct frame_duplicate_state {
	struct frame_chooser choosers[DIRECTIONS];
	struct buf copies[DIRECTIONS];
};

static void on_open(struct filter *f)
{
	struct frame_duplicate_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		frame_chooser_init(&s->choosers[d], f, d);
}

/* A piece of a chosen frame has been passed. */
static void copy(struct filter *f, enum direction d, const struct cut *cut)
{
	const struct frame_duplicate_options *o = f->options;
	struct frame_duplicate_state *s = f->state;
	struct frame_chooser *c = &s->choosers[d];
	struct buf *b = &s->copies[d];
	if (cut->first)
		buf_init(b, FRAME_COPY_MAX);
	uint64_t len_max = COPIES_OCTETS_MAX / o->copies < FRAME_COPY_MAX ? COPIES_OCTETS_MAX / o->copies : FRAME_COPY_MAX;
	if (cut->head->len > len_max - FRAME_HEAD_MAX || buf_append_span(b, cut->octets) < 0) {
		frame_chooser_tell(c, f, cut, "skip");
		c->take = false;
		buf_fini(b);
		return;
	}
	if (!cut->last)
		return;
	frame_chooser_tell(c, f, cut, "hit");
	frames_flush(&c->frames, f);
	for (uint64_t i = 0; i < o->copies; i++)
		filter_pass(f, d, buf_span(b));
	buf_fini(b);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct frame_duplicate_options *o = f->options;
	struct frame_duplicate_state *s = f->state;
	struct frame_chooser *c = &s->choosers[d];
	struct cut cut;
	while (frame_chooser_next(c, f, &o->choice, &octets, &cut)) {
		frames_pass(&c->frames, f, cut.octets);
		if (c->take)
			copy(f, d, &cut);
	}
	frames_flush(&c->frames, f);
}

static void on_eof(struct filter *f, enum direction d)
{
	struct frame_duplicate_state *s = f->state;
	frames_let_go(&s->choosers[d].frames, f);
	filter_pass_eof(f, d);
}

static void on_release(struct filter *f)
{
	struct frame_duplicate_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		frames_let_go(&s->choosers[d].frames, f);
}

static void on_fini(struct filter *f)
{
	struct frame_duplicate_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		buf_fini(&s->copies[d]);
}

static const struct filter_ops frame_duplicate_stream = {
	.state_size = sizeof(struct frame_duplicate_state),
	.streams = STREAM_BOTH,
	.clear = frame_choice_clear,
	.open = on_open,
	.data = on_data,
	.eof = on_eof,
	.release = on_release,
	.fini = on_fini,
};

const struct fault fault_frame_duplicate = {
	.name = "frame_duplicate",
	.about = "chosen WebSocket frames arrive more than once",
	.known_as = "redelivery, retries on the path",
	.options = frame_duplicate_options,
	.options_size = sizeof(struct frame_duplicate_options),
	.stream = &frame_duplicate_stream,
};
