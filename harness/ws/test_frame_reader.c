/*
 * The incremental reader: cut and stopped anywhere it must see what an oracle wrote down that shares no code with
 * frame.c and builds its octets one at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/base/rng.h"
#include "harness/ws/frame.h"

/* What a reader saw, as text and octets, so that two runs can be compared. */
struct record {
	struct buf seen;    /* a line per head and end, payload octets between */
	size_t heads, ends;
	struct frame_reader *reader;
	unsigned stop_at;   /* bits: 1 on_head, 2 on_payload, 4 on_end */
};

static void on_head(void *owner, const struct frame_head *h)
{
	struct record *rec = owner;
	assert_int_equal(buf_printf(&rec->seen, "[%d %d %x %d %02x%02x%02x%02x %d %llu %d]",
		h->fin, h->rsv, h->opcode, h->masked, h->key[0], h->key[1], h->key[2], h->key[3],
		(int)h->form, (unsigned long long)h->len, h->size), 0);
	rec->heads++;
	if (rec->stop_at & 1)
		rec->reader->stop = true;
}

static void on_payload(void *owner, struct span part)
{
	struct record *rec = owner;
	assert_true(part.len > 0);
	assert_int_equal(buf_append_span(&rec->seen, part), 0);
	if (rec->stop_at & 2)
		rec->reader->stop = true;
}

static void on_end(void *owner)
{
	struct record *rec = owner;
	assert_int_equal(buf_append(&rec->seen, "$", 1), 0);
	rec->ends++;
	if (rec->stop_at & 4)
		rec->reader->stop = true;
}

static void record_init(struct record *rec, struct frame_reader *reader)
{
	*rec = (struct record){.reader = reader};
	buf_init(&rec->seen, 16 << 20);
	frame_reader_init(reader, rec);
	reader->on_head = on_head;
	reader->on_payload = on_payload;
	reader->on_end = on_end;
}

/* The oracle: writes the octets of a frame and what a reader must record, by the figure in 5.2, one octet at a time. */
static void oracle(struct rng *rng, size_t payload_len, struct buf *wire, struct buf *seen)
{
	unsigned fin = (unsigned)rng_below(rng, 2), rsv = (unsigned)rng_below(rng, 8);
	unsigned opcode = (unsigned)rng_below(rng, 16);
	unsigned masked = (unsigned)rng_below(rng, 2);
	unsigned least = payload_len > 65535 ? 2 : payload_len > 125 ? 1 : 0;
	unsigned form = least + (unsigned)rng_below(rng, 3 - least);
	uint8_t key[4] = {0};
	assert_int_equal(buf_append_u8(wire, (uint8_t)(fin * 128 + rsv * 16 + opcode)), 0);
	unsigned seven = form == 0 ? (unsigned)payload_len : form == 1 ? 126 : 127;
	assert_int_equal(buf_append_u8(wire, (uint8_t)(masked * 128 + seven)), 0);
	for (int octet = form == 0 ? -1 : form == 1 ? 1 : 7; octet >= 0; octet--)
		assert_int_equal(buf_append_u8(wire, (uint8_t)((uint64_t)payload_len >> 8 * octet)), 0);
	if (masked) {
		rng_fill(rng, key, 4);
		assert_int_equal(buf_append(wire, key, 4), 0);
	}
	static const int sizes[] = {2, 4, 10};
	assert_int_equal(buf_printf(seen, "[%u %u %x %u %02x%02x%02x%02x %u %zu %u]", fin, rsv, opcode, masked,
		key[0], key[1], key[2], key[3], form + 1, payload_len, sizes[form] + masked * 4), 0);
	for (size_t i = 0; i < payload_len; i++) {
		uint8_t octet = (uint8_t)rng_below(rng, 256);
		assert_int_equal(buf_append_u8(seen, octet), 0);
		assert_int_equal(buf_append_u8(wire, octet ^ key[i % 4]), 0);
	}
	assert_int_equal(buf_append_u8(seen, '$'), 0);
}

static void read_in_parts(struct span wire, size_t part, struct span want)
{
	struct frame_reader reader;
	struct record rec;
	record_init(&rec, &reader);
	for (size_t at = 0; at < wire.len; at += part) {
		struct span s = span_sub(wire, at, part);
		assert_int_equal(frame_reader_feed(&reader, s), s.len);
	}
	assert_false(frame_reader_pending(&reader));
	assert_true(span_eq(buf_span(&rec.seen), want));
	buf_fini(&rec.seen);
}

static void test_random_frames_in_parts(void **state)
{
	(void)state;
	static const size_t lens[] = {0, 1, 5, 124, 125, 126, 127, 128, 1000, 4095, 4096, 4097, 8193, 65535, 65536, 70001};
	struct rng rng;
	rng_init(&rng, 6455, "test_frame");
	struct buf wire CLEANUP(buf_fini), seen CLEANUP(buf_fini);
	buf_init(&wire, 16 << 20);
	buf_init(&seen, 16 << 20);
	for (int round = 0; round < 4; round++)
		for (size_t i = 0; i < ARRAY_LEN(lens); i++)
			oracle(&rng, lens[i], &wire, &seen);
	for (int i = 0; i < 300; i++)
		oracle(&rng, rng_below(&rng, 40), &wire, &seen);
	static const size_t parts[] = {1, 2, 3, 7, 1000, 4096, 65536, SIZE_MAX / 2};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		read_in_parts(buf_span(&wire), parts[i], buf_span(&seen));
}

/* All examples behind one another, cut in two at every offset. */
static void test_every_cut(void **state)
{
	(void)state;
	struct rng rng;
	rng_init(&rng, 1, "test_every_cut");
	struct buf wire CLEANUP(buf_fini), seen CLEANUP(buf_fini);
	buf_init(&wire, 4096);
	buf_init(&seen, 4096);
	for (size_t len = 0; len < 12; len++)
		oracle(&rng, len, &wire, &seen);
	oracle(&rng, 130, &wire, &seen);
	struct span w = buf_span(&wire);
	for (size_t cut = 0; cut <= w.len; cut++) {
		struct frame_reader reader;
		struct record rec;
		record_init(&rec, &reader);
		assert_int_equal(frame_reader_feed(&reader, span_sub(w, 0, cut)), cut);
		assert_int_equal(frame_reader_feed(&reader, span_sub(w, cut, w.len)), w.len - cut);
		assert_true(span_eq(buf_span(&rec.seen), buf_span(&seen)));
		assert_int_equal(rec.heads, 13);
		assert_int_equal(rec.ends, 13);
		buf_fini(&rec.seen);
	}
}

static void test_stop_and_go_on(void **state)
{
	(void)state;
	const struct span wire = SPAN_LIT("\x81\x03" "abc" "\x89\x00" "\x82\x82\x00\x00\x00\x00" "de");
	const char *want = "[1 0 1 0 00000000 1 3 2]abc$[1 0 9 0 00000000 1 0 2]$[1 0 2 1 00000000 1 2 6]de$";
	static const struct {
		unsigned stop_at;
		size_t consumed[8];
		size_t n;
	} rows[] = {
		{1, {2, 5, 6, 2}, 4},
		{2, {5, 10, 0}, 3},
		{4, {5, 2, 8}, 3},
		{7, {2, 3, 0, 2, 0, 6, 2, 0}, 8},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct frame_reader reader;
		struct record rec;
		record_init(&rec, &reader);
		rec.stop_at = rows[i].stop_at;
		size_t at = 0;
		for (size_t turn = 0; turn < rows[i].n; turn++) {
			size_t used = frame_reader_feed(&reader, span_sub(wire, at, wire.len));
			assert_int_equal(used, rows[i].consumed[turn]);
			at += used;
		}
		assert_int_equal(at, wire.len);
		assert_false(frame_reader_pending(&reader));
		assert_string_equal(buf_cstr(&rec.seen), want);
		buf_fini(&rec.seen);
	}
}

static void test_pending(void **state)
{
	(void)state;
	struct frame_reader reader;
	frame_reader_init(&reader, NULL); /* no callbacks at all */
	assert_false(frame_reader_pending(&reader));
	frame_reader_feed(&reader, SPAN_LIT("\x81"));
	assert_true(frame_reader_pending(&reader));
	frame_reader_feed(&reader, SPAN_LIT("\x82\x01\x02\x03\x04"));
	assert_true(frame_reader_pending(&reader));
	assert_int_equal(reader.payload_left, 2);
	frame_reader_feed(&reader, SPAN_LIT("a"));
	assert_true(frame_reader_pending(&reader));
	assert_int_equal(reader.payload_seen, 1);
	frame_reader_feed(&reader, SPAN_LIT("b"));
	assert_false(frame_reader_pending(&reader));
	/* 2^63 + 1 octets declared: only counted, nothing is allocated for them. */
	frame_reader_feed(&reader, SPAN_LIT("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x01xyz"));
	assert_true(reader.payload_left == UINT64_C(0x7ffffffffffffffe));
	assert_true(frame_reader_pending(&reader));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_frames_in_parts),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_stop_and_go_on),
		cmocka_unit_test(test_pending),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
