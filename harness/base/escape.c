/*
 * Servers under test put what they like into reasons, headers and payloads; a terminal or a report must show it and not
 * obey it.
 */
#include "harness/base/escape.h"

#include <errno.h>

#include "harness/base/rune.h"

static int escape_rune(struct buf *b, struct span rune, uint32_t c)
{
	if (c == '\\')
		return buf_append(b, "\\\\", 2);
	if (!rune_is_control(c))
		return buf_append_span(b, rune);
	return c < 0x80 ? buf_printf(b, "\\x%02x", c) : buf_printf(b, "\\u{%x}", c);
}

int escape_text(struct buf *b, struct span s)
{
	for (size_t at = 0; at < s.len;) {
		uint32_t c = 0;
		size_t len = rune_decode(span_sub(s, at, s.len), &c);
		int r = len ? escape_rune(b, span_sub(s, at, len), c) : buf_printf(b, "\\x%02x", s.p[at]);
		if (r < 0)
			return r;
		at += len ? len : 1;
	}
	return 0;
}

int escape_text_max(struct buf *b, struct span s, size_t max)
{
	if (s.len <= max)
		return escape_text(b, s);
	size_t keep = max;
	/* Only a whole character that the limit would cut is left out; stray continuation octets stay. */
	for (size_t back = 1; back <= 3 && back <= max; back++) {
		uint32_t c;
		if (rune_decode(span_sub(s, max - back, 4), &c) > back) {
			keep = max - back;
			break;
		}
	}
	int r = escape_text(b, span_sub(s, 0, keep));
	return r < 0 ? r : buf_printf(b, "... (%zu more octets)", s.len - keep);
}

const char *escape_word(struct buf *b, const char *word)
{
	buf_init(b, 4 * ESCAPE_WORD_MAX + 64);
	escape_text_max(b, span_str(word), ESCAPE_WORD_MAX);
	return buf_cstr(b);
}

int escape_hex(struct buf *b, struct span s)
{
	static const char digits[] = "0123456789abcdef";
	if (s.len == 0)
		return 0;
	if (s.len > SIZE_MAX / 3)
		return -ENOBUFS;
	int r = buf_reserve(b, s.len * 3 - 1);
	if (r < 0)
		return r;
	uint8_t *out = b->p + b->len;
	for (size_t i = 0; i < s.len; i++) {
		if (i)
			*out++ = ' ';
		*out++ = (uint8_t)digits[s.p[i] >> 4];
		*out++ = (uint8_t)digits[s.p[i] & 15];
	}
	b->len += s.len * 3 - 1;
	return 0;
}
