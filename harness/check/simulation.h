#pragma once
/*
 * For tests: a small pub/sub server in a bad network. Queues in both directions that are cut at random, publishes that
 * are handled long after their connection died, resumes, evictions, new epochs; and lies that the server may tell.
 */
#include "harness/check/check.h"

enum lie {
	HONEST, LOSES, SWAPS, DUPLICATES, SKIPS_IN_REPLAY, REPEATS_IN_REPLAY, CLAIMS_RECOVERED, REFUSES, REFUSES_ZERO,
	IGNORES_EPOCH, RENUMBERS, CONFIRMS_UNSTORED, CROSSES_CHANNELS, LIVE_FIRST, LIES,
};

/*
 * Runs one world through every checker. The results live as long as *ret_set, which is the caller's. ret_lied: how
 * often the lie was told.
 */
const struct check_result *simulate(uint64_t seed, enum lie lie, struct check_set **ret_set, size_t *ret_n,
				    uint64_t *ret_lied);
