/*
 * UTF-8 is checked while it arrives, so that a bad octet is known the moment it comes (fail-fast) and at its exact
 * offset. A state machine decides; the wide variants only skip a prefix that is certainly valid, so they can never
 * move the place of a failure.
 */
#include "harness/ws/utf8.h"

#if defined(__x86_64__) || defined(__i386__)
#define UTF8_X86 1
#else
#define UTF8_X86 0
#endif

/*
 * The state holds what may come next: continuation octets left, and the range the next one must be in (RFC 3629 4:
 * only the octet after E0, ED, F0 and F4 has a range narrower than 80-BF).
 */
#define STATE(left, low, high) ((uint32_t)(left) | (uint32_t)(low) << 8 | (uint32_t)(high) << 16)

/* 0: no character begins so. */
static uint32_t state_after_lead(uint8_t octet)
{
	if (octet < 0xc2 || octet > 0xf4)
		return 0;
	if (octet < 0xe0)
		return STATE(1, 0x80, 0xbf);
	switch (octet) {
	case 0xe0:
		return STATE(2, 0xa0, 0xbf);
	case 0xed:
		return STATE(2, 0x80, 0x9f);
	case 0xf0:
		return STATE(3, 0x90, 0xbf);
	case 0xf4:
		return STATE(3, 0x80, 0x8f);
	}
	return octet < 0xf0 ? STATE(2, 0x80, 0xbf) : STATE(3, 0x80, 0xbf);
}

/* Octets accepted; less than len only at a bad one. Returns early between characters when `one` is set. */
static size_t step(uint32_t *io_state, const uint8_t *p, size_t len, bool one)
{
	uint32_t state = *io_state;
	size_t i = 0;
	while (i < len) {
		uint8_t octet = p[i];
		if (state) {
			if (octet < (state >> 8 & 0xff) || octet > (state >> 16))
				break;
			uint32_t left = (state & 0xff) - 1;
			state = left ? STATE(left, 0x80, 0xbf) : 0;
			i++;
			if (one && !state)
				break;
		} else if (octet < 0x80) {
			i++;
		} else {
			state = state_after_lead(octet);
			if (!state)
				break;
			i++;
		}
	}
	*io_state = state;
	return i;
}

/* The longest run of whole words of ASCII. */
static size_t prefix_words(const uint8_t *p, size_t len)
{
	size_t i = 0;
	for (; len - i >= 8; i += 8) {
		uint64_t word;
		memcpy(&word, p + i, 8);
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	return i;
}

#if UTF8_X86
#include <immintrin.h>

__attribute__((target("sse2")))
static size_t prefix_sse2(const uint8_t *p, size_t len)
{
	size_t i = 0;
	for (; len - i >= 64; i += 64) {
		__m128i a = _mm_loadu_si128((const __m128i *)(p + i));
		__m128i b = _mm_loadu_si128((const __m128i *)(p + i + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(p + i + 32));
		__m128i d = _mm_loadu_si128((const __m128i *)(p + i + 48));
		if (_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))))
			break;
	}
	return i + prefix_words(p + i, len - i);
}

/*
 * Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte" (2020): three 16-entry lookups on the
 * nibbles of each octet and of the one before it, ANDed, leave a bit for each way in which two neighbours can be wrong.
 */
enum {
	TOO_SHORT = 1 << 0,      /* a lead or ASCII where a continuation must be */
	TOO_LONG = 1 << 1,       /* a continuation after ASCII */
	OVERLONG_3 = 1 << 2,     /* E0 80-9F */
	TOO_LARGE = 1 << 3,      /* F4 90-BF, F5-FF 90-BF */
	SURROGATE = 1 << 4,      /* ED A0-BF */
	OVERLONG_2 = 1 << 5,     /* C0, C1 */
	TOO_LARGE_1000 = 1 << 6, /* F5-FF 80-8F */
	OVERLONG_4 = 1 << 6,     /* F0 80-8F */
	TWO_CONTS = 1 << 7,      /* two continuations: right only as third or fourth octet */
	CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS,
};

#define TWICE16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
	_mm256_setr_epi8((char)(a), (char)(b), (char)(c), (char)(d), (char)(e), (char)(f), (char)(g), (char)(h), \
		(char)(i), (char)(j), (char)(k), (char)(l), (char)(m), (char)(n), (char)(o), (char)(p), \
		(char)(a), (char)(b), (char)(c), (char)(d), (char)(e), (char)(f), (char)(g), (char)(h), \
		(char)(i), (char)(j), (char)(k), (char)(l), (char)(m), (char)(n), (char)(o), (char)(p))

/* Nonzero octets where `in`, preceded by `before`, is wrong. */
__attribute__((target("avx2")))
static inline __m256i errors_avx2(__m256i before, __m256i in)
{
	const __m256i low4 = _mm256_set1_epi8(0x0f);
	const __m256i by_prev_high = TWICE16(
		TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
		TWO_CONTS, TWO_CONTS, TWO_CONTS, TWO_CONTS,
		TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
		TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
	const __m256i by_prev_low = TWICE16(
		CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4, CARRY | OVERLONG_2, CARRY, CARRY,
		CARRY | TOO_LARGE, CARRY | TOO_LARGE | TOO_LARGE_1000,
		CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
		CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
		CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000,
		CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE,
		CARRY | TOO_LARGE | TOO_LARGE_1000, CARRY | TOO_LARGE | TOO_LARGE_1000);
	const __m256i by_high = TWICE16(
		TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
		TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4,
		TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE,
		TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
		TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
		TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
	/* The last 16 of `before` under the first 16 of `in`: what alignr needs in each lane. */
	__m256i across = _mm256_permute2x128_si256(before, in, 0x21);
	__m256i prev1 = _mm256_alignr_epi8(in, across, 15);
	__m256i prev2 = _mm256_alignr_epi8(in, across, 14);
	__m256i prev3 = _mm256_alignr_epi8(in, across, 13);
	__m256i pairs = _mm256_and_si256(
		_mm256_and_si256(
			_mm256_shuffle_epi8(by_prev_high, _mm256_and_si256(_mm256_srli_epi16(prev1, 4), low4)),
			_mm256_shuffle_epi8(by_prev_low, _mm256_and_si256(prev1, low4))),
		_mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16(in, 4), low4)));
	/* Top bit where the octet must be a third or fourth one: there TWO_CONTS is right, and its absence wrong. */
	__m256i third = _mm256_subs_epu8(prev2, _mm256_set1_epi8(0xe0 - 0x80));
	__m256i fourth = _mm256_subs_epu8(prev3, _mm256_set1_epi8(0xf0 - 0x80));
	__m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
	return _mm256_xor_si256(must, pairs);
}

/* Back to the last place between characters, at most three octets. */
static size_t back_to_boundary(const uint8_t *p, size_t i)
{
	for (size_t back = 1; back <= 3 && back <= i; back++)
		if (p[i - back] >= 0xc0)
			return p[i - back] >= (back == 1 ? 0xc0 : back == 2 ? 0xe0 : 0xf0) ? i - back : i;
	return i;
}

__attribute__((target("avx2")))
static size_t prefix_avx2(const uint8_t *p, size_t len)
{
	__m256i before = _mm256_setzero_si256();
	size_t i = 0;
	for (; len - i >= 128; i += 128) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(p + i));
		__m256i b = _mm256_loadu_si256((const __m256i *)(p + i + 32));
		__m256i c = _mm256_loadu_si256((const __m256i *)(p + i + 64));
		__m256i d = _mm256_loadu_si256((const __m256i *)(p + i + 96));
		__m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
		if (_mm256_movemask_epi8(any) == 0 && (i == 0 || p[i - 1] < 0x80)) {
			before = _mm256_setzero_si256();
			continue;
		}
		any = _mm256_or_si256(errors_avx2(before, a), errors_avx2(a, b));
		any = _mm256_or_si256(any, _mm256_or_si256(errors_avx2(b, c), errors_avx2(c, d)));
		if (!_mm256_testz_si256(any, any))
			break;
		before = d;
	}
	for (; len - i >= 32; i += 32) {
		__m256i in = _mm256_loadu_si256((const __m256i *)(p + i));
		__m256i wrong = errors_avx2(before, in);
		if (!_mm256_testz_si256(wrong, wrong))
			break;
		before = in;
	}
	return back_to_boundary(p, i);
}
#endif

static const struct utf8_variant variants[] = {
#if UTF8_X86
	{"avx2", prefix_avx2},
	{"sse2", prefix_sse2},
#endif
	{"words", prefix_words},
};
enum { VARIANTS_LEN = sizeof(variants) / sizeof(variants[0]) };

const struct utf8_variant *utf8_variants(size_t *ret_n)
{
	size_t best = VARIANTS_LEN - 1;
#if UTF8_X86
	best = __builtin_cpu_supports("avx2") ? 0 : __builtin_cpu_supports("sse2") ? 1 : best;
#endif
	*ret_n = VARIANTS_LEN - best;
	return variants + best;
}

bool utf8_feed_with(const struct utf8_variant *v, struct utf8 *u, struct span s)
{
	size_t i = 0;
	if (u->state) {
		i = step(&u->state, s.p, s.len, true);
		u->position += i;
		if (u->state)
			return i == s.len;
	}
	size_t start = i;
	i += v->prefix(s.p + i, s.len - i);
	i += step(&u->state, s.p + i, s.len - i, false);
	u->position += i - start;
	return i == s.len;
}

bool utf8_feed(struct utf8 *u, struct span s)
{
	size_t n;
	return s.len == 0 || utf8_feed_with(utf8_variants(&n), u, s);
}

bool utf8_valid(struct span s, size_t *ret_bad)
{
	struct utf8 u;
	utf8_init(&u);
	bool ok = utf8_feed(&u, s);
	if (ok && utf8_complete(&u))
		return true;
	if (ret_bad)
		*ret_bad = (size_t)u.position;
	return false;
}
