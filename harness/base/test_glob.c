/* Patterns: each element, sets, octets above 127, and time that does not explode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/err.h"
#include "harness/base/glob.h"

static void patterns_match_whole_texts(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *text;
		bool want;
	} rows[] = {
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"abc", "abc", true},
		{"abc", "abcd", false},
		{"abcd", "abc", false},
		{"ABC", "abc", false},
		{"*", "", true},
		{"*", "utf8/a", true},
		{"**", "x", true},
		{"utf8/*", "utf8/bad", true},
		{"utf8/*", "utf8/", true},
		{"utf8/*", "utf8", false},
		{"utf8/*", "ping/utf8/", false},
		{"*/payload-126", "ping/payload-126", true},
		{"*ab*", "xxaxab", true},
		{"*ab", "abab", true},
		{"*ab", "aba", false},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "a1c2b", false},
		{"a*bc", "abcbc", true},
		{"?", "", false},
		{"?", "a", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"?*", "a", true},
		{"*?", "", false},
		{"[abc]", "b", true},
		{"[abc]", "d", false},
		{"[a-c]x", "bx", true},
		{"[a-c]", "d", false},
		{"[!a-c]", "d", true},
		{"[^a-c]", "b", false},
		{"[!a]", "", false},
		{"[]]", "]", true},
		{"[]a]", "a", true},
		{"[!]]", "]", false},
		{"[!]]", "a", true},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[a-]", "b", false},
		{"[", "[", true},
		{"[a", "[a", true},
		{"[]", "[]", true},
		{"[a", "a", false},
		{"[c-a]", "b", false},
		{"*[0-9]", "case-7", true},
		{"*[0-9]", "case-x", false},
		{"[0-9][0-9]", "42", true},
		{"\\*", "*", true},
		{"\\*", "a", false},
		{"\\[a]", "[a]", true},
		{"a\\", "a\\", true},
		{"a\\?", "ab", false},
		{"[\\x]", "\\", true},
		{"?", "\xff", true},
		{"[\x80-\xff]", "\xc3", true},
		{"??", "\xc3\xa4", true},
		{"*.yaml", "a.yaml.yaml", true},
		{"*[*]", "a*", true},
		{"a*[!/]", "ab/", false},
		{"[a-c-e]", "-", true},
		{"[a-c-e]", "d", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (glob_match(rows[i].pattern, rows[i].text) != rows[i].want)
			fail_msg("\"%s\" against \"%s\"", rows[i].pattern, rows[i].text);
}

/*
 * Each star doubles the time of a matcher that tries every way: this one would take longer than the age of the
 * universe.
 */
static void stars_do_not_explode(void **state)
{
	(void)state;
	char pattern[401], text[20001];
	for (size_t i = 0; i < 400; i += 2)
		memcpy(pattern + i, "a*", 2);
	memcpy(pattern + 398, "*b", 3);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_false(glob_match(pattern, text));
	text[sizeof(text) - 2] = 'b';
	assert_true(glob_match(pattern, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_whole_texts),
		cmocka_unit_test(stars_do_not_explode),
	};
	return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
