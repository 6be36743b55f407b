/* Frames against hand-written heads and against zlib's own inflate, which is what a peer will use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "server-under-test/hub/frame.h"

#define TEXT_MAX (1u << 20)

static char text[TEXT_MAX], back[TEXT_MAX + 16];

/* RFC 6455 5.2: the shortest length form, at each border. */
static void test_heads(void **state)
{
	static const struct {
		size_t len;
		size_t head_len;
		uint8_t head[10];
	} rows[] = {
		{ 0, 2, { 0x81, 0 } },
		{ 5, 2, { 0x81, 5 } },
		{ 125, 2, { 0x81, 125 } },
		{ 126, 4, { 0x81, 126, 0, 126 } },
		{ 65535, 4, { 0x81, 126, 0xff, 0xff } },
		{ 65536, 10, { 0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0 } },
	};

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame *frame = frame_text(text, rows[i].len);

		assert_int_equal(frame->len, rows[i].head_len + rows[i].len);
		assert_memory_equal(frame->octets, rows[i].head, rows[i].head_len);
		assert_int_equal(frame_payload_len(frame), rows[i].len);
		assert_memory_equal(frame_payload(frame), text, rows[i].len);
		frame_unref(frame);
	}
}

/* RFC 6455 5.7: a single-frame unmasked text message. */
static void test_published_vector(void **state)
{
	static const uint8_t hello[] = { 0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f };
	const struct text pieces[] = { text_from("He"), { 0 }, text_from("llo") };
	struct frame *frame = frame_join(pieces, 3);

	(void)state;
	assert_int_equal(frame->len, sizeof(hello));
	assert_memory_equal(frame->octets, hello, sizeof(hello));
	frame_unref(frame);
}

/* RFC 7692 7.2.2: append 00 00 ff ff, inflate; each frame with a fresh inflater of the window we announce. */
static size_t inflated(const struct frame *frame)
{
	static const uint8_t tail[] = { 0, 0, 0xff, 0xff };
	z_stream stream = { 0 };
	size_t len = frame_payload_len(frame);
	uint8_t *in = malloc(len + sizeof(tail));

	assert_non_null(in);
	memcpy(in, frame_payload(frame), len);
	memcpy(in + len, tail, sizeof(tail));
	assert_int_equal(inflateInit2(&stream, -15), Z_OK);
	stream.next_in = in;
	stream.avail_in = (uInt)(len + sizeof(tail));
	stream.next_out = (Bytef *)back;
	stream.avail_out = sizeof(back);
	assert_in_range(inflate(&stream, Z_SYNC_FLUSH), Z_OK, Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	len = sizeof(back) - stream.avail_out;
	inflateEnd(&stream);
	free(in);
	return len;
}

/* Text that compresses: every length, again and again, so that a context kept by mistake would show. */
static void test_deflated(void **state)
{
	static const size_t lens[] = { FRAME_DEFLATE_MIN, 129, 1000, 1000, 65535, 65536, 65537, TEXT_MAX, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "0123456789abcdef"[i * i / 7 % 16];
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct frame *frame = frame_text(text, lens[i]);
		struct frame *deflated = frame_deflated(frame);

		assert_ptr_not_equal(deflated, frame);
		assert_ptr_equal(frame_deflated(frame), deflated);
		assert_int_equal(deflated->octets[0], 0xc1);
		assert_true(frame_payload_len(deflated) < lens[i]);
		assert_int_equal(inflated(deflated), lens[i]);
		assert_memory_equal(back, text, lens[i]);
		frame_ref(deflated); /* it may outlive the frame, in the queue of a connection */
		frame_unref(frame);
		assert_int_equal(deflated->refs, 1);
		assert_int_equal(inflated(deflated), lens[i]);
		frame_unref(deflated);
	}
}

/* Too short, and what does not become smaller, goes out as it is. */
static void test_not_worth_it(void **state)
{
	uint32_t x = 1;
	struct frame *frame = frame_text(text, FRAME_DEFLATE_MIN - 1);

	(void)state;
	assert_ptr_equal(frame_deflated(frame), frame);
	frame_unref(frame);
	for (size_t i = 0; i < 4096; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (char)(x >> 24);
	}
	frame = frame_text(text, 4096);
	assert_ptr_equal(frame_deflated(frame), frame);
	assert_ptr_equal(frame_deflated(frame), frame);
	frame_unref(frame_ref(frame));
	assert_int_equal(frame->refs, 1);
	frame_unref(frame);
	frame_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_published_vector),
		cmocka_unit_test(test_deflated),
		cmocka_unit_test(test_not_worth_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
