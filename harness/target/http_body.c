/* Three ways to say where an answer ends; a page of metrics comes in each of them. */
#include "harness/target/http_body.h"

#include "harness/base/err.h"

static bool read_length(struct span s, uint64_t *ret)
{
	uint64_t n = 0;
	if (s.len == 0 || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = n;
	return true;
}

/* RFC 9112 6.3: several equal ones are one. */
static bool find_length(const struct handshake_reply *head, bool *ret_told, uint64_t *ret)
{
	struct span element;
	uint64_t n;
	*ret_told = false;
	for (size_t i = 0; handshake_reply_element(head, "Content-Length", i, &element); i++) {
		if (!read_length(element, &n) || (*ret_told && n != *ret))
			return false;
		*ret = n;
		*ret_told = true;
	}
	return true;
}

int http_body_start(struct http_body *b, const struct handshake_reply *head, bool no_body, struct buf *to)
{
	struct span coding;
	bool told;
	*b = (struct http_body){.to = to, .state = HTTP_BODY_DATA};
	if (no_body || head->status == 204 || head->status == 304) {
		b->state = HTTP_BODY_DONE;
		return 0;
	}
	if (handshake_reply_count(head, "Transfer-Encoding", &coding)) {
		if (!span_eq_nocase(span_trim(coding), SPAN_LIT("chunked")))
			return -EPROTO;
		b->mode = HTTP_BODY_CHUNKED;
		b->state = HTTP_BODY_SIZE;
		return 0;
	}
	if (!find_length(head, &told, &b->left))
		return -EPROTO;
	b->mode = told ? HTTP_BODY_LENGTH : HTTP_BODY_UNTIL_CLOSE;
	if (told && b->left == 0)
		b->state = HTTP_BODY_DONE;
	return 0;
}

static int keep(struct http_body *b, struct span s)
{
	return buf_append_span(b->to, s) < 0 ? -EFBIG : 0;
}

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One octet that is not data. */
static int step(struct http_body *b, uint8_t c)
{
	int digit = hex_of(c);
	if (++b->overhead > HTTP_BODY_OVERHEAD_MAX)
		return -EFBIG;
	switch (b->state) {
	case HTTP_BODY_SIZE:
		if (digit >= 0) {
			b->left = b->left << 4 | (unsigned)digit;
			return ++b->digits > 15 ? -EPROTO : 0;
		}
		if (b->digits == 0 || !strchr(";\r\n \t", c) || !c)
			return -EPROTO;
		b->state = HTTP_BODY_EXTENSION;
		/* fall through */
	case HTTP_BODY_EXTENSION:
		if (c != '\n')
			return 0;
		b->state = b->left ? HTTP_BODY_DATA : HTTP_BODY_TRAILER;
		b->digits = 0;
		b->line = 0;
		return 0;
	case HTTP_BODY_DATA_END:
		if (c == '\n')
			b->state = HTTP_BODY_SIZE;
		return c == '\n' || c == '\r' ? 0 : -EPROTO;
	case HTTP_BODY_TRAILER:
		if (c == '\n' && b->line == 0)
			b->state = HTTP_BODY_DONE;
		b->line = c == '\n' ? 0 : b->line + (c != '\r');
		return 0;
	case HTTP_BODY_DATA:
	case HTTP_BODY_DONE:
		break;
	}
	return 0;
}

int http_body_feed(struct http_body *b, struct span s)
{
	for (size_t at = 0; at < s.len && b->state != HTTP_BODY_DONE;) {
		int r;
		if (b->state != HTTP_BODY_DATA) {
			r = step(b, s.p[at++]);
		} else {
			size_t len = s.len - at;
			if (b->mode != HTTP_BODY_UNTIL_CLOSE && len > b->left)
				len = (size_t)b->left;
			r = keep(b, span_sub(s, at, len));
			at += len;
			if (b->mode != HTTP_BODY_UNTIL_CLOSE && (b->left -= len) == 0)
				b->state = b->mode == HTTP_BODY_LENGTH ? HTTP_BODY_DONE : HTTP_BODY_DATA_END;
		}
		if (r < 0)
			return r;
	}
	return b->state == HTTP_BODY_DONE;
}

bool http_body_ended(const struct http_body *b)
{
	return b->state == HTTP_BODY_DONE || b->mode == HTTP_BODY_UNTIL_CLOSE;
}
