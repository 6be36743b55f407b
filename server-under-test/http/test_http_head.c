/* The request head parser and the judge behind it, on heads written by hand: whole, and one octet at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "server-under-test/config/config.h"
#include "server-under-test/http/handshake_rules.h"
#include "server-under-test/http/http_head.h"

#define HOST "Host: localhost:9001\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define REST HOST UPGRADE KEY VERSION "\r\n"
#define GET "GET /echo HTTP/1.1\r\n"

static const struct {
	const char *head;
	unsigned status;
} rows[] = {
	{ GET REST, 101 },
	{ "\r\n" GET REST, 101 },
	{ "GET /echo?a=b HTTP/1.1\r\n" REST, 101 },
	{ "GET /%65cho HTTP/1.1\r\n" REST, 101 },
	{ "GET http://localhost:9001/echo HTTP/1.1\r\n" REST, 101 },
	{ "GET HTTPS://[::1]/echo?x HTTP/1.1\r\n" REST, 101 },
	{ "GET ws://localhost/echo HTTP/1.1\r\n" REST, 400 },
	{ "GET http:///echo HTTP/1.1\r\n" REST, 400 },
	{ "GET http://localhost HTTP/1.1\r\n" REST, 404 },
	{ "GET /echo# HTTP/1.1\r\n" REST, 400 },
	{ "GET /ec\xff" "ho HTTP/1.1\r\n" REST, 400 },
	{ "GET /echo%4 HTTP/1.1\r\n" REST, 400 },
	{ "GET /ec ho HTTP/1.1\r\n" REST, 400 },
	{ "GET echo HTTP/1.1\r\n" REST, 400 },
	{ "GET  HTTP/1.1\r\n" REST, 400 },
	{ "GET /echo\r\n" REST, 400 },
	{ "GET /echo HTTP/1.1 \r\n" REST, 400 },
	{ "GET /echo HTTP/1.0\r\n" REST, 400 },
	{ "GET /echo HTTP/1.2\r\n" REST, 101 },
	{ "GET /echo HTTP/2.0\r\n" REST, 505 },
	{ "get /echo HTTP/1.1\r\n" REST, 405 },
	{ "POST /echo HTTP/1.1\r\n" REST, 405 },
	{ "POST /nope HTTP/1.1\r\n" REST, 404 },
	{ "GET /Echo HTTP/1.1\r\n" REST, 404 },
	{ "\x16\x03\x01", 400 },
	{ GET UPGRADE KEY VERSION "\r\n", 400 },
	{ GET "Host: a b\r\n" UPGRADE KEY VERSION "\r\n", 400 },
	{ GET "Host:\r\n" UPGRADE KEY VERSION "\r\n", 400 },
	{ GET "Host: u@h\r\n" UPGRADE KEY VERSION "\r\n", 400 },
	{ GET HOST REST, 400 },
	{ GET "hOST:x\r\nuPGRADE:WebSocket\r\ncONNECTION:keep-alive,\tupgrade\r\n" KEY VERSION "\r\n", 101 },
	{ GET HOST KEY VERSION "Connection: Upgrade\r\n\r\n", 426 },
	{ GET HOST KEY VERSION "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 426 },
	{ GET HOST KEY VERSION "Connection: Upgrade\r\nUpgrade: foo/2, websocket\r\n\r\n", 101 },
	{ GET HOST KEY VERSION "Connection: Upgrade\r\nUpgrade: foo\r\nUpgrade: websocket\r\n\r\n", 101 },
	{ GET HOST KEY VERSION "Connection: Upgrade\r\nUpgrade: webSoc\xe2\x84\xaa" "et\r\n\r\n", 400 },
	{ GET HOST KEY VERSION "Connection: xUpgrade\r\nUpgrade: websocket\r\n\r\n", 400 },
	{ GET HOST UPGRADE VERSION "\r\n", 400 },
	{ GET HOST UPGRADE VERSION "Sec-WebSocket-Key:\r\n\r\n", 400 },
	{ GET HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\r\n", 400 },
	{ GET HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZT09\r\n\r\n", 400 },
	{ GET HOST UPGRADE VERSION "Sec-WebSocket-Key:  \tdGhlIHNhbXBsZSBub25jZQ== \t\r\n\r\n", 101 },
	{ GET KEY REST, 400 },
	{ GET HOST UPGRADE KEY "\r\n", 426 },
	{ GET HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426 },
	{ GET HOST UPGRADE KEY "Sec-WebSocket-Version: 255\r\n\r\n", 426 },
	{ GET HOST UPGRADE KEY "Sec-WebSocket-Version: 256\r\n\r\n", 400 },
	{ GET HOST UPGRADE KEY "Sec-WebSocket-Version: 013\r\n\r\n", 400 },
	{ GET HOST UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n", 400 },
	{ GET VERSION REST, 400 },
	{ GET "Sec-WebSocket-Protocol: a b\r\n" REST, 400 },
	{ GET "Sec-WebSocket-Protocol:\r\n" REST, 400 },
	{ GET "Sec-WebSocket-Extensions: a; b=\"1 0\"\r\n" REST, 400 },
	{ GET "Origin: https://evil.example\r\n" REST, 403 },
	{ GET "Origin: https://evil.example.good\r\n" REST, 101 },
	{ GET "X-A : b\r\n" REST, 400 },
	{ GET "X-A\r\n" REST, 400 },
	{ GET ": b\r\n" REST, 400 },
	{ GET "X-A: b\r\n c\r\n" REST, 400 },
	{ GET "X-A: a\rb\r\n" REST, 400 },
	{ GET "X-A: a\nX-B: b\r\n" REST, 400 },
	{ GET "X-A: a\x01\r\n" REST, 400 },
	{ GET "Content-Length: 0\r\n" REST, 101 },
	{ GET "Content-Length: 5\r\n" REST, 400 },
	{ GET "Transfer-Encoding: chunked\r\n" REST, 400 },
	{ "GET /healthz HTTP/1.1\r\n" HOST "\r\n", 200 },
	{ "HEAD /healthz HTTP/1.1\r\n" HOST "\r\n", 200 },
	{ "POST /healthz HTTP/1.1\r\n" HOST "\r\n", 405 },
};

static struct config config = {
	.subprotocols = { .items = { (char[]){ "one" }, (char[]){ "two" } }, .count = 2 },
	.origins_denied = { .items = { (char[]){ "https://evil.example" } }, .count = 1 },
	.origins_echo = "checked",
};

static unsigned judge(const char *head, size_t step)
{
	struct http_parser parser;
	enum http_progress progress = HTTP_MORE;
	unsigned status;
	size_t len = strlen(head);
	size_t used = 0;

	http_parser_init(&parser, 8192);
	for (size_t i = 0; i < len && progress == HTTP_MORE; i += used)
		progress = http_parser_feed(&parser, (const uint8_t *)head + i, i + step < len ? step : len - i, &used);
	assert_int_not_equal(progress, HTTP_MORE);
	status = progress == HTTP_BAD ? parser.status : handshake_judge(&parser.request, &config, false).status;
	http_parser_fini(&parser);
	return status;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (judge(rows[i].head, 4096) != rows[i].status || judge(rows[i].head, 1) != rows[i].status)
			fail_msg("%s: %u (octet-wise %u), not %u", rows[i].head, judge(rows[i].head, 4096), judge(rows[i].head, 1),
				 rows[i].status);
	}
}

static void test_stops_at_the_empty_line(void **state)
{
	static const char octets[] = GET REST "\x81\x80";
	struct http_parser parser;
	size_t used;

	(void)state;
	http_parser_init(&parser, 8192);
	assert_int_equal(http_parser_feed(&parser, (const uint8_t *)octets, sizeof(octets) - 1, &used), HTTP_DONE);
	assert_int_equal(used, sizeof(octets) - 1 - 2);
	http_parser_fini(&parser);
}

static void test_limits(void **state)
{
	static uint8_t endless[9000];
	struct http_parser parser;
	size_t used;

	(void)state;
	memset(endless, 'a', sizeof(endless));
	http_parser_init(&parser, 8192);
	assert_int_equal(http_parser_feed(&parser, endless, sizeof(endless), &used), HTTP_BAD);
	assert_int_equal(parser.status, 431);
	http_parser_fini(&parser);

	http_parser_init(&parser, 8192);
	http_parser_feed(&parser, (const uint8_t *)GET, strlen(GET), &used);
	for (unsigned i = 0; i < HTTP_FIELDS_MAX; i++)
		assert_int_equal(http_parser_feed(&parser, (const uint8_t *)"X: y\r\n", 6, &used), HTTP_MORE);
	assert_int_equal(http_parser_feed(&parser, (const uint8_t *)"X: y\r\n", 6, &used), HTTP_BAD);
	assert_int_equal(parser.status, 431);
	http_parser_fini(&parser);
}

static void test_subprotocol(void **state)
{
	static const struct {
		const char *offer;
		const char *chosen;
	} offers[] = {
		{ "one", "one" },	{ "x, two, one", "two" },      { "x\t,\tone", "one" }, { "ONE", "" },
		{ "ones", "" },		{ ", one,", "one" },	       { "one;x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		struct handshake_request r = { .method = text_from("GET"), .target = text_from("/echo"), .minor = 1 };
		struct handshake_verdict v;

		field_lines_add(&r.host, text_from("h"));
		field_lines_add(&r.upgrade, text_from("websocket"));
		field_lines_add(&r.connection, text_from("upgrade"));
		field_lines_add(&r.key, text_from("dGhlIHNhbXBsZSBub25jZQ=="));
		field_lines_add(&r.version, text_from("13"));
		field_lines_add(&r.protocol, text_from(offers[i].offer));
		v = handshake_judge(&r, &config, false);
		assert_int_equal(v.status, offers[i].chosen ? 101 : 400);
		if (offers[i].chosen)
			assert_true(text_equal(v.subprotocol, offers[i].chosen));
		assert_int_equal(handshake_judge(&r, &config, true).status, offers[i].chosen ? 503 : 400);
	}
}

/* RFC 6455 1.3 */
static void test_accept(void **state)
{
	char accept[HANDSHAKE_ACCEPT_LEN + 1];

	(void)state;
	handshake_accept(text_from("dGhlIHNhbXBsZSBub25jZQ=="), accept);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_extensions(void **state)
{
	static const char *const good[] = {
		"a", "a, b", "a;b", "a; b=c ; d=\"e\"", ", a", "a; b=\"\\c\"", "permessage-deflate;a, x",
	};
	static const char *const wrong[] = {
		"", ";", "a;", "a; =1", "a b", "a;;b", "a; b=", "a; b=\"", "a; b=\"\"", "a; b=\"c d\"",
		"a; b=\"c", "a; b c", "a=b", "a; b=\"c\"d", "a;b=\"\\",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!rule_extension_list(text_from(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (rule_extension_list(text_from(wrong[i])))
			fail_msg("accepted: %s", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	  cmocka_unit_test(test_stops_at_the_empty_line),
		cmocka_unit_test(test_limits),	  cmocka_unit_test(test_subprotocol),
		cmocka_unit_test(test_accept),	  cmocka_unit_test(test_extensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
