/* Spans: equality, sub-spans past the end, ASCII folding, trimming, search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/base/span.h"

static void equality_is_of_octets(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN_LIT("a\0b"), span_of("a\0b", 3)));
	assert_false(span_eq(SPAN_LIT("a\0b"), SPAN_LIT("a\0c")));
	assert_false(span_eq(SPAN_LIT("ab"), SPAN_LIT("a")));
	assert_true(span_eq((struct span){0}, SPAN_LIT("")));
	assert_int_equal(span_str(NULL).len, 0);
	assert_int_equal(span_str("abc").len, 3);
}

static void sub_never_leaves_the_span(void **state)
{
	(void)state;
	static const struct {
		size_t at, len;
		const char *want;
	} rows[] = {
		{0, 6, "abcdef"}, {0, SIZE_MAX, "abcdef"},
		{2, 2, "cd"},     {2, SIZE_MAX, "cdef"},
		{5, 1, "f"},      {6, 1, ""},
		{7, 0, ""},       {SIZE_MAX, SIZE_MAX, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(span_eq(span_sub(SPAN_LIT("abcdef"), rows[i].at, rows[i].len), span_str(rows[i].want)));
	assert_int_equal(span_sub((struct span){0}, 0, 4).len, 0);
	assert_null(span_sub((struct span){0}, 3, 4).p);
}

static void folding_is_ascii_only(void **state)
{
	(void)state;
	assert_true(span_eq_nocase(SPAN_LIT("WebSocket"), SPAN_LIT("wEBsOCKET")));
	assert_false(span_eq_nocase(SPAN_LIT("websocket"), SPAN_LIT("websocke")));
	/* Neighbours of the letters, and letters outside ASCII, do not fold. */
	assert_false(span_eq_nocase(SPAN_LIT("@"), SPAN_LIT("`")));
	assert_false(span_eq_nocase(SPAN_LIT("["), SPAN_LIT("{")));
	assert_false(span_eq_nocase(SPAN_LIT("\xc3\x84"), SPAN_LIT("\xc3\xa4")));
	assert_false(span_eq_nocase(SPAN_LIT("\xc1"), SPAN_LIT("\xe1")));
}

static void trim_takes_space_and_tab(void **state)
{
	(void)state;
	assert_true(span_eq(span_trim(SPAN_LIT(" \t a b\t ")), SPAN_LIT("a b")));
	assert_true(span_eq(span_trim(SPAN_LIT("\r\na\n")), SPAN_LIT("\r\na\n")));
	assert_int_equal(span_trim(SPAN_LIT(" \t ")).len, 0);
	assert_int_equal(span_trim((struct span){0}).len, 0);
}

static void find_gives_the_first_offset(void **state)
{
	(void)state;
	assert_int_equal(span_find(SPAN_LIT("a\r\n\r\n\r\n"), SPAN_LIT("\r\n\r\n")), 1);
	assert_int_equal(span_find(SPAN_LIT("ab\0cd"), SPAN_LIT("\0c")), 2);
	assert_int_equal(span_find(SPAN_LIT("abc"), SPAN_LIT("abcd")), -1);
	assert_int_equal(span_find(SPAN_LIT("abc"), SPAN_LIT("d")), -1);
	assert_int_equal(span_find(SPAN_LIT("abc"), SPAN_LIT("")), 0);
	assert_int_equal(span_find((struct span){0}, SPAN_LIT("a")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality_is_of_octets),   cmocka_unit_test(sub_never_leaves_the_span),
		cmocka_unit_test(folding_is_ascii_only),   cmocka_unit_test(trim_takes_space_and_tab),
		cmocka_unit_test(find_gives_the_first_offset),
	};
	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
