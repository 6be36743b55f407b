/* A proxy that buffers: when what it holds leaves, and that it leaves in one piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_talk.h"

enum { MS = 1000 };

/* The lengths of the pieces of d that came out, "100@0 20@5000". */
static const char *pieces(const struct bench *b, enum direction d)
{
	static struct buf text;
	buf_fini(&text);
	text.max = 1 << 20;
	for (size_t i = 0; i < b->n_pieces; i++)
		if (b->pieces[i].stream == d)
			buf_printf(&text, "%s%zu@%llu", text.len ? " " : "", b->pieces[i].len,
				   (unsigned long long)b->pieces[i].at_us);
	return buf_cstr(&text);
}

static const struct {
	const char *options;
	size_t first, second;      /* octets at 0 and at 10 ms */
	const char *pieces;        /* within a second */
} rows[] = {
	{"size=1000B", 999, 0, ""},
	{"size=1000B", 999, 1, "1000@10000"},
	{"size=1000B", 2500, 600, "1000@0 1000@0 1000@10000"},
	{"size=1000B hold=4ms", 999, 500, "999@4000 500@14000"},
	{"size=1000B hold=40ms", 999, 500, "1000@10000 499@50000"},
	{"size=1B", 3, 0, "1@0 1@0 1@0"},
};

static void holds_octets(void **state)
{
	static const size_t chunks[] = {0, 1, 7};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(chunks); i++) {
		struct bench b;
		size_t row = i / ARRAY_LEN(chunks), chunk = chunks[i % ARRAY_LEN(chunks)];
		bench_init(&b);
		bench_add(&b, "buffer", rows[row].options, STREAM_UP);
		bench_feed(&b, UPSTREAM, bench_pattern(), rows[row].first, chunk);
		bench_pass_us(&b, 10 * MS);
		bench_feed(&b, UPSTREAM, bench_pattern() + rows[row].first, rows[row].second, chunk);
		bench_pass_us(&b, 990 * MS);
		assert_string_equal(pieces(&b, UPSTREAM), rows[row].pieces);
		bench_eof(&b, UPSTREAM); /* the rest, then the FIN */
		bench_assert_out(&b, UPSTREAM, bench_pattern(), rows[row].first + rows[row].second);
		assert_true(b.eof[UPSTREAM]);
		bench_fini(&b);
	}
}

/* The head in one piece, each frame in one piece, whatever comes between. */
static void holds_frames(void **state)
{
	struct bench b;
	struct buf octets CLEANUP(buf_fini) = {.max = 1 << 20};
	(void)state;
	bench_init(&b);
	bench_add(&b, "buffer", "until=frame", STREAM_UP);
	bench_feed(&b, UPSTREAM, talk_request, strlen(talk_request), 1);
	assert_int_equal(b.n_pieces, 1);
	talk_frame(&octets, UPSTREAM, OPCODE_TEXT, true, bench_pattern(), 100); /* 106 octets */
	talk_frame(&octets, UPSTREAM, OPCODE_BINARY, false, bench_pattern(), 1000); /* 1008 */
	bench_feed(&b, UPSTREAM, octets.p, octets.len - 1, 1);
	bench_pass_us(&b, 10 * MS);
	bench_feed(&b, UPSTREAM, octets.p + octets.len - 1, 1, 1);
	bench_feed(&b, UPSTREAM, octets.p, 50, 3); /* of a frame that does not end */
	b.pieces[0].len = 0;
	assert_string_equal(pieces(&b, UPSTREAM), "0@0 106@0 1008@10000");
	bench_eof(&b, UPSTREAM); /* the rest, then the FIN */
	assert_int_equal(b.out[UPSTREAM].len, strlen(talk_request) + octets.len + 50);
	assert_memory_equal(b.out[UPSTREAM].p + b.out[UPSTREAM].len - 50, octets.p, 50);
	assert_true(b.eof[UPSTREAM]);
	bench_fini(&b);
}

static void long_frames_leave_in_parts(void **state)
{
	struct bench b;
	struct buf octets CLEANUP(buf_fini) = {.max = 1 << 20};
	(void)state;
	bench_init(&b);
	bench_add(&b, "buffer", "until=frame size=400B hold=5ms", STREAM_DOWN);
	talk_frame(&octets, DOWNSTREAM, OPCODE_BINARY, true, bench_pattern(), 996); /* 1000 */
	bench_feed(&b, DOWNSTREAM, octets.p, octets.len - 100, 9);
	bench_pass_us(&b, 100 * MS);
	bench_feed(&b, DOWNSTREAM, octets.p + octets.len - 100, 100, 9);
	assert_string_equal(pieces(&b, DOWNSTREAM), "400@0 400@0 100@5000 100@100000");
	bench_assert_out(&b, DOWNSTREAM, octets.p, octets.len);
	bench_fini(&b);
}

static void open_connections(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	struct toxic *toxic = bench_add(&b, "buffer", "", 0);
	bench_feed_text(&b, DOWNSTREAM, "HTTP/1.1 101 Go\r\n");
	bench_assert_text(&b, DOWNSTREAM, "");
	bench_change(&b, toxic, "size=1000B");
	bench_assert_text(&b, DOWNSTREAM, "HTTP/1.1 101 Go\r\n");
	bench_feed_text(&b, DOWNSTREAM, "A: b\r\n\r\n");
	bench_change(&b, toxic, "until=frame");
	bench_assert_text(&b, DOWNSTREAM, "HTTP/1.1 101 Go\r\nA: b\r\n\r\n");
	bench_feed_text(&b, DOWNSTREAM, "\x81\x03yo");
	bench_assert_text(&b, DOWNSTREAM, "HTTP/1.1 101 Go\r\nA: b\r\n\r\n");
	bench_remove(&b, toxic);
	bench_assert_text(&b, DOWNSTREAM, "HTTP/1.1 101 Go\r\nA: b\r\n\r\n\x81\x03yo");
	bench_feed_text(&b, DOWNSTREAM, "u");
	bench_assert_text(&b, DOWNSTREAM, "HTTP/1.1 101 Go\r\nA: b\r\n\r\n\x81\x03you");
	bench_fini(&b);
}

/* The sender is read from until the size is reached, whatever it is. */
static void the_largest_size(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	assert_non_null(bench_refusal(&b, "buffer", "size=16MiB"));
	bench_add(&b, "buffer", "size=8MiB", STREAM_UP);
	for (size_t i = 0; i < 8; i++) {
		bench_assert_text(&b, UPSTREAM, "");
		assert_false(chain_full(b.chain, UPSTREAM));
		bench_feed(&b, UPSTREAM, bench_pattern(), BENCH_PATTERN, 1460);
	}
	assert_int_equal(b.out[UPSTREAM].len, 8 * BENCH_PATTERN);
	bench_fini(&b);
}

static void octets_pass_as_they_are(void **state)
{
	static const char *const options[] = {"", "size=100B hold=1ms", "until=frame", "until=frame size=100B hold=2ms"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		talk_assert_hostile_passes("buffer", options[i], TALK_HOSTILE);
		struct buf story CLEANUP(buf_fini) = talk_assert_same("buffer", options[i], STREAM_BOTH, 1);
		assert_true(span_find(buf_span(&story), span_str("buffer_both hit conn=1 upstream at=0")) >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_octets),
		cmocka_unit_test(holds_frames),
		cmocka_unit_test(long_frames_leave_in_parts),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(the_largest_size),
		cmocka_unit_test(octets_pass_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
