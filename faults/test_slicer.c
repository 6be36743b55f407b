/* Slicer: where slices end, and when the next one may come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_chunks.h"

static void slices_have_the_size_asked_for(void **state)
{
	static const struct {
		const char *options;
		size_t len, from, to, average;
	} rows[] = {
		{"average_size=1B", 4000, 1, 1, 1},
		{"average_size=100B", 100000, 100, 100, 100},
		{"average_size=100B size_variation=99B", 200000, 1, 199, 100},
		{"average_size=1000B size_variation=500B", 1 << 20, 500, 1500, 1000},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		size_t least = SIZE_MAX, most = 0;
		bench_init(&b);
		bench_add(&b, "slicer", rows[i].options, 0);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), rows[i].len, 0);
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), rows[i].len);
		for (size_t p = 0; p + 1 < b.n_pieces; p++) { /* the last one is cut by the end */
			least = b.pieces[p].len < least ? b.pieces[p].len : least;
			most = b.pieces[p].len > most ? b.pieces[p].len : most;
		}
		size_t spread = (rows[i].to - rows[i].from) / 20;
		assert_in_range(least, rows[i].from, rows[i].from + spread);
		assert_in_range(most, rows[i].to - spread, rows[i].to);
		assert_in_range(b.n_pieces, rows[i].len / rows[i].average * 9 / 10, rows[i].len / rows[i].average * 11 / 10 + 1);
		assert_false(bench_next(&b));
		bench_fini(&b);
	}
}

static void nothing_passes_for_the_delay(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "slicer", "average_size=10B delay=50us", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 1000, 0);
	bench_eof(&b, DOWNSTREAM);
	while (bench_next(&b))
		;
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 1000);
	assert_int_equal(b.n_pieces, 100);
	for (size_t p = 0; p < b.n_pieces; p++) {
		assert_int_equal(b.pieces[p].at_us, 50 * p);
		assert_int_equal(b.pieces[p].len, 10);
	}
	assert_int_equal(b.eof_at_us[DOWNSTREAM], 50 * 99);
	bench_fini(&b);
	bench_init(&b); /* a pause saves nothing up */
	bench_add(&b, "slicer", "average_size=10B delay=50us", 0);
	for (uint64_t at_us = 0; at_us < 3000000; at_us += 1000000) {
		b.n_pieces = 0;
		bench_feed(&b, DOWNSTREAM, bench_pattern(), 30, 0);
		bench_pass_us(&b, 1000000);
		assert_int_equal(b.n_pieces, 3);
		for (size_t p = 0; p < 3; p++)
			assert_int_equal(b.pieces[p].at_us, at_us + 50 * p);
	}
	bench_fini(&b);
}

/* A slice that is not full yet is not kept back: the sender may wait for the answer to it. */
static void a_part_of_a_slice_passes(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "slicer", "average_size=10B delay=1s", 0);
	bench_feed_text(&b, DOWNSTREAM, "1234");
	bench_assert_text(&b, DOWNSTREAM, "1234");
	bench_feed_text(&b, DOWNSTREAM, "567890abc");
	bench_assert_text(&b, DOWNSTREAM, "1234567890");
	bench_pass_us(&b, 999999);
	bench_assert_text(&b, DOWNSTREAM, "1234567890");
	bench_pass_us(&b, 1);
	bench_assert_text(&b, DOWNSTREAM, "1234567890abc");
	bench_fini(&b);
}

static void cutting_changes_nothing_but_the_seed_does(void **state)
{
	static const char *const options[] = {
		"", "average_size=100B delay=70us", "average_size=40B size_variation=39B delay=20us",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = chunks_assert_same("slicer", options[i], STREAM_BOTH, 1);
		struct buf again CLEANUP(buf_fini) = chunks_assert_same("slicer", options[i], STREAM_BOTH, 1);
		struct buf other CLEANUP(buf_fini) = chunks_assert_same("slicer", options[i], STREAM_BOTH, 2);
		assert_true(span_eq(buf_span(&one), buf_span(&again)));
		assert_int_equal(span_eq(buf_span(&one), buf_span(&other)), !strstr(options[i], "variation"));
	}
}

static void it_changes_and_goes_on_an_open_connection(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *t = bench_add(&b, "slicer", "average_size=10B delay=1h", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 1000, 0);
	bench_eof(&b, DOWNSTREAM);
	bench_pass_us(&b, 5);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 10);
	bench_change(&b, t, "average_size=100B delay=1ms");
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 10);
	bench_pass_us(&b, 1000);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 110);
	assert_false(b.eof[DOWNSTREAM]);
	bench_remove(&b, t);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 1000);
	assert_true(b.eof[DOWNSTREAM] && b.eof_at_us[DOWNSTREAM] == 1005);
	bench_fini(&b);
}

static void the_sender_waits(void **state)
{
	struct bench b;
	size_t fed = 0;
	(void)state;
	bench_init(&b);
	bench_add(&b, "slicer", "average_size=10B delay=1h", 0);
	for (; !chain_full(b.chain, DOWNSTREAM); fed += 4096)
		bench_feed(&b, DOWNSTREAM, bench_pattern() + fed, 4096, 0);
	assert_in_range(fed, 64 << 10, (64 << 10) + 2 * 4096);
	bench_fini(&b);
}

static void bad_sizes_are_refused(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	assert_string_equal(bench_refusal(&b, "slicer", "average_size=10B size_variation=10B"),
			    "size_variation must be smaller than average_size");
	assert_non_null(bench_refusal(&b, "slicer", "average_size=0B"));
	assert_null(bench_refusal(&b, "slicer", "average_size=10B size_variation=9B"));
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_have_the_size_asked_for),
		cmocka_unit_test(nothing_passes_for_the_delay),
		cmocka_unit_test(a_part_of_a_slice_passes),
		cmocka_unit_test(cutting_changes_nothing_but_the_seed_does),
		cmocka_unit_test(it_changes_and_goes_on_an_open_connection),
		cmocka_unit_test(the_sender_waits),
		cmocka_unit_test(bad_sizes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
