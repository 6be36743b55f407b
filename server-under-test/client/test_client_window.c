/* Where a subscription begins, how far it may go, and what becomes of one that stays behind. */
#include "server-under-test/client/test_client.h"

#include <jansson.h>
#include <stdio.h>

#define LONG_EPOCH "an epoch that is longer than any epoch may be"

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

/* The epoch of channel c, which the last `subscribed` to connection 1 told. */
static void epoch_of(char epoch[EPOCH_MAX + 1])
{
	json_t *object = json_loads(wire_last(1), 0, NULL);

	snprintf(epoch, EPOCH_MAX + 1, "%s", json_string_value(json_object_get(object, "epoch")));
	json_decref(object);
}

static void publish_many(unsigned n, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		wire_say(n, "{\"type\":\"publish\",\"channel\":\"c\",\"data\":0}");
}

static void test_since(void **state)
{
	static const struct {
		bool ours; /* the channel's epoch stands before `epoch` */
		const char *epoch;
		unsigned seq;
		const char *recovered;
		unsigned first; /* message that follows */
	} rows[] = {
		{ true, "", 1, "true", 2 },    { true, "", 0, "true", 1 },   { true, "", 3, "true", 4 },
		{ true, "", 4, "false", 4 },   { true, "x", 1, "false", 4 }, { false, "", 0, "false", 4 },
		{ false, LONG_EPOCH, 0, "false", 4 },
	};
	char epoch[EPOCH_MAX + 1], line[512];

	(void)state;
	open_quiet(1, "");
	publish_many(1, 3);
	epoch_of(epoch);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wire_forget(1);
		snprintf(line, sizeof(line),
			 "{\"type\":\"subscribe\",\"id\":9,\"channel\":\"c\",\"since\":{\"seq\":%u,\"epoch\":\"%s%s\"}}",
			 rows[i].seq, rows[i].ours ? epoch : "", rows[i].epoch);
		wire_say(1, line);
		snprintf(line, sizeof(line), SUBSCRIBED("9", "c", "3", ",\"recovered\":%s"), rows[i].recovered);
		wire_expect(1, line);
		for (unsigned seq = rows[i].first; seq <= 3; seq++) {
			snprintf(line, sizeof(line), MESSAGE("c", "%u", "0"), seq);
			wire_expect(1, line);
		}
		wire_expect(1, NULL);
	}
	assert_int_equal(metrics->resumes_recovered, 3);
	assert_int_equal(metrics->resumes_lost, 4);
}

static void test_window(void **state)
{
	static const char *const lines[] = {
		"1>{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}",
		"1<" SUBSCRIBED("1", "c", "0", ""),
		"2>{\"type\":\"publish\",\"channel\":\"c\",\"data\":1}",
		"2<" PUBLISHED("null", "c", "1"),
		"2>{\"type\":\"publish\",\"channel\":\"c\",\"data\":2}",
		"2<" PUBLISHED("null", "c", "2"),
		"2>{\"type\":\"publish\",\"channel\":\"c\",\"data\":3}",
		"2<" PUBLISHED("null", "c", "3"),
		"1<" MESSAGE("c", "1", "1"),
		"1<" MESSAGE("c", "2", "2"),
		"1>{\"type\":\"ack\",\"channel\":\"c\",\"seq\":0}",
		"1>{\"type\":\"ack\",\"channel\":\"d\",\"seq\":1}",
		"1>{\"type\":\"ping\",\"id\":1}",
		"1<{\"type\":\"pong\",\"id\":1,\"ts\":*}",
		"1>{\"type\":\"ack\",\"channel\":\"c\",\"seq\":1}",
		"1<" MESSAGE("c", "3", "3"),
		/* more than was sent counts as what was sent */
		"1>{\"type\":\"ack\",\"channel\":\"c\",\"seq\":9223372036854775807}",
		"2>{\"type\":\"publish\",\"channel\":\"c\",\"data\":4}",
		"2<" PUBLISHED("null", "c", "4"),
		"2>{\"type\":\"publish\",\"channel\":\"c\",\"data\":5}",
		"2<" PUBLISHED("null", "c", "5"),
		"2>{\"type\":\"publish\",\"channel\":\"c\",\"data\":6}",
		"2<" PUBLISHED("null", "c", "6"),
		"1<" MESSAGE("c", "4", "4"),
		"1<" MESSAGE("c", "5", "5"),
		"1>{\"type\":\"ack\",\"channel\":\"c\",\"seq\":4}",
		"1<" MESSAGE("c", "6", "6"),
		NULL,
	};

	(void)state;
	open_quiet(1, "window=2");
	open_quiet(2, "");
	bench_dialog(lines);
}

static void test_window_query(void **state)
{
	static const struct {
		const char *query, *window;
	} rows[] = {
		{ "", "256" }, { "window=0", "0" }, { "window=1", "1" }, { "window=256", "256" }, { "window=257", "256" },
		{ "window=99999999999999999999999", "256" }, { "x=1&window=7&y", "7" }, { "token=t&session=s", "256" },
	};
	char line[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wire_open(1, rows[i].query, "", NULL);
		snprintf(line, sizeof(line), WELCOME("false", "%s"), rows[i].window);
		wire_expect(1, line);
		wire_drop(1);
	}
}

static void test_evicted(void **state)
{
	(void)state;
	bench_config.retention_messages = 3;
	open_quiet(1, "window=1");
	open_quiet(2, "");
	wire_say(1, "{\"type\":\"subscribe\",\"channel\":\"c\"}");
	wire_forget(1);
	publish_many(2, 4);
	wire_expect(1, MESSAGE("c", "1", "0"));
	wire_expect(1, NULL);
	publish_many(2, 1);
	wire_expect(1, "abort 4008");
	wire_expect(1, NULL);
	assert_int_equal(metrics->slow_consumers, 1);
	wire_say(1, "{\"type\":\"ping\"}");
	publish_many(2, 3);
	wire_expect(1, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_since, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window_query, setup, teardown),
		cmocka_unit_test_setup_teardown(test_evicted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
