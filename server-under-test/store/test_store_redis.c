/* What a Redis that dies, forgets, hangs or refuses does to the nodes: nothing that a subscriber would notice as loss. */
#include "server-under-test/store/test_store_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const durable[] = { "--save", "", "--appendonly", "yes", "--appendfsync", "always", NULL };
static const char *const snapshot[] = { "--save", "", "--appendonly", "no", NULL };

static bool both(const struct kit *kit, bool up)
{
	return kit->nodes[0].up == up && kit->nodes[1].up == up;
}

static bool both_at(const struct kit *kit, const char *channel, uint64_t seq)
{
	return node_newest(&kit->nodes[0], channel) == seq && node_newest(&kit->nodes[1], channel) == seq;
}

static void attach_both(struct kit *kit, const char *channel)
{
	for (unsigned n = 0; n < KIT_NODES; n++)
		assert_int_equal(attach(kit, &kit->nodes[n], channel).status, HUB_OK);
}

/* Publishers that repeat what was not answered, with its key, until it is. */
struct publisher {
	struct node *node;
	struct asked asked;
	char key[48], data[32];
	unsigned next, answered, total;
	uint64_t seqs[512];
};

static void publisher_step(struct publisher *publisher)
{
	if (publisher->asked.done) {
		publisher->asked.done = false;
		if (publisher->asked.status == HUB_OK)
			publisher->seqs[publisher->next++] = publisher->asked.newest.seq;
		publisher->answered++;
	} else if (publisher->asked.op.done) {
		return; /* waits */
	}
	publisher->asked.op.done = NULL;
	if (publisher->next == publisher->total || !publisher->node->up)
		return;
	snprintf(publisher->key, sizeof(publisher->key), "%p-%u", (void *)publisher, publisher->next);
	snprintf(publisher->data, sizeof(publisher->data), "%u", publisher->next);
	ask_publish(publisher->node, &publisher->asked, "work", publisher->data, publisher->key);
}

static bool publishers_reach(struct publisher *publishers, unsigned next)
{
	bool all = true;

	for (unsigned n = 0; n < KIT_NODES; n++) {
		publisher_step(&publishers[n]);
		all = all && publishers[n].next >= next;
	}
	return all;
}

/* Both sinks saw one order, everything once, and what was answered is where the answer said. */
static void check_work(struct kit *kit, const struct publisher *publishers)
{
	uint64_t newest = range(kit, &kit->nodes[0], "work", 1, 1, 1, 1).newest.seq;
	const struct node *node = &kit->nodes[0];
	size_t i = 0, k = 0;

	KIT_WAIT(kit, both_at(kit, "work", newest));
	for (unsigned n = 0; n < KIT_NODES; n++) {
		node_check_order(&kit->nodes[n], "work", 1);
		assert_int_equal(node_count(&kit->nodes[n], NEWS_MESSAGE, "work"), newest);
		assert_int_equal(node_count(&kit->nodes[n], NEWS_EPOCH, "work"), 0);
		assert_int_equal(newest, publishers[0].total + publishers[1].total);
	}
	for (uint64_t seq = 1; seq <= newest; seq++, i++, k++) {
		while (node->seen[i].news != NEWS_MESSAGE)
			i++;
		while (kit->nodes[1].seen[k].news != NEWS_MESSAGE)
			k++;
		assert_string_equal(node->seen[i].text, kit->nodes[1].seen[k].text);
		for (unsigned n = 0; n < KIT_NODES; n++)
			if (publishers[n].seqs[atoi(node->seen[i].text)] == seq)
				assert_int_equal(node->seen[i].seq, seq);
	}
	for (unsigned n = 0; n < KIT_NODES; n++)
		for (unsigned m = 1; m < publishers[n].total; m++)
			assert_true(publishers[n].seqs[m] > publishers[n].seqs[m - 1]);
}

enum fault { FAULT_KILL, FAULT_CUT_EVENTS, FAULT_CUT_ALL, FAULT_SCRIPTS };

static void fault_happens(struct kit *kit, enum fault fault)
{
	switch (fault) {
	case FAULT_KILL:
		redis_end(kit, SIGKILL);
		KIT_WAIT(kit, both(kit, false));
		redis_begin(kit, durable);
		break;
	case FAULT_CUT_EVENTS:
		assert_true(redis_ask(kit, "CLIENT KILL TYPE pubsub") >= KIT_NODES);
		break;
	case FAULT_CUT_ALL:
		assert_true(redis_ask(kit, "CLIENT KILL TYPE normal SKIPME yes") >= KIT_NODES);
		break;
	case FAULT_SCRIPTS:
		assert_int_not_equal(redis_ask(kit, "SCRIPT FLUSH"), -1);
		break;
	}
}

static void faults_amid_publishing(void **state)
{
	static const enum fault faults[] = { FAULT_KILL, FAULT_CUT_EVENTS, FAULT_SCRIPTS, FAULT_CUT_ALL, FAULT_KILL };
	enum { TOTAL = 300, STEP = 50 };
	struct kit *kit = *state;
	struct publisher publishers[KIT_NODES] = { { .node = &kit->nodes[0], .total = TOTAL },
						   { .node = &kit->nodes[1], .total = TOTAL } };

	attach_both(kit, "work");
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		unsigned downs = node_count(&kit->nodes[0], NEWS_DOWN, NULL);

		KIT_WAIT(kit, publishers_reach(publishers, (i + 1) * STEP));
		KIT_WAIT(kit, both(kit, true));
		fault_happens(kit, faults[i]);
		if (faults[i] != FAULT_SCRIPTS)
			KIT_WAIT(kit, node_count(&kit->nodes[0], NEWS_DOWN, NULL) > downs);
	}
	KIT_WAIT(kit, publishers_reach(publishers, TOTAL));
	KIT_WAIT(kit, both(kit, true));
	check_work(kit, publishers);
	assert_true(node_count(&kit->nodes[0], NEWS_DOWN, NULL) >= 4);
}

/* Redis forgets the script while many calls are under way: all are stored, in their order. */
static void script_forgotten(void **state)
{
	enum { COUNT = 200 };
	struct kit *kit = *state;
	static struct asked asked[COUNT];

	for (int i = 0; i < COUNT; i++) {
		ask_publish(&kit->nodes[0], &asked[i], "script", "1", NULL);
		if (i % 50 == 25)
			assert_int_not_equal(redis_ask(kit, "SCRIPT FLUSH"), -1);
		if (i % 20 == 0)
			kit_turn(kit);
	}
	for (uint64_t i = 0; i < COUNT; i++) {
		KIT_WAIT(kit, asked[i].done);
		assert_int_equal(asked[i].status, HUB_OK);
		assert_int_equal(asked[i].newest.seq, i + 1);
	}
	assert_true(both(kit, true));
}

static void flushed(void **state)
{
	struct kit *kit = *state;
	struct asked before, after;
	struct session_record record = { .id = "f1", .user = "ann" };

	attach_both(kit, "flush");
	publish(kit, &kit->nodes[0], "flush", "1", "k");
	before = publish(kit, &kit->nodes[0], "flush", "2", NULL);
	claim(kit, &kit->nodes[0], NULL, "f1", "ann", "c1");
	redis_ask(kit, "FLUSHALL");
	after = publish(kit, &kit->nodes[1], "flush", "3", "k");
	assert_string_not_equal(after.newest.epoch, before.newest.epoch);
	assert_int_equal(after.newest.seq, 1);
	assert_false(after.duplicate);
	KIT_WAIT(kit, both_at(kit, "flush", 1));
	for (unsigned n = 0; n < KIT_NODES; n++) {
		node_check_order(&kit->nodes[n], "flush", 1);
		assert_int_equal(node_count(&kit->nodes[n], NEWS_EPOCH, "flush"), 1);
		assert_int_equal(node_count(&kit->nodes[n], NEWS_MESSAGE, "flush"), 3);
	}
	kit->nodes[0].ops->session_save(kit->nodes[0].store, &record, "c1", false, NULL);
	claim(kit, &kit->nodes[0], NULL, "barrier", "", "c0");
	assert_true(claim(kit, &kit->nodes[1], "f1", "f2", "ann", "c2").resumed); /* kept by who held it */
}

/* A Redis that comes back with an older copy of its data. */
static void tail_lost(void **state)
{
	struct kit *kit = *state;
	struct asked old = { 0 }, new;

	attach_both(kit, "tail");
	for (int i = 0; i < 5; i++)
		publish(kit, &kit->nodes[0], "tail", "1", NULL), publish(kit, &kit->nodes[0], "aside", "1", NULL);
	assert_int_not_equal(redis_ask(kit, "SAVE"), -1);
	for (int i = 0; i < 5; i++)
		old = publish(kit, &kit->nodes[0], "tail", "2", NULL), publish(kit, &kit->nodes[0], "aside", "2", NULL);
	KIT_WAIT(kit, both_at(kit, "tail", 10));
	redis_end(kit, SIGKILL);
	redis_begin(kit, snapshot);
	KIT_WAIT(kit, both(kit, true) && node_count(&kit->nodes[0], NEWS_DOWN, NULL) &&
			      node_count(&kit->nodes[1], NEWS_DOWN, NULL));
	KIT_WAIT(kit, both_at(kit, "tail", 5));
	new = publish(kit, &kit->nodes[1], "tail", "3", NULL);
	assert_string_not_equal(new.newest.epoch, old.newest.epoch);
	assert_int_equal(new.newest.seq, 6); /* what survived is kept */
	KIT_WAIT(kit, both_at(kit, "tail", 6));
	for (unsigned n = 0; n < KIT_NODES; n++) {
		node_check_order(&kit->nodes[n], "tail", 1);
		assert_int_equal(node_count(&kit->nodes[n], NEWS_EPOCH, "tail"), 1);
	}
	/* Nobody is attached to this one, but its publisher remembers. */
	new = publish(kit, &kit->nodes[0], "aside", "3", NULL);
	old = publish(kit, &kit->nodes[1], "aside", "3", NULL);
	assert_int_equal(new.newest.seq, 6);
	assert_string_equal(new.newest.epoch, old.newest.epoch);
	assert_int_equal(range(kit, &kit->nodes[0], "aside", 1, 10, 10, 1000).count, 7);
}

/* The same, but another node has published past the loss before we are back: the seq alone would not tell. */
static void tail_replaced(void **state)
{
	struct kit *kit = *state, other = *kit;
	struct asked old = { 0 };

	attach_both(kit, "replaced");
	publish(kit, &kit->nodes[0], "replaced", "1", NULL);
	assert_int_not_equal(redis_ask(kit, "SAVE"), -1);
	for (int i = 0; i < 3; i++)
		old = publish(kit, &kit->nodes[0], "replaced", "\"lost\"", NULL);
	KIT_WAIT(kit, both_at(kit, "replaced", 4));
	redis_end(kit, SIGKILL);
	redis_begin(kit, snapshot);
	other.loop = ev_loop_new(EVFLAG_AUTO);
	kit_node_start(&other, &other.nodes[0]);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(publish(&other, &other.nodes[0], "replaced", "2", NULL).newest.seq, i + 2);
	KIT_WAIT(kit, both_at(kit, "replaced", 9));
	for (unsigned n = 0; n < KIT_NODES; n++) {
		const struct seen *last;

		assert_int_equal(node_count(&kit->nodes[n], NEWS_EPOCH, "replaced"), 1);
		KIT_WAIT(kit, kit->nodes[n].up);
		last = &kit->nodes[n].seen[kit->nodes[n].seen_count - 1];
		while (last->news != NEWS_EPOCH)
			last--;
		assert_string_not_equal(last->epoch, old.newest.epoch);
	}
	kit_node_stop(&other.nodes[0]);
	ev_loop_destroy(other.loop);
}

static void hangs(void **state)
{
	struct kit *kit = *state;
	struct asked pending, got;
	struct session_record record = { .id = "h1", .user = "ann", .count = 0 };

	attach_both(kit, "hang");
	publish(kit, &kit->nodes[0], "hang", "1", NULL);
	claim(kit, &kit->nodes[0], NULL, "h1", "ann", "c1");
	kill(kit->pid, SIGSTOP);
	ask_publish(&kit->nodes[0], &pending, "hang", "2", "again");
	KIT_WAIT(kit, both(kit, false)); /* node 1 has asked nothing: its pings tell */
	assert_true(pending.done);
	assert_int_equal(pending.status, HUB_UNAVAILABLE);
	assert_int_equal(publish(kit, &kit->nodes[1], "hang", "3", NULL).status, HUB_UNAVAILABLE);
	assert_int_equal(attach(kit, &kit->nodes[1], "hang2").status, HUB_UNAVAILABLE);
	assert_int_equal(range(kit, &kit->nodes[1], "hang", 1, 2, 2, 100).status, HUB_UNAVAILABLE);
	assert_int_equal(claim(kit, &kit->nodes[1], "h1", "h2", "ann", "c2").status, HUB_UNAVAILABLE);
	kit->nodes[0].ops->session_save(kit->nodes[0].store, &record, "c1", true, NULL); /* saved when it is back */
	kill(kit->pid, SIGCONT);
	KIT_WAIT(kit, both(kit, true));
	got = publish(kit, &kit->nodes[0], "hang", "2", "again");
	assert_int_equal(got.newest.seq, 2);
	got = publish(kit, &kit->nodes[1], "hang", "4", NULL);
	assert_int_equal(got.newest.seq, 3);
	KIT_WAIT(kit, both_at(kit, "hang", 3));
	for (unsigned n = 0; n < KIT_NODES; n++) {
		node_check_order(&kit->nodes[n], "hang", 1);
		assert_int_equal(node_count(&kit->nodes[n], NEWS_EPOCH, "hang"), 0);
	}
	assert_true(claim(kit, &kit->nodes[1], "h1", "h2", "ann", "c2").resumed);
	assert_int_equal(node_count(&kit->nodes[0], NEWS_TAKEN, "h1"), 0); /* it had ended */
}

/* Missed more than is kept: the sink is told where it goes on, in the same epoch. */
static void missed_too_much(void **state)
{
	struct kit *kit = *state, other = *kit;
	struct node *node = &kit->nodes[0];
	struct asked at;

	at = attach(kit, node, "much");
	assert_true(redis_ask(kit, "CLIENT KILL TYPE pubsub") >= 1);
	other.loop = ev_loop_new(EVFLAG_AUTO);
	kit_node_start(&other, &other.nodes[0]);
	other.config.retention_messages = 100;
	for (int i = 0; i < 10; i++)
		publish(&other, &other.nodes[0], "much", "1", NULL);
	kit_node_stop(&other.nodes[0]);
	other.config.retention_messages = 4;
	kit_node_start(&other, &other.nodes[0]);
	publish(&other, &other.nodes[0], "much", "1", NULL);
	KIT_WAIT(kit, node->up && node_newest(node, "much") == 11);
	assert_int_equal(node_count(node, NEWS_EPOCH, "much"), 1);
	assert_int_equal(node_count(node, NEWS_MESSAGE, "much"), 4);
	node_check_order(node, "much", at.newest.seq + 1);
	for (size_t i = 0; i < node->seen_count; i++)
		if (node->seen[i].news <= NEWS_EPOCH)
			assert_string_equal(node->seen[i].epoch, at.newest.epoch);
	kit_node_stop(&other.nodes[0]);
	ev_loop_destroy(other.loop);
}

static int with_durable(void **state)
{
	static struct kit kit;
	int r = kit_setup(&kit, &store_redis, durable);

	kit.config.retention_messages = 10000;
	*state = &kit;
	return r;
}

static int with_snapshot(void **state)
{
	static struct kit kit;

	*state = &kit;
	return kit_setup(&kit, &store_redis, snapshot);
}

static int teardown(void **state)
{
	kit_teardown(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(faults_amid_publishing, with_durable, teardown),
		cmocka_unit_test_setup_teardown(script_forgotten, with_snapshot, teardown),
		cmocka_unit_test_setup_teardown(flushed, with_snapshot, teardown),
		cmocka_unit_test_setup_teardown(tail_lost, with_snapshot, teardown),
		cmocka_unit_test_setup_teardown(tail_replaced, with_snapshot, teardown),
		cmocka_unit_test_setup_teardown(hangs, with_snapshot, teardown),
		cmocka_unit_test_setup_teardown(missed_too_much, with_snapshot, teardown),
	};

	return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
