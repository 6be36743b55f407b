/*
 * UTF-8 validation against an oracle that knows only how to encode: it encodes every code point of RFC 3629 once and
 * keeps the beginnings that occur. An octet is bad exactly when no encoding goes on with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/base/rng.h"
#include "harness/ws/utf8.h"

/*
 * Indexed by the octets of a beginning as one big-endian number: 0 it never occurs, 1 it is a beginning, 2 a whole
 * character.
 */
static uint8_t one[1 << 8], two[1 << 16], *three;

static size_t encode(uint32_t point, uint8_t out[4])
{
	if (point < 0x80) {
		out[0] = (uint8_t)point;
		return 1;
	}
	size_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; point /= 64)
		out[i] = (uint8_t)(128 + point % 64);
	out[0] = (uint8_t)((n == 2 ? 192 : n == 3 ? 224 : 240) + point);
	return n;
}

static int make_oracle(void **state)
{
	(void)state;
	three = calloc(1, 1 << 24);
	if (!three)
		return -1;
	for (uint32_t point = 0; point <= 0x10ffff; point++) {
		if (point >= 0xd800 && point <= 0xdfff)
			continue;
		uint8_t c[4];
		size_t n = encode(point, c);
		one[c[0]] = n == 1 ? 2 : 1;
		if (n >= 2)
			two[c[0] << 8 | c[1]] = n == 2 ? 2 : 1;
		if (n >= 3)
			three[c[0] << 16 | c[1] << 8 | c[2]] = n == 3 ? 2 : 1;
	}
	return 0;
}

static int free_oracle(void **state)
{
	(void)state;
	free(three);
	return 0;
}

/* Is p[0..n) a beginning (1), a whole character (2) or neither (0)? gcc 12, inlining, sees a p[3] where n is 3. */
__attribute__((noinline))
static int kind(const uint8_t *p, size_t n)
{
	switch (n) {
	case 1:
		return one[p[0]];
	case 2:
		return two[p[0] << 8 | p[1]];
	case 3:
		return three[p[0] << 16 | p[1] << 8 | p[2]];
	}
	return three[p[0] << 16 | p[1] << 8 | p[2]] == 1 && p[3] / 64 == 2 ? 2 : 0;
}

/* Offset of the first bad octet, or len; *ret_inside: the text ends inside a character. */
static size_t oracle(const uint8_t *p, size_t len, bool *ret_inside)
{
	size_t begin = 0;
	*ret_inside = false;
	for (size_t i = 0; i < len; i++) {
		int k = kind(p + begin, i + 1 - begin);
		if (k == 0)
			return i;
		*ret_inside = k == 1;
		if (k == 2)
			begin = i + 1;
	}
	return len;
}

/* All ways to ask must agree with the oracle. */
static void check(const uint8_t *p, size_t len)
{
	bool inside;
	size_t want = oracle(p, len, &inside), bad = SIZE_MAX;
	bool valid = utf8_valid(span_of(p, len), &bad);
	if (valid != (want == len && !inside) || (!valid && bad != want))
		fail_msg("%zu octets, %02x %02x %02x: bad at %zu, not %zu", len, p[0], len > 1 ? p[1] : 0, len > 2 ? p[2] : 0,
			bad, want);
}

static void check_variants(const uint8_t *p, size_t len)
{
	bool inside;
	size_t want = oracle(p, len, &inside), n;
	const struct utf8_variant *v = utf8_variants(&n);
	for (size_t i = 0; i < n; i++) {
		struct utf8 u;
		utf8_init(&u);
		bool ok = utf8_feed_with(&v[i], &u, span_of(p, len));
		if (ok != (want == len) || u.position != want || (ok && utf8_complete(&u) == inside))
			fail_msg("%s: position %llu, not %zu of %zu", v[i].name, (unsigned long long)u.position, want, len);
	}
}

static void test_every_short_sequence(void **state)
{
	(void)state;
	assert_true(utf8_valid((struct span){0}, NULL));
	for (uint32_t s = 0; s < 1 << 24; s++) {
		uint8_t p[3] = {(uint8_t)(s >> 16), (uint8_t)(s >> 8), (uint8_t)s};
		check(p, 3);
		if (s < 1 << 16)
			check(p + 1, 2);
		if (s < 1 << 8)
			check(p + 2, 1);
	}
}

/* Every octet at which a rule of RFC 3629 begins or ends. */
static const uint8_t edges[] = {
	0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
	0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff,
};

/* All sequences of four edges, alone and at every place of the wide blocks in turn. */
static void test_edges_of_four(void **state)
{
	(void)state;
	enum { N = ARRAY_LEN(edges), ROOM = 160 };
	uint8_t text[ROOM];
	for (uint32_t s = 0; s < N * N * N * N; s++) {
		uint8_t p[4] = {edges[s / (N * N * N)], edges[s / (N * N) % N], edges[s / N % N], edges[s % N]};
		check(p, 4);
		if (s % 5)
			continue; /* 5 and 157 share no factor with N: every place still meets every kind of neighbour */
		memset(text, 'a', sizeof(text));
		memcpy(text + s % (ROOM - 3), p, 4);
		check_variants(text, sizeof(text));
	}
}

/* Pairs and triples across each block border, in text of two-octet characters, so that no ASCII path hides them. */
static void test_block_borders(void **state)
{
	(void)state;
	uint8_t text[200];
	for (size_t a = 0; a < ARRAY_LEN(edges); a++)
		for (size_t b = 0; b < ARRAY_LEN(edges); b++)
			for (size_t at = 24; at < 136; at++) {
				for (size_t i = 0; i < sizeof(text); i += 2)
					memcpy(text + i, "\xc3\xa9", 2);
				text[at] = edges[a];
				text[at + 1] = edges[b];
				check_variants(text, sizeof(text));
				check_variants(text + at % 2, at + 2 - at % 2);
			}
}

/* Random text of whole characters with at most one spoilt octet, cut at random places. */
static void test_random_text(void **state)
{
	(void)state;
	struct rng rng;
	rng_init(&rng, 3629, "test_utf8");
	static const uint32_t tops[] = {0x80, 0x800, 0x10000, 0x110000};
	uint8_t text[700];
	for (int round = 0; round < 20000; round++) {
		size_t len = 0, limit = rng_below(&rng, 600);
		uint64_t classes = 1 + rng_below(&rng, 4);
		while (len < limit) {
			uint32_t point = (uint32_t)rng_below(&rng, tops[rng_below(&rng, classes)]);
			if (point < 0xd800 || point > 0xdfff)
				len += encode(point, text + len);
		}
		if (len && rng_below(&rng, 3))
			text[rng_below(&rng, len)] = (uint8_t)rng_below(&rng, 256);
		check_variants(text, len);
		bool inside;
		size_t want = oracle(text, len, &inside), at = 0;
		struct utf8 u;
		utf8_init(&u);
		for (bool ok = true; ok && at < len;) {
			struct span part = span_sub(span_of(text, len), at, rng_below(&rng, 70));
			ok = utf8_feed(&u, part);
			at += part.len;
			assert_true(ok == (at <= want));
		}
		assert_true(u.position == want);
	}
}

/*
 * After Markus Kuhn's decoder stress test, and what RFC 3629 section 10 and RFC 6455 8.1 are about: offset of the
 * first bad octet, -1 valid, or cut short.
 */
enum { VALID = -1, SHORT = -2 };
static const struct sample {
	const char *name;
	struct span text;
	int bad;
} samples[] = {
	{"kosme", SPAN_LIT("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"), VALID},
	{"first of 1", SPAN_LIT("\x00"), VALID},
	{"first of 2", SPAN_LIT("\xc2\x80"), VALID},
	{"first of 3", SPAN_LIT("\xe0\xa0\x80"), VALID},
	{"first of 4", SPAN_LIT("\xf0\x90\x80\x80"), VALID},
	{"first of 5", SPAN_LIT("\xf8\x88\x80\x80\x80"), 0},
	{"first of 6", SPAN_LIT("\xfc\x84\x80\x80\x80\x80"), 0},
	{"last of 1", SPAN_LIT("\x7f"), VALID},
	{"last of 2", SPAN_LIT("\xdf\xbf"), VALID},
	{"last of 3", SPAN_LIT("\xef\xbf\xbf"), VALID},
	{"last of 4 by bits", SPAN_LIT("\xf7\xbf\xbf\xbf"), 0},
	{"U+D7FF", SPAN_LIT("\xed\x9f\xbf"), VALID},
	{"U+E000", SPAN_LIT("\xee\x80\x80"), VALID},
	{"U+FFFD", SPAN_LIT("\xef\xbf\xbd"), VALID},
	{"U+10FFFF", SPAN_LIT("\xf4\x8f\xbf\xbf"), VALID},
	{"U+110000", SPAN_LIT("\xf4\x90\x80\x80"), 1},
	{"lone continuation 80", SPAN_LIT("\x80"), 0},
	{"lone continuation bf after text", SPAN_LIT("abc\xbf"), 3},
	{"lonely start of 2", SPAN_LIT("\xc2 "), 1},
	{"lonely start of 3", SPAN_LIT("\xe0 "), 1},
	{"lonely start of 4", SPAN_LIT("\xf0 "), 1},
	{"last octet missing of 2", SPAN_LIT("a\xc3"), SHORT},
	{"last octet missing of 3", SPAN_LIT("a\xe2\x82"), SHORT},
	{"last octet missing of 4", SPAN_LIT("a\xf0\x9f\x98"), SHORT},
	{"next character where the last octet must be", SPAN_LIT("\xe2\x82\xc3\xa9"), 2},
	{"fe", SPAN_LIT("\xfe"), 0},
	{"ff", SPAN_LIT("ab\xff"), 2},
	{"overlong slash of 2", SPAN_LIT("\xc0\xaf"), 0},
	{"overlong slash of 3", SPAN_LIT("\xe0\x80\xaf"), 1},
	{"overlong slash of 4", SPAN_LIT("\xf0\x80\x80\xaf"), 1},
	{"overlong U+007F", SPAN_LIT("\xc1\xbf"), 0},
	{"overlong U+07FF", SPAN_LIT("\xe0\x9f\xbf"), 1},
	{"overlong U+FFFF", SPAN_LIT("\xf0\x8f\xbf\xbf"), 1},
	{"overlong NUL of 2", SPAN_LIT("\xc0\x80"), 0},
	{"surrogate U+D800", SPAN_LIT("\xed\xa0\x80"), 1},
	{"surrogate U+DFFF", SPAN_LIT("\xed\xbf\xbf"), 1},
	{"surrogate pair", SPAN_LIT("\xed\xa0\x80\xed\xb0\x80"), 1},
	{"noncharacter U+FFFE", SPAN_LIT("\xef\xbf\xbe"), VALID},
	{"noncharacter U+1FFFF", SPAN_LIT("\xf0\x9f\xbf\xbf"), VALID},
	{
		"fail-fast example of the conformance suites",
		SPAN_LIT("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80\x65\x64\x69\x74\x65\x64"), 12,
	},
	{
		"long ASCII, then bad",
		SPAN_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xa0"), 70,
	},
};

static void test_samples_cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct sample *s = &samples[i];
		size_t bad = SIZE_MAX;
		if (utf8_valid(s->text, &bad) != (s->bad == VALID))
			fail_msg("%s", s->name);
		if (s->bad != VALID && bad != (s->bad == SHORT ? s->text.len : (size_t)s->bad))
			fail_msg("%s: bad at %zu", s->name, bad);
		for (size_t cut = 0; cut <= s->text.len; cut++) {
			struct utf8 u;
			utf8_init(&u);
			bool ok = utf8_feed(&u, span_sub(s->text, 0, cut));
			if (ok != (s->bad < 0 || cut <= (size_t)s->bad))
				fail_msg("%s: not fail-fast at %zu", s->name, cut);
			ok = ok && utf8_feed(&u, span_sub(s->text, cut, s->text.len));
			if (ok != (s->bad < 0) || u.position != (s->bad < 0 ? s->text.len : (size_t)s->bad))
				fail_msg("%s: cut at %zu, position %llu", s->name, cut, (unsigned long long)u.position);
			if (ok && utf8_complete(&u) != (s->bad == VALID))
				fail_msg("%s: cut at %zu, complete", s->name, cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_short_sequence),
		cmocka_unit_test(test_edges_of_four),
		cmocka_unit_test(test_block_borders),
		cmocka_unit_test(test_random_text),
		cmocka_unit_test(test_samples_cut_everywhere),
	};
	return cmocka_run_group_tests(tests, make_oracle, free_oracle);
}
