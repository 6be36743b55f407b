/* Messages that prove themselves: published checksums, and that no single octet can change unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/err.h"
#include "harness/load/payload.h"

/* RFC 3720 B.4, and the check value of the CRC catalogue. */
static void checksum_matches_the_published_vectors(void **state)
{
	(void)state;
	uint8_t zeros[32] = {0}, ones[32], up[32];
	memset(ones, 0xff, sizeof(ones));
	for (unsigned i = 0; i < sizeof(up); i++)
		up[i] = (uint8_t)i;
	const struct {
		struct span octets;
		uint32_t crc;
	} rows[] = {
		{span_of(zeros, sizeof(zeros)), 0x8a9136aa},
		{span_of(ones, sizeof(ones)), 0x62a8ab43},
		{span_of(up, sizeof(up)), 0x46dd794e},
		{SPAN_LIT("123456789"), 0xe3069283},
		{SPAN_LIT(""), 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(payload_crc32c(rows[i].octets), rows[i].crc);
		assert_int_equal(payload_crc32c_plain(rows[i].octets), rows[i].crc);
	}
}

static const struct payload cases[] = {
	{0x12345678, 1, 2, 3, 4},
	{0, 0, 0, 0, 0},
	{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX, UINT64_MAX},
};

static void what_is_written_is_read(void **state)
{
	(void)state;
	static const uint64_t sizes[] = {0, 1, 96, 97, 98, 128, 1000, 65536};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			struct buf b CLEANUP(buf_fini) = {.max = 1 << 17};
			struct payload got;
			assert_int_equal(payload_write(&b, &cases[i], sizes[j]), 0);
			if (sizes[j] > PAYLOAD_LEAST)
				assert_int_equal(b.len, sizes[j]);
			else
				assert_in_range(b.len, 1, PAYLOAD_LEAST);
			assert_int_equal(payload_read(buf_span(&b), &got), PAYLOAD_WHOLE);
			assert_int_equal(got.run, cases[i].run);
			assert_int_equal(got.publisher, cases[i].publisher);
			assert_int_equal(got.channel, cases[i].channel);
			assert_true(got.index == cases[i].index && got.sent_us == cases[i].sent_us);
		}
}

static void the_form_is_the_documented_one(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {.max = 1 << 10};
	assert_int_equal(payload_write(&b, &cases[0], 0), 0);
	/* The checksum by another program (Python, bit by bit). */
	assert_string_equal(buf_cstr(&b), "wsq1.12345678.1.2.3.4..3cad263a");
	for (size_t i = 0; i < b.len; i++)
		assert_in_range(b.p[i], 0x21, 0x7e);
}

static void any_change_is_noticed(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {.max = 1 << 10};
	struct payload got;
	assert_int_equal(payload_write(&b, &cases[0], 200), 0);
	for (size_t i = 0; i < b.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			b.p[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(payload_read(buf_span(&b), &got), i < 5 ? PAYLOAD_FOREIGN : PAYLOAD_CORRUPT);
			b.p[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(payload_read(span_of(b.p, len), &got), len < 5 ? PAYLOAD_FOREIGN : PAYLOAD_CORRUPT);
}

static void what_is_not_ours_is_foreign(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "x", "wsq2.00000000.1.1.1.1..00000000", "{\"wsq1.\":1}", "hello"};
	struct payload got;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(payload_read(span_str(rows[i]), &got), PAYLOAD_FOREIGN);
}

static void it_says_when_there_is_no_room(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {.max = 100};
	assert_int_equal(payload_write(&b, &cases[0], 101), -ENOBUFS);
	assert_int_equal(b.len, 0);
	assert_int_equal(payload_write(&b, &cases[0], 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_matches_the_published_vectors),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_form_is_the_documented_one),
		cmocka_unit_test(any_change_is_noticed),
		cmocka_unit_test(what_is_not_ours_is_foreign),
		cmocka_unit_test(it_says_when_there_is_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
