/* What toxics ask of the sockets: a sender that is no longer waited for, a RST that is kept, an end in the middle. */
#include "harness/proxy/test_tls_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { STILL = 64, MORE = 32 << 20 }; /* turns without an octet: it is full; what a full connection takes afterwards */

static const struct proxy_tls half = {.terminate = true};

/* Sends zeros until nobody takes any for a while, or `most` are taken. */
static size_t flood(struct bed *b, int fd, size_t most)
{
	static uint8_t piece[1 << 16];
	size_t sent = 0;
	for (int still = 0; sent < most && still < STILL; bed_turn(b)) {
		ssize_t n = send(fd, piece, sizeof(piece), MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			fail_msg("send: %s", strerror(errno));
		still = n > 0 ? 0 : still + 1;
		sent += n > 0 ? (size_t)n : 0;
	}
	return sent;
}

/* Reads `len` octets, or all until the ending if it is 0; then "fin", "rst" or "". */
static const char *swallow(struct bed *b, int fd, size_t len, size_t *ret_got)
{
	static uint8_t piece[1 << 16];
	const char *end = "";
	for (*ret_got = 0; !*end && (!len || *ret_got < len); bed_turn(b)) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);
		*ret_got += n > 0 ? (size_t)n : 0;
		if (n == 0)
			end = "fin";
		else if (n < 0 && errno != EAGAIN)
			end = "rst";
	}
	return end;
}

static void receive(struct bed *b, enum direction d, uint64_t octets)
{
	struct proxy_counters n = {0};
	while (n.received[d] < octets) {
		bed_turn(b);
		proxy_count(b->proxy, &n);
	}
}

/* Swallowed means taken: also behind what the vanished one did not read any more. */
static void test_swallowed(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct bed b;
		struct tls_client c = {.script = (const char *const[]){"> hello", "wait", NULL}};
		int client = -1, server;
		bed_init(&b, 1);
		bed_proxy(&b, tls ? &half : NULL);
		if (tls)
			client_start(&c, &b);
		else
			bed_pair(&b, &client, &server);
		if (tls)
			bed_expect(&b, server = bed_accept(&b), "hello", "");
		flood(&b, server, SIZE_MAX);
		struct toxic *toxic = bed_toxic(&b, "half_open", "who=client sent=swallowed", 0, 0);
		assert_true(flood(&b, server, MORE) >= MORE);
		if (tls)
			client_go(&c);
		proxy_toxic_remove(b.proxy, toxic);
		bed_expect(&b, server, "", "rst");
		if (tls)
			client_join(&c, &b, NULL);
		bed_close(&client);
		bed_close(&server);
		bed_fini(&b);
	}
}

/* A RST crosses a partition no more than octets do. */
static void test_kept_reset(void **state)
{
	static const struct {
		const char *direction, *script, *healed, *end;
		enum direction d;          /* what is received, in three octets, once the RST must have been seen */
	} cuts[] = {
		{"direction=both", "c>abc c! s>xyz", "s<abc!", "end 1 by=client how=rst upstream=3 downstream=3", DOWNSTREAM},
		{"direction=to", "c! s>xyz", "s<!", "end 1 by=client how=rst upstream=0 downstream=3", DOWNSTREAM},
		{"direction=from", "s>abc s! c>xyz", "c<abc!", "end 1 by=server how=rst upstream=3 downstream=3", UPSTREAM},
		{"direction=to", "s! c<!", "", "end 1 by=server how=rst upstream=0 downstream=0", DIRECTIONS},
		{"style=reject", "c! s<!", "", "end 1 by=client how=rst upstream=0 downstream=0", DIRECTIONS},
	};
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cuts); i++) {
		struct bed b;
		int client, server;
		bed_init(&b, 1);
		bed_proxy(&b, NULL);
		bed_pair(&b, &client, &server);
		struct toxic *toxic = bed_toxic(&b, "partition", cuts[i / 2].direction, 0, 0);
		bed_play(&b, &client, &server, cuts[i / 2].script);
		if (cuts[i / 2].d < DIRECTIONS) {
			receive(&b, cuts[i / 2].d, 3);
			assert_int_equal(bed_count(&b), 1);
		}
		if (i % 2) { /* another way of healing */
			struct err e;
			struct toxic_spec spec = {.toxicity = 0};
			assert_int_equal(proxy_toxic_update(b.proxy, toxic, &spec, &e), 0);
		} else {
			proxy_toxic_remove(b.proxy, toxic);
		}
		bed_play(&b, &client, &server, cuts[i / 2].healed);
		bed_expect_event(&b, cuts[i / 2].end);
		bed_close(&client);
		bed_close(&server);
		bed_fini(&b);
	}
}

static void test_kept_reset_of_tls(void **state)
{
	struct bed b;
	struct tls_client c = {.script = (const char *const[]){"> hello", "wait", "rst", NULL}};
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, &half);
	client_start(&c, &b);
	int server = bed_accept(&b);
	bed_expect(&b, server, "hello", "");
	struct toxic *toxic = bed_toxic(&b, "partition", "", 0, 0);
	client_go(&c);
	client_join(&c, &b, NULL);
	bed_send(&b, server, "xyz", 3);
	receive(&b, DOWNSTREAM, 3);
	assert_int_equal(bed_count(&b), 1);
	proxy_toxic_remove(b.proxy, toxic);
	bed_expect(&b, server, "", "rst");
	bed_expect_event(&b, "end 1 by=client how=rst upstream=5 downstream=3");
	bed_close(&server);
	bed_fini(&b);
}

/* The octets before the end arrive, also those that the kernel did not take at once. */
static void test_silence_behind_octets(void **state)
{
	enum { OCTETS = 12 << 20 };
	struct bed b;
	int client, server;
	size_t got;
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, NULL);
	struct toxic *latency = bed_toxic(&b, "latency", "latency=1h", STREAM_UP, 0);
	struct toxic *gone = bed_toxic(&b, "half_open", "after_octets=12MiB", 0, 0);
	bed_pair(&b, &client, &server);
	assert_int_equal(flood(&b, client, OCTETS), OCTETS);
	receive(&b, UPSTREAM, OCTETS);
	proxy_toxic_remove(b.proxy, latency);
	assert_string_equal(swallow(&b, server, OCTETS, &got), "");
	assert_int_equal(got, OCTETS);
	proxy_toxic_remove(b.proxy, gone);
	bed_expect(&b, server, "", "rst");
	bed_close(&client);
	bed_close(&server);
	bed_fini(&b);
}

/* More comes out at once than a connection may hold: the proxy ends it; what the other side had sent goes first. */
static void test_too_much_at_once(void **state)
{
	enum { FRAME = 100, FRAMES = 4000 };
	static uint8_t octets[FRAMES * FRAME];
	(void)state;
	for (size_t i = 0; i < sizeof(octets); i += FRAME)
		memcpy(octets + i, "\x82\x62", 2);
	for (int limit = 0; limit < 2; limit++) {
		struct bed b;
		int client, server;
		bed_init(&b, 1);
		bed_proxy(&b, NULL);
		struct toxic *latency = bed_toxic(&b, "latency", "latency=1h", STREAM_DOWN, 0);
		bed_toxic(&b, "frame_duplicate", "copies=200", STREAM_DOWN, 0);
		if (limit)
			bed_toxic(&b, "limit_data", "bytes=4B", STREAM_UP, 0);
		bed_pair(&b, &client, &server);
		bed_send(&b, server, octets, sizeof(octets));
		receive(&b, DOWNSTREAM, sizeof(octets));
		assert_int_equal(send(client, "abcd", 4, 0), 4); /* found when the connection breaks */
		proxy_toxic_remove(b.proxy, latency);
		bed_expect(&b, server, "abcd", limit ? "fin" : "rst");
		while (bed_count(&b))
			bed_turn(&b);
		assert_non_null(strstr(buf_cstr(&b.events), limit ? "end 1 by=toxic how=fin" : "end 1 by=proxy how=error"));
		bed_close(&client);
		bed_close(&server);
		bed_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swallowed), cmocka_unit_test(test_kept_reset),
		cmocka_unit_test(test_kept_reset_of_tls), cmocka_unit_test(test_silence_behind_octets),
		cmocka_unit_test(test_too_much_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
