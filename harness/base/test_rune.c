/*
 * Well-formed UTF-8 against the tables of RFC 3629 and Unicode 15 chapter 3.9, and which characters may not reach a
 * terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/base/rune.h"

static void well_formed_characters_decode(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		uint32_t want;
	} rows[] = {
		{{(const uint8_t *)"\0", 1}, 0},
		{{(const uint8_t *)"\x7f", 1}, 0x7f},
		{{(const uint8_t *)"\xc2\x80", 2}, 0x80},
		{{(const uint8_t *)"\xdf\xbf", 2}, 0x7ff},
		{{(const uint8_t *)"\xe0\xa0\x80", 3}, 0x800},
		{{(const uint8_t *)"\xed\x9f\xbf", 3}, 0xd7ff},
		{{(const uint8_t *)"\xee\x80\x80", 3}, 0xe000},
		{{(const uint8_t *)"\xef\xbf\xbf", 3}, 0xffff},
		{{(const uint8_t *)"\xf0\x90\x80\x80", 4}, 0x10000},
		{{(const uint8_t *)"\xf4\x8f\xbf\xbf", 4}, 0x10ffff},
		/* RFC 3629 section 7 */
		{{(const uint8_t *)"\xe2\x89\xa2", 3}, 0x2262},
		{{(const uint8_t *)"\xed\x95\x9c", 3}, 0xd55c},
		{{(const uint8_t *)"\xf0\xa3\x8e\xb4", 4}, 0x233b4},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t c = 0xdead;
		assert_int_equal(rune_decode(rows[i].text, &c), rows[i].text.len);
		assert_int_equal(c, rows[i].want);
	}
}

static void ill_formed_octets_do_not(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2\x7f",
		"\xc2\xc0",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xe2\x28\xa1",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xfe",
		"\xff",
	};
	uint32_t c = 0xdead;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(rune_decode(span_str(rows[i]), &c), 0);
	assert_int_equal(rune_decode((struct span){0}, &c), 0);
	assert_int_equal(c, 0xdead);
}

static void the_first_bad_octet_is_found(void **state)
{
	(void)state;
	assert_int_equal(rune_first_bad(SPAN_LIT("a\xc3\xa4\0z")), 5);
	assert_int_equal(rune_first_bad(SPAN_LIT("a\xc3\xa4\xffz")), 3);
	assert_int_equal(rune_first_bad(SPAN_LIT("a\xe2\x82")), 1);
	assert_int_equal(rune_first_bad((struct span){0}), 0);
}

static void dangerous_characters_are_known(void **state)
{
	(void)state;
	static const uint32_t bad[] = {0,      9,       0x1b,     0x1f,    0x7f,   0x80,   0x85,   0x9b,
				       0x9f,   0xad,    0x61c,    0x200b,  0x200e, 0x200f, 0x2028, 0x2029,
				       0x202a, 0x202e,  0x2060,   0x2066,  0x2069, 0xfdd0, 0xfeff, 0xfffe,
				       0xffff, 0x1fffe, 0x10ffff, 0xe0001, 0xe007f};
	static const uint32_t good[] = {0x20,   0x7e,   0xa0,   0xac,    0xae,     0xe4,        0x200a,
					0x200c, 0x200d, 0x2010, 0x2027,  0x202f,   0x2065 + 11, 0x20ac,
					0xfdcf, 0xfdf0, 0xfffd, 0x1f600, 0x10fffd, 0xe0080};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(rune_is_control(bad[i]));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_false(rune_is_control(good[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_characters_decode),
		cmocka_unit_test(ill_formed_octets_do_not),
		cmocka_unit_test(the_first_bad_octet_is_found),
		cmocka_unit_test(dangerous_characters_are_known),
	};
	return cmocka_run_group_tests_name("rune", tests, NULL, NULL);
}
