/* The naive engine's WebSocket on octets written by hand (most from RFC 6455 5.7): whole, and one octet at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "server-under-test/defects.h"
#include "server-under-test/naive/naive_session.h"

#define MASK "37fa213d" /* of "Hello": 7f9f4d5158 */
#define HELLO "7f9f4d5158"
#define ZERO "00000000" /* a mask that leaves the payload readable here */

/* out: what must come back, where a Close of ours is written without its reason. */
static const struct {
	const char *in;
	const char *out;
	enum session_state state;
	unsigned code; /* in the log; 0 when open */
} rows[] = {
	{ "8185" MASK HELLO, "810548656c6c6f", SESSION_OPEN, 0 },
	{ "8280" ZERO, "8200", SESSION_OPEN, 0 },
	{ "0183" MASK "7f9f4d" "8082" ZERO "6c6f", "810548656c6c6f", SESSION_OPEN, 0 },
	{ "8985" MASK HELLO, "8a0548656c6c6f", SESSION_OPEN, 0 },
	{ "8a80" ZERO "8980" ZERO, "8a00", SESSION_OPEN, 0 },
	{ "0181" ZERO "61" "8981" ZERO "70" "8081" ZERO "62", "8a0170" "81026162", SESSION_OPEN, 0 },
	{ "0180" ZERO "0080" ZERO "8080" ZERO "8181" ZERO "61", "8100" "810161", SESSION_OPEN, 0 },
	{ "0181" ZERO "e2" "0081" ZERO "82" "8081" ZERO "ac", "8103e282ac", SESSION_OPEN, 0 },
	{ "82fe0004" ZERO "01020304", "8803ea", SESSION_ENDED, 1002 },
	{ "82ff0000000000000004", "8803ea", SESSION_ENDED, 1002 },
	{ "82ff8000000000000000", "8803ea", SESSION_ENDED, 1002 },
	{ "82ff4000000000000000", "8803f1", SESSION_ENDED, 1009 },
	{ "82ff0000000000010001", "8803f1", SESSION_ENDED, 1009 },
	{ "8105" "48656c6c6f", "8803ea", SESSION_ENDED, 1002 },
	{ "8900", "8803ea", SESSION_ENDED, 1002 },
	{ "c181" ZERO "61", "8803ea", SESSION_ENDED, 1002 },
	{ "a180" ZERO, "8803ea", SESSION_ENDED, 1002 },
	{ "9980" ZERO, "8803ea", SESSION_ENDED, 1002 },
	{ "8381" ZERO "61", "8803ea", SESSION_ENDED, 1002 },
	{ "8b80" ZERO, "8803ea", SESSION_ENDED, 1002 },
	{ "0980" ZERO, "8803ea", SESSION_ENDED, 1002 },
	{ "89fe007e", "8803ea", SESSION_ENDED, 1002 },
	{ "8081" ZERO "61", "8803ea", SESSION_ENDED, 1002 },
	{ "0181" ZERO "61" "8181" ZERO "62", "8803ea", SESSION_ENDED, 1002 },
	{ "8181" ZERO "ff", "8803ef", SESSION_ENDED, 1007 },
	{ "8182" ZERO "c080", "8803ef", SESSION_ENDED, 1007 },
	{ "8183" ZERO "eda080", "8803ef", SESSION_ENDED, 1007 },
	{ "8184" ZERO "f4908080", "8803ef", SESSION_ENDED, 1007 },
	{ "8182" ZERO "e282", "8803ef", SESSION_ENDED, 1007 },
	{ "8184" ZERO "f48fbfbf", "8104f48fbfbf", SESSION_OPEN, 0 },
	{ "8880" ZERO "8980" ZERO, "8800", SESSION_ENDED, 1005 },
	{ "8882" ZERO "03e8" "8180" ZERO, "880203e8", SESSION_ENDED, 1000 },
	{ "8885" ZERO "0bb8627965", "88020bb8", SESSION_ENDED, 3000 },
	{ "8882" ZERO "03f6", "880203f6", SESSION_ENDED, 1014 },
	{ "8881" ZERO "03", "8803ea", SESSION_ENDED, 1002 },
	{ "8882" ZERO "03e7", "8803ea", SESSION_ENDED, 1002 },
	{ "8882" ZERO "03ec", "8803ea", SESSION_ENDED, 1002 },
	{ "8882" ZERO "03ed", "8803ea", SESSION_ENDED, 1002 },
	{ "8882" ZERO "03f8", "8803ea", SESSION_ENDED, 1002 },
	{ "8882" ZERO "1388", "8803ea", SESSION_ENDED, 1002 },
	{ "8883" ZERO "03e8ff", "8803ef", SESSION_ENDED, 1007 },
};

static size_t from_hex(const char *hex, uint8_t *octets)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1] };

		octets[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return len;
}

/* Turns "88 len code reason" at the end into "88 code", so that rows need not spell the reason. */
static size_t without_reason(uint8_t *out, size_t len)
{
	for (size_t i = 0; i + 4 < len; i++) {
		if (out[i] == 0x88 && out[i + 1] > 2 && i + 2 + out[i + 1] == len) {
			memmove(out + i + 1, out + i + 2, 2);
			return i + 3;
		}
	}
	return len;
}

static void run(size_t row, size_t step)
{
	struct conn_info info = { 0 };
	struct session session;
	uint8_t in[256], expected[256], out[512];
	size_t in_len = from_hex(rows[row].in, in);
	size_t expected_len = from_hex(rows[row].out, expected);
	size_t out_len;

	session_init(&session, &info, 65536);
	for (size_t i = 0; i < in_len; i += step)
		session_input(&session, in + i, in_len - i < step ? in_len - i : step);
	out_len = bytes_len(&session.out);
	assert_true(out_len <= sizeof(out));
	memcpy(out, session.out.p + session.out.start, out_len);
	out_len = without_reason(out, out_len);
	if (out_len != expected_len || memcmp(out, expected, out_len) != 0)
		fail_msg("%s: other octets came back", rows[row].in);
	if (session.state != rows[row].state || session.end.code != rows[row].code)
		fail_msg("%s: state %d, code %u", rows[row].in, session.state, session.end.code);
	session_fini(&session);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run(i, 256);
		run(i, 1);
	}
}

/* RFC 6455 5.2: the shortest length form, at each border. */
static void test_own_lengths(void **state)
{
	static const struct {
		size_t len;
		const char *head;
	} borders[] = {
		{ 0, "8200" },		  { 125, "827d" },	      { 126, "827e007e" },
		{ 65535, "827effff" },	  { 65536, "827f0000000000010000" },
	};
	static uint8_t payload[65536];

	(void)state;
	for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++) {
		struct bytes out = { 0 };
		uint8_t head[16];
		size_t head_len = from_hex(borders[i].head, head);

		frame_write(&out, OPCODE_BINARY, payload, borders[i].len);
		assert_int_equal(bytes_len(&out), head_len + borders[i].len);
		assert_memory_equal(out.p, head, head_len);
		bytes_fini(&out);
	}
}

/* Our Close first: data is ignored, the answer ends it, and no second Close is sent. */
static void test_own_close(void **state)
{
	static const uint8_t answer[] = { 0x81, 0x80, 0, 0, 0, 0, 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9 };
	struct conn_info info = { 0 };
	struct session session;
	size_t out_len;

	(void)state;
	session_init(&session, &info, 65536);
	session_close(&session, 1001, "going away");
	out_len = bytes_len(&session.out);
	assert_int_equal(session.state, SESSION_CLOSING);
	session_input(&session, answer, sizeof(answer));
	assert_int_equal(session.state, SESSION_ENDED);
	assert_int_equal(bytes_len(&session.out), out_len);
	assert_int_equal(session.end.code, 1001);
	assert_true(session.end.clean);
	assert_int_equal(session.end.initiator, INITIATOR_SERVER);
	session_fini(&session);
}

/* A fragmented message may not pass the limit either, and the limit itself is allowed. */
static void test_limit(void **state)
{
	static const uint8_t half[] = { 0x02, 0x82, 0, 0, 0, 0, 1, 2 };
	static const uint8_t rest[] = { 0x80, 0x82, 0, 0, 0, 0, 3, 4 };
	static const uint8_t echoed[] = { 0x82, 4, 1, 2, 3, 4 };

	(void)state;
	for (uint64_t max = 3; max <= 4; max++) {
		struct conn_info info = { 0 };
		struct session session;

		session_init(&session, &info, max);
		session_input(&session, half, sizeof(half));
		session_input(&session, rest, sizeof(rest));
		assert_int_equal(session.end.code, max == 3 ? 1009 : 0);
		if (max == 4)
			assert_memory_equal(session.out.p, echoed, sizeof(echoed));
		session_fini(&session);
	}
}

/* Whatever comes, in whatever pieces, with any bug on: no sanitizer report, and what is kept stays within the limit. */
static void test_garbage(void **state)
{
	uint32_t x = 12345;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct conn_info info = { 0 };
		struct session session;
		uint8_t data[600];

		session_init(&session, &info, 4096);
		for (size_t i = 0; i < sizeof(data); i++) {
			x = x * 1664525 + 1013904223;
			data[i] = (uint8_t)(x >> 24);
			if (i % 40 == 0) /* now and then a plausible head, so that the garbage gets somewhere */
				data[i] = (uint8_t)((x >> 9 & 1 ? 0x80 : 0) | (x >> 10 & 3) | (x >> 12 & 1 ? 8 : 0));
			else if (i % 40 == 1)
				data[i] = (uint8_t)(0x80 | (x >> 13 & 31));
		}
		for (size_t i = 0; i < sizeof(data); i += 37)
			session_input(&session, data + i, sizeof(data) - i < 37 ? sizeof(data) - i : 37);
		assert_true(bytes_len(&session.message) <= 4096);
		session_fini(&session);
	}
}

static void test_garbage_with_defects(void **state)
{
	for (unsigned i = 0; i < DEFECT_COUNT; i++) {
		if (i == DEFECT_length_huge_crashes)
			continue;
		defects_on[i] = true;
		if (i % 8 == 7) {
			test_garbage(state);
			memset(defects_on, 0, sizeof(defects_on));
		}
	}
	memset(defects_on, 0, sizeof(defects_on));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	  cmocka_unit_test(test_own_lengths), cmocka_unit_test(test_own_close),
		cmocka_unit_test(test_limit),	  cmocka_unit_test(test_garbage),     cmocka_unit_test(test_garbage_with_defects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
