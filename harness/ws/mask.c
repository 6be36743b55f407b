/*
 * Masking touches every octet that goes out, so it must not be what limits a load run. Each variant is the same XOR
 * with a wider register; the widest one that the processor has is chosen at each call (one load and one branch).
 */
#include "harness/ws/mask.h"

#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#define MASK_X86 1
#include <immintrin.h>
#else
#define MASK_X86 0
#endif

/*
 * All block sizes are multiples of four, so the rotated key fits every block and only the tail looks at single octets.
 */
static void apply_words(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4])
{
	uint32_t key32;
	memcpy(&key32, key, 4);
	uint64_t key64 = (uint64_t)key32 << 32 | key32;
	size_t i = 0;
	for (; len - i >= 8; i += 8) {
		uint64_t word;
		memcpy(&word, src + i, 8);
		word ^= key64;
		memcpy(dst + i, &word, 8);
	}
	for (; i < len; i++)
		dst[i] = src[i] ^ key[i & 3];
}

#if MASK_X86
__attribute__((target("sse2")))
static void apply_sse2(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4])
{
	int32_t key32;
	memcpy(&key32, key, 4);
	const __m128i k = _mm_set1_epi32(key32);
	size_t i = 0;
	for (; len - i >= 64; i += 64) {
		__m128i a = _mm_xor_si128(k, _mm_loadu_si128((const __m128i *)(src + i)));
		__m128i b = _mm_xor_si128(k, _mm_loadu_si128((const __m128i *)(src + i + 16)));
		__m128i c = _mm_xor_si128(k, _mm_loadu_si128((const __m128i *)(src + i + 32)));
		__m128i d = _mm_xor_si128(k, _mm_loadu_si128((const __m128i *)(src + i + 48)));
		_mm_storeu_si128((__m128i *)(dst + i), a);
		_mm_storeu_si128((__m128i *)(dst + i + 16), b);
		_mm_storeu_si128((__m128i *)(dst + i + 32), c);
		_mm_storeu_si128((__m128i *)(dst + i + 48), d);
	}
	for (; len - i >= 16; i += 16)
		_mm_storeu_si128((__m128i *)(dst + i), _mm_xor_si128(k, _mm_loadu_si128((const __m128i *)(src + i))));
	apply_words(dst + i, src + i, len - i, key);
}

__attribute__((target("avx2")))
static void apply_avx2(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4])
{
	int32_t key32;
	memcpy(&key32, key, 4);
	const __m256i k = _mm256_set1_epi32(key32);
	size_t i = 0;
	for (; len - i >= 128; i += 128) {
		__m256i a = _mm256_xor_si256(k, _mm256_loadu_si256((const __m256i *)(src + i)));
		__m256i b = _mm256_xor_si256(k, _mm256_loadu_si256((const __m256i *)(src + i + 32)));
		__m256i c = _mm256_xor_si256(k, _mm256_loadu_si256((const __m256i *)(src + i + 64)));
		__m256i d = _mm256_xor_si256(k, _mm256_loadu_si256((const __m256i *)(src + i + 96)));
		_mm256_storeu_si256((__m256i *)(dst + i), a);
		_mm256_storeu_si256((__m256i *)(dst + i + 32), b);
		_mm256_storeu_si256((__m256i *)(dst + i + 64), c);
		_mm256_storeu_si256((__m256i *)(dst + i + 96), d);
	}
	for (; len - i >= 32; i += 32)
		_mm256_storeu_si256((__m256i *)(dst + i),
			_mm256_xor_si256(k, _mm256_loadu_si256((const __m256i *)(src + i))));
	apply_words(dst + i, src + i, len - i, key);
}
#endif

static const struct mask_variant variants[] = {
#if MASK_X86
	{"avx2", apply_avx2},
	{"sse2", apply_sse2},
#endif
	{"words", apply_words},
};
enum { VARIANTS_LEN = sizeof(variants) / sizeof(variants[0]) };

static size_t best(void)
{
#if MASK_X86
	if (__builtin_cpu_supports("avx2"))
		return 0;
	if (__builtin_cpu_supports("sse2"))
		return 1;
#endif
	return VARIANTS_LEN - 1;
}

const struct mask_variant *mask_variants(size_t *ret_n)
{
	*ret_n = VARIANTS_LEN - best();
	return variants + best();
}

void mask_apply(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4], size_t phase)
{
	const uint8_t turned[4] = {key[phase & 3], key[(phase + 1) & 3], key[(phase + 2) & 3], key[(phase + 3) & 3]};
	variants[best()].apply(dst, src, len, turned);
}

const char *mask_variant(void)
{
	return variants[best()].name;
}
