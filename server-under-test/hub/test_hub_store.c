/*
 * Subscriptions on a store that answers late: every order in which a backplane's answers and its live feed can come.
 */
#include "server-under-test/hub/test_hub_fake.h"

/* One attach for all who come before its answer, and messages before it are not for them. */
static void test_attach_once(void **state)
{
	(void)state;
	subscribe(&a, "c", NULL, 0, 0);
	subscribe(&b, "c", "E", 7, 0);
	expect(&a, "");
	answer_at(ASK_ATTACH, "E", 7);
	expect(&a, "S7");
	expect(&b, "S7+");
	feed("E", 8);
	expect(&a, "8");
	expect(&b, "8");
	assert_int_equal(fake.attaches, 1);
	assert_int_equal(fake.ranges, 0);
}

/* Replay from the store in two answers, with live messages coming in between: in order, each once. */
static void test_replay_before_live(void **state)
{
	(void)state;
	live_at("E", 9);
	feed("E", 10);
	subscribe(&b, "c", "E", 4, 0);
	feed("E", 11);
	expect(&b, "");
	answer_range(5, 9, 1, 5, 7, "E", 11);
	feed("E", 12);
	expect(&b, "");
	answer_range(8, 9, 1, 8, 9, "E", 12);
	expect(&b, "S12+ 5 6 7 8 9 10 11 12");
	feed("E", 13);
	expect(&b, "13");
	expect(&a, "10 11 12 13");
	hub_unsubscribe(&a.subscription);
	subscribe(&a, "c", "E", 4, 0); /* the ring has it now */
	expect(&a, "S13+ 5 6 7 8 9 10 11 12 13");
	assert_int_equal(fake.ranges, 2);
}

/* A crowd asks once, for the lowest; who comes while it is asked waits and needs no question of its own. */
static void test_crowd_asks_once(void **state)
{
	struct subscriber crowd[8];

	(void)state;
	live_at("E", 20);
	for (unsigned i = 0; i < 8; i++) {
		subscriber_init(&crowd[i], &bench);
		subscribe(&crowd[i], "c", "E", 10 + i, 0);
	}
	assert_int_equal(fake.ranges, 1);
	answer_range(11, 20, 1, 11, 20, "E", 20);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(crowd[i].subscription.delivered, 20);
		hub_unsubscribe(&crowd[i].subscription);
	}
	assert_int_equal(fake.ranges, 1);
}

/* Those who come meanwhile and want more are asked for together, from the lowest. */
static void test_lower_ones_later(void **state)
{
	struct subscriber last;

	(void)state;
	subscriber_init(&last, &bench);
	live_at("E", 20);
	subscribe(&b, "c", "E", 15, 0);
	hub_unsubscribe(&a.subscription);
	subscribe(&a, "c", "E", 12, 0);
	subscribe(&last, "c", "E", 14, 0);
	a.words[0] = '\0';
	answer_range(16, 20, 1, 16, 20, "E", 20);
	expect(&b, "S20+ 16 17 18 19 20");
	answer_range(13, 15, 1, 13, 15, "E", 20);
	expect(&a, "S20+ 13 14 15 16 17 18 19 20");
	expect(&last, "S20+ 15 16 17 18 19 20");
	hub_unsubscribe(&last.subscription);
}

/* The feed lost a part and goes on in the same epoch: live ones are told, and nobody is given what lies across it. */
static void test_gap_in_feed(void **state)
{
	(void)state;
	live_at("E", 9);
	feed("E", 10);
	feed_epoch("E", 14);
	feed("E", 15);
	expect(&a, "10 E14 15");
	subscribe(&b, "c", "E", 9, 0);
	answer_range(10, 14, 15, 15, 14, "E", 15);
	expect(&b, "S15-");
}

/* What the store says when it does not have it, in each way. Channel live at E:9, ring empty. */
static void test_lost(void **state)
{
	static const struct {
		const char *epoch;
		uint64_t since;
		uint64_t from, to;
	} rows[] = {
		{ "E", 4, 5, 9 }, /* below what is kept */
		{ "E", 12, 10, 10 }, /* ahead of everyone */
		{ "F", 4, 10, 10 }, /* another epoch */
		{ "F", 9, 10, 10 },
		{ "", 9, 10, 10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		teardown(NULL);
		setup(NULL);
		live_at("E", 9);
		subscribe(&b, "c", rows[i].epoch, rows[i].since, 0);
		expect(&b, "");
		if (rows[i].from < 9)
			answer_range(rows[i].from, rows[i].to, 7, 7, 9, "E", 9);
		else
			answer_range(rows[i].from, rows[i].to, 7, 1, 0, "E", 9);
		expect(&b, "S9-");
		feed("E", 10);
		expect(&b, "10");
		assert_int_equal(fake.count, 0);
	}
}

/* Another node is ahead: wait until our feed has got there, then replay. */
static void test_since_ahead_of_feed(void **state)
{
	(void)state;
	live_at("E", 9);
	subscribe(&b, "c", "E", 11, 0);
	answer_range(10, 10, 1, 10, 10, "E", 12);
	feed("E", 10);
	feed("E", 11); /* the since itself: nothing is missing, so it need not wait longer */
	expect(&b, "S11+");
	feed("E", 12);
	expect(&b, "12");
	subscribe(&b, "c", "E", 14, 0);
	answer_range(13, 13, 1, 13, 13, "E", 13); /* really ahead */
	expect(&b, "");
	feed("E", 13);
	expect(&b, "S13-");
}

/* The epoch of `since` is one that our feed does not know yet. */
static void test_since_of_next_epoch(void **state)
{
	(void)state;
	live_at("E", 9);
	subscribe(&b, "c", "F", 1, 0);
	answer_range(10, 10, 1, 1, 0, "F", 2);
	expect(&b, "");
	feed_epoch("F", 0);
	expect(&a, "E0");
	answer_range(1, 1, 1, 1, 1, "F", 2); /* asked again, for what was said is about another epoch */
	feed("F", 1);
	feed("F", 2);
	expect(&b, "S1+ 2");
	expect(&a, "1 2");
}

/* An answer from before the epoch changed says nothing about the new one. */
static void test_stale_range(void **state)
{
	(void)state;
	live_at("E", 9);
	subscribe(&b, "c", "E", 4, 0);
	feed_epoch("F", 3);
	answer_range(5, 9, 1, 5, 9, "E", 9);
	expect(&b, "");
	answer_range(4, 4, 1, 1, 0, "F", 3);
	expect(&b, "S3-");
	feed("F", 4);
	expect(&b, "4");
	expect(&a, "E3 4");
}

/* The window starts anew at the new epoch's newest. */
static void test_epoch(void **state)
{
	(void)state;
	subscribe(&a, "c", NULL, 0, 2);
	answer_at(ASK_ATTACH, "E", 9);
	feed("E", 10);
	feed("E", 11);
	feed("E", 12);
	expect(&a, "S9 10 11");
	feed_epoch("F", 4);
	for (uint64_t seq = 5; seq < 9; seq++)
		feed("F", seq);
	expect(&a, "E4 5 6");
	assert_string_equal(hub_channel_epoch(a.subscription.channel), "F");
}

/* Subscriptions asked in one breath are answered in their order, each once. */
static void test_pipelined(void **state)
{
	(void)state;
	subscribe(&a, "c", "E", 5, 0);
	subscribe(&a, "c", NULL, 0, 0);
	subscribe(&a, "c", "E", 6, 0);
	answer_at(ASK_ATTACH, "E", 7);
	answer_range(6, 7, 1, 6, 7, "E", 7);
	expect(&a, "S7+ 6 7 S7 S7+ 7");
	feed("E", 8);
	expect(&a, "8");
}

/* Live, then asked to restart lower: silent until the answer. */
static void test_restart(void **state)
{
	(void)state;
	live_at("E", 9);
	feed("E", 10);
	subscribe(&a, "c", "E", 7, 0);
	feed("E", 11);
	expect(&a, "10");
	answer_range(8, 9, 1, 8, 9, "E", 11);
	expect(&a, "S11+ 8 9 10 11");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_attach_once),
		CASE(test_replay_before_live),
		CASE(test_crowd_asks_once),
		CASE(test_lower_ones_later),
		CASE(test_gap_in_feed),
		CASE(test_lost),
		CASE(test_since_ahead_of_feed),
		CASE(test_since_of_next_epoch),
		CASE(test_stale_range),
		CASE(test_epoch),
		CASE(test_pipelined),
		CASE(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
