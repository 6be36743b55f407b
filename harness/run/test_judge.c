/* Rules against reactions: the whole table of case.h, written out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/limits.h"
#include "harness/run/interp.h"

#undef ECHO /* termios.h has one */
#include "harness/run/case_rows.h"

#define CLOSE_SEEN(n) .close = true, .close_body = true, .code = (n)

struct end_row {
	struct step rule;
	struct end_seen seen;
	enum grade grade;
	const char *text;        /* the whole of `seen` */
	const char *required;    /* the whole of it, or NULL */
};

static const struct end_row end_rows[] = {
	{FAILS(1002), {CLOSE_SEEN(1002), .eof = true, .our_code = -2}, GRADE_PASS, "Close 1002 (protocol error), then FIN", "Close 1002, a Close without a code, FIN without a Close, RST"},
	{FAILS(1007, 1002), {CLOSE_SEEN(1002), .rst = true, .our_code = -2}, GRADE_PASS, "Close 1002 (protocol error), then RST",
	 "Close 1007, Close 1002, a Close without a code, FIN without a Close, RST"},
	{FAILS(1002), {.eof = true, .our_code = -2}, GRADE_PASS, "FIN without a Close frame", NULL},
	{FAILS(1002), {.rst = true, .our_code = -2}, GRADE_NOTE, "RST without a Close frame", NULL},
	{FAILS(1002), {.error = -ETIMEDOUT, .our_code = -2}, GRADE_NOTE, "the connection broke (Connection timed out) without a Close frame", NULL},
	{FAILS(1002), {.waited_ms = 77, .our_code = -2}, GRADE_FAIL, "the connection stayed open for 77 ms", NULL},
	{FAILS(1002), {CLOSE_SEEN(1011), .eof = true, .our_code = -2}, GRADE_WARN, "Close 1011 (internal error), then FIN", NULL},
	{FAILS(1002), {CLOSE_SEEN(1000), .eof = true, .our_code = -2}, GRADE_WARN, "Close 1000 (normal), then FIN", NULL},
	{FAILS(1002), {CLOSE_SEEN(4999), .eof = true, .our_code = -2}, GRADE_WARN, "Close 4999 (private), then FIN", NULL},
	{FAILS(1002), {CLOSE_SEEN(1005), .eof = true, .our_code = -2}, GRADE_FAIL, NULL, NULL},
	{FAILS(1002), {CLOSE_SEEN(1006), .eof = true, .our_code = -2}, GRADE_FAIL, NULL, NULL},
	{FAILS(1002), {CLOSE_SEEN(1015), .eof = true, .our_code = -2}, GRADE_FAIL, NULL, NULL},
	{FAILS(1002), {CLOSE_SEEN(999), .eof = true, .our_code = -2}, GRADE_FAIL, NULL, NULL},
	{FAILS(1002), {CLOSE_SEEN(5000), .eof = true, .our_code = -2}, GRADE_FAIL, NULL, NULL},
	{FAILS(1002), {CLOSE_SEEN(0), .eof = true, .our_code = -2}, GRADE_FAIL, NULL, NULL},
	{FAILS(1002), {.close = true, .eof = true, .bad_close = true, .our_code = -2}, GRADE_WARN, NULL, NULL},
	{FAILS(1002), {.close = true, .eof = true, .our_code = -2}, GRADE_NOTE, "Close with an empty body, then FIN", NULL},
	{FAILS(1002), {.close = true, .close_short = true, .eof = true, .our_code = -2}, GRADE_FAIL, "Close with a body of one octet, then FIN", NULL},
	{FAILS(1002), {CLOSE_SEEN(1002), .we_dropped = true, .waited_ms = 9, .our_code = -2}, GRADE_NOTE,
	 "Close 1002 (protocol error), TCP left open for us to close (9 ms)", NULL},
	{CLOSES, {CLOSE_SEEN(3333), .eof = true, .our_code = 3333}, GRADE_PASS, NULL, "Close 3333, Close 1000, a Close without a code"},
	{CLOSES, {CLOSE_SEEN(1000), .eof = true, .our_code = 3333}, GRADE_NOTE, NULL, NULL},
	{CLOSES, {.close = true, .eof = true, .our_code = 3333}, GRADE_NOTE, NULL, NULL},
	{CLOSES, {CLOSE_SEEN(1001), .eof = true, .our_code = 3333}, GRADE_WARN, NULL, NULL},
	{CLOSES, {.close = true, .eof = true, .our_code = -1}, GRADE_PASS, NULL, "a Close without a code, Close 1000"},
	{CLOSES, {CLOSE_SEEN(1000), .eof = true, .our_code = -1}, GRADE_NOTE, NULL, NULL},
	{CLOSES, {.eof = true, .our_code = 1000}, GRADE_FAIL, NULL, "Close 1000, a Close without a code"},
	{CLOSES, {.rst = true, .our_code = 1000}, GRADE_FAIL, NULL, NULL},
	{CLOSES, {.our_code = 1000}, GRADE_FAIL, NULL, NULL},
	{ENDS_ANYHOW, {.rst = true, .our_code = 1000}, GRADE_PASS, NULL, NULL},
	{ENDS_ANYHOW, {CLOSE_SEEN(1005), .eof = true, .our_code = -2}, GRADE_FAIL, NULL, NULL},
	{ENDS(.pass = {1000}, .note = {1001}, .warn = {1011}), {CLOSE_SEEN(1001), .eof = true, .our_code = -2}, GRADE_NOTE, NULL, "Close 1000, Close 1001"},
	{ENDS(.pass = {1000}, .note = {1001}, .warn = {1011}), {CLOSE_SEEN(1011), .eof = true, .our_code = -2}, GRADE_WARN, NULL, NULL},
	{ENDS(.pass = {1000}, .note = {1001}, .warn = {1011}), {CLOSE_SEEN(1003), .eof = true, .our_code = -2}, GRADE_FAIL, NULL, NULL},
	{ENDS(.same = GRADE_PASS, .slow_ms = 100), {CLOSE_SEEN(1000), .eof = true, .waited_ms = 100, .our_code = 1000}, GRADE_PASS, NULL,
	 "Close 1000; TCP closed within 100 ms"},
	{ENDS(.same = GRADE_PASS, .slow_ms = 100), {CLOSE_SEEN(1000), .eof = true, .waited_ms = 101, .our_code = 1000}, GRADE_WARN, NULL, NULL},
	{ENDS(.same = GRADE_PASS, .slow_ms = 100), {CLOSE_SEEN(1000), .we_dropped = true, .waited_ms = 500, .our_code = 1000}, GRADE_FAIL, NULL, NULL},
	{ENDS(.same = GRADE_PASS, .slow_ms = 100, .tcp_open = GRADE_WARN), {CLOSE_SEEN(1000), .we_dropped = true, .our_code = 1000}, GRADE_WARN, NULL, NULL},
	{ENDS(.same = GRADE_PASS, .slow_close_ms = 100), {CLOSE_SEEN(1000), .eof = true, .close_ms = 101, .our_code = 1000}, GRADE_WARN, NULL,
	 "Close 1000; the Close within 100 ms"},
	{ENDS(.same = GRADE_PASS, .clean = true), {CLOSE_SEEN(1000), .rst = true, .our_code = 1000}, GRADE_WARN, NULL, NULL},
	{ENDS(.same = GRADE_PASS, .clean = true), {CLOSE_SEEN(1000), .eof = true, .unclean = true, .our_code = 1000}, GRADE_WARN,
	 "Close 1000 (normal), then FIN and without close_notify", NULL},
	{ENDS(.same = GRADE_PASS, .clean = true), {CLOSE_SEEN(1000), .eof = true, .our_code = 1000}, GRADE_PASS, NULL, NULL},
	{ENDS(.open = GRADE_PASS), {.waited_ms = 5, .our_code = -2}, GRADE_PASS, NULL, "a connection that stays open"},
};

struct http_row {
	struct step rule;
	struct http_seen seen;
	enum grade grade;
	const char *text, *required;
};

static const struct http_row http_rows[] = {
	{OPENS, {.open = true, .status = 101}, GRADE_PASS, "HTTP 101", "HTTP 101"},
	{OPENS, {.status = 200}, GRADE_FAIL, "HTTP 200", NULL},
	{OPENS, {.status = 404}, GRADE_FAIL, "HTTP 404", NULL},
	{OPENS, {0}, GRADE_FAIL, "no reply", NULL},
	{OPENS, {.eof = true}, GRADE_FAIL, "FIN without an HTTP reply", NULL},
	{REJECTS(400, 426), {.status = 426}, GRADE_PASS, NULL, "HTTP 400, HTTP 426, another HTTP 4xx"},
	{REJECTS(400), {.status = 403}, GRADE_NOTE, NULL, NULL},
	{REJECTS(400), {.status = 500}, GRADE_WARN, NULL, NULL},
	{REJECTS(400), {.status = 200}, GRADE_WARN, NULL, NULL},
	{REJECTS(400), {.status = 301}, GRADE_WARN, NULL, NULL},
	{REJECTS(400), {.open = true, .status = 101}, GRADE_FAIL, "HTTP 101", NULL},
	{REJECTS(400), {.status = 100}, GRADE_FAIL, NULL, NULL},
	{REJECTS(400), {.status = 600}, GRADE_FAIL, NULL, NULL},
	{REJECTS(400), {.rst = true}, GRADE_WARN, "RST without an HTTP reply", NULL},
	{REJECTS(400), {.error = -EPIPE}, GRADE_WARN, "Broken pipe without an HTTP reply", NULL},
	{REJECTS(400), {0}, GRADE_FAIL, "no reply", NULL},
	{REJECTS(400), {.not_http = true}, GRADE_FAIL, "octets that are no HTTP reply", NULL},
	{NEVER_OPENS, {.status = 302}, GRADE_PASS, NULL, "HTTP 4xx, HTTP 5xx, a plain HTTP reply"},
	{NEVER_OPENS, {.eof = true}, GRADE_WARN, NULL, NULL},
	{NEVER_OPENS, {.open = true, .status = 101}, GRADE_FAIL, NULL, NULL},
	{OPENS_OR_REJECTS(505), {.open = true, .status = 101}, GRADE_PASS, NULL, "HTTP 101, HTTP 505, another HTTP 4xx"},
	{OPENS_OR_REJECTS(505), {.status = 505}, GRADE_PASS, NULL, NULL},
	{OPENS_OR_REJECTS(505), {.status = 500}, GRADE_WARN, NULL, NULL},
	{HTTP(.client_error = GRADE_PASS, .fail = {400}), {.status = 400}, GRADE_FAIL, NULL, NULL},
	{HTTP(.open = GRADE_PASS, .warn = {404}), {.status = 404}, GRADE_WARN, NULL, NULL},
	{HTTP(.note = {404}), {.status = 404}, GRADE_NOTE, NULL, "HTTP 404"},
};

static void same_text(const char *what, size_t row, const char *want, struct buf *got)
{
	if (want && strcmp(want, buf_cstr(got)) != 0)
		fail_msg("%s of row %zu is '%s', expected '%s'", what, row, buf_cstr(got), want);
	if (!got->len && strcmp(what, "seen") == 0)
		fail_msg("row %zu: nothing was said", row);
}

static void ends_are_graded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(end_rows); i++) {
		const struct end_row *row = &end_rows[i];
		struct buf seen, required;
		buf_init(&seen, SEEN_TEXT_MAX);
		buf_init(&required, SEEN_TEXT_MAX);
		enum grade grade = judge_end(&row->rule.end, &row->seen, &seen, &required);
		if (grade != row->grade)
			fail_msg("row %zu (%s): grade %d", i, buf_cstr(&seen), grade);
		same_text("seen", i, row->text, &seen);
		same_text("required", i, row->required, &required);
		buf_fini(&seen);
		buf_fini(&required);
	}
}

static void replies_are_graded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(http_rows); i++) {
		const struct http_row *row = &http_rows[i];
		struct buf seen, required;
		buf_init(&seen, SEEN_TEXT_MAX);
		buf_init(&required, SEEN_TEXT_MAX);
		enum grade grade = judge_http(&row->rule.http, &row->seen, &seen, &required);
		if (grade != row->grade)
			fail_msg("row %zu (%s): grade %d", i, buf_cstr(&seen), grade);
		same_text("seen", i, row->text, &seen);
		same_text("required", i, row->required, &required);
		buf_fini(&seen);
		buf_fini(&required);
	}
}

static void a_grade_means_a_verdict_at_each_level(void **state)
{
	(void)state;
	assert_int_equal(case_verdict(REQ_MUST, GRADE_FAIL), VERDICT_FAIL);
	assert_int_equal(case_verdict(REQ_MUST, GRADE_WARN), VERDICT_WARN);
	assert_int_equal(case_verdict(REQ_MUST, GRADE_NOTE), VERDICT_PASS);
	assert_int_equal(case_verdict(REQ_MUST, GRADE_PASS), VERDICT_PASS);
	assert_int_equal(case_verdict(REQ_SHOULD, GRADE_FAIL), VERDICT_WARN);
	assert_int_equal(case_verdict(REQ_SHOULD, GRADE_WARN), VERDICT_WARN);
	assert_int_equal(case_verdict(REQ_SHOULD, GRADE_NOTE), VERDICT_PASS);
	assert_int_equal(case_verdict(REQ_INFO, GRADE_FAIL), VERDICT_PASS);
	assert_int_equal(case_verdict(REQ_INFO, GRADE_WARN), VERDICT_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_are_graded),
		cmocka_unit_test(replies_are_graded),
		cmocka_unit_test(a_grade_means_a_verdict_at_each_level),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
