#pragma once
/*
 * What every fuzz target has: LLVMFuzzerTestOneInput, which asserts what must hold for any octets and returns 0.
 * Inputs begin with four octets that seed the target's own choices (where to cut); what follows is the text under
 * test. Adding a target: fuzz_x.c, a row in meson.build, and seeds in corpus/fuzz_x/.
 */
#include <assert.h>
#include <stdint.h>

#include "harness/base/rng.h"
#include "harness/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Takes the seed off the input; a shorter input is padded with zeros and has an empty text. */
static inline struct span fuzz_input(const uint8_t *data, size_t len, struct rng *ret_rng)
{
	uint32_t seed = 0;
	size_t taken = len < sizeof(seed) ? len : sizeof(seed);
	if (taken)
		memcpy(&seed, data, taken);
	rng_init(ret_rng, seed, "fuzz");
	return span_of(data + taken, len - taken);
}
