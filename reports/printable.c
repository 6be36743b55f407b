/*
 * A server's reason text may hold a terminal escape, an override that turns a sentence round, or an octet XML has no
 * name for. Results say what was seen, so nothing is dropped: it is spelt out. Unlike base's escape_text a backslash
 * stays single: strings of a result are sentences already.
 */
#include "reports/printable.h"

#include <stdio.h>

#include "harness/base/rune.h"

size_t printable_next(struct span *s, char unit[PRINTABLE_MAX])
{
	uint32_t c = 0;
	if (s->len == 0)
		return 0;
	size_t len = rune_decode(*s, &c);
	size_t taken = len ? len : 1;
	int n;
	if (len && (c == '\n' || c == '\t' || !rune_is_control(c))) {
		memcpy(unit, s->p, len);
		n = (int)len;
	} else if (len && c >= 0x80) {
		n = snprintf(unit, PRINTABLE_MAX, "\\u{%x}", c);
	} else {
		n = snprintf(unit, PRINTABLE_MAX, "\\x%02x", s->p[0]);
	}
	*s = span_sub(*s, taken, s->len);
	return (size_t)n;
}

size_t printable_columns(const char *unit, size_t len)
{
	static const struct {
		uint32_t from, to;
		unsigned char columns;
	} ranges[] = {
		{0x300, 0x36f, 0}, {0x1100, 0x115f, 2}, {0x200c, 0x200d, 0}, {0x20d0, 0x20f0, 0},
		{0x2e80, 0xa4cf, 2}, {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},
		{0xfe30, 0xfe6f, 2}, {0xff00, 0xff60, 2}, {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
	};
	uint32_t c = 0;
	if ((uint8_t)unit[0] < 0x80 || rune_decode(span_of(unit, len), &c) != len)
		return len;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && c >= ranges[i].from; i++)
		if (c <= ranges[i].to)
			return ranges[i].columns;
	return 1;
}
