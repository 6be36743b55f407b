/* Frames that do not arrive: which ones, and that all others do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_talk.h"

#define UP "t:1 i:2 b:3 f:4 o:5 c:6 i:7 t:8"

static const struct {
	const char *options;
	unsigned streams;
	const char *heard;         /* of UP, upstream */
} rows[] = {
	{"", 0, ""},
	{"", STREAM_DOWN, UP},
	{"opcode=text", 0, "i:2 b:3 o:5 c:6 i:7"},
	{"opcode=binary", 0, "t:1 i:2 f:4 o:5 c:6 i:7 t:8"},
	{"opcode=continuation", 0, "t:1 i:2 b:3 f:4 o:5 i:7 t:8"},
	{"opcode=ping", 0, "t:1 b:3 f:4 o:5 c:6 t:8"},
	{"opcode=pong", 0, "t:1 i:2 b:3 f:4 c:6 i:7 t:8"},
	{"opcode=close", 0, UP},
	{"opcode=data", 0, "i:2 o:5 i:7"},
	{"opcode=control", 0, "t:1 b:3 f:4 c:6 t:8"},
	{"every=3", 0, "t:1 i:2 f:4 o:5 i:7 t:8"},
	{"after=5", 0, "t:1 i:2 b:3 f:4 o:5"},
	{"after=1 every=2", 0, "t:1 i:2 f:4 c:6 t:8"},
	{"count=2", 0, "b:3 f:4 o:5 c:6 i:7 t:8"},
	{"opcode=control after=1 count=1", 0, "t:1 i:2 b:3 f:4 c:6 i:7 t:8"},
	{"probability=0%", 0, UP},
};

static void drops_the_chosen_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "frame_drop", rows[i].options, rows[i].streams);
		talk_open(&b);
		talk_feed(&b, UPSTREAM, UP);
		assert_string_equal(talk_after(&b, UPSTREAM), rows[i].heard);
		bench_eof(&b, UPSTREAM);
		assert_true(b.eof[UPSTREAM]);
		assert_false(b.ended);
		bench_fini(&b);
	}
}

static void each_direction_counts_by_itself(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "frame_drop", "opcode=data every=2", 0);
	talk_open(&b);
	talk_feed(&b, UPSTREAM, "t:1");
	talk_feed(&b, DOWNSTREAM, "t:a t:b");
	talk_feed(&b, UPSTREAM, "b:22 t:3");
	assert_string_equal(talk_after(&b, UPSTREAM), "t:1 t:3");
	assert_string_equal(talk_after(&b, DOWNSTREAM), "t:a");
	assert_string_equal(buf_cstr(&b.events),
			    "frame_drop_both hit conn=1 downstream at=148 opcode=text number=2 len=1\n"
			    "frame_drop_both hit conn=1 upstream at=196 opcode=binary number=2 len=2\n");
	bench_fini(&b);
}

/* By the seed: the same ones again, others with another seed, about the share, whatever the other direction does. */
static void probability(void **state)
{
	struct buf heard[4] = {{0}};
	static const uint64_t seeds[] = {1, 1, 2, 1};
	(void)state;
	for (size_t run = 0; run < 4; run++) {
		struct bench *b = test_calloc(1, sizeof(*b));
		bench_init_seed(b, seeds[run]);
		bench_open(b);
		bench_add(b, "frame_drop", "probability=30%", 0);
		talk_open(b);
		for (int i = 0; i < 500; i++) {
			struct buf frame CLEANUP(buf_fini) = {.max = 1000};
			uint8_t number[2] = {(uint8_t)('a' + i / 26), (uint8_t)('a' + i % 26)};
			if (run == 3)
				talk_feed(b, DOWNSTREAM, "t:noise");
			talk_frame(&frame, UPSTREAM, OPCODE_TEXT, true, number, 2);
			bench_feed(b, UPSTREAM, frame.p, frame.len, 0);
		}
		heard[run].max = 1 << 20;
		buf_append_span(&heard[run], span_str(talk_after(b, UPSTREAM)));
		assert_in_range(heard[run].len / 5, 300, 400);
		bench_fini(b);
		test_free(b);
	}
	assert_true(span_eq(buf_span(&heard[0]), buf_span(&heard[1])));
	assert_false(span_eq(buf_span(&heard[0]), buf_span(&heard[2])));
	assert_true(span_eq(buf_span(&heard[0]), buf_span(&heard[3])));
	for (size_t run = 0; run < 4; run++)
		buf_fini(&heard[run]);
}

static void open_connections(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	talk_open(&b);
	struct toxic *toxic = bench_add(&b, "frame_drop", "opcode=ping", 0); /* it sees no handshake */
	talk_feed(&b, UPSTREAM, "t:1 i:2");
	bench_change(&b, toxic, "opcode=text");
	talk_feed(&b, UPSTREAM, "t:3 i:4");
	bench_feed(&b, UPSTREAM, "\x89", 1, 0); /* one octet of a frame, kept to see what it becomes */
	bench_remove(&b, toxic);
	bench_feed(&b, UPSTREAM, "\x80\0\0\0", 5, 0);
	talk_feed(&b, UPSTREAM, "t:5");
	assert_string_equal(talk_after(&b, UPSTREAM), "t:1 i:4 i: t:5");
	assert_false(b.ended);
	bench_fini(&b);
}

/* Half of it is lost: the rest would be read as frames. */
static void taken_off_inside_a_frame(void **state)
{
	struct bench b;
	(void)state;
	for (int half = 0; half < 2; half++) {
		bench_init(&b);
		struct toxic *toxic = bench_add(&b, "frame_drop", "opcode=text", 0);
		talk_open(&b);
		bench_feed(&b, DOWNSTREAM, "\x81\x05hello", half ? 4 : 7, 0);
		bench_remove(&b, toxic);
		assert_int_equal(b.ended, half);
		assert_true(!half || b.how == STREAM_END_RST);
		bench_fini(&b);
	}
}

static void how_octets_are_cut(void **state)
{
	static const char *const options[] = {"opcode=binary", "every=2", "probability=50%", "opcode=control after=1"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = talk_assert_same("frame_drop", options[i], 0, 1);
		assert_true(span_find(buf_span(&one), span_str(" hit ")) >= 0);
	}
	talk_assert_hostile_passes("frame_drop", "probability=0%", TALK_HOSTILE);
	talk_assert_hostile_passes("frame_drop", "opcode=ping", TALK_HOSTILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_the_chosen_ones),
		cmocka_unit_test(each_direction_counts_by_itself),
		cmocka_unit_test(probability),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(taken_off_inside_a_frame),
		cmocka_unit_test(how_octets_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
