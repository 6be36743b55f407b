/* What store.h promises, asked of every store: one table of tests, run once for each. */
#include "server-under-test/store/test_store_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const redis_options[] = { "--save", "", "--appendonly", "no", NULL };

static void sequence(void **state)
{
	struct kit *kit = *state;
	struct asked first = publish(kit, kit_node(kit, 0), "seq", "1", NULL);

	assert_int_equal(first.status, HUB_OK);
	assert_int_equal(first.newest.seq, 1);
	assert_true(strlen(first.newest.epoch) > 0 && !strchr(first.newest.epoch, ':'));
	for (uint64_t i = 2; i <= 50; i++) {
		struct asked next = publish(kit, kit_node(kit, (unsigned)i), "seq", "{\"a\":[1,2]}", NULL);

		assert_int_equal(next.newest.seq, i);
		assert_string_equal(next.newest.epoch, first.newest.epoch);
		assert_false(next.duplicate);
	}
	assert_string_not_equal(publish(kit, kit_node(kit, 1), "seq2", "1", NULL).newest.epoch, first.newest.epoch);
}

/* Many at once, from both nodes: the answers of one node are in its order, and no seq is given twice. */
static void order_of_one_publisher(void **state)
{
	enum { EACH = 40 };
	struct kit *kit = *state;
	static struct asked asked[KIT_NODES][EACH];
	bool used[KIT_NODES * EACH + 1] = { false };

	for (int i = 0; i < EACH; i++)
		for (unsigned n = 0; n < KIT_NODES; n++)
			ask_publish(kit_node(kit, n), &asked[n][i], "order", "0", NULL);
	for (unsigned n = 0; n < KIT_NODES; n++)
		for (int i = 0; i < EACH; i++) {
			KIT_WAIT(kit, asked[n][i].done);
			assert_true(asked[n][i].newest.seq >= 1 && asked[n][i].newest.seq <= KIT_NODES * EACH);
			assert_false(used[asked[n][i].newest.seq]);
			used[asked[n][i].newest.seq] = true;
			if (i)
				assert_true(asked[n][i].newest.seq > asked[n][i - 1].newest.seq);
		}
}

static void idempotency(void **state)
{
	struct kit *kit = *state;
	struct asked first, again;

	attach(kit, kit_node(kit, 0), "keys");
	first = publish(kit, kit_node(kit, 0), "keys", "\"a\"", "k 1");
	again = publish(kit, kit_node(kit, 1), "keys", "\"b\"", "k 1");
	assert_false(first.duplicate);
	assert_true(again.duplicate);
	assert_int_equal(again.newest.seq, first.newest.seq);
	assert_string_equal(again.newest.epoch, first.newest.epoch);
	assert_int_equal(publish(kit, kit_node(kit, 1), "keys", "1", "k 2").newest.seq, 2);
	assert_int_equal(publish(kit, kit_node(kit, 1), "keys2", "1", "k 1").newest.seq, 1); /* scope: the channel */
	KIT_WAIT(kit, node_newest(kit_node(kit, 0), "keys") == 2);
	assert_int_equal(node_count(kit_node(kit, 0), NEWS_MESSAGE, "keys"), 2);
	again = range(kit, kit_node(kit, 0), "keys", 1, 2, 10, 1000);
	assert_string_equal(again.data, "\"a\"");
	assert_string_equal(again.key, "k 1");
}

static void retention(void **state)
{
	struct kit *kit = *state;
	struct asked got;

	publish(kit, kit_node(kit, 0), "kept", "1", "gone");
	for (int i = 0; i < 119; i++)
		publish(kit, kit_node(kit, 0), "kept", "1", i == 118 ? "stays" : NULL);
	got = range(kit, kit_node(kit, 1), "kept", 1, 1000, 1000, 1u << 20);
	assert_int_equal(got.newest.seq, 120);
	assert_int_equal(got.first, 21);
	assert_int_equal(got.count, 100);
	assert_int_equal(got.seqs[0], 21);
	assert_int_equal(got.seqs[99], 120);
	assert_true(publish(kit, kit_node(kit, 1), "kept", "1", "stays").duplicate);
	assert_int_equal(publish(kit, kit_node(kit, 1), "kept", "1", "gone").newest.seq, 121); /* as long as its message */
}

static void retention_by_bytes(void **state)
{
	struct kit *kit = *state;
	static char large[100 * 1024];
	struct asked got;

	memset(large, '1', sizeof(large) - 1);
	kit->config.retention_bytes = 512u * 1024;
	for (int i = 0; i < 10; i++)
		publish(kit, kit_node(kit, 0), "bytes", large, NULL);
	kit->config.retention_bytes = 64u << 20;
	got = range(kit, kit_node(kit, 0), "bytes", 1, 10, 1000, 10u << 20);
	assert_int_equal(got.first, 6);
	assert_int_equal(got.count, 5);
	assert_int_equal(got.bytes, 5 * (sizeof(large) - 1));
}

static void ranges(void **state)
{
	static const struct {
		uint64_t from, to;
		size_t max_count, max_bytes;
		uint64_t first;
		size_t count;
	} rows[] = {
		{ 1, 10, 100, 1000, 1, 10 }, { 3, 5, 100, 1000, 3, 3 }, { 3, 9, 2, 1000, 3, 2 }, { 1, 10, 100, 25, 1, 2 },
		{ 1, 10, 100, 30, 1, 3 }, { 4, 10, 100, 1, 4, 1 }, { 10, UINT64_MAX, 100, 1000, 10, 1 },
		{ 11, 20, 100, 1000, 0, 0 }, { UINT64_MAX, UINT64_MAX, 5, 1000, 0, 0 },
	};
	struct kit *kit = *state;
	struct asked got = range(kit, kit_node(kit, 0), "range", 1, 10, 10, 1000);

	assert_int_equal(got.count, 0);
	assert_int_equal(got.newest.seq, 0);
	assert_int_equal(got.first, 1);
	for (int i = 0; i < 10; i++)
		publish(kit, kit_node(kit, 0), "range", "\"12345678\"", NULL); /* 10 bytes */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = range(kit, kit_node(kit, 1), "range", rows[i].from, rows[i].to, rows[i].max_count, rows[i].max_bytes);
		assert_int_equal(got.status, HUB_OK);
		assert_int_equal(got.newest.seq, 10);
		assert_int_equal(got.count, rows[i].count);
		for (size_t k = 0; k < got.count; k++)
			assert_int_equal(got.seqs[k], rows[i].first + k);
	}
}

/* Attached in the middle of it: what the answer does not cover comes, each once. */
static void attach_amid_publishing(void **state)
{
	enum { COUNT = 300 };
	struct kit *kit = *state;
	static struct asked asked[COUNT];
	struct asked at[KIT_NODES];

	for (int i = 0; i < COUNT; i++) {
		ask_publish(kit_node(kit, (unsigned)i), &asked[i], "amid", "7", NULL);
		if (i == COUNT / 3)
			at[0] = attach(kit, kit_node(kit, 0), "amid");
		if (i == COUNT / 2 && kit->node_count > 1)
			at[1] = attach(kit, kit_node(kit, 1), "amid");
	}
	for (unsigned n = 0; n < kit->node_count; n++) {
		KIT_WAIT(kit, node_newest(kit_node(kit, n), "amid") == COUNT);
		node_check_order(kit_node(kit, n), "amid", at[n].newest.seq + 1);
		assert_int_equal(node_count(kit_node(kit, n), NEWS_MESSAGE, "amid"), COUNT - at[n].newest.seq);
		assert_int_equal(node_count(kit_node(kit, n), NEWS_EPOCH, "amid"), 0);
	}
	for (int i = 0; i < COUNT; i++)
		KIT_WAIT(kit, asked[i].done);
}

static void detach(void **state)
{
	struct kit *kit = *state;
	struct node *node = kit_node(kit, 0);

	attach(kit, node, "off");
	attach(kit, node, "barrier");
	publish(kit, kit_node(kit, 1), "off", "1", NULL);
	KIT_WAIT(kit, node_newest(node, "off") == 1);
	node->ops->detach(node->store, "off");
	publish(kit, kit_node(kit, 1), "off", "2", NULL);
	publish(kit, kit_node(kit, 1), "barrier", "3", NULL);
	KIT_WAIT(kit, node_newest(node, "barrier") == 1);
	assert_int_equal(node_count(node, NEWS_MESSAGE, "off"), 1);
	assert_int_equal(attach(kit, node, "off").newest.seq, 2);
	publish(kit, kit_node(kit, 1), "off", "3", NULL);
	KIT_WAIT(kit, node_newest(node, "off") == 3);
	assert_int_equal(node_count(node, NEWS_MESSAGE, "off"), 2);
}

static void save(struct node *node, const char *id, const char *user, const char *conn, uint64_t seq, bool ended)
{
	struct session_cursor cursor = { .channel = "c/1", .at = { .epoch = "e1", .seq = seq } };
	struct session_record record = { .count = 1, .cursors = &cursor };

	snprintf(record.id, sizeof(record.id), "%s", id);
	snprintf(record.user, sizeof(record.user), "%s", user);
	node->ops->session_save(node->store, &record, conn, ended, NULL);
}

static void sessions(void **state)
{
	struct kit *kit = *state;
	struct node *a = kit_node(kit, 0), *b = kit_node(kit, 1);
	struct asked got = claim(kit, a, "unknown", "s1", "ann", "c1");

	assert_false(got.resumed);
	save(a, "s1", "ann", "c1", 41, true);
	claim(kit, a, NULL, "barrier1", "", "c0"); /* behind the save */
	got = claim(kit, b, "s1", "s2", "ann", "c2");
	assert_true(got.resumed);
	assert_string_equal(got.user, "ann");
	assert_int_equal(got.cursors, 1);
	assert_string_equal(got.cursor.channel, "c/1");
	assert_string_equal(got.cursor.at.epoch, "e1");
	assert_int_equal(got.cursor.at.seq, 41);
	assert_int_equal(node_count(a, NEWS_TAKEN, "s1"), 0); /* nobody held it */
	assert_false(claim(kit, a, "s1", "s3", "bob", "c3").resumed); /* foreign */
	assert_false(claim(kit, a, "s1", "s4", "", "c3").resumed);
	assert_int_equal(node_count(b, NEWS_TAKEN, "s1"), 0);
}

static void takeover(void **state)
{
	struct kit *kit = *state;
	struct node *a = kit_node(kit, 0), *b = kit_node(kit, 1);
	struct asked got;

	claim(kit, a, NULL, "t1", "ann", "c1");
	save(a, "t1", "ann", "c1", 1, false);
	claim(kit, a, NULL, "barrier2", "", "c0");
	got = claim(kit, b, "t1", "t2", "ann", "c2");
	assert_true(got.resumed);
	assert_int_equal(got.cursor.at.seq, 1);
	KIT_WAIT(kit, node_count(a, NEWS_TAKEN, "t1") == 1);
	assert_string_equal(a->seen[a->seen_count - 1].text, "c2");
	save(a, "t1", "ann", "c1", 99, true); /* not his any more */
	save(b, "t1", "ann", "c2", 2, false);
	claim(kit, b, NULL, "barrier3", "", "c0");
	got = claim(kit, b, "t1", "t3", "ann", "c3"); /* on the same node */
	assert_true(got.resumed);
	assert_int_equal(got.cursor.at.seq, 2);
	KIT_WAIT(kit, node_count(b, NEWS_TAKEN, "t1") == 1 + (a == b));
	claim(kit, a, "t1", "t4", "ann", "c4");
	KIT_WAIT(kit, node_count(b, NEWS_TAKEN, "t1") == 2 + (a == b));
	assert_int_equal(node_count(a, NEWS_TAKEN, "t1"), a == b ? 3 : 1);
}

/* session_ttl after it ended it is unknown; one that is in use lives on. */
static void session_ttl(void **state)
{
	struct kit *kit = *state;
	struct node *node = kit_node(kit, 0);
	double until;

	kit->config.session_ttl_s = 3;
	claim(kit, node, NULL, "short", "ann", "c1");
	claim(kit, node, NULL, "used", "ann", "c2");
	save(node, "short", "ann", "c1", 1, true);
	until = kit_clock_s() + 5;
	KIT_WAIT(kit, kit_clock_s() > until); /* nothing else makes time pass */
	assert_false(claim(kit, kit_node(kit, 1), "short", "short2", "ann", "c3").resumed);
	assert_true(claim(kit, kit_node(kit, 1), "used", "used2", "ann", "c4").resumed);
	kit->config.session_ttl_s = 300;
}

static void large(void **state)
{
	enum { SIZE = 3 << 20 };
	struct kit *kit = *state;
	char *data = malloc(SIZE + 1);

	memset(data, '1', SIZE);
	data[SIZE] = '\0';
	attach(kit, kit_node(kit, 0), "large");
	assert_int_equal(publish(kit, kit_node(kit, 1), "large", data, NULL).status, HUB_OK);
	KIT_WAIT(kit, node_newest(kit_node(kit, 0), "large") == 1);
	assert_string_equal(kit_node(kit, 0)->seen[kit_node(kit, 0)->seen_count - 1].text, data);
	assert_int_equal(range(kit, kit_node(kit, 1), "large", 1, 1, 1, 1).bytes, SIZE);
	free(data);
}

static int with_memory(void **state)
{
	static struct kit kit;

	*state = &kit;
	return kit_setup(&kit, &store_memory, NULL);
}

static int with_redis(void **state)
{
	static struct kit kit;

	*state = &kit;
	return kit_setup(&kit, &store_redis, redis_options);
}

static int teardown(void **state)
{
	kit_teardown(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence), cmocka_unit_test(order_of_one_publisher), cmocka_unit_test(idempotency),
		cmocka_unit_test(retention), cmocka_unit_test(retention_by_bytes), cmocka_unit_test(ranges),
		cmocka_unit_test(attach_amid_publishing), cmocka_unit_test(detach), cmocka_unit_test(sessions),
		cmocka_unit_test(takeover), cmocka_unit_test(session_ttl), cmocka_unit_test(large),
	};
	int failed = cmocka_run_group_tests_name("memory", tests, with_memory, teardown);

	return failed + cmocka_run_group_tests_name("redis", tests, with_redis, teardown);
}
