/* limit_data: the exact octet, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "faults/test_chunks.h"

static void the_octets_up_to_the_limit_pass(void **state)
{
	static const struct {
		const char *options;
		size_t fed, out;
		bool ends;
		enum stream_end how;
	} rows[] = {
		{"bytes=0B", 100, 0, true, STREAM_END_FIN},
		{"bytes=1B", 100, 1, true, STREAM_END_FIN},
		{"bytes=100B", 99, 99, false, STREAM_END_FIN},
		{"bytes=100B", 100, 100, true, STREAM_END_FIN},
		{"bytes=100B", 101, 100, true, STREAM_END_FIN},
		{"bytes=100kB how=fin", 200000, 100000, true, STREAM_END_FIN},
		{"bytes=100kB how=rst", 200000, 100000, true, STREAM_END_RST},
		{"bytes=100kB how=blackhole", 200000, 100000, true, STREAM_END_SILENCE},
	};
	static const size_t chunks[] = {0, 1000, 999};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t c = 0; c < ARRAY_LEN(chunks); c++) {
			struct bench b;
			bench_init(&b);
			bench_add(&b, "limit_data", rows[i].options, 0);
			bench_feed(&b, UPSTREAM, bench_pattern(), 5000, 0); /* the other way is not counted */
			assert_false(b.ended);
			bench_feed(&b, DOWNSTREAM, bench_pattern(), rows[i].fed, chunks[c]);
			bench_assert_out(&b, DOWNSTREAM, bench_pattern(), rows[i].out);
			assert_int_equal(b.ended, rows[i].ends);
			if (b.ended)
				assert_true(b.how == rows[i].how && b.ended_at_us == 0);
			bench_fini(&b);
		}
}

static void each_direction_and_connection_is_counted_by_itself(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "limit_data", "bytes=10B", STREAM_BOTH);
	for (int i = 0; i < 2; i++) {
		bench_feed(&b, UPSTREAM, bench_pattern(), 9, 0);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), 9, 0);
		assert_false(b.ended);
		bench_feed(&b, UPSTREAM, bench_pattern() + 9, 2, 0);
		assert_true(b.ended);
		bench_assert_out(&b, UPSTREAM, bench_pattern(), 10);
		bench_open(&b);
	}
	assert_string_equal(buf_cstr(&b.events), "limit_data_both end conn=1 upstream at=10 how=fin\n"
						 "limit_data_both end conn=2 upstream at=10 how=fin\n");
	bench_fini(&b);
}

static void it_counts_from_when_it_is_put_on_and_follows_changes(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 1000, 0);
	struct toxic *t = bench_add(&b, "limit_data", "bytes=100B", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern() + 1000, 60, 0);
	bench_change(&b, t, "bytes=200B");
	bench_feed(&b, DOWNSTREAM, bench_pattern() + 1060, 60, 0);
	assert_false(b.ended);
	bench_change(&b, t, "bytes=119B how=rst"); /* 120 have passed */
	assert_true(b.ended && b.how == STREAM_END_RST);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 1120);
	bench_fini(&b);
}

static void taken_off_nothing_ends(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *t = bench_add(&b, "limit_data", "bytes=10B", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 9, 0);
	bench_remove(&b, t);
	bench_feed(&b, DOWNSTREAM, bench_pattern() + 9, 1000, 0);
	bench_eof(&b, DOWNSTREAM);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 1009);
	assert_true(b.eof[DOWNSTREAM] && !b.ended);
	bench_fini(&b);
}

static void cutting_changes_nothing(void **state)
{
	static const char *const options[] = {"", "bytes=1B", "bytes=500B", "bytes=1900B how=rst", "bytes=1MB"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = chunks_assert_same("limit_data", options[i], STREAM_BOTH, 1);
		struct buf other CLEANUP(buf_fini) = chunks_assert_same("limit_data", options[i], STREAM_BOTH, 2);
		assert_true(span_eq(buf_span(&one), buf_span(&other)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_octets_up_to_the_limit_pass),
		cmocka_unit_test(each_direction_and_connection_is_counted_by_itself),
		cmocka_unit_test(it_counts_from_when_it_is_put_on_and_follows_changes),
		cmocka_unit_test(taken_off_nothing_ends),
		cmocka_unit_test(cutting_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
