/* The faults that end connections by themselves: timeout, reset_peer and down, on open connections and new ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_chunks.h"

static const struct row {
	const char *fault, *options;
	enum stream_end how;
	uint64_t us;               /* after it was put on; UINT64_MAX: never */
} rows[] = {
	{"timeout", "timeout=1us", STREAM_END_FIN, 1},
	{"timeout", "timeout=2s", STREAM_END_FIN, 2000000},
	{"timeout", "", STREAM_END_FIN, UINT64_MAX},
	{"reset_peer", "", STREAM_END_RST, 0},
	{"reset_peer", "timeout=0s", STREAM_END_RST, 0},
	{"reset_peer", "timeout=100ms", STREAM_END_RST, 100000},
	{"down", "", STREAM_END_FIN, 0},
	{"down", "how=fin", STREAM_END_FIN, 0},
	{"down", "how=rst", STREAM_END_RST, 0},
	{"down", "how=blackhole", STREAM_END_SILENCE, 0},
};

static void assert_ended(const struct bench *b, const struct row *r, uint64_t at_us)
{
	assert_true(b->ended);
	assert_int_equal(b->how, r->how);
	assert_int_equal(b->ended_at_us, at_us);
}

/* No octet has to come for it, and none puts it off. */
static void the_end_comes_at_its_time(const struct row *r, bool open_already, bool busy)
{
	struct bench b;
	bench_init_seed(&b, 1);
	if (open_already) {
		bench_open(&b);
		bench_feed_text(&b, DOWNSTREAM, "before");
	}
	bench_pass_us(&b, 50);
	bench_add(&b, r->fault, r->options, 0);
	if (!open_already)
		bench_open(&b);
	if (r->us > 0) {
		assert_false(b.ended);
		for (uint64_t at = 0, step = r->us / 10 + 1; busy && at + step < r->us && r->us != UINT64_MAX; at += step) {
			bench_feed_text(&b, DOWNSTREAM, "lost");
			bench_pass_us(&b, step);
		}
		bench_feed_text(&b, DOWNSTREAM, "lost");
		bench_feed_text(&b, UPSTREAM, "passes");
		bench_assert_text(&b, UPSTREAM, "passes");
		bench_assert_text(&b, DOWNSTREAM, open_already ? "before" : "");
		while (bench_next(&b))
			;
	}
	if (r->us == UINT64_MAX)
		assert_false(b.ended);
	else
		assert_ended(&b, r, 50 + r->us);
	bench_assert_text(&b, DOWNSTREAM, open_already ? "before" : "");
	bench_fini(&b);
}

static void every_row_ends_at_its_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int way = 0; way < 4; way++)
			the_end_comes_at_its_time(&rows[i], way & 1, way & 2);
}

/* As in Toxiproxy: octets were lost, or would have been. */
static void a_timeout_taken_off_ends_the_connection(void **state)
{
	static const char *const options[] = {"", "timeout=1h"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct bench b;
		bench_init(&b);
		struct toxic *t = bench_add(&b, "timeout", options[i], 0);
		bench_pass_us(&b, 10);
		bench_remove(&b, t);
		assert_true(b.ended && b.how == STREAM_END_FIN && b.ended_at_us == 10);
		bench_fini(&b);
	}
}

static void a_reset_taken_off_spares_who_lost_nothing(void **state)
{
	(void)state;
	for (int lost = 0; lost < 3; lost++) {
		struct bench b;
		bench_init(&b);
		struct toxic *t = bench_add(&b, "reset_peer", "timeout=1h", 0);
		bench_feed_text(&b, UPSTREAM, "passes");
		if (lost == 1)
			bench_feed_text(&b, DOWNSTREAM, "lost");
		if (lost == 2)
			bench_eof(&b, DOWNSTREAM);
		bench_remove(&b, t);
		assert_int_equal(b.ended, lost != 0);
		if (!lost) {
			bench_feed_text(&b, DOWNSTREAM, "it lives");
			bench_assert_text(&b, DOWNSTREAM, "it lives");
		} else {
			assert_true(b.how == STREAM_END_RST);
		}
		bench_fini(&b);
	}
}

static void a_changed_time_counts_from_the_change(void **state)
{
	static const char *const timed[] = {"timeout", "reset_peer"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(timed); i++) {
		struct bench b;
		bench_init(&b);
		struct toxic *t = bench_add(&b, timed[i], "timeout=100us", 0);
		bench_pass_us(&b, 60);
		bench_change(&b, t, "timeout=80us");
		bench_pass_us(&b, 79);
		assert_false(b.ended);
		bench_pass_us(&b, 1);
		assert_true(b.ended && b.ended_at_us == 140);
		bench_fini(&b);
	}
}

static void a_fin(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "timeout", "", 0); /* as in Toxiproxy: who leaves is not held */
	bench_eof(&b, DOWNSTREAM);
	assert_true(b.eof[DOWNSTREAM]);
	bench_fini(&b);
	bench_init(&b);
	bench_add(&b, "reset_peer", "timeout=1s", 0); /* a FIN first would be no reset */
	bench_eof(&b, DOWNSTREAM);
	assert_false(b.eof[DOWNSTREAM]);
	while (bench_next(&b))
		;
	assert_true(!b.eof[DOWNSTREAM] && b.ended && b.how == STREAM_END_RST);
	bench_fini(&b);
}

static void events(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "timeout", "timeout=5us", STREAM_BOTH);
	bench_feed_text(&b, UPSTREAM, "one");
	bench_feed_text(&b, DOWNSTREAM, "two");
	bench_feed_text(&b, UPSTREAM, "three");
	bench_pass_us(&b, 5);
	assert_string_equal(buf_cstr(&b.events), "timeout_both hit conn=1 upstream at=0\n"
						 "timeout_both hit conn=1 downstream at=0\n"
						 "timeout_both end conn=1 upstream at=8 how=fin\n");
	bench_fini(&b);
	bench_init(&b);
	bench_add(&b, "down", "how=rst", 0);
	bench_open(&b);
	assert_string_equal(buf_cstr(&b.events), "down_both end conn=1 downstream at=0 how=rst\n"
						 "down_both end conn=2 downstream at=0 how=rst\n");
	bench_fini(&b);
}

static void cutting_changes_nothing(void **state)
{
	static const struct row more[] = {
		{"timeout", "timeout=3ms", STREAM_END_FIN, 0}, {"reset_peer", "timeout=3ms", STREAM_END_FIN, 0},
		{"timeout", "timeout=1h", STREAM_END_FIN, 0}, {"down", "", STREAM_END_FIN, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		for (unsigned streams = STREAM_UP; streams <= STREAM_BOTH; streams++) {
			struct buf one CLEANUP(buf_fini) = chunks_assert_same(more[i].fault, more[i].options, streams, 1);
			struct buf other CLEANUP(buf_fini) = chunks_assert_same(more[i].fault, more[i].options, streams, 2);
			assert_true(span_eq(buf_span(&one), buf_span(&other)));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_ends_at_its_time),
		cmocka_unit_test(a_timeout_taken_off_ends_the_connection),
		cmocka_unit_test(a_reset_taken_off_spares_who_lost_nothing),
		cmocka_unit_test(a_changed_time_counts_from_the_change),
		cmocka_unit_test(a_fin),
		cmocka_unit_test(events),
		cmocka_unit_test(cutting_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
