/* Where an HTTP body ends is what request smuggling is made of: anything unclear is an error, never a guess. */
#include "harness/load/body.h"

#include <errno.h>

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LINE, TRAILER_LF, LAST_LF };
enum { SIZE_DIGITS_MAX = 15, LENGTH_DIGITS_MAX = 18 };

static bool read_length(struct span s, uint64_t *ret)
{
	uint64_t value = 0;
	if (s.len == 0 || s.len > LENGTH_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = value;
	return true;
}

int body_init(struct body *b, const struct handshake_reply *reply)
{
	struct span value;
	*b = (struct body){.kind = BODY_UNTIL_END};
	size_t lengths = handshake_reply_count(reply, "Content-Length", &value);
	size_t codings = handshake_reply_count(reply, "Transfer-Encoding", NULL);
	if (reply->status == 204 || reply->status == 304) {
		b->kind = BODY_LENGTH;
		b->done = true;
		return 0;
	}
	if (codings) {
		b->kind = BODY_CHUNKED;
		handshake_reply_count(reply, "Transfer-Encoding", &value);
		return codings == 1 && lengths == 0 && span_eq_nocase(value, SPAN_LIT("chunked")) ? 0 : -EPROTO;
	}
	if (lengths == 0)
		return 0;
	b->kind = BODY_LENGTH;
	if (lengths > 1 || !read_length(value, &b->left))
		return -EPROTO;
	b->done = b->left == 0;
	return 0;
}

static int hex(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A digit of the size, or what follows it: its end, an extension, or blanks before one. */
static int size_octet(struct body *b, uint8_t c)
{
	int digit = hex(c);
	if (digit >= 0 && b->digits < SIZE_DIGITS_MAX) {
		b->left = b->left << 4 | (uint64_t)digit;
		b->digits++;
		return 0;
	}
	if (b->digits == 0 || (c != '\r' && c != ';' && c != ' ' && c != '\t'))
		return -EPROTO;
	b->state = c == '\r' ? SIZE_LF : EXTENSION;
	return 0;
}

/* One octet of a line that is skipped. */
static int skipped_octet(struct body *b, uint8_t c, unsigned char at_cr)
{
	if (c == '\n' || ++b->trailer > BODY_TRAILER_MAX)
		return -EPROTO;
	if (c == '\r')
		b->state = at_cr;
	else if (b->state == TRAILER)
		b->state = TRAILER_LINE;
	return 0;
}

static int wanted_octet(struct body *b, uint8_t c, char wanted, unsigned char then)
{
	if (c != wanted)
		return -EPROTO;
	b->state = then;
	return 0;
}

/* One octet of what stands around the chunks. */
static int frame_octet(struct body *b, uint8_t c)
{
	switch (b->state) {
	case SIZE:
		return size_octet(b, c);
	case EXTENSION:
		return skipped_octet(b, c, SIZE_LF);
	case SIZE_LF:
		return wanted_octet(b, c, '\n', b->left ? DATA : TRAILER);
	case DATA_CR:
		return wanted_octet(b, c, '\r', DATA_LF);
	case DATA_LF:
		b->left = b->digits = 0;
		return wanted_octet(b, c, '\n', SIZE);
	case TRAILER:
		return skipped_octet(b, c, LAST_LF);
	case TRAILER_LINE:
		return skipped_octet(b, c, TRAILER_LF);
	case TRAILER_LF:
		return wanted_octet(b, c, '\n', TRAILER);
	default:
		b->done = c == '\n';
		return b->done ? 0 : -EPROTO;
	}
}

static struct span take(struct span *in, uint64_t most)
{
	struct span part = span_sub(*in, 0, most < in->len ? (size_t)most : in->len);
	*in = span_sub(*in, part.len, in->len);
	return part;
}

int body_feed(struct body *b, struct span *in, struct span *ret_part)
{
	while (!b->done && in->len) {
		if (b->kind == BODY_CHUNKED && b->state != DATA) {
			if (frame_octet(b, take(in, 1).p[0]) < 0)
				return -EPROTO;
			continue;
		}
		*ret_part = take(in, b->kind == BODY_UNTIL_END ? UINT64_MAX : b->left);
		if (b->kind == BODY_UNTIL_END)
			return 1;
		b->left -= ret_part->len;
		if (b->left == 0 && b->kind == BODY_CHUNKED)
			b->state = DATA_CR;
		b->done = b->left == 0 && b->kind == BODY_LENGTH;
		return 1;
	}
	return 0;
}
