#pragma once
/*
 * Masking, RFC 6455 5.3: octet i is XORed with key octet (i + phase) mod 4. At memory speed (AVX2 or SSE2 when the
 * processor has it).
 */
#include <stddef.h>
#include <stdint.h>

/*
 * dst may be src; otherwise they must not overlap. phase: index in the payload of the first octet, only its value
 * mod 4 matters.
 */
void mask_apply(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4], size_t phase);
/* "avx2", "sse2" or "words": which one runs here; for the benchmark. */
const char *mask_variant(void);

/*
 * The variants that this processor can run, best first, for tests and the benchmark; apply is mask_apply with phase 0.
 */
struct mask_variant {
	const char *name;
	void (*apply)(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4]);
};
const struct mask_variant *mask_variants(size_t *ret_n);
