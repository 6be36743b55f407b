/* Whatever the user does to a proxy takes hold at once, also on open connections, or is refused and changes nothing. */
#include "harness/proxy/test_bed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/base/clock.h"

enum { ROUND = 64 };

static void test_kill(void **state)
{
	struct bed b;
	int client[3], server[3];
	struct err e;
	struct proxy_counters n;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	for (int i = 0; i < 3; i++)
		bed_pair(&b, &client[i], &server[i]);
	assert_int_equal(bed_count(&b), 3);
	bed_send(&b, client[0], "abc", 3);
	bed_expect(&b, server[0], "abc", "");
	assert_int_equal(proxy_kill(b.proxy, 1, true, &e), 0);
	assert_int_equal(proxy_kill(b.proxy, 2, false, &e), 0);
	assert_int_equal(proxy_kill(b.proxy, 2, false, &e), -ENOENT);
	assert_string_equal(e.text, "p has no connection 2");
	bed_expect(&b, client[0], "", "rst");
	bed_expect(&b, server[0], "", "rst");
	bed_expect(&b, client[1], "", "fin");
	bed_expect(&b, server[1], "", "fin");
	bed_expect_event(&b, "end 1 by=user how=kill upstream=3 downstream=0");
	bed_send(&b, client[2], "still here", 10);
	bed_expect(&b, server[2], "still here", "");
	proxy_count(b.proxy, &n);
	assert_int_equal(n.ended_user, 2);
	assert_int_equal(n.open, 1);
	assert_int_equal(n.accepted, 3);
	for (int i = 0; i < 3; i++) {
		bed_close(&client[i]);
		bed_close(&server[i]);
	}
	bed_fini(&b);
}

static void take_upstream(void *owner, const struct proxy_connection *c)
{
	*(uint64_t *)owner = c->octets[UPSTREAM];
}

/* What was passed on, and nobody has read yet, comes before the FIN; in a pipe as in memory. */
static void test_fin_comes_last(void **state)
{
	static uint8_t piece[1 << 16];
	(void)state;
	for (int toxic = 0; toxic < 2; toxic++) {
		struct bed b;
		struct err e;
		int client, server, still = 0;
		uint64_t passed = 0, got = 0;
		bed_init(&b, 1);
		bed_proxy(&b, NULL);
		if (toxic)
			bed_none(&b);
		bed_pair(&b, &client, &server);
		while (still < ROUND) {
			still = send(client, piece, sizeof(piece), MSG_NOSIGNAL) > 0 ? 0 : still + 1;
			bed_turn(&b);
		}
		assert_true(proxy_connection_find(b.proxy, 1, take_upstream, &passed));
		assert_int_equal(proxy_kill(b.proxy, 1, false, &e), 0);
		for (ssize_t n = 1; n != 0; got += n > 0 ? (uint64_t)n : 0) {
			n = recv(server, piece, sizeof(piece), 0);
			assert_true(n >= 0 || errno == EAGAIN);
			bed_turn(&b);
		}
		assert_int_equal(got, passed);
		bed_close(&client);
		bed_close(&server);
		bed_fini(&b);
	}
}

/* Who takes a little now and then keeps an ended connection no longer than others: it is cut, and knows. */
static void test_linger_is_over(void **state)
{
	enum { SENT = 12 << 20, PIECE = 512 << 10, PAUSE_US = 250000 };
	static uint8_t piece[PIECE];
	struct bed b;
	struct err e;
	int client, server, room = PIECE;
	size_t got = 0;
	ssize_t n = 1;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	bed_pair(&b, &client, &server);
	setsockopt(client, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	struct toxic *t = bed_toxic(&b, "latency", "latency=1h", STREAM_DOWN, 0);
	for (size_t sent = 0; sent < SENT; sent += PIECE)
		bed_send(&b, server, piece, PIECE);
	proxy_toxic_remove(b.proxy, t); /* now it lies in the proxy */
	assert_int_equal(proxy_kill(b.proxy, 1, false, &e), 0);
	for (uint64_t next_us = 0; n; bed_turn(&b)) {
		if (clock_now_us() < next_us)
			continue;
		next_us = clock_now_us() + PAUSE_US;
		for (size_t left = PIECE; left && (n = recv(client, piece, left, 0)) > 0; left -= (size_t)n)
			got += (size_t)n;
		if (n < 0 && errno == ECONNRESET)
			break;
	}
	assert_int_equal(n, -1);
	assert_true(got < SENT);
	bed_close(&client);
	bed_close(&server);
	bed_fini(&b);
}

static void test_disable_enable(void **state)
{
	struct bed b;
	int client, server;
	char was[PROXY_ADDRESS_MAX];
	struct err e;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	snprintf(was, sizeof(was), "%s", proxy_listen(b.proxy));
	bed_pair(&b, &client, &server);
	proxy_disable(b.proxy);
	proxy_disable(b.proxy);
	assert_false(proxy_enabled(b.proxy));
	assert_int_equal(bed_count(&b), 0);
	bed_expect(&b, client, "", "fin");
	bed_expect(&b, server, "", "fin");
	bed_close(&client);
	bed_close(&server);
	assert_int_equal(proxy_enable(b.proxy, &e), 0);
	assert_int_equal(proxy_enable(b.proxy, &e), 0);
	assert_string_equal(proxy_listen(b.proxy), was);
	bed_pair(&b, &client, &server);
	bed_play(&b, &client, &server, "c>again s<again s>yes c<yes");
	assert_string_equal(buf_cstr(&b.events),
			    "listen\nopen 1\nend 1 by=user how=stop upstream=0 downstream=0\nstop\nlisten\nopen 2\n");
	bed_close(&client);
	bed_close(&server);
	bed_fini(&b);
}

static void test_change(void **state)
{
	struct bed b, other;
	int client, server;
	char was[PROXY_ADDRESS_MAX];
	struct err e;
	(void)state;
	bed_init(&b, 1);
	bed_init(&other, 1);
	bed_proxy(&b, NULL);
	bed_proxy(&other, NULL);
	bed_pair(&b, &client, &server);
	snprintf(was, sizeof(was), "%s", proxy_listen(b.proxy));
	/* What fails changes nothing. */
	assert_int_equal(proxy_change(b.proxy, proxy_listen(other.proxy), "127.0.0.1:9", true, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "cannot listen on 127.0.0.1:"));
	assert_int_equal(proxy_change(b.proxy, "127.0.0.1:0", "nonsense", true, &e), -EINVAL);
	assert_int_equal(proxy_change(b.proxy, "127.0.0.1:99999", NULL, false, &e), -EINVAL);
	/* So does what is there already, also in other words. */
	assert_int_equal(proxy_change(b.proxy, NULL, NULL, true, &e), 0);
	assert_int_equal(proxy_change(b.proxy, was, proxy_upstream(b.proxy), true, &e), 0);
	assert_string_equal(proxy_listen(b.proxy), was);
	bed_play(&b, &client, &server, "c>here s<here");
	/* Another upstream and another port. */
	bed_turn(&other);
	assert_int_equal(proxy_change(b.proxy, "127.0.0.1:0", proxy_upstream(other.proxy), true, &e), 0);
	assert_string_not_equal(proxy_listen(b.proxy), was);
	bed_expect(&b, client, "", "fin");
	bed_close(&client);
	bed_close(&server);
	client = bed_connect(&b);
	while ((server = accept4(other.upstream, NULL, NULL, SOCK_NONBLOCK)) < 0)
		bed_turn(&b);
	bed_play(&b, &client, &server, "c>hi s<hi");
	bed_close(&client);
	bed_close(&server);
	bed_fini(&b);
	bed_fini(&other);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *name, *listen, *upstream;
		int error;
		const char *words;
	} rows[] = {
		{"p", "127.0.0.1:0", "127.0.0.1:9", -EEXIST, "named p already"},
		{"", "127.0.0.1:0", "127.0.0.1:9", -EINVAL, "a name of 1 to 128"},
		{"a/b", "127.0.0.1:0", "127.0.0.1:9", -EINVAL, "no '/'"},
		{"a\n", "127.0.0.1:0", "127.0.0.1:9", -EINVAL, "no control characters"},
		{"q", "127.0.0.1", "127.0.0.1:9", -EINVAL, "has no port"},
		{"q", "127.0.0.1:65536", "127.0.0.1:9", -EINVAL, "has no port"},
		{"q", "127.0.0.1:-1", "127.0.0.1:9", -EINVAL, "has no port"},
		{"q", "::1:80", "127.0.0.1:9", -EINVAL, "stands in brackets"},
		{"q", "[zz]:80", "127.0.0.1:9", -EINVAL, "no IPv6 address in the brackets"},
		{"q", "a b:80", "127.0.0.1:9", -EINVAL, "is not \"host:port\""},
		{"q", "127.0.0.1:0", "127.0.0.1:0", -EINVAL, "a port other than 0"},
		{"q", "127.0.0.1:0", ":80", -EINVAL, "needs a host"},
		{"q", "127.0.0.1:0", "", -EINVAL, "has no port"},
		{"q", "192.0.2.1:0", "127.0.0.1:9", -EADDRNOTAVAIL, "cannot listen on 192.0.2.1:0"},
		{"q", "no-such-host.invalid:0", "127.0.0.1:9", -EHOSTUNREACH, "cannot resolve"},
	};
	struct bed b;
	struct err e;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proxy_options o = {.name = rows[i].name, .listen = rows[i].listen, .upstream = rows[i].upstream,
					  .enabled = true};
		struct proxy *p = NULL;
		int r = proxy_new(b.set, &o, &p, &e);
		if (r != rows[i].error || p || !strstr(e.text, rows[i].words))
			fail_msg("row %zu: %d '%s'", i, r, e.text);
	}
	struct proxy_options used = {.name = "q", .listen = proxy_listen(b.proxy), .upstream = "127.0.0.1:9", .enabled = true};
	assert_int_equal(proxy_new(b.set, &used, NULL, &e), -EADDRINUSE);
	used.enabled = false; /* then it is only noted */
	assert_int_equal(proxy_new(b.set, &used, NULL, &e), 0);
	assert_int_equal(proxy_enable(proxies_find(b.set, "q"), &e), -EADDRINUSE);
	assert_int_equal(proxies_count(b.set), 2);
	bed_fini(&b);
}

static void test_names(void **state)
{
	struct bed b;
	int client, server;
	struct err e;
	char upstream[64];
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	snprintf(upstream, sizeof(upstream), "localhost%s", strrchr(proxy_upstream(b.proxy), ':'));
	assert_int_equal(proxy_change(b.proxy, "localhost:0", upstream, true, &e), 0);
	bed_pair(&b, &client, &server); /* perhaps ::1 first, which refuses */
	bed_play(&b, &client, &server, "c>abc s<abc");
	bed_close(&client);
	bed_close(&server);
	assert_int_equal(proxy_change(b.proxy, ":0", NULL, true, &e), 0); /* every address, IPv4 too */
	bed_pair(&b, &client, &server);
	bed_play(&b, &client, &server, "c>abc s<abc");
	bed_close(&client);
	bed_close(&server);
	assert_int_equal(proxy_change(b.proxy, NULL, "no-such-host.invalid:80", true, &e), 0);
	client = bed_connect(&b);
	bed_expect(&b, client, "", "rst");
	bed_expect_event(&b, "end 3 by=server how=unresolved upstream=0 downstream=0");
	bed_close(&client);
	bed_fini(&b);
}

/* Toxics on open connections --------------------------------------------------------------------------------------- */

static void test_toxic_at_once(void **state)
{
	struct bed b;
	int client, server;
	uint64_t start;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	bed_pair(&b, &client, &server);
	bed_play(&b, &client, &server, "c>one s<one");
	struct toxic *t = bed_toxic(&b, "latency", "latency=60ms", STREAM_UP, 0);
	start = clock_now_us();
	bed_play(&b, &client, &server, "c>two s<two");
	assert_true(clock_now_us() - start >= 60000);
	bed_send(&b, client, "held", 4);
	for (int i = 0; i < ROUND; i++)
		bed_turn(&b);
	proxy_toxic_remove(b.proxy, t); /* lets go */
	bed_play(&b, &client, &server, "s<held s>three c<three");
	bed_toxic(&b, "latency", "latency=1h", STREAM_UP, 30); /* goes by itself */
	start = clock_now_us();
	bed_play(&b, &client, &server, "c>four s<four");
	assert_true(clock_now_us() - start >= 29000);
	assert_null(proxy_toxics(b.proxy)->first);
	bed_toxic(&b, "reset_peer", "", 0, 0);
	bed_expect(&b, client, "", "rst");
	bed_expect(&b, server, "", "rst");
	bed_expect_event(&b, "end 1 by=toxic how=rst upstream=14 downstream=5");
	bed_close(&client);
	bed_close(&server);
	bed_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill),           cmocka_unit_test(test_fin_comes_last),
		cmocka_unit_test(test_linger_is_over),
		cmocka_unit_test(test_disable_enable), cmocka_unit_test(test_change),
		cmocka_unit_test(test_refusals),       cmocka_unit_test(test_names),
		cmocka_unit_test(test_toxic_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
