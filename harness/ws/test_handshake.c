/* The opening handshake against the published key and accept, requests written out by hand, and answers to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/ws/handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { ARENA_MAX = 1 << 20 };

static void test_published_vectors(void **state)
{
	(void)state;
	char out[64] = {0};
	/* RFC 6455 1.3 and 4.1 */
	handshake_key((const uint8_t *)"the sample nonce", out);
	assert_string_equal(out, KEY);
	handshake_accept(SPAN_LIT(KEY), out);
	assert_string_equal(out, ACCEPT);
	/* RFC 6455 4.1: 0x01 to 0x10 */
	uint8_t nonce[16];
	for (uint8_t i = 0; i < 16; i++)
		nonce[i] = i + 1;
	handshake_key(nonce, out);
	assert_string_equal(out, "AQIDBAUGBwgJCgsMDQ4PEA==");
	/* As sha1sum and base64 say; any text is a key, also none. */
	handshake_accept(SPAN_LIT("AQIDBAUGBwgJCgsMDQ4PEA=="), out);
	assert_string_equal(out, "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=");
	handshake_accept(SPAN_LIT(""), out);
	assert_string_equal(out, "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
}

static struct handshake_request sample_request(void)
{
	struct handshake_request q;
	handshake_request_init(&q, SPAN_LIT("/chat"), SPAN_LIT("server.example.com"), SPAN_LIT(KEY));
	return q;
}

static void expect_written(const struct handshake_request *q, const char *want, size_t want_len)
{
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, 4096);
	assert_int_equal(handshake_request_write(q, &b), 0);
	if (!span_eq(buf_span(&b), span_of(want, want_len)))
		fail_msg("written: %s", buf_cstr(&b));
}
#define EXPECT_WRITTEN(q, want) expect_written(q, want, sizeof(want) - 1)

static void test_plain_request(void **state)
{
	(void)state;
	struct handshake_request q = sample_request();
	EXPECT_WRITTEN(&q,
		"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n");
}

static void test_spoilt_requests(void **state)
{
	(void)state;
	struct handshake_request q = sample_request();
	handshake_request_drop(&q, "HOST");
	handshake_request_drop(&q, "no such field");
	assert_int_equal(handshake_request_set(&q, "upgrade", SPAN_LIT("WebSocket\0x")), 0);
	assert_int_equal(handshake_request_add(&q, "Connection", SPAN_LIT("keep-alive")), 0);
	assert_int_equal(handshake_request_add_raw(&q, SPAN_LIT("no colon at all\n")), 0);
	assert_int_equal(handshake_request_set(&q, "Sec-WebSocket-Version", SPAN_LIT("12")), 0);
	q.body = SPAN_LIT("\x81\x00");
	EXPECT_WRITTEN(&q,
		"GET /chat HTTP/1.1\r\nUpgrade: WebSocket\0x\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
		"Sec-WebSocket-Version: 12\r\nConnection: keep-alive\r\nno colon at all\n\r\n\x81\x00");
	/* set leaves one of several, at the place of the first */
	assert_int_equal(handshake_request_set(&q, "connection", SPAN_LIT("x")), 0);
	assert_ptr_equal(handshake_request_find(&q, "CONNECTION"), &q.fields[1]);
	assert_null(handshake_request_find(&q, "Host"));
	q.lf_only = true;
	q.method = SPAN_LIT("POST");
	q.version = SPAN_LIT("HTTP/1.0");
	q.body = (struct span){0};
	EXPECT_WRITTEN(&q,
		"POST /chat HTTP/1.0\nUpgrade: WebSocket\0x\nConnection: x\nSec-WebSocket-Key: " KEY "\n"
		"Sec-WebSocket-Version: 12\nno colon at all\n\n");
	/* a known field replaced by octets */
	handshake_request_find(&q, "Connection")->raw = SPAN_LIT(" Connection : Upgrade\r");
	handshake_request_drop(&q, "Sec-WebSocket-Key");
	EXPECT_WRITTEN(&q,
		"POST /chat HTTP/1.0\nUpgrade: WebSocket\0x\n Connection : Upgrade\rSec-WebSocket-Version: 12\n"
		"no colon at all\n\n");
	q.raw = SPAN_LIT("\0\0\0");
	EXPECT_WRITTEN(&q, "\0\0\0");
}

static void test_request_limits(void **state)
{
	(void)state;
	struct handshake_request q = sample_request();
	while (q.n_fields < ARRAY_LEN(q.fields))
		assert_int_equal(handshake_request_add(&q, "A", SPAN_LIT("b")), 0);
	assert_int_equal(handshake_request_add(&q, "A", SPAN_LIT("b")), -ENOSPC);
	assert_int_equal(handshake_request_add_raw(&q, SPAN_LIT("b")), -ENOSPC);
	assert_int_equal(handshake_request_set(&q, "B", SPAN_LIT("b")), -ENOSPC);
	assert_int_equal(handshake_request_set(&q, "A", SPAN_LIT("b")), 0);
	assert_int_equal(q.n_fields, 6);
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, 60);
	assert_int_equal(buf_append(&b, "x", 1), 0);
	assert_int_equal(handshake_request_write(&q, &b), -ENOBUFS);
	assert_int_equal(b.len, 1);
}

#define OK_LINE "HTTP/1.1 101 Switching Protocols\r\n"

#define UP "Upgrade: websocket\r\n"
#define CO "Connection: Upgrade\r\n"
#define AC "Sec-WebSocket-Accept: " ACCEPT "\r\n"

/* Offered: permessage-deflate; client_max_window_bits, and the subprotocols chat, superchat. */
static const struct {
	const char *line, *fields;
	unsigned faults;
} upgrades[] = {
	{OK_LINE, UP CO AC, 0},
	{OK_LINE, "upgrade: WebSocket\r\nCONNECTION: keep-alive, upGRADE\r\n" AC, 0},
	{OK_LINE, UP CO "Sec-WebSocket-Accept:  " ACCEPT "  \r\n", 0},
	{OK_LINE, UP CO AC "Sec-WebSocket-Protocol: superchat\r\n", 0},
	{OK_LINE, UP CO AC "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", 0},
	{OK_LINE, UP CO AC "Content-Length: 0\r\n", 0},
	{OK_LINE, CO AC, UPGRADE_FAULT_UPGRADE},
	{OK_LINE, UP UP CO AC, UPGRADE_FAULT_UPGRADE},
	{OK_LINE, "Upgrade: websocket, h2c\r\n" CO AC, UPGRADE_FAULT_UPGRADE},
	{OK_LINE, "Upgrade: websocket2\r\n" CO AC, UPGRADE_FAULT_UPGRADE},
	{OK_LINE, UP AC, UPGRADE_FAULT_CONNECTION},
	{OK_LINE, UP "Connection: keep-alive\r\n" AC, UPGRADE_FAULT_CONNECTION},
	{OK_LINE, UP CO, UPGRADE_FAULT_ACCEPT},
	{OK_LINE, UP CO "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", UPGRADE_FAULT_ACCEPT},
	{OK_LINE, UP CO "Sec-WebSocket-Accept: " KEY "\r\n", UPGRADE_FAULT_ACCEPT},
	{OK_LINE, UP CO AC AC, UPGRADE_FAULT_ACCEPT_TWICE},
	{OK_LINE, UP CO AC "Sec-WebSocket-Accept: x\r\n", UPGRADE_FAULT_ACCEPT_TWICE | UPGRADE_FAULT_ACCEPT},
	{OK_LINE, UP CO AC "Sec-WebSocket-Extensions: x-other\r\n", UPGRADE_FAULT_EXTENSION},
	{OK_LINE, UP CO AC "Sec-WebSocket-Extensions: permessage-deflate, x-other; a\r\n", UPGRADE_FAULT_EXTENSION},
	{OK_LINE, UP CO AC "Sec-WebSocket-Extensions: client_max_window_bits\r\n", UPGRADE_FAULT_EXTENSION},
	{OK_LINE, UP CO AC "Sec-WebSocket-Protocol: other\r\n", UPGRADE_FAULT_PROTOCOL},
	{OK_LINE, UP CO AC "Sec-WebSocket-Protocol: Chat\r\n", UPGRADE_FAULT_PROTOCOL},
	{OK_LINE, UP CO AC "Sec-WebSocket-Protocol:\r\n", UPGRADE_FAULT_PROTOCOL},
	{OK_LINE, UP CO AC "Sec-WebSocket-Protocol: chat, superchat\r\n", UPGRADE_FAULT_PROTOCOL},
	{
		OK_LINE, UP CO AC "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n",
		UPGRADE_FAULT_PROTOCOL_TWICE,
	},
	{OK_LINE, UP CO AC "Content-Length: 5\r\n", UPGRADE_FAULT_BODY},
	{OK_LINE, UP CO AC "Transfer-Encoding: chunked\r\n", UPGRADE_FAULT_BODY},
	{"HTTP/1.0 101 X\r\n", UP CO AC, UPGRADE_FAULT_VERSION | UPGRADE_FAULT_HEAD},
	{OK_LINE, UP CO AC "x\r\n", UPGRADE_FAULT_HEAD},
	{OK_LINE, "", UPGRADE_FAULT_UPGRADE | UPGRADE_FAULT_CONNECTION | UPGRADE_FAULT_ACCEPT},
};

static unsigned upgrade_faults(const struct handshake_request *q, const char *line, const char *fields)
{
	struct arena a CLEANUP(arena_fini);
	arena_init(&a, ARENA_MAX);
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, 4096);
	assert_int_equal(buf_printf(&b, "%s%s\r\n", line, fields), 0);
	struct handshake_reply r;
	assert_int_equal(handshake_reply_parse(buf_span(&b), &a, &r), 1);
	return handshake_upgrade_faults(q, &r);
}

static void test_upgrades(void **state)
{
	(void)state;
	struct handshake_request q = sample_request();
	const struct span deflate = SPAN_LIT("permessage-deflate; client_max_window_bits");
	assert_int_equal(handshake_request_add(&q, "Sec-WebSocket-Extensions", deflate), 0);
	assert_int_equal(handshake_request_add(&q, "Sec-WebSocket-Protocol", SPAN_LIT("chat")), 0);
	assert_int_equal(handshake_request_add(&q, "sec-websocket-protocol", SPAN_LIT("superchat, v9")), 0);
	for (size_t i = 0; i < ARRAY_LEN(upgrades); i++) {
		unsigned faults = upgrade_faults(&q, upgrades[i].line, upgrades[i].fields);
		if (faults != upgrades[i].faults)
			fail_msg("row %zu: %x, not %x", i, faults, upgrades[i].faults);
	}
}

/* The key and the offers are found however the request was given. */
static void test_upgrade_of_raw_requests(void **state)
{
	(void)state;
	static const char fields[] = UP CO AC "Sec-WebSocket-Protocol: chat\r\n";
	struct handshake_request q = sample_request();
	assert_int_equal(upgrade_faults(&q, OK_LINE, fields), UPGRADE_FAULT_PROTOCOL);
	assert_int_equal(handshake_request_add_raw(&q, SPAN_LIT("X: y\r\nSec-WebSocket-Protocol:a,\tchat\n")), 0);
	assert_int_equal(upgrade_faults(&q, OK_LINE, fields), 0);
	handshake_request_drop(&q, "Sec-WebSocket-Key");
	assert_int_equal(upgrade_faults(&q, OK_LINE, fields), UPGRADE_FAULT_ACCEPT);
	q.raw = SPAN_LIT("GET / HTTP/1.1\r\nsec-websocket-KEY:  " KEY " \r\nSec-WebSocket-Protocol: chat\r\n\r\n");
	assert_int_equal(upgrade_faults(&q, OK_LINE, fields), 0);
	assert_int_equal(upgrade_faults(&q, OK_LINE, UP CO), UPGRADE_FAULT_ACCEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_vectors),
		cmocka_unit_test(test_plain_request),
		cmocka_unit_test(test_spoilt_requests),
		cmocka_unit_test(test_request_limits),
		cmocka_unit_test(test_upgrades),
		cmocka_unit_test(test_upgrade_of_raw_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
