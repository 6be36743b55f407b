/* Sets of ranges, maps and slots against a plain table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/err.h"
#include "harness/base/rng.h"
#include "harness/check/map.h"
#include "harness/check/ranges.h"
#include "harness/check/slots.h"

enum { N = 200 };

static void assert_as_table(const struct ranges *r, const bool *table)
{
	uint64_t top = 0;
	uint32_t n = 0;
	for (uint64_t v = 0; v < N; v++) {
		assert_int_equal(ranges_has(r, v), table[v]);
		top = table[v] ? v : top;
		n += table[v] && (v == 0 || !table[v - 1]);
	}
	assert_int_equal(r->n, n);
	assert_int_equal(ranges_top(r), top);
	for (uint64_t from = 0; from < N; from += 7)
		for (uint64_t to = from; to < N; to += 11) {
			struct range gap;
			uint64_t first = from, last;
			while (first <= to && table[first])
				first++;
			for (last = first; last + 1 <= to && !table[last + 1];)
				last++;
			assert_int_equal(ranges_gap(r, from, to, &gap), first <= to);
			if (first <= to)
				assert_true(gap.first == first && gap.last == last);
		}
}

static void a_set_is_what_a_table_says(void **state)
{
	(void)state;
	struct rng rng;
	rng_init(&rng, 3, "ranges");
	for (int round = 0; round < 40; round++) {
		struct ranges r = {0};
		bool table[N] = {false};
		for (int i = 0; i < 60; i++) {
			uint64_t first = rng_below(&rng, N), last = first + rng_below(&rng, N - first) / (1 + rng_below(&rng, 20));
			bool add = rng_below(&rng, 3);
			assert_int_equal(add ? ranges_add(&r, first, last) : ranges_remove(&r, first, last), 0);
			memset(table + first, add, last - first + 1);
			assert_as_table(&r, table);
		}
		ranges_clear(&r);
		assert_int_equal(r.n, 0);
		ranges_fini(&r);
	}
}

static void the_ends_of_the_numbers_are_no_trap(void **state)
{
	(void)state;
	struct ranges r = {0};
	struct range gap;
	assert_int_equal(ranges_add(&r, UINT64_MAX, UINT64_MAX), 0);
	assert_int_equal(ranges_add(&r, 0, 0), 0);
	assert_int_equal(ranges_add(&r, 2, 1), 0);
	assert_int_equal(r.n, 2);
	assert_true(ranges_gap(&r, 0, UINT64_MAX, &gap) && gap.first == 1 && gap.last == UINT64_MAX - 1);
	assert_int_equal(ranges_add(&r, 1, UINT64_MAX - 1), 0);
	assert_int_equal(r.n, 1);
	assert_false(ranges_gap(&r, 0, UINT64_MAX, &gap));
	ranges_fini(&r);
}

static void a_map_finds_what_was_put(void **state)
{
	(void)state;
	struct map m = {0};
	int things[1];
	assert_null(map_get(&m, 1));
	for (uint64_t i = 1; i <= 5000; i++)
		assert_int_equal(map_put(&m, map_pair((uint32_t)(i % 70), (uint32_t)i), (char *)things + i), 0);
	for (uint64_t i = 1; i <= 5000; i++)
		assert_ptr_equal(map_get(&m, map_pair((uint32_t)(i % 70), (uint32_t)i)), (char *)things + i);
	assert_null(map_get(&m, map_pair(71, 1)));
	map_fini(&m);
}

static void slots_are_zero_and_stay(void **state)
{
	(void)state;
	struct slots s = {0};
	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t *v = slots_get(&s, i, sizeof(*v));
		assert_true(v && *v == 0);
		*v = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(*(uint64_t *)slots_get(&s, i, sizeof(uint64_t)) == i);
	assert_true(*(uint64_t *)slots_get(&s, 5000, sizeof(uint64_t)) == 0 && s.n == 5001);
	slots_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_is_what_a_table_says), cmocka_unit_test(the_ends_of_the_numbers_are_no_trap),
		cmocka_unit_test(a_map_finds_what_was_put), cmocka_unit_test(slots_are_zero_and_stay),
	};
	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
