/*
 * Where frames begin and end, for the filters that work on frames. It is not harness/ws/frame.h's reader: filters need
 * the octets as they came, masked and with their heads, and a handshake comes before them.
 */
#include "faults/frames.h"

#include <string.h>
#include <strings.h>

static const struct span beginnings[DIRECTIONS] = {
	[UPSTREAM] = {(const uint8_t *)"GET ", 4}, /* RFC 6455 4.1: the method MUST be GET */
	[DOWNSTREAM] = {(const uint8_t *)"HTTP/1.", 7},
};

void frames_init(struct frames *c, enum direction d)
{
	*c = (struct frames){.direction = d};
}

bool frames_inside(const struct frames *c)
{
	return c->inside;
}

static void become_plain(struct frames *c, const char *why)
{
	c->kind = FRAMES_PLAIN;
	c->why = why;
	c->inside = false;
}

/* A piece of `len` octets from the front of *octets. */
static bool give(struct frames *c, struct span *octets, size_t len, bool last, struct cut *ret)
{
	if (!c->inside)
		c->began = c->seen;
	*ret = (struct cut){.kind = c->kind, .first = !c->inside, .last = last, .octets = span_sub(*octets, 0, len),
			    .head = c->kind == FRAMES_FRAME ? &c->head : NULL, .at = c->began};
	c->inside = !last;
	c->seen += len;
	*octets = span_sub(*octets, len, octets->len);
	return true;
}

/* HTTP heads ------------------------------------------------------------------------------------------------------ */

static bool has_websocket(const char *value)
{
	for (; *value; value++)
		if (strncasecmp(value, "websocket", 9) == 0)
			return true;
	return false;
}

/* A line without its end. False: this is no head. */
static bool look_at_line(struct frames *c)
{
	c->line[c->line_len < FRAMES_LINE_MAX ? c->line_len : FRAMES_LINE_MAX - 1] = '\0';
	if (c->lines++ > 0) {
		if (c->direction == UPSTREAM && strncasecmp(c->line, "upgrade:", 8) == 0 && has_websocket(c->line + 8))
			c->upgrade = true;
		return true;
	}
	if (strncmp(c->line, (const char *)beginnings[c->direction].p, beginnings[c->direction].len) != 0)
		return false;
	const char *p = c->line + 8; /* "HTTP/1.1 101" */
	if (c->direction == UPSTREAM)
		return true;
	if (strlen(c->line) < 12 || *p != ' ' || strspn(p + 1, "0123456789") != 3)
		return false;
	c->status = (p[1] - '0') * 100 + (p[2] - '0') * 10 + p[3] - '0';
	c->upgrade = c->status == 101;
	return true;
}

/* False: this octet cannot be of a head. *ret_end: the head ends with it. */
static bool take_octet(struct frames *c, uint8_t octet, bool *ret_end)
{
	struct span begin = beginnings[c->direction];
	if (octet != '\n') {
		if (c->line_len < FRAMES_LINE_MAX)
			c->line[c->line_len] = (char)octet;
		c->line_len++;
		return c->lines > 0 || c->line_len > begin.len || octet == begin.p[c->line_len - 1];
	}
	if (c->line_len > 0 && c->line_len <= FRAMES_LINE_MAX && c->line[c->line_len - 1] == '\r')
		c->line_len--;
	bool empty = c->line_len == 0;
	if (empty ? c->lines == 0 : !look_at_line(c))
		return false;
	c->line_len = 0;
	*ret_end = empty;
	return true;
}

/* What follows a head that has ended. */
static void head_ended(struct frames *c)
{
	bool more = c->direction == DOWNSTREAM && c->status / 100 == 1 && c->status != 101;
	if (c->upgrade)
		c->kind = FRAMES_FRAME;
	else if (!more)
		become_plain(c, c->direction == UPSTREAM ? "no-upgrade" : "not-101");
	c->upgrade = false;
	c->lines = c->line_len = 0;
}

static bool next_of_head(struct frames *c, struct span *octets, struct cut *ret)
{
	bool end = false;
	uint64_t so_far = c->inside ? c->seen - c->began : 0;
	size_t most = FRAMES_HEAD_MAX - (size_t)so_far, len = 0;
	while (len < octets->len && len < most && !end && !c->bad) {
		c->bad = !take_octet(c, octets->p[len], &end);
		len += !c->bad;
	}
	if (len == 0) {
		become_plain(c, c->bad ? "not-http" : "head-too-long");
		return give(c, octets, octets->len, false, ret);
	}
	give(c, octets, len, end, ret);
	if (end)
		head_ended(c);
	return true;
}

/* Frames ---------------------------------------------------------------------------------------------------------- */

/* Gathers a frame head; 0: more octets are needed. Else the octets of *octets that belong to the head. */
static size_t gather(struct frames *c, struct span octets)
{
	size_t had = c->n_kept, take = FRAME_HEAD_MAX - had < octets.len ? FRAME_HEAD_MAX - had : octets.len;
	memcpy(c->kept + had, octets.p, take);
	size_t size = frame_head_parse(span_of(c->kept, had + take), &c->head);
	if (!size) {
		c->n_kept = (uint8_t)(had + take);
		return 0;
	}
	c->left = c->head.len;
	return size - had;
}

/* The kept octets as a piece by themselves: those of the head that came with earlier octets, and its rest. */
static bool give_kept(struct frames *c, struct span *octets, size_t rest, struct cut *ret)
{
	struct span kept = span_of(c->kept, c->n_kept + rest), given = kept;
	c->n_kept = 0;
	*octets = span_sub(*octets, rest, octets->len);
	give(c, &given, kept.len, c->kind == FRAMES_FRAME && c->left == 0, ret);
	return true;
}

static bool next_of_frames(struct frames *c, struct span *octets, struct cut *ret)
{
	size_t head = 0;
	if (!c->inside) {
		bool split = c->n_kept > 0;
		head = gather(c, *octets);
		if (!head) {
			*octets = span_sub(*octets, octets->len, 0);
			return false;
		}
		if (split)
			return give_kept(c, octets, head, ret);
	}
	size_t most = octets->len - head, payload = c->left < most ? (size_t)c->left : most;
	c->left -= payload;
	return give(c, octets, head + payload, c->left == 0, ret);
}

/* The first octets of a direction --------------------------------------------------------------------------------- */

static bool is_sound(const struct frames *c, const struct frame_head *h)
{
	unsigned wrong = frame_head_faults(h) & ~(unsigned)(FRAME_FAULT_MASKED | FRAME_FAULT_RSV);
	bool compressed = h->rsv == 4 && !opcode_is_control(h->opcode); /* RFC 7692 6: RSV1 */
	return !wrong && (h->rsv == 0 || compressed) && h->masked == (c->direction == UPSTREAM);
}

/* Of the first `n` octets of a head that is not complete, whatever the others are: so that nobody waits for those. */
static bool may_be_sound(const struct frames *c, size_t n)
{
	uint8_t head[FRAME_HEAD_MAX] = {c->kept[0], c->direction == UPSTREAM ? 0x80 : 0};
	struct frame_head h;
	frame_head_parse(span_of(head, sizeof(head)), &h);
	return is_sound(c, &h) && (n < 2 || c->kept[1] >> 7 == (c->direction == UPSTREAM));
}

/* Decides what the direction begins with; false: more octets are needed. 'G' and 'H' begin no sound frame. */
static bool decide(struct frames *c, struct span *octets)
{
	size_t had = c->n_kept;
	if (had == 0 && octets->p[0] == beginnings[c->direction].p[0]) {
		c->kind = FRAMES_HEAD;
		return true;
	}
	bool whole = gather(c, *octets) > 0;
	if (!whole && may_be_sound(c, c->n_kept)) {
		*octets = span_sub(*octets, octets->len, 0);
		return false;
	}
	if (whole && is_sound(c, &c->head))
		c->kind = FRAMES_FRAME;
	else
		become_plain(c, "not-http");
	c->n_kept = (uint8_t)had;
	return true;
}

bool frames_next(struct frames *c, struct span *octets, struct cut *ret_cut)
{
	if (octets->len == 0 || (c->kind == FRAMES_NONE && !decide(c, octets)))
		return false;
	if (c->kind == FRAMES_HEAD)
		return next_of_head(c, octets, ret_cut);
	if (c->kind == FRAMES_FRAME)
		return next_of_frames(c, octets, ret_cut);
	if (c->n_kept)
		return give_kept(c, octets, 0, ret_cut);
	return give(c, octets, octets->len, false, ret_cut);
}

struct span frames_rest(struct frames *c)
{
	struct span rest = span_of(c->kept, c->n_kept);
	c->seen += c->n_kept;
	c->n_kept = 0;
	return rest;
}

/* For filters ----------------------------------------------------------------------------------------------------- */

void frames_flush(struct frames *c, struct filter *f)
{
	struct span run = c->run;
	c->run = (struct span){0};
	if (run.len)
		filter_pass(f, c->direction, run);
}

void frames_pass(struct frames *c, struct filter *f, struct span octets)
{
	if (c->run.len && c->run.p + c->run.len == octets.p) {
		c->run.len += octets.len;
		return;
	}
	frames_flush(c, f);
	c->run = octets;
	if (octets.p >= c->kept && octets.p < c->kept + sizeof(c->kept)) /* gone with the next frame head */
		frames_flush(c, f);
}

void frames_let_go(struct frames *c, struct filter *f)
{
	frames_flush(c, f);
	struct span rest = frames_rest(c);
	if (rest.len)
		filter_pass(f, c->direction, rest);
}

void frames_tell_plain(struct frames *c, struct filter *f, const struct cut *cut)
{
	if (cut->kind != FRAMES_PLAIN || !cut->first)
		return;
	frames_flush(c, f);
	filter_tell(f, c->direction, "plain", cut->at, "why=%s", c->why);
}
