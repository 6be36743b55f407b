#pragma once
/*
 * Which frames a frame fault takes: the options that the siblings frame_drop, frame_delay, frame_duplicate and
 * frame_close have in common. In each direction by itself the frames of the wanted kind are counted from 1; the first
 * `after` are left alone, of those behind them each `every`-th is taken with `probability`, and at most `count`.
 */
#include "faults/frames.h"
#include "harness/base/opt.h"

struct frame_choice {
	int opcode;                /* an index of frame_choice_opcodes */
	uint64_t after, every, count;
	double probability;
};

/* Frames counted: more than any connection carries, and still exact where a number is a double. */
#define FRAME_COUNT_MAX 1000000000000000

/* any, an opcode's name, data, control; NULL at the end. */
extern const char *const frame_choice_opcodes[];

/* The rows of an option table; `member` is the struct frame_choice in the struct `options`. */
#define FRAME_CHOICE_ROWS(options, member, what)                                                                       \
	{.name = "opcode", .type = OPT_ENUM, .offset = offsetof(options, member.opcode), .def = "any",                 \
	 .choices = frame_choice_opcodes, .help = "which frames to " what},                                            \
	{.name = "after", .type = OPT_U64, .offset = offsetof(options, member.after), .def = "0",                      \
	 .max = FRAME_COUNT_MAX, .help = "leave the first ones of these alone"},                                       \
	{.name = "every", .type = OPT_U64, .offset = offsetof(options, member.every), .def = "1", .min = 1,            \
	 .max = FRAME_COUNT_MAX, .help = "of the others each one of so many"},                                         \
	{.name = "count", .type = OPT_U64, .offset = offsetof(options, member.count), .def = "0",                      \
	 .max = FRAME_COUNT_MAX, .help = "at most so many in a direction of a connection; 0: no limit"},               \
	{.name = "probability", .type = OPT_PERCENT, .offset = offsetof(options, member.probability), .def = "100%",   \
	 .help = "of those, the share that is really taken, by the seed"}

/* One direction: its frames, and which of them are taken. */
struct frame_chooser {
	struct frames frames;
	struct rng rng;            /* of this direction, so that the other one's octets change nothing */
	uint64_t matched, taken;
	bool take;                 /* the frame at hand */
	uint64_t number;           /* of the frame at hand among those of the wanted kind, from 1 */
};

/* For f's open. */
void frame_chooser_init(struct frame_chooser *c, struct filter *f, enum direction d);
/* As frames_next, tells when the direction turns plain, and decides at the first piece of each frame. */
bool frame_chooser_next(struct frame_chooser *c, struct filter *f, const struct frame_choice *choice,
			struct span *octets, struct cut *ret_cut);
/* Tells an event about the frame of this cut, behind what is before it: "opcode=ping number=3 len=4". */
void frame_chooser_tell(struct frame_chooser *c, struct filter *f, const struct cut *cut, const char *what);
/* For filter_ops.clear: frames are always read in clear. */
bool frame_choice_clear(const void *options);
