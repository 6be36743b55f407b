/* Every masking variant against the definition in RFC 6455 5.3, one octet at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/ws/mask.h"

static const uint8_t keys[][4] = {
	{0, 0, 0, 0}, {0x37, 0xfa, 0x21, 0x3d}, {0xff, 0xff, 0xff, 0xff},
	{1, 0, 0, 0}, {0, 0, 0, 0x80}, {0x80, 0x40, 0x20, 0x10},
};

static uint8_t plain(size_t i)
{
	return (uint8_t)(i * 37 + 11);
}

static void check(const uint8_t *got, size_t len, const uint8_t key[4], size_t phase)
{
	for (size_t i = 0; i < len; i++)
		if (got[i] != (plain(i) ^ key[(i + phase) % 4]))
			fail_msg("octet %zu of %zu, phase %zu", i, len, phase);
}

static void test_published_example(void **state)
{
	(void)state;
	uint8_t out[5];
	mask_apply(out, (const uint8_t *)"Hello", 5, keys[1], 0);
	assert_memory_equal(out, "\x7f\x9f\x4d\x51\x58", 5); /* 5.7 */
}

/* Lengths 0 to 300 pass every block size; offsets 0 to 32 every alignment; octets around must stay. */
static void test_lengths_and_alignments(void **state)
{
	(void)state;
	size_t n;
	const struct mask_variant *v = mask_variants(&n);
	assert_true(n >= 1);
	assert_string_equal(v[0].name, mask_variant());
	assert_string_equal(v[n - 1].name, "words");
	for (size_t variant = 0; variant < n; variant++) {
		for (size_t len = 0; len <= 300; len++) {
			for (size_t at = 0; at <= 32; at++) {
				uint8_t src[400], dst[400];
				const uint8_t *key = keys[(len + at) % ARRAY_LEN(keys)];
				memset(dst, 0xee, sizeof(dst));
				for (size_t i = 0; i < len; i++)
					src[32 - at + i] = plain(i);
				v[variant].apply(dst + 1 + at, src + 32 - at, len, key);
				check(dst + 1 + at, len, key, 0);
				assert_int_equal(dst[at], 0xee);
				assert_int_equal(dst[at + 1 + len], 0xee);
			}
		}
	}
}

static void test_keys_phases_in_place(void **state)
{
	(void)state;
	static const size_t far[] = {0, 1, 2, 3, 4, 5, 6, 7, 1001, SIZE_MAX - 1, SIZE_MAX};
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		for (size_t p = 0; p < ARRAY_LEN(far); p++) {
			for (size_t len = 0; len <= 100; len++) {
				uint8_t data[101];
				for (size_t i = 0; i <= len; i++)
					data[i] = plain(i);
				mask_apply(data, data, len, keys[k], far[p]);
				check(data, len, keys[k], far[p] % 4);
				assert_int_equal(data[len], plain(len));
			}
		}
	}
}

/* A payload masked in two parts, the second with the phase of the first's end, is the payload masked at once. */
static void test_parts(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 100; cut++) {
		uint8_t data[100];
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = plain(i);
		mask_apply(data, data, cut, keys[5], 0);
		mask_apply(data + cut, data + cut, sizeof(data) - cut, keys[5], cut);
		check(data, sizeof(data), keys[5], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_example),
		cmocka_unit_test(test_lengths_and_alignments),
		cmocka_unit_test(test_keys_phases_in_place),
		cmocka_unit_test(test_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
