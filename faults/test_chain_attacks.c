/* Chains under attack: ends in the middle of things, FINs that went before, toxics that come and go meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "faults/test_bench.h"

/* Ten octets pass limit_data; `behind` holds them or the FIN. */
static void the_fin_of_an_end_goes_behind_what_was_passed(void **state)
{
	static const struct {
		const char *fault, *options, *how;
		size_t out;
		uint64_t at_us;            /* of the end; UINT64_MAX: none */
	} rows[] = {
		{"none", "", "fin", 10, 0},
		{"none", "", "rst", 10, 0},
		{"latency", "latency=1s", "fin", 10, 1000000},
		{"latency", "latency=1s", "rst", 0, 0},
		{"latency", "latency=1s", "blackhole", 0, 0},
		{"bandwidth", "rate=1kB", "fin", 10, 10000},
		{"bandwidth", "rate=0B", "fin", 0, UINT64_MAX},
		{"slicer", "average_size=1B delay=1ms", "fin", 10, 9000},
		{"slow_close", "delay=5ms", "fin", 10, 5000},
		{"limit_data", "bytes=3B how=rst", "fin", 3, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		char options[64];
		bench_init(&b);
		snprintf(options, sizeof(options), "bytes=10B how=%s", rows[i].how);
		struct err e;
		struct toxic_spec other = {.fault = fault_find("none"), .toxicity = 1, .name = "before"};
		assert_int_equal(toxics_add(&b.toxics, &other, 0, NULL, &e), 0);
		bench_add(&b, "limit_data", options, STREAM_BOTH);
		bench_add(&b, rows[i].fault, rows[i].options, STREAM_DOWN);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), 100, 0);
		chain_data(b.chain, DOWNSTREAM, span_of(bench_pattern(), 100), b.now_us); /* who still sends is not heard */
		chain_data(b.chain, UPSTREAM, span_of(bench_pattern(), 100), b.now_us);
		chain_eof(b.chain, UPSTREAM, b.now_us);
		assert_true(!chain_idle(b.chain) && !chain_full(b.chain, DOWNSTREAM));
		while (bench_next(&b))
			;
		assert_int_equal(b.ended, rows[i].at_us != UINT64_MAX);
		if (b.ended)
			assert_int_equal(b.ended_at_us, rows[i].at_us);
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), rows[i].out);
		bench_assert_out(&b, UPSTREAM, NULL, 0);
		assert_true(b.wake_at_us == UINT64_MAX);
		bench_fini(&b);
	}
}

/* limit_data has ended the connection; ten octets and the FIN are in a latency behind it. */
static void draining(struct bench *b, struct toxic **ret_limit, struct toxic **ret_latency)
{
	bench_init(b);
	*ret_limit = bench_add(b, "limit_data", "bytes=10B", STREAM_DOWN);
	*ret_latency = bench_add(b, "latency", "latency=1s", STREAM_DOWN);
	bench_feed(b, DOWNSTREAM, bench_pattern(), 100, 0);
	bench_pass_us(b, 1000);
	assert_true(!b->ended && b->eof[UPSTREAM] && !b->eof[DOWNSTREAM]);
}

static void toxics_come_and_go_while_an_end_is_on_its_way(void **state)
{
	struct bench b;
	struct toxic *limit, *latency;
	(void)state;
	for (int way = 0; way < 7; way++) {
		static const struct {
			size_t out;
			uint64_t at_us;
			enum stream_end how;
		} expected[] = {
			{10, 1000, STREAM_END_FIN}, {10, 1000000, STREAM_END_FIN}, {10, 1000000, STREAM_END_FIN},
			{0, 1000, STREAM_END_RST}, {10, 1000, STREAM_END_FIN}, {10, 1500000, STREAM_END_FIN},
			{10, 5000, STREAM_END_FIN},
		};
		draining(&b, &limit, &latency);
		if (way == 0)
			bench_remove(&b, latency);
		else if (way == 1)
			bench_remove(&b, limit);
		else if (way == 2)
			bench_change(&b, limit, "bytes=1kB how=rst");
		else if (way == 3)
			bench_add(&b, "reset_peer", "", 0);
		else if (way == 4)
			toxics_clear(&b.toxics, b.now_us);
		else if (way == 5)
			bench_add(&b, "slow_close", "delay=500ms", 0);
		else
			bench_change(&b, latency, "latency=5ms");
		chain_data(b.chain, DOWNSTREAM, span_of(bench_pattern(), 100), b.now_us);
		while (bench_next(&b))
			;
		assert_true(b.ended);
		assert_int_equal(b.how, expected[way].how);
		assert_int_equal(b.ended_at_us, expected[way].at_us);
		bench_assert_out(&b, DOWNSTREAM, bench_pattern(), expected[way].out);
		toxics_clear(&b.toxics, b.now_us);
		bench_fini(&b);
	}
}

/* A fault that ends the connection by FIN at the first octet, and counts who calls it afterwards. */
static unsigned calls_after;

static void count_call(struct filter *f)
{
	calls_after += *(bool *)f->state;
}

static void end_at_data(struct filter *f, enum direction d, struct span octets)
{
	count_call(f);
	filter_pass(f, d, octets);
	filter_wake_at(f, f->now_us + 1);
	filter_end(f, STREAM_END_FIN);
	*(bool *)f->state = true;
}

static void count_eof(struct filter *f, enum direction d)
{
	(void)d;
	count_call(f);
}
static const struct opt no_options[] = {{0}};
static const struct filter_ops ending_stream = {
	.state_size = sizeof(bool), .streams = STREAM_BOTH, .data = end_at_data, .eof = count_eof, .wake = count_call,
	.changed = count_call, .release = count_call,
};
static const struct fault ending = {.name = "ending", .about = "ends", .known_as = "a test", .options = no_options,
				    .stream = &ending_stream};

static void who_has_ended_it_is_not_called_again(void **state)
{
	struct bench b;
	struct err e;
	struct toxic_spec spec = {.fault = &ending, .toxicity = 1}, late = {.fault = fault_find("reset_peer")};
	struct toxic *t, *reset;
	(void)state;
	calls_after = 0;
	bench_init(&b);
	assert_int_equal(toxics_add(&b.toxics, &late, 0, &reset, &e), 0); /* on no connection, yet */
	bench_add(&b, "latency", "latency=1ms", STREAM_BOTH);
	assert_int_equal(toxics_add(&b.toxics, &spec, 0, &t, &e), 0);
	bench_add(&b, "slow_close", "delay=1s", 0);
	for (int i = 0; i < 3; i++) { /* two more are in the latency when the first ends the connection */
		bench_feed_text(&b, DOWNSTREAM, "some");
		bench_feed_text(&b, UPSTREAM, "some");
		bench_pass_us(&b, 1);
	}
	bench_pass_us(&b, 10000);
	bench_assert_text(&b, DOWNSTREAM, "");
	bench_assert_text(&b, UPSTREAM, "some");
	assert_true(!b.ended && b.eof[UPSTREAM]);
	chain_wake(b.chain, b.now_us);
	late.toxicity = 1;
	assert_int_equal(toxics_update(&b.toxics, reset, &late, b.now_us, &e), 0); /* too late, in front of the end */
	assert_int_equal(toxics_update(&b.toxics, t, &spec, b.now_us, &e), 0);
	assert_false(b.ended);
	while (bench_next(&b))
		;
	assert_true(b.ended && b.how == STREAM_END_FIN && b.ended_at_us == 1001000);
	toxics_clear(&b.toxics, b.now_us);
	assert_int_equal(calls_after, 0);
	bench_fini(&b);
}

/* By a wake, a release, a change, a FIN of another filter. */
static void an_end_inside_another_filters_call(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct bench b;
		bench_init(&b);
		struct toxic *latency = bench_add(&b, "latency", "latency=1ms jitter=1ms", STREAM_BOTH);
		bench_add(&b, "limit_data", "bytes=5kB how=rst", STREAM_BOTH);
		bench_feed(&b, DOWNSTREAM, bench_pattern(), 20000, 0);
		bench_feed(&b, UPSTREAM, bench_pattern(), 20000, 0);
		bench_eof(&b, UPSTREAM);
		if (way == 1)
			bench_remove(&b, latency);
		if (way == 2)
			bench_change(&b, latency, "");
		while (bench_next(&b))
			;
		assert_true(b.ended && b.how == STREAM_END_RST && !b.eof[UPSTREAM]);
		assert_true(b.out[UPSTREAM].len == 5000 || b.out[DOWNSTREAM].len == 5000);
		size_t lines = 0; /* one end, however much was to come */
		for (const char *at = buf_cstr(&b.events); (at = strstr(at, " end ")); at++)
			lines++;
		assert_int_equal(lines, 1);
		assert_true(b.wake_at_us == UINT64_MAX);
		bench_fini(&b);
	}
}

/* A fault that answers in the other direction, as some of the frame faults do. */
static void answer(struct filter *f, enum direction d, struct span octets)
{
	filter_pass(f, d, octets);
	filter_pass(f, !d, SPAN_LIT("answer"));
}
static const struct filter_ops answering_stream = {.streams = STREAM_BOTH, .data = answer};
static const struct fault answering = {.name = "answering", .about = "answers", .known_as = "a test",
				       .options = no_options, .stream = &answering_stream};

static void nothing_passes_behind_a_fin(void **state)
{
	(void)state;
	for (unsigned streams = STREAM_UP; streams <= STREAM_BOTH; streams++)
		for (int late = 0; late < 2; late++)
			for (int behind = 0; behind < 2; behind++) {
				struct bench b;
				struct err e;
				struct toxic_spec spec = {.fault = &answering, .toxicity = 1, .streams = streams};
				bench_init(&b);
				if (!late)
					assert_int_equal(toxics_add(&b.toxics, &spec, 0, NULL, &e), 0);
				bench_eof(&b, DOWNSTREAM);
				if (late)
					assert_int_equal(toxics_add(&b.toxics, &spec, 0, NULL, &e), 0);
				if (behind)
					bench_add(&b, "latency", "latency=1ms", STREAM_BOTH);
				bench_feed_text(&b, UPSTREAM, "question");
				while (bench_next(&b))
					;
				bench_assert_text(&b, UPSTREAM, "question");
				bench_assert_text(&b, DOWNSTREAM, "");
				bench_fini(&b);
			}
}

static void a_fin_that_is_held_reaches_who_comes_later(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "latency", "latency=1ms", 0);
	bench_feed_text(&b, DOWNSTREAM, "last");
	bench_eof(&b, DOWNSTREAM);
	bench_add(&b, "slow_close", "delay=1ms", 0);
	while (bench_next(&b))
		;
	bench_assert_text(&b, DOWNSTREAM, "last");
	assert_true(b.eof[DOWNSTREAM] && b.eof_at_us[DOWNSTREAM] == 2000);
	bench_fini(&b);
}

static size_t n_out;

static void count_out(void *owner, enum direction d, struct span octets)
{
	(void)owner, (void)d;
	n_out += octets.len;
}

static void note_wake(void *owner, uint64_t at_us)
{
	*(uint64_t *)owner = at_us;
}

static void note_change(void *owner)
{
	(void)owner;
}

/* Between chain_new() and chain_open() the set may change; each toxic is on it once. */
static void a_toxic_that_comes_before_the_chain_is_open(void **state)
{
	static const struct chain_events events = {.on_out = count_out, .on_wake_at = note_wake, .on_change = note_change};
	uint64_t woken_at_us = UINT64_MAX;
	struct chain *c;
	struct bench b;
	(void)state;
	bench_init(&b);
	assert_int_equal(chain_new(&b.toxics, 0, CHAIN_BOTH, &events, &woken_at_us, 0, &c), 0);
	struct toxic *gone = bench_add(&b, "none", "", 0);
	struct toxic *t = bench_add(&b, "latency", "latency=1ms", 0);
	bench_change(&b, t, "latency=2ms");
	bench_remove(&b, gone);
	assert_true(chain_idle(c));
	chain_open(c, 0);
	chain_data(c, DOWNSTREAM, SPAN_LIT("x"), 0);
	assert_int_equal(woken_at_us, 2000);
	chain_wake(c, 2000); /* out: not into a second one */
	assert_int_equal(n_out, 1);
	chain_free(c);
	bench_fini(&b);
}

static void streams_change_under_way(void **state)
{
	struct bench b;
	struct err e;
	struct toxic_spec spec = {.toxicity = 1, .streams = STREAM_UP};
	(void)state;
	bench_init(&b);
	struct toxic *t = bench_add(&b, "latency", "latency=1s", STREAM_DOWN);
	bench_add(&b, "slicer", "average_size=3B", STREAM_BOTH);
	bench_feed_text(&b, DOWNSTREAM, "down");
	assert_int_equal(toxics_update(&b.toxics, t, &spec, b.now_us, &e), 0); /* with its defaults: no latency */
	bench_assert_text(&b, DOWNSTREAM, "down");
	bench_feed_text(&b, UPSTREAM, "up");
	bench_assert_text(&b, UPSTREAM, "up");
	bench_eof(&b, DOWNSTREAM);
	spec.streams = STREAM_BOTH;
	assert_int_equal(toxics_update(&b.toxics, t, &spec, b.now_us, &e), 0);
	bench_eof(&b, UPSTREAM);
	assert_true(b.eof[UPSTREAM] && b.eof[DOWNSTREAM]);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fin_of_an_end_goes_behind_what_was_passed),
		cmocka_unit_test(toxics_come_and_go_while_an_end_is_on_its_way),
		cmocka_unit_test(who_has_ended_it_is_not_called_again),
		cmocka_unit_test(an_end_inside_another_filters_call),
		cmocka_unit_test(nothing_passes_behind_a_fin),
		cmocka_unit_test(a_fin_that_is_held_reaches_who_comes_later),
		cmocka_unit_test(a_toxic_that_comes_before_the_chain_is_open),
		cmocka_unit_test(streams_change_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
