/* Frame heads and written frames against hand-written bytes: the examples of RFC 6455 5.7, and every head form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/ws/frame.h"

/* RFC 6455 5.7, octets as printed there. */
static const struct example {
	const char *name;
	struct frame frame;
	struct span wire;
} examples[] = {
	{
		"a single-frame unmasked text message",
		{.fin = true, .opcode = 0x1, .payload = SPAN_LIT("Hello")},
		SPAN_LIT("\x81\x05\x48\x65\x6c\x6c\x6f"),
	},
	{
		"a single-frame masked text message",
		{.fin = true, .opcode = 0x1, .masked = true, .key = {0x37, 0xfa, 0x21, 0x3d}, .payload = SPAN_LIT("Hello")},
		SPAN_LIT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
	},
	{
		"a fragmented unmasked text message, first",
		{.fin = false, .opcode = 0x1, .payload = SPAN_LIT("Hel")},
		SPAN_LIT("\x01\x03\x48\x65\x6c"),
	},
	{
		"a fragmented unmasked text message, last",
		{.fin = true, .opcode = 0x0, .payload = SPAN_LIT("lo")},
		SPAN_LIT("\x80\x02\x6c\x6f"),
	},
	{
		"unmasked Ping request",
		{.fin = true, .opcode = 0x9, .payload = SPAN_LIT("Hello")},
		SPAN_LIT("\x89\x05\x48\x65\x6c\x6c\x6f"),
	},
	{
		"masked Pong response",
		{.fin = true, .opcode = 0xa, .masked = true, .key = {0x37, 0xfa, 0x21, 0x3d}, .payload = SPAN_LIT("Hello")},
		SPAN_LIT("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
	},
	{
		"256 bytes binary message, its head",
		{.fin = true, .opcode = 0x2, .declare = true, .declared = 256},
		SPAN_LIT("\x82\x7e\x01\x00"),
	},
	{
		"64KiB binary message, its head",
		{.fin = true, .opcode = 0x2, .declare = true, .declared = 65536},
		SPAN_LIT("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
	},
	/* Ours: everything wrong at once, and each way to declare a length. */
	{
		"all RSV bits, reserved opcode, long form of a short length",
		{.rsv = 7, .opcode = 0xf, .form = FRAME_FORM_64, .payload = SPAN_LIT("x")},
		SPAN_LIT("\x7f\x7f\x00\x00\x00\x00\x00\x00\x00\x01x"),
	},
	{
		"RSV2 alone, 16-bit form of nothing",
		{.fin = true, .rsv = 2, .opcode = 0x9, .form = FRAME_FORM_16},
		SPAN_LIT("\xa9\x7e\x00\x00"),
	},
	{
		"top bit of a 64-bit length",
		{.fin = true, .opcode = 0x2, .declare = true, .declared = UINT64_C(0x8000000000000001), .masked = true},
		SPAN_LIT("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"),
	},
	{
		"7-bit form keeps the low bits",
		{.fin = true, .opcode = 0x2, .form = FRAME_FORM_7, .declare = true, .declared = 0x185},
		SPAN_LIT("\x82\x05"),
	},
	{
		"16-bit form keeps the low bits",
		{.fin = true, .opcode = 0x2, .form = FRAME_FORM_16, .declare = true, .declared = 0x54321},
		SPAN_LIT("\x82\x7e\x43\x21"),
	},
};

static void test_written_octets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct buf b CLEANUP(buf_fini);
		buf_init(&b, 1024);
		assert_int_equal(frame_write(&b, &examples[i].frame), 0);
		if (!span_eq(buf_span(&b), examples[i].wire))
			fail_msg("%s: other octets", examples[i].name);
	}
}

static void test_shortest_form_boundaries(void **state)
{
	(void)state;
	static const struct {
		uint64_t len;
		struct span wire;
	} rows[] = {
		{0, SPAN_LIT("\x82\x00")},
		{125, SPAN_LIT("\x82\x7d")},
		{126, SPAN_LIT("\x82\x7e\x00\x7e")},
		{127, SPAN_LIT("\x82\x7e\x00\x7f")},
		{65535, SPAN_LIT("\x82\x7e\xff\xff")},
		{65536, SPAN_LIT("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00")},
		{UINT64_MAX, SPAN_LIT("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff")},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_fini);
		buf_init(&b, 64);
		struct frame f = {.fin = true, .opcode = 2, .declare = true, .declared = rows[i].len};
		assert_int_equal(frame_write(&b, &f), 0);
		assert_true(span_eq(buf_span(&b), rows[i].wire));
	}
}

static void test_write_stays_within_the_limit(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, 10);
	assert_int_equal(buf_append(&b, "123", 3), 0);
	struct frame f = {.fin = true, .opcode = 1, .payload = SPAN_LIT("123456")};
	assert_int_equal(frame_write(&b, &f), -ENOBUFS);
	assert_int_equal(b.len, 3);
	f.payload = SPAN_LIT("12345");
	assert_int_equal(frame_write(&b, &f), 0);
	assert_int_equal(b.len, 10);
}

/*
 * Every value of the first two octets, the other head octets distinct, against the bit positions of the figure in 5.2.
 */
static void test_every_head(void **state)
{
	(void)state;
	static const uint8_t rest[12] = {0x91, 0xa2, 0xb3, 0xc4, 0xd5, 0xe6, 0xf7, 0x08, 0x19, 0x2a, 0x3b, 0x4c};
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			uint8_t in[14] = {(uint8_t)first, (uint8_t)second};
			memcpy(in + 2, rest, sizeof(rest));
			unsigned seven = second % 128;
			size_t extra = seven == 126 ? 2 : seven == 127 ? 8 : 0;
			size_t size = 2 + extra + (second >= 128 ? 4 : 0);
			struct frame_head h = {.len = 77};
			for (size_t n = 0; n < size; n++)
				assert_int_equal(frame_head_parse(span_of(in, n), &h), 0);
			assert_int_equal(h.len, 77);
			assert_int_equal(frame_head_parse(span_of(in, sizeof(in)), &h), size);
			assert_int_equal(h.size, size);
			assert_int_equal(h.fin, first >= 128);
			assert_int_equal(h.rsv, first % 128 / 16);
			assert_int_equal(h.opcode, first % 16);
			assert_int_equal(h.masked, second >= 128);
			assert_true(h.len == (extra == 0 ? seven : extra == 2 ? 0x91a2 : UINT64_C(0x91a2b3c4d5e6f708)));
			assert_int_equal(h.form, extra == 0 ? FRAME_FORM_7 : extra == 2 ? FRAME_FORM_16 : FRAME_FORM_64);
			uint8_t none[4] = {0};
			assert_memory_equal(h.key, second >= 128 ? in + size - 4 : none, 4);
		}
	}
}

static void test_faults(void **state)
{
	(void)state;
	enum {
		RSV = FRAME_FAULT_RSV, OPCODE = FRAME_FAULT_OPCODE, LONGER = FRAME_FAULT_NOT_MINIMAL, TOP = FRAME_FAULT_TOP_BIT,
		CONTROL = FRAME_FAULT_CONTROL_LONG, FRAGMENT = FRAME_FAULT_CONTROL_FRAGMENTED, MASKED = FRAME_FAULT_MASKED,
	};
	static const struct {
		struct span head;
		unsigned faults;
	} rows[] = {
		{SPAN_LIT("\x81\x00"), 0},
		{SPAN_LIT("\x01\x7d"), 0},
		{SPAN_LIT("\x00\x7e\x00\x7e"), 0},
		{SPAN_LIT("\x82\x7e\xff\xff"), 0},
		{SPAN_LIT("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), 0},
		{SPAN_LIT("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), 0},
		{SPAN_LIT("\x88\x7d"), 0},
		{SPAN_LIT("\xc1\x00"), RSV},
		{SPAN_LIT("\xa1\x00"), RSV},
		{SPAN_LIT("\x91\x00"), RSV},
		{SPAN_LIT("\x83\x00"), OPCODE},
		{SPAN_LIT("\x87\x00"), OPCODE},
		{SPAN_LIT("\x8b\x00"), OPCODE},
		{SPAN_LIT("\x8f\x00"), OPCODE},
		{SPAN_LIT("\x0f\x00"), OPCODE | FRAGMENT},
		{SPAN_LIT("\x81\x7e\x00\x7d"), LONGER},
		{SPAN_LIT("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), LONGER},
		{SPAN_LIT("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x00"), LONGER},
		{SPAN_LIT("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), TOP},
		{SPAN_LIT("\x89\x7e\x00\x7e"), CONTROL},
		{SPAN_LIT("\x89\x7e\x00\x05"), CONTROL | LONGER},
		{SPAN_LIT("\x8a\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), CONTROL},
		{SPAN_LIT("\x09\x00"), FRAGMENT},
		{SPAN_LIT("\x08\x00"), FRAGMENT},
		{SPAN_LIT("\x81\x80\x00\x00\x00\x00"), MASKED},
		{
			SPAN_LIT("\x7b\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04"),
			RSV | OPCODE | TOP | CONTROL | FRAGMENT | MASKED,
		},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct frame_head h;
		assert_int_equal(frame_head_parse(rows[i].head, &h), rows[i].head.len);
		if (frame_head_faults(&h) != rows[i].faults)
			fail_msg("row %zu: faults %x, not %x", i, frame_head_faults(&h), rows[i].faults);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_octets),
		cmocka_unit_test(test_shortest_form_boundaries),
		cmocka_unit_test(test_write_stays_within_the_limit),
		cmocka_unit_test(test_every_head),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
