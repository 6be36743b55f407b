/* Bandwidth: n octets take n / rate, whatever n; who sends more has to wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_chunks.h"

static void n_octets_take_n_by_rate(void **state)
{
	static const struct {
		const char *options;
		size_t len;
		uint64_t us;               /* rounded up */
	} rows[] = {
		{"rate=1kB", 1, 1000},
		{"rate=1kB", 3000, 3000000},
		{"rate=100kB", 100000, 1000000},
		{"rate=3B", 10, 3333334},
		{"rate=1MB", 1 << 20, 1048576},
		{"rate=7MB", 1 << 20, 149797},
		{"rate=1TB", 1000000, 1},
		{"rate=1kB burst=1kB", 1000, 0},
		{"rate=1kB burst=1kB", 1001, 1000},
		{"rate=1kB burst=1kB", 4000, 3000000},
		{"rate=1MB burst=1B", 1000, 999},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "bandwidth", rows[i].options, 0);
		bench_pass_us(&b, 123);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), rows[i].len, 0);
		if (rows[i].us > 0) {
			bench_pass_us(&b, rows[i].us - 1);
			assert_true(b.out[DOWNSTREAM].len < rows[i].len);
			bench_pass_us(&b, 1);
		}
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), rows[i].len);
		assert_false(bench_next(&b));
		bench_fini(&b);
	}
}

/* At no time has more come out than the line can have carried, nor less than that by more than a piece of 2 ms. */
static void it_flows_evenly(void **state)
{
	static const struct {
		const char *options;
		uint64_t rate;
	} rows[] = {{"rate=50kB", 50000}, {"rate=1MB", 1000000}, {"rate=20MB", 20000000}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "bandwidth", rows[i].options, 0);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), 100000, 0);
		while (bench_next(&b)) {
			uint64_t most = b.now_us * rows[i].rate / 1000000, out = b.out[DOWNSTREAM].len;
			assert_true(out <= most && most - out <= rows[i].rate / 500 + 1);
		}
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 100000);
		for (size_t p = 1; p < b.n_pieces; p++)
			assert_true(b.pieces[p].at_us - b.pieces[p - 1].at_us <= 2000);
		bench_fini(&b);
	}
}

static void an_idle_line_earns_no_more_than_the_burst(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "bandwidth", "rate=1kB burst=100B", 0);
	for (int i = 0; i < 3; i++) {
		bench_pass_us(&b, 3600000000);
		uint64_t came_us = b.now_us;
		b.out[DOWNSTREAM].len = 0;
		bench_feed(&b, DOWNSTREAM, bench_pattern(), 300, 0);
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 100);
		while (bench_next(&b))
			;
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 300);
		assert_int_equal(b.now_us - came_us, 200000);
	}
	b.out[DOWNSTREAM].len = 0; /* a bucket that is a quarter full */
	bench_pass_us(&b, 25000);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 100, 0);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 25);
	bench_fini(&b);
}

static void directions_do_not_share_the_line(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "bandwidth", "rate=1kB", STREAM_BOTH);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 500, 0);
	bench_feed(&b, UPSTREAM, bench_pattern(), 500, 0);
	bench_pass_us(&b, 500000);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 500);
	bench_assert_out(&b, UPSTREAM, bench_pattern(), 500);
	bench_fini(&b);
}

static void rate_0_passes_nothing_until_it_goes(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *t = bench_add(&b, "bandwidth", "rate=0B", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 5000, 1000);
	bench_eof(&b, DOWNSTREAM);
	bench_feed_text(&b, UPSTREAM, "the other way");
	assert_false(bench_next(&b));
	bench_pass_us(&b, 3600000000);
	bench_assert_out(&b, DOWNSTREAM, NULL, 0);
	bench_assert_text(&b, UPSTREAM, "the other way");
	assert_false(b.eof[DOWNSTREAM]);
	bench_remove(&b, t);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 5000);
	assert_true(b.eof[DOWNSTREAM] && !b.ended);
	bench_fini(&b);
}

static void a_new_rate_counts_at_once(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *t = bench_add(&b, "bandwidth", "rate=1kB", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 2000, 0);
	bench_pass_us(&b, 1000000); /* 1000 are out */
	bench_change(&b, t, "rate=10kB");
	bench_pass_us(&b, 99999);
	assert_true(b.out[DOWNSTREAM].len < 2000);
	bench_pass_us(&b, 1);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 2000);
	bench_change(&b, t, "rate=0B");
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 10, 0);
	bench_pass_us(&b, 3600000000);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 2000);
	bench_change(&b, t, "rate=1kB");
	bench_pass_us(&b, 10000);
	assert_int_equal(b.out[DOWNSTREAM].len, 2010);
	bench_fini(&b);
}

/* A change gives nobody a second burst, and a smaller one takes away what is too much. */
static void a_burst_is_kept_over_a_change(void **state)
{
	static const struct {
		const char *options;
		size_t out;                /* of 1000 octets, after 60 of a burst of 100 were used */
	} rows[] = {{"rate=1kB burst=100B", 40}, {"rate=1kB burst=1kB", 40}, {"rate=1kB burst=30B", 30}, {"rate=1kB", 0}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		struct toxic *t = bench_add(&b, "bandwidth", "rate=1kB burst=100B", 0);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), 60, 0);
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 60);
		bench_change(&b, t, rows[i].options);
		bench_feed(&b, DOWNSTREAM, bench_pattern() + 60, 1000, 0);
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 60 + rows[i].out);
		bench_fini(&b);
	}
}

/* As a relay does: reads of 64 KiB, none while the chain is full. */
static void the_sender_waits(void **state)
{
	static const struct {
		const char *options;
		size_t most;
	} rows[] = {
		{"rate=0B", 16 << 10}, {"rate=10kB", 16 << 10}, {"rate=100MB", 1000000}, {"rate=1TB", 4 << 20},
		{"rate=1kB burst=1MB", (16 << 10) + 1000000},
	};
	enum { READ = 64 << 10 };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		size_t fed = 0;
		bench_init(&b);
		bench_add(&b, "bandwidth", rows[i].options, 0);
		for (; !chain_full(b.chain, DOWNSTREAM); fed += READ) {
			assert_true(fed <= rows[i].most);
			bench_feed(&b, DOWNSTREAM, bench_pattern() + fed % (BENCH_PATTERN - READ), READ, 0);
		}
		while (bench_next(&b) && chain_full(b.chain, DOWNSTREAM))
			b.n_pieces = 0; /* so that the bench has room for the next */
		assert_int_equal(chain_full(b.chain, DOWNSTREAM), i == 0);
		bench_fini(&b);
	}
}

static void the_fin_comes_behind_the_octets(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "bandwidth", "rate=1kB", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 500, 0);
	bench_eof(&b, DOWNSTREAM);
	bench_eof(&b, UPSTREAM);
	assert_true(b.eof[UPSTREAM] && !b.eof[DOWNSTREAM]);
	while (bench_next(&b))
		;
	assert_true(b.eof[DOWNSTREAM] && b.eof_at_us[DOWNSTREAM] == 500000);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 500);
	bench_fini(&b);
}

static void cutting_changes_nothing(void **state)
{
	static const char *const options[] = {
		"rate=30kB", "rate=1MB", "rate=100MB", "rate=33333B burst=500B", "rate=999B burst=1kB",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = chunks_assert_same("bandwidth", options[i], STREAM_BOTH, 1);
		struct buf other CLEANUP(buf_fini) = chunks_assert_same("bandwidth", options[i], STREAM_BOTH, 2);
		assert_true(span_eq(buf_span(&one), buf_span(&other))); /* nothing is drawn */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(n_octets_take_n_by_rate),
		cmocka_unit_test(it_flows_evenly),
		cmocka_unit_test(an_idle_line_earns_no_more_than_the_burst),
		cmocka_unit_test(directions_do_not_share_the_line),
		cmocka_unit_test(rate_0_passes_nothing_until_it_goes),
		cmocka_unit_test(a_new_rate_counts_at_once),
		cmocka_unit_test(a_burst_is_kept_over_a_change),
		cmocka_unit_test(the_sender_waits),
		cmocka_unit_test(the_fin_comes_behind_the_octets),
		cmocka_unit_test(cutting_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
