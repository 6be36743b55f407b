/* The waits of a client: growth, cap, jitter, reset, giving up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/load/backoff.h"

static void waits_grow_up_to_the_cap(void **state)
{
	(void)state;
	static const struct {
		struct backoff_options o;
		uint64_t waits[6];
	} rows[] = {
		{{.base_ms = 500, .cap_ms = 3000, .factor = 2}, {500, 1000, 2000, 3000, 3000, 3000}},
		{{.base_ms = 10, .cap_ms = 100000, .factor = 10}, {10, 100, 1000, 10000, 100000, 100000}},
		{{.base_ms = 7, .cap_ms = 9, .factor = 1}, {7, 7, 7, 7, 7, 7}},
		{{.base_ms = 20, .cap_ms = 10, .factor = 2}, {10, 10, 10, 10, 10, 10}},
		{{.base_ms = 0, .cap_ms = 10, .factor = 2}, {0, 0, 0, 0, 0, 0}},
		{{.base_ms = 1, .cap_ms = 10, .factor = 2, .give_up = 3}, {1, 2, 4, UINT64_MAX, UINT64_MAX, UINT64_MAX}},
	};
	struct rng rng;
	rng_init(&rng, 1, "test");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct backoff b = {0};
		for (size_t j = 0; j < ARRAY_LEN(rows[i].waits); j++)
			assert_true(backoff_next(&b, &rows[i].o, &rng) == rows[i].waits[j]);
	}
}

static void jitter_fills_the_whole_wait(void **state)
{
	(void)state;
	struct backoff_options o = {.base_ms = 1000, .cap_ms = 1000, .factor = 2, .jitter = true};
	struct rng rng;
	uint64_t quarters[4] = {0};
	rng_init(&rng, 1, "test");
	for (int i = 0; i < 4000; i++) {
		struct backoff b = {0};
		uint64_t wait = backoff_next(&b, &o, &rng);
		assert_in_range(wait, 0, 1000);
		quarters[wait < 1000 ? wait / 250 : 3]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(quarters[i], 850, 1150);
}

static void only_a_lasting_connection_resets(void **state)
{
	(void)state;
	struct backoff_options o = {.base_ms = 1, .cap_ms = 1000, .factor = 2, .reset_ms = 5000, .give_up = 4};
	struct backoff b = {0};
	struct rng rng;
	rng_init(&rng, 1, "test");
	assert_true(backoff_next(&b, &o, &rng) == 1);
	assert_true(backoff_next(&b, &o, &rng) == 2);
	backoff_up(&b, &o, 4999);
	assert_true(backoff_next(&b, &o, &rng) == 4);
	backoff_up(&b, &o, 5000);
	assert_true(backoff_next(&b, &o, &rng) == 1);
}

static void a_very_long_outage_does_not_overflow(void **state)
{
	(void)state;
	struct backoff_options o = {.base_ms = 1, .cap_ms = BACKOFF_WAIT_MAX_MS, .factor = BACKOFF_FACTOR_MAX};
	struct backoff b = {.tries = UINT64_MAX / 2};
	struct rng rng;
	rng_init(&rng, 1, "test");
	assert_true(backoff_next(&b, &o, &rng) == BACKOFF_WAIT_MAX_MS);
	o.factor = 1;
	assert_true(backoff_next(&b, &o, &rng) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_grow_up_to_the_cap),
		cmocka_unit_test(jitter_fills_the_whole_wait),
		cmocka_unit_test(only_a_lasting_connection_resets),
		cmocka_unit_test(a_very_long_outage_does_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
