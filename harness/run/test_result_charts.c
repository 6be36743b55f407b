/* Charts in a file that anybody may have written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/run/result_charts.h"

#define CHART(values, bars) "[{\"title\":\"t\",\"values\":" values ",\"bars\":" bars "}]"

static const struct {
	const char *text, *key, *what; /* key NULL: it is taken, and written back as it was */
} rows[] = {
	{"[]", NULL, NULL},
	{CHART("[\"n\"]", "[]"), NULL, NULL},
	{CHART("[\"n\"]", "[[\"a\",1],[\"\",0]]"), NULL, NULL},
	{CHART("[\"n\",\"m\"]", "[[\"a\",1,9007199254740993]]"), NULL, NULL},
	{"{}", "charts", "is not a list"},
	{"[0,0,0,0,0,0,0,0,0]", "charts", "or a very long one"},
	{"[7]", "title", "is missing"},
	{"[{\"title\":7}]", "title", "or no string"},
	{CHART("7", "[]"), "values", "one or two"},
	{CHART("[]", "[]"), "values", "one or two"},
	{CHART("[\"n\",\"m\",\"o\"]", "[]"), "values", "one or two"},
	{CHART("[\"n\",7]", "[]"), "values", "or no string"},
	{CHART("[\"n\"]", "7"), "bars", "is not a list"},
	{CHART("[\"n\"]", "[7]"), "bars", "no bar"},
	{CHART("[\"n\"]", "[[7,1]]"), "bars", "or no string"},
	{CHART("[\"n\"]", "[[\"a\"]]"), "bars", "no bar"},
	{CHART("[\"n\"]", "[[\"a\",1,2]]"), "bars", "no bar"},
	{CHART("[\"n\",\"m\"]", "[[\"a\",1]]"), "bars", "no bar"},
	{CHART("[\"n\",\"m\"]", "[[\"a\",1,\"2\"]]"), "bars", "no bar"},
	{CHART("[\"n\"]", "[[\"a\",-1]]"), "bars", "no bar"},
	{CHART("[\"n\"]", "[[\"a\",1.5]]"), "bars", "no bar"},
};

static void taken_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct result_item item = {0};
		const char *key = "", *what = "";
		struct arena a;
		arena_init(&a, 1 << 16);
		json_t *json = json_loads(rows[i].text, 0, NULL);
		assert_non_null(json);
		int r = result_charts_load(json, &a, &item, &key, &what);
		if (r != (rows[i].key ? -EINVAL : 0))
			fail_msg("%s: %d, %s", rows[i].text, r, what);
		if (rows[i].key && (strcmp(key, rows[i].key) != 0 || !strstr(what, rows[i].what)))
			fail_msg("%s: %s %s", rows[i].text, key, what);
		json_t *back = result_charts_to_json(&item);
		assert_true(r < 0 ? json_array_size(back) == 0 : json_equal(json, back));
		json_decref(back);
		json_decref(json);
		arena_fini(&a);
	}
}

static void too_many_and_no_memory(void **state)
{
	struct result_item item = {0};
	const char *key, *what;
	struct arena a;
	(void)state;
	json_t *json = json_loads(CHART("[\"n\"]", "[]"), 0, NULL);
	json_t *bars = json_object_get(json_array_get(json, 0), "bars");
	for (int i = 0; i <= RESULT_BARS_MAX; i++)
		json_array_append_new(bars, json_pack("[s, i]", "a", i));
	arena_init(&a, 1 << 16);
	assert_int_equal(result_charts_load(json, &a, &item, &key, &what), -EINVAL);
	assert_string_equal(key, "bars");
	arena_fini(&a);
	json_array_remove(bars, 0);
	for (size_t max = 0; max < 1024; max += 64) {
		arena_init(&a, max);
		assert_int_equal(result_charts_load(json, &a, &item, &key, &what), -ENOMEM);
		assert_int_equal(item.n_charts, 0);
		arena_fini(&a);
	}
	json_decref(json);
	assert_int_equal(result_charts_load(NULL, NULL, &item, &key, &what), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_or_refused),
		cmocka_unit_test(too_many_and_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
