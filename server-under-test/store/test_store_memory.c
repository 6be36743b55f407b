/* What only the memory store decides: keys as long as their message, what is forgotten when there is too much, sessions. */
#include "server-under-test/hub/test_hub.h"

#include "server-under-test/store/store_memory.h"

#include <stdlib.h>

static struct bench bench;
static struct subscriber a;
static struct asker p;

static int setup(void **state)
{
	(void)state;
	bench_init(&bench, &store_memory);
	subscriber_init(&a, &bench);
	p = (struct asker){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hub_unsubscribe(&a.subscription);
	bench_fini(&bench);
	return 0;
}

static void test_keys(void **state)
{
	static const struct {
		const char *channel, *data, *key;
		uint64_t seq;
	} rows[] = {
		{ "c", "1", "K", 1 },	  { "c", "1", "K", 1 },	 { "c", "2", "K", 1 }, /* even if the data differs */
		{ "c", "1", "L", 2 },	  { "c", "1", "", 3 },	 { "c", "1", "", 4 },
		{ "other", "1", "K", 1 }, { "c", "1", "L", 2 },	 { "c", "1", "k", 5 },
		{ "c", "1", "K", 1 }, /* 1 to 5 are kept */
		{ "c", "1", "", 6 }, /* 1 goes, and its key with it */
		{ "c", "1", "L", 2 },	  { "c", "1", "K", 7 }, /* new; 2 goes */
		{ "c", "1", "L", 8 },	  { "c", "1", "K", 7 },
	};
	uint64_t newest = 0;

	(void)state;
	subscribe(&a, "c", NULL, 0, 0);
	a.words[0] = '\0';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool fresh = strcmp(rows[i].channel, "c") == 0 && rows[i].seq > newest;
		char text[24] = "";

		publish(&bench, &p, rows[i].channel, rows[i].data, rows[i].key);
		assert_int_equal(p.seq, rows[i].seq);
		if (fresh)
			snprintf(text, sizeof(text), "%llu", (unsigned long long)(newest = rows[i].seq));
		expect(&a, text); /* nothing is delivered twice */
	}
}

/* Also after the channel has left the hub, and for keys with any octets. */
static void test_key_octets(void **state)
{
	static const char key[] = "a\0b";
	char longest[KEY_MAX];

	(void)state;
	memset(longest, 0xff, sizeof(longest));
	for (unsigned i = 0; i < 2; i++) {
		hub_publish(bench.hub, &p.op, text_from("c"), text_from("1"), text_of(key, 3), on_published);
		assert_int_equal(p.seq, 1);
		hub_publish(bench.hub, &p.op, text_from("c"), text_from("1"), text_of(key, 1), on_published);
		assert_int_equal(p.seq, 2);
		hub_publish(bench.hub, &p.op, text_from("c"), text_from("1"), text_of(longest, KEY_MAX), on_published);
		assert_int_equal(p.seq, 3);
	}
}

/* Too many channels: the least recently used goes and comes back in another epoch; one with a subscriber never goes. */
static void test_channels_max(void **state)
{
	char first[EPOCH_MAX + 1], second[EPOCH_MAX + 1];

	(void)state;
	subscribe(&a, "held", NULL, 0, 0);
	publish(&bench, &p, "first", "1", "K");
	memcpy(first, p.epoch, sizeof(first));
	publish(&bench, &p, "second", "1", "K");
	memcpy(second, p.epoch, sizeof(second));
	publish(&bench, &p, "first", "1", NULL);
	for (unsigned i = 0; i < MEMORY_CHANNELS_MAX - 2; i++) {
		char name[24];

		snprintf(name, sizeof(name), "n%u", i);
		publish(&bench, &p, name, "1", NULL);
	}
	publish(&bench, &p, "first", "1", NULL);
	assert_int_equal(p.seq, 3);
	assert_string_equal(p.epoch, first);
	publish(&bench, &p, "second", "1", "K");
	assert_int_equal(p.seq, 1);
	assert_string_not_equal(p.epoch, second);
	publish(&bench, &p, "held", "1", NULL);
	expect(&a, "S0 1");
}

/* A session answer, as words: "new", or "resumed" and its cursors as c=E:7. */
struct claimer {
	struct store_op op;
	char words[256];
};

static void on_claimed(struct store_op *op, const struct store_answer *answer)
{
	struct claimer *claimer = (struct claimer *)op;
	size_t len;

	assert_int_equal(answer->status, HUB_OK);
	snprintf(claimer->words, sizeof(claimer->words), answer->resumed ? "resumed" : "new");
	for (unsigned i = 0; answer->resumed && i < answer->session->count; i++) {
		const struct session_cursor *cursor = &answer->session->cursors[i];

		len = strlen(claimer->words);
		snprintf(claimer->words + len, sizeof(claimer->words) - len, " %s=%s:%llu", cursor->channel,
			 cursor->at.epoch, (unsigned long long)cursor->at.seq);
	}
}

static void claim(const char *wanted, const char *fresh, const char *user, const char *conn, const char *words)
{
	struct claimer claimer = { .op.done = on_claimed };

	hub_session_claim(bench.hub, wanted, fresh, user, conn, &claimer.op);
	assert_string_equal(claimer.words, words);
}

static void save(const char *id, const char *conn, uint64_t seq, bool ended)
{
	struct session_cursor cursors[] = {
		{ .channel = "c", .at = { "E", seq } },
		{ .channel = "d", .at = { "F", 1 } },
	};
	struct session_record record = { .count = 2, .cursors = cursors };

	snprintf(record.id, sizeof(record.id), "%s", id);
	hub_session_save(bench.hub, &record, conn, ended, NULL);
}

static struct watcher {
	struct hub_watch watch;
	char words[256];
	bool saves; /* a last time, when taken over */
} watcher;

static void on_taken_over(struct hub_watch *watch, const char *session, const char *by_conn)
{
	struct watcher *w = (struct watcher *)watch;
	size_t len = strlen(w->words);

	snprintf(w->words + len, sizeof(w->words) - len, "%s by %s;", session, by_conn);
	if (w->saves)
		save(session, "conn2", 77, true);
}

static void test_sessions(void **state)
{
	(void)state;
	watcher = (struct watcher){ .watch.taken_over = on_taken_over };
	hub_watch_add(bench.hub, &watcher.watch);
	claim(NULL, "s1", "ann", "conn1", "new");
	claim("unknown", "s2", "ann", "conn9", "new");
	save("s1", "conn1", 4, false);
	save("s1", "conn1", 5, true);
	save("s1", "conn1", 6, true); /* conn1 holds it no more */
	claim("s1", "s3", "bob", "conn3", "new"); /* another user's is unknown */
	claim("s1", "s4", "", "conn3", "new");
	claim("s1", "s5", "ann", "conn2", "resumed c=E:5 d=F:1");
	assert_string_equal(watcher.words, "");
	save("s1", "conn1", 6, false);
	watcher.saves = true;
	claim("s1", "s5", "ann", "conn4", "resumed c=E:77 d=F:1"); /* while held */
	assert_string_equal(watcher.words, "s1 by conn4;");
	save("s1", "conn2", 9, true); /* too late */
	save("unknown", "conn2", 9, true);
	watcher.saves = false;
	claim("s1", "s5", "ann", "conn5", "resumed c=E:77 d=F:1");
	assert_string_equal(watcher.words, "s1 by conn4;s1 by conn5;");
	hub_watch_remove(bench.hub, &watcher.watch);
}

/* session_ttl runs from the end on, not while it is held. */
static void test_session_ttl(void **state)
{
	(void)state;
	bench.config.session_ttl_s = 0;
	claim(NULL, "s1", "", "conn1", "new");
	save("s1", "conn1", 5, false);
	claim("s1", "s2", "", "conn2", "resumed c=E:5 d=F:1");
	save("s1", "conn2", 5, true);
	claim("s1", "s2", "", "conn3", "new");
}

/* Bounded by their number and by what they hold; who ended first goes first. */
static void test_sessions_max(void **state)
{
	struct session_cursor *cursors = calloc(SESSION_CHANNELS_MAX, sizeof(*cursors));
	struct session_record record = { .count = SESSION_CHANNELS_MAX, .cursors = cursors };
	unsigned fit = MEMORY_ENDED_CURSORS_MAX / SESSION_CHANNELS_MAX;
	char id[24];

	(void)state;
	assert_non_null(cursors);
	for (unsigned i = 0; i <= MEMORY_ENDED_MAX; i++) {
		snprintf(id, sizeof(id), "s%u", i);
		claim(NULL, id, "", "conn", "new");
		snprintf(record.id, sizeof(record.id), "%s", id);
		record.count = 0;
		hub_session_save(bench.hub, &record, "conn", true, NULL);
	}
	claim("s0", "x", "", "conn", "new");
	claim("s1", "x1", "", "conn", "resumed");
	for (unsigned i = 0; i <= fit; i++) {
		snprintf(record.id, sizeof(record.id), "t%u", i);
		claim(NULL, record.id, "", "conn", "new");
		record.count = SESSION_CHANNELS_MAX;
		hub_session_save(bench.hub, &record, "conn", true, NULL);
	}
	claim("t0", "x2", "", "conn", "new");
	snprintf(id, sizeof(id), "s%u", MEMORY_ENDED_MAX);
	claim(id, "x3", "", "conn", "new"); /* those before it went first */
	free(cursors);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_keys),     CASE(test_key_octets),  CASE(test_channels_max),
		CASE(test_sessions), CASE(test_session_ttl), CASE(test_sessions_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
