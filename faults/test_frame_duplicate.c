/* Frames that arrive more than once: the same octets, right behind the first ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_talk.h"

#define UP "t:1 i:2 b:3 f:4 c:5 t:6"

static const struct {
	const char *options, *heard;
} rows[] = {
	{"", "t:1 t:1 i:2 i:2 b:3 b:3 f:4 f:4 c:5 c:5 t:6 t:6"},
	{"opcode=text", "t:1 t:1 i:2 b:3 f:4 f:4 c:5 t:6 t:6"},
	{"opcode=ping copies=3", "t:1 i:2 i:2 i:2 i:2 b:3 f:4 c:5 t:6"},
	{"opcode=data after=2 every=3", "t:1 i:2 b:3 f:4 c:5 t:6 t:6"},
	{"probability=0%", UP},
};

static void duplicates_the_chosen_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "frame_duplicate", rows[i].options, 0);
		talk_open(&b);
		talk_feed(&b, UPSTREAM, UP);
		assert_string_equal(talk_after(&b, UPSTREAM), rows[i].heard);
		assert_false(b.ended);
		bench_fini(&b);
	}
}

/* A copy is the octets again: its mask, its RSV bits, all of it. */
static void copies_are_octets(void **state)
{
	static const size_t chunks[] = {0, 1, 7};
	struct buf frame CLEANUP(buf_fini) = {.max = 1 << 20};
	(void)state;
	talk_frame(&frame, UPSTREAM, OPCODE_BINARY, true, bench_pattern(), 100000);
	frame.p[0] |= 0x40;
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "frame_duplicate", "", 0);
		for (size_t at = 0; at < frame.len; at += 1000) {
			b.n_pieces = 0;
			bench_feed(&b, UPSTREAM, frame.p + at, frame.len - at < 1000 ? frame.len - at : 1000, chunks[i]);
		}
		assert_int_equal(b.out[UPSTREAM].len, 2 * frame.len);
		assert_memory_equal(b.out[UPSTREAM].p, frame.p, frame.len);
		assert_memory_equal(b.out[UPSTREAM].p + frame.len, frame.p, frame.len);
		assert_string_equal(buf_cstr(&b.events),
				    "frame_duplicate_both hit conn=1 upstream at=0 opcode=binary number=1 len=100000\n");
		bench_fini(&b);
	}
}

/* As long as it likes: it passes once. */
static void long_frames_pass_once(void **state)
{
	static const uint8_t head[] = {0x82, 0x7f, 0, 0, 0, 0, 0, 0x40, 0, 0}; /* 4 MiB */
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "frame_duplicate", "", 0);
	bench_feed(&b, DOWNSTREAM, head, sizeof(head), 0);
	assert_true(b.events.len > 0); /* known from its head, nothing of it is kept */
	for (int i = 0; i < 4; i++)
		bench_feed(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN, 0);
	bench_feed(&b, DOWNSTREAM, "\x89\0", 2, 0);
	assert_int_equal(b.out[DOWNSTREAM].len, sizeof(head) + 4 * BENCH_PATTERN + 4);
	assert_memory_equal(b.out[DOWNSTREAM].p + sizeof(head), bench_pattern(), BENCH_PATTERN);
	assert_string_equal(buf_cstr(&b.events),
			    "frame_duplicate_both skip conn=1 downstream at=0 opcode=binary number=1 len=4194304\n"
			    "frame_duplicate_both hit conn=1 downstream at=4194314 opcode=ping number=2 len=0\n");
	bench_fini(&b);
}

/* All copies of a frame come out at once: there is an end to them. */
static void many_copies_of_long_frames(void **state)
{
	static const struct {
		const char *options;
		uint8_t high;              /* of the length: 65536 octets each */
		size_t times;              /* that it comes out */
	} frames[] = {
		{"copies=15", 15, 16}, {"copies=15", 18, 1}, {"copies=100", 2, 101}, {"copies=256", 1, 1}, {"copies=4", 64, 1},
		{"copies=4", 63, 5},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct bench b;
		const uint8_t head[] = {0x82, 0x7f, 0, 0, 0, 0, 0, frames[i].high, 0, 1};
		size_t len = (size_t)frames[i].high << 16 | 1;
		bench_init(&b);
		bench_add(&b, "frame_duplicate", frames[i].options, 0);
		bench_feed(&b, DOWNSTREAM, head, sizeof(head), 0);
		for (size_t at = 0; at < len; at += BENCH_PATTERN)
			bench_feed(&b, DOWNSTREAM, bench_pattern(), len - at < BENCH_PATTERN ? len - at : BENCH_PATTERN, 0);
		assert_int_equal(b.out[DOWNSTREAM].len, frames[i].times * (sizeof(head) + len));
		bench_fini(&b);
	}
	struct bench b;
	bench_init(&b);
	assert_non_null(bench_refusal(&b, "frame_duplicate", "copies=257"));
	bench_fini(&b);
}

static void open_connections(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	talk_open(&b);
	struct toxic *toxic = bench_add(&b, "frame_duplicate", "", 0);
	talk_feed(&b, DOWNSTREAM, "t:1");
	bench_change(&b, toxic, "opcode=ping copies=2");
	talk_feed(&b, DOWNSTREAM, "t:2 i:3");
	bench_feed(&b, DOWNSTREAM, "\x89\x02" "4", 3, 0);
	bench_remove(&b, toxic); /* in the middle: it is not copied */
	bench_feed(&b, DOWNSTREAM, "4", 1, 0);
	assert_string_equal(talk_after(&b, DOWNSTREAM), "t:1 t:1 t:2 i:3 i:3 i:3 i:44");
	bench_fini(&b);
}

static void how_octets_are_cut(void **state)
{
	static const char *const options[] = {"", "opcode=binary copies=2", "probability=50%"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = talk_assert_same("frame_duplicate", options[i], 0, 1);
		assert_true(span_find(buf_span(&one), span_str(" hit ")) >= 0);
	}
	talk_assert_hostile_passes("frame_duplicate", "opcode=ping", TALK_HOSTILE);
	talk_assert_hostile_passes("frame_duplicate", "", TALK_HOSTILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(duplicates_the_chosen_ones),
		cmocka_unit_test(copies_are_octets),
		cmocka_unit_test(long_frames_pass_once),
		cmocka_unit_test(many_copies_of_long_frames),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(how_octets_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
