/*
 * The base layer shows and stores what peers send, so it needs to know a UTF-8 character and a dangerous one without
 * the layers above it.
 */
#include "harness/base/rune.h"

/* RFC 3629 section 4: the second octet's range depends on the first. */
static size_t lead(uint8_t c, uint8_t *ret_low, uint8_t *ret_high)
{
	*ret_low = 0x80;
	*ret_high = 0xbf;
	if (c < 0x80)
		return 1;
	if (c < 0xc2)
		return 0;
	if (c < 0xe0)
		return 2;
	if (c < 0xf0) {
		*ret_low = c == 0xe0 ? 0xa0 : 0x80;
		*ret_high = c == 0xed ? 0x9f : 0xbf;
		return 3;
	}
	if (c > 0xf4)
		return 0;
	*ret_low = c == 0xf0 ? 0x90 : 0x80;
	*ret_high = c == 0xf4 ? 0x8f : 0xbf;
	return 4;
}

size_t rune_decode(struct span s, uint32_t *ret)
{
	static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint8_t low, high;
	size_t len = s.len ? lead(s.p[0], &low, &high) : 0;
	if (len == 0 || len > s.len)
		return 0;
	uint32_t c = s.p[0] & masks[len];
	for (size_t i = 1; i < len; i++) {
		if (s.p[i] < low || s.p[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
		c = c << 6 | (s.p[i] & 0x3f);
	}
	*ret = c;
	return len;
}

size_t rune_first_bad(struct span s)
{
	size_t at = 0;
	uint32_t c;
	while (at < s.len) {
		size_t len = rune_decode(span_sub(s, at, s.len), &c);
		if (len == 0)
			return at;
		at += len;
	}
	return at;
}

bool rune_is_control(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{0x00, 0x1f},     {0x7f, 0x9f},         {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e},
		{0x200b, 0x200b}, {0x200e, 0x200f},     {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfdd0, 0xfdef},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb},     {0xe0000, 0xe007f},
	};
	if ((c & 0xfffe) == 0xfffe)
		return true;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && c >= ranges[i].from; i++)
		if (c <= ranges[i].to)
			return true;
	return false;
}
