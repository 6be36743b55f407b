/* TLS against OpenSSL's own blocking server: whom we trust, what we say, how a connection ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/net/tcp.h"
#include "harness/net/test_certs.h"
#include "harness/net/test_client.h"
#include "harness/net/tls.h"

struct tls_row {
	const char *name;
	const char *expected;
	const char *text; /* part of the error text, or of the description when there is no error */
	const struct cert_spec *cert;
	const char *server_name, *alpn;
	bool insecure, system_store;
	struct peer_step peer[12];
	struct client_act acts[CLIENT_ACTS_MAX];
};

static const struct cert_spec good = {.san = "DNS:localhost,DNS:*.example.test,DNS:x*.part.test,IP:127.0.0.1,IP:::1",
						.from_days = -1, .to_days = 1};
static const struct cert_spec good_1_2 = {.san = "DNS:localhost",
						.from_days = -1, .to_days = 1, .max_version = TLS1_2_VERSION};
static const struct cert_spec old_1_1 = {.san = "DNS:localhost",
						.from_days = -1, .to_days = 1, .max_version = TLS1_1_VERSION};
static const struct cert_spec self_signed = {.san = "DNS:localhost", .self_signed = true,
						.from_days = -1, .to_days = 1};
static const struct cert_spec expired = {.san = "DNS:localhost", .from_days = -3, .to_days = -1};
static const struct cert_spec future = {.san = "DNS:localhost", .from_days = 2, .to_days = 3};
static const struct cert_spec common_name_only = {.common_name = "localhost", .from_days = -1, .to_days = 1};
static const struct cert_spec speaks_http = {.san = "DNS:localhost",
						.from_days = -1, .to_days = 1, .alpn = "http/1.1"};
static const struct cert_spec speaks_other = {.san = "DNS:localhost",
						.from_days = -1, .to_days = 1, .alpn = "other"};

#define REFUSES {{PEER_HANDSHAKE_FAILS}}
#define ACCEPTS {{PEER_HANDSHAKE}, {PEER_EXPECT_EOF}}
#define FREES {{"open", CLIENT_FREE}}

static const struct tls_row rows[] = {
	/* whom we trust */
	{"signed by the authority", "open", "tls TLSv1.3 TLS_", &good, "localhost", .peer = ACCEPTS, .acts = FREES},
	{"TLS 1.2", "open", "tls TLSv1.2 ECDHE", &good_1_2, "localhost", .peer = ACCEPTS, .acts = FREES},
	{"wildcard", "open", "over tcp 127.0.0.1:", &good, "a.example.test", .peer = ACCEPTS, .acts = FREES},
	{"no name asked for", "open", "", &good, NULL, .peer = ACCEPTS, .acts = FREES},
	{"IPv4 address", "open", "", &good, "127.0.0.1", .peer = ACCEPTS, .acts = FREES},
	{"IPv6 address in brackets", "open", "", &good, "[::1]", .peer = ACCEPTS, .acts = FREES},
	{"self-signed", "error:EPROTO", "certificate verify failed: self-signed certificate",
	 &self_signed, "localhost", .peer = REFUSES},
	{"unknown authority", "error:EPROTO", "certificate verify failed: unable to get local issuer certificate",
	 &good, "localhost",
	 .system_store = true, .peer = REFUSES},
	{"wrong name", "error:EPROTO", "certificate verify failed: hostname mismatch", &good, "other.test",
	 .peer = REFUSES},
	{"wildcard takes one label", "error:EPROTO", "hostname mismatch", &good, "a.b.example.test", .peer = REFUSES},
	{"a wildcard is a whole label", "error:EPROTO", "hostname mismatch", &good, "xy.part.test", .peer = REFUSES},
	{"wrong address", "error:EPROTO", "certificate verify failed: IP address mismatch", &good, "127.0.0.2",
	 .peer = REFUSES},
	{"an address is no name", "error:EPROTO", "IP address mismatch", &good_1_2, "127.0.0.1", .peer = REFUSES},
	{"common name does not count", "error:EPROTO", "hostname mismatch", &common_name_only, "localhost",
	 .peer = REFUSES},
	{"expired", "error:EPROTO", "certificate verify failed: certificate has expired", &expired, "localhost",
	 .peer = REFUSES},
	{"not yet valid", "error:EPROTO", "certificate is not yet valid", &future, "localhost", .peer = REFUSES},
	{"insecure takes all of it", "open", "", &expired, "other.test", .insecure = true, .peer = ACCEPTS, .acts = FREES},
	{"TLS 1.1 only", "error:EPROTO", "during the TLS handshake", &old_1_1, "localhost", .insecure = true,
	 .peer = REFUSES},
	/* what we say */
	{"SNI", "open", "", &good, "localhost", .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT_SNI, "localhost"}}, .acts = FREES},
	{"SNI without the final dot", "open", "", &good, "localhost.",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT_SNI, "localhost"}}, .acts = FREES},
	{"no SNI for IPv4", "open", "", &good, "127.0.0.1", .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT_SNI, NULL}},
	 .acts = FREES},
	{"no SNI for IPv6", "open", "", &good, "::1", .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT_SNI, NULL}}, .acts = FREES},
	{"ALPN", "open", "", &speaks_http, "localhost", "http/1.1",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT_ALPN, "http/1.1"}}, .acts = FREES},
	{"ALPN not answered", "open", "", &good, "localhost", "http/1.1",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT_ALPN, NULL}}, .acts = FREES},
	{"ALPN refused", "error:EPROTO", "no application protocol during the TLS handshake",
	 &speaks_other, "localhost", "http/1.1",
	 .peer = REFUSES},
	{"each write its own record", "open eof:clean", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT_EACH, "abcdefghijklmnop"}, {PEER_CLOSE_NOTIFY}},
	 .acts = {{"open", CLIENT_WRITE_EACH, "abcdefghijklmnop"}}},
	/* how it ends */
	{"close_notify and FIN", "open data:hello eof:clean", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT, "hi"}, {PEER_SEND, "hello"}, {PEER_CLOSE_NOTIFY}, {PEER_FIN},
	 {PEER_EXPECT_EOF}},
	 .acts = {{"open", CLIENT_WRITE, "hi"}, {"eof", CLIENT_SHUTDOWN}}},
	{"a server that waits for our close_notify", "open eof:clean", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_CLOSE_NOTIFY}, {PEER_EXPECT_EOF}},
	 .acts = {{"eof", CLIENT_SHUTDOWN}}},
	{"FIN without close_notify", "open data:cut eof:cut", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_SEND, "cut"}, {PEER_FIN}, {PEER_EXPECT_EOF}},
	 .acts = {{"eof", CLIENT_SHUTDOWN}}},
	{"RST without close_notify", "open data:cut error:ECONNRESET", "Connection reset by peer", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_SEND, "cut"}, {PEER_RST}}},
	{"reading goes on after our close_notify", "open data:onetwo eof:clean", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT, "bye"}, {PEER_EXPECT_EOF}, {PEER_SEND, "one"}, {PEER_SEND, "two"},
	 {PEER_CLOSE_NOTIFY}},
	 .acts = {{"open", CLIENT_WRITE, "bye"}, {"open", CLIENT_SHUTDOWN}, {"data", CLIENT_SHUTDOWN}}},
	{"reading goes on after our close_notify, TLS 1.2", "open data:onetwo eof:clean", "", &good_1_2, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT, "bye"}, {PEER_EXPECT_EOF}, {PEER_SEND, "one"}, {PEER_SEND, "two"},
	 {PEER_CLOSE_NOTIFY}},
	 .acts = {{"open", CLIENT_WRITE, "bye"}, {"open", CLIENT_SHUTDOWN}, {"data", CLIENT_SHUTDOWN}}},
	{"writing goes on after the peer's close_notify", "open eof:clean", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_CLOSE_NOTIFY}, {PEER_FIN}, {PEER_EXPECT, "one"}, {PEER_EXPECT_EOF}},
	 .acts = {{"eof", CLIENT_WRITE, "one"}, {"eof", CLIENT_SHUTDOWN}}},
	{"KeyUpdate disturbs nothing", "open data:ab eof:clean", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_KEY_UPDATE}, {PEER_SEND, "a"}, {PEER_EXPECT, "x"}, {PEER_SEND, "b"},
	 {PEER_EXPECT, "x"}, {PEER_CLOSE_NOTIFY}},
	 .acts = {{"data", CLIENT_WRITE, "x"}}},
	{"paused, then all of it", "open told1 data:abc eof:clean", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT, "!"}, {PEER_SEND, "a"}, {PEER_SEND, "b"}, {PEER_SEND, "c"},
	 {PEER_CLOSE_NOTIFY}, {PEER_TELL}},
	 .acts = {{"open", CLIENT_PAUSE}, {"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_RESUME}}},
	{"reset is a RST", "open told1", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_TELL}, {PEER_EXPECT_RST}},
	 .acts = {{"told1", CLIENT_RESET}}},
	{"free in on_data", "open data:abc", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_SEND, "abc"}, {PEER_EXPECT_EOF}},
	 .acts = {{"data", CLIENT_FREE}}},
	{"reset in on_data", "open data:abc", "", &good, "localhost", .peer = {{PEER_HANDSHAKE}, {PEER_SEND, "abc"}},
	 .acts = {{"data", CLIENT_RESET}}},
	{"free in on_eof", "open eof:clean", "", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_CLOSE_NOTIFY}, {PEER_EXPECT_EOF}},
	 .acts = {{"eof", CLIENT_FREE}}},
	{"free in on_error", "error:EPROTO", "self-signed", &self_signed, "localhost", .peer = REFUSES,
	 .acts = {{"error", CLIENT_FREE}}},
	/* hostile */
	{"HTTP in the clear", "error:EPROTO", "does not speak TLS", &good, "localhost",
	 .peer = {{PEER_SEND_RAW, "HTTP/1.1 400 Bad Request\r\n\r\n"}}},
	{"FIN in the handshake", "error:EPROTO", "closed the connection during the TLS handshake",
	 &good, "localhost", .peer = {{PEER_FIN}}},
	{"RST in the handshake", "error:ECONNRESET", "reset by peer during the TLS handshake", &good, "localhost",
	 .peer = {{PEER_RST}}},
	{"garbage after the handshake", "open error:EPROTO", "wrong version number", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_SEND_RAW, "no record at all, just some text"}}},
	{"a forged record", "open error:EPROTO", "decryption failed or bad record mac", &good, "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_SEND_RAW, "\x17\x03\x03\x01\x14"
				     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
				     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
				     "0123456789012345678901234567890123456789012345678901234567890123456789012345"}}},
};

static struct certs certs;

static void run_row(const struct tls_row *row)
{
	struct client c;
	struct peer p;
	struct tls_context *context;
	struct stream *tcp;
	struct tls_options options = {row->system_store ? NULL : certs.ca_file, row->insecure, row->alpn};
	assert_int_equal(tls_context_new(&options, &context, NULL), 0);
	assert_int_equal(peer_listen(&p, "127.0.0.1"), 0);
	p.steps = row->peer;
	p.ctx = certs_server(&certs, row->cert);
	client_init(&c, &p, row->acts);
	peer_start(&p);
	assert_int_equal(tcp_connect(&c.loop, &p.address, NULL, &client_events, &c, &tcp), 0);
	assert_int_equal(tls_client_new(&c.loop, context, tcp, row->server_name, &client_events, &c, &c.stream), 0);
	const char *log = client_run(&c, row->expected);
	/* A failed stream closes only when freed; the peer waits for that. */
	stream_free(TAKE_PTR(c.stream));
	peer_join(&p);
	const char *text = c.error_text[0] ? c.error_text : c.description;
	if (strcmp(log, row->expected) != 0 || p.failure[0] || !strstr(text, row->text ? row->text : ""))
		fail_msg("%s: got '%s' (%s), want '%s' (%s); peer: %s", row->name, log, text, row->expected, row->text, p.failure);
	client_fini(&c);
	tls_context_free(context);
	SSL_CTX_free(p.ctx);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		run_row(&rows[i]);
}

/* Two ends over a way that gives what is under way also to an end that has paused it, as a filter that holds does. */
struct way {
	struct stream stream; /* first */
	struct buf written;
};

struct end {
	struct way way;
	struct stream *tls;
	struct buf got;
	const char *end;
};

static int way_write(struct stream *s, struct span octets)
{
	return buf_append_span(&((struct way *)s)->written, octets);
}

static int way_shutdown(struct stream *s)
{
	(void)s;
	return 0;
}

static void way_pause(struct stream *s, bool paused)
{
	(void)s, (void)paused;
}

static size_t way_unsent(const struct stream *s)
{
	(void)s;
	return 0;
}

static const char *way_describe(const struct stream *s)
{
	(void)s;
	return "a way";
}

static void way_free(struct stream *s)
{
	buf_fini(&((struct way *)s)->written);
}

static const struct stream_ops way_ops = {
	.name = "way", .write = way_write, .shutdown = way_shutdown, .pause = way_pause, .unsent = way_unsent,
	.error_text = way_describe, .describe = way_describe, .free = way_free,
};

static void end_on_open(void *owner)
{
	(void)owner;
}

static void end_on_data(void *owner, struct span octets)
{
	struct end *x = owner;
	assert_null(x->end);
	assert_int_equal(buf_append_span(&x->got, octets), 0);
}

static void end_on_eof(void *owner, bool clean)
{
	struct end *x = owner;
	assert_null(x->end);
	x->end = clean ? "clean" : "cut";
}

static void end_on_error(void *owner, int error)
{
	(void)owner;
	fail_msg("error %d", error);
}

static const struct stream_events end_events = {end_on_open, end_on_data, end_on_eof, end_on_error, NULL};

static bool carry(struct end *from, struct end *to)
{
	struct buf octets CLEANUP(buf_fini) = from->way.written;
	buf_init(&from->way.written, 1 << 20);
	for (size_t at = 0; at < octets.len; at += STREAM_READ_CHUNK)
		to->way.stream.events->on_data(to->way.stream.owner, span_sub(buf_span(&octets), at, STREAM_READ_CHUNK));
	return octets.len > 0;
}

static void test_end_behind_what_waits(void **state)
{
	static uint8_t much[200000];
	(void)state;
	for (int clean = 0; clean < 2; clean++) {
		struct tls_options insecure = {.insecure = true};
		struct tls_server_options self = {0};
		struct tls_context *contexts[2];
		struct loop l;
		struct end ends[2] = {0}, *client = &ends[0], *server = &ends[1];
		assert_int_equal(loop_init(&l), 0);
		assert_int_equal(tls_context_new(&insecure, &contexts[0], NULL), 0);
		assert_int_equal(tls_server_context_new(&self, &contexts[1], NULL), 0);
		for (int i = 0; i < 2; i++) {
			ends[i].way.stream.ops = &way_ops;
			buf_init(&ends[i].way.written, 1 << 20);
			buf_init(&ends[i].got, 1 << 20);
		}
		assert_int_equal(tls_server_new(&l, contexts[1], &server->way.stream, &end_events, server, &server->tls), 0);
		assert_int_equal(tls_client_new(&l, contexts[0], &client->way.stream, NULL, &end_events, client, &client->tls), 0);
		while (carry(client, server) || carry(server, client))
			;
		stream_pause(server->tls, true);
		assert_int_equal(stream_write(client->tls, span_of(much, sizeof(much))), 0);
		if (clean)
			stream_shutdown(client->tls);
		carry(client, server);
		server->way.stream.events->on_eof(server->way.stream.owner, true);
		assert_int_equal(server->got.len, 0);
		stream_pause(server->tls, false);
		while (!server->end)
			uv_run(&l.uv, UV_RUN_ONCE);
		assert_int_equal(server->got.len, sizeof(much));
		assert_string_equal(server->end, clean ? "clean" : "cut");
		for (int i = 0; i < 2; i++) {
			stream_free(ends[i].tls);
			tls_context_free(contexts[i]);
			buf_fini(&ends[i].got);
		}
		loop_fini(&l);
	}
}

static void test_context(void **state)
{
	(void)state;
	static const struct {
		struct tls_options options;
		int error;
		const char *sentence;
	} bad[] = {
		{{.ca_file = "no-such-folder/ca.pem"}, -ENOENT, "CA file 'no-such-folder/ca.pem': No such file or directory"},
		{{.ca_file = "/dev/null"}, -EINVAL, "CA file '/dev/null' holds no certificate in PEM"},
		{{.insecure = true, .alpn = ""}, -EINVAL, "1 to 255 octets"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct tls_context *context = NULL;
		struct err e;
		assert_int_equal(tls_context_new(&bad[i].options, &context, &e), bad[i].error);
		assert_null(context);
		assert_non_null(strstr(e.text, bad[i].sentence));
	}
	tls_context_free(NULL);
}

/* Lets OpenSSL speak TLS 1.1 by itself, so that only our own minimum refuses it. */
static void write_lenient_config(char *path, size_t path_len)
{
	const char *folder = getenv("TMPDIR");
	snprintf(path, path_len, "%s/test-openssl-XXXXXX", folder && strlen(folder) < 40 ? folder : "/tmp");
	int fd = mkstemp(path);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	assert_non_null(f);
	fputs("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCipherString = DEFAULT:@SECLEVEL=0\n", f);
	fclose(f);
	setenv("OPENSSL_CONF", path, 1);
}

static int setup(void **state)
{
	char config[64];
	(void)state;
	write_lenient_config(config, sizeof(config));
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
	unlink(config);
	/* The system's store is empty for the tests: what is installed on a machine must not matter. */
	setenv("SSL_CERT_FILE", "/dev/null", 1);
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_end_behind_what_waits),
					   cmocka_unit_test(test_context)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
