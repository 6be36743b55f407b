/* Writing and reading messages that prove themselves. */
#include "harness/load/payload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "harness/base/err.h"
#include "harness/base/rng.h"

enum { CRC_DIGITS = 8, MARK_LEN = 5, TRICKY_EVERY = 64 };
static const char mark[MARK_LEN + 1] = "wsq1.";

/* CRC-32C (RFC 3720 12.1, appendix B.4), reflected, without the inversions ----------------------------------------- */

static uint32_t crc_table[256];

static void crc_table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
		crc_table[i] = c;
	}
}

static uint32_t crc_plain(uint32_t crc, const uint8_t *p, size_t len)
{
	if (!crc_table[1])
		crc_table_make();
	for (; len; len--)
		crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_sse(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t wide = crc, word;
	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len; len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

uint32_t payload_crc32c(struct span s)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_sse(~0u, s.p, s.len);
#endif
	return ~crc_plain(~0u, s.p, s.len);
}

uint32_t payload_crc32c_plain(struct span s)
{
	return ~crc_plain(~0u, s.p, s.len);
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

/* One of each kind that carelessness breaks: quoting, markup, and UTF-8 of every length; U+2028 ends a line to some. */
static const struct {
	uint8_t len;
	char octets[5];
} tricky[] = {
	{1, "\""}, {1, "\\"}, {1, "/"}, {1, "<"}, {1, "&"}, {1, " "},
	{2, "\u00e9"}, {3, "\u20ac"}, {3, "\u2028"}, {4, "\U0001f600"},
};

/* The same message has the same padding. */
static uint64_t noise_of(const struct payload *p)
{
	return (p->index * 0x9e3779b97f4a7c15u) ^ ((uint64_t)p->publisher << 32 | p->channel) ^ p->run;
}

/* Six random bits an octet: what is left to a compressor is a quarter. */
static void pad_letters(uint8_t *to, size_t len, uint64_t *noise)
{
	static const char digits[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint64_t bits = 0;
	for (size_t i = 0; i < len; i++, bits >>= 6) {
		if (i % 10 == 0)
			bits = rng_splitmix64(noise);
		to[i] = (uint8_t)digits[bits & 63];
	}
}

static size_t put_tricky(uint8_t *to, size_t room, size_t which)
{
	size_t len = tricky[which].len;
	if (len > room)
		return 0;
	memcpy(to, tricky[which].octets, len);
	return len;
}

/* One of each first, in a drawn order, as far as there is room. Returns how many octets. */
static size_t pad_all_tricky(uint8_t *to, size_t room, uint64_t *noise)
{
	uint64_t drawn = rng_splitmix64(noise);
	uint8_t order[ARRAY_LEN(tricky)] = {0};
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		size_t j = drawn % (i + 1);
		drawn /= i + 1;
		order[i] = order[j];
		order[j] = (uint8_t)i;
	}
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		n += put_tricky(to + n, room - n, order[i]);
	return n;
}

/* All that is tricky, then letters, with something tricky at a drawn place in every 64 octets of them. */
static void pad(uint8_t *to, size_t len, const struct payload *p)
{
	uint64_t noise = noise_of(p);
	size_t at = pad_all_tricky(to, len, &noise);
	pad_letters(to + at, len - at, &noise);
	for (; len - at >= TRICKY_EVERY; at += TRICKY_EVERY) {
		uint64_t drawn = rng_splitmix64(&noise);
		size_t which = drawn % ARRAY_LEN(tricky);
		size_t place = (drawn >> 32) % (TRICKY_EVERY - tricky[which].len + 1);
		put_tricky(to + at + place, TRICKY_EVERY - place, which);
	}
}

int payload_write(struct buf *b, const struct payload *p, uint64_t size)
{
	char head[PAYLOAD_LEAST + 1], tail[CRC_DIGITS + 2];
	int n = snprintf(head, sizeof(head), "%s%08" PRIx32 ".%" PRIu32 ".%" PRIu32 ".%" PRIu64 ".%" PRIu64 ".", mark, p->run,
			 p->publisher, p->channel, p->index, p->sent_us);
	size_t head_len = (size_t)n, tail_len = CRC_DIGITS + 1, start = b->len;
	size_t padding = size > PAYLOAD_LEAST ? size - head_len - tail_len : 0;
	if (padding > SIZE_MAX / 2)
		return -ENOBUFS;
	int r = buf_reserve(b, head_len + padding + tail_len);
	if (r < 0)
		return r;
	memcpy(b->p + start, head, head_len);
	pad(b->p + start + head_len, padding, p);
	b->p[start + head_len + padding] = '.';
	uint32_t crc = payload_crc32c(span_of(b->p + start, head_len + padding + 1));
	snprintf(tail, sizeof(tail), "%08" PRIx32, crc);
	memcpy(b->p + start + head_len + padding + 1, tail, CRC_DIGITS);
	b->len = start + head_len + padding + tail_len;
	return 0;
}

/* Sizes ------------------------------------------------------------------------------------------------------------ */

struct payload_sizes payload_sizes(uint64_t size, double vary, uint64_t max_message)
{
	uint64_t max = max_message ? max_message / 2 : PAYLOAD_LARGE_UNTOLD;
	if (max_message && size > max)
		size = max;
	struct payload_sizes s = {.least = size - (uint64_t)((double)size * vary), .most = size, .large = size};
	if (max > PAYLOAD_LARGE_MAX)
		max = PAYLOAD_LARGE_MAX;
	if (vary > 0 && size < max)
		s.large = size < max / PAYLOAD_LARGE_TIMES ? size * PAYLOAD_LARGE_TIMES : max;
	return s;
}

uint64_t payload_size(const struct payload_sizes *s, const struct payload *p)
{
	uint64_t noise = ~noise_of(p);
	/* Each publisher and channel begins elsewhere, so that large ones do not come all at once. */
	if ((p->index + 5ull * p->publisher + 11ull * p->channel) % PAYLOAD_LARGE_EVERY == 0)
		return s->large;
	return s->least + rng_splitmix64(&noise) % (s->most - s->least + 1);
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

static bool read_hex(struct span s, uint32_t *ret)
{
	uint32_t value = 0;
	if (s.len != CRC_DIGITS)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];
		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

/* A number and the point behind it. */
static bool read_number(struct span *s, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;
	for (; i < s->len && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		uint64_t digit = s->p[i] - '0';
		if (value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (i == 0 || i == s->len || s->p[i] != '.')
		return false;
	*s = span_sub(*s, i + 1, s->len);
	*ret = value;
	return true;
}

enum payload_state payload_read(struct span data, struct payload *ret)
{
	uint64_t publisher, channel;
	struct payload p;
	uint32_t crc;
	*ret = (struct payload){0};
	if (data.len < MARK_LEN || memcmp(data.p, mark, MARK_LEN) != 0)
		return PAYLOAD_FOREIGN;
	if (data.len < MARK_LEN + 2 * CRC_DIGITS)
		return PAYLOAD_CORRUPT;
	struct span rest = span_sub(data, MARK_LEN + CRC_DIGITS + 1, data.len);
	if (!read_hex(span_sub(data, MARK_LEN, CRC_DIGITS), &p.run) || data.p[MARK_LEN + CRC_DIGITS] != '.' ||
	    !read_number(&rest, UINT32_MAX, &publisher) || !read_number(&rest, UINT32_MAX, &channel) ||
	    !read_number(&rest, UINT64_MAX, &p.index) || !read_number(&rest, UINT64_MAX, &p.sent_us))
		return PAYLOAD_CORRUPT;
	p.publisher = (uint32_t)publisher;
	p.channel = (uint32_t)channel;
	*ret = p;
	bool whole = read_hex(span_sub(data, data.len - CRC_DIGITS, CRC_DIGITS), &crc) &&
		     payload_crc32c(span_sub(data, 0, data.len - CRC_DIGITS)) == crc;
	return whole ? PAYLOAD_WHOLE : PAYLOAD_CORRUPT;
}
