/* What happens to a client by the clock, on a clock that the test turns. */
#include "server-under-test/client/test_client.h"

#include <math.h>
#include <stdio.h>

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

static void test_expiry(void **state)
{
	char token[1024], longer[1024], line[2048];
	double now_s = clock_monotonic_s();

	(void)state;
	bench_key();
	bench_config.heartbeat_interval_s = 0;
	bench_token(token, "ann", NULL, 60);
	bench_token(longer, "ann", NULL, 100);
	wire_open(1, "", "", token);
	wire_forget(1);
	assert_true(fabs(client_next_s(wire_client(1)) - now_s - 65) < 5);
	client_run_timers(wire_client(1), now_s + 58);
	wire_expect(1, NULL);
	snprintf(line, sizeof(line), "{\"type\":\"auth\",\"id\":3,\"token\":\"%s\"}", longer);
	wire_say(1, line);
	wire_expect(1, "{\"type\":\"authenticated\",*");
	client_run_timers(wire_client(1), now_s + 95);
	wire_expect(1, NULL);
	client_run_timers(wire_client(1), now_s + 110);
	wire_expect(1, "close 4001");
	wire_expect(1, NULL);
	assert_true(isinf(client_next_s(wire_client(1))));
}

/* Default: a Ping every 25 s, the Pong due within 10 s. */
static void test_heartbeat(void **state)
{
	double now_s = clock_monotonic_s();

	(void)state;
	wire_open(1, "", "", NULL);
	wire_forget(1);
	client_run_timers(wire_client(1), now_s + 24);
	wire_expect(1, NULL);
	for (unsigned i = 1; i <= 3; i++) {
		client_run_timers(wire_client(1), now_s + 26 * i);
		wire_expect(1, "ping");
		client_run_timers(wire_client(1), now_s + 26 * i + 9);
		wire_expect(1, NULL);
		wire_pong(1);
		client_run_timers(wire_client(1), now_s + 26 * i + 11);
		wire_expect(1, NULL);
	}
	client_run_timers(wire_client(1), now_s + 110);
	wire_expect(1, "ping");
	wire_say(1, PING); /* a message is not a Pong */
	wire_expect(1, PONG);
	client_run_timers(wire_client(1), now_s + 121);
	wire_expect(1, "abort 4010");
	wire_expect(1, NULL);
}

/* Who is not read because of what it is sent has its time while that leaves, and no longer. */
static void test_heartbeat_of_a_slow_reader(void **state)
{
	double now_s = clock_monotonic_s();

	(void)state;
	wire_open(1, "", "", NULL);
	wire_set_queued(1, CLIENT_QUEUE_MAX + 1);
	wire_say(1, PING);
	assert_true(wire_is_paused(1));
	wire_forget(1);
	client_run_timers(wire_client(1), now_s + 26);
	wire_expect(1, "ping");
	for (unsigned i = 1; i <= 3; i++) {
		wire_info(wire_client(1)->wire)->sent++;
		wire_set_queued(1, i == 3 ? CLIENT_QUEUE_MAX : CLIENT_QUEUE_MAX + 1);
		client_run_timers(wire_client(1), now_s + 26 + 11 * i);
		wire_forget(1); /* perhaps the next Ping */
		assert_true(wire_is_paused(1));
	}
	client_run_timers(wire_client(1), now_s + 26 + 44);
	wire_expect(1, "abort 4010");
}

static void test_no_heartbeat(void **state)
{
	(void)state;
	bench_config.heartbeat_interval_s = 0;
	wire_open(1, "", "", NULL);
	wire_expect(1, "*\"heartbeat_ms\":0,*");
	assert_true(isinf(client_next_s(wire_client(1))));
	assert_true(sizeof(struct client) <= 600);
}

static void test_slow_consumer(void **state)
{
	double now_s = clock_monotonic_s();

	(void)state;
	bench_config.heartbeat_interval_s = 0;
	for (unsigned window = 0; window < 2; window++) {
		wire_open(1, window ? "window=100" : "window=0", "", NULL);
		wire_say(1, "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}");
		wire_set_queued(1, bench_config.slow_consumer_bytes + 1);
		wire_say(1, PING);
		client_run_timers(wire_client(1), now_s + 4);
		wire_set_queued(1, bench_config.slow_consumer_bytes); /* not above: the grace begins anew */
		wire_say(1, PING);
		wire_set_queued(1, bench_config.slow_consumer_bytes + 1);
		wire_say(1, PING);
		wire_forget(1);
		client_run_timers(wire_client(1), clock_monotonic_s() + 4.5);
		wire_expect(1, NULL);
		client_run_timers(wire_client(1), clock_monotonic_s() + 5.1);
		wire_expect(1, window ? NULL : "abort 4008");
		wire_expect(1, NULL);
		wire_drop(1);
	}
	assert_int_equal(metrics->slow_consumers, 1);
}

static void test_rate(void **state)
{
	double now_s = clock_monotonic_s();
	struct client *client;

	(void)state;
	bench_config.rate_burst = 5;
	bench_config.rate_strikes = 3;
	wire_open(1, "", "", NULL);
	client = wire_client(1);
	wire_forget(1);
	for (unsigned i = 0; i < 5; i++) {
		client_message(client, (const uint8_t *)PING, sizeof(PING) - 1, now_s);
		wire_expect(1, PONG);
	}
	for (unsigned i = 0; i < 2; i++) {
		client_message(client, (const uint8_t *)PING, sizeof(PING) - 1, now_s);
		wire_expect(1, ERROR("0", "rate_limited"));
	}
	for (unsigned i = 0; i < 5; i++) { /* the strikes are forgotten after a minute */
		client_message(client, (const uint8_t *)PING, sizeof(PING) - 1, now_s + 61);
		wire_expect(1, PONG);
	}
	client_message(client, (const uint8_t *)"{", 1, now_s + 61);
	wire_expect(1, ERROR("null", "rate_limited"));
	client_message(client, (const uint8_t *)PING, sizeof(PING) - 1, now_s + 61);
	wire_expect(1, ERROR("0", "rate_limited"));
	client_message(client, (const uint8_t *)PING, sizeof(PING) - 1, now_s + 61);
	wire_expect(1, ERROR("0", "rate_limited"));
	wire_expect(1, "close 4029");
	wire_expect(1, NULL);
}

/* Acks that move on cost nothing, others do. */
static void test_ack_rate(void **state)
{
	char ack[128];

	(void)state;
	bench_config.rate_messages = 1;
	bench_config.rate_burst = 30;
	bench_config.rate_strikes = 1;
	wire_open(1, "", "", NULL);
	wire_open(2, "", "", NULL);
	wire_say(1, "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}");
	for (unsigned i = 0; i < 29; i++)
		wire_say(1, "{\"type\":\"publish\",\"id\":1,\"channel\":\"c\",\"data\":1}");
	wire_forget(1);
	for (unsigned i = 1; i <= 29; i++) {
		snprintf(ack, sizeof(ack), "{\"type\":\"ack\",\"channel\":\"c\",\"seq\":%u}", i);
		wire_say(1, ack);
	}
	wire_expect(1, NULL);
	for (unsigned i = 0; i < 5; i++)
		wire_say(1, ack);
	wire_expect(1, ERROR("null", "rate_limited"));
	wire_expect(1, "close 4029");
	wire_expect(1, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_expiry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heartbeat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heartbeat_of_a_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_heartbeat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_consumer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ack_rate, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
