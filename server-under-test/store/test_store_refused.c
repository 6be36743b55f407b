/* A Redis that refuses, answers nonsense, wants a password, or cannot be reached at all. */
#include "server-under-test/store/test_store_kit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const snapshot[] = { "--save", "", "--appendonly", "no", NULL };
static const char *const secret[] = { "--save", "", "--requirepass", "open sesame", NULL };

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

static void refused(void **state)
{
	struct kit *kit = *state;
	struct asked gap;
	char event[64];

	redis_ask(kit, "CONFIG SET maxmemory 1");
	assert_int_equal(publish(kit, &kit->nodes[0], "full", "1", NULL).status, HUB_UNAVAILABLE);
	assert_true(both(kit, true));
	redis_ask(kit, "CONFIG SET maxmemory 0");
	assert_int_equal(publish(kit, &kit->nodes[0], "full", "1", NULL).newest.seq, 1);
	redis_ask(kit, "REPLICAOF 127.0.0.1 1");
	assert_int_equal(publish(kit, &kit->nodes[0], "full", "2", NULL).status, HUB_UNAVAILABLE);
	KIT_WAIT(kit, !kit->nodes[0].up);
	redis_ask(kit, "REPLICAOF NO ONE");
	KIT_WAIT(kit, both(kit, true));
	assert_int_equal(publish(kit, &kit->nodes[0], "full", "2", NULL).newest.seq, 2);
	/* What has another type than it should is refused, not guessed at. */
	redis_ask(kit, "SET test:{odd}:h 1");
	assert_int_equal(publish(kit, &kit->nodes[0], "odd", "1", NULL).status, HUB_UNAVAILABLE);
	assert_int_equal(attach(kit, &kit->nodes[0], "odd").status, HUB_UNAVAILABLE);
	redis_ask(kit, "HSET test:session:{odd} user ann conn c record nonsense");
	assert_int_equal(claim(kit, &kit->nodes[0], "odd", "odd2", "ann", "c9").status, HUB_UNAVAILABLE);
	redis_ask(kit, "PUBLISH test:takeovers 99999");
	redis_ask(kit, "PUBLISH test:takeovers %s", "5 5 abc");
	attach_both(kit, "noise");
	redis_ask(kit, "PUBLISH test:{noise}:e %s", "m e1 18446744073709551616 1 1 ab");
	redis_ask(kit, "PUBLISH test:{noise}:e %s", "m no-epoch 1 1 99 a");
	redis_ask(kit, "PUBLISH test:{noise}:e %s", "e");
	redis_ask(kit, "PUBLISH test:{noise}:e %s", "m other 7 1 0 1"); /* an epoch that is not the stream's: nothing */
	/* An event that leaves a gap only says "look": what the stream does not hold is never handed over. */
	gap = range(kit, &kit->nodes[0], "noise", 1, 1, 1, 1);
	snprintf(event, sizeof(event), "m %s 3 1 0 1", gap.newest.epoch);
	redis_ask(kit, "PUBLISH test:{noise}:e %s", event);
	publish(kit, &kit->nodes[1], "noise", "1", NULL);
	KIT_WAIT(kit, both_at(kit, "noise", 1));
	node_check_order(&kit->nodes[0], "noise", 1);
	assert_int_equal(node_count(&kit->nodes[0], NEWS_EPOCH, "noise"), 0);
	assert_true(both(kit, true));
}

static void password(void **state)
{
	struct kit *kit = *state;
	char path[96];
	struct store_sink sink = { 0 };
	struct store *store;
	struct err err = { 0 };
	FILE *file;

	snprintf(path, sizeof(path), "%s/password", kit->folder);
	kit->password = "open sesame";
	kit->config.redis_password_file = path;
	assert_int_equal(store_redis.start(&store, kit->loop, &kit->config, &sink, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	file = fopen(path, "w");
	fputs("wrong\n", file);
	fclose(file);
	sink.arg = &kit->nodes[0]; /* whose `up` is NULL: it would crash */
	assert_int_equal(store_redis.start(&store, kit->loop, &kit->config, &sink, &err), 0);
	KIT_WAIT(kit, redis_ask(kit, "ACL LOG") > 0);
	store_redis.stop(store);
	file = fopen(path, "w");
	fputs("open sesame\n", file);
	fclose(file);
	kit_node_start(kit, &kit->nodes[0]);
	assert_int_equal(publish(kit, &kit->nodes[0], "secret", "1", NULL).newest.seq, 1);
	kit_node_stop(&kit->nodes[0]);
}

static void addresses(void **state)
{
	static const char *const bad[] = { "", "unix:", "localhost", "localhost:", ":6379", "h:0", "h:65536", "h:1x",
					   "::1:6379", "[]:1", "h:-1" };
	static const char *const good[] = { "localhost:1", "[::1]:1", "127.0.0.1:1", "no-such-name.invalid:1", "unix:/x" };
	struct config config = { .redis_prefix = "x", .redis_timeout_s = 1, .retention_messages = 1 };
	struct store_sink sink = { 0 }; /* up would crash */
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct store *store;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config.redis_address = bad[i];
		assert_int_equal(store_redis.start(&store, loop, &config, &sink, &err), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		config.redis_address = good[i];
		assert_int_equal(store_redis.start(&store, loop, &config, &sink, &err), 0);
		for (int turns = 0; turns < 5; turns++)
			ev_run(loop, EVRUN_ONCE);
		store_redis.stop(store);
	}
	ev_loop_destroy(loop);
}

static int with_secret(void **state)
{
	static struct kit kit;

	*state = &kit;
	return kit_setup_alone(&kit, &store_redis, secret);
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
		cmocka_unit_test_setup_teardown(refused, with_snapshot, teardown),
		cmocka_unit_test_setup_teardown(password, with_secret, teardown),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
