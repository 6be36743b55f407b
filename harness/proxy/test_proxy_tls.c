/*
 * TLS that is ended in the proxy, between two that are not ours: the scripted client of test_tls_client.h and the
 * scripted server of harness/net/test_peer.h.
 */
#include "harness/proxy/test_tls_client.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/net/address.h"
#include "harness/net/test_certs.h"
#include "harness/net/test_peer.h"

static struct certs certs;

/* The upstream of the bed becomes this peer. */
static void bed_peer(struct bed *b, struct peer *p, const struct peer_step *steps, SSL_CTX *ctx)
{
	assert_int_equal(peer_listen(p, "127.0.0.1"), 0);
	p->steps = steps;
	p->ctx = ctx;
	b->upstream_address = p->address;
	peer_start(p);
}

static const struct cert_spec good = {.san = "IP:127.0.0.1", .from_days = -1, .to_days = 30, .alpn = "http/1.1"};

static const struct tls_row {
	const char *name;
	struct proxy_tls tls;
	bool plain_client;
	const char *client_alpn;
	bool trusts;               /* the authority of the upstream's certificate */
	const char *script[6], *said, *end;
	struct peer_step peer[8];
} rows[] = {
	{.name = "both sides", .tls = {.terminate = true, .upstream = true, .alpn = "http/1.1"}, .trusts = true,
	 .client_alpn = "http/1.1",
	 .script = {"> hello", "< world", "close"}, .said = "end: close_notify",
	 .end = "end 1 by=client how=fin upstream=5 downstream=5",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT_ALPN, "http/1.1"}, {PEER_EXPECT, "hello"}, {PEER_SEND, "world"},
		  {PEER_EXPECT_EOF}, {PEER_CLOSE_NOTIFY}, {PEER_FIN}}},
	{.name = "the server ends first", .tls = {.terminate = true, .upstream = true, .upstream_insecure = true},
	 .script = {"< bye"}, .said = "end: close_notify",
	 .peer = {{PEER_HANDSHAKE}, {PEER_SEND, "bye"}, {PEER_CLOSE_NOTIFY}, {PEER_FIN}}},
	{.name = "the server resets", .tls = {.terminate = true, .upstream = true, .upstream_insecure = true},
	 .script = {"> hello", "< world"}, .said = "end: rst", .end = "end 1 by=server how=rst upstream=5 downstream=5",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT, "hello"}, {PEER_SEND, "world"}, {PEER_RST}}},
	{.name = "an upstream that nobody vouches for", .tls = {.terminate = true, .upstream = true},
	 .said = "rst", .end = "end 1 by=server how=tls upstream=0 downstream=0",
	 .peer = {{PEER_HANDSHAKE_FAILS}}},
	{.name = "another name", .tls = {.terminate = true, .upstream = true, .upstream_name = "example.test"}, .trusts = true,
	 .said = "rst", .end = "end 1 by=server how=tls upstream=0 downstream=0",
	 .peer = {{PEER_HANDSHAKE_FAILS}}},
	{.name = "a client without TLS", .tls = {.terminate = true, .upstream = true, .upstream_insecure = true},
	 .plain_client = true, .said = "end: closed", .end = "end 1 by=client how=tls upstream=0 downstream=0",
	},
	{.name = "a client with another protocol", .client_alpn = "h2",
	 .tls = {.terminate = true, .upstream = true, .upstream_insecure = true, .alpn = "http/1.1"},
	 .said = "connect: tlsv1 alert no application protocol"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tls_row *row = &rows[i];
		struct proxy_tls tls = row->tls;
		struct bed b;
		struct peer p;
		struct tls_client c = {.script = row->script, .plain = row->plain_client, .alpn = row->client_alpn};
		SSL_CTX *ctx = certs_server(&certs, &good);
		tls.upstream_ca = row->trusts ? certs.ca_file : NULL;
		bed_init(&b, 1);
		if (row->peer[0].what != PEER_DONE) /* else nobody is to speak to the upstream */
			bed_peer(&b, &p, row->peer, ctx);
		bed_proxy(&b, &tls);
		assert_true(proxy_tls(b.proxy)->terminate);
		client_start(&c, &b);
		client_join(&c, &b, row->said);
		if (row->end)
			bed_expect_event(&b, row->end);
		while (bed_count(&b))
			bed_turn(&b);
		bed_fini(&b);
		if (row->peer[0].what != PEER_DONE)
			peer_join(&p);
		if (row->peer[0].what != PEER_DONE && p.failure[0])
			fail_msg("%s: the peer: %s", row->name, p.failure);
		SSL_CTX_free(ctx);
	}
}

/* TLS towards the client alone; the upstream is a plain socket of this thread. */
static const struct proxy_tls half = {.terminate = true};

static void test_much(void **state)
{
	static uint8_t octets[MUCH];
	(void)state;
	for (int toxic = 0; toxic < 2; toxic++) {
		struct bed b;
		struct tls_client c = {.script = (const char *const[]){"send much", "expect much", "close", NULL}};
		bed_init(&b, 1);
		bed_proxy(&b, &half);
		if (toxic)
			bed_toxic(&b, "none", "", STREAM_BOTH, 0);
		client_start(&c, &b);
		int server = bed_accept(&b);
		for (size_t got = 0; got < MUCH; bed_turn(&b)) {
			ssize_t n = recv(server, octets + got, MUCH - got, 0);
			assert_true(n > 0 || (n < 0 && errno == EAGAIN));
			got += n > 0 ? (size_t)n : 0;
		}
		bed_send(&b, server, octets, MUCH);
		bed_expect(&b, server, "", "fin");
		bed_fin(server);
		client_join(&c, &b, "end: close_notify");
		bed_expect_event(&b, "end 1 by=client how=fin upstream=8388608 downstream=8388608");
		bed_close(&server);
		bed_fini(&b);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		struct proxy_tls tls;
		int error;
		const char *words;
	} refused[] = {
		{{.upstream = true}, -EINVAL, "terminate"},
		{{.terminate = true, .certificate = "/nowhere.pem"}, -EINVAL, "both or not at all"},
		{{.terminate = true, .certificate = "/nowhere.pem", .key = "/nowhere.pem"}, -ENOENT, "'/nowhere.pem'"},
		{{.terminate = true, .certificate = "/dev/null", .key = "/dev/null"}, -EINVAL, "cannot be used"},
		{{.terminate = true, .upstream_insecure = true}, -EINVAL, "no TLS towards it"},
		{{.terminate = true, .upstream = true, .upstream_ca = "/nowhere.pem"}, -ENOENT, "CA file"},
		{{.terminate = true, .alpn = ""}, -EINVAL, "ALPN"},
	};
	struct bed b;
	(void)state;
	bed_init(&b, 1);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct err e = {""};
		struct proxy_options o = {.name = "q", .listen = "127.0.0.1:0", .upstream = "127.0.0.1:9", .enabled = true,
					  .tls = &refused[i].tls};
		int r = proxy_new(b.set, &o, NULL, &e);
		if (r != refused[i].error || !strstr(e.text, refused[i].words))
			fail_msg("row %zu: %d '%s'", i, r, e.text);
	}
	assert_int_equal(proxies_count(b.set), 0);
	bed_fini(&b);
}

static int setup(void **state)
{
	(void)state;
	setenv("SSL_CERT_FILE", "/dev/null", 1); /* what is installed on a machine must not matter */
	setenv("SSL_CERT_DIR", "no-such-folder", 1);
	certs_init(&certs);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	certs_fini(&certs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_much), cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
