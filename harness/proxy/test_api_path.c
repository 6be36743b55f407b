/* Paths and queries: what is cut and decoded, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/proxy/api_path.h"

static int read_path(const char *target, struct arena *a, struct api_path *path)
{
	struct err e;
	return api_path_read(target, a, path, &e);
}

static void paths_are_cut_before_they_are_decoded(void **state)
{
	(void)state;
	static const struct {
		const char *target, *query;
		size_t n;
		const char *segments[4];
	} rows[] = {
		{"/", "", 0, {0}},
		{"/?x=1", "x=1", 0, {0}},
		{"/proxies", "", 1, {"proxies"}},
		{"/proxies/a/toxics/t", "", 4, {"proxies", "a", "toxics", "t"}},
		{"/proxies/a%20b", "", 2, {"proxies", "a b"}},
		{"/proxies/a%2Fb/toxics", "", 3, {"proxies", "a/b", "toxics"}},
		{"/proxies/a%3Fb?how=rst&x=%2F", "how=rst&x=%2F", 2, {"proxies", "a?b"}},
		{"/%c3%a9/x?", "", 2, {"\xc3\xa9", "x"}},
		{"/a+b", "", 1, {"a+b"}},
		{"/a?b/c", "b/c", 1, {"a"}},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a;
		struct api_path path;
		arena_init(&a, 1 << 16);
		assert_int_equal(read_path(rows[i].target, &a, &path), 0);
		assert_int_equal(path.n, rows[i].n);
		for (size_t k = 0; k < path.n; k++)
			assert_string_equal(path.segments[k], rows[i].segments[k]);
		assert_string_equal(path.query, rows[i].query);
		arena_fini(&a);
	}
}

static void wrong_paths_are_refused(void **state)
{
	(void)state;
	static const char *const targets[] = {
		"", "proxies", "*", "//", "/proxies/", "/proxies//toxics", "/%", "/%4", "/%4g", "/a%", "/a%2", "/%00", "/%0a",
		"/%1b[31m", "/%ff", "/%c3", "/%ed%a0%80", "/\xff", "/%e2%80%ae", "http://127.0.0.1/proxies",
		"/1/2/3/4/5/6/7/8/9",
	};
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct arena a;
		struct api_path path = {.n = 99};
		arena_init(&a, 1 << 16);
		assert_int_equal(read_path(targets[i], &a, &path), -EINVAL);
		assert_int_equal(path.n, 99);
		arena_fini(&a);
	}
	char longest[API_TARGET_MAX + 2];
	struct arena a;
	struct api_path path;
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[API_TARGET_MAX + 1] = 0;
	arena_init(&a, 1 << 16);
	assert_int_equal(read_path(longest, &a, &path), -EINVAL);
	longest[API_TARGET_MAX] = 0;
	assert_int_equal(read_path(longest, &a, &path), 0);
	arena_fini(&a);
}

static void a_key_of_the_query_is_found_whole(void **state)
{
	(void)state;
	static const struct {
		const char *query, *key, *value; /* value NULL: not there */
		int r;
	} rows[] = {
		{"", "how", NULL, 0},
		{"how=rst", "how", "rst", 0},
		{"x=1&how=fin&how=rst", "how", "fin", 0},
		{"show=rst", "how", NULL, 0},
		{"how", "how", NULL, 0},
		{"how=", "how", "", 0},
		{"howe=1", "how", NULL, 0},
		{"how=%72st", "how", "rst", 0},
		{"how=%7", "how", NULL, -EINVAL},
		{"how=%00", "how", NULL, -EINVAL},
		{"&&how=a", "how", "a", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a;
		struct err e;
		const char *value = "untouched";
		arena_init(&a, 1 << 16);
		assert_int_equal(api_query_get(rows[i].query, rows[i].key, &a, &value, &e), rows[i].r);
		if (rows[i].value)
			assert_string_equal(value, rows[i].value);
		else
			assert_null(value);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_cut_before_they_are_decoded),
		cmocka_unit_test(wrong_paths_are_refused),
		cmocka_unit_test(a_key_of_the_query_is_found_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
