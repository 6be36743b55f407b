/* The time a connection may live, from its opening, busy or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_talk.h"

enum { SECOND = 1000000 };

static const struct {
	const char *options;
	uint64_t put_on_s, ends_s;
	enum stream_end how;
} rows[] = {
	{"", 0, 30, STREAM_END_FIN},
	{"preset=gcp how=rst", 0, 30, STREAM_END_RST},
	{"preset=api_gateway", 0, 7200, STREAM_END_FIN},
	{"preset=gcp lifetime=5s how=blackhole", 0, 5, STREAM_END_SILENCE},
	{"lifetime=100s", 60, 100, STREAM_END_FIN}, /* it was open before */
	{"lifetime=100s", 500, 500, STREAM_END_FIN},
};

static void ends_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_pass_us(&b, rows[i].put_on_s * SECOND);
		bench_add(&b, "lifetime_kill", rows[i].options, 0);
		bench_pass_us(&b, 0);
		while (!b.ended && b.now_us < 10000ull * SECOND) { /* busy */
			bench_feed(&b, UPSTREAM, "x", 1, 0);
			b.n_pieces = 0;
			bench_pass_us(&b, SECOND);
		}
		assert_true(b.ended && b.how == rows[i].how);
		assert_int_equal(b.ended_at_us, rows[i].ends_s * SECOND);
		bench_fini(&b);
	}
}

/* Within the jitter, spread over it, and the same for the same seed. */
static void jitter(void **state)
{
	uint64_t ends_us[2][50], first = UINT64_MAX, last = 0;
	(void)state;
	for (int run = 0; run < 2; run++) {
		struct bench b;
		bench_init_seed(&b, 5);
		bench_add(&b, "lifetime_kill", "lifetime=10s jitter=10s", 0);
		for (size_t i = 0; i < 50; i++) {
			bench_open(&b);
			uint64_t opened_us = b.now_us;
			bench_pass_us(&b, 20 * SECOND);
			assert_true(b.ended);
			ends_us[run][i] = b.ended_at_us - opened_us;
			assert_in_range(ends_us[run][i], 10 * SECOND, 20 * SECOND);
			first = ends_us[run][i] < first ? ends_us[run][i] : first;
			last = ends_us[run][i] > last ? ends_us[run][i] : last;
		}
		bench_fini(&b);
	}
	assert_memory_equal(ends_us[0], ends_us[1], sizeof(ends_us[0]));
	assert_true(first < 12 * SECOND && last > 18 * SECOND);
}

static void open_connections(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *toxic = bench_add(&b, "lifetime_kill", "lifetime=10s", 0);
	bench_pass_us(&b, 8 * SECOND);
	bench_change(&b, toxic, "lifetime=50s");
	bench_pass_us(&b, 41 * SECOND);
	assert_false(b.ended);
	bench_change(&b, toxic, "lifetime=20s");
	assert_true(bench_next(&b) && b.ended && b.ended_at_us == 49ull * SECOND);
	assert_string_equal(buf_cstr(&b.events),
			    "lifetime_kill_both end conn=1 downstream at=0 how=fin lifetime_us=20000000\n");
	bench_open(&b);
	bench_remove(&b, toxic);
	bench_pass_us(&b, 1000 * SECOND);
	assert_false(b.ended);
	bench_fini(&b);
}

static void octets_pass_as_they_are(void **state)
{
	(void)state;
	talk_assert_hostile_passes("lifetime_kill", "", TALK_HOSTILE);
	struct buf story CLEANUP(buf_fini) = talk_assert_same("lifetime_kill", "lifetime=1s jitter=5s", 0, 1);
	assert_true(span_find(buf_span(&story), span_str("end 0 at ")) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_in_time),
		cmocka_unit_test(jitter),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(octets_pass_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
