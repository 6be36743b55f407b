/* Chains and toxics by themselves: order, names, toxicity, what comes and goes on an open connection, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "faults/test_bench.h"

static void names_and_refusals(void **state)
{
	struct bench b;
	struct err e;
	struct toxic_spec spec = {.fault = fault_find("none"), .toxicity = 1};
	struct toxic *toxic;
	(void)state;
	bench_init(&b);
	assert_int_equal(toxics_add(&b.toxics, &spec, 0, &toxic, &e), 0);
	assert_string_equal(toxic->name, "none_both");
	assert_ptr_equal(toxics_find(&b.toxics, "none_both"), toxic);
	assert_int_equal(toxics_add(&b.toxics, &spec, 0, &toxic, &e), -EEXIST);
	assert_string_equal(e.text, "there is a toxic named none_both already");
	static const char *const bad[] = {"", "a/b", "a\nb", "\xc3", "\xe2\x80\xae"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		spec.name = bad[i];
		assert_int_equal(toxics_add(&b.toxics, &spec, 0, &toxic, &e), -EINVAL);
	}
	spec.name = "x";
	for (spec.toxicity = -1; spec.toxicity <= 2; spec.toxicity += 3)
		assert_int_equal(toxics_add(&b.toxics, &spec, 0, &toxic, &e), -EINVAL);
	assert_int_equal(b.toxics.n, 1);
	bench_fini(&b);
}

static void the_list_has_an_end(void **state)
{
	struct bench b;
	struct err e;
	struct toxic *toxic;
	char name[16];
	struct toxic_spec spec = {.fault = fault_find("none"), .toxicity = 1, .name = name};
	(void)state;
	bench_init(&b);
	for (int i = 0; i < TOXICS_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(toxics_add(&b.toxics, &spec, 0, &toxic, &e), 0);
	}
	snprintf(name, sizeof(name), "more");
	assert_int_equal(toxics_add(&b.toxics, &spec, 0, &toxic, &e), -ENOSPC);
	bench_feed(&b, UPSTREAM, bench_pattern(), BENCH_PATTERN, 1000);
	bench_assert_out(&b, UPSTREAM, bench_pattern(), BENCH_PATTERN);
	toxics_clear(&b.toxics, 0);
	assert_int_equal(b.toxics.n, 0);
	assert_true(chain_idle(b.chain));
	bench_fini(&b);
}

static void toxicity_is_a_share_of_the_connections(void **state)
{
	struct bench b;
	struct err e;
	struct toxic *toxic;
	struct toxic_spec spec = {.fault = fault_find("none"), .toxicity = 0.3};
	bool on[1000];
	unsigned n = 0;
	(void)state;
	bench_init_seed(&b, 7);
	assert_int_equal(toxics_add(&b.toxics, &spec, 0, &toxic, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(on); i++) {
		bench_open(&b);
		on[i] = !chain_idle(b.chain);
		n += on[i];
	}
	assert_in_range(n, 298, 302); /* and evenly spread */
	b.toxics.connections = 0;
	spec.toxicity = 0.6;
	assert_int_equal(toxics_update(&b.toxics, toxic, &spec, 0, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(on); i++) { /* who had it keeps it */
		bench_open(&b);
		assert_true(!on[i] || !chain_idle(b.chain));
	}
	spec.toxicity = 0;
	assert_int_equal(toxics_update(&b.toxics, toxic, &spec, 0, &e), 0);
	assert_true(chain_idle(b.chain));
	bench_fini(&b);
}

static void a_duration_ends(void **state)
{
	struct bench b;
	struct err e;
	struct toxic *toxic;
	struct toxic_spec spec = {.fault = fault_find("none"), .toxicity = 1, .duration_ms = 5};
	(void)state;
	bench_init(&b);
	assert_int_equal(toxics_add(&b.toxics, &spec, 1000, &toxic, &e), 0);
	assert_int_equal(toxic->ends_us, 6000);
	assert_int_equal(toxics_expire(&b.toxics, 5999), 6000);
	assert_false(chain_idle(b.chain));
	assert_true(toxics_expire(&b.toxics, 6000) == UINT64_MAX);
	assert_true(chain_idle(b.chain));
	bench_fini(&b);
}

/* However the toxic goes: removed, no longer wanted on this connection, put on other streams. */
static void silence_ends_with_its_toxic(void **state)
{
	struct toxic_spec specs[] = {{.toxicity = 1}, {.toxicity = 0}, {.toxicity = 1, .streams = STREAM_UP}};
	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(specs); i++) {
		struct bench b;
		struct err e;
		bench_init(&b);
		struct toxic *other = bench_add(&b, "latency", "latency=1s", STREAM_BOTH);
		struct toxic *t = bench_add(&b, "down", "how=blackhole", 0);
		assert_true(b.ended && b.how == STREAM_END_SILENCE);
		if (i < ARRAY_LEN(specs))
			assert_int_equal(toxics_update(&b.toxics, t, &specs[i], b.now_us, &e), 0);
		else
			bench_remove(&b, t);
		assert_int_equal(b.how, i == 0 ? STREAM_END_SILENCE : STREAM_END_RST);
		bench_remove(&b, other);
		toxics_clear(&b.toxics, b.now_us);
		assert_int_equal(b.how, STREAM_END_RST);
		bench_fini(&b);
	}
}

static void a_silenced_chain_says_nothing(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *t = bench_add(&b, "latency", "latency=1s", STREAM_BOTH);
	bench_feed_text(&b, UPSTREAM, "held");
	chain_silence(b.chain);
	assert_true(b.wake_at_us == UINT64_MAX);
	bench_add(&b, "reset_peer", "", 0);
	bench_feed_text(&b, DOWNSTREAM, "more");
	bench_eof(&b, DOWNSTREAM);
	bench_remove(&b, t);
	toxics_clear(&b.toxics, b.now_us);
	bench_assert_text(&b, UPSTREAM, "");
	bench_assert_text(&b, DOWNSTREAM, "");
	assert_false(b.ended || b.eof[DOWNSTREAM]);
	bench_fini(&b);
}

/* What is held before a toxic does not come to it when all are cleared. */
static void clearing_passes_what_is_held_as_by_itself(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "latency", "latency=1s", STREAM_DOWN);
	bench_add(&b, "bandwidth", "rate=0B", STREAM_DOWN);
	bench_feed_text(&b, DOWNSTREAM, "1234");
	bench_pass_us(&b, 1000000);
	bench_feed_text(&b, DOWNSTREAM, "5678");
	bench_eof(&b, DOWNSTREAM);
	bench_add(&b, "limit_data", "bytes=6B how=rst", STREAM_DOWN);
	toxics_clear(&b.toxics, b.now_us);
	bench_assert_text(&b, DOWNSTREAM, "12345678");
	assert_true(b.eof[DOWNSTREAM] && !b.ended);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_refusals),
		cmocka_unit_test(the_list_has_an_end),
		cmocka_unit_test(toxicity_is_a_share_of_the_connections),
		cmocka_unit_test(a_duration_ends),
		cmocka_unit_test(silence_ends_with_its_toxic),
		cmocka_unit_test(a_silenced_chain_says_nothing),
		cmocka_unit_test(clearing_passes_what_is_held_as_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
