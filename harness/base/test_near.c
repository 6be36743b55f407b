/* Which typing mistakes find their word, and which words are too far apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/err.h"
#include "harness/base/near.h"

static void mistakes_find_their_word(void **state)
{
	(void)state;
	static const char *const words[] = {"timeout", "jobs", "seed",    NULL,          "suite",
					    "skip",    "case", "dry_run", "max_message", "url"};
	static const struct {
		const char *typed, *want;
	} rows[] = {
		{"timeout", "timeout"},
		{"tiemout", "timeout"},
		{"timeot", "timeout"},
		{"timeoutt", "timeout"},
		{"tymeout", "timeout"},
		{"time", "timeout"},
		{"TIMEOUT", "timeout"},
		{"job", "jobs"},
		{"sede", "seed"},
		{"siute", "suite"},
		{"dry-run", "dry_run"},
		{"dryrun", "dry_run"},
		{"maxmessage", "max_message"},
		{"max-mesage", "max_message"},
		{"uri", "url"},
		{"URL", "url"},
		{"max", "max_message"},
		{"verbose", NULL},
		{"", NULL},
		{"x", NULL},
		{"ab", NULL},
		{"frobnicate", NULL},
		{"lru", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = near_word(rows[i].typed, words, ARRAY_LEN(words));
		if (!rows[i].want)
			assert_null(got);
		else
			assert_string_equal(got, rows[i].want);
	}
}

/*
 * Distances known from the literature: kitten/sitting 3 of 7 is too far, ca/abc 3 as optimal string alignment, a swap
 * is one step.
 */
static void the_distance_is_optimal_string_alignment(void **state)
{
	(void)state;
	const char *kitten = "kitten", *nine[] = {"abcdefghi"}, *abc = "abc";
	assert_null(near_word("sitting", &kitten, 1));
	assert_null(near_word("ca", &abc, 1));
	assert_ptr_equal(near_word("badcfehgi", nine, 1), NULL);      /* four swaps, limit three */
	assert_ptr_equal(near_word("badcfeghi", nine, 1), nine[0]);   /* three */
	assert_ptr_equal(near_word("acb", &abc, 1), abc);
}

static void ties_and_limits(void **state)
{
	(void)state;
	static const char *const tie[] = {"bat", "cat"};
	assert_string_equal(near_word("hat", tie, 2), "bat");
	assert_string_equal(near_word("cats", tie, 2), "cat");
	assert_null(near_word("cat", NULL, 0));
	char longest[NEAR_WORD_MAX + 2];
	memset(longest, 'a', sizeof(longest));
	longest[NEAR_WORD_MAX] = 0;
	const char *words[] = {longest};
	assert_ptr_equal(near_word(longest, words, 1), longest);
	longest[NEAR_WORD_MAX] = 'a';
	longest[NEAR_WORD_MAX + 1] = 0;
	assert_null(near_word(longest, words, 1));
	assert_null(near_word("aaaa", words, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_find_their_word),
		cmocka_unit_test(the_distance_is_optimal_string_alignment),
		cmocka_unit_test(ties_and_limits),
	};
	return cmocka_run_group_tests_name("near", tests, NULL, NULL);
}
