/* Bodies of HTTP answers, each cut at every place: what RFC 9112 6.3 says of their ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "harness/base/err.h"
#include "harness/target/http_body.h"

enum { MORE, DONE, BAD, LARGE };

static const struct {
	const char *head, *octets, *body;
	int end;                       /* of the last feed */
	bool ended;                    /* were the connection over now */
} rows[] = {
	{"Content-Length: 5\r\n", "hello", "hello", DONE, true},
	{"Content-Length: 5\r\n", "hell", "hell", MORE, false},
	{"Content-Length: 5\r\n", "hello, and more", "hello", DONE, true},
	{"Content-Length: 0\r\n", "x", "", DONE, true},
	{"Content-Length: 5\r\nContent-Length: 5\r\n", "hello", "hello", DONE, true},
	{"", "until the end", "until the end", MORE, true},
	{"", "", "", MORE, true},
	{"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", "hello, world", DONE, true},
	{"Transfer-Encoding: Chunked\r\nContent-Length: 3\r\n", "5;a=\"b\"\r\nhello\r\n000\r\nX: y\r\n\r\nmore", "hello", DONE, true},
	{"Transfer-Encoding: chunked\r\n", "A\r\n0123456789\r\n0\r\n", "0123456789", MORE, false},
	{"Transfer-Encoding: chunked\r\n", "5\nhello\n0\n\n", "hello", DONE, true},
	{"Transfer-Encoding: chunked\r\n", "5\r\nhello!\r\n", "hello", BAD, false},
	{"Transfer-Encoding: chunked\r\n", "\r\n", "", BAD, false},
	{"Transfer-Encoding: chunked\r\n", "-5\r\n", "", BAD, false},
	{"Transfer-Encoding: chunked\r\n", "1234567890123456\r\n", "", BAD, false},
	{"Transfer-Encoding: chunked\r\n", "64\r\n0123456789012345678901234567890123456789012345678901234567890123456789", NULL, LARGE, false},
	{"Content-Length: 100\r\n", "0123456789012345678901234567890123456789012345678901234567890123456789", NULL, LARGE, false},
	{"", "0123456789012345678901234567890123456789012345678901234567890123456789", NULL, LARGE, true},
};

static int outcome(int r)
{
	return r == 0 ? MORE : r == 1 ? DONE : r == -EFBIG ? LARGE : BAD;
}

static void read_row(size_t i, size_t piece)
{
	struct arena a;
	struct buf head CLEANUP(buf_fini) = {0}, body CLEANUP(buf_fini) = {0};
	struct handshake_reply reply;
	struct http_body b;
	arena_init(&a, 1 << 20);
	buf_init(&head, 4096);
	buf_init(&body, 64);
	buf_printf(&head, "HTTP/1.1 200 OK\r\n%s\r\n", rows[i].head);
	assert_int_equal(handshake_reply_parse(buf_span(&head), &a, &reply), 1);
	int r = http_body_start(&b, &reply, false, &body);
	assert_int_equal(r, 0);
	struct span octets = span_str(rows[i].octets);
	r = http_body_feed(&b, span_of(NULL, 0));
	for (size_t at = 0; at < octets.len && r >= 0; at += piece)
		r = http_body_feed(&b, span_sub(octets, at, piece));
	bool same = !rows[i].body || span_eq(buf_span(&body), span_str(rows[i].body));
	if (outcome(r) != rows[i].end || !same || (r >= 0 && http_body_ended(&b) != rows[i].ended))
		fail_msg("row %zu in pieces of %zu: %d '%s'", i, piece, r, buf_cstr(&body));
	arena_fini(&a);
}

static void bodies_are_cut_where_they_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece <= 80; piece++)
			read_row(i, piece);
}

static void heads_without_a_body(void **state)
{
	static const struct {
		const char *head;
		bool asked_head;
		int start;
		bool done;
	} heads[] = {
		{"HTTP/1.1 204 No Content\r\n\r\n", false, 0, true},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, 0, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, 0, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9, 9\r\n\r\n", false, 0, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n", false, -EPROTO, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, -EPROTO, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", false, -EPROTO, false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false, -EPROTO, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct arena a;
		struct handshake_reply reply;
		struct http_body b;
		struct buf body CLEANUP(buf_fini) = {0};
		arena_init(&a, 1 << 20);
		buf_init(&body, 64);
		assert_int_equal(handshake_reply_parse(span_str(heads[i].head), &a, &reply), 1);
		int r = http_body_start(&b, &reply, heads[i].asked_head, &body);
		if (r != heads[i].start || (r == 0 && (http_body_feed(&b, span_of(NULL, 0)) == 1) != heads[i].done))
			fail_msg("head %zu: %d", i, r);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_cut_where_they_end),
		cmocka_unit_test(heads_without_a_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
