/* Octets in lines of JSON. */
#include "harness/base/base64.h"

#include "harness/base/err.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct buf *b, struct span octets)
{
	int r = buf_reserve(b, (octets.len + 2) / 3 * 4);
	if (r < 0)
		return r;
	for (size_t i = 0; i < octets.len; i += 3) {
		size_t n = octets.len - i < 3 ? octets.len - i : 3;
		uint32_t bits = (uint32_t)octets.p[i] << 16;
		bits |= n > 1 ? (uint32_t)octets.p[i + 1] << 8 : 0;
		bits |= n > 2 ? octets.p[i + 2] : 0;
		uint8_t *out = b->p + b->len;
		for (size_t k = 0; k < 4; k++)
			out[k] = k <= n ? (uint8_t)letters[bits >> (18 - 6 * k) & 63] : '=';
		b->len += 4;
	}
	return 0;
}

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct buf *b, struct span text)
{
	int r = text.len % 4 ? -EINVAL : buf_reserve(b, text.len / 4 * 3);
	for (size_t i = 0; r == 0 && i < text.len; i += 4) {
		bool last = i + 4 == text.len;
		size_t n = last && text.p[i + 3] == '=' ? (text.p[i + 2] == '=' ? 1 : 2) : 3;
		uint32_t bits = 0;
		for (size_t k = 0; k <= n; k++) {
			int value = value_of(text.p[i + k]);
			if (value < 0)
				return -EINVAL;
			bits |= (uint32_t)value << (18 - 6 * k);
		}
		for (size_t k = 0; k < n; k++)
			b->p[b->len++] = (uint8_t)(bits >> (16 - 8 * k));
	}
	return r;
}
