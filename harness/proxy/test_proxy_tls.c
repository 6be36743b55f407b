/*
 * TLS that is ended in the proxy, between two that are not ours: a client thread with OpenSSL on a blocking socket,
 * and the scripted server of harness/net/test_peer.h.
 */
#include "harness/proxy/test_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "harness/net/address.h"
#include "harness/net/test_certs.h"
#include "harness/net/test_peer.h"

enum { MUCH = 8 << 20, PATIENCE_S = 60 };

static struct certs certs;

/* A client: "> text" sends, "< text" expects, "close" is close_notify, then FIN; what goes wrong is in `said`. */
struct tls_client {
	const char *const *script;
	const char *alpn;
	int fd;
	bool plain;                /* speaks no TLS */
	pthread_t thread;
	atomic_bool done;
	char said[256];
};

static void say_error(struct tls_client *c, const char *what, SSL *ssl, int result)
{
	int error = SSL_get_error(ssl, result), system_error = errno;
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	if (error == SSL_ERROR_ZERO_RETURN)
		reason = "close_notify";
	else if (error == SSL_ERROR_SYSCALL && system_error == ECONNRESET)
		reason = "rst";
	snprintf(c->said, sizeof(c->said), "%s: %s", what, reason ? reason : "?");
}

static bool send_much(SSL *ssl)
{
	static uint8_t octets[MUCH];
	bed_pattern(octets, MUCH, 0, 1);
	return SSL_write(ssl, octets, MUCH) == MUCH;
}

static bool expect_much(SSL *ssl)
{
	static uint8_t got[MUCH], wanted[MUCH];
	bed_pattern(wanted, MUCH, 0, 1);
	for (int at = 0, n; at < MUCH; at += n)
		if ((n = SSL_read(ssl, got + at, MUCH - at)) <= 0)
			return false;
	return memcmp(got, wanted, MUCH) == 0;
}

static bool step_done(struct tls_client *c, SSL *ssl, const char *step)
{
	char got[256] = "";
	int n = 1;
	if (step[0] == '>')
		n = SSL_write(ssl, step + 2, (int)strlen(step + 2));
	else if (strcmp(step, "close") == 0)
		n = SSL_shutdown(ssl) < 0 ? -1 : 1;
	else if (strcmp(step, "send much") == 0)
		n = send_much(ssl);
	else if (strcmp(step, "expect much") == 0)
		n = expect_much(ssl);
	else
		for (size_t at = 0; n > 0 && at < strlen(step + 2); at += n > 0 ? (size_t)n : 0)
			n = SSL_read(ssl, got + at, (int)(strlen(step + 2) - at));
	if (n <= 0)
		say_error(c, got[0] ? got : step, ssl, n);
	else if (step[0] == '<' && strcmp(got, step + 2) != 0)
		snprintf(c->said, sizeof(c->said), "got '%.100s', want '%.100s'", got, step + 2);
	return !c->said[0];
}

static void run_tls(struct tls_client *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, c->fd);
	ERR_clear_error();
	if (c->alpn) {
		unsigned char list[64] = {(unsigned char)strlen(c->alpn)};
		memcpy(list + 1, c->alpn, list[0]);
		SSL_set_alpn_protos(ssl, list, list[0] + 1u);
	}
	int r = SSL_connect(ssl);
	if (r != 1)
		say_error(c, "connect", ssl, r);
	for (const char *const *step = c->script; r == 1 && *step && step_done(c, ssl, *step); step++)
		;
	if (!c->said[0] && (r = SSL_read(ssl, c->said, 1)) <= 0)
		say_error(c, "end", ssl, r);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void *client_main(void *arg)
{
	struct tls_client *c = arg;
	if (!c->plain) {
		run_tls(c);
	} else {
		char octet[64];
		ssize_t n = send(c->fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
		while (n > 0)
			n = recv(c->fd, octet, sizeof(octet), 0);
		snprintf(c->said, sizeof(c->said), "end: %s", n == 0 || errno == ECONNRESET ? "closed" : strerror(errno));
	}
	c->done = true;
	return NULL;
}

static void client_start(struct tls_client *c, struct bed *b)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	c->fd = bed_connect(b);
	fcntl(c->fd, F_SETFL, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(pthread_create(&c->thread, NULL, client_main, c), 0);
}

static void client_join(struct tls_client *c, struct bed *b, const char *said)
{
	while (!c->done)
		bed_turn(b);
	pthread_join(c->thread, NULL);
	size_t before = strlen(c->said) > strlen(said) ? strlen(c->said) - strlen(said) : 0;
	if (strcmp(c->said + before, said) != 0) /* the ending of what it says */
		fail_msg("the client says '%s', not '%s'; events:\n%s", c->said, said, buf_cstr(&b->events));
	bed_close(&c->fd);
}

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
		assert_true(proxy_terminates(b.proxy));
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
		while (!c.done)
			bed_turn(&b);
		pthread_join(c.thread, NULL);
		bed_close(&c.fd);
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

static void test_kill(void **state)
{
	struct err e;
	(void)state;
	for (int rst = 0; rst < 2; rst++) {
		struct bed b;
		struct tls_client c = {.script = (const char *const[]){"> hello", "< world", NULL}};
		bed_init(&b, 1);
		bed_proxy(&b, &half);
		client_start(&c, &b);
		int server = bed_accept(&b);
		bed_expect(&b, server, "hello", "");
		bed_send(&b, server, "world", 5);
		assert_int_equal(proxy_kill(b.proxy, 1, rst, &e), 0);
		bed_expect(&b, server, "", rst ? "rst" : "fin");
		client_join(&c, &b, rst ? "end: rst" : "end: close_notify");
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
		cmocka_unit_test(test_rows), cmocka_unit_test(test_much), cmocka_unit_test(test_layers),
		cmocka_unit_test(test_silence_of_one_layer),
		cmocka_unit_test(test_kill), cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
