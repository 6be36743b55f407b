/* Sending: frames from specs, remembered as owing an answer, written whole, in pieces, or all at once. */
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/run/interp_internal.h"

enum {
	PIECE_INTERVAL_MS = 1,  /* between two pieces of a paced write, so that they arrive as separate reads */
	PIECES_PACED_MAX = 300, /* later pieces go out without a pause: long writes stay short */
};

/* Remembering ---------------------------------------------------------------------------------------------------------------- */

static struct owed *owe(struct case_run *run, struct owed_list *list, uint8_t opcode, struct span octets)
{
	struct owed *o = ARENA_NEW(&run->arena, struct owed);
	if (!o)
		return NULL;
	*o = (struct owed){.opcode = opcode, .octets = arena_span(&run->arena, octets), .after_bad = run->bad, .after_close = run->conn.we_closed};
	if (!list->last)
		list->last = &list->first;
	*list->last = o;
	list->last = &o->next;
	return o;
}

static void remember(struct case_run *run, const struct frame *f)
{
	if (f->opcode == OPCODE_PING) {
		run->newest_ping = owe(run, &run->pings, OPCODE_PING, f->payload);
		run->newest_ping_answered = false;
		run->n_pings++;
		return;
	}
	if (opcode_is_control(f->opcode) || opcode_is_reserved(f->opcode))
		return;
	if (f->opcode != OPCODE_CONTINUATION) {
		run->message.len = 0;
		run->message_opcode = f->opcode;
		run->message_open = true;
	}
	if (!run->message_open)
		return;
	buf_append_span(&run->message, f->payload);
	if (!f->fin)
		return;
	owe(run, &run->echoes, run->message_opcode, buf_span(&run->message));
	run->message_open = false;
}

/* Writing -------------------------------------------------------------------------------------------------------------------- */

static void write_piece(struct case_run *run, size_t len)
{
	conn_write(&run->conn, span_of(run->out.p + run->out_at, len));
	run->out_at += len;
}

static void on_piece(void *owner)
{
	struct case_run *run = owner;
	bool stop = !conn_alive(&run->conn) || (run->bad && run->end.close);
	while (!stop && run->out_at < run->out.len) {
		size_t left = run->out.len - run->out_at, piece = run->chop > 0 ? (size_t)run->chop : left;
		write_piece(run, piece < left ? piece : left);
		if (++run->pieces < PIECES_PACED_MAX && run->out_at < run->out.len) {
			timer_start(&run->pace, run->env->loop, PIECE_INTERVAL_MS, on_piece, run);
			return;
		}
	}
	run->out.len = run->out_at = 0;
	run->cut = 0;
	if (run->wait == WAIT_SENDING) {
		run->wait = WAIT_NOTHING;
		case_advance(run);
	}
}

bool case_flush(struct case_run *run)
{
	if (run->out.len == 0)
		return false;
	if (!conn_alive(&run->conn) && !run->conn.eof) {
		run->out.len = 0;
		return false;
	}
	if (run->chop <= 0 && run->cut <= 0) {
		write_piece(run, run->out.len);
		run->out.len = run->out_at = 0;
		return false;
	}
	size_t first = run->cut > 0 ? (size_t)run->cut : (size_t)run->chop;
	if (run->cut_from_end)
		first = run->out.len > (size_t)run->cut ? run->out.len - (size_t)run->cut : 1;
	run->cut_from_end = false;
	write_piece(run, first < run->out.len ? first : run->out.len);
	run->pieces++;
	timer_start(&run->pace, run->env->loop, PIECE_INTERVAL_MS, on_piece, run);
	return true;
}

/* Frames --------------------------------------------------------------------------------------------------------------------- */

static void set_key(struct case_run *run, struct frame *f, enum mask_mode mode)
{
	static const uint8_t fixed[][4] = {[MASK_ZERO] = {0}, [MASK_ONES] = {0xff, 0xff, 0xff, 0xff}, [MASK_1234] = {1, 2, 3, 4},
				    [MASK_EXAMPLE] = {0x37, 0xfa, 0x21, 0x3d}};
	f->masked = mode != MASK_NONE;
	if (mode == MASK_RANDOM)
		rng_fill(&run->rng, f->key, 4);
	else if (f->masked)
		memcpy(f->key, fixed[mode], 4);
}

/* Appends to the writer; `cut` keeps only the first octets. */
static void append_frame(struct case_run *run, const struct frame *f, size_t cut)
{
	size_t at = run->out.len;
	if (frame_write(&run->out, f) < 0) {
		case_grade(run, GRADE_FAIL, NULL, "a frame of %zu octets does not fit the writer", f->payload.len);
		return;
	}
	if (cut && run->out.len - at > cut)
		run->out.len = at + cut;
	struct frame_head head;
	if (frame_head_parse(span_of(run->out.p + at, run->out.len - at), &head))
		transcript_frame(&run->transcript, clock_now_us(), true, &head, f->payload, f->payload.len);
	else
		transcript_octets(&run->transcript, clock_now_us(), true, span_of(run->out.p + at, run->out.len - at));
}

static size_t pattern_len(const struct case_run *run, size_t pattern)
{
	uint64_t limit = run->env->target->contract.max_message;
	switch (pattern) {
	case SIZE_MAX: return (size_t)(run->iter > 0 ? run->iter : 0);
	case SIZE_MAX - 1: return (size_t)limit;
	case SIZE_MAX - 2: return (size_t)limit + 1;
	default: return pattern;
	}
}

static struct span make_payload(struct case_run *run, const struct payload *p, uint8_t opcode)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
	size_t len = p->pattern ? pattern_len(run, p->pattern) : p->lit_len;
	if (!p->pattern)
		return case_text(run, p->lit, p->lit_len);
	uint8_t *octets = arena_alloc(&run->arena, len + 1);
	if (!octets)
		return (struct span){0};
	if (p->repeat_lit) {
		for (size_t i = 0; i < len; i++)
			octets[i] = (uint8_t)p->lit[i % p->lit_len];
		return span_of(octets, len);
	}
	rng_fill(&run->rng, octets, len);
	if (opcode == OPCODE_TEXT || opcode == OPCODE_CONTINUATION || opcode == OPCODE_CLOSE)
		for (size_t i = 0; i < len; i++)
			octets[i] = (uint8_t)letters[octets[i] & 63];
	return span_of(octets, len);
}

static bool send_frame(struct case_run *run, const struct frame_spec *spec, struct span payload)
{
	struct frame f = {.fin = !spec->more, .rsv = spec->rsv_iter ? (uint8_t)run->iter : spec->rsv,
			  .opcode = spec->opcode_iter ? (uint8_t)run->iter : spec->opcode, .form = spec->form, .declare = spec->declare,
			  .declared = spec->declared, .payload = payload};
	size_t cut = spec->cut == AT_ITER ? (size_t)run->iter : (size_t)spec->cut;
	set_key(run, &f, spec->mask);
	append_frame(run, &f, cut);
	if (spec->bad) {
		run->bad = run->conn.provoked = true;
		run->end.bad_close = f.opcode == OPCODE_CLOSE;
	} else if (f.opcode == OPCODE_CLOSE && !run->conn.we_closed) {
		run->conn.we_closed = true;
		run->conn.our_code = run->our_code = payload.len < 2 ? -1 : payload.p[0] << 8 | payload.p[1];
	}
	if (cut || (spec->declare && spec->declared != payload.len))
		run->sync_lost = true;
	else
		remember(run, &f);
	return run->gather ? false : case_flush(run);
}

/* One of several frames of a step: paced writing takes them all at once, so that the pieces run across frame ends. */
static bool send_part(struct case_run *run, const struct frame_spec *spec, struct span payload, bool last)
{
	bool gather = run->gather;
	run->gather = gather || ((run->chop > 0 || run->cut > 0) && !last);
	bool waits = send_frame(run, spec, payload);
	run->gather = gather;
	return waits;
}

static bool send_times(struct case_run *run, const struct step *s)
{
	unsigned times = s->frame.times ? s->frame.times : 1;
	bool waits = false;
	for (unsigned i = 0; i < times; i++) {
		struct span payload = make_payload(run, &s->frame.payload, s->frame.opcode);
		if (s->frame.numbered)
			payload = span_str(arena_printf(&run->arena, "%.*s-%u", (int)payload.len, (const char *)payload.p, i));
		waits = send_part(run, &s->frame, payload, i + 1 == times);
	}
	return waits;
}

static bool send_message(struct case_run *run, const struct step *s)
{
	struct frame_spec part = s->frame;
	struct span whole = make_payload(run, &part.payload, part.opcode);
	size_t split = part.split == AT_ITER ? (size_t)run->iter : (size_t)part.split;
	size_t size = split ? split : part.fragment ? part.fragment : whole.len;
	size_t n = split ? 2 : size ? (whole.len + size - 1) / size : 1;
	n = (n ? n : 1) + part.empty_last;
	bool waits = false;
	for (size_t i = 0; i < n; i++) {
		part.opcode = i ? OPCODE_CONTINUATION : s->frame.opcode;
		part.more = i + 1 < n;
		waits = send_part(run, &part, span_sub(whole, i * size, split && i ? whole.len : size), i + 1 == n);
	}
	return waits;
}

struct owed *case_send_ping(struct case_run *run, const char *prefix)
{
	char text[64];
	snprintf(text, sizeof(text), "%s-%08llx", prefix, (unsigned long long)rng_u64(&run->rng) & 0xffffffff);
	struct frame f = {.fin = true, .opcode = OPCODE_PING, .payload = span_str(text)};
	set_key(run, &f, MASK_RANDOM);
	append_frame(run, &f, 0);
	struct owed *o = owe(run, &run->pings, OPCODE_PING, f.payload);
	case_flush(run);
	return o;
}

void case_send_works(struct case_run *run)
{
	if (!run->env->has_echo || run->conn.extension || run->other_service) {
		run->barrier_answered = false;
		run->barrier = case_send_ping(run, "works");
		return;
	}
	char text[64];
	snprintf(text, sizeof(text), "works-%08llx", (unsigned long long)rng_u64(&run->rng) & 0xffffffff);
	struct frame f = {.fin = true, .opcode = OPCODE_TEXT, .payload = span_str(text)};
	set_key(run, &f, MASK_RANDOM);
	append_frame(run, &f, 0);
	remember(run, &f);
	case_flush(run);
}

void case_send_trigger(struct case_run *run)
{
	struct frame f = {.fin = true, .opcode = OPCODE_TEXT, .payload = span_str(run->env->target->close_trigger)};
	set_key(run, &f, MASK_RANDOM);
	append_frame(run, &f, 0);
	struct owed *o = owe(run, &run->echoes, OPCODE_TEXT, f.payload);
	if (o)
		o->optional = true;
	run->triggered = true;
	case_flush(run);
}

/* The texts are masked on the wire: only somebody who read them as frames can send them back in clear. */
#define STRAY_PING "stray-ping"
#define STRAY_TEXT "stray-text"

void case_send_stray(struct case_run *run)
{
	const struct frame frames[] = {{.fin = true, .opcode = OPCODE_PING, .payload = SPAN_LIT(STRAY_PING)},
				       {.fin = true, .opcode = OPCODE_TEXT, .payload = SPAN_LIT(STRAY_TEXT)}};
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct frame f = frames[i];
		set_key(run, &f, MASK_1234);
		append_frame(run, &f, 0);
	}
	case_flush(run);
}

bool case_stray_answered(const struct case_run *run)
{
	struct span tail = buf_span(&run->conn.message);
	return span_find(tail, SPAN_LIT(STRAY_PING)) >= 0 || span_find(tail, SPAN_LIT(STRAY_TEXT)) >= 0;
}

void case_send_close(struct case_run *run, long code, struct span reason)
{
	uint8_t body[256] = {(uint8_t)(code >> 8), (uint8_t)code};
	size_t len = code < 0 ? 0 : 2;
	if (code >= 0 && reason.len) {
		if (reason.len > sizeof(body) - 2)
			reason.len = sizeof(body) - 2;
		memcpy(body + 2, reason.p, reason.len);
		len += reason.len;
	}
	struct frame f = {.fin = true, .opcode = OPCODE_CLOSE, .payload = span_of(body, len)};
	set_key(run, &f, MASK_RANDOM);
	append_frame(run, &f, 0);
	run->n_closes++;
	if (!run->conn.we_closed)
		run->conn.our_code = run->our_code = (int)code;
	run->conn.we_closed = true;
}

static bool send_raw(struct case_run *run, const struct step *s)
{
	struct span octets = case_text(run, s->text, s->text_len);
	buf_append_span(&run->out, octets);
	transcript_octets(&run->transcript, clock_now_us(), true, octets);
	if (s->number)
		run->bad = run->conn.provoked = true;
	run->sync_lost = run->sync_lost || s->number;
	return run->gather ? false : case_flush(run);
}

bool case_send_step(struct case_run *run, const struct step *s)
{
	switch (s->kind) {
	case STEP_SEND: return send_times(run, s);
	case STEP_MESSAGE: return send_message(run, s);
	case STEP_RAW: return send_raw(run, s);
	case STEP_SEND_CLOSE:
		case_send_close(run, s->number, case_text(run, s->text, s->text_len));
		return run->gather ? false : case_flush(run);
	default: return false;
	}
}
