/* Frames that arrive late: which, when, and what becomes of those behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "faults/test_talk.h"

enum { MS = 1000 };

/* At 0, 10 and 20 ms something is said; what has been heard at 20, 60 and 200 ms. A frame is 50 ms late. */
static const struct {
	const char *options, *said[3], *heard[3];
} rows[] = {
	{"opcode=ping", {"t:1 i:2 t:3", "t:4", "t:5"}, {"t:1", "t:1 i:2 t:3 t:4 t:5", "t:1 i:2 t:3 t:4 t:5"}},
	{"opcode=ping", {"t:1 i:2 t:3", "i:4", "t:5"}, {"t:1", "t:1 i:2 t:3 i:4 t:5", "t:1 i:2 t:3 i:4 t:5"}},
	{"opcode=ping", {"t:1 i:2 t:3", "t:4 i:5", "t:6"}, {"t:1", "t:1 i:2 t:3 t:4 i:5 t:6", "t:1 i:2 t:3 t:4 i:5 t:6"}},
	{"opcode=ping", {"t:1", "t:2", "i:3 t:4"}, {"t:1 t:2", "t:1 t:2", "t:1 t:2 i:3 t:4"}},
	{"opcode=ping overtake=true", {"t:1 i:2 t:3", "t:4", "t:5"},
	 {"t:1 t:3 t:4 t:5", "t:1 t:3 t:4 t:5 i:2", "t:1 t:3 t:4 t:5 i:2"}},
	{"opcode=ping overtake=true", {"i:1 t:2", "i:3", "i:4"}, {"t:2", "t:2 i:1 i:3", "t:2 i:1 i:3 i:4"}},
	/* not into a fragmented message */
	{"opcode=ping overtake=true", {"i:1 f:2", "g:3", "t:4"}, {"f:2 g:3 t:4", "f:2 g:3 t:4 i:1", "f:2 g:3 t:4 i:1"}},
	{"opcode=ping overtake=true", {"i:1 f:2", "g:3", "g:4"}, {"f:2 g:3 g:4", "f:2 g:3 g:4", "f:2 g:3 g:4"}},
	/* fragments stay in their message */
	{"opcode=data overtake=true", {"t:1 f:2 g:3 c:4", "i:5", "i:6"},
	 {"f:2 g:3 c:4 i:5 i:6", "f:2 g:3 c:4 i:5 i:6 t:1", "f:2 g:3 c:4 i:5 i:6 t:1"}},
	/* before a Close all that is late */
	{"opcode=text overtake=true", {"t:1 i:2", "x:", ""}, {"i:2 t:1 x:", "i:2 t:1 x:", "i:2 t:1 x:"}},
	{"opcode=text every=2", {"t:1 t:2", "t:3", "t:4"}, {"t:1", "t:1 t:2 t:3", "t:1 t:2 t:3 t:4"}},
};

static void delays_the_chosen_ones(void **state)
{
	static const uint64_t heard_at_ms[] = {20, 60, 200};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (enum direction d = 0; d < DIRECTIONS; d++) {
			struct bench b;
			char options[100];
			bench_init(&b);
			snprintf(options, sizeof(options), "delay=50ms %s", rows[i].options);
			bench_add(&b, "frame_delay", options, 0);
			talk_open(&b);
			for (size_t j = 0; j < 3; j++) {
				bench_pass_us(&b, j * 10 * MS - b.now_us);
				talk_feed(&b, d, rows[i].said[j]);
			}
			for (size_t j = 0; j < 3; j++) {
				bench_pass_us(&b, heard_at_ms[j] * MS - b.now_us);
				if (strcmp(talk_after(&b, d), rows[i].heard[j]) != 0)
					fail_msg("row %zu at %d ms: %s", i, (int)heard_at_ms[j], talk_after(&b, d));
			}
			bench_fini(&b);
		}
}

/* A message in fragments that goes on for longer than the delay is not interrupted; behind it the late frame goes. */
static void waits_for_the_end_of_a_message(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "frame_delay", "delay=50ms opcode=ping overtake=true", 0);
	talk_open(&b);
	talk_feed(&b, UPSTREAM, "i:1 f:2");
	bench_pass_us(&b, 100 * MS);
	talk_feed(&b, UPSTREAM, "g:3 o:4 c:5 t:6");
	assert_string_equal(talk_after(&b, UPSTREAM), "f:2 g:3 o:4 c:5 i:1 t:6");
	talk_feed(&b, UPSTREAM, "i:7");
	bench_feed(&b, UPSTREAM, "\x82\x83\0\0\0\0ab", 8, 0); /* nor is a frame */
	bench_pass_us(&b, 100 * MS);
	bench_feed(&b, UPSTREAM, "c", 1, 0);
	assert_string_equal(talk_after(&b, UPSTREAM), "f:2 g:3 o:4 c:5 i:1 t:6 b:abc i:7");
	bench_fini(&b);
}

static void to_the_microsecond(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "frame_delay", "opcode=pong delay=1500us", 0);
	talk_open(&b);
	bench_pass_us(&b, 7);
	talk_feed(&b, UPSTREAM, "o:");
	while (bench_next(&b))
		;
	assert_int_equal(b.pieces[b.n_pieces - 1].at_us, 1507);
	assert_string_equal(buf_cstr(&b.events), "frame_delay_both hit conn=1 upstream at=189 opcode=pong number=1 len=0\n");
	bench_fini(&b);
}

static void a_fin_is_behind_what_is_late(void **state)
{
	static const char *const options[] = {"delay=50ms opcode=ping", "delay=50ms opcode=ping overtake=true"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "frame_delay", options[i], 0);
		talk_open(&b);
		talk_feed(&b, DOWNSTREAM, "i:1 f:2");
		bench_feed(&b, DOWNSTREAM, "\x81", 1, 0); /* and a piece of a frame */
		bench_eof(&b, DOWNSTREAM);
		bench_pass_us(&b, 49 * MS);
		assert_false(b.eof[DOWNSTREAM]);
		bench_pass_us(&b, 1 * MS);
		assert_true(b.eof[DOWNSTREAM]);
		assert_int_equal(b.out[DOWNSTREAM].len, strlen(talk_reply) + 7);
		bench_fini(&b);
	}
}

static void the_sender_waits(void **state)
{
	struct bench *b = test_calloc(1, sizeof(*b));
	(void)state;
	bench_init(b);
	bench_add(b, "frame_delay", "opcode=ping", 0);
	talk_open(b);
	talk_feed(b, DOWNSTREAM, "i:1");
	for (int i = 0; i < 1000 && !chain_full(b->chain, DOWNSTREAM); i++) {
		struct buf frame CLEANUP(buf_fini) = {.max = 1 << 20};
		talk_frame(&frame, DOWNSTREAM, OPCODE_BINARY, true, bench_pattern(), 5000);
		bench_feed(b, DOWNSTREAM, frame.p, frame.len, 0);
		assert_true(i < 250);
	}
	assert_int_equal(b->out[DOWNSTREAM].len, strlen(talk_reply));
	bench_pass_us(b, 1000 * MS);
	assert_false(chain_full(b->chain, DOWNSTREAM));
	assert_true(b->out[DOWNSTREAM].len > 1000000);
	bench_fini(b);
	test_free(b);
}

/* What there is no room for is not late. */
static void late_frames_have_a_limit(void **state)
{
	struct bench *b = test_calloc(1, sizeof(*b));
	static const uint8_t head[] = {0x82, 0x7f, 0, 0, 0, 0, 0, 0x3f, 0, 0}; /* 4 MiB - 64 KiB */
	(void)state;
	bench_init(b);
	bench_add(b, "frame_delay", "overtake=true", 0);
	for (int i = 0; i < 2; i++) {
		bench_feed(b, DOWNSTREAM, head, sizeof(head), 0);
		for (int left = 0x3f0000; left > 0; left -= 0x10000)
			bench_feed(b, DOWNSTREAM, bench_pattern(), 0x10000, 0);
		assert_false(chain_full(b->chain, DOWNSTREAM));
	}
	assert_int_equal(b->out[DOWNSTREAM].len, sizeof(head) + 0x3f0000);
	bench_pass_us(b, 1000 * MS);
	assert_int_equal(b->out[DOWNSTREAM].len, 2 * (sizeof(head) + 0x3f0000));
	assert_string_equal(buf_cstr(&b->events),
			    "frame_delay_both hit conn=1 downstream at=0 opcode=binary number=1 len=4128768\n"
			    "frame_delay_both skip conn=1 downstream at=4128778 opcode=binary number=2 len=4128768\n");
	bench_fini(b);
	test_free(b);
}

static void open_connections(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	talk_open(&b);
	struct toxic *toxic = bench_add(&b, "frame_delay", "opcode=ping delay=1s", 0);
	talk_feed(&b, UPSTREAM, "i:1 t:2");
	bench_change(&b, toxic, "opcode=ping delay=2s"); /* what is late is late by that */
	bench_pass_us(&b, 1500 * MS);
	assert_string_equal(talk_after(&b, UPSTREAM), "");
	bench_change(&b, toxic, "opcode=text delay=1s overtake=true");
	assert_string_equal(talk_after(&b, UPSTREAM), "i:1 t:2");
	talk_feed(&b, UPSTREAM, "t:3 i:4");
	assert_string_equal(talk_after(&b, UPSTREAM), "i:1 t:2 i:4");
	bench_remove(&b, toxic);
	assert_string_equal(talk_after(&b, UPSTREAM), "i:1 t:2 i:4 t:3");
	assert_true(chain_idle(b.chain));
	bench_fini(&b);
}

/* A late frame has no place inside another one or inside a message. */
static void taken_off_where_it_cannot_heal(void **state)
{
	static const struct {
		const char *words;
		size_t len;        /* of an unfinished Pong behind them */
		bool rst;
	} cases[] = {{"t:1 i:2", 0, false}, {"t:1", 1, false}, {"t:1", 3, true}, {"t:1 f:2", 0, true},
		     {"t:1 f:2 c:3", 0, false}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bench b;
		bench_init(&b);
		struct toxic *toxic = bench_add(&b, "frame_delay", "opcode=text overtake=true", 0);
		talk_open(&b);
		talk_feed(&b, DOWNSTREAM, cases[i].words);
		bench_feed(&b, DOWNSTREAM, "\x8a\x04pong", cases[i].len, 0);
		bench_remove(&b, toxic);
		assert_int_equal(b.ended, cases[i].rst);
		assert_true(!b.ended || b.how == STREAM_END_RST);
		bench_fini(&b);
	}
}

static void what_makes_no_sense(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	assert_string_equal(bench_refusal(&b, "frame_delay", "overtake=true opcode=continuation"),
			    "nothing can overtake a continuation frame: it is a part of a message");
	assert_string_equal(bench_refusal(&b, "frame_delay", "overtake=true opcode=close"),
			    "nothing comes behind a Close frame that could overtake it");
	assert_null(bench_refusal(&b, "frame_delay", "opcode=close"));
	bench_fini(&b);
}

static void how_octets_are_cut(void **state)
{
	static const char *const options[] = {"", "opcode=control delay=500us", "opcode=binary delay=3ms overtake=true",
					      "probability=50% delay=1ms overtake=true"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = talk_assert_same("frame_delay", options[i], 0, 1);
		assert_true(span_find(buf_span(&one), span_str(" hit ")) >= 0);
	}
	talk_assert_hostile_passes("frame_delay", "opcode=ping", TALK_HOSTILE);
	talk_assert_hostile_passes("frame_delay", "opcode=ping overtake=true", TALK_HOSTILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_the_chosen_ones),
		cmocka_unit_test(waits_for_the_end_of_a_message),
		cmocka_unit_test(to_the_microsecond),
		cmocka_unit_test(a_fin_is_behind_what_is_late),
		cmocka_unit_test(the_sender_waits),
		cmocka_unit_test(late_frames_have_a_limit),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(taken_off_where_it_cannot_heal),
		cmocka_unit_test(what_makes_no_sense),
		cmocka_unit_test(how_octets_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
