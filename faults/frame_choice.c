/* Choosing frames, once for all the faults that do it. */
#include "faults/frame_choice.h"

enum group { EACH, DATA, CONTROL };

/* KIND(name, opcode or -1 for any, group) */
#define KINDS                                                                                                          \
	KIND("any", -1, EACH)                                                                                          \
	KIND("text", OPCODE_TEXT, EACH)                                                                                \
	KIND("binary", OPCODE_BINARY, EACH)                                                                            \
	KIND("continuation", OPCODE_CONTINUATION, EACH)                                                                \
	KIND("ping", OPCODE_PING, EACH)                                                                                \
	KIND("pong", OPCODE_PONG, EACH)                                                                                \
	KIND("close", OPCODE_CLOSE, EACH)                                                                              \
	KIND("data", -1, DATA)                                                                                         \
	KIND("control", -1, CONTROL)

static const struct kind {
	int opcode;
	enum group group;
} kinds[] = {
#define KIND(name, opcode, group) {opcode, group},
	KINDS
#undef KIND
};

const char *const frame_choice_opcodes[] = {
#define KIND(name, opcode, group) name,
	KINDS
#undef KIND
	NULL,
};

void frame_chooser_init(struct frame_chooser *c, struct filter *f, enum direction d)
{
	*c = (struct frame_chooser){0};
	frames_init(&c->frames, d);
	rng_init(&c->rng, rng_u64(&f->rng), direction_name(d));
}

static bool matches(const struct frame_choice *choice, uint8_t opcode)
{
	const struct kind *k = &kinds[choice->opcode];
	if (k->group != EACH)
		return opcode_is_control(opcode) == (k->group == CONTROL);
	return k->opcode < 0 || k->opcode == opcode;
}

static bool is_taken(struct frame_chooser *c, const struct frame_choice *choice)
{
	c->number = ++c->matched;
	if (c->number <= choice->after || (c->number - choice->after) % choice->every != 0)
		return false;
	/* Drawn for each candidate, also behind `count`: the same frames whatever the others do. */
	bool drawn = (double)(rng_u64(&c->rng) >> 11) * 0x1p-53 < choice->probability;
	if (!drawn || (choice->count && c->taken >= choice->count))
		return false;
	c->taken++;
	return true;
}

bool frame_chooser_next(struct frame_chooser *c, struct filter *f, const struct frame_choice *choice,
			struct span *octets, struct cut *ret_cut)
{
	if (!frames_next(&c->frames, octets, ret_cut))
		return false;
	frames_tell_plain(&c->frames, f, ret_cut);
	if (ret_cut->kind != FRAMES_FRAME)
		c->take = false;
	else if (ret_cut->first)
		c->take = matches(choice, ret_cut->head->opcode) && is_taken(c, choice);
	return true;
}

void frame_chooser_tell(struct frame_chooser *c, struct filter *f, const struct cut *cut, const char *what)
{
	frames_flush(&c->frames, f);
	filter_tell(f, c->frames.direction, what, cut->at, "opcode=%s number=%llu len=%llu", opcode_name(cut->head->opcode),
		    (unsigned long long)c->number, (unsigned long long)cut->head->len);
}

bool frame_choice_clear(const void *options)
{
	(void)options;
	return true;
}
