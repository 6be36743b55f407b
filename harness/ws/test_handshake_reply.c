/*
 * The reply parser: one fault a row, every prefix incomplete, octets behind the head without influence; and what a
 * peer can do to waste our memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "harness/base/err.h"
#include "harness/ws/handshake.h"

enum { ARENA_MAX = 1 << 20 };

#define OK_LINE "HTTP/1.1 101 Switching Protocols\r\n"
#define GOOD_FIELDS "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

/* Replies: faults, status, number of fields. All heads end with the text. */
static const struct reply_row {
	struct span text;
	unsigned faults;
	int status, minor;
	size_t n_fields;
} replies[] = {
	{SPAN_LIT(OK_LINE GOOD_FIELDS "\r\n"), 0, 101, 1, 3},
	{SPAN_LIT("HTTP/1.1 404 \r\n\r\n"), 0, 404, 1, 0},
	{SPAN_LIT("HTTP/1.1 426 N\xc3\xb6 \t way\r\nA:\r\nB: \t \r\nC:d\r\n\r\n"), 0, 426, 1, 3},
	{SPAN_LIT("HTTP/1.1 200 OK\r\nx!#$%&'*+-.^_`|~9: \xff\t\x80\r\n\r\n"), 0, 200, 1, 1},
	{SPAN_LIT("HTTP/1.1 100 Go\r\nA: b\r\nC: d\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" OK_LINE "\r\n"), 0, 101, 1, 0},
	{SPAN_LIT("HTTP/1.0 101 X\r\n\r\n"), HANDSHAKE_FAULT_VERSION, 101, 0, 0},
	{SPAN_LIT("HTTP/2.0 200 X\r\n\r\n"), HANDSHAKE_FAULT_VERSION, 200, -1, 0},
	{SPAN_LIT("HTTP/1.2 200 X\r\n\r\n"), HANDSHAKE_FAULT_VERSION, 200, 2, 0},
	{SPAN_LIT("HTTP/1.1 101\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 101, 1, 0},
	{SPAN_LIT("HTTP/1.1  101 X\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 101, 1, 0},
	{SPAN_LIT("HTTP/1.1 1011 X\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 0, 1, 0},
	{SPAN_LIT("HTTP/1.1 10 X\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 0, 1, 0},
	{SPAN_LIT("HTTP/1.1 1x1 X\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 0, 1, 0},
	{SPAN_LIT("HTTP/1.1 099 X\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 99, 1, 0},
	{SPAN_LIT("HTTP/1.1 200 a\rb\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 200, 1, 0},
	{SPAN_LIT("HTTP/1.1 200 a\0b\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 200, 1, 0},
	{SPAN_LIT("HTTP/1.1\t200 OK\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 0, -1, 0},
	{SPAN_LIT("HTTP/11 200 OK\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 200, -1, 0},
	{SPAN_LIT("HTTP/1.10 200 OK\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 200, -1, 0},
	{SPAN_LIT("HTTP/\r\n\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 0, -1, 0},
	{SPAN_LIT(OK_LINE "Upgrade\r\n\r\n"), HANDSHAKE_FAULT_FIELD, 101, 1, 0},
	{SPAN_LIT(OK_LINE "Upgrade : websocket\r\n\r\n"), HANDSHAKE_FAULT_FIELD, 101, 1, 1},
	{SPAN_LIT(OK_LINE ": websocket\r\n\r\n"), HANDSHAKE_FAULT_FIELD, 101, 1, 0},
	{SPAN_LIT(OK_LINE "Up grade: websocket\r\n\r\n"), HANDSHAKE_FAULT_FIELD, 101, 1, 1},
	{SPAN_LIT(OK_LINE "Upgr\0de: websocket\r\n\r\n"), HANDSHAKE_FAULT_FIELD, 101, 1, 1},
	{SPAN_LIT(OK_LINE "\xc3\xa9: websocket\r\n\r\n"), HANDSHAKE_FAULT_FIELD, 101, 1, 1},
	{SPAN_LIT(OK_LINE "A: b\0c\r\n\r\n"), HANDSHAKE_FAULT_VALUE, 101, 1, 1},
	{SPAN_LIT(OK_LINE "A: b\rc\r\n\r\n"), HANDSHAKE_FAULT_VALUE, 101, 1, 1},
	{SPAN_LIT(OK_LINE "A: b\r\r\n\r\n"), HANDSHAKE_FAULT_VALUE, 101, 1, 1},
	{SPAN_LIT(OK_LINE "A: b\x7f\r\n\r\n"), HANDSHAKE_FAULT_VALUE, 101, 1, 1},
	{SPAN_LIT(OK_LINE "A: b\n\r\n"), HANDSHAKE_FAULT_LINE_END, 101, 1, 1},
	{SPAN_LIT(OK_LINE "A: b\r\n\n"), HANDSHAKE_FAULT_LINE_END, 101, 1, 1},
	{SPAN_LIT("HTTP/1.1 101 X\n\n"), HANDSHAKE_FAULT_LINE_END, 101, 1, 0},
	{SPAN_LIT(OK_LINE "A: b\r\n c\r\n\tD: e\r\n\r\n"), HANDSHAKE_FAULT_FOLD, 101, 1, 1},
	{SPAN_LIT(OK_LINE " A: b\r\nC: d\r\n\r\n"), HANDSHAKE_FAULT_FOLD, 101, 1, 1},
	{SPAN_LIT(OK_LINE "A: b\r\n \x01\r\n\r\n"), HANDSHAKE_FAULT_FOLD | HANDSHAKE_FAULT_VALUE, 101, 1, 1},
	{SPAN_LIT("HTTP/1.1 100\r\n\r\n" OK_LINE "\r\n"), HANDSHAKE_FAULT_STATUS_LINE, 101, 1, 0},
};

static void same_reply(const struct handshake_reply *a, const struct handshake_reply *b, size_t row)
{
	if (a->faults != b->faults || a->status != b->status || a->version_minor != b->version_minor ||
			a->size != b->size || !span_eq(a->reason, b->reason) || a->n_fields != b->n_fields)
		fail_msg("row %zu: the answer changes with more octets", row);
	for (size_t i = 0; i < a->n_fields; i++)
		assert_true(span_eq(a->fields[i].name, b->fields[i].name) && span_eq(a->fields[i].value, b->fields[i].value));
}

/* Each row; no prefix of it is complete; octets behind it change nothing. */
static void test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		const struct reply_row *row = &replies[i];
		struct arena a CLEANUP(arena_fini);
		arena_init(&a, ARENA_MAX);
		struct handshake_reply r = {.status = -7}, longer;
		for (size_t len = 0; len < row->text.len; len++)
			if (handshake_reply_parse(span_sub(row->text, 0, len), &a, &r) != 0)
				fail_msg("row %zu: complete with %zu octets", i, len);
		assert_int_equal(r.status, -7);
		assert_int_equal(a.used, 0);
		assert_int_equal(handshake_reply_parse(row->text, &a, &r), 1);
		if (r.faults != row->faults || r.status != row->status || r.version_minor != row->minor ||
				r.n_fields != row->n_fields || r.size != row->text.len)
			fail_msg("row %zu: faults %x status %d minor %d fields %zu size %zu", i, r.faults, r.status,
				r.version_minor, r.n_fields, r.size);
		struct buf more CLEANUP(buf_fini);
		buf_init(&more, 4096);
		assert_int_equal(buf_append_span(&more, row->text), 0);
		assert_int_equal(buf_append(&more, "\x81\x01x\r\n\r\nHTTP/", 12), 0);
		assert_int_equal(handshake_reply_parse(buf_span(&more), &a, &longer), 1);
		same_reply(&r, &longer, i);
	}
}

static void expect_field(const struct handshake_reply *r, size_t at, const char *name, const char *value)
{
	assert_true(at < r->n_fields);
	assert_true(span_eq(r->fields[at].name, span_str(name)));
	assert_true(span_eq(r->fields[at].value, span_str(value)));
}

static void test_what_was_read(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_fini);
	arena_init(&a, ARENA_MAX);
	struct handshake_reply r;
	assert_int_equal(handshake_reply_parse(SPAN_LIT("HTTP/1.1 426 Upgrade Required\r\nA:  b c\t\r\nSpaced : x\r\n"
		"Folded: one\r\n  two\r\n \r\n\tthree\r\nEmpty:\r\n late\r\nurl: http://x:1/\r\n\r\n"), &a, &r), 1);
	assert_true(span_eq(r.reason, SPAN_LIT("Upgrade Required")));
	assert_int_equal(r.n_fields, 5);
	expect_field(&r, 0, "A", "b c");
	expect_field(&r, 1, "Spaced", "x");
	expect_field(&r, 2, "Folded", "one\r\n  two\r\n \r\n\tthree");
	expect_field(&r, 3, "Empty", "late");
	expect_field(&r, 4, "url", "http://x:1/");
}

/* What can never become HTTP is known at once, and stays known. */
static void test_not_http(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		size_t known_at, size;
	} rows[] = {
		{SPAN_LIT("\x81\x05Hello"), 1, 0},
		{SPAN_LIT("http/1.1 101 X\r\n\r\n"), 1, 0},
		{SPAN_LIT("HTTX"), 4, 0},
		{SPAN_LIT("\r\nHTTP/1.1 101 X\r\n\r\n"), 1, 0},
		{SPAN_LIT("HTTP/1.1 100 Go\r\n\r\n\x81\x00"), 20, 19},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t len = 0; len <= rows[i].text.len; len++) {
			struct arena a CLEANUP(arena_fini);
			arena_init(&a, ARENA_MAX);
			struct handshake_reply r;
			int whole = handshake_reply_parse(span_sub(rows[i].text, 0, len), &a, &r);
			if (whole != (len >= rows[i].known_at))
				fail_msg("row %zu at %zu", i, len);
			if (!whole)
				continue;
			assert_int_equal(r.faults, HANDSHAKE_FAULT_NOT_HTTP | HANDSHAKE_FAULT_STATUS_LINE);
			assert_int_equal(r.status, 0);
			assert_int_equal(r.size, rows[i].size);
			assert_int_equal(r.n_fields, 0);
		}
	}
}

static void test_endless_heads(void **state)
{
	(void)state;
	static const struct {
		const char *begin, *unit;
		int status;
		size_t n_fields;
	} rows[] = {
		{"HTTP/1.1 101 ", "x", 0, 0},
		{"HTTP/1.1 101 X\r\nA: ", "x", 101, 0},
		{"HTTP/1.1 101 X\r\n", "A: b\r\n", 101, HANDSHAKE_FIELDS_MAX},
		{"HTTP/1.1 101 X\r\n", "\n\t", 101, 0}, /* ends at once */
		{"", "HTTP/1.1 100 Continue\r\n\r\n", 0, 0}, /* the limit falls into a status line */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_fini);
		buf_init(&b, 1 << 20);
		assert_int_equal(buf_append_span(&b, span_str(rows[i].begin)), 0);
		while (b.len < 2 * HANDSHAKE_REPLY_MAX)
			assert_int_equal(buf_append_span(&b, span_str(rows[i].unit)), 0);
		struct arena a CLEANUP(arena_fini);
		arena_init(&a, 16 << 10); /* bounded: 256 fields fit, 64 KiB would not */
		struct handshake_reply r, more;
		if (i != 3)
			assert_int_equal(handshake_reply_parse(span_sub(buf_span(&b), 0, HANDSHAKE_REPLY_MAX), &a, &r), 0);
		assert_int_equal(handshake_reply_parse(span_sub(buf_span(&b), 0, HANDSHAKE_REPLY_MAX + 1), &a, &r), 1);
		assert_int_equal(!!(r.faults & HANDSHAKE_FAULT_TOO_LONG), i != 3);
		assert_int_equal(r.status, rows[i].status);
		assert_int_equal(r.n_fields, rows[i].n_fields);
		arena_fini(&a);
		assert_int_equal(handshake_reply_parse(buf_span(&b), &a, &more), 1);
		assert_int_equal(more.faults, r.faults);
		assert_int_equal(more.size, r.size);
	}
}

static void test_too_many_fields_and_no_memory(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, 1 << 16);
	assert_int_equal(buf_append_span(&b, SPAN_LIT(OK_LINE)), 0);
	for (int i = 0; i <= HANDSHAKE_FIELDS_MAX; i++)
		assert_int_equal(buf_printf(&b, "F%d: v\r\n", i), 0);
	assert_int_equal(buf_append(&b, "\r\n", 2), 0);
	struct arena a CLEANUP(arena_fini);
	arena_init(&a, ARENA_MAX);
	struct handshake_reply r;
	assert_int_equal(handshake_reply_parse(buf_span(&b), &a, &r), 1);
	assert_int_equal(r.faults, HANDSHAKE_FAULT_TOO_LONG);
	assert_int_equal(r.n_fields, HANDSHAKE_FIELDS_MAX);
	assert_int_equal(r.size, b.len);
	arena_fini(&a);
	a.max = 100;
	r.status = -7;
	assert_int_equal(handshake_reply_parse(buf_span(&b), &a, &r), -ENOMEM);
	assert_int_equal(r.status, -7);
}

static void test_lists(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_fini);
	arena_init(&a, ARENA_MAX);
	struct handshake_reply r;
	assert_int_equal(handshake_reply_parse(SPAN_LIT(OK_LINE "L: one ,\t,, Two;p=1; q=\"a,b\\\",c\"\r\n"
		"other: x\r\nl:\r\nL: , three\r\n\r\n"), &a, &r), 1);
	static const char *const want[] = {"one", "Two;p=1; q=\"a,b\\\",c\"", "three"};
	struct span s;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(handshake_reply_element(&r, "l", i, &s));
		assert_true(span_eq(s, span_str(want[i])));
	}
	assert_false(handshake_reply_element(&r, "l", 3, &s));
	assert_false(handshake_reply_element(&r, "absent", 0, &s));
	assert_int_equal(handshake_reply_count(&r, "L", &s), 3);
	assert_true(span_eq(s, SPAN_LIT("one ,\t,, Two;p=1; q=\"a,b\\\",c\"")));
	assert_int_equal(handshake_reply_count(&r, "absent", NULL), 0);
	assert_true(handshake_reply_has_token(&r, "L", "ONE"));
	assert_true(handshake_reply_has_token(&r, "L", "two"));
	assert_true(handshake_reply_has_token(&r, "L", "three"));
	assert_false(handshake_reply_has_token(&r, "L", "b\\\""));
	assert_false(handshake_reply_has_token(&r, "L", "x"));
	assert_false(handshake_is_token(SPAN_LIT("")));
	assert_false(handshake_is_token(SPAN_LIT("a\0")));
	assert_true(handshake_is_token(SPAN_LIT("chat.v2")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_what_was_read),
		cmocka_unit_test(test_not_http),
		cmocka_unit_test(test_endless_heads),
		cmocka_unit_test(test_too_many_fields_and_no_memory),
		cmocka_unit_test(test_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
