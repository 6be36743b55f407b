/* The generators against published vectors, and that streams, ranges and octets come out the same on every machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/err.h"
#include "harness/base/rng.h"

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

/* State 1, 2, 3, 4: the vector of the reference C code, as in the tests of Rust's rand_xoshiro. */
static void xoshiro256_matches_the_published_vector(void **state)
{
	(void)state;
	static const uint64_t want[] = {
		11520u,
		0u,
		1509978240u,
		1215971899390074240u,
		1216172134540287360u,
		607988272756665600u,
		16172922978634559625u,
		8476171486693032832u,
		10595114339597558777u,
		2904607092377533576u,
	};
	struct rng r = {{1, 2, 3, 4}};
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_true(rng_u64(&r) == want[i]);
}

/*
 * splitmix64 from 1234567, and FNV-1a of "", "a" and "foobar" (the authors' test vectors); our mixing of seed and name
 * is undone here.
 */
static void seeding_matches_the_published_vectors(void **state)
{
	(void)state;
	static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
					4593380528125082431u};
	static const struct {
		const char *name;
		uint64_t fnv1a;
	} names[] = {{"", 0xcbf29ce484222325u}, {"a", 0xaf63dc4c8601ec8cu}, {"foobar", 0x85944171f73967e8u}};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct rng r;
		rng_init(&r, 1234567u ^ rotl(names[i].fnv1a, 31), names[i].name);
		for (size_t j = 0; j < ARRAY_LEN(want); j++)
			assert_true(r.s[j] == want[j]);
	}
}

static void names_and_seeds_make_different_streams(void **state)
{
	(void)state;
	struct rng a, b, c, again;
	rng_init(&a, 42, "ping/payload-126");
	rng_init(&b, 42, "ping/payload-125");
	rng_init(&c, 43, "ping/payload-126");
	rng_init(&again, 42, "ping/payload-126");
	uint64_t first = rng_u64(&a);
	assert_true(first == rng_u64(&again));
	assert_true(first != rng_u64(&b));
	assert_true(first != rng_u64(&c));
}

static void below_is_in_range_and_uniform(void **state)
{
	(void)state;
	struct rng r;
	unsigned seen[7] = {0};
	rng_init(&r, 1, "below");
	for (int i = 0; i < 70000; i++) {
		uint64_t x = rng_below(&r, 7);
		assert_true(x < 7);
		seen[x]++;
	}
	for (int i = 0; i < 7; i++) /* 10 standard deviations of 93 */
		assert_in_range(seen[i], 10000 - 930, 10000 + 930);
	for (int i = 0; i < 100; i++)
		assert_int_equal(rng_below(&r, 1), 0);
	const uint64_t big =
		UINT64_MAX / 2 + 2; /* where a plain remainder would be twice as likely for half of the values */
	unsigned low = 0;
	for (int i = 0; i < 10000; i++)
		low += rng_below(&r, big) < big / 2;
	assert_in_range(low, 4500, 5500);
}

/* The octets of a value come lowest first; a rest takes the front of one more value. */
static void fill_is_little_endian_everywhere(void **state)
{
	(void)state;
	struct rng r = {{1, 2, 3, 4}};
	uint8_t got[19];
	memset(got, 0xee, sizeof(got));
	rng_fill(&r, got, 18);
	static const uint8_t want[19] = {0x00, 0x2d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x70, 0xee};
	/* 1509978240 is 0x5a007080 */
	assert_memory_equal(got, want, sizeof(want));
	rng_fill(&r, got, 0);
	assert_int_equal(got[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xoshiro256_matches_the_published_vector),
		cmocka_unit_test(seeding_matches_the_published_vectors),
		cmocka_unit_test(names_and_seeds_make_different_streams),
		cmocka_unit_test(below_is_in_range_and_uniform),
		cmocka_unit_test(fill_is_little_endian_everywhere),
	};
	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
