/* The vectors of RFC 4648 10, both ways; and what is not base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/base/base64.h"
#include "harness/base/err.h"

static void vectors(void **state)
{
	static const char *const rows[][2] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"}, {"\xfb\xef\xbe", "++++"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_fini);
		buf_init(&b, 64);
		assert_int_equal(base64_encode(&b, span_str(rows[i][0])), 0);
		assert_string_equal(buf_cstr(&b), rows[i][1]);
		b.len = 0;
		assert_int_equal(base64_decode(&b, span_str(rows[i][1])), 0);
		assert_string_equal(buf_cstr(&b), rows[i][0]);
	}
}

static void refused(void **state)
{
	static const char *const rows[] = {"Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "Zm 9", "Zm9v\n", "=m9v", "Zm-v"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_fini);
		buf_init(&b, 64);
		assert_int_equal(base64_decode(&b, span_str(rows[i])), -EINVAL);
	}
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, 2);
	assert_int_equal(base64_decode(&b, span_str("Zm9v")), -ENOBUFS);
	assert_int_equal(base64_encode(&b, span_str("f")), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
