/* A store that answers late or not at all, and connections that do not wait for it. */
#include "server-under-test/client/test_client.h"

#include <stdio.h>

static char query[128]; /* that names a session */

static int setup(void **state)
{
	(void)state;
	bench_open(true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bench_close();
	return 0;
}

static void remember(unsigned n)
{
	snprintf(query, sizeof(query), "session=%s", wire_session(n));
}

/* Who does not read the answers is not read either. */
static void test_queue_pauses(void **state)
{
	(void)state;
	wire_open(1, "", "", NULL);
	bench_answer_all();
	wire_set_queued(1, CLIENT_QUEUE_MAX + 1);
	wire_say(1, PING);
	assert_true(wire_is_paused(1));
	wire_forget(1);
	wire_say(1, PING);
	wire_expect(1, NULL);
	wire_set_queued(1, WIRE_LOW);
	bench_pump();
	assert_false(wire_is_paused(1));
	wire_expect(1, PONG);
	wire_expect(1, NULL);
}

/* The welcome is the first word, whatever was said before it. */
static void test_slow_claim(void **state)
{
	(void)state;
	wire_open(1, "", "", NULL);
	assert_true(wire_is_paused(1));
	wire_say(1, PING);
	wire_expect(1, NULL);
	assert_true(bench_answer());
	wire_expect(1, WELCOME("false", "256"));
	wire_expect(1, PONG);
	wire_expect(1, NULL);
}

/* Messages are handled in their order, though subscribe and history wait for the store. */
static void test_slow_order(void **state)
{
	(void)state;
	wire_open(1, "", "", NULL);
	bench_answer_all();
	wire_forget(1);
	wire_say(1, "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}");
	wire_say(1, "{\"type\":\"publish\",\"id\":2,\"channel\":\"c\",\"data\":1}");
	wire_say(1, "{\"type\":\"publish\",\"id\":3,\"channel\":\"c\",\"data\":2}");
	wire_say(1, "{\"type\":\"history\",\"id\":4,\"channel\":\"c\",\"from\":1,\"to\":2}");
	wire_say(1, PING);
	wire_expect(1, NULL);
	bench_answer_all();
	wire_expect(1, SUBSCRIBED("1", "c", "0", ""));
	wire_expect(1, MESSAGE("c", "1", "1"));
	wire_expect(1, PUBLISHED("2", "c", "1"));
	wire_expect(1, MESSAGE("c", "2", "2"));
	wire_expect(1, PUBLISHED("3", "c", "2"));
	wire_expect(1, "{\"type\":\"history\",\"id\":4,*");
	wire_expect(1, PONG);
	wire_expect(1, NULL);
	assert_int_equal(wire_client(1)->awaiting, 0);
	assert_int_equal(wire_client(1)->publishes, 0);
	assert_int_equal(wire_client(1)->publish_bytes, 0);
}

/* The connection dies after each of its messages, with nothing answered, then everything. */
static void test_slow_deaths(void **state)
{
	static const char *const messages[] = {
		"{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}",
		"{\"type\":\"publish\",\"id\":2,\"channel\":\"c\",\"data\":1}",
		"{\"type\":\"history\",\"id\":4,\"channel\":\"c\",\"from\":1,\"to\":2}",
	};

	(void)state;
	wire_open(1, "", "", NULL);
	wire_drop(1);
	bench_answer_all();
	for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		for (unsigned closing = 0; closing < 2; closing++) {
			wire_open(1, "", "", NULL);
			bench_answer_all();
			wire_say(1, messages[i]);
			wire_forget(1);
			if (closing) {
				client_close(wire_client(1), CLOSE_INTERNAL, "test");
				bench_answer_all();
				wire_expect(1, "close 1011");
				wire_expect(1, NULL);
			}
			wire_drop(1);
			bench_answer_all();
		}
	}
}

/* A session whose claimer died is left to the next one. */
static void test_slow_claimer_dies(void **state)
{
	(void)state;
	wire_open(1, "", "", NULL);
	bench_answer_all();
	wire_say(1, "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}");
	bench_answer_all();
	remember(1);
	wire_forget(1);
	wire_open(2, query, "", NULL);
	wire_drop(2);
	bench_answer_all();
	wire_expect(1, "close 4000");
	wire_open(3, query, "", NULL);
	bench_answer_all();
	wire_expect(3, WELCOME("true", "256"));
	wire_expect(3, SUBSCRIBED("null", "c", "0", ",\"recovered\":true"));
	wire_expect(3, NULL);
}

static void test_unavailable(void **state)
{
	static const char *const lines[] = {
		"1>{\"type\":\"subscribe\",\"id\":3,\"channel\":\"d\"}",
		"1<" ERROR("3", "unavailable"),
		"1>{\"type\":\"publish\",\"id\":4,\"channel\":\"d\",\"data\":1}",
		"1<" ERROR("4", "unavailable"),
		"1>{\"type\":\"history\",\"id\":5,\"channel\":\"d\",\"from\":1,\"to\":2}",
		"1<" ERROR("5", "unavailable"),
		"1>{\"type\":\"unsubscribe\",\"id\":6,\"channel\":\"d\"}",
		"1<" ERROR("6", "not_found"),
		NULL,
	};

	(void)state;
	wire_open(1, "", "", NULL);
	bench_answer_all();
	wire_say(1, "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}");
	bench_answer_all();
	wire_forget(1);
	wire_say(1, "{\"type\":\"publish\",\"id\":2,\"channel\":\"c\",\"data\":1}");
	bench_down();
	wire_expect(1, ERROR("2", "unavailable"));
	bench_dialog(lines);
	wire_open(2, "", "", NULL);
	wire_expect(2, "close 1011");
	wire_expect(2, NULL);
	bench_up();
	wire_say(1, "{\"type\":\"publish\",\"id\":7,\"channel\":\"c\",\"data\":2}");
	bench_answer_all();
	wire_expect(1, MESSAGE("c", "1", "2"));
	wire_expect(1, PUBLISHED("7", "c", "1"));
}

/* The store goes away while a session is being restored: it is kept whole. */
static void test_restore_fails(void **state)
{
	(void)state;
	bench_config.retention_messages = 2;
	wire_open(1, "", "", NULL);
	wire_open(2, "", "", NULL);
	bench_answer_all();
	wire_say(1, "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}");
	bench_answer_all();
	wire_say(1, "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"d\"}");
	bench_answer_all();
	remember(1);
	wire_drop(1);
	for (unsigned i = 0; i < 4; i++)
		wire_say(2, "{\"type\":\"publish\",\"channel\":\"c\",\"data\":0}");
	bench_answer_all();
	wire_open(1, query, "", NULL);
	assert_true(bench_answer()); /* the claim; c's range is asked for then */
	wire_expect(1, WELCOME("true", "256"));
	wire_expect(1, SUBSCRIBED("null", "d", "0", ",\"recovered\":true"));
	wire_expect(1, NULL);
	bench_down();
	wire_expect(1, "close 1011");
	wire_expect(1, NULL);
	wire_drop(1);
	bench_up();
	wire_open(3, query, "", NULL);
	bench_answer_all();
	wire_expect(3, WELCOME("true", "256"));
	wire_expect(3, SUBSCRIBED("null", "d", "0", ",\"recovered\":true"));
	wire_expect(3, SUBSCRIBED("null", "c", "4", ",\"recovered\":false"));
	wire_expect(3, NULL);
}

/* Few acks are kept at once, many when there is time, the last one in any case. */
static void test_saves(void **state)
{
	double now_s = clock_monotonic_s();
	char ack[128];

	(void)state;
	bench_config.rate_messages = 0;
	wire_open(1, "", "", NULL);
	bench_answer_all();
	wire_say(1, "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}");
	bench_answer_all();
	for (unsigned i = 1; i <= 100; i++) {
		wire_say(1, "{\"type\":\"publish\",\"channel\":\"c\",\"data\":0}");
		bench_answer_all();
	}
	assert_int_equal(bench_saves(), 1); /* with the answer to the subscribe */
	for (unsigned i = 1; i <= 100; i++) {
		int len = snprintf(ack, sizeof(ack), "{\"type\":\"ack\",\"channel\":\"c\",\"seq\":%u}", i);

		client_message(wire_client(1), (const uint8_t *)ack, (size_t)len, now_s);
	}
	assert_int_equal(bench_saves(), 1 + (unsigned)CLIENT_SAVES_BURST);
	client_run_timers(wire_client(1), now_s + 1 / CLIENT_SAVES + 0.001);
	assert_int_equal(bench_saves(), 2 + (unsigned)CLIENT_SAVES_BURST);
	client_message(wire_client(1), (const uint8_t *)ack, strlen(ack), now_s); /* nothing new */
	assert_int_equal(bench_saves(), 2 + (unsigned)CLIENT_SAVES_BURST);
	remember(1);
	wire_drop(1);
	wire_open(2, query, "", NULL);
	bench_answer_all();
	wire_expect(2, WELCOME("true", "256"));
	wire_expect(2, SUBSCRIBED("null", "c", "100", ",\"recovered\":true"));
	wire_expect(2, NULL);
}

/* The store tells of a takeover on another node, and, late, of one that this process has seen. */
static void test_takeover_elsewhere(void **state)
{
	char here[LOG_ID_MAX];

	(void)state;
	wire_open(1, "", "", NULL);
	bench_answer_all();
	wire_forget(1);
	snprintf(here, sizeof(here), "%.9s%08x", wire_info(wire_client(1)->wire)->id, 77u);
	store_say_taken_over(wire_session(1), here);
	wire_expect(1, NULL);
	store_say_taken_over("0123", "ffffffff-00000001");
	wire_expect(1, NULL);
	store_say_taken_over(wire_session(1), "elsewhere-00000001");
	wire_expect(1, "close 4000");
	wire_expect(1, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_queue_pauses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_deaths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_claimer_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unavailable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_saves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_takeover_elsewhere, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
