/*
 * Refuses what a row or a list forgot: the rules that rows keep by agreement, and the two ledgers (requirements,
 * Autobahn) that have to add up. Each test names every row at fault, not only the first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "suites/suites.h"

static int faults;

/* Notes a fault and goes on. */
static void complain(const char *who, const char *what, const char *detail)
{
	print_error("%s: %s%s\n", who, what, detail);
	faults++;
}

static int no_faults_yet(void **state)
{
	(void)state;
	faults = 0;
	return 0;
}

typedef void on_case(const struct case_table *table, const struct test_case *tc);

static void each_case(on_case *check)
{
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n; i++)
			check(&case_tables[t], &case_tables[t].cases[i]);
	assert_int_equal(faults, 0);
}

static bool is_watcher(const struct test_case *tc)
{
	return tc->watch != WATCH_NONE;
}

static bool names(const char *list, const char *id)
{
	const char *word;
	size_t len;
	while ((len = suite_next_id(&list, &word)))
		if (len == strlen(id) && !memcmp(word, id, len))
			return true;
	return false;
}

static bool single_spaces(const char *list)
{
	size_t len = strlen(list);
	return len && list[0] != ' ' && list[len - 1] != ' ' && !strstr(list, "  ");
}

/* Ids and words
 * -------------------------------------------------------------------------------------------------------------- */

static size_t word_of_id(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

static void check_id(const struct case_table *table, const struct test_case *tc)
{
	size_t group = word_of_id(tc->id);
	const char *name = tc->id[group] ? tc->id + group + 1 : "";
	if (!group || tc->id[group] != '/' || !word_of_id(name) || name[word_of_id(name)])
		complain(tc->id, "not of the form group/name in small letters, digits and hyphens", "");
	if (strlen(table->group) != group || strncmp(tc->id, table->group, group))
		complain(tc->id, "stands in the table of the group ", table->group);
	if (suite_find_case(tc->id) != tc)
		complain(tc->id, "the id is used twice", "");
}

static void test_ids(void **state)
{
	(void)state;
	each_case(check_id);
	assert_null(suite_find_case("no/such-case"));
	assert_null(suite_find_case(""));
	assert_null(suite_find_requirement("6455-0-a"));
}

static void check_sentence(const struct test_case *tc, const char *what, const char *s)
{
	if (!s)
		return;
	size_t len = strlen(s);
	if (!len || s[0] == ' ' || s[len - 1] == ' ' || strstr(s, "  "))
		complain(tc->id, what, " is empty or has stray blanks");
}

static void check_words(const struct case_table *table, const struct test_case *tc)
{
	(void)table;
	if (!tc->title || !tc->title[0])
		complain(tc->id, "no title", "");
	else if (tc->title[strlen(tc->title) - 1] == '.')
		complain(tc->id, "the title ends with a full stop", "");
	check_sentence(tc, "title", tc->title);
	check_sentence(tc, "explain", tc->explain);
	check_sentence(tc, "fix", tc->fix);
	if (!tc->rfc || strspn(tc->rfc, "0123456789") != 4 || tc->rfc[4] != ' ' || !tc->rfc[5])
		complain(tc->id, "rfc is not a number and a section", "");
	if (tc->level != REQ_INFO && !tc->fix)
		complain(tc->id, "graded, but no fix", "");
	if (!tc->requirements || !single_spaces(tc->requirements))
		complain(tc->id, "requirements are missing or not a list with single spaces", "");
	if (tc->autobahn && !single_spaces(tc->autobahn))
		complain(tc->id, "autobahn is not a list with single spaces", "");
}

static void test_words(void **state)
{
	(void)state;
	each_case(check_words);
}

static void test_tables(void **state)
{
	(void)state;
	for (size_t t = 0; t < case_tables_len; t++) {
		const struct case_table *table = &case_tables[t];
		if (!table->n || !table->suite[0] || !table->about[0])
			complain(table->group, "an empty table, or one without suite or about", "");
		bool next_to_it = t && !strcmp(case_tables[t - 1].group, table->group);
		for (size_t u = 0; u < t; u++)
			if (case_tables[u].cases == table->cases)
				complain(table->group, "a table listed twice", "");
			else if (!next_to_it && !strcmp(case_tables[u].group, table->group))
				complain(table->group, "tables of one group stand together", "");
	}
	assert_int_equal(faults, 0);
}

/* Steps ------------------------------------------------------------------------------------------------------------
 * ---------- */

static bool is_request(enum step_kind k)
{
	return k >= STEP_METHOD && k <= STEP_PLAIN;
}

static bool is_end(enum step_kind k)
{
	return k == STEP_ENDS || k == STEP_RESET;
}

/* Steps that say something about the target. */
static bool judges(enum step_kind k)
{
	return k == STEP_HTTP || (k >= STEP_ECHO && k != STEP_NEW_CONNECTION);
}

static bool is_violation(const struct step *s)
{
	return ((s->kind == STEP_SEND || s->kind == STEP_MESSAGE) && s->frame.bad) ||
	       (s->kind == STEP_RAW && s->number == 1);
}

/* One connection: from `s` to a NEW_CONNECTION or the end, which is returned. */
static const struct step *check_connection(const struct test_case *tc, const struct step *s)
{
	bool sent = false, violated = false, graded = false, judged = false, replied = false;
	for (; s->kind != STEP_END && s->kind != STEP_NEW_CONNECTION; s++) {
		if (is_request(s->kind) && (sent || replied))
			complain(tc->id, "edits the request after it was sent", "");
		if (s->kind == STEP_HTTP && (sent || replied))
			complain(tc->id, "a reply step comes first among what follows the request, and once", "");
		if (s->kind >= STEP_FIELD_HAS && s->kind <= STEP_STRAY && !replied)
			complain(tc->id, "looks at a reply before a reply step", "");
		replied = replied || s->kind == STEP_HTTP;
		sent = sent || s->kind >= STEP_ECHO || (s->kind >= STEP_SEND && s->kind <= STEP_SEND_CLOSE);
		violated = violated || is_violation(s);
		graded = graded || (violated && is_end(s->kind));
		judged = judged || judges(s->kind);
	}
	if (violated && !graded)
		complain(tc->id, "sends a violation and waits for no end", "");
	if (!judged)
		complain(tc->id, "a connection on which nothing is judged", "");
	return s;
}

static void check_steps(const struct case_table *table, const struct test_case *tc)
{
	(void)table;
	if (is_watcher(tc)) {
		if (tc->steps || tc->repeat || tc->canary)
			complain(tc->id, "a watcher with steps", "");
		return;
	}
	if (!tc->steps || tc->steps[0].kind == STEP_END) {
		complain(tc->id, "no steps", "");
		return;
	}
	const struct step *s = check_connection(tc, tc->steps);
	while (s->kind == STEP_NEW_CONNECTION)
		s = check_connection(tc, s + 1);
}

static void test_steps(void **state)
{
	(void)state;
	each_case(check_steps);
}

/* A placeholder needs the thing that it is replaced by. */
static const struct {
	const char *text;
	unsigned needs;            /* any of these */
} placeholders[] = {
	{"{subprotocol}", NEED_SUBPROTOCOL}, {"{SUBPROTOCOL}", NEED_SUBPROTOCOL}, {"{forbidden_origin}",
		NEED_FOREIGN_ORIGIN},
	{"{allowed_origin}", NEED_ALLOWED_ORIGIN}, {"{origin_host}", NEED_ALLOWED_ORIGIN}, {"{absent}",
		NEED_ABSENT_PATH},
	{"{protected}", NEED_PROTECTED_PATH}, {"{redirect}", NEED_REDIRECT_PATH}, {"{text_only}", NEED_TEXT_ONLY_PATH},
		{"{other}", NEED_OTHER_PATH},
};
enum { N_PLACEHOLDERS = sizeof(placeholders) / sizeof(placeholders[0]) };

static void check_step_needs(const struct test_case *tc, const struct step *s)
{
	for (size_t i = 0; i < N_PLACEHOLDERS; i++)
		if (s->text && strstr(s->text, placeholders[i].text) && !(tc->needs & placeholders[i].needs))
			complain(tc->id, "lacks the need for ", placeholders[i].text);
	size_t pattern = s->frame.payload.pattern;
	if ((pattern == SIZE_MAX - 1 || pattern == SIZE_MAX - 2) && !(tc->needs & NEED_MAX_MESSAGE))
		complain(tc->id, "lacks the need for the message limit", "");
	if (s->kind == STEP_ECHO && !(tc->needs & NEED_ECHO))
		complain(tc->id, "waits for an echo without needing one", "");
	if (s->kind == STEP_PLAIN && !(tc->needs & NEED_TLS))
		complain(tc->id, "goes plain to a port that need not be TLS", "");
}

static void check_needs(const struct case_table *table, const struct test_case *tc)
{
	(void)table;
	if (tc->needs >= 1u << NEED_COUNT)
		complain(tc->id, "a need that does not exist", "");
	for (const struct step *s = tc->steps; s && s->kind != STEP_END; s++)
		check_step_needs(tc, s);
}

static void test_needs(void **state)
{
	(void)state;
	each_case(check_needs);
}

static void check_repeat(const struct case_table *table, const struct test_case *tc)
{
	(void)table;
	bool used = false;
	for (const struct step *s = tc->steps; s && s->kind != STEP_END; s++)
		used = used || s->frame.rsv_iter || s->frame.opcode_iter || s->frame.cut == AT_ITER ||
		       s->frame.split == AT_ITER ||
		       s->frame.payload.pattern == SIZE_MAX ||
		       ((s->kind == STEP_CHOP || s->kind == STEP_CUT) && s->number == AT_ITER);
	if (used && !tc->repeat)
		complain(tc->id, "uses the number of the repeat, but is not repeated", "");
}

static void test_repeats(void **state)
{
	(void)state;
	each_case(check_repeat);
}

static unsigned watch_used[WATCH_COUNT];

static void count_watch(const struct case_table *table, const struct test_case *tc)
{
	(void)table;
	watch_used[tc->watch]++;
}

static void test_watches(void **state)
{
	static const char *const watch_names[] = {
#define WATCH(NAME, about) #NAME,
#include "harness/run/watch.def"
#undef WATCH
	};
	(void)state;
	memset(watch_used, 0, sizeof(watch_used));
	each_case(count_watch);
	for (int w = WATCH_NONE + 1; w < WATCH_COUNT; w++)
		if (watch_used[w] != 1)
			complain(watch_names[w], "a watch has exactly one case, this one none or several", "");
	assert_int_equal(faults, 0);
}

/* Ledgers ----------------------------------------------------------------------------------------------------------
 * ---------- */

static void check_ids_exist(const struct case_table *table, const struct test_case *tc)
{
	(void)table;
	const char *list = tc->requirements, *word = NULL;
	char id[64];
	size_t len;
	while ((len = suite_next_id(&list, &word))) {
		snprintf(id, sizeof(id), "%.*s", (int)len, word);
		if (!suite_find_requirement(id))
			complain(tc->id, "names a requirement that does not exist: ", id);
	}
	list = tc->autobahn;
	while ((len = suite_next_id(&list, &word))) {
		size_t i = 0;
		snprintf(id, sizeof(id), "%.*s", (int)len, word);
		while (i < autobahn_cases_len && strcmp(autobahn_cases[i].id, id))
			i++;
		if (i == autobahn_cases_len)
			complain(tc->id, "names an Autobahn case that does not exist: ", id);
	}
}

static void test_ids_exist(void **state)
{
	(void)state;
	each_case(check_ids_exist);
}

static bool covered(const char *id, bool autobahn)
{
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n; i++) {
			const struct test_case *tc = &case_tables[t].cases[i];
			if (names(autobahn ? tc->autobahn : tc->requirements, id))
				return true;
		}
	return false;
}

/* Rows of the lists that requirements.def and autobahn.def were made from. */
enum { RFC6455_ROWS = 260, AUTOBAHN_CORE = 247 };

static void test_requirements(void **state)
{
	(void)state;
	assert_int_equal(requirements_len, RFC6455_ROWS);
	for (size_t i = 0; i < requirements_len; i++) {
		const struct requirement *r = &requirements[i];
		bool has_case = covered(r->id, false);
		if (suite_find_requirement(r->id) != r)
			complain(r->id, "listed twice", "");
		if (!r->hole && !has_case)
			complain(r->id, "no case and no explained hole: ", r->text);
		if (r->hole && has_case)
			complain(r->id, "has a case, so it is no hole: ", r->hole);
	}
	assert_int_equal(faults, 0);
}

static void test_autobahn(void **state)
{
	(void)state;
	assert_int_equal(autobahn_cases_len, AUTOBAHN_CORE);
	for (size_t i = 0; i < autobahn_cases_len; i++)
		if (!covered(autobahn_cases[i].id, true))
			complain(autobahn_cases[i].id, "no case covers the Autobahn case: ", autobahn_cases[i].what);
	assert_int_equal(faults, 0);
}

static void test_next_id(void **state)
{
	(void)state;
	const char *list = "a bc d", *word = NULL;
	assert_int_equal(suite_next_id(&list, &word), 1);
	assert_memory_equal(word, "a", 1);
	assert_int_equal(suite_next_id(&list, &word), 2);
	assert_memory_equal(word, "bc", 2);
	assert_int_equal(suite_next_id(&list, &word), 1);
	assert_int_equal(suite_next_id(&list, &word), 0);
	assert_int_equal(suite_next_id(&list, &word), 0);
	list = NULL;
	assert_int_equal(suite_next_id(&list, &word), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_id),
		cmocka_unit_test_setup(test_tables, no_faults_yet),
		cmocka_unit_test_setup(test_ids, no_faults_yet),
		cmocka_unit_test_setup(test_words, no_faults_yet),
		cmocka_unit_test_setup(test_steps, no_faults_yet),
		cmocka_unit_test_setup(test_needs, no_faults_yet),
		cmocka_unit_test_setup(test_repeats, no_faults_yet),
		cmocka_unit_test_setup(test_watches, no_faults_yet),
		cmocka_unit_test_setup(test_ids_exist, no_faults_yet),
		cmocka_unit_test_setup(test_requirements, no_faults_yet),
		cmocka_unit_test_setup(test_autobahn, no_faults_yet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
