/* Where TLS is ended there are two chains, on the wire and on the octets inside: who is where, how both end as one. */
#include "harness/proxy/test_tls_client.h"

#include <string.h>

/* TLS towards the client alone; the upstream is a plain socket of this thread. */
static const struct proxy_tls half = {.terminate = true};

/* Toxics that read the octets inside have them; those that do not are on the wire. */
static void test_layers(void **state)
{
	static const struct {
		const char *fault, *options, *script[4], *said;
	} toxics[] = {
		{"corrupt", "probability=100%", {"> x", NULL}, "connect: "}, /* no more what was signed */
		{"handshake", "status=503",
		 {"> GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		  "< HTTP/1.1 503", NULL},
		 " "}, /* the octet after */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(toxics); i++) {
		struct bed b;
		struct tls_client c = {.script = toxics[i].script};
		bed_init(&b, 1);
		bed_proxy(&b, &half);
		bed_toxic(&b, toxics[i].fault, toxics[i].options, STREAM_BOTH, 0);
		client_start(&c, &b);
		client_join(&c, &b, NULL);
		if (strncmp(c.said, toxics[i].said, strlen(toxics[i].said)) != 0)
			fail_msg("%s: the client says '%s'; events:\n%s", toxics[i].fault, c.said, buf_cstr(&b.events));
		bed_fini(&b);
	}
}

static void turn_until_received(struct bed *b, enum direction d, uint64_t octets)
{
	struct proxy_counters n = {0};
	while (n.received[d] < octets) {
		bed_turn(b);
		proxy_count(b->proxy, &n);
	}
}

/* One layer is silent; what the other one holds does not come out any more. */
static void test_silence_of_one_layer(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", reply[] = "HTTP/1.1 101 Go\r\n\r\n";
	static const char *const script[] = {"> GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
					     "< HTTP/1.1 101 Go\r\n\r\n", "> \x81\x82" "abcdxy", NULL};
	static const struct {
		const char *hold, *hold_options, *silence, *silence_options;
		enum direction d;          /* of what is held */
		size_t received;           /* until then */
	} layers[] = {
		{"partition", "direction=from", "handshake", "cut=blackhole", DOWNSTREAM, sizeof(reply) - 1},
		{"frame_delay", "delay=1h", "down", "how=blackhole", UPSTREAM, sizeof(request) - 1 + 8},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(layers); i++) {
		struct bed b;
		struct tls_client c = {.script = script};
		struct toxic *silence = NULL;
		bed_init(&b, 1);
		bed_proxy(&b, &half);
		client_start(&c, &b);
		int server = bed_accept(&b);
		bed_expect(&b, server, request, "");
		struct toxic *hold = bed_toxic(&b, layers[i].hold, layers[i].hold_options, 0, 0);
		if (layers[i].d == DOWNSTREAM) /* by the reply */
			silence = bed_toxic(&b, layers[i].silence, layers[i].silence_options, 0, 0);
		bed_send(&b, server, reply, sizeof(reply) - 1);
		turn_until_received(&b, layers[i].d, layers[i].received);
		if (layers[i].d == UPSTREAM) /* at once */
			silence = bed_toxic(&b, layers[i].silence, layers[i].silence_options, 0, 0);
		proxy_toxic_remove(b.proxy, hold);
		bed_turn(&b);
		proxy_toxic_remove(b.proxy, silence);
		bed_expect(&b, server, "", "rst");
		client_join(&c, &b, layers[i].d == DOWNSTREAM ? "< HTTP/1.1 101 Go\r\n\r\n: rst" : "end: rst");
		bed_close(&server);
		bed_fini(&b);
	}
}

/* What a toxic of the inner layer has passed goes through those of the wire, and its FIN behind it. */
static void test_end_of_the_inner_layer(void **state)
{
	static const char *const script[] = {"> GET / HTTP/1.1\r\n\r\n", "< HTTP/1.1 ", NULL};
	struct bed b;
	struct tls_client c = {.script = script};
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, &half);
	client_start(&c, &b);
	int server = bed_accept(&b);
	bed_expect(&b, server, "GET / HTTP/1.1\r\n\r\n", "");
	struct toxic *hold = bed_toxic(&b, "partition", "direction=from", 0, 0);
	bed_toxic(&b, "handshake", "cut=fin", 0, 0);
	bed_send(&b, server, "HTTP/1.1 101 Go\r\n\r\n", 19);
	bed_expect(&b, server, "", "fin");
	assert_int_equal(bed_count(&b), 1);
	proxy_toxic_remove(b.proxy, hold);
	client_join(&c, &b, "end: close_notify");
	bed_expect_event(&b, "end 1 by=toxic how=fin upstream=18 downstream=9");
	bed_close(&server);
	bed_fini(&b);
}

static void test_kill(void **state)
{
	struct err e;
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct bed b;
		bool rst = way & 1, held = way & 2;
		struct tls_client c = {.script = (const char *const[]){"> hello", "< world", NULL}};
		bed_init(&b, 1);
		bed_proxy(&b, &half);
		client_start(&c, &b);
		int server = bed_accept(&b);
		bed_expect(&b, server, "hello", "");
		if (held) /* what the wire holds is of the stream that TLS closes */
			bed_toxic(&b, "partition", "direction=from", 0, 0);
		bed_send(&b, server, "world", 5);
		turn_until_received(&b, DOWNSTREAM, 5);
		assert_int_equal(proxy_kill(b.proxy, 1, rst, &e), 0);
		bed_expect(&b, server, "", rst ? "rst" : "fin");
		client_join(&c, &b, !rst ? "end: close_notify" : held ? "< world: rst" : "end: rst");
		bed_close(&server);
		bed_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layers), cmocka_unit_test(test_silence_of_one_layer),
		cmocka_unit_test(test_end_of_the_inner_layer), cmocka_unit_test(test_kill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
