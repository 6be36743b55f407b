/* Opening handshakes that fail on the path, octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "faults/test_talk.h"

enum { MS = 1000 };

#define REQUEST_BARE "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nOrigin: http://example.com\r\n\r\n"
#define REPLY_BARE "HTTP/1.1 101 Switching Protocols\r\nServer: sample\r\n\r\n"
#define REPLY_BAD "HTTP/1.1 101 Switching Protocols\r\nServer: sample\r\nUpgrade: websocket\r\n" \
		  "Connection: Upgrade\r\nSec-WebSocket-Accept: A3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

/* What comes of the handshake and of one text behind it, each way. NULL: as it was sent. */
static const struct {
	const char *options, *up, *down;
} rows[] = {
	{"strip=request", REQUEST_BARE, NULL},
	{"strip=reply", NULL, REPLY_BARE},
	{"strip=both", REQUEST_BARE, REPLY_BARE},
	{"bad_accept=true", NULL, REPLY_BAD},
	{"bad_accept=true strip=request", REQUEST_BARE, REPLY_BAD},
	{"delay=0s strip=reply", NULL, REPLY_BARE},
};

static void spoils_the_heads(void **state)
{
	static const size_t chunks[] = {0, 1, 7};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(chunks); i++) {
		struct bench b;
		size_t row = i / ARRAY_LEN(chunks), chunk = chunks[i % ARRAY_LEN(chunks)];
		const char *up = rows[row].up ? rows[row].up : talk_request, *down = rows[row].down ? rows[row].down : talk_reply;
		bench_init(&b);
		bench_add(&b, "handshake", rows[row].options, 0);
		bench_feed(&b, UPSTREAM, talk_request, strlen(talk_request), chunk);
		bench_feed(&b, DOWNSTREAM, talk_reply, strlen(talk_reply), chunk);
		bench_assert_text(&b, UPSTREAM, up);
		bench_assert_text(&b, DOWNSTREAM, down);
		for (enum direction d = 0; d < DIRECTIONS; d++) {
			talk_feed(&b, d, "t:hello"); /* of what is behind, nothing */
			bench_eof(&b, d);
			assert_true(b.eof[d]);
		}
		assert_string_equal(talk_heard(&b, UPSTREAM, strlen(up)), "t:hello");
		assert_string_equal(talk_heard(&b, DOWNSTREAM, strlen(down)), "t:hello");
		assert_false(b.ended);
		bench_fini(&b);
	}
}

/* Any head: folded fields go whole, others that look like them stay, line ends are as they were. */
static void strips_no_more(void **state)
{
	static const char *const cases[][2] = {
		{"HTTP/1.1 101 Go\nUPGRADE: websocket\nA: b\n\n", "HTTP/1.1 101 Go\nA: b\n\n"},
		{"HTTP/1.1 101 Go\r\nConnection:\r\n\tUpgrade\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 101 Go\r\nA: b\r\n c\r\n\r\n"},
		{"HTTP/1.1 101 Go\r\nUpgraded: no\r\nX-Upgrade: no\r\n\r\n",
		 "HTTP/1.1 101 Go\r\nUpgraded: no\r\nX-Upgrade: no\r\n\r\n"},
		{"HTTP/1.1 103 Soon\r\nConnection: x\r\n\r\nHTTP/1.1 101 Go\r\nsec-websocket-protocol: x\r\n\r\n",
		 "HTTP/1.1 103 Soon\r\nConnection: x\r\n\r\nHTTP/1.1 101 Go\r\n\r\n"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "handshake", "strip=reply", 0);
		bench_feed_text(&b, DOWNSTREAM, cases[i][0]);
		bench_assert_text(&b, DOWNSTREAM, cases[i][1]);
		bench_fini(&b);
	}
}

static const struct {
	const char *options, *contains[3];
} answers[] = {
	{"status=502", {"HTTP/1.1 502 Bad Gateway\r\n", "Connection: close\r\n", "<h1>502 Bad Gateway</h1>"}},
	{"status=403", {"HTTP/1.1 403 Forbidden\r\n"}},
	{"status=429 retry_after=1500ms", {"HTTP/1.1 429 Too Many Requests\r\n", "\r\nRetry-After: 2\r\n"}},
	{"status=301 location=wss://other/chat", {"HTTP/1.1 301 Moved Permanently\r\n", "\r\nLocation: wss://other/chat\r\n"}},
	{"status=599", {"HTTP/1.1 599 Status\r\n"}},
};

static void answers_in_place_of_the_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "handshake", answers[i].options, 0);
		bench_feed(&b, UPSTREAM, talk_request, strlen(talk_request) - 1, 0);
		bench_assert_text(&b, DOWNSTREAM, "");
		bench_feed(&b, UPSTREAM, "\n", 1, 0);
		bench_assert_text(&b, UPSTREAM, "");
		assert_true(b.ended && b.how == STREAM_END_FIN);
		struct span reply = buf_span(&b.out[DOWNSTREAM]);
		for (size_t j = 0; j < 3 && answers[i].contains[j]; j++)
			if (span_find(reply, span_str(answers[i].contains[j])) < 0)
				fail_msg("%s: %s", answers[i].options, buf_cstr(&b.out[DOWNSTREAM]));
		ptrdiff_t body = span_find(reply, span_str("\r\n\r\n")) + 4, length = span_find(reply, span_str("Content-Length: "));
		assert_int_equal(reply.len - (size_t)body, strtoul((const char *)reply.p + length + 16, NULL, 10));
		bench_fini(&b);
	}
}

/* Answers and replies come later by the delay, and what is behind them with them. */
static void is_late(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "handshake", "delay=30ms", 0);
	bench_feed_text(&b, UPSTREAM, talk_request);
	bench_assert_text(&b, UPSTREAM, talk_request);
	bench_pass_us(&b, 10 * MS);
	bench_feed_text(&b, DOWNSTREAM, talk_reply);
	talk_feed(&b, DOWNSTREAM, "t:1");
	bench_eof(&b, DOWNSTREAM);
	bench_pass_us(&b, 29 * MS);
	bench_assert_text(&b, DOWNSTREAM, "");
	assert_false(b.eof[DOWNSTREAM]);
	bench_pass_us(&b, 1 * MS);
	assert_string_equal(talk_after(&b, DOWNSTREAM), "t:1");
	assert_int_equal(b.pieces[b.n_pieces - 1].at_us, 40 * MS);
	assert_true(b.eof[DOWNSTREAM]);
	assert_string_equal(buf_cstr(&b.events), "handshake_both hit conn=1 downstream at=0 status=101 delay_us=30000 "
						 "bad_accept=0 strip=none cut=none\n");
	bench_fini(&b);
	bench_init(&b);
	bench_add(&b, "handshake", "delay=30ms status=503", 0);
	bench_feed_text(&b, UPSTREAM, talk_request);
	bench_feed_text(&b, UPSTREAM, "more");
	bench_eof(&b, UPSTREAM);
	bench_pass_us(&b, 29 * MS);
	assert_false(b.ended);
	bench_pass_us(&b, 1 * MS);
	assert_true(b.ended && b.ended_at_us == 30 * MS && b.out[DOWNSTREAM].len > 0);
	bench_assert_text(&b, UPSTREAM, "");
	bench_fini(&b);
}

static void is_cut(void **state)
{
	static const struct {
		const char *options;
		enum stream_end how;
		uint64_t at_us;
	} cuts[] = {{"cut=fin", STREAM_END_FIN, 0}, {"cut=rst", STREAM_END_RST, 0}, {"cut=blackhole", STREAM_END_SILENCE, 0},
		    {"cut=rst delay=5ms", STREAM_END_RST, 5 * MS}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "handshake", cuts[i].options, 0);
		bench_feed_text(&b, UPSTREAM, talk_request);
		bench_feed_text(&b, DOWNSTREAM, talk_reply);
		if (cuts[i].at_us) {
			bench_feed_text(&b, DOWNSTREAM, "more");
			assert_false(b.ended);
			bench_pass_us(&b, cuts[i].at_us);
		}
		assert_true(b.ended && b.how == cuts[i].how && b.ended_at_us == cuts[i].at_us);
		bench_assert_out(&b, DOWNSTREAM, talk_reply, strlen(talk_reply) / 2);
		bench_fini(&b);
	}
}

static void open_connections(void **state)
{
	struct bench b;
	struct toxic *toxic;
	(void)state;
	bench_init(&b); /* put on when the handshake is over: nothing to do */
	talk_open(&b);
	toxic = bench_add(&b, "handshake", "status=502", 0);
	talk_feed(&b, UPSTREAM, "t:1");
	talk_feed(&b, DOWNSTREAM, "t:2");
	assert_string_equal(talk_after(&b, UPSTREAM), "t:1");
	assert_string_equal(talk_after(&b, DOWNSTREAM), "t:2");
	bench_fini(&b);
	bench_init(&b); /* changed and taken off in the middle of a head: it leaves as it came */
	toxic = bench_add(&b, "handshake", "strip=both", 0);
	bench_feed_text(&b, UPSTREAM, "GET / HTTP/1.1\r\nUpgr");
	bench_feed_text(&b, DOWNSTREAM, "HTTP/1.1 101 Go\r\nUpgr");
	bench_change(&b, toxic, "strip=reply");
	bench_assert_text(&b, UPSTREAM, "GET / HTTP/1.1\r\nUpgr");
	bench_assert_text(&b, DOWNSTREAM, "");
	bench_remove(&b, toxic);
	bench_assert_text(&b, DOWNSTREAM, "HTTP/1.1 101 Go\r\nUpgr");
	bench_fini(&b);
	bench_init(&b); /* what looks like a head, behind octets that passed untouched */
	toxic = bench_add(&b, "handshake", "strip=request", 0);
	talk_open(&b);
	bench_change(&b, toxic, "strip=reply");
	b.out[DOWNSTREAM].len = 0;
	bench_feed_text(&b, DOWNSTREAM, talk_reply);
	bench_assert_text(&b, DOWNSTREAM, talk_reply);
	bench_fini(&b);
	bench_init(&b); /* an octet that was kept */
	toxic = bench_add(&b, "handshake", "strip=reply", 0);
	bench_feed_text(&b, DOWNSTREAM, "\x81");
	bench_assert_text(&b, DOWNSTREAM, "");
	bench_change(&b, toxic, "strip=request");
	bench_feed_text(&b, DOWNSTREAM, "\x01" "a");
	bench_assert_text(&b, DOWNSTREAM, "\x81\x01" "a");
	bench_fini(&b);
	bench_init(&b); /* taken off while the reply is late */
	toxic = bench_add(&b, "handshake", "delay=1s", 0);
	talk_open(&b);
	bench_remove(&b, toxic);
	bench_assert_text(&b, DOWNSTREAM, talk_reply);
	assert_true(chain_idle(b.chain));
	bench_fini(&b);
	bench_init(&b); /* while the answer is */
	toxic = bench_add(&b, "handshake", "delay=1s status=500", 0);
	bench_feed_text(&b, UPSTREAM, talk_request);
	bench_remove(&b, toxic);
	assert_true(b.ended && b.how == STREAM_END_FIN);
	bench_fini(&b);
}

/* Put on upstream alone, where the request is. */
static void answers_from_upstream(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "handshake", "status=502", STREAM_UP);
	bench_feed_text(&b, UPSTREAM, talk_request);
	assert_int_equal(span_find(buf_span(&b.out[DOWNSTREAM]), span_str("HTTP/1.1 502 ")), 0);
	assert_true(b.ended && b.how == STREAM_END_FIN);
	bench_fini(&b);
}

/* No octet follows a FIN. */
static void a_server_that_has_gone(void **state)
{
	static const unsigned streams[] = {0, STREAM_UP};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "handshake", "status=502", streams[i]);
		bench_eof(&b, DOWNSTREAM);
		bench_feed_text(&b, UPSTREAM, talk_request);
		assert_true(b.ended && b.out[DOWNSTREAM].len == 0);
		bench_fini(&b);
	}
}

static void what_makes_no_sense(void **state)
{
	static const char *const refused[][2] = {
		{"", "nothing to do: give status, delay, bad_accept, strip or cut"},
		{"status=101", "a proxy's own answer has a status from 200 to 599"},
		{"status=502 bad_accept=true", "with status there is no reply of the server: leave out bad_accept, strip and cut"},
		{"status=502 strip=request", "with status there is no reply of the server: leave out bad_accept, strip and cut"},
		{"status=502 cut=rst", "with status there is no reply of the server: leave out bad_accept, strip and cut"},
		{"status=502 location=/x", "location goes with a status of 3xx"},
		{"delay=1s retry_after=1s", "retry_after goes with a status"},
		{"bad_accept=true strip=both", "a stripped reply has no Sec-WebSocket-Accept: leave out bad_accept or strip"},
		{"bad_accept=true cut=fin", "nobody reads the Sec-WebSocket-Accept of a cut reply: leave out bad_accept or cut"},
	};
	struct bench b;
	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_string_equal(bench_refusal(&b, "handshake", refused[i][0]), refused[i][1]);
	assert_non_null(bench_refusal(&b, "handshake", "status=600"));
	assert_non_null(bench_refusal(&b, "handshake", "status=503 retry_after=25h"));
	assert_non_null(bench_refusal(&b, "handshake", "status=301 location=a\r\nSet-Cookie:x"));
	bench_fini(&b);
}

static void what_is_no_handshake_passes(void **state)
{
	static const char *const options[] = {"strip=both", "bad_accept=true delay=1s", "status=502", "cut=rst"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		talk_assert_hostile_passes("handshake", options[i], TALK_HOSTILE_HEADLESS);
}

static void how_octets_are_cut(void **state)
{
	static const char *const options[] = {"strip=both", "bad_accept=true delay=100us", "status=502 delay=1s",
					      "cut=rst delay=5us"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct buf one CLEANUP(buf_fini) = talk_assert_same("handshake", options[i], 0, 1);
		assert_true(span_find(buf_span(&one), span_str(" hit ")) >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spoils_the_heads),
		cmocka_unit_test(strips_no_more),
		cmocka_unit_test(answers_in_place_of_the_server),
		cmocka_unit_test(is_late),
		cmocka_unit_test(is_cut),
		cmocka_unit_test(open_connections),
		cmocka_unit_test(answers_from_upstream),
		cmocka_unit_test(a_server_that_has_gone),
		cmocka_unit_test(what_makes_no_sense),
		cmocka_unit_test(what_is_no_handshake_passes),
		cmocka_unit_test(how_octets_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
