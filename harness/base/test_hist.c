/*
 * The histogram against exact quantiles of sorted data, its bounds, and that merging is the same as recording together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/base/err.h"
#include "harness/base/hist.h"
#include "harness/base/rng.h"

enum { VALUES = 20000 };

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* `got` is not below the exact value and above it by less than one part in 1024. */
static void assert_near(uint64_t got, uint64_t exact)
{
	if (got < exact || (double)(got - exact) * 1024 >= (double)exact + (got == exact))
		fail_msg("%llu for %llu", (unsigned long long)got, (unsigned long long)exact);
}

/* percent as a fraction, so that the exact rank is a whole computation. */
static const struct {
	double percent;
	uint64_t numerator, denominator;
} quantiles[] = {
	{0.1, 1, 1000},
	{1, 1, 100},
	{10, 1, 10},
	{25, 1, 4},
	{50, 1, 2},
	{75, 3, 4},
	{90, 9, 10},
	{99, 99, 100},
	{99.9, 999, 1000},
	{99.99, 9999, 10000},
	{99.999, 99999, 100000},
};

static uint64_t make_value(struct rng *r, int shape)
{
	switch (shape) {
	case 0: /* one value in each decade of the whole range */
		return rng_u64(r) >> rng_below(r, 64);
	case 1: /* below the limit of exactness */
		return rng_below(r, 2048);
	case 2: /* latencies with a tail */
		return rng_below(r, 1000) == 0 ? 1000000 + rng_below(r, 9000000) : 100 + rng_below(r, 400);
	default: /* the top of the range */
		return UINT64_MAX - rng_below(r, 1000);
	}
}

static void quantiles_are_right_to_three_digits(void **state)
{
	(void)state;
	uint64_t *values CLEANUP(cleanup_free) = calloc(VALUES, sizeof(*values));
	for (int shape = 0; shape < 4; shape++) {
		for (size_t n = 1; n <= VALUES; n = n * 7 + 3) {
			struct rng r;
			struct hist h;
			rng_init(&r, n, "hist");
			hist_init(&h);
			for (size_t i = 0; i < n; i++) {
				values[i] = make_value(&r, shape);
				assert_int_equal(hist_record(&h, values[i]), 0);
			}
			qsort(values, n, sizeof(*values), compare);
			assert_true(hist_min(&h) == values[0] && hist_max(&h) == values[n - 1] && hist_count(&h) == n);
			for (size_t q = 0; q < ARRAY_LEN(quantiles); q++) {
				uint64_t rank = (n * quantiles[q].numerator + quantiles[q].denominator - 1) /
						quantiles[q].denominator;
				assert_near(hist_percentile(&h, quantiles[q].percent), values[rank - 1]);
			}
			assert_true(hist_percentile(&h, 0) == values[0] && hist_percentile(&h, 100) == values[n - 1]);
			hist_fini(&h);
		}
	}
}

static void small_values_are_exact(void **state)
{
	(void)state;
	struct hist h;
	hist_init(&h);
	for (uint64_t v = 0; v < 2048; v++)
		hist_record(&h, v);
	for (uint64_t v = 1; v <= 2048; v++)
		assert_true(hist_percentile(&h, 100.0 * (double)v / 2048) == v - 1);
	assert_true(hist_mean(&h) == 1023.5);
	hist_fini(&h);
}

/* The ends of cells, of blocks and of the range, each alone: what is found around it holds it. */
static void every_value_is_in_its_cell(void **state)
{
	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		for (int off = -2; off <= 2; off++) {
			uint64_t value = ((uint64_t)1 << bit) + (uint64_t)(int64_t)off, low, high, count;
			uint32_t pos = 0;
			struct hist h;
			hist_init(&h);
			assert_int_equal(hist_record_n(&h, value, 3), 0);
			assert_int_equal(hist_next(&h, &pos, &low, &high, &count), 1);
			assert_true(low <= value && value <= high && count == 3);
			assert_true(high - low <= low / 1024);
			assert_int_equal(hist_next(&h, &pos, &low, &high, &count), 0);
			assert_true(hist_percentile(&h, 50) == value); /* clamped by the maximum */
			hist_fini(&h);
		}
	}
}

static void cells_leave_no_gap(void **state)
{
	(void)state;
	struct hist h;
	hist_init(&h);
	uint64_t low, high = 0, count, cells = 0;
	for (uint64_t value = 0;; value = high + 1) { /* the largest value of a cell leads to the next one */
		uint32_t pos = 0;
		hist_fini(&h);
		assert_int_equal(hist_record(&h, value), 0);
		assert_int_equal(hist_next(&h, &pos, &low, &high, &count), 1);
		assert_true(low == value);
		cells++;
		if (high == UINT64_MAX)
			break;
	}
	assert_int_equal(cells, HIST_BLOCKS * HIST_CELLS);
	hist_fini(&h);
}

static void merging_is_recording_together(void **state)
{
	(void)state;
	struct hist parts[3], merged, together, empty;
	struct rng r;
	rng_init(&r, 11, "merge");
	hist_init(&merged);
	hist_init(&together);
	hist_init(&empty);
	for (int i = 0; i < 3; i++)
		hist_init(&parts[i]);
	for (int i = 0; i < 5000; i++) {
		uint64_t value = rng_u64(&r) >> rng_below(&r, 64);
		hist_record(&parts[i % 3], value);
		hist_record(&together, value);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(hist_merge(&merged, &parts[i]), 0);
	assert_int_equal(hist_merge(&merged, &empty), 0);
	uint32_t a = 0, b = 0;
	uint64_t x[3], y[3];
	while (hist_next(&together, &a, &x[0], &x[1], &x[2])) {
		assert_int_equal(hist_next(&merged, &b, &y[0], &y[1], &y[2]), 1);
		assert_memory_equal(x, y, sizeof(x));
	}
	assert_int_equal(hist_next(&merged, &b, &y[0], &y[1], &y[2]), 0);
	assert_true(merged.count == together.count && merged.min == together.min && merged.max == together.max);
	assert_true(merged.sum_low == together.sum_low && merged.sum_high == together.sum_high);
	for (int i = 0; i < 3; i++)
		hist_fini(&parts[i]);
	hist_fini(&merged);
	hist_fini(&together);
}

static void the_sum_does_not_overflow(void **state)
{
	(void)state;
	struct hist h;
	hist_init(&h);
	assert_int_equal(hist_record_n(&h, UINT64_MAX, 1000), 0);
	assert_true(hist_mean(&h) == 0x1p64);
	assert_int_equal(hist_record_n(&h, 0, 1000), 0);
	assert_true(hist_mean(&h) == 0x1p63);
	assert_true(h.sum_high == 999 && h.sum_low == 0 - (uint64_t)1000);
	hist_fini(&h);
}

static void an_empty_histogram_answers(void **state)
{
	(void)state;
	struct hist h;
	uint32_t pos = 0;
	uint64_t a, b, c;
	hist_init(&h);
	assert_int_equal(hist_record_n(&h, 5, 0), 0);
	assert_true(hist_count(&h) == 0 && hist_min(&h) == 0 && hist_max(&h) == 0 && hist_percentile(&h, 99) == 0 &&
		    hist_mean(&h) == 0);
	assert_int_equal(hist_next(&h, &pos, &a, &b, &c), 0);
	hist_record(&h, 7);
	assert_true(hist_percentile(&h, -5) == 7 && hist_percentile(&h, 500) == 7 &&
		    hist_percentile(&h, 0.0 / 0.0 * 1) == 7);
	hist_fini(&h);
	assert_true(hist_count(&h) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_right_to_three_digits), cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(every_value_is_in_its_cell),          cmocka_unit_test(cells_leave_no_gap),
		cmocka_unit_test(merging_is_recording_together),       cmocka_unit_test(the_sum_does_not_overflow),
		cmocka_unit_test(an_empty_histogram_answers),
	};
	return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
