/* Figures of a short history, counted by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/scenario/figures.h"

#define AT(ms) .at_us = (ms) * 1000ull

static void what_happened_is_counted(void **state)
{
	static const struct event history[] = {
		{AT(10), .kind = EVENT_CONNECT, .type = EVENT_INVOKE, .client = 1, .connection = 1},
		{AT(20), .kind = EVENT_SUBSCRIBE, .type = EVENT_OK, .client = 1, .connection = 1},
		{AT(30), .kind = EVENT_DELIVER, .type = EVENT_OK, .client = 1, .sent_us = 25000},
		{AT(40), .kind = EVENT_DELIVER, .type = EVENT_OK, .client = 1, .sent_us = 25000, .corrupt = true},
		{AT(1000), .kind = EVENT_END, .type = EVENT_OK, .client = 1, .code = 1006},
		{AT(1001), .kind = EVENT_LOG, .type = EVENT_OK, .text = "disconnect", .code = 1000},
		{AT(1002), .kind = EVENT_LOG, .type = EVENT_OK, .text = "connect", .code = 1000},
		{AT(2100), .kind = EVENT_CONNECT, .type = EVENT_INVOKE, .client = 1, .connection = 2},
		{AT(2200), .kind = EVENT_CONNECT, .type = EVENT_FAIL, .client = 1, .connection = 2},
		{AT(2900), .kind = EVENT_CONNECT, .type = EVENT_INVOKE, .client = 1, .connection = 3},
		{AT(3000), .kind = EVENT_SUBSCRIBE, .type = EVENT_OK, .client = 1, .connection = 3, .recovered = RECOVERED_YES},
		{AT(4000), .kind = EVENT_END, .type = EVENT_OK, .client = 99, .code = 4999999},
		{AT(5000), .kind = EVENT_PHASE, .type = EVENT_OK, .text = "end", .note = "end"},
		{AT(5001), .kind = EVENT_END, .type = EVENT_OK, .client = 1, .code = 1000},
	};
	struct figures *f;
	struct buf b;
	(void)state;
	assert_int_equal(figures_new(1, &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(history); i++)
		figures_event(f, &history[i]);
	buf_init(&b, 1 << 16);
	assert_int_equal(figures_line(f, &b), 0);
	assert_string_equal(buf_cstr(&b), "clients were away 2.0 s at most, 2.0 s in the median; 2 tried to come back in the "
					  "fullest second");
	b.len = 0;
	assert_int_equal(figures_print(f, &b), 0);
	const char *text = buf_cstr(&b);
	assert_non_null(strstr(
		text, "messages took                 1 times; median 0.005 s, 99% within 0.005 s, at most 0.005 s\n"));
	assert_non_null(strstr(text, "told recovered                1 times\n"));
	assert_non_null(strstr(text, "      1000                 1                      1\n"));
	assert_non_null(strstr(text, "      1006                 1                      0\n"));
	assert_non_null(strstr(text, "       2 s   2\n"));
	buf_fini(&b);
	figures_free(f);
}

static void a_calm_run_has_no_line(void **state)
{
	struct figures *f;
	struct buf b;
	(void)state;
	assert_int_equal(figures_new(3, &f), 0);
	buf_init(&b, 1 << 10);
	assert_int_equal(figures_line(f, &b), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(figures_print(f, &b), 0);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
	figures_free(f);
	figures_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_is_counted),
		cmocka_unit_test(a_calm_run_has_no_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
