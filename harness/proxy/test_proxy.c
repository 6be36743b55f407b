/*
 * The proxy over real loopback sockets: every octet comes through as it was, endings are what they were, a reader that
 * stops stops the writer, and without descriptors nobody is lost.
 */
#include "harness/proxy/test_bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/base/clock.h"

enum { MUCH = 64 << 20, PIECE_MAX = 200000, ROUND = 64 };

/* Octets, all of them, as they were -------------------------------------------------------------------------------- */

struct way {
	int from, to;
	uint64_t which, sent, got, total;
	struct rng rng;
};

/* Sends a piece of random size and reads one; true when all is through. */
static bool move(struct way *w)
{
	static uint8_t piece[PIECE_MAX], wanted[PIECE_MAX];
	size_t len = 1 + rng_below(&w->rng, rng_below(&w->rng, 4) ? PIECE_MAX : 100);
	len = len < w->total - w->sent ? len : w->total - w->sent;
	bed_pattern(piece, len, w->sent, w->which);
	ssize_t n = len ? send(w->from, piece, len, MSG_NOSIGNAL) : 0;
	assert_true(n >= 0 || errno == EAGAIN);
	w->sent += n > 0 ? (uint64_t)n : 0;
	if (rng_below(&w->rng, 3) == 0)
		return false; /* a reader that is slower at times */
	n = recv(w->to, piece, 1 + rng_below(&w->rng, PIECE_MAX), 0);
	assert_true(n > 0 || (n < 0 && errno == EAGAIN));
	if (n > 0) {
		bed_pattern(wanted, (size_t)n, w->got, w->which);
		if (memcmp(piece, wanted, (size_t)n) != 0)
			fail_msg("octets differ after %llu", (unsigned long long)w->got);
		w->got += (uint64_t)n;
	}
	return w->got == w->total;
}

static void move_all(struct bed *b, int client, int server, uint64_t total, void (*halfway)(struct bed *b))
{
	struct way up = {.from = client, .to = server, .which = 1, .total = total};
	struct way down = {.from = server, .to = client, .which = 2, .total = total};
	rng_init(&up.rng, 1, "up");
	rng_init(&down.rng, 1, "down");
	for (bool done[2] = {false, false}; !done[0] || !done[1]; bed_turn(b)) {
		done[0] = done[0] || move(&up);
		done[1] = done[1] || move(&down);
		if (halfway && up.got > total / 2) {
			halfway(b);
			halfway = NULL;
		}
	}
}

static void put_none_on_and_off(struct bed *b)
{
	struct toxic *t = bed_toxic(b, "none", "", STREAM_BOTH, 0);
	for (int i = 0; i < ROUND; i++)
		bed_turn(b);
	proxy_toxic_remove(b->proxy, t);
}

static void test_identity(void **state)
{
	static const struct {
		const char *name;
		void (*before)(struct bed *b), (*halfway)(struct bed *b);
	} rows[] = {
		{"no toxic", NULL, NULL},
		{"none", bed_none, NULL},
		{"none comes while octets are under way", NULL, bed_none},
		{"none comes and goes", NULL, put_none_on_and_off},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bed b;
		int client, server;
		struct proxy_counters n;
		bed_init(&b, 1);
		bed_proxy(&b, NULL);
		if (rows[i].before)
			rows[i].before(&b);
		bed_pair(&b, &client, &server);
		move_all(&b, client, server, MUCH, rows[i].halfway);
		bed_fin(client);
		bed_expect(&b, server, "", "fin");
		bed_fin(server);
		bed_expect(&b, client, "", "fin");
		bed_expect_event(&b, "end 1 by=client how=fin upstream=67108864 downstream=67108864");
		proxy_count(b.proxy, &n);
		assert_int_equal(n.received[UPSTREAM], MUCH);
		assert_int_equal(n.sent[DOWNSTREAM], MUCH);
		assert_int_equal(n.open, 0);
		assert_int_equal(n.ended_fin, 1);
		bed_close(&client);
		bed_close(&server);
		bed_fini(&b);
	}
}

/* Endings ---------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *script, *end;
} endings[] = {
	{"c>abc c| s<abc| s>xy c<xy s>z s| c<z|", "by=client how=fin upstream=3 downstream=3"},
	{"s>abc s| c<abc| c>xy s<xy c>z c| s<z|", "by=server how=fin upstream=3 downstream=3"},
	{"c| s<| s| c<|", "by=client how=fin upstream=0 downstream=0"},
	{"c! s<!", "by=client how=rst upstream=0 downstream=0"},
	{"s! c<!", "by=server how=rst upstream=0 downstream=0"},
	{"c>abc c! s<abc!", "by=client how=rst upstream=3 downstream=0"},
	{"s>abc s! c<abc!", "by=server how=rst upstream=0 downstream=3"},
	{"c>abc s<abc s>xyz s! c<xyz!", "by=server how=rst upstream=3 downstream=3"},
	{"c| s<| s>abc c<abc s! c<!", "by=server how=rst upstream=0 downstream=3"},
	{"s| c<| c! s<!", "by=client how=rst upstream=0 downstream=0"},
	{"c| s<| c! s<|", NULL}, /* after its FIN; the server learns it when it writes */
	{"c. s<| s>abc s>x s<|", NULL},
};

static void test_endings(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(endings); i++) {
		struct bed b;
		int client, server;
		char line[128];
		bed_init(&b, 1);
		bed_proxy(&b, NULL);
		if (i % 2)
			bed_none(&b);
		bed_pair(&b, &client, &server);
		bed_play(&b, &client, &server, endings[i / 2].script);
		snprintf(line, sizeof(line), "end 1 %s", endings[i / 2].end ? endings[i / 2].end : "");
		if (endings[i / 2].end)
			bed_expect_event(&b, line);
		bed_close(&client);
		bed_close(&server);
		while (bed_count(&b))
			bed_turn(&b);
		bed_fini(&b);
	}
}

/* A server that closes with octets unread sends a RST behind its answer: the client has the answer first. */
static void test_answer_before_rst(void **state)
{
	struct bed b;
	int client, server;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	bed_pair(&b, &client, &server);
	bed_send(&b, client, "a request", 9);
	bed_send(&b, server, "no", 2);
	bed_close(&server); /* "a request" is unread */
	bed_expect(&b, client, "no", "rst");
	bed_expect_event(&b, "end 1 by=server how=rst upstream=9 downstream=2");
	bed_close(&client);
	bed_fini(&b);
}

/* Backpressure ----------------------------------------------------------------------------------------------------- */

static void test_backpressure(void **state)
{
	enum { TRIED = 96 << 20, BOUND = 48 << 20, STILL = 2000 };
	static uint8_t piece[1 << 16];
	(void)state;
	for (int toxic = 0; toxic < 2; toxic++) {
		struct bed b;
		int client, server, still = 0;
		size_t sent = 0, got = 0;
		bed_init(&b, 1);
		bed_proxy(&b, NULL);
		if (toxic)
			bed_none(&b);
		bed_pair(&b, &client, &server);
		while (sent < TRIED && still < STILL) {
			ssize_t n = send(client, piece, sizeof(piece), MSG_NOSIGNAL);
			still = n > 0 ? 0 : still + 1;
			sent += n > 0 ? (size_t)n : 0;
			bed_turn(&b);
		}
		assert_true(sent < BOUND);
		bed_fin(client);
		for (ssize_t n = 1; n != 0; got += n > 0 ? (size_t)n : 0) {
			n = recv(server, piece, sizeof(piece), 0);
			bed_turn(&b);
		}
		assert_int_equal(got, sent);
		bed_close(&client);
		bed_close(&server);
		bed_fini(&b);
	}
}

/* A sender that breaks off while nobody reads what it sent: the other side hears of it at once. */
static void test_rst_against_backpressure(void **state)
{
	static uint8_t piece[1 << 16];
	struct bed b;
	int client, server, still = 0;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	bed_pair(&b, &client, &server);
	while (still < ROUND) {
		still = send(client, piece, sizeof(piece), MSG_NOSIGNAL) > 0 ? 0 : still + 1;
		bed_turn(&b);
	}
	bed_rst(&client);
	while (bed_count(&b))
		bed_turn(&b);
	ssize_t n = 1;
	while (n > 0)
		n = recv(server, piece, sizeof(piece), 0);
	assert_true(n < 0 && errno == ECONNRESET);
	bed_close(&server);
	bed_fini(&b);
}

static void test_upstream_refuses(void **state)
{
	struct bed b;
	int client;
	struct proxy_counters n;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	bed_close(&b.upstream);
	client = bed_connect(&b);
	bed_expect(&b, client, "", "rst");
	bed_expect_event(&b, "end 1 by=server how=refused upstream=0 downstream=0");
	proxy_count(b.proxy, &n);
	assert_int_equal(n.failed, 1);
	assert_int_equal(n.open, 0);
	bed_close(&client);
	bed_fini(&b);
}

/* With octets in a pipe that nobody reads. */
static void test_toxic_on_a_full_pipe(void **state)
{
	static uint8_t piece[1 << 16];
	struct bed b;
	int client, server, still = 0;
	size_t sent = 0, got = 0;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	bed_pair(&b, &client, &server);
	while (still < ROUND) {
		ssize_t n = send(client, piece, sizeof(piece), MSG_NOSIGNAL);
		still = n > 0 ? 0 : still + 1;
		sent += n > 0 ? (size_t)n : 0;
		bed_turn(&b);
	}
	bed_none(&b);
	bed_fin(client);
	for (ssize_t n = 1; n != 0; got += n > 0 ? (size_t)n : 0) {
		n = recv(server, piece, sizeof(piece), 0);
		bed_turn(&b);
	}
	assert_int_equal(got, sent);
	bed_close(&client);
	bed_close(&server);
	bed_fini(&b);
}

/* An urgent octet is an octet like any other, also in the middle of what goes through a pipe. */
static void test_urgent(void **state)
{
	enum { BEFORE = 1 << 20 };
	static uint8_t octets[BEFORE + 4096], wanted[BEFORE + 6];
	struct bed b;
	int client, server;
	size_t sent = 0, got = 0;
	(void)state;
	bed_pattern(wanted, BEFORE, 0, 1);
	memcpy(wanted + BEFORE, "!after", 6);
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	bed_pair(&b, &client, &server);
	while (sent < BEFORE) { /* in one go: the proxy finds much of it, the end too */
		ssize_t n = send(client, wanted + sent, BEFORE - sent, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		if (n < 0)
			bed_turn(&b);
	}
	assert_int_equal(send(client, "!", 1, MSG_OOB), 1);
	assert_int_equal(send(client, "after", 5, 0), 5);
	bed_fin(client);
	for (ssize_t n = 1; n != 0; bed_turn(&b)) {
		n = recv(server, octets + got, sizeof(octets) - got, 0);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(got, sizeof(wanted));
	assert_memory_equal(octets, wanted, sizeof(wanted));
	bed_close(&client);
	bed_close(&server);
	bed_fini(&b);
}

static void test_same_seed(void **state)
{
	char *logs[2];
	(void)state;
	for (int run = 0; run < 2; run++) {
		struct bed b;
		bed_init(&b, 7);
		bed_proxy(&b, NULL);
		bed_toxic(&b, "corrupt", "probability=1%", STREAM_BOTH, 0);
		for (int i = 0; i < 5; i++) {
			int client, server;
			uint8_t octets[5000];
			bed_pattern(octets, sizeof(octets), 0, (uint64_t)i);
			bed_pair(&b, &client, &server);
			bed_send(&b, client, octets, sizeof(octets));
			bed_fin(client);
			for (ssize_t n = 1; n != 0; bed_turn(&b))
				n = recv(server, octets, sizeof(octets), 0);
			bed_fin(server);
			bed_expect(&b, client, "", "fin");
			while (bed_count(&b))
				bed_turn(&b);
			bed_close(&client);
			bed_close(&server);
		}
		logs[run] = strdup(buf_cstr(&b.events));
		bed_fini(&b);
	}
	assert_non_null(strstr(logs[0], "corrupt hit"));
	assert_string_equal(logs[0], logs[1]);
	free(logs[0]);
	free(logs[1]);
}

/* Without descriptors ---------------------------------------------------------------------------------------------- */

static void test_no_descriptors(void **state)
{
	enum { CLIENTS = 6 };
	struct bed b;
	struct rlimit limit, tight;
	int client[CLIENTS], server[CLIENTS];
	struct proxy_counters n;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	for (int i = 0; i < CLIENTS; i++)
		client[i] = bed_connect(&b);
	int next = dup(b.upstream);
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = (rlim_t)next + 3; /* one connection, and a client without an upstream */
	close(next);
	setrlimit(RLIMIT_NOFILE, &tight);
	do {
		bed_turn(&b);
		proxy_count(b.proxy, &n);
	} while (n.accept_pauses < 3);
	assert_true(n.open <= 3);
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < CLIENTS; i++)
		server[i] = bed_accept(&b);
	for (int i = 0; i < CLIENTS; i++) {
		bed_send(&b, server[i], "welcome", 7);
		bed_close(&server[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		bed_expect(&b, client[i], "welcome", "fin");
		bed_close(&client[i]);
	}
	/* Tried again and again, told once. */
	const char *paused = strstr(buf_cstr(&b.events), "pause\n"), *resumed = strstr(buf_cstr(&b.events), "resume\n");
	assert_true(paused && resumed && paused < resumed);
	assert_null(strstr(paused + 1, "pause\n"));
	assert_null(strstr(resumed + 1, "resume\n"));
	bed_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),     cmocka_unit_test(test_endings),
		cmocka_unit_test(test_answer_before_rst), cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_rst_against_backpressure), cmocka_unit_test(test_upstream_refuses),
		cmocka_unit_test(test_urgent), cmocka_unit_test(test_toxic_on_a_full_pipe), cmocka_unit_test(test_same_seed),
		cmocka_unit_test(test_no_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
