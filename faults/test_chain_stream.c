/* Toxics around a connection of our own: above it everything is as a network would have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "faults/pending.h"
#include "faults/test_scene.h"
#include "harness/base/clock.h"
#include "harness/net/test_certs.h"
#include "harness/net/test_client.h"
#include "harness/net/tls.h"

static struct scene scene;

static const struct {
	const char *fault, *options, *expected, *far, *received;
	struct client_act acts[CLIENT_ACTS_MAX];
	const char *answer;
	bool shut;
} rows[] = {
	{"none", "", "open data:yes", "open", "ab", {{"open", CLIENT_WRITE_EACH, "ab"}}, "yes"},
	{NULL, NULL, "open data:yes eof:clean", "open eof", "a",
	 {{"open", CLIENT_WRITE, "a"}, {"eof", CLIENT_SHUTDOWN}}, "yes", true},
	{"none", "", "open data:yes eof:clean", "open eof", "a",
	 {{"open", CLIENT_WRITE, "a"}, {"eof", CLIENT_SHUTDOWN}}, "yes", true},
	{"latency", "latency=20ms", "open data:yes eof:clean", "open eof", "a",
	 {{"open", CLIENT_WRITE, "a"}, {"open", CLIENT_SHUTDOWN}}, "yes", true},
	{"none", "", "open", "open error-104", "", {{"open", CLIENT_WRITE, "dropped"}, {"open", CLIENT_RESET}}},
	{"none", "", "open", "open eof", "a", {{"open", CLIENT_WRITE, "a"}, {"open", CLIENT_FREE}}},
	{"none", "", "open data:yes", "open eof", "a", {{"open", CLIENT_WRITE, "a"}, {"data", CLIENT_FREE}}, "yes", true},
	{"none", "", "open", "open", "a", {{"open", CLIENT_PAUSE}, {"open", CLIENT_WRITE, "a"}}, "yes", true},
	/* ends by faults */
	{"lifetime_kill", "lifetime=10ms how=fin", "open eof:clean", "open eof", "", {{0}}},
	{"lifetime_kill", "lifetime=10ms how=fin", "open eof:clean error:ECONNRESET", "open eof", "",
	 {{"eof", CLIENT_WRITE, "late"}}},
	{"lifetime_kill", "lifetime=10ms how=fin", "open eof:clean", "open eof", "", {{"eof", CLIENT_FREE}}},
	{"lifetime_kill", "lifetime=10ms how=rst", "open error:ECONNRESET", "open error-104", "",
	 {{"error", CLIENT_WRITE, "late"}}},
	{"lifetime_kill", "lifetime=10ms how=rst", "open error:ECONNRESET", "open error-104", "", {{"error", CLIENT_FREE}}},
	{"partition", "style=reject", "open error:ECONNRESET", "open error-104", "", {{"open", CLIENT_WRITE, "a"}}},
	{"half_open", "", "open", "open", "", {{"open", CLIENT_WRITE, "a"}, {"open", CLIENT_SHUTDOWN}}},
	{"half_open", "after_octets=2B sent=swallowed", "open data:yes", "open", "ab",
	 {{"open", CLIENT_WRITE, "a"}, {"data", CLIENT_WRITE, "bc"}}, "yes"},
	/* passed before the end */
	{"partition", "style=reject direction=from", "open error:ECONNRESET", "open error-104", "a",
	 {{"open", CLIENT_WRITE, "a"}}, "no"},
	/* octets from inside a write come on a later turn */
	{"handshake", "strip=reply", "open data:HTTP/1.1 101 Go\r\n\r\nmore", "open", "GET / HTTP/1.1\r\n\r\n",
	 {{"open", CLIENT_WRITE, "GET / HTTP/1.1\r\n\r\n"}}, "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\nmore"},
};

static void endings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		scene_init(&scene, rows[i].acts);
		scene.far.answer = rows[i].answer;
		scene.far.shut = rows[i].shut;
		if (rows[i].fault)
			bench_add(&scene.bench, rows[i].fault, rows[i].options, 0);
		scene_put_chain(&scene, CHAIN_BOTH, 0);
		assert_int_equal(stream_write(scene.c.stream, SPAN_LIT("early")), -ENOTCONN);
		for (int turn = 0; turn < 4; turn++)
			client_run(&scene.c, rows[i].expected);
		for (int turn = 0; turn < 20 && strcmp(buf_cstr(&scene.far.log), rows[i].far) != 0; turn++)
			client_run(&scene.c, rows[i].expected);
		if (strcmp(buf_cstr(&scene.c.log), rows[i].expected) != 0 || strcmp(buf_cstr(&scene.far.log), rows[i].far) != 0 ||
		    strcmp(buf_cstr(&scene.far.received), rows[i].received) != 0)
			fail_msg("row %zu: '%s' '%s' '%s'", i, buf_cstr(&scene.c.log), buf_cstr(&scene.far.log),
				 buf_cstr(&scene.far.received));
		scene_fini(&scene);
	}
}

static void the_answer_of_a_proxy(void **state)
{
	static const struct client_act acts[] = {{"open", CLIENT_WRITE, "GET / HTTP/1.1\r\n\r\n"}, {0}};
	(void)state;
	scene_init(&scene, acts);
	bench_add(&scene.bench, "handshake", "status=502", 0);
	scene_put_chain(&scene, CHAIN_BOTH, 0);
	while (span_find(buf_span(&scene.c.log), span_str("eof:clean")) < 0 && !scene.c.timed_out)
		client_run(&scene.c, buf_cstr(&scene.c.log));
	assert_int_equal(span_find(buf_span(&scene.c.log), span_str("open data:HTTP/1.1 502 Bad Gateway\r\n")), 0);
	assert_int_equal(scene.far.received.len, 0);
	scene_fini(&scene);
}

static void octets_are_late(void **state)
{
	static const struct client_act acts[] = {{"open", CLIENT_WRITE, "a"}, {0}};
	(void)state;
	scene_init(&scene, acts);
	scene.far.answer = "yes";
	bench_add(&scene.bench, "latency", "latency=30ms", STREAM_BOTH);
	scene_put_chain(&scene, CHAIN_BOTH, 7);
	assert_int_equal(chain_stream_number(scene.c.stream), 0);
	uint64_t began_us = clock_now_us();
	assert_string_equal(client_run(&scene.c, "open data:yes"), "open data:yes");
	assert_true(clock_now_us() - began_us >= 60000);
	assert_int_equal(chain_stream_number(scene.c.stream), 7);
	assert_non_null(strstr(scene.c.description, "faults over pair in memory"));
	scene_fini(&scene);
}

/* Silence is for ever; but the toxic that made it may go, and then it is a RST. */
static void silence(void **state)
{
	static uint8_t megabyte[1 << 20];
	(void)state;
	scene_init(&scene, NULL);
	struct toxic *toxic = bench_add(&scene.bench, "half_open", "", 0);
	scene_put_chain(&scene, CHAIN_BOTH, 0);
	client_run(&scene.c, "open");
	stream_write(scene.far.stream, SPAN_LIT("nobody hears"));
	stream_shutdown(scene.far.stream);
	for (int i = 0; i < STREAM_UNSENT_MAX >> 20; i++)
		assert_int_equal(stream_write(scene.c.stream, span_of(megabyte, sizeof(megabyte))), 0);
	assert_int_equal(stream_write(scene.c.stream, SPAN_LIT("x")), -ENOBUFS);
	assert_int_equal(stream_unsent(scene.c.stream), STREAM_UNSENT_MAX);
	for (int turn = 0; turn < 4; turn++)
		assert_string_equal(client_run(&scene.c, "open"), "open");
	assert_int_equal(scene.far.received.len, 0);
	scene.bench.now_us = clock_now_us();
	bench_remove(&scene.bench, toxic);
	assert_string_equal(buf_cstr(&scene.c.log), "open"); /* not from inside */
	assert_string_equal(client_run(&scene.c, "open error:ECONNRESET"), "open error:ECONNRESET");
	assert_string_equal(scene.c.error_text, "Connection reset by peer");
	scene_fini(&scene);
}

/* Downstream is held: what the filter does not take, the other end keeps. Upstream: what it does not take, we keep. */
static void back_pressure(void **state)
{
	(void)state;
	scene_init(&scene, NULL);
	struct toxic *toxic = bench_add(&scene.bench, "partition", "", 0);
	scene_put_chain(&scene, CHAIN_BOTH, 0);
	client_run(&scene.c, "open");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stream_write(scene.far.stream, span_of(bench_pattern(), BENCH_PATTERN)), 0);
		assert_int_equal(stream_write(scene.c.stream, span_of(bench_pattern(), BENCH_PATTERN)), 0);
	}
	stream_shutdown(scene.c.stream);
	stream_shutdown(scene.far.stream);
	for (int turn = 0; turn < 20; turn++)
		assert_string_equal(client_run(&scene.c, "open"), "open");
	assert_int_equal(scene.far.received.len, 0);
	assert_true(stream_unsent(scene.far.stream) > 2 * BENCH_PATTERN);
	assert_true(stream_unsent(scene.c.stream) >= 2 * BENCH_PATTERN);
	scene.bench.now_us = clock_now_us();
	bench_remove(&scene.bench, toxic);
	const char *data = "open data:", *eof = " eof:clean";
	size_t all = strlen(data) + 3 * BENCH_PATTERN + strlen(eof);
	for (int turn = 0; turn < 1000 && (scene.c.log.len < all || scene.far.received.len < 3 * BENCH_PATTERN); turn++)
		client_run(&scene.c, buf_cstr(&scene.c.log));
	client_run(&scene.c, buf_cstr(&scene.c.log));
	assert_int_equal(scene.c.log.len, all);
	assert_int_equal(scene.far.received.len, 3 * BENCH_PATTERN);
	for (int i = 0; i < 3; i++) {
		assert_memory_equal(scene.far.received.p + i * BENCH_PATTERN, bench_pattern(), BENCH_PATTERN);
		assert_memory_equal(scene.c.log.p + strlen(data) + i * BENCH_PATTERN, bench_pattern(), BENCH_PATTERN);
	}
	assert_string_equal(buf_cstr(&scene.far.log), "open eof");
	scene_fini(&scene);
}

/* Paused above, nothing is told, whatever comes out of the chain meanwhile. */
static void paused_above(void **state)
{
	static const struct client_act acts[] = {{"data", CLIENT_PAUSE}, {0}};
	(void)state;
	scene_init(&scene, acts);
	struct toxic *toxic = bench_add(&scene.bench, "partition", "", 0);
	scene_put_chain(&scene, CHAIN_BOTH, 0);
	client_run(&scene.c, "open");
	stream_write(scene.far.stream, span_of(bench_pattern(), 100000));
	stream_shutdown(scene.far.stream);
	for (int turn = 0; turn < 4; turn++)
		client_run(&scene.c, "open");
	bench_remove(&scene.bench, toxic);
	for (int turn = 0; turn < 4; turn++)
		client_run(&scene.c, buf_cstr(&scene.c.log));
	assert_int_equal(scene.c.log.len, strlen("open data:") + STREAM_READ_CHUNK);
	stream_pause(scene.c.stream, false);
	assert_int_equal(scene.c.log.len, strlen("open data:") + STREAM_READ_CHUNK);
	for (int turn = 0; turn < 4; turn++)
		client_run(&scene.c, buf_cstr(&scene.c.log));
	assert_int_equal(scene.c.log.len, strlen("open data:") + 100000); /* paused again: the FIN waits */
	stream_pause(scene.c.stream, false);
	for (int turn = 0; turn < 4; turn++)
		client_run(&scene.c, buf_cstr(&scene.c.log));
	assert_int_equal(scene.c.log.len, strlen("open data: eof:clean") + 100000);
	scene_fini(&scene);
}

/* The peer's own ending, through a chain: a RST behind what was passed. */
static void the_peers_reset(void **state)
{
	static const struct client_act acts[] = {{"open", CLIENT_PAUSE}, {0}};
	(void)state;
	scene_init(&scene, acts);
	bench_add(&scene.bench, "none", "", 0);
	scene_put_chain(&scene, CHAIN_BOTH, 0);
	client_run(&scene.c, "open");
	stream_reset(scene.far.stream);
	for (int turn = 0; turn < 4; turn++)
		assert_string_equal(client_run(&scene.c, "open"), "open");
	stream_pause(scene.c.stream, false);
	assert_string_equal(client_run(&scene.c, "open error:ECONNRESET"), "open error:ECONNRESET");
	assert_int_equal(stream_write(scene.c.stream, SPAN_LIT("x")), -EPIPE);
	scene_fini(&scene);
}

static void the_peers_reset_is_kept(void **state)
{
	(void)state;
	scene_init(&scene, NULL);
	struct toxic *toxic = bench_add(&scene.bench, "partition", "direction=from", 0);
	scene_put_chain(&scene, CHAIN_BOTH, 0);
	client_run(&scene.c, "open");
	stream_reset(scene.far.stream);
	for (int turn = 0; turn < 4; turn++)
		assert_string_equal(client_run(&scene.c, "open"), "open");
	bench_remove(&scene.bench, toxic);
	assert_string_equal(client_run(&scene.c, "open error:ECONNRESET"), "open error:ECONNRESET");
	scene_fini(&scene);
}

/* Below TLS the octets are encrypted, above they are clear: one number, two layers, each with its toxics. */
static void around_tls(void **state)
{
	static const struct cert_spec cert = {.san = "DNS:localhost", .from_days = -1, .to_days = 1};
	static const struct client_act acts[] = {{"open", CLIENT_WRITE, "\x81\x82\1\2\3\4hi\x89\x80\1\2\3\4"}, {0}};
	struct certs certs;
	struct tls_context *context;
	(void)state;
	certs_init(&certs);
	SSL_CTX *server = certs_server(&certs, &cert);
	struct tls_options options = {.ca_file = certs.ca_file};
	assert_int_equal(tls_context_new(&options, &context, NULL), 0);
	scene_init(&scene, acts);
	scene.far.ssl = SSL_new(server);
	SSL_set_bio(scene.far.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(scene.far.ssl);
	bench_add(&scene.bench, "slicer", "average_size=7B", STREAM_BOTH);
	bench_add(&scene.bench, "frame_drop", "opcode=ping", STREAM_UP);
	scene_put_chain(&scene, CHAIN_WIRE, 5);
	struct stream *below = TAKE_PTR(scene.c.stream);
	assert_int_equal(tls_client_new(&scene.c.loop, context, below, "localhost", &client_events, &scene.c,
					&scene.c.stream), 0);
	scene_put_chain(&scene, CHAIN_CLEAR, 5);
	assert_string_equal(client_run(&scene.c, "open data:\x81\x82\1\2\3\4hi"), "open data:\x81\x82\1\2\3\4hi");
	assert_true(span_eq(buf_span(&scene.far.received), SPAN_LIT("\x81\x82\1\2\3\4hi")));
	assert_non_null(strstr(scene.c.description, "faults over tls"));
	assert_non_null(strstr(scene.c.description, "over faults over pair"));
	assert_true(span_find(buf_span(&scene.bench.events), span_str("frame_drop_upstream hit conn=5 upstream at=8")) >= 0);
	scene_fini(&scene);
	tls_context_free(context);
	SSL_CTX_free(server);
	certs_fini(&certs);
}

/* The queue between: in order, with an end. */
static void what_waits(void **state)
{
	static uint8_t chunk[STREAM_READ_CHUNK];
	struct pending p;
	(void)state;
	pending_init(&p, 200000);
	assert_int_equal(pending_add(&p, span_of(bench_pattern(), 150000)), 0);
	assert_int_equal(pending_add(&p, span_of(bench_pattern(), 50001)), -ENOBUFS);
	assert_int_equal(pending_len(&p), 150000);
	for (size_t taken = 0; taken < 500000;) {
		struct span s = pending_take(&p, chunk);
		assert_true(s.len > 0 && s.len <= STREAM_READ_CHUNK);
		assert_memory_equal(s.p, bench_pattern() + taken, s.len);
		taken += s.len;
		assert_int_equal(pending_add(&p, span_of(bench_pattern() + taken + pending_len(&p), s.len)), 0);
		assert_int_equal(pending_len(&p), 150000);
	}
	pending_fini(&p);
	assert_int_equal(pending_len(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endings),
		cmocka_unit_test(the_answer_of_a_proxy),
		cmocka_unit_test(octets_are_late),
		cmocka_unit_test(silence),
		cmocka_unit_test(back_pressure),
		cmocka_unit_test(paused_above),
		cmocka_unit_test(the_peers_reset),
		cmocka_unit_test(the_peers_reset_is_kept),
		cmocka_unit_test(around_tls),
		cmocka_unit_test(what_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
