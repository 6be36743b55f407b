/* URLs of targets: RFC 6455 3 and RFC 3986, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "harness/base/span.h"
#include "harness/target/url.h"

struct good_row {
	const char *text;
	bool tls;
	const char *host;
	uint16_t port;
	const char *target, *host_field;
};

static const struct good_row good_rows[] = {
	{"ws://example.com", false, "example.com", 80, "/", "example.com"},
	{"ws://example.com/", false, "example.com", 80, "/", "example.com"},
	{"wss://example.com/a/b?c=d", true, "example.com", 443, "/a/b?c=d", "example.com"},
	{"WSS://Example.com:443/x", true, "Example.com", 443, "/x", "Example.com"},
	{"ws://h:80/", false, "h", 80, "/", "h"},
	{"ws://h:443/", false, "h", 443, "/", "h:443"},
	{"wss://h:80/", true, "h", 80, "/", "h:80"},
	{"ws://h:65535?q", false, "h", 65535, "/?q", "h:65535"},
	{"ws://127.0.0.1:9001/%23", false, "127.0.0.1", 9001, "/%23", "127.0.0.1:9001"},
	{"ws://[::1]/x", false, "::1", 80, "/x", "[::1]"},
	{"wss://[2001:db8::1]:8443", true, "2001:db8::1", 8443, "/", "[2001:db8::1]:8443"},
	{"ws://h/a:b@c", false, "h", 80, "/a:b@c", "h"},
};

struct bad_row {
	const char *text, *sentence;
};

static const struct bad_row bad_rows[] = {
	{"http://h/", "expected a ws:// or wss:// URL, got 'http://h/'"},
	{"", "expected a ws:// or wss:// URL, got ''"},
	{"ws:/h", "expected a ws:// or wss:// URL, got 'ws:/h'"},
	{"ws://", "the URL has no host"},
	{"ws:///path", "the URL has no host"},
	{"ws://:80/", "the URL has no host"},
	{"ws://[]/", "the URL has no host"},
	{"ws://h:0/", "expected a port from 1 to 65535 after the host in the URL"},
	{"ws://h:65536/", "expected a port from 1 to 65535 after the host in the URL"},
	{"ws://h:/", "expected a port from 1 to 65535 after the host in the URL"},
	{"ws://h:+80/", "expected a port from 1 to 65535 after the host in the URL"},
	{"ws://h:8o/", "expected a port from 1 to 65535 after the host in the URL"},
	{"ws://h:000080/", "expected a port from 1 to 65535 after the host in the URL"},
	{"ws://[::1]x/", "expected a port from 1 to 65535 after the host in the URL"},
	{"ws://::1/", "the URL has no host"},
	{"ws://[::1", "the IPv6 address in the URL has no closing bracket"},
	{"ws://u:p@h/", "user and password do not belong into a target URL; use `headers:` in a target file"},
	{"ws://h/#x", "a WebSocket URL has no fragment (#...); write %23 if the path really holds a #"},
	{"ws://h/a b", "the URL holds a space, a control character or a character outside ASCII at column 9"},
	{"ws://h/\x1b[2J", "the URL holds a space, a control character or a character outside ASCII at column 8"},
	{"ws://h\r\nX: y/", "the URL holds a space, a control character or a character outside ASCII at column 7"},
	{"ws://\xc3\xa4/", "the URL holds a space, a control character or a character outside ASCII at column 6"},
};

static void good_ones_are_taken_apart(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
		const struct good_row *row = &good_rows[i];
		struct url u;
		struct err e = {0};
		if (url_parse(row->text, &a, &u, &e) != 0)
			fail_msg("%s: %s", row->text, e.text);
		assert_int_equal(u.tls, row->tls);
		assert_int_equal(u.port, row->port);
		assert_string_equal(u.host, row->host);
		assert_string_equal(u.target, row->target);
		assert_string_equal(u.host_field, row->host_field);
		assert_string_equal(u.text, row->text);
	}
	arena_fini(&a);
}

static void bad_ones_are_refused_with_the_reason(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		struct url u = {.port = 7};
		struct err e = {0};
		int r = url_parse(bad_rows[i].text, &a, &u, &e);
		if (r != -EINVAL || strcmp(e.text, bad_rows[i].sentence) != 0)
			fail_msg("%s: %d, %s", bad_rows[i].text, r, e.text);
		assert_int_equal(u.port, 7);
	}
	arena_fini(&a);
}

static void a_path_is_resolved_on_the_same_server(void **state)
{
	struct arena a;
	struct url base, u;
	struct err e;
	(void)state;
	arena_init(&a, 1 << 16);
	assert_int_equal(url_parse("wss://[::1]:9/ws?x", &a, &base, &e), 0);
	assert_int_equal(url_resolve(&base, "/echo?y", &a, &u, &e), 0);
	assert_true(u.tls && u.port == 9);
	assert_string_equal(u.target, "/echo?y");
	assert_string_equal(u.text, "wss://[::1]:9/echo?y");
	assert_int_equal(url_resolve(&base, "ws://other/z", &a, &u, &e), 0);
	assert_string_equal(u.host, "other");
	assert_int_equal(url_resolve(&base, "echo", &a, &u, &e), -EINVAL);
	assert_int_equal(url_resolve(&base, "/e#f", &a, &u, &e), -EINVAL);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_taken_apart),
		cmocka_unit_test(bad_ones_are_refused_with_the_reason),
		cmocka_unit_test(a_path_is_resolved_on_the_same_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
