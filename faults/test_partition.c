/* What stays away while the network is apart, and arrives when it is whole again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_talk.h"

static const struct {
	const char *options;
	unsigned streams;
	bool up, down;             /* cross */
} rows[] = {
	{"", 0, false, false},
	{"direction=both", 0, false, false},
	{"direction=to", 0, false, true},
	{"direction=from", 0, true, false},
	{"direction=both", STREAM_UP, false, true},
	{"direction=to", STREAM_DOWN, true, true},
};

static void dropped_octets_arrive_when_it_heals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		const bool cross[] = {rows[i].up, rows[i].down};
		bench_init(&b);
		struct toxic *toxic = bench_add(&b, "partition", rows[i].options, rows[i].streams);
		for (enum direction d = 0; d < DIRECTIONS; d++) {
			bench_feed(&b, d, bench_pattern(), 100000, 1000);
			bench_eof(&b, d);
		}
		bench_pass_us(&b, 3600000000);
		for (enum direction d = 0; d < DIRECTIONS; d++) {
			bench_assert_out(&b, d, bench_pattern(), cross[d] ? 100000 : 0);
			assert_int_equal(b.eof[d], cross[d]);
		}
		bench_remove(&b, toxic);
		for (enum direction d = 0; d < DIRECTIONS; d++) {
			bench_assert_out(&b, d, bench_pattern(), 100000);
			assert_true(b.eof[d]);
		}
		assert_false(b.ended);
		assert_true(chain_idle(b.chain));
		bench_fini(&b);
	}
}

static void the_sender_waits(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *toxic = bench_add(&b, "partition", "direction=to", 0);
	bench_feed(&b, UPSTREAM, bench_pattern(), 200 << 10, 0);
	assert_false(chain_full(b.chain, UPSTREAM));
	bench_feed(&b, UPSTREAM, bench_pattern() + (200 << 10), 100 << 10, 0);
	assert_true(chain_full(b.chain, UPSTREAM) && !chain_full(b.chain, DOWNSTREAM));
	bench_change(&b, toxic, "direction=from"); /* one way heals, the other one breaks */
	assert_false(chain_full(b.chain, UPSTREAM));
	bench_assert_out(&b, UPSTREAM, bench_pattern(), 300 << 10);
	bench_feed_text(&b, DOWNSTREAM, "later");
	bench_assert_text(&b, DOWNSTREAM, "");
	bench_change(&b, toxic, "direction=to");
	bench_assert_text(&b, DOWNSTREAM, "later");
	assert_string_equal(buf_cstr(&b.events), "partition_both hit conn=1 upstream at=0\n"
						 "partition_both hit conn=1 downstream at=0\n");
	bench_fini(&b);
}

static void rejected_octets_are_answered(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct bench b;
		bench_init(&b);
		struct toxic *toxic = bench_add(&b, "partition", way == 3 ? "" : "style=reject direction=from", 0);
		bench_feed_text(&b, UPSTREAM, "crosses");
		bench_pass_us(&b, 1000000);
		assert_false(b.ended); /* nobody has sent */
		if (way == 0)
			bench_feed_text(&b, DOWNSTREAM, "does not");
		else if (way == 1)
			bench_eof(&b, DOWNSTREAM);
		else if (way == 2)
			bench_remove(&b, toxic);
		else
			bench_change(&b, toxic, "style=reject"); /* what is on the way is sent again */
		assert_int_equal(b.ended, way != 2);
		assert_true(!b.ended || b.how == STREAM_END_RST);
		bench_assert_text(&b, DOWNSTREAM, "");
		bench_fini(&b);
	}
}

static void octets_pass_as_they_are(void **state)
{
	(void)state;
	struct buf story CLEANUP(buf_fini) = talk_assert_same("partition", "", 0, 1);
	assert_true(span_find(buf_span(&story), span_str("hit conn=1 downstream at=0")) >= 0);
	struct buf other CLEANUP(buf_fini) = talk_assert_same("partition", "style=reject direction=to", 0, 1);
	assert_true(span_find(buf_span(&other), span_str("end 1 at 0\n")) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dropped_octets_arrive_when_it_heals),
		cmocka_unit_test(the_sender_waits),
		cmocka_unit_test(rejected_octets_are_answered),
		cmocka_unit_test(octets_pass_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
