/* A Close that nobody of the two has sent: where it goes in, what follows it, and how it all ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_talk.h"

enum { MS = 1000 };
#define GONE "x:\x03\xf4" /* 1012 */

/* Upstream and downstream in turn; what is heard of each before the grace is over. */
static const struct {
	const char *options, *said[4], *up, *down;
	bool ends;
} rows[] = {
	{"opcode=ping", {"t:1", "t:a", "t:2", "t:b"}, "t:1 t:2", "t:a t:b", false},
	{"opcode=text", {"t:1 t:2", "t:a"}, "t:1 " GONE, GONE, true},
	{"after=1", {"t:1 i:2 t:3", "t:a"}, "t:1 i:2 " GONE, GONE, true},
	{"opcode=text from=server", {"t:1", "t:a t:b", "t:2", "t:c"}, "t:1 " GONE, "t:a " GONE, true},
	{"opcode=text from=server to=client", {"t:1", "t:a t:b", "t:2", "t:c"}, "t:1 t:2", "t:a " GONE, true},
	{"opcode=text from=client to=server", {"t:1", "t:a t:b", "t:2", "t:c"}, "t:1 " GONE, "t:a t:b t:c", true},
	{"opcode=text every=2 from=any", {"t:1", "t:a", "t:2", "t:b"}, "t:1 t:2 " GONE, "t:a " GONE, true},
	/* a Close may come between the fragments of a message */
	{"opcode=continuation", {"f:1 g:2 c:3", ""}, "f:1 g:2 " GONE, GONE, true},
	{"opcode=text code=1005", {"t:1"}, "t:1 x:", "x:", true},
	{"opcode=text code=4000 reason=away", {"t:1"}, "t:1 x:\x0f\xa0""away", "x:\x0f\xa0""away", true},
};

static void closes_behind_the_chosen_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "frame_close", rows[i].options, 0);
		talk_open(&b);
		for (size_t j = 0; j < 4 && rows[i].said[j]; j++)
			talk_feed(&b, (enum direction)(j % 2), rows[i].said[j]);
		bench_pass_us(&b, 999 * MS);
		assert_false(b.ended);
		if (strcmp(talk_after(&b, UPSTREAM), rows[i].up) != 0)
			fail_msg("row %zu, to the server: %s", i, talk_after(&b, UPSTREAM));
		if (strcmp(talk_after(&b, DOWNSTREAM), rows[i].down) != 0)
			fail_msg("row %zu, to the client: %s", i, talk_after(&b, DOWNSTREAM));
		bench_pass_us(&b, 1 * MS);
		assert_int_equal(b.ended, rows[i].ends);
		assert_true(!b.ended || b.how == STREAM_END_FIN);
		bench_fini(&b);
	}
}

/* The other direction is inside a frame: its Close waits for the end of that. */
static void waits_for_the_end_of_a_frame(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "frame_close", "from=client grace=5s", 0);
	talk_open(&b);
	bench_feed(&b, DOWNSTREAM, "\x82\x05he", 4, 0);
	talk_feed(&b, UPSTREAM, "t:1");
	assert_string_equal(talk_after(&b, UPSTREAM), "t:1 " GONE);
	assert_int_equal(b.out[DOWNSTREAM].len, strlen(talk_reply) + 4);
	bench_feed(&b, DOWNSTREAM, "llo\x82", 4, 0);
	assert_string_equal(talk_after(&b, DOWNSTREAM), "b:hello " GONE);
	bench_pass_us(&b, 5000 * MS);
	assert_true(b.ended && b.ended_at_us == 5000ull * MS);
	bench_fini(&b);
	bench_init(&b); /* or for the handshake, which never comes: the FIN alone */
	bench_add(&b, "frame_close", "from=client", 0);
	bench_feed_text(&b, UPSTREAM, talk_request);
	talk_feed(&b, UPSTREAM, "t:1");
	bench_feed_text(&b, DOWNSTREAM, "HTTP/1.1 403 No\r\n\r\nno");
	bench_pass_us(&b, 1000 * MS);
	bench_assert_text(&b, DOWNSTREAM, "HTTP/1.1 403 No\r\n\r\nno");
	assert_true(b.ended);
	bench_fini(&b);
}

/* The Close to the server is masked, not with a key of zeros, and by the seed. */
static void masks_by_the_seed(void **state)
{
	struct buf out[3] = {{0}};
	static const uint64_t seeds[] = {1, 1, 2};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct bench b;
		bench_init_seed(&b, seeds[i]);
		bench_open(&b);
		bench_add(&b, "frame_close", "", 0);
		talk_open(&b);
		talk_feed(&b, UPSTREAM, "t:");
		assert_string_equal(talk_after(&b, UPSTREAM), "t: " GONE);
		out[i].max = 4096;
		buf_append(&out[i], b.out[UPSTREAM].p + b.out[UPSTREAM].len - 8, 8);
		assert_memory_equal(out[i].p, "\x88\x82", 2);
		assert_memory_not_equal(out[i].p + 2, "\0\0\0\0", 4);
		assert_string_equal(buf_cstr(&b.events), "frame_close_both hit conn=1 upstream at=189 opcode=text number=1 len=0\n"
				    "frame_close_both close conn=1 upstream at=195 code=1012\n"
				    "frame_close_both close conn=1 downstream at=145 code=1012\n");
		bench_fini(&b);
	}
	assert_memory_equal(out[0].p, out[1].p, 8);
	assert_memory_not_equal(out[0].p, out[2].p, 8);
	for (size_t i = 0; i < 3; i++)
		buf_fini(&out[i]);
}

static void a_direction_that_has_ended(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "frame_close", "from=client", 0);
	talk_open(&b);
	bench_eof(&b, DOWNSTREAM);
	talk_feed(&b, UPSTREAM, "t:1");
	assert_string_equal(talk_after(&b, UPSTREAM), "t:1 " GONE);
	assert_string_equal(talk_after(&b, DOWNSTREAM), "");
	assert_true(span_find(buf_span(&b.events), span_str("close conn=1 downstream")) < 0);
	bench_eof(&b, UPSTREAM);
	assert_true(b.eof[UPSTREAM]);
	bench_fini(&b);
	bench_init(&b); /* that it does not work in */
	bench_add(&b, "frame_close", "", STREAM_DOWN);
	talk_open(&b);
	talk_feed(&b, UPSTREAM, "t:1");
	talk_feed(&b, DOWNSTREAM, "t:a t:b");
	assert_string_equal(talk_after(&b, UPSTREAM), "t:1");
	assert_string_equal(talk_after(&b, DOWNSTREAM), "t:a " GONE);
	bench_fini(&b);
}

static void open_connections(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	talk_open(&b);
	struct toxic *toxic = bench_add(&b, "frame_close", "opcode=ping", 0);
	talk_feed(&b, UPSTREAM, "t:1");
	bench_remove(&b, toxic);
	talk_feed(&b, UPSTREAM, "i:2");
	assert_string_equal(talk_after(&b, UPSTREAM), "t:1 i:2");
	assert_false(b.ended);
	toxic = bench_add(&b, "frame_close", "opcode=ping", 0);
	bench_change(&b, toxic, "opcode=text code=1001");
	talk_feed(&b, UPSTREAM, "i:3 t:4");
	assert_string_equal(talk_after(&b, UPSTREAM), "t:1 i:2 i:3 t:4 x:\x03\xe9");
	bench_remove(&b, toxic); /* nothing may follow a Close */
	assert_true(b.ended && b.how == STREAM_END_FIN);
	bench_fini(&b);
}

static void what_makes_no_sense(void **state)
{
	static const char *const refused[][2] = {
		{"code=1006", "a Close frame may not carry the code 1006 (RFC 6455 7.4)"},
		{"code=1015", "a Close frame may not carry the code 1015 (RFC 6455 7.4)"},
		{"code=1005 reason=why", "a Close frame without a code (1005) has no reason"},
		{"reason=\xff", "a reason is UTF-8 (RFC 6455 5.5.1)"},
		{"reason=1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
		 "123456789012345678901234", "a reason has at most 123 octets (RFC 6455 5.5)"},
	};
	struct bench b;
	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_string_equal(bench_refusal(&b, "frame_close", refused[i][0]), refused[i][1]);
	assert_non_null(bench_refusal(&b, "frame_close", "code=5000"));
	bench_fini(&b);
}

static void how_octets_are_cut(void **state)
{
	static const char *const options[] = {"after=3", "opcode=binary to=client", "opcode=continuation from=server"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = talk_assert_same("frame_close", options[i], 0, 1);
		assert_true(span_find(buf_span(&one), span_str(" close ")) >= 0);
	}
	talk_assert_hostile_passes("frame_close", "opcode=ping", TALK_HOSTILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closes_behind_the_chosen_one),
		cmocka_unit_test(waits_for_the_end_of_a_frame),
		cmocka_unit_test(masks_by_the_seed),
		cmocka_unit_test(a_direction_that_has_ended),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(what_makes_no_sense),
		cmocka_unit_test(how_octets_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
