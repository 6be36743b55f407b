/* Opcodes and close codes over their whole ranges, against the numbers of RFC 6455 5.2, 7.4 and the IANA registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/ws/close_code.h"
#include "harness/ws/opcode.h"

static void test_opcodes(void **state)
{
	(void)state;
	static const char *const names[16] = {
		"continuation", "text", "binary", "reserved-3", "reserved-4", "reserved-5", "reserved-6", "reserved-7",
		"close", "ping", "pong", "reserved-b", "reserved-c", "reserved-d", "reserved-e", "reserved-f",
	};
	for (unsigned opcode = 0; opcode < 16; opcode++) {
		assert_string_equal(opcode_name((uint8_t)opcode), names[opcode]);
		assert_int_equal(opcode_is_control((uint8_t)opcode), opcode >= 8);
		assert_int_equal(opcode_is_reserved((uint8_t)opcode), (opcode >= 3 && opcode <= 7) || opcode >= 11);
	}
	assert_non_null(opcode_name(255));
}

/* Runs of equal answers over all 65536 codes. */
static void test_close_codes(void **state)
{
	(void)state;
	static const struct {
		unsigned first, last;
		bool sendable, known;
		const char *name; /* of the first */
	} runs[] = {
		{0, 999, false, false, "outside the registry"},
		{1000, 1003, true, true, "normal"},
		{1004, 1006, false, true, "reserved"},
		{1007, 1014, true, true, "invalid payload data"},
		{1015, 1015, false, true, "TLS handshake"},
		{1016, 2999, true, false, "unassigned"},
		{3000, 3999, true, true, "library or application"},
		{4000, 4999, true, true, "private"},
		{5000, 65535, false, false, "outside the registry"},
	};
	unsigned next = 0;
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		assert_int_equal(runs[i].first, next);
		assert_string_equal(close_code_name((uint16_t)next), runs[i].name);
		for (; next <= runs[i].last; next++) {
			assert_int_equal(close_code_sendable((uint16_t)next), runs[i].sendable);
			assert_int_equal(close_code_known((uint16_t)next), runs[i].known);
			assert_non_null(close_code_name((uint16_t)next));
		}
	}
	assert_int_equal(next, 65536);
	assert_string_equal(close_code_name(2999), "unassigned");
	assert_string_equal(close_code_name(1002), "protocol error");
	assert_string_equal(close_code_name(CLOSE_NO_CODE), "no status received");
	assert_string_equal(close_code_name(CLOSE_ABNORMAL), "abnormal closure");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opcodes),
		cmocka_unit_test(test_close_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
