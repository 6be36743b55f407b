/* Tokens that nobody should take, and one that a server should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "harness/readiness/forge.h"

/* The example of jwt.io, whose key is "your-256-bit-secret". */
#define HEAD "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define BODY "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ"
#define SIGNATURE "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"

static void test_token(void **state)
{
	struct arena a;
	arena_init(&a, 1 << 16);
	const char *token = forge_token("your-256-bit-secret",
					"{\"sub\":\"1234567890\",\"name\":\"John Doe\",\"iat\":1516239022}", &a);
	assert_string_equal(token, HEAD "." BODY "." SIGNATURE);
	arena_fini(&a);
	(void)state;
}

static void test_signature(void **state)
{
	static const struct {
		const char *credential, *forged;
	} rows[] = {
		{HEAD "." BODY "." SIGNATURE, HEAD "." BODY ".TflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"},
		{"Bearer " HEAD "." BODY ".Ax", "Bearer " HEAD "." BODY ".Bx"},
		{NULL, NULL}, {"", NULL}, {"Bearer secret", NULL}, {"a.b.c", NULL}, {HEAD "." BODY, NULL}, {HEAD "." BODY ".", NULL},
		{HEAD "." BODY "." SIGNATURE ".more", NULL}, {HEAD "." BODY "." SIGNATURE "=", NULL}, {"user:pass word", NULL},
	};
	struct arena a;
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *forged = forge_signature(rows[i].credential, &a);
		if (rows[i].forged)
			assert_string_equal(forged, rows[i].forged);
		else
			assert_null(forged);
	}
	arena_fini(&a);
	(void)state;
}

static void test_unsigned(void **state)
{
	struct arena a;
	arena_init(&a, 1 << 16);
	assert_string_equal(forge_unsigned("Bearer " HEAD "." BODY "." SIGNATURE, &a),
			    "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." BODY ".");
	assert_string_equal(forge_unsigned(HEAD "." BODY "." SIGNATURE, &a), "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." BODY ".");
	assert_null(forge_unsigned("Basic dXNlcjpwYXNz", &a));
	assert_null(forge_unsigned(NULL, &a));
	arena_fini(&a);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_unsigned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
