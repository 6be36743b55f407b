/* From names to connections: what resolves, which address wins, where a deadline cuts. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/net/dial.h"
#include "harness/net/test_certs.h"
#include "harness/net/test_client.h"

static const struct {
	const char *host, *first; /* first: the first address as text, NULL when it must not resolve */
	int family;
} hosts[] = {
	{"127.0.0.1", "127.0.0.1", AF_INET},
	{"::1", "::1", AF_INET6},
	{"[::1]", "::1", AF_INET6},
	{"[2001:db8::1]", "2001:db8::1", AF_INET6},
	{"[127.0.0.1]", NULL, 0},
	{"", NULL, 0},
	{"[]", NULL, 0},
	{"[::1", NULL, 0},
	{"two words", NULL, 0},
	{"127.0.0.256.", NULL, 0},
};

static void test_resolve(void **state)
{
	(void)state;
	struct dial_addresses addresses = {.n = 77};
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		int r = dial_resolve(hosts[i].host, 8080, &addresses, &e);
		if (!hosts[i].first) {
			assert_int_equal(r, -EHOSTUNREACH);
			assert_non_null(strstr(e.text, hosts[i].host));
			continue;
		}
		char text[INET6_ADDRSTRLEN];
		struct sockaddr_in *in = (struct sockaddr_in *)&addresses.list[0];
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addresses.list[0];
		bool four = hosts[i].family == AF_INET;
		assert_int_equal(r, 0);
		assert_int_equal(addresses.n, 1);
		assert_int_equal(addresses.list[0].ss_family, hosts[i].family);
		inet_ntop(hosts[i].family, four ? (void *)&in->sin_addr : (void *)&in6->sin6_addr, text, sizeof(text));
		assert_string_equal(text, hosts[i].first);
		assert_int_equal(ntohs(four ? in->sin_port : in6->sin6_port), 8080);
	}
	addresses.n = 77; /* untouched on failure */
	assert_int_equal(dial_resolve("", 1, &addresses, NULL), -EHOSTUNREACH);
	assert_int_equal(addresses.n, 77);
	assert_int_equal(dial_resolve("localhost", 1, &addresses, &e), 0);
	assert_in_range(addresses.n, 1, DIAL_ADDRESSES_MAX);
}

/* What an address of the list leads to. */
enum where { NOWHERE, REFUSING, SILENT, SERVER };

struct dial_row {
	const char *name, *expected, *text;
	enum where where[4];
	bool tls;
	const char *server_name, *source;
	struct peer_step peer[6];
	struct client_act acts[CLIENT_ACTS_MAX];
};

enum { SHORT_TIMEOUT_MS = 40 };

static const struct dial_row rows[] = {
	{"plain", "open eof:clean", "", {SERVER},
	 .peer = {{PEER_EXPECT, "x"}, {PEER_EXPECT_FROM, "127.0.0.1"}, {PEER_FIN}},
	 .acts = {{"open", CLIENT_WRITE, "x"}}},
	{"source address", "open eof:clean", "", {SERVER}, .source = "127.0.0.2",
	 .peer = {{PEER_EXPECT_FROM, "127.0.0.2"}, {PEER_FIN}}},
	{"refused", "error:ECONNREFUSED", "Connection refused", {REFUSING}},
	{"all refused", "error:ECONNREFUSED", "Connection refused", {REFUSING, REFUSING, REFUSING}},
	{"the second answers", "open eof:clean", "", {REFUSING, SERVER}, .peer = {{PEER_FIN}}},
	{"source of the other family", "error:EAFNOSUPPORT", "Address family", {SERVER}, .source = "::1"},
	{"source that is not ours", "error:EADDRNOTAVAIL", "Cannot assign requested address", {SERVER},
	 .source = "192.0.2.77"},
	{"TLS", "open eof:clean", "", {SERVER}, .tls = true, .server_name = "localhost",
	 .peer = {{PEER_HANDSHAKE}, {PEER_EXPECT, "x"}, {PEER_CLOSE_NOTIFY}}, .acts = {{"open", CLIENT_WRITE, "x"}}},
	{"no answer to TLS", "error:ETIMEDOUT", "not open within 40 ms", {SILENT}, .tls = true},
	{"no answer to TLS, the last tells", "error:ECONNREFUSED", "refused", {SILENT, REFUSING}, .tls = true},
	{"no answer to TLS, twice", "error:ETIMEDOUT", "not open within 40 ms", {SILENT, SILENT}, .tls = true},
	{"a wrong name is final", "error:EPROTO", "hostname mismatch", {SERVER, REFUSING}, .tls = true,
	 .server_name = "other.test",
	 .peer = {{PEER_HANDSHAKE_FAILS}}},
	{"an impossible name", "error:EINVAL", "Invalid argument", {REFUSING}, .tls = true, .server_name = ""},
	{"free in on_open", "open", "", {SERVER}, .peer = {{PEER_EXPECT_FIN}}, .acts = {{"open", CLIENT_FREE}}},
	{"free in on_data", "open data:x", "", {SERVER}, .peer = {{PEER_SEND, "x"}, {PEER_EXPECT_FIN}},
	 .acts = {{"data", CLIENT_FREE}}},
	{"free in on_error before open", "error:ECONNREFUSED", "", {REFUSING}, .acts = {{"error", CLIENT_FREE}}},
	{"free in on_error after a timeout", "error:ETIMEDOUT", "", {SILENT}, .tls = true,
	 .acts = {{"error", CLIENT_FREE}}},
	{"free in on_error after open", "open error:ECONNRESET", "", {SERVER}, .peer = {{PEER_RST}},
	 .acts = {{"error", CLIENT_FREE}}},
	{"reset", "open", "", {SERVER}, .peer = {{PEER_EXPECT_RST}}, .acts = {{"open", CLIENT_RESET}}},
};

static struct certs certs;

static void run_row(const struct dial_row *row)
{
	static const struct cert_spec cert = {.san = "DNS:localhost", .from_days = -1, .to_days = 1};
	struct client c;
	struct peer p, silent;
	struct tls_context *context = NULL;
	struct tls_options options = {.ca_file = certs.ca_file};
	struct dial_addresses addresses = {0};
	struct sockaddr_storage refusing;
	int refusing_fd = peer_refusing(&refusing);
	assert_int_equal(peer_listen(&p, "127.0.0.1"), 0);
	assert_int_equal(peer_listen(&silent, "127.0.0.1"), 0);
	for (const enum where *w = row->where; *w != NOWHERE; w++)
		addresses.list[addresses.n++] = *w == REFUSING ? refusing : *w == SILENT ? silent.address : p.address;
	p.steps = row->peer;
	if (row->tls) {
		p.ctx = certs_server(&certs, &cert);
		assert_int_equal(tls_context_new(&options, &context, NULL), 0);
	}
	client_init(&c, &p, row->acts);
	if (row->peer[0].what != PEER_DONE)
		peer_start(&p);
	uint32_t timeout_ms = strstr(row->expected, "open") ? 0 : SHORT_TIMEOUT_MS;
	struct dial_options o = {&addresses, row->source, timeout_ms, context, row->server_name};
	assert_int_equal(dial(&c.loop, &o, &client_events, &c, &c.stream), 0);
	assert_int_equal(stream_write(c.stream, SPAN_LIT("x")), -ENOTCONN);
	const char *log = client_run(&c, row->expected);
	if (strcmp(log, row->expected) != 0 || !strstr(c.error_text, row->text))
		fail_msg("%s: got '%s' (%s), want '%s' (%s)", row->name, log, c.error_text, row->expected, row->text);
	stream_free(TAKE_PTR(c.stream));
	peer_join(&p);
	if (p.failure[0])
		fail_msg("%s: peer: %s", row->name, p.failure);
	close(silent.listener);
	close(refusing_fd);
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

static void test_bad_options(void **state)
{
	(void)state;
	struct client c;
	struct dial_addresses one = {.n = 1}, none = {0};
	const struct dial_options bad[] = {
		{.addresses = &one, .source = "localhost"},
		{.addresses = &one, .source = ""},
		{.addresses = &none},
	};
	client_init(&c, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(dial(&c.loop, &bad[i], &client_events, &c, &c.stream), -EINVAL);
	assert_null(c.stream);
	client_fini(&c);
}

/* Given up by the caller: before the first turn, and while connecting. */
static void test_free_early(void **state)
{
	(void)state;
	struct peer silent;
	struct client c;
	assert_int_equal(peer_listen(&silent, "127.0.0.1"), 0);
	struct dial_addresses addresses = {.list = {silent.address}, .n = 1};
	for (int turns = 0; turns < 3; turns++) {
		client_init(&c, NULL, NULL);
		assert_int_equal(dial(&c.loop, &(struct dial_options){.addresses = &addresses}, &client_events, &c,
	 &c.stream), 0);
		for (int i = 0; i < turns; i++)
			uv_run(&c.loop.uv, UV_RUN_NOWAIT);
		if (turns == 1)
			stream_reset(c.stream);
		client_fini(&c);
	}
	close(silent.listener);
}

static void test_ipv6(void **state)
{
	(void)state;
	static const struct peer_step steps[] = {{PEER_EXPECT_FROM, "::1"}, {PEER_SEND, "six"}, {PEER_FIN}, {PEER_DONE}};
	struct peer p;
	struct client c;
	struct err e;
	struct dial_addresses addresses;
	if (peer_listen(&p, "::1") < 0) {
		print_message("IPv6 is not available here: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(dial_resolve("[::1]", ntohs(((struct sockaddr_in6 *)&p.address)->sin6_port), &addresses, &e), 0);
	p.steps = steps;
	client_init(&c, &p, NULL);
	peer_start(&p);
	struct dial_options o = {.addresses = &addresses, .source = "[::1]"};
	assert_int_equal(dial(&c.loop, &o, &client_events, &c, &c.stream), 0);
	assert_string_equal(client_run(&c, "open data:six eof:clean"), "open data:six eof:clean");
	assert_non_null(strstr(c.description, "tcp [::1]:"));
	peer_join(&p);
	assert_string_equal(p.failure, "");
	client_fini(&c);
}

static int setup(void **state)
{
	(void)state;
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
		cmocka_unit_test(test_resolve),	   cmocka_unit_test(test_rows), cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_free_early), cmocka_unit_test(test_ipv6),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
