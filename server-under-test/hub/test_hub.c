/* The hub on the memory store, where every answer comes at once: what subscribers get, in which order, and no more. */
#include "server-under-test/hub/test_hub.h"

static struct bench bench;
static struct subscriber a, b, c;
static struct asker p;
static char epoch[EPOCH_MAX + 1]; /* of channel "c" after fill */

static int setup(void **state)
{
	(void)state;
	bench_init(&bench, &store_memory);
	subscriber_init(&a, &bench);
	subscriber_init(&b, &bench);
	subscriber_init(&c, &bench);
	p = (struct asker){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hub_unsubscribe(&a.subscription);
	hub_unsubscribe(&b.subscription);
	hub_unsubscribe(&c.subscription);
	bench_fini(&bench);
	return 0;
}

/* All anew, within a test. */
static void again(void)
{
	teardown(NULL);
	setup(NULL);
}

/* `count` more messages on "c". */
static void fill(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		publish(&bench, &p, "c", "{}", NULL);
	memcpy(epoch, p.epoch, sizeof(epoch));
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{ "", false },	 { "a", true },	      { "aZ09._-/", true }, { "a b", false }, { "a:b", false },
		{ "a\"", false }, { "\xc3\xa4", false }, { "a\n", false },	    { "a*", false },  { "..", true },
	};
	char longest[CHANNEL_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(hub_channel_name_ok(text_from(rows[i].name)), rows[i].ok);
	memset(longest, 'n', sizeof(longest));
	assert_true(hub_channel_name_ok(text_of(longest, CHANNEL_NAME_MAX)));
	assert_false(hub_channel_name_ok(text_of(longest, CHANNEL_NAME_MAX + 1)));
	assert_false(hub_channel_name_ok(text_of("a\0b", 3)));
}

/* The frame is the whole object, and both subscribers get the same one. */
static void test_message_object(void **state)
{
	char expected[256];
	const struct frame *frame;

	(void)state;
	subscribe(&a, "c", NULL, 0, 0);
	subscribe(&b, "c", NULL, 0, 0);
	p.log = &a;
	publish(&bench, &p, "c", "{\"x\":[1,null]}", "K");
	expect(&a, "S0 1 P1");
	expect(&b, "S0 1");
	assert_ptr_equal(a.last, b.last);
	assert_string_equal(a.data, "{\"x\":[1,null]}");
	assert_int_equal(strlen(p.epoch), EPOCH_MAX);
	frame = a.last->frame;
	snprintf(expected, sizeof(expected),
		 "{\"type\":\"message\",\"channel\":\"c\",\"epoch\":\"%s\",\"seq\":1,\"data\":{\"x\":[1,null]}}", p.epoch);
	assert_int_equal(frame_payload_len(frame), strlen(expected));
	assert_memory_equal(frame_payload(frame), expected, strlen(expected));
	assert_int_equal(a.last->refs, 2); /* the store's and the hub's ring: made once, shared */
}

/* since: how many were published, where from, what is said and what follows. Retention is 5. */
static void test_since(void **state)
{
	static const struct {
		uint64_t since;
		bool other_epoch;
		const char *words;
	} rows[] = {
		{ 8, false, "S8+ 9" },	       { 6, false, "S8+ 7 8 9" }, { 3, false, "S8+ 4 5 6 7 8 9" },
		{ 2, false, "S8- 9" },	       { 0, false, "S8- 9" },	  { 9, false, "S8- 9" },
		{ UINT64_MAX, false, "S8- 9" }, { 6, true, "S8- 9" },	  { 8, true, "S8- 9" },
	};

	(void)state;
	for (unsigned warm = 0; warm < 2; warm++) { /* the channel is attached before the messages, or after */
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			again();
			if (warm)
				subscribe(&b, "c", NULL, 0, 0);
			fill(8);
			subscribe(&a, "c", rows[i].other_epoch ? "other" : epoch, rows[i].since, 0);
			fill(1);
			expect(&a, rows[i].words);
		}
	}
}

static void test_since_of_empty(void **state)
{
	(void)state;
	subscribe(&a, "c", NULL, 0, 0);
	expect(&a, "S0");
	subscribe(&b, "c", hub_channel_epoch(a.subscription.channel), 0, 0);
	expect(&b, "S0+");
	assert_string_equal(hub_channel_name(a.subscription.channel), "c");
	assert_int_equal(hub_channel_newest(a.subscription.channel), 0);
}

/* Replay counts into the window too. */
static void test_window(void **state)
{
	(void)state;
	fill(5);
	subscribe(&a, "c", epoch, 1, 2);
	expect(&a, "S5+ 2 3");
	hub_set_limit(&a.subscription, 4);
	expect(&a, "4");
	hub_set_limit(&a.subscription, 3); /* lower than what is delivered: nothing */
	expect(&a, "");
	hub_set_limit(&a.subscription, 6);
	expect(&a, "5");
	fill(2);
	expect(&a, "6");
	hub_set_limit(&a.subscription, 100);
	expect(&a, "7");
	fill(1);
	expect(&a, "8");
}

/* Evicted as soon as the next message leaves, not when its ack comes; the others go on. */
static void test_evicted(void **state)
{
	(void)state;
	subscribe(&a, "c", NULL, 0, 1);
	subscribe(&b, "c", NULL, 0, 0);
	fill(6);
	expect(&a, "S0 1");
	fill(1); /* 3 to 7 are kept, a needs 2 */
	expect(&a, "X");
	expect(&b, "S0 1 2 3 4 5 6 7");
	hub_set_limit(&a.subscription, 10);
	fill(1);
	expect(&a, "");
	assert_false(a.subscription.live);
}

static void test_evicted_by_bytes(void **state)
{
	(void)state;
	bench.config.retention_bytes = 10;
	subscribe(&a, "c", NULL, 0, 1);
	publish(&bench, &p, "c", "1", NULL);
	publish(&bench, &p, "c", "22222", NULL);
	publish(&bench, &p, "c", "33333", NULL);
	expect(&a, "S0 1");
	publish(&bench, &p, "c", "\"more than all of them\"", NULL); /* alone over the limit: kept alone */
	expect(&a, "X");
	subscribe(&b, "c", p.epoch, 3, 0);
	expect(&b, "S4+ 4");
}

static void test_evicted_by_age(void **state)
{
	(void)state;
	bench.config.retention_time_s = 0.02;
	subscribe(&a, "c", NULL, 0, 1);
	subscribe(&b, "c", NULL, 0, 0);
	fill(2);
	expect(&a, "S0 1");
	while (!a.words[0])
		ev_run(bench.loop, EVRUN_ONCE);
	expect(&a, "X");
	expect(&b, "S0 1 2");
	fill(1); /* seq goes on */
	expect(&b, "3");
	history(&bench, &p, "c", 1, 3);
	assert_string_equal(p.words, "3 cut");
}

static void test_resubscribe(void **state)
{
	(void)state;
	fill(5);
	subscribe(&a, "c", epoch, 0, 3);
	expect(&a, "S5+ 1 2 3");
	subscribe(&a, "c", NULL, 0, 3); /* the position stays, and the limit */
	expect(&a, "S5");
	hub_set_limit(&a.subscription, 4);
	expect(&a, "4");
	subscribe(&a, "c", epoch, 1, 2);
	expect(&a, "S5+ 2 3");
	subscribe(&a, "c", epoch, 77, 2);
	expect(&a, "S5-");
	fill(3);
	expect(&a, "6 7");
}

static void then_unsubscribe(struct subscriber *subscriber, const char *text)
{
	if (strcmp(text, "2") != 0)
		return;
	hub_unsubscribe(&subscriber->subscription);
	if (subscriber->other)
		hub_unsubscribe(&subscriber->other->subscription);
}

/* Whoever is unsubscribed within a callback gets nothing more, wherever it stands in the list. */
static void test_unsubscribe_within(void **state)
{
	(void)state;
	for (unsigned who = 0; who < 3; who++) {
		struct subscriber *all[] = { &a, &b, &c };
		struct subscriber *next = all[(who + 1) % 3], *third = all[(who + 2) % 3];
		bool next_was_first = who == 2;

		again();
		for (unsigned i = 0; i < 3; i++)
			subscribe(all[i], "c", NULL, 0, 0);
		all[who]->then = then_unsubscribe;
		all[who]->other = next;
		fill(3);
		expect(all[who], "S0 1 2");
		expect(next, next_was_first ? "S0 1 2" : "S0 1");
		expect(third, "S0 1 2 3");
	}
}

static void test_unsubscribe_in_replay(void **state)
{
	(void)state;
	fill(4);
	a.then = then_unsubscribe;
	subscribe(&a, "c", epoch, 0, 0);
	expect(&a, "S4+ 1 2");
}

static void then_more(struct subscriber *subscriber, const char *text)
{
	if (strcmp(text, "2") == 0 && subscriber->other)
		subscribe(subscriber->other, "c", NULL, 0, 0);
	if (strcmp(text, "3") == 0)
		subscribe(subscriber, "c", epoch, 1, 0);
}

/* Subscribing within a callback, oneself anew and another. */
static void test_subscribe_within(void **state)
{
	(void)state;
	subscribe(&a, "c", NULL, 0, 0);
	fill(1);
	a.other = &b;
	a.then = then_more;
	fill(1);
	expect(&a, "S0 1 2");
	expect(&b, "S2");
	a.other = NULL;
	subscribe(&c, "c", NULL, 0, 0);
	a.then = NULL;
	b.then = NULL;
	fill(1);
	expect(&a, "3");
	expect(&c, "S2 3");
	expect(&b, "3");
}

static struct asker nested[2];

static void then_publish(struct subscriber *subscriber, const char *text)
{
	if (strcmp(text, "1") == 0)
		publish(subscriber->bench, &nested[0], "c", "2", NULL);
	if (strcmp(text, "2") == 0)
		publish(subscriber->bench, &nested[1], "c", "3", NULL);
}

/* A publish within a callback: everyone still gets each once and in order. */
static void test_publish_within(void **state)
{
	(void)state;
	subscribe(&a, "c", NULL, 0, 0);
	subscribe(&b, "c", NULL, 0, 0);
	subscribe(&c, "c", NULL, 0, 2);
	b.then = then_publish;
	fill(1);
	expect(&a, "S0 1 2 3");
	expect(&b, "S0 1 2 3");
	expect(&c, "S0 1 2");
	assert_string_equal(nested[0].words, "P2");
	assert_string_equal(nested[1].words, "P3");
}

static void test_history(void **state)
{
	static const struct {
		uint64_t from, to;
		const char *words;
	} rows[] = {
		{ 4, 8, "4 5 6 7 8 complete" }, { 5, 6, "5 6 complete" }, { 8, 8, "8 complete" },
		{ 1, 8, "4 5 6 7 8 cut" },	{ 1, 3, "cut" },	  { 7, 1000, "7 8 complete" },
		{ 9, 1000, "complete" },	{ 8, UINT64_MAX, "8 complete" }, { 3, 4, "4 cut" },
	};

	(void)state;
	for (unsigned warm = 0; warm < 2; warm++) {
		if (warm)
			subscribe(&b, "c", epoch, 3, 0); /* now the ring has them */
		else
			fill(8);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			history(&bench, &p, "c", rows[i].from, rows[i].to);
			assert_string_equal(p.words, rows[i].words);
			assert_string_equal(p.epoch, epoch);
			assert_int_equal(p.seq, 8);
		}
	}
}

/* Cut by count and by bytes, from the ring and from the store; one message alone may be larger. */
static void test_history_limits(void **state)
{
	static char big[HISTORY_BYTES_MAX + 3], third[HISTORY_BYTES_MAX / 3 + 2];

	(void)state;
	memset(big, '1', sizeof(big) - 1);
	memset(third, '1', sizeof(third) - 1);
	bench.config.retention_messages = 2000;
	bench.config.retention_bytes = 64 << 20;
	for (unsigned warm = 0; warm < 2; warm++) {
		if (warm) {
			subscribe(&a, "big", "", 0, 0);
			subscribe(&b, "c", NULL, 0, 0);
		}
		publish(&bench, &p, "big", big, NULL);
		for (unsigned i = 0; i < 4; i++)
			publish(&bench, &p, "big", third, NULL);
		history(&bench, &p, "big", 5 * warm + 1, 5 * warm + 5);
		assert_string_equal(p.words, warm ? "6 cut" : "1 cut");
		history(&bench, &p, "big", 5 * warm + 2, 5 * warm + 5);
		assert_string_equal(p.words, warm ? "7 8 cut" : "2 3 cut");
		history(&bench, &p, "big", 5 * warm + 2, 5 * warm + 3);
		assert_string_equal(p.words, warm ? "7 8 complete" : "2 3 complete");
		fill(1001);
		history(&bench, &p, "c", 1001 * warm + 1, 1001 * warm + 1001);
		assert_memory_equal(p.words, warm ? "1002 1003 " : "1 2 3 ", 6);
		assert_non_null(strstr(p.words, warm ? " 2001 cut" : " 1000 cut"));
	}
}

/* A replay of more than the store gives at once is put together from several answers. */
static void test_long_replay(void **state)
{
	(void)state;
	bench.config.retention_messages = 5000;
	fill(2500);
	subscribe(&a, "c", epoch, 0, 0);
	assert_memory_equal(a.words, "S2500+ 1 2 3 ", 13);
	assert_int_equal(a.subscription.delivered, 2500);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_names),	     CASE(test_message_object),	 CASE(test_since),
		CASE(test_since_of_empty),   CASE(test_window),		 CASE(test_evicted),
		CASE(test_evicted_by_bytes), CASE(test_evicted_by_age),	 CASE(test_resubscribe),
		CASE(test_unsubscribe_within), CASE(test_unsubscribe_in_replay), CASE(test_subscribe_within),
		CASE(test_publish_within),   CASE(test_history),	 CASE(test_history_limits),
		CASE(test_long_replay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
