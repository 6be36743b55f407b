/*
 * Publishes, history, what is given up, and a store that goes away, with answers that come when the test says so.
 */
#include "server-under-test/hub/test_hub_fake.h"

#include "server-under-test/hub/hub_channel.h"

/* `published` comes after the message, whichever the store sends first. */
static void test_published_after_message(void **state)
{
	(void)state;
	live_at("E", 9);
	p.log = &a;
	publish(&bench, &p, "c", "{}", NULL);
	answer_at(ASK_PUBLISH, "E", 10);
	expect(&a, "");
	feed("E", 10);
	expect(&a, "10 P10");
	publish(&bench, &p, "c", "{}", NULL);
	feed("E", 11);
	expect(&a, "11");
	answer_at(ASK_PUBLISH, "E", 11);
	expect(&a, "P11");
	publish(&bench, &p, "c", "{}", "K"); /* a duplicate: it has been handed over long ago */
	answer_at(ASK_PUBLISH, "E", 10);
	expect(&a, "P10");
	publish(&bench, &p, "other", "{}", NULL); /* nobody is on it here */
	answer_at(ASK_PUBLISH, "E", 1);
	expect(&a, "P1");
}

/* Subscribe and publish in one breath: the subscription's answer and the message come before `published`. */
static void test_publish_after_pending_subscribe(void **state)
{
	(void)state;
	p.log = &a;
	q.log = &a;
	subscribe(&a, "c", "E", 8, 0);
	publish(&bench, &p, "c", "{}", NULL);
	answer_at(ASK_PUBLISH, "E", 10);
	answer_at(ASK_ATTACH, "E", 9);
	expect(&a, "");
	feed("E", 10);
	expect(&a, "");
	subscribe(&b, "c", "F", 1, 0); /* p came before it and does not wait for it */
	publish(&bench, &q, "c", "{}", NULL);
	answer_range(9, 9, 1, 9, 9, "E", 10);
	expect(&a, "S10+ 9 10 P10");
	answer_at(ASK_PUBLISH, "E", 11);
	feed("E", 11);
	expect(&a, "11");
	answer_range(11, 11, 1, 1, 0, "E", 11);
	expect(&b, "S11-");
	expect(&a, "P11"); /* q came after b's subscribe */
}

/* A publish into an epoch that the feed has not told yet waits for it; one of a past epoch is let go. */
static void test_publish_and_epoch(void **state)
{
	(void)state;
	live_at("E", 9);
	p.log = &a;
	q.log = &a;
	publish(&bench, &p, "c", "{}", NULL);
	publish(&bench, &q, "c", "{}", NULL);
	answer_at(ASK_PUBLISH, "E", 10);
	answer_at(ASK_PUBLISH, "F", 1);
	feed_epoch("F", 0);
	expect(&a, "E0 P10");
	assert_string_equal(p.epoch, "E");
	feed("F", 1);
	expect(&a, "1 P1");
	assert_string_equal(q.epoch, "F");
}

static void test_cancel(void **state)
{
	struct asker r = { 0 };

	(void)state;
	live_at("E", 9);
	publish(&bench, &p, "c", "{}", NULL); /* cancelled in the store */
	publish(&bench, &q, "c", "{}", NULL); /* cancelled while it waits for the feed */
	history(&bench, &r, "c", 1, 5);
	hub_op_cancel(&p.op);
	hub_op_cancel(&p.op);
	answer_at(ASK_PUBLISH, "E", 10);
	answer_at(ASK_PUBLISH, "E", 11);
	hub_op_cancel(&q.op);
	hub_op_cancel(&r.op);
	feed("E", 10);
	feed("E", 11);
	answer_range(1, 5, 1, 1, 5, "E", 11);
	assert_string_equal(p.words, "");
	assert_string_equal(q.words, "");
	assert_string_equal(r.words, "");
	expect(&a, "10 11");
}

/* Unsubscribed while the answer is awaited, at each stage: it never comes. */
static void test_unsubscribe_pending(void **state)
{
	(void)state;
	subscribe(&a, "c", NULL, 0, 0);
	hub_unsubscribe(&a.subscription);
	answer_at(ASK_ATTACH, "E", 9);
	subscribe(&a, "c", "E", 4, 0);
	hub_unsubscribe(&a.subscription);
	answer_range(5, 9, 1, 5, 8, "E", 9); /* nobody waits: it does not ask for the rest */
	assert_int_equal(fake.count, 0);
	subscribe(&a, "c", "E", 20, 0);
	answer_range(10, 10, 1, 1, 0, "E", 15);
	hub_unsubscribe(&a.subscription);
	feed("E", 10);
	expect(&a, "");
	assert_int_equal(fake.attaches, 1);
}

static struct watcher {
	struct hub_watch watch;
	char words[64];
} watcher;

static void on_up(struct hub_watch *watch, bool is_up)
{
	struct watcher *w = (struct watcher *)watch;

	snprintf(w->words + strlen(w->words), sizeof(w->words) - strlen(w->words), "%s", is_up ? "+" : "-");
	assert_int_equal(hub_up(bench.hub), is_up);
}

/* The store goes away: what is awaited is given up, what is live stays; everything new is refused until it is back. */
static void test_down(void **state)
{
	struct asker h = { 0 };

	(void)state;
	watcher = (struct watcher){ .watch.up = on_up };
	hub_watch_add(bench.hub, &watcher.watch);
	live_at("E", 9);
	p.log = &a;
	publish(&bench, &p, "c", "{}", NULL);
	answer_at(ASK_PUBLISH, "E", 10); /* stored, not fed */
	publish(&bench, &q, "c", "{}", NULL);
	subscribe(&b, "c", "E", 30, 0);
	answer_range(10, 10, 1, 1, 0, "E", 30); /* waits for the feed */
	answer_away(ASK_PUBLISH);
	assert_string_equal(q.words, "P!");
	up(false);
	up(false);
	expect(&a, "P10");
	expect(&b, "S!");
	subscribe(&b, "c", NULL, 0, 0);
	expect(&b, "S!");
	assert_null(b.subscription.channel);
	publish(&bench, &q, "c", "{}", NULL);
	assert_string_equal(q.words, "P!");
	history(&bench, &h, "c", 1, 2);
	assert_string_equal(h.words, "!");
	subscribe(&a, "c", NULL, 0, 0); /* it has its position: nothing is needed */
	expect(&a, "S9");
	assert_int_equal(fake.count, 0);
	feed("E", 10);
	feed("E", 11);
	up(true);
	expect(&a, "10 11");
	assert_string_equal(watcher.words, "-+");
	hub_watch_remove(bench.hub, &watcher.watch);
	up(false);
	assert_string_equal(watcher.words, "-+");
}

static void then_again(struct subscriber *subscriber, const char *text)
{
	if (strcmp(text, "S!") == 0 && subscriber->words[2] == '\0')
		subscribe(subscriber, "c", NULL, 0, 0);
}

/* Answers that fail: the attach, the range; asking again from within the refusal. */
static void test_refusals(void **state)
{
	(void)state;
	subscribe(&a, "c", NULL, 0, 0);
	subscribe(&b, "c", "E", 3, 0);
	a.then = then_again;
	answer_away(ASK_ATTACH);
	expect(&a, "S!");
	expect(&b, "S!");
	assert_null(b.subscription.channel);
	answer_at(ASK_ATTACH, "E", 9); /* a asked again */
	expect(&a, "S9");
	subscribe(&b, "c", "E", 3, 0);
	answer_away(ASK_RANGE);
	expect(&b, "S!");
	feed("E", 10);
	expect(&a, "10");
	expect(&b, "");
	subscribe(&a, "c", "E", 3, 0); /* a live one that wants to restart is no longer subscribed */
	a.then = NULL;
	answer_away(ASK_RANGE);
	expect(&a, "S!");
	feed("E", 11);
	expect(&a, "");
}

/* History above our newest asks the store, which may be ahead; what is in the ring does not. */
static void test_history(void **state)
{
	(void)state;
	live_at("E", 9);
	feed("E", 10);
	feed("E", 11);
	history(&bench, &p, "c", 10, 11);
	assert_string_equal(p.words, "10 11 complete");
	history(&bench, &p, "c", 10, 12);
	answer_range(10, 12, 1, 10, 12, "E", 14);
	assert_string_equal(p.words, "10 11 12 complete");
	assert_int_equal(p.seq, 14);
	history(&bench, &p, "c", 9, 11);
	answer_range(9, 11, 10, 10, 11, "E", 11);
	assert_string_equal(p.words, "10 11 cut");
	history(&bench, &p, "c", 1, 5);
	answer_away(ASK_RANGE);
	assert_string_equal(p.words, "!");
	history(&bench, &p, "none", 1, 5); /* a channel that is not here */
	answer_range(1, 5, 1, 1, 0, "G", 0);
	assert_string_equal(p.words, "complete");
	assert_int_equal(fake.attaches, 1);
}

/* A store that says it has what it does not give is not asked for ever. */
static void test_inconsistent_store(void **state)
{
	(void)state;
	live_at("E", 9);
	subscribe(&b, "c", "E", 4, 0);
	while (fake.count)
		answer_range(5, 9, 1, 1, 0, "E", 9);
	expect(&b, "S9-");
	assert_in_range(fake.ranges, 1, 16);
}

/* Idle channels stay attached up to a number; the one idle longest is detached first, and comes back by an attach. */
static void test_idle(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4097; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%u", i);
		subscribe(&b, name, NULL, 0, 0);
		answer_at(ASK_ATTACH, "E", 1);
		hub_unsubscribe(&b.subscription);
		assert_int_equal(fake.detaches, i < 4096 ? 0 : 1);
	}
	b.words[0] = '\0';
	subscribe(&b, "c1", NULL, 0, 0); /* still here */
	expect(&b, "S1");
	subscribe(&a, "c0", NULL, 0, 0);
	answer_at(ASK_ATTACH, "E", 2);
	expect(&a, "S2");
}

/* One that is idle for long is detached and forgotten; one whose publish still waits for the feed is not. */
static void test_idle_for_long(void **state)
{
	struct channel *channel;

	(void)state;
	live_at("E", 9);
	channel = a.subscription.channel;
	publish(&bench, &p, "c", "{}", NULL);
	answer_at(ASK_PUBLISH, "E", 10);
	hub_unsubscribe(&a.subscription);
	assert_true(ev_is_active(&bench.hub->idle_timer));
	channel_on_idle_timer(bench.loop, &bench.hub->idle_timer, 0); /* too early */
	channel->idle_since_s -= HUB_IDLE_S + 1;
	channel_on_idle_timer(bench.loop, &bench.hub->idle_timer, 0); /* a publish waits */
	assert_int_equal(fake.detaches, 0);
	feed("E", 10);
	assert_string_equal(p.words, "P10");
	channel_on_idle_timer(bench.loop, &bench.hub->idle_timer, 0);
	assert_int_equal(fake.detaches, 1);
	assert_int_equal(bench.hub->channels.count, 0);
	assert_false(ev_is_active(&bench.hub->idle_timer));
	feed("E", 11); /* the last that was under way: nobody's */
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_published_after_message),
		CASE(test_publish_after_pending_subscribe),
		CASE(test_publish_and_epoch),
		CASE(test_cancel),
		CASE(test_unsubscribe_pending),
		CASE(test_down),
		CASE(test_refusals),
		CASE(test_history),
		CASE(test_inconsistent_store),
		CASE(test_idle),
		CASE(test_idle_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
