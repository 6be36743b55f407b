/* A peer that vanishes: nothing of it, no ending, and no way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_talk.h"

enum { SECOND = 1000000 };

static const struct {
	const char *options;
	uint64_t after_s;          /* passes before what is fed next */
	const char *up, *down;     /* of "0123456789" upstream, then "abcdefghij" downstream, what comes out */
	bool silent;
	const char *event;
} rows[] = {
	{"", 0, "", "", true, "half_open_both hit conn=1 upstream at=0 who=client sent=unread\n"},
	{"who=server", 0, "", "", true, "half_open_both hit conn=1 downstream at=0 who=server sent=unread\n"},
	{"sent=swallowed", 0, "", "", false, "half_open_both hit conn=1 upstream at=0 who=client sent=swallowed\n"},
	{"after_octets=4B", 0, "0123", "", true, "half_open_both hit conn=1 upstream at=4 who=client sent=unread\n"},
	{"after_octets=10B", 0, "0123456789", "", true, "half_open_both hit conn=1 upstream at=10 who=client sent=unread\n"},
	{"after_octets=11B", 0, "0123456789", "abcdefghij", false, ""},
	{"who=server after_octets=4B", 0, "0123456789", "abcd", true,
	 "half_open_both hit conn=1 downstream at=4 who=server sent=unread\n"},
	{"who=server after_octets=4B sent=swallowed", 0, "0123456789", "abcd", false,
	 "half_open_both hit conn=1 downstream at=4 who=server sent=swallowed\n"},
	{"after=5s", 4, "0123456789", "abcdefghij", false, ""},
	{"after=5s", 5, "", "", true, "half_open_both hit conn=1 upstream at=0 who=client sent=unread\n"},
	{"after=5s after_octets=2B", 4, "01", "", true, "half_open_both hit conn=1 upstream at=2 who=client sent=unread\n"},
};

static void vanishes(void **state)
{
	static const size_t chunks[] = {0, 1, 3};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(chunks); i++) {
		struct bench b;
		size_t row = i / ARRAY_LEN(chunks), chunk = chunks[i % ARRAY_LEN(chunks)];
		bench_init(&b);
		bench_add(&b, "half_open", rows[row].options, 0);
		bench_pass_us(&b, rows[row].after_s * SECOND);
		bench_feed(&b, UPSTREAM, "0123456789", 10, chunk);
		bench_feed(&b, DOWNSTREAM, "abcdefghij", 10, chunk);
		bench_assert_text(&b, UPSTREAM, rows[row].up);
		bench_assert_text(&b, DOWNSTREAM, rows[row].down);
		assert_int_equal(b.ended, rows[row].silent);
		assert_true(!b.ended || b.how == STREAM_END_SILENCE);
		assert_string_equal(buf_cstr(&b.events), rows[row].event);
		bench_fini(&b);
	}
}

/* Swallowed: the ghost's side is not read, so that its FIN is not seen; the other side is, and its FIN goes nowhere. */
static void nobody_hears_an_ending(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "half_open", "who=server sent=swallowed", 0);
	assert_true(chain_full(b.chain, DOWNSTREAM));
	assert_true(chain_ignores(b.chain, DOWNSTREAM) && !chain_ignores(b.chain, UPSTREAM));
	assert_false(chain_full(b.chain, UPSTREAM));
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		bench_feed(&b, d, bench_pattern(), BENCH_PATTERN, 4096);
		bench_eof(&b, d);
		bench_assert_out(&b, d, NULL, 0);
		assert_false(b.eof[d]);
	}
	bench_pass_us(&b, 3600ull * SECOND);
	assert_false(b.ended);
	bench_fini(&b);
}

static void open_connections(void **state)
{
	static const char *const options[] = {"", "sent=swallowed"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct bench b;
		bench_init(&b);
		bench_feed_text(&b, UPSTREAM, "before");
		struct toxic *toxic = bench_add(&b, "half_open", "after_octets=100B", 0);
		bench_feed_text(&b, UPSTREAM, "middle");
		bench_change(&b, toxic, options[i]);
		if (i) /* the other one has silenced it */
			bench_feed_text(&b, UPSTREAM, "never");
		bench_assert_text(&b, UPSTREAM, "beforemiddle");
		bench_remove(&b, toxic); /* its host is back, and knows nothing of the connection */
		assert_true(b.ended && b.how == STREAM_END_RST);
		bench_fini(&b);
	}
	struct bench b;
	bench_init(&b); /* before it vanished: nothing has happened */
	struct toxic *toxic = bench_add(&b, "half_open", "after=10s", 0);
	bench_pass_us(&b, 5 * SECOND);
	bench_remove(&b, toxic);
	bench_pass_us(&b, 10 * SECOND);
	assert_false(b.ended);
	bench_fini(&b);
}

static void octets_pass_as_they_are(void **state)
{
	(void)state;
	talk_assert_hostile_passes("half_open", "after=1h", TALK_HOSTILE);
	struct buf story CLEANUP(buf_fini) = talk_assert_same("half_open", "who=client after_octets=300B", 0, 1);
	assert_true(span_find(buf_span(&story), span_str("hit conn=1 upstream at=300 ")) >= 0);
	struct buf other CLEANUP(buf_fini) = talk_assert_same("half_open", "who=server after=1s sent=swallowed", 0, 1);
	assert_true(span_find(buf_span(&other), span_str("who=server sent=swallowed")) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vanishes),
		cmocka_unit_test(nobody_hears_an_ending),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(octets_pass_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
