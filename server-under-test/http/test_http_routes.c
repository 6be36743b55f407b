/*
 * The server's routes: which row, which refusal, in which order. What the refusals ask (tokens, limits, the store) is
 * played here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "server-under-test/auth.h"
#include "server-under-test/http/http_admit.h"
#include "server-under-test/http/http_handlers.h"
#include "server-under-test/http/http_head.h"
#include "server-under-test/http/http_params.h"
#include "server-under-test/http/http_route.h"
#include "server-under-test/limits.h"
#include "server-under-test/wire.h"

const struct service service_echo, service_ws;
const struct http_handler http_healthz, http_readyz, http_metrics, http_publish, http_sse, http_poll;

static bool store_up;
static enum admission admission;
static int admitted;

bool server_store_up(const struct server *server)
{
	(void)server;
	return store_up;
}

enum admission limits_admit(const struct config *config, const char *ip, double now_s, unsigned *ret_retry_s)
{
	(void)config;
	(void)ip;
	(void)now_s;
	*ret_retry_s = 7;
	admitted += admission == ADMIT_OK;
	return admission;
}

void limits_release(const char *ip)
{
	(void)ip;
	admitted--;
}

/* The token "good" is good everywhere, "narrow" on the channel news alone. */
struct identity *auth_check(const struct auth *auth, struct text token, double now_s, const char **ret_why)
{
	struct identity *identity;

	(void)auth;
	(void)now_s;
	*ret_why = "the token is not good";
	if (!text_equal(token, "good") && !text_equal(token, "narrow"))
		return NULL;
	identity = calloc(1, sizeof(*identity));
	assert_non_null(identity);
	identity->channel_count = text_equal(token, "narrow");
	return identity;
}

bool identity_allows(const struct identity *identity, struct text channel)
{
	return !identity || identity->channel_count == 0 || text_equal(channel, "news");
}

/* Of hub_channel.c, which needs a store. */
bool hub_channel_name_ok(struct text name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || name.p[i] == '/' || name.p[i] == '.'))
			return false;
	return name.len > 0 && name.len <= CHANNEL_NAME_MAX;
}

#define HOST "Host: a\r\n"
#define UP HOST "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define EVIL "Origin: https://evil.example\r\n"
#define FINE "Origin: https://app.example\r\n"
#define GOOD "Authorization: Bearer good\r\n"
#define BAD "Authorization: Bearer bad\r\n"
#define NARROW "Authorization: bearer narrow\r\n"
#define END "\r\n"

enum {
	AUTH = 1, /* a key is configured */
	RATE = 2, /* handshakes come too fast */
	FULL = 4,
	DOWN = 8, /* the store */
	DRAIN = 16,
	ALL = 31,
};

/* state: what is wrong with the server; every row of one group fixes the fault that the one above was refused for. */
static const struct row {
	const char *head;
	unsigned server;
	unsigned status;
} rows[] = {
	/* the order */
	{ "GET /nope HTTP/1.1\r\n" UP UP EVIL END, ALL, 400 },
	{ "POST /nope HTTP/1.1\r\n" UP EVIL END, ALL, 404 },
	{ "POST /ws HTTP/1.1\r\n" UP EVIL END, ALL, 405 },
	{ "GET /ws HTTP/1.1\r\n" UP EVIL END, ALL, 426 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 EVIL END, ALL, 403 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 END, ALL, 401 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 BAD END, ALL, 401 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 GOOD END, ALL, 429 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 GOOD END, ALL & ~RATE, 503 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 GOOD END, AUTH | DOWN | DRAIN, 503 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 GOOD END, AUTH | DOWN, 503 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 GOOD END, AUTH | DRAIN, 503 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 GOOD FINE END, AUTH, 101 },
	{ "GET /ws?window=x HTTP/1.1\r\n" UP EVIL END, ALL, 400 },
	/* credentials */
	{ "GET /ws HTTP/1.1\r\n" UP V13 END, 0, 101 },
	{ "GET /ws?token=good HTTP/1.1\r\n" UP V13 END, AUTH, 101 },
	{ "GET /ws?token=bad HTTP/1.1\r\n" UP V13 GOOD END, AUTH, 101 },
	{ "GET /ws?token=bad HTTP/1.1\r\n" UP V13 "Cookie: wsquall_token=good\r\n" END, AUTH, 401 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 "Cookie: a=b; wsquall_token=good\r\n" END, AUTH, 101 },
	{ "GET /ws HTTP/1.1\r\n" UP V13 NARROW END, AUTH, 101 },
	{ "GET /poll/news HTTP/1.1\r\n" HOST NARROW END, AUTH, 200 },
	{ "GET /poll/other HTTP/1.1\r\n" HOST NARROW END, AUTH, 403 },
	{ "GET /sse/other HTTP/1.1\r\n" HOST NARROW END, AUTH, 403 },
	{ "POST /publish/other HTTP/1.1\r\n" HOST NARROW END, AUTH, 403 },
	{ "POST /publish/n%65ws HTTP/1.1\r\n" HOST NARROW END, AUTH, 200 },
	{ "GET /echo HTTP/1.1\r\n" UP V13 END, AUTH | DOWN, 101 },
	{ "GET /echo HTTP/1.1\r\n" UP V13 END, AUTH | DRAIN, 503 },
	{ "GET /healthz HTTP/1.1\r\n" HOST EVIL END, ALL, 200 },
	{ "GET /readyz HTTP/1.1\r\n" HOST EVIL END, ALL, 200 },
	{ "HEAD /metrics HTTP/1.1\r\n" HOST END, ALL, 200 },
	{ "GET /sse/c HTTP/1.1\r\n" HOST END, ALL, 401 },
	{ "OPTIONS /sse/c HTTP/1.1\r\n" HOST FINE END, ALL, 200 },
	{ "OPTIONS /publish/c HTTP/1.1\r\n" HOST EVIL END, ALL, 403 },
	{ "OPTIONS /metrics HTTP/1.1\r\n" HOST FINE END, 0, 405 },
	/* paths and methods */
	{ "GET /ws HTTP/1.1\r\n" HOST END, 0, 426 },
	{ "HEAD /ws HTTP/1.1\r\n" HOST END, 0, 426 },
	{ "GET /%77s?window=0 HTTP/1.1\r\n" UP V13 END, 0, 101 },
	{ "GET /ws/ HTTP/1.1\r\n" UP V13 END, 0, 404 },
	{ "GET /healthz HTTP/1.1\r\n" UP V13 END, 0, 404 },
	{ "GET /healthz/ HTTP/1.1\r\n" HOST END, 0, 404 },
	{ "GET /poll HTTP/1.1\r\n" HOST END, 0, 404 },
	{ "GET /poll/ HTTP/1.1\r\n" HOST END, 0, 400 },
	{ "GET /poll%2Fc HTTP/1.1\r\n" HOST END, 0, 404 },
	{ "GET /p%6fll/a%2Fb HTTP/1.1\r\n" HOST END, 0, 200 },
	{ "GET /poll/a/b HTTP/1.1\r\n" HOST END, 0, 200 },
	{ "GET /poll/a%20b HTTP/1.1\r\n" HOST END, 0, 400 },
	{ "GET /poll/a%00 HTTP/1.1\r\n" HOST END, 0, 400 },
	{ "POST /poll/c HTTP/1.1\r\n" HOST END, 0, 405 },
	{ "GET /publish/c HTTP/1.1\r\n" HOST END, 0, 405 },
	{ "HEAD /publish/c HTTP/1.1\r\n" HOST END, 0, 405 },
	{ "HEAD /sse/c HTTP/1.1\r\n" HOST END, 0, 200 },
	{ "GET /sse/c HTTP/1.1\r\n" HOST EVIL END, 0, 403 },
	{ "GET /sse/c HTTP/1.1\r\n" HOST FINE FINE END, 0, 400 },
	{ "POST /publish/c HTTP/1.1\r\n" HOST EVIL END, 0, 403 },
	/* parameters */
	{ "GET /ws?window= HTTP/1.1\r\n" UP V13 END, 0, 400 },
	{ "GET /ws?window=-1 HTTP/1.1\r\n" UP V13 END, 0, 400 },
	{ "GET /ws?window=99999999999999999999 HTTP/1.1\r\n" UP V13 END, 0, 101 },
	{ "GET /poll/c?since=E:41&wait=0 HTTP/1.1\r\n" HOST END, 0, 200 },
	{ "GET /poll/c?since=E%3A41&wait=900 HTTP/1.1\r\n" HOST END, 0, 200 },
	{ "GET /poll/c?since=41 HTTP/1.1\r\n" HOST END, 0, 400 },
	{ "GET /poll/c?since= HTTP/1.1\r\n" HOST END, 0, 400 },
	{ "GET /poll/c?wait=1.5 HTTP/1.1\r\n" HOST END, 0, 400 },
	{ "GET /poll/c?wait= HTTP/1.1\r\n" HOST END, 0, 400 },
	{ "GET /sse/c HTTP/1.1\r\n" HOST "Last-Event-ID: E:1\r\n" END, 0, 200 },
	{ "GET /sse/c HTTP/1.1\r\n" HOST "Last-Event-ID:\r\n" END, 0, 400 },
	{ "GET /sse/c HTTP/1.1\r\n" HOST "Last-Event-ID: E\r\n" END, 0, 400 },
	{ "GET /sse/c?lastEventId=E:x HTTP/1.1\r\n" HOST END, 0, 400 },
	{ "GET /sse/c?lastEventId=E:x HTTP/1.1\r\n" HOST "Last-Event-ID: E:1\r\n" END, 0, 200 },
	/* bodies */
	{ "POST /publish/c HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END, 0, 200 },
	{ "POST /publish/c HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n" END, 0, 400 },
	{ "POST /publish/c HTTP/1.1\r\n" HOST "Content-Length: +5\r\n" END, 0, 400 },
	{ "POST /publish/c HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n" END, 0, 400 },
	{ "POST /publish/c HTTP/1.1\r\n" HOST "Content-Length:\r\n" END, 0, 400 },
	{ "POST /publish/c HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END, 0, 400 },
	{ "POST /publish/c HTTP/1.1\r\n" HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n" END, 0, 400 },
	{ "POST /publish/c HTTP/1.1\r\n" UP V13 "Content-Length: 5\r\n" END, 0, 400 },
	{ "GET /poll/c HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END, 0, 400 },
	{ "POST /nope HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END, 0, 404 },
	{ "POST /healthz HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END, 0, 405 },
	{ "POST /nope HTTP/1.1\r\n" UP V13 "Content-Length: 5\r\n" END, 0, 400 },
};

static struct config config = {
	.origins = { .items = { (char[]){ "https://app.example" } }, .count = 1 },
	.origins_echo = "ignored",
};

static void parse(struct http_parser *parser, const char *head)
{
	size_t used;

	http_parser_init(parser, 8192);
	if (http_parser_feed(parser, (const uint8_t *)head, strlen(head), &used) != HTTP_DONE)
		fail_msg("%s: %u %s", head, parser->status, parser->why);
}

static void server_play(struct server *server, unsigned state)
{
	*server = (struct server){ .config = &config, .loop = ev_default_loop(0), .refusing = (state & DRAIN) != 0 };
	if (state & AUTH)
		server->auth = (struct auth *)server; /* only ever compared with NULL here */
	store_up = !(state & DOWN);
	admission = state & RATE ? ADMIT_HANDSHAKES : state & FULL ? ADMIT_FULL : ADMIT_OK;
	admitted = 0;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct identity *identity = NULL;
		struct handshake_verdict v;
		struct http_parser parser;
		struct server server;
		unsigned retry_s = 0;

		server_play(&server, row->server);
		parse(&parser, row->head);
		v = handshake_judge_routes(&parser.request, &config, &http_routes);
		if (v.status == 101 || v.status == 200)
			http_admit(&server, &parser.request, "127.0.0.1", &v, &identity, &retry_s);
		if (v.status != row->status)
			fail_msg("%s: %u %s, not %u", row->head, v.status, v.why, row->status);
		assert_int_equal(admitted, v.status == 101);
		if (v.status == 429 || v.status == 503)
			assert_int_not_equal(retry_s, 0);
		if (v.status == 426)
			assert_true(v.version_field);
		free(identity);
		http_parser_fini(&parser);
	}
}

static void test_verdict(void **state)
{
	static const char head[] = "GET /ws?a=b&window=5 HTTP/1.1\r\n" UP V13 FINE "Sec-WebSocket-Protocol: x, wsquall.v1\r\n"
				   "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" END;
	struct handshake_verdict v;
	struct http_parser parser;

	(void)state;
	parse(&parser, head);
	v = handshake_judge_routes(&parser.request, &config, &http_routes);
	assert_int_equal(v.status, 101);
	assert_ptr_equal(v.route->service, &service_ws);
	assert_true(text_equal(v.query, "a=b&window=5"));
	assert_true(text_equal(v.subprotocol, "wsquall.v1"));
	assert_true(v.deflate.accepted);
	assert_true(v.origin_allowed);
	assert_false(handshake_judge(&parser.request, &config, false).deflate.accepted);
	assert_int_equal(handshake_judge(&parser.request, &config, false).status, 404);
	http_parser_fini(&parser);
}

static void test_channel(void **state)
{
	char buffer[HTTP_CHANNEL_BUFFER];
	char longest[CHANNEL_NAME_MAX + 2];
	struct text channel;

	(void)state;
	assert_true(http_param_channel(text_from("a%2fb/c%2Ed"), buffer, &channel));
	assert_true(text_equal(channel, "a/b/c.d"));
	memset(longest, 'a', sizeof(longest));
	assert_true(http_param_channel(text_of(longest, CHANNEL_NAME_MAX), buffer, &channel));
	assert_false(http_param_channel(text_of(longest, CHANNEL_NAME_MAX + 1), buffer, &channel));
	assert_false(http_param_channel(text_from("a%2"), buffer, &channel));
	assert_false(http_param_channel(text_from(""), buffer, &channel));
}

static void test_position(void **state)
{
	static const struct {
		const char *text;
		const char *epoch; /* NULL: malformed */
		uint64_t seq;
	} positions[] = {
		{ "E:41", "E", 41 },
		{ "0123456789abcdef0123456789abcdef:0", "0123456789abcdef0123456789abcdef", 0 },
		{ "E:18446744073709551615", "E", UINT64_MAX },
		{ "E:18446744073709551616", NULL, 0 },
		{ "E:99999999999999999999999", NULL, 0 },
		{ "0123456789abcdef0123456789abcdef0:0", NULL, 0 },
		{ ":41", NULL, 0 },
		{ "E:", NULL, 0 },
		{ "E:4:1", NULL, 0 },
		{ "E:-1", NULL, 0 },
		{ "E: 1", NULL, 0 },
		{ "E 1:1", NULL, 0 },
		{ "E\xc3\xa9:1", NULL, 0 },
		{ "41", NULL, 0 },
		{ "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		struct position position;
		bool good = http_position_parse(text_from(positions[i].text), &position);

		if (good != (positions[i].epoch != NULL))
			fail_msg("%s", positions[i].text);
		if (!good)
			continue;
		assert_string_equal(position.epoch, positions[i].epoch);
		assert_true(position.seq == positions[i].seq);
	}
}

static void test_wait(void **state)
{
	static const struct {
		const char *query;
		enum http_param result;
		unsigned wait_s;
	} waits[] = {
		{ "", HTTP_PARAM_ABSENT, 25 },	  { "wait=0", HTTP_PARAM_OK, 0 },     { "a=b&wait=60", HTTP_PARAM_OK, 60 },
		{ "wait=61", HTTP_PARAM_OK, 60 }, { "wait=x", HTTP_PARAM_BAD, 25 },   { "waits=3", HTTP_PARAM_ABSENT, 25 },
		{ "wait=99999999999999999999999", HTTP_PARAM_OK, 60 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		unsigned wait_s;

		assert_int_equal(http_param_wait(text_from(waits[i].query), &wait_s), waits[i].result);
		assert_int_equal(wait_s, waits[i].wait_s);
	}
}

static void test_body_len(void **state)
{
	static const struct {
		const char *length, *coding;
		unsigned status;
		size_t len;
	} bodies[] = {
		{ "0", NULL, 0, 0 },	 { "1000", NULL, 0, 1000 },    { "1001", NULL, 413, 0 },
		{ NULL, NULL, 411, 0 },	 { NULL, "chunked", 501, 0 },  { "99999999999999999999999999", NULL, 413, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct handshake_request r = { .minor = 1 };
		const char *why;
		size_t len = 0;

		if (bodies[i].length)
			field_lines_add(&r.content_length, text_from(bodies[i].length));
		if (bodies[i].coding)
			field_lines_add(&r.transfer_encoding, text_from(bodies[i].coding));
		assert_int_equal(http_body_len(&r, 1000, &len, &why), bodies[i].status);
		assert_int_equal(len, bodies[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	 cmocka_unit_test(test_verdict), cmocka_unit_test(test_channel),
		cmocka_unit_test(test_position), cmocka_unit_test(test_wait),	 cmocka_unit_test(test_body_len),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
