/* Latency: when octets come out, to the microsecond; what jitter may do and may not; what is held, and its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "faults/held.h"
#include "faults/test_chunks.h"

/* When the last of the octets came out. */
static uint64_t last_at(const struct bench *b)
{
	assert_true(b->n_pieces > 0);
	return b->pieces[b->n_pieces - 1].at_us;
}

static void octets_come_exactly_so_much_later(void **state)
{
	static const struct {
		const char *options;
		uint64_t us;
	} rows[] = {{"latency=50us", 50}, {"latency=1ms", 1000}, {"latency=1.5s", 1500000}, {"latency=24h", 86400000000}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "latency", rows[i].options, 0);
		bench_pass_us(&b, 7);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN, 65536);
		bench_pass_us(&b, rows[i].us - 1);
		bench_assert_out(&b, DOWNSTREAM, NULL, 0);
		bench_pass_us(&b, 1);
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN);
		assert_int_equal(last_at(&b), 7 + rows[i].us);
		assert_false(bench_next(&b));
		bench_fini(&b);
	}
}

/* Each message by itself, not one after the other. */
static void messages_overlap_on_the_way(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "latency", "latency=10ms", STREAM_BOTH);
	for (size_t i = 0; i < 5; i++) {
		bench_feed(&b, UPSTREAM, bench_pattern() + i, 1, 0);
		bench_pass_us(&b, 1000);
	}
	bench_pass_us(&b, 20000);
	assert_int_equal(b.n_pieces, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(b.pieces[i].at_us, 10000 + 1000 * i);
	bench_fini(&b);
}

static void zero_is_no_delay(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "latency", "", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 100000, 1000);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), 100000);
	bench_feed_text(&b, UPSTREAM, "the other way");
	bench_assert_text(&b, UPSTREAM, "the other way");
	assert_int_equal(b.events.len, 0);
	assert_false(bench_next(&b));
	bench_fini(&b);
}

enum { SAMPLES = 4000 };

/* One octet in each virtual packet, with a second between them: nothing waits for another. */
static void sample(const char *options, uint64_t seed, double *ret_delay_us)
{
	static uint8_t packet[1460];
	struct bench b;
	bench_init_seed(&b, seed);
	bench_open(&b);
	bench_add(&b, "latency", options, 0);
	for (size_t i = 0; i < SAMPLES; i++) {
		uint64_t came_us = b.now_us;
		b.n_pieces = 0;
		bench_feed(&b, DOWNSTREAM, packet, sizeof(packet), 0);
		bench_pass_us(&b, 1000000);
		assert_int_equal(b.n_pieces, 1);
		ret_delay_us[i] = (double)(b.pieces[0].at_us - came_us);
	}
	bench_fini(&b);
}

static void jitter_has_the_distribution_asked_for(void **state)
{
	static const struct {
		const char *options;
		double mean, variance, from, to; /* us */
	} rows[] = {
		/* a uniform one of +/- 10 ms has a variance of (20 ms)^2 / 12 */
		{"latency=100ms jitter=10ms", 100000, 20000. * 20000 / 12, 90000, 110000},
		{"latency=100ms jitter=10ms distribution=uniform", 100000, 20000. * 20000 / 12, 90000, 110000},
		{"latency=100ms jitter=10ms distribution=normal", 100000, 10000. * 10000, 40000, 160000},
		/* netem's tables, see harness/net/test_netem_table.c: cut at 4 deviations, whence no round figures */
		{"latency=100ms jitter=10ms distribution=pareto", 99665, .67187 * 1e8, 93333, 140000},
		{"latency=100ms jitter=10ms distribution=paretonormal", 99747, .69546 * 1e8, 84970, 140000},
	};
	static double delays[SAMPLES];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double sum = 0, squares = 0;
		sample(rows[i].options, 1, delays);
		for (size_t s = 0; s < SAMPLES; s++) {
			assert_true(delays[s] >= rows[i].from && delays[s] <= rows[i].to);
			sum += delays[s];
			squares += (delays[s] - rows[i].mean) * (delays[s] - rows[i].mean);
		}
		/* five standard errors of the mean, 15 % of the variance */
		double off = sum / SAMPLES - rows[i].mean;
		assert_true(off * off < 25 * rows[i].variance / SAMPLES);
		assert_true(squares / SAMPLES > 0.85 * rows[i].variance && squares / SAMPLES < 1.15 * rows[i].variance);
	}
}

static void jitter_that_would_come_before_now_is_no_delay(void **state)
{
	static double delays[SAMPLES];
	size_t none = 0;
	(void)state;
	sample("latency=1ms jitter=10ms", 3, delays);
	for (size_t i = 0; i < SAMPLES; i++)
		none += delays[i] == 0;
	assert_in_range(none, SAMPLES * 40 / 100, SAMPLES * 50 / 100); /* 9 of 20 */
}

static void order_is_kept_under_any_jitter(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "latency", "latency=5ms jitter=50ms", STREAM_BOTH);
	for (size_t at = 0; at < BENCH_PATTERN; at += 4096) {
		bench_feed(&b, UPSTREAM, bench_pattern() + at, 4096, 777);
		bench_pass_us(&b, 300);
	}
	bench_eof(&b, UPSTREAM);
	assert_false(b.eof[UPSTREAM]);
	while (bench_next(&b))
		;
	bench_assert_out(&b, UPSTREAM, bench_pattern(), BENCH_PATTERN);
	assert_true(b.eof[UPSTREAM] && b.eof_at_us[UPSTREAM] == last_at(&b));
	bench_fini(&b);
}

static void cutting_changes_nothing_but_the_seed_does(void **state)
{
	static const char *const options[] = {
		"", "latency=3ms", "latency=3ms jitter=2ms", "latency=1ms jitter=4ms", "latency=5ms jitter=1ms distribution=normal",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = chunks_assert_same("latency", options[i], STREAM_BOTH, 1);
		struct buf again CLEANUP(buf_fini) = chunks_assert_same("latency", options[i], STREAM_BOTH, 1);
		struct buf other CLEANUP(buf_fini) = chunks_assert_same("latency", options[i], STREAM_BOTH, 2);
		assert_true(span_eq(buf_span(&one), buf_span(&again)));
		assert_int_equal(span_eq(buf_span(&one), buf_span(&other)), !strstr(options[i], "jitter"));
	}
}

static void an_event_says_how_much(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "latency", "latency=3ms", 0);
	bench_feed_text(&b, DOWNSTREAM, "hello");
	bench_feed_text(&b, DOWNSTREAM, "again");
	assert_string_equal(buf_cstr(&b.events), "latency_downstream hit conn=1 downstream at=0 delay_us=3000\n");
	bench_fini(&b);
}

static void a_new_latency_counts_for_what_is_held(void **state)
{
	static const struct {
		const char *options;
		uint64_t at_us;            /* of what came at 0, changed at 4 ms */
	} rows[] = {
		{"latency=10ms", 10000}, {"latency=5ms", 5000}, {"latency=2ms", 4000}, {"", 4000}, {"latency=1s", 1000000},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		struct toxic *t = bench_add(&b, "latency", "latency=10ms", 0);
		bench_feed_text(&b, DOWNSTREAM, "one");
		bench_pass_us(&b, 4000);
		bench_change(&b, t, rows[i].options);
		bench_feed_text(&b, DOWNSTREAM, "two");
		bench_eof(&b, DOWNSTREAM);
		while (bench_next(&b))
			;
		bench_assert_text(&b, DOWNSTREAM, "onetwo");
		assert_int_equal(b.pieces[0].at_us, rows[i].at_us);
		assert_true(b.eof[DOWNSTREAM]);
		bench_fini(&b);
	}
}

static void taken_off_it_lets_go_at_once(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *t = bench_add(&b, "latency", "latency=1h jitter=1m", 0);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN, 10000);
	bench_eof(&b, DOWNSTREAM);
	bench_pass_us(&b, 1000);
	bench_remove(&b, t);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN);
	assert_true(b.eof[DOWNSTREAM] && b.eof_at_us[DOWNSTREAM] == 1000);
	assert_true(chain_idle(b.chain));
	bench_fini(&b);
}

/* Feeds as a relay does: not while the chain is full. Gives what was taken. */
static size_t feed_while_wanted(struct bench *b, size_t chunk, size_t most)
{
	size_t fed = 0;
	for (; fed < most && !chain_full(b->chain, DOWNSTREAM); fed += chunk) {
		bench_feed(b, DOWNSTREAM, bench_pattern() + fed % (BENCH_PATTERN - chunk), chunk, 0);
		bench_pass_us(b, 1);
	}
	return fed;
}

static void what_is_held_has_a_limit(void **state)
{
	static const struct {
		size_t chunk, from, to;
	} rows[] = {
		{64 << 10, FILTER_HELD_MAX - (64 << 10), FILTER_HELD_MAX + (64 << 10)},
		{1, FILTER_HELD_MAX / 64, FILTER_HELD_MAX}, /* due times are memory, too */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		struct toxic *t = bench_add(&b, "latency", "latency=1h", 0);
		size_t fed = feed_while_wanted(&b, rows[i].chunk, 4 * FILTER_HELD_MAX);
		assert_in_range(fed, rows[i].from, rows[i].to);
		assert_true(chain_full(b.chain, DOWNSTREAM));
		assert_false(chain_full(b.chain, UPSTREAM));
		bench_remove(&b, t);
		assert_int_equal(b.out[DOWNSTREAM].len, fed);
		assert_false(chain_full(b.chain, DOWNSTREAM));
		bench_fini(&b);
	}
}

/* The queue never runs empty, and never grows. */
static void a_long_transfer_needs_no_more_memory(void **state)
{
	enum { READ = 64 << 10, READS = 3200 };
	struct bench b;
	size_t out = 0;
	(void)state;
	bench_init(&b);
	bench_add(&b, "latency", "latency=1ms", 0);
	for (size_t i = 0; i < READS; i++) {
		bench_feed(&b, DOWNSTREAM, bench_pattern() + i * READ % BENCH_PATTERN, READ, 0);
		bench_pass_us(&b, 100);
		assert_false(b.ended || chain_full(b.chain, DOWNSTREAM));
		if (b.out[DOWNSTREAM].len)
			assert_memory_equal(b.out[DOWNSTREAM].p, bench_pattern() + out % BENCH_PATTERN, b.out[DOWNSTREAM].len);
		out += b.out[DOWNSTREAM].len;
		b.n_pieces = b.out[DOWNSTREAM].len = 0;
	}
	assert_int_equal(out, (READS - 9) * (size_t)READ);
	bench_fini(&b);
}

/* A relay that does not heed chain_full() loses the connection, not our memory. */
static void who_does_not_wait_is_reset(void **state)
{
	struct bench b;
	size_t fed = 0;
	(void)state;
	bench_init(&b);
	bench_add(&b, "latency", "latency=1h", 0);
	for (; !b.ended; fed += 64 << 10) {
		assert_true(fed <= 4 * FILTER_HELD_MAX);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), 64 << 10, 0);
	}
	assert_true(fed > 4 * FILTER_HELD_MAX && b.how == STREAM_END_RST);
	assert_non_null(strstr(buf_cstr(&b.events),
			       "latency_downstream end conn=1 downstream at=67108864 how=rst reason=memory\n"));
	bench_assert_out(&b, DOWNSTREAM, NULL, 0);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_come_exactly_so_much_later),
		cmocka_unit_test(messages_overlap_on_the_way),
		cmocka_unit_test(zero_is_no_delay),
		cmocka_unit_test(jitter_has_the_distribution_asked_for),
		cmocka_unit_test(jitter_that_would_come_before_now_is_no_delay),
		cmocka_unit_test(order_is_kept_under_any_jitter),
		cmocka_unit_test(cutting_changes_nothing_but_the_seed_does),
		cmocka_unit_test(an_event_says_how_much),
		cmocka_unit_test(a_new_latency_counts_for_what_is_held),
		cmocka_unit_test(taken_off_it_lets_go_at_once),
		cmocka_unit_test(what_is_held_has_a_limit),
		cmocka_unit_test(a_long_transfer_needs_no_more_memory),
		cmocka_unit_test(who_does_not_wait_is_reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
