#pragma once
/* For the tests of filters: how the octets are cut by read() must change nothing. */
#include "faults/test_bench.h"

/*
 * The same traffic in both directions, at the same times, in reads of 1, 7, 1460 and 1461 octets and whole: each octet
 * comes out at the same time, and the events are the same. Gives what happened, for the seed decides; free it with
 * buf_fini.
 */
struct buf chunks_assert_same(const char *fault, const char *options, unsigned streams, uint64_t seed);
