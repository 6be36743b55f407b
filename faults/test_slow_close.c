/* slow_close: octets at once, the FIN later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_chunks.h"

static void only_the_fin_is_late(void **state)
{
	static const struct {
		const char *options;
		uint64_t us;
	} rows[] = {{"", 0}, {"delay=1us", 1}, {"delay=2s", 2000000}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "slow_close", rows[i].options, 0);
		bench_pass_us(&b, 10);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN, 4096);
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN);
		bench_eof(&b, UPSTREAM);
		assert_true(b.eof[UPSTREAM]);
		bench_eof(&b, DOWNSTREAM);
		if (rows[i].us) {
			bench_pass_us(&b, rows[i].us - 1);
			assert_false(b.eof[DOWNSTREAM]);
			bench_pass_us(&b, 1);
		}
		assert_true(b.eof[DOWNSTREAM] && b.eof_at_us[DOWNSTREAM] == 10 + rows[i].us && !b.ended);
		assert_false(bench_next(&b));
		bench_fini(&b);
	}
}

static void each_direction_waits_for_itself(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "slow_close", "delay=100us", STREAM_BOTH);
	bench_eof(&b, UPSTREAM);
	bench_pass_us(&b, 60);
	bench_feed_text(&b, DOWNSTREAM, "the last word");
	bench_assert_text(&b, DOWNSTREAM, "the last word");
	bench_eof(&b, DOWNSTREAM);
	while (bench_next(&b))
		;
	assert_int_equal(b.eof_at_us[UPSTREAM], 100);
	assert_int_equal(b.eof_at_us[DOWNSTREAM], 160);
	assert_string_equal(buf_cstr(&b.events), "slow_close_both hit conn=1 upstream at=0 delay_us=100\n"
						 "slow_close_both hit conn=1 downstream at=13 delay_us=100\n");
	bench_fini(&b);
}

static void it_changes_and_goes_while_the_fin_waits(void **state)
{
	static const struct {
		const char *options;       /* NULL: taken off */
		uint64_t at_us;            /* came at 0, changed at 50 */
	} rows[] = {{"delay=200us", 200}, {"delay=70us", 70}, {"delay=20us", 50}, {"", 50}, {NULL, 50}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		struct toxic *t = bench_add(&b, "slow_close", "delay=100us", 0);
		bench_eof(&b, DOWNSTREAM);
		bench_pass_us(&b, 50);
		if (rows[i].options)
			bench_change(&b, t, rows[i].options);
		else
			bench_remove(&b, t);
		while (bench_next(&b))
			;
		assert_true(b.eof[DOWNSTREAM] && b.eof_at_us[DOWNSTREAM] == rows[i].at_us);
		bench_fini(&b);
	}
}

static void cutting_changes_nothing(void **state)
{
	(void)state;
	struct buf one CLEANUP(buf_fini) = chunks_assert_same("slow_close", "delay=3ms", STREAM_BOTH, 1);
	struct buf other CLEANUP(buf_fini) = chunks_assert_same("slow_close", "delay=3ms", STREAM_BOTH, 2);
	assert_true(span_eq(buf_span(&one), buf_span(&other)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_fin_is_late),
		cmocka_unit_test(each_direction_waits_for_itself),
		cmocka_unit_test(it_changes_and_goes_while_the_fin_waits),
		cmocka_unit_test(cutting_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
