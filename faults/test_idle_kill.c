/* Quiet connections, on virtual time: what counts, when they end, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_talk.h"

enum { SECOND = 1000000 };

/* At what second something happens, and when the connection ends if nothing counts but what the row says. */
static const struct {
	const char *options;
	uint64_t ends_s;           /* 0: not within 1000 s */
	enum stream_end how;
	struct {
		uint64_t at_s;
		enum direction d;
		const char *words;
	} says[4];
} rows[] = {
	{"", 60, STREAM_END_RST},
	{"preset=nginx", 60, STREAM_END_RST},
	{"preset=alb how=fin", 60, STREAM_END_FIN},
	{"preset=cloudflare how=blackhole", 100, STREAM_END_SILENCE},
	{"preset=heroku", 55, STREAM_END_RST},
	{"preset=nlb", 350, STREAM_END_RST},
	{"preset=heroku idle=10s", 10, STREAM_END_RST},
	{"idle=10s preset=heroku", 10, STREAM_END_RST},
	{"idle=2000s", 0, 0},
	{"idle=10s", 24, STREAM_END_RST, {{5, UPSTREAM, "t:a"}, {14, DOWNSTREAM, "t:b"}}},
	{"idle=10s", 14, STREAM_END_RST, {{4, UPSTREAM, "i:"}}},
	{"idle=10s counts=upstream", 15, STREAM_END_RST, {{5, UPSTREAM, "t:a"}, {14, DOWNSTREAM, "t:b"}}},
	{"idle=10s counts=downstream", 24, STREAM_END_RST,
	 {{5, UPSTREAM, "t:a"}, {6, DOWNSTREAM, "t:b"}, {14, DOWNSTREAM, "o:"}}},
	{"idle=10s counts=payload", 15, STREAM_END_RST, {{5, UPSTREAM, "t:a"}, {9, UPSTREAM, "i:x"}, {9, DOWNSTREAM, "o:x"}}},
	{"idle=10s counts=payload", 19, STREAM_END_RST, {{5, UPSTREAM, "t:a"}, {9, UPSTREAM, "i:x c:"}}},
	{"idle=10s counts=payload", 10, STREAM_END_RST, {{5, UPSTREAM, "x: o: i:"}}},
};

static void ends_when_quiet(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "idle_kill", rows[i].options, 0);
		talk_open(&b);
		for (size_t j = 0; j < 4 && rows[i].says[j].words; j++) {
			bench_pass_us(&b, rows[i].says[j].at_s * SECOND - b.now_us);
			assert_false(b.ended);
			talk_feed(&b, rows[i].says[j].d, rows[i].says[j].words);
		}
		bench_pass_us(&b, 1000ull * SECOND - b.now_us);
		bool right = b.ended_at_us == rows[i].ends_s * SECOND && b.how == rows[i].how;
		if (b.ended != (rows[i].ends_s > 0) || (b.ended && !right))
			fail_msg("row %zu (%s): ended %d at %llu us, how %d", i, rows[i].options, b.ended,
				 (unsigned long long)b.ended_at_us, (int)b.how);
		bench_fini(&b);
	}
}

static void tells_its_end(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "idle_kill", "idle=10s how=fin", 0);
	bench_feed(&b, DOWNSTREAM, "12345", 5, 0);
	bench_pass_us(&b, 20 * SECOND);
	assert_string_equal(buf_cstr(&b.events), "idle_kill_both end conn=1 downstream at=5 how=fin idle_us=10000000\n");
	bench_fini(&b);
}

/* Put on at 100 s: quiet since then. Changed: quiet since the last octet. Taken off: it lives. */
static void open_connections(void **state)
{
	struct bench b;
	(void)state;
	for (int taken_off = 0; taken_off < 2; taken_off++) {
		bench_init(&b);
		bench_pass_us(&b, 100 * SECOND);
		struct toxic *toxic = bench_add(&b, "idle_kill", "idle=50s", 0);
		bench_pass_us(&b, 20 * SECOND);
		talk_feed(&b, UPSTREAM, "t:a");
		bench_pass_us(&b, 20 * SECOND);
		bench_change(&b, toxic, "idle=30s counts=payload");
		if (taken_off)
			bench_remove(&b, toxic);
		bench_pass_us(&b, 1000 * SECOND);
		assert_int_equal(b.ended, !taken_off);
		assert_true(taken_off || b.ended_at_us == 150ull * SECOND);
		bench_fini(&b);
	}
	bench_init(&b); /* shorter than it has been quiet: at once */
	struct toxic *toxic = bench_add(&b, "idle_kill", "idle=50s", 0);
	bench_pass_us(&b, 20 * SECOND);
	bench_change(&b, toxic, "idle=5s");
	assert_true(bench_next(&b));
	assert_true(b.ended && b.ended_at_us == 20ull * SECOND);
	bench_fini(&b);
}

static void octets_pass_as_they_are(void **state)
{
	static const char *const options[] = {"", "counts=payload", "counts=upstream how=fin"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "idle_kill", options[i], 0);
		for (enum direction d = 0; d < DIRECTIONS; d++) {
			bench_feed(&b, d, bench_pattern(), BENCH_PATTERN, 4096);
			bench_assert_out(&b, d, bench_pattern(), BENCH_PATTERN);
			bench_eof(&b, d);
			assert_true(b.eof[d]);
		}
		bench_fini(&b);
		talk_assert_hostile_passes("idle_kill", options[i], TALK_HOSTILE);
		struct buf story CLEANUP(buf_fini) = talk_assert_same("idle_kill", options[i], 0, 1);
		struct buf none CLEANUP(buf_fini) = talk_assert_same("none", "", 0, 1);
		assert_true(span_eq(span_sub(buf_span(&story), 0, none.len), buf_span(&none))); /* and its end */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_when_quiet),
		cmocka_unit_test(tells_its_end),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(octets_pass_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
