/* wsquall.v1 as dialogs: what a client says and hears, on the hub and the store in memory. */
#include "server-under-test/client/test_client.h"

#include <stdio.h>
#include <stdlib.h>

static int setup(void **state)
{
	(void)state;
	bench_open(false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bench_close();
	return 0;
}

static void open_quiet(unsigned n, const char *query)
{
	wire_open(n, query, "", NULL);
	wire_expect(n, WELCOME("false", "*"));
	wire_expect(n, NULL);
}

static void test_messages(void **state)
{
	static const char *const lines[] = {
		"1>{\"type\":\"ping\",\"id\":6}",
		"1<{\"type\":\"pong\",\"id\":6,\"ts\":1*}",
		"1>{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}",
		"1<" SUBSCRIBED("1", "c", "0", ""),
		"1> { \"type\" : \"publish\" , \"id\" : 3 , \"channel\" : \"c\" , \"data\" : { \"a b\" : [ 1 , \"\\\" x\" ] } }\n",
		"1<" MESSAGE("c", "1", "{\"a b\":[1,\"\\\" x\"]}"),
		"1<" PUBLISHED("3", "c", "1"),
		"2>{\"type\":\"publish\",\"id\":\"k\",\"channel\":\"c\",\"data\":null,\"key\":\"K\"}",
		"1<" MESSAGE("c", "2", "null"),
		"2<" PUBLISHED("\"k\"", "c", "2"),
		"2>{\"type\":\"publish\",\"id\":\"k2\",\"channel\":\"c\",\"data\":7,\"key\":\"K\"}",
		"2<" PUBLISHED("\"k2\"", "c", "2"),
		"2>{\"type\":\"publish\",\"channel\":\"c\",\"data\":123456789012345678901234567890.10,\"key\":null}",
		"1<" MESSAGE("c", "3", "123456789012345678901234567890.10"),
		"2<" PUBLISHED("null", "c", "3"),
		"2>{\"type\":\"history\",\"id\":4,\"channel\":\"c\",\"from\":2,\"to\":9}",
		"2<{\"type\":\"history\",\"id\":4,\"channel\":\"c\",\"epoch\":\"*\",\"messages\":[{\"seq\":2,\"data\":null},"
		"{\"seq\":3,\"data\":123456789012345678901234567890.10}],\"complete\":true}",
		"2>{\"type\":\"history\",\"id\":5,\"channel\":\"c\",\"from\":4,\"to\":4}",
		"2<{\"type\":\"history\",\"id\":5,\"channel\":\"c\",\"epoch\":\"*\",\"messages\":[],\"complete\":true}",
		"1>{\"type\":\"subscribe\",\"id\":2,\"channel\":\"c\"}",
		"1<" SUBSCRIBED("2", "c", "3", ""),
		"1>{\"type\":\"subscribe\",\"id\":2,\"channel\":\"c\",\"since\":null}",
		"1<" SUBSCRIBED("2", "c", "3", ""),
		"1>{\"type\":\"unsubscribe\",\"id\":2,\"channel\":\"c\"}",
		"1<{\"type\":\"unsubscribed\",\"id\":2,\"channel\":\"c\"}",
		"1>{\"type\":\"unsubscribe\",\"id\":2,\"channel\":\"c\"}",
		"1<" ERROR("2", "not_found"),
		"2>{\"type\":\"publish\",\"id\":1,\"channel\":\"c\",\"data\":0}",
		"2<" PUBLISHED("1", "c", "4"),
		"1>{\"type\":\"ack\",\"channel\":\"c\",\"seq\":1}",
		"1>{\"type\":\"ping\"}",
		"1<{\"type\":\"pong\",\"id\":null,\"ts\":1*}",
		NULL,
	};

	(void)state;
	open_quiet(1, "");
	open_quiet(2, "");
	bench_dialog(lines);
	assert_int_equal(metrics->messages_in[MESSAGE_TYPE_publish], 5);
	assert_int_equal(metrics->messages_in[MESSAGE_TYPE_ack], 1);
	assert_int_equal(metrics->messages_in[MESSAGE_TYPE_ping], 2);
	assert_int_equal(metrics->messages_out[MESSAGE_TYPE_message], 3);
	assert_int_equal(metrics->messages_out[MESSAGE_TYPE_welcome], 2);
	assert_int_equal(metrics->messages_out[MESSAGE_TYPE_history], 2);
}

#define ID64 "1234567890123456789012345678901234567890123456789012345678901234"

/* Ids come back as they were sent, to the byte. */
static void test_ids(void **state)
{
	static const char *const ids[] = {
		"1", "-0", "1.0", "1e3", "12345678901234567890", "0.1E-7", "\"\"", "\"a\\u0041\\n\\u0000\"", "null",
		"\"" ID64 "\"", ID64, "\"\xc3\xa4\\ud83d\\ude00\"",
		"\"\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\"",
	};
	static const char *const bad[] = {
		"true", "[]", "{}", "[1]", ID64 "5", "\"" ID64 "5\"", "\"" ID64 "\\u0061\"",
	};
	char line[512];

	(void)state;
	open_quiet(1, "");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		snprintf(line, sizeof(line), "{\"type\":\"unsubscribe\",\"id\":%s,\"channel\":\"c\"}", ids[i]);
		wire_say(1, line);
		snprintf(line, sizeof(line), "{\"type\":\"error\",\"id\":%s,\"code\":\"not_found\",*", ids[i]);
		wire_expect(1, line);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "{\"type\":\"ping\",\"id\":%s}", bad[i]);
		wire_say(1, line);
		wire_expect(1, ERROR("null", "bad_request"));
	}
	wire_expect(1, NULL);
}

#define C128 "0123456789ABCDEFabcdef._-/0123456789ABCDEFabcdef._-/0123456789ABCDEFabcdef._-/0123456789ABCDEF" \
	"abcdef._-/0123456789ABCDEFabcdef._"
#define K128 C128

/* One message, one error. */
static void test_errors(void **state)
{
	static const struct {
		const char *in, *code;
	} rows[] = {
		{ "", "bad_request" },
		{ "[]", "bad_request" },
		{ "17", "bad_request" },
		{ "null", "bad_request" },
		{ "{", "bad_request" },
		{ "{}", "bad_request" },
		{ "{}{}", "bad_request" },
		{ "{\"type\":\"ping\",}", "bad_request" },
		{ "{\"type\":\"ping\"} x", "bad_request" },
		{ "{\"type\":\"ping\",\"type\":\"ping\"}", "bad_request" },
		{ "{\"type\":\"ping\",\"t\\u0079pe\":\"ping\"}", "bad_request" },
		{ "{\"type\":1}", "bad_request" },
		{ "{\"type\":null}", "bad_request" },
		{ "{\"type\":[\"ping\"]}", "bad_request" },
		{ "{\"type\":\"ping\",\"x\":\"\\ud800\"}", "bad_request" },
		{ "{\"type\":\"ping\",\"x\":\"\\ude00\\ud83d\"}", "bad_request" },
		{ "{\"type\":\"ping\",\"x\":01}", "bad_request" },
		{ "{\"type\":\"ping\",\"x\":\"\t\"}", "bad_request" },
		{ "{\"type\":\"\"}", "unknown_type" },
		{ "{\"type\":\"Ping\"}", "unknown_type" },
		{ "{\"type\":\"ping\\u0000\"}", "unknown_type" },
		{ "{\"type\":\"welcome\"}", "unknown_type" },
		{ "{\"type\":\"a type that is much longer than any type\"}", "unknown_type" },
		{ "{\"type\":\"subscribe\"}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":1}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":null}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"\"}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"a b\"}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\\u0000\"}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"\xc3\xa4\"}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"" C128 "x\"}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":1}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":[]}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{}}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{\"epoch\":\"e\"}}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{\"seq\":1}}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{\"epoch\":1,\"seq\":1}}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{\"epoch\":\"e\",\"seq\":-1}}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{\"epoch\":\"e\",\"seq\":1.5}}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{\"epoch\":\"e\",\"seq\":\"1\"}}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{\"epoch\":\"e\",\"seq\":1,\"seq\":2}}", "bad_request" },
		{ "{\"type\":\"subscribe\",\"channel\":\"c\",\"since\":{\"epoch\":\"e\",\"seq\":9223372036854775808}}",
		  "bad_request" },
		{ "{\"type\":\"unsubscribe\"}", "bad_request" },
		{ "{\"type\":\"unsubscribe\",\"channel\":{}}", "bad_request" },
		{ "{\"type\":\"publish\",\"channel\":\"c\"}", "bad_request" },
		{ "{\"type\":\"publish\",\"data\":1}", "bad_request" },
		{ "{\"type\":\"publish\",\"channel\":\"*\",\"data\":1}", "bad_request" },
		{ "{\"type\":\"publish\",\"channel\":\"c\",\"data\":1,\"key\":1}", "bad_request" },
		{ "{\"type\":\"publish\",\"channel\":\"c\",\"data\":1,\"key\":\"\"}", "bad_request" },
		{ "{\"type\":\"publish\",\"channel\":\"c\",\"data\":1,\"key\":\"" K128 K128 "x\"}", "bad_request" },
		{ "{\"type\":\"history\",\"channel\":\"c\"}", "bad_request" },
		{ "{\"type\":\"history\",\"channel\":\"c\",\"from\":0,\"to\":1}", "bad_request" },
		{ "{\"type\":\"history\",\"channel\":\"c\",\"from\":2,\"to\":1}", "bad_request" },
		{ "{\"type\":\"history\",\"channel\":\"c\",\"from\":1,\"to\":\"2\"}", "bad_request" },
		{ "{\"type\":\"history\",\"channel\":\"c\",\"from\":1.0,\"to\":2}", "bad_request" },
		{ "{\"type\":\"history\",\"channel\":\"\",\"from\":1,\"to\":2}", "bad_request" },
		{ "{\"type\":\"ack\"}", "bad_request" },
		{ "{\"type\":\"ack\",\"channel\":\"c\"}", "bad_request" },
		{ "{\"type\":\"ack\",\"channel\":\"c\",\"seq\":-1}", "bad_request" },
		{ "{\"type\":\"ack\",\"channel\":\"c\",\"seq\":\"1\"}", "bad_request" },
		{ "{\"type\":\"ack\",\"channel\":\"\",\"seq\":1}", "bad_request" },
		{ "{\"type\":\"ack\",\"channel\":null,\"seq\":1}", "bad_request" },
		{ "{\"type\":\"auth\"}", "bad_request" },
		{ "{\"type\":\"auth\",\"token\":1}", "bad_request" },
		{ "{\"type\":\"auth\",\"token\":\"x\"}", "unauthorized" },
	};
	char line[128];

	(void)state;
	open_quiet(1, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wire_say(1, rows[i].in);
		snprintf(line, sizeof(line), ERROR("null", "%s"), rows[i].code);
		wire_expect(1, line);
		wire_expect(1, NULL);
	}
	assert_int_equal(metrics->messages_in[MESSAGE_TYPE_invalid], 23);
	assert_int_equal(metrics->messages_out[MESSAGE_TYPE_error], sizeof(rows) / sizeof(rows[0]));
}

static void test_limits_are_inclusive(void **state)
{
	static const char *const lines[] = {
		"1>{\"type\":\"publish\",\"channel\":\"" C128 "\",\"data\":1,\"key\":\"" K128 K128 "\"}",
		"1<" PUBLISHED("null", C128, "1"),
		"1>{\"type\":\"publish\",\"id\":1,\"channel\":\"c\",\"data\":[ 1, 2 ]}",
		"1<" PUBLISHED("1", "c", "1"),
		"1>{\"type\":\"publish\",\"id\":2,\"channel\":\"c\",\"data\":[ 1, 23 ]}",
		"1<" ERROR("2", "too_large"),
		"1>{\"type\":\"subscribe\",\"id\":3,\"channel\":\"a\"}",
		"1<" SUBSCRIBED("3", "a", "0", ""),
		"1>{\"type\":\"subscribe\",\"id\":4,\"channel\":\"b\"}",
		"1<" SUBSCRIBED("4", "b", "0", ""),
		"1>{\"type\":\"subscribe\",\"id\":5,\"channel\":\"c\"}",
		"1<" ERROR("5", "forbidden"),
		"1>{\"type\":\"subscribe\",\"id\":6,\"channel\":\"b\"}",
		"1<" SUBSCRIBED("6", "b", "0", ""),
		"1>{\"type\":\"unsubscribe\",\"id\":7,\"channel\":\"a\"}",
		"1<{\"type\":\"unsubscribed\",\"id\":7,\"channel\":\"a\"}",
		"1>{\"type\":\"subscribe\",\"id\":8,\"channel\":\"c\"}",
		"1<" SUBSCRIBED("8", "c", "1", ""),
		NULL,
	};

	(void)state;
	bench_config.channel_max_data = 5;
	bench_config.subscriptions_max = 2;
	open_quiet(1, "");
	bench_dialog(lines);
}

static void test_binary(void **state)
{
	(void)state;
	open_quiet(1, "");
	wire_say_octets(1, true, "{\"type\":\"ping\"}", 15);
	wire_expect(1, "close 1003");
	wire_say(1, "{\"type\":\"ping\"}");
	wire_expect(1, NULL);
	assert_int_equal(metrics->messages_in[MESSAGE_TYPE_invalid], 1);
}

static void test_hostile(void **state)
{
	size_t len = 1 << 20;
	char *octets = malloc(len);
	uint32_t x = 1;

	(void)state;
	bench_config.rate_messages = 0;
	open_quiet(1, "");
	for (int fill = 0; fill < 4; fill++) {
		memset(octets, "[{\" "[fill], len);
		wire_say_octets(1, false, octets, len);
		wire_expect(1, ERROR("null", "bad_request"));
		memcpy(octets, "{\"type\":\"ping\",\"x\":", 19);
		wire_say_octets(1, false, octets, len);
		wire_expect(1, ERROR("null", "bad_request"));
	}
	for (unsigned round = 0; round < 2000; round++) {
		size_t n = snprintf(octets, len, "{\"type\":\"publish\",\"id\":1,\"channel\":\"c\",\"data\":[1,\"\\u00e4\",{}]}");

		for (unsigned i = 0; i <= round % 3; i++) {
			x = x * 1664525 + 1013904223;
			octets[(x >> 8) % n] = "\0{}[]\",:\\u0dx \x7f"[(x >> 4) % 16];
		}
		wire_say_octets(1, false, octets, n);
		wire_forget(1);
	}
	wire_say(1, "{\"type\":\"ping\",\"id\":1}");
	wire_expect(1, "{\"type\":\"pong\",\"id\":1,*");
	free(octets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits_are_inclusive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_binary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
