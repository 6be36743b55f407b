/* JSON strings of hostile octets, one-line values, whole files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/json.h"

#define BAD "\xef\xbf\xbd"

static void octets_become_text(void **state)
{
	(void)state;
	static const struct {
		struct span in;
		const char *want; /* as JSON */
	} rows[] = {
		{{NULL, 0}, "\"\""},
		{{(const uint8_t *)"plain", 5}, "\"plain\""},
		{{(const uint8_t *)"\xc3\xa4\xf0\x9f\x98\x80", 6}, "\"\xc3\xa4\xf0\x9f\x98\x80\""},
		{{(const uint8_t *)"a\0b\x1b\"\\", 6}, "\"a\\u0000b\\u001B\\\"\\\\\""},
		{{(const uint8_t *)"\xff", 1}, "\"" BAD "\""},
		{{(const uint8_t *)"a\xe2\x82", 3}, "\"a" BAD BAD "\""},
		{{(const uint8_t *)"\xe2\x82z", 3}, "\"" BAD BAD "z\""},
		{{(const uint8_t *)"\xed\xa0\x80", 3}, "\"" BAD BAD BAD "\""},
		{{(const uint8_t *)"\0\xff\0", 3}, "\"\\u0000" BAD "\\u0000\""},
		{{(const uint8_t *)"\xc3\xa4\xc3", 3}, "\"\xc3\xa4" BAD "\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_fini) = {0};
		buf_init(&b, 1000);
		json_t *text = json_text(rows[i].in);
		assert_int_equal(json_append(&b, text), 0);
		assert_string_equal(buf_cstr(&b), rows[i].want);
		json_t *back = json_loadb((const char *)b.p, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_true(json_equal(back, text));
		json_decref(back);
		json_decref(text);
	}
}

static void values_are_one_line_in_order(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 40);
	json_t *value = json_pack("{s:i, s:[i,b], s:n}", "z", 1, "a", 2, 1, "m");
	assert_int_equal(json_append(&b, value), 0);
	assert_string_equal(buf_cstr(&b), "{\"z\":1,\"a\":[2,true],\"m\":null}");
	assert_int_equal(json_append(&b, value), -ENOBUFS);
	assert_int_equal(json_append(&b, NULL), -EINVAL);
	json_decref(value);
}

static void files_are_indented_and_end(void **state)
{
	(void)state;
	char path[256];
	struct err e;
	struct buf b CLEANUP(buf_fini) = {0};
	const char *base = getenv("TMPDIR");
	snprintf(path, sizeof(path), "%s/test-json-XXXXXX", base ? base : "/tmp");
	int fd CLEANUP(cleanup_fd) = mkstemp(path);
	assert_true(fd >= 0);
	json_t *value = json_pack("{s:s, s:[]}", "schema", "wsquall.result/1", "results");
	assert_int_equal(json_write_file(value, path, &e), 0);
	assert_int_equal(file_read(path, 1000, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), "{\n  \"schema\": \"wsquall.result/1\",\n  \"results\": []\n}\n");
	assert_int_equal(json_write_file(NULL, path, &e), -EINVAL);
	assert_int_equal(json_write_file(value, "/nonexistent/x.json", &e), -ENOENT);
	assert_string_equal(e.text, "/nonexistent/x.json: cannot be written: No such file or directory");
	json_decref(value);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_become_text),
		cmocka_unit_test(values_are_one_line_in_order),
		cmocka_unit_test(files_are_indented_and_end),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
