/* Positions and paths of polls, and pointers into answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "harness/readiness/poll.h"

static const char answer[] = "{\"epoch\":\"E\",\"seq\":44,\"on\":true,"
			     "\"list\":[{\"a/b\":\"slash\"},{\"m~n\":\"tilde\"}],\"o\":{\"\":7}}";

static void test_at(void **state)
{
	static const struct {
		const char *pointer, *found;
	} rows[] = {
		{"/epoch", "\"E\""}, {"/seq", "44"}, {"/list/0/a~1b", "\"slash\""}, {"/list/1/m~0n", "\"tilde\""}, {"/o/", "7"},
		{"/none", NULL}, {"/epoch/0", NULL}, {"/list/9", NULL}, {"/seq/x", NULL},
	};
	json_t *v = json_loads(answer, 0, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const json_t *found = poll_at(v, rows[i].pointer);
		char *text = json_dumps(found, JSON_ENCODE_ANY);
		if (rows[i].found)
			assert_string_equal(text, rows[i].found);
		else
			assert_null(found);
		free(text);
	}
	assert_ptr_equal(poll_at(v, ""), v);
	assert_null(poll_at(NULL, "/x"));
	json_decref(v);
	(void)state;
}

static void test_position(void **state)
{
	static const struct {
		const char *since, *position;
	} rows[] = {
		{"{/epoch}:{/seq}", "E:44"}, {"{/seq}", "44"}, {"from-{/seq}", "from-44"}, {"{/none}", ""}, {"{/on}", ""},
		{"{/list}", ""}, {"", ""}, {"{/seq", "{/seq"}, {"}{/seq}{", "}44{"},
	};
	struct arena a;
	json_t *v = json_loads(answer, 0, NULL);
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(poll_position(rows[i].since, v, &a), rows[i].position);
	arena_fini(&a);
	json_decref(v);
	(void)state;
}

static void test_path(void **state)
{
	static const struct {
		const char *path, *since, *filled;
	} rows[] = {
		{"/poll/{channel}?wait=0", NULL, "/poll/c?wait=0"},
		{"/poll/{channel}?since={since}", "E:4", "/poll/c?since=E:4"},
		{"/{since}/{channel}/{channel}", "s", "/s/c/c"},
		{"/{chan}{channel", NULL, "/{chan}{channel"},
	};
	struct arena a;
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(poll_path(rows[i].path, "c", rows[i].since, &a), rows[i].filled);
	arena_fini(&a);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at),
		cmocka_unit_test(test_position),
		cmocka_unit_test(test_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
