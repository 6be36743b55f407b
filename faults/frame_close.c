/*
 * Somebody on the path ends the WebSocket properly: a gateway that restarts (1012), a proxy that is told to go away
 * (1001), a limit (1008, 1013). Behind the chosen frame a Close goes to the client, to the server, or to both, where
 * the direction is between two frames; nothing follows it there. After `grace` both sides get a FIN.
 *
 * A Close to the server is masked, with a key by the seed, as a client's frames must be (RFC 6455 5.3). In a direction
 * that this fault does not work in, or in which there are no frames, none can be sent.
 */
#include "faults/fault.h"
#include "faults/frame_choice.h"
#include "harness/base/buf.h"
#include "harness/base/limits.h"
#include "harness/ws/close_code.h"
#include "harness/ws/utf8.h"

/* SIDES_ROW(name, directions) */
#define TO_SIDES                                                                                                       \
	SIDES_ROW(both, STREAM_BOTH)                                                                                   \
	SIDES_ROW(client, STREAM_DOWN)                                                                                 \
	SIDES_ROW(server, STREAM_UP)
#define FROM_SIDES                                                                                                     \
	SIDES_ROW(any, STREAM_BOTH)                                                                                    \
	SIDES_ROW(client, STREAM_UP)                                                                                   \
	SIDES_ROW(server, STREAM_DOWN)

#define SIDES_ROW(name, directions) #name,
static const char *const to_choices[] = {TO_SIDES NULL};
static const char *const from_choices[] = {FROM_SIDES NULL};
#undef SIDES_ROW
#define SIDES_ROW(name, directions) directions,
static const unsigned to_directions[] = {TO_SIDES};
static const unsigned from_directions[] = {FROM_SIDES};
#undef SIDES_ROW

struct frame_close_options {
	struct frame_choice choice;
	int to, from;
	int64_t code;
	const char *reason;
	uint64_t grace_us;
};

static const struct opt frame_close_options[] = {
	FRAME_CHOICE_ROWS(struct frame_close_options, choice, "close behind"),
	{.name = "from", .type = OPT_ENUM, .offset = offsetof(struct frame_close_options, from), .def = "any",
	 .choices = from_choices, .help = "whose frames these are"},
	{.name = "to", .type = OPT_ENUM, .offset = offsetof(struct frame_close_options, to), .def = "both",
	 .choices = to_choices, .help = "who gets the Close frame"},
	{.name = "code", .type = OPT_INT, .offset = offsetof(struct frame_close_options, code), .def = "1012",
	 .min = 1000, .max = 4999, .help = "its code; 1005: none, and no payload"},
	{.name = "reason", .type = OPT_STRING, .offset = offsetof(struct frame_close_options, reason), .def = "",
	 .help = "its reason"},
	{.name = "grace", .type = OPT_MICROS, .offset = offsetof(struct frame_close_options, grace_us), .def = "1s",
	 .help = "how much later the FIN comes"},
	{0},
};

struct frame_close_state {
	struct frame_chooser choosers[DIRECTIONS];
	bool closing;              /* the chosen frame has been */
	bool over[DIRECTIONS];     /* a Close was sent, or can not be any more */
	bool sent[DIRECTIONS];
};

static int check(const void *options, struct err *e)
{
	const struct frame_close_options *o = options;
	if (o->code != CLOSE_NO_CODE && !close_code_sendable((uint16_t)o->code))
		return err_set(e, EINVAL, "a Close frame may not carry the code %d (RFC 6455 7.4)", (int)o->code);
	if (o->code == CLOSE_NO_CODE && *o->reason)
		return err_set(e, EINVAL, "a Close frame without a code (1005) has no reason");
	if (strlen(o->reason) > CLOSE_REASON_MAX)
		return err_set(e, EINVAL, "a reason has at most %d octets (RFC 6455 5.5)", CLOSE_REASON_MAX);
	if (!utf8_valid(span_str(o->reason), NULL))
		return err_set(e, EINVAL, "a reason is UTF-8 (RFC 6455 5.5.1)");
	return 0;
}

static void on_open(struct filter *f)
{
	struct frame_close_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		frame_chooser_init(&s->choosers[d], f, d);
}

static void send_close(struct filter *f, enum direction d)
{
	const struct frame_close_options *o = f->options;
	struct frame_close_state *s = f->state;
	struct buf octets CLEANUP(buf_fini) = {0};
	uint8_t payload[2 + CLOSE_REASON_MAX] = {(uint8_t)(o->code >> 8), (uint8_t)o->code};
	size_t len = strlen(o->reason);
	struct frame close = {.fin = true, .opcode = OPCODE_CLOSE, .masked = d == UPSTREAM};
	memcpy(payload + 2, o->reason, len);
	close.payload = span_of(payload, o->code == CLOSE_NO_CODE ? 0 : 2 + len);
	if (close.masked)
		rng_fill(&s->choosers[d].rng, close.key, sizeof(close.key));
	buf_init(&octets, FRAME_HEAD_MAX + sizeof(payload));
	s->over[d] = s->sent[d] = true;
	if (frame_write(&octets, &close) < 0)
		return; /* no memory: the FIN alone */
	filter_tell(f, d, "close", s->choosers[d].frames.seen, "code=%d", (int)o->code);
	filter_pass(f, d, buf_span(&octets));
}

/* Where a Close is due and the direction is between two frames. */
static void send_where_due(struct filter *f)
{
	const struct frame_close_options *o = f->options;
	struct frame_close_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		const struct frames *frames = &s->choosers[d].frames;
		bool between = frames->kind == FRAMES_FRAME && !frames_inside(frames);
		if (s->closing && between && !s->over[d] && to_directions[o->to] & f->streams & 1u << d) {
			frames_flush(&s->choosers[d].frames, f);
			send_close(f, d);
		}
	}
}

static void begin_closing(struct filter *f, struct frame_chooser *c, const struct cut *cut)
{
	const struct frame_close_options *o = f->options;
	struct frame_close_state *s = f->state;
	uint64_t at_us;
	s->closing = true;
	frame_chooser_tell(c, f, cut, "hit");
	filter_wake_at(f, __builtin_add_overflow(f->now_us, o->grace_us, &at_us) ? UINT64_MAX - 1 : at_us);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct frame_close_options *o = f->options;
	struct frame_close_state *s = f->state;
	struct frame_chooser *c = &s->choosers[d];
	bool counted = from_directions[o->from] & 1u << d;
	struct cut cut;
	while (!s->sent[d] && (counted ? frame_chooser_next(c, f, &o->choice, &octets, &cut) :
					 frames_next(&c->frames, &octets, &cut))) {
		frames_pass(&c->frames, f, cut.octets);
		if (!cut.last)
			continue;
		if (counted && c->take && !s->closing)
			begin_closing(f, c, &cut);
		send_where_due(f);
	}
	frames_flush(&c->frames, f);
}

static void on_eof(struct filter *f, enum direction d)
{
	struct frame_close_state *s = f->state;
	if (!s->sent[d])
		frames_let_go(&s->choosers[d].frames, f);
	s->over[d] = true;
	filter_pass_eof(f, d);
}

static void end(struct filter *f)
{
	filter_tell(f, DOWNSTREAM, "end", f->offset[DOWNSTREAM], "how=fin");
	filter_end(f, STREAM_END_FIN);
}

static void on_release(struct filter *f)
{
	struct frame_close_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (!s->sent[d])
			frames_let_go(&s->choosers[d].frames, f);
	if (s->sent[UPSTREAM] || s->sent[DOWNSTREAM]) /* nothing may follow a Close */
		end(f);
}

static const struct filter_ops frame_close_stream = {
	.state_size = sizeof(struct frame_close_state),
	.streams = STREAM_BOTH,
	.clear = frame_choice_clear,
	.open = on_open,
	.data = on_data,
	.eof = on_eof,
	.wake = end,
	.release = on_release,
};

const struct fault fault_frame_close = {
	.name = "frame_close",
	.about = "a Close frame is put behind a chosen frame, and the connection ends",
	.known_as = "gateways that restart, rolling deploys of a proxy",
	.options = frame_close_options,
	.options_size = sizeof(struct frame_close_options),
	.check = check,
	.stream = &frame_close_stream,
};
