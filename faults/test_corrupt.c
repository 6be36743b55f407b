/* corrupt: how many octets, which bits, and that nothing else changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "faults/test_chunks.h"

static void the_share_asked_for_is_hit_by_one_bit(void **state)
{
	static const struct {
		const char *options;
		double probability;
		int bit;                   /* -1: any */
	} rows[] = {
		{"probability=0%", 0, -1},       {"probability=0.01%", 0.0001, -1}, {"", 0.001, -1},
		{"probability=1%", 0.01, -1},    {"probability=50%", 0.5, -1},      {"probability=100%", 1, -1},
		{"probability=1% bit=0", 0.01, 0}, {"probability=100% bit=7", 1, 7},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		size_t hits = 0, of_bit[8] = {0};
		bench_init(&b);
		bench_add(&b, "corrupt", rows[i].options, 0);
		for (size_t at = 0; at < BENCH_PATTERN; at += 1 << 18) { /* so that the bench has room for the pieces */
			b.n_pieces = 0;
			bench_feed(&b, DOWNSTREAM, bench_pattern() + at, 1 << 18, 0);
		}
		assert_int_equal(b.out[DOWNSTREAM].len, BENCH_PATTERN);
		for (size_t at = 0; at < BENCH_PATTERN; at++) {
			uint8_t flipped = b.out[DOWNSTREAM].p[at] ^ bench_pattern()[at];
			hits += flipped != 0;
			if (flipped) {
				assert_int_equal(flipped & (flipped - 1), 0);
				of_bit[__builtin_ctz(flipped)]++;
			}
		}
		double mean = rows[i].probability * BENCH_PATTERN, off = (double)hits - mean;
		assert_true(off * off <= 25 * mean * (1 - rows[i].probability)); /* five deviations */
		for (int bit = 0; bit < 8; bit++)
			if (rows[i].bit >= 0)
				assert_int_equal(of_bit[bit], bit == rows[i].bit ? hits : 0);
			else if (hits > 1000)
				assert_in_range(of_bit[bit], hits / 8 * 8 / 10, hits / 8 * 12 / 10);
		bench_fini(&b);
	}
}

/* Gaps are those of a coin thrown for each octet: as often short as they must be. */
static void gaps_have_their_distribution(void **state)
{
	struct bench b;
	size_t n = 0, at_once = 0, within_100 = 0, last = 0;
	(void)state;
	bench_init(&b);
	bench_add(&b, "corrupt", "probability=1%", 0);
	for (size_t at = 0; at < BENCH_PATTERN; at += 1 << 18) {
		b.n_pieces = 0;
		bench_feed(&b, DOWNSTREAM, bench_pattern() + at, 1 << 18, 0);
	}
	for (size_t at = 0; at < BENCH_PATTERN; at++)
		if (b.out[DOWNSTREAM].p[at] != bench_pattern()[at]) {
			n++;
			at_once += at - last <= 1;
			within_100 += at - last <= 100;
			last = at;
		}
	assert_in_range(at_once, n * 5 / 1000, n * 16 / 1000);         /* 1 % */
	assert_in_range(within_100, n * 61 / 100, n * 66 / 100); /* 1 - 0.99^100 = 63.4 % */
	bench_fini(&b);
}

static void events_tell_where(void **state)
{
	struct bench b;
	struct buf expected CLEANUP(buf_fini) = {0};
	(void)state;
	buf_init(&expected, BENCH_EVENTS_MAX);
	bench_init(&b);
	bench_add(&b, "corrupt", "probability=1%", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 5000, 700);
	for (size_t at = 0; at < 5000; at++) {
		uint8_t flipped = b.out[DOWNSTREAM].p[at] ^ bench_pattern()[at];
		if (flipped)
			buf_printf(&expected, "corrupt_downstream hit conn=1 downstream at=%zu bit=%d\n", at, __builtin_ctz(flipped));
	}
	assert_true(expected.len > 0);
	assert_string_equal(buf_cstr(&b.events), buf_cstr(&expected));
	bench_fini(&b);
}

static void not_more_than_a_thousand_are_told(void **state)
{
	struct bench b;
	size_t lines = 0;
	(void)state;
	bench_init(&b);
	bench_add(&b, "corrupt", "probability=100%", STREAM_BOTH);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 5000, 0);
	bench_feed(&b, UPSTREAM, bench_pattern(), 300, 0);
	for (size_t i = 0; i < b.events.len; i++)
		lines += b.events.p[i] == '\n';
	assert_int_equal(lines, 1000 + 300);
	bench_fini(&b);
}

static void cutting_changes_nothing_but_the_seed_does(void **state)
{
	static const char *const options[] = {"probability=0.3%", "probability=5%", "probability=60%", "probability=5% bit=3"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = chunks_assert_same("corrupt", options[i], STREAM_BOTH, 1);
		struct buf again CLEANUP(buf_fini) = chunks_assert_same("corrupt", options[i], STREAM_BOTH, 1);
		struct buf other CLEANUP(buf_fini) = chunks_assert_same("corrupt", options[i], STREAM_BOTH, 2);
		assert_true(span_eq(buf_span(&one), buf_span(&again)));
		assert_false(span_eq(buf_span(&one), buf_span(&other)));
	}
}

/* What one direction carries says nothing about the other. */
static void directions_are_drawn_apart(void **state)
{
	uint8_t alone[5000];
	(void)state;
	for (int with_other = 0; with_other < 2; with_other++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "corrupt", "probability=3%", STREAM_BOTH);
		for (size_t at = 0; at < sizeof(alone); at += 100) {
			if (with_other)
				bench_feed(&b, UPSTREAM, bench_pattern(), 77, 0);
			bench_feed(&b, DOWNSTREAM, bench_pattern() + at, 100, 0);
		}
		if (with_other)
			bench_assert_out(&b, DOWNSTREAM, alone, sizeof(alone));
		else
			memcpy(alone, b.out[DOWNSTREAM].p, sizeof(alone));
		bench_fini(&b);
	}
}

static void it_changes_and_goes_on_an_open_connection(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *t = bench_add(&b, "corrupt", "probability=0%", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 1000, 0);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 1000);
	bench_change(&b, t, "probability=100% bit=0");
	bench_feed(&b, DOWNSTREAM, bench_pattern() + 1000, 1000, 0);
	for (size_t at = 1000; at < 2000; at++)
		assert_int_equal(b.out[DOWNSTREAM].p[at], bench_pattern()[at] ^ 1);
	bench_change(&b, t, "probability=0%");
	bench_feed(&b, DOWNSTREAM, bench_pattern() + 2000, 1000, 0);
	bench_change(&b, t, "probability=100% bit=1");
	bench_remove(&b, t);
	bench_feed(&b, DOWNSTREAM, bench_pattern() + 3000, 1000, 0);
	assert_memory_equal(b.out[DOWNSTREAM].p + 2000, bench_pattern() + 2000, 2000);
	bench_eof(&b, DOWNSTREAM);
	assert_true(b.eof[DOWNSTREAM]);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_share_asked_for_is_hit_by_one_bit),
		cmocka_unit_test(gaps_have_their_distribution),
		cmocka_unit_test(events_tell_where),
		cmocka_unit_test(not_more_than_a_thousand_are_told),
		cmocka_unit_test(cutting_changes_nothing_but_the_seed_does),
		cmocka_unit_test(directions_are_drawn_apart),
		cmocka_unit_test(it_changes_and_goes_on_an_open_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
