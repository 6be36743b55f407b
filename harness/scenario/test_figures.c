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
	struct result_chart charts[RESULT_CHARTS_MAX];
	struct arena a;
	arena_init(&a, 1 << 16);
	assert_int_equal(figures_charts(f, &a, charts), 4);
	assert_int_equal(figures_print(f, charts, 4, &b), 0);
	const char *text = buf_cstr(&b);
	assert_non_null(strstr(
		text, "messages took                 1 times; median 0.005 s, 99% within 0.005 s, at most 0.005 s\n"));
	assert_non_null(strstr(text, "told recovered                1 times\n"));
	assert_non_null(strstr(text, "\nClose codes                                   seen by clients   logged by the target\n"
				     "                                        1000                1                      1\n"
				     "                                        1006                1                      0\n"));
	assert_non_null(strstr(text, "\nAttempts to come back, by second of the run          attempts\n"
				     "                                         2 s                2\n"));
	assert_non_null(strstr(text, "\nHow long a client was away in all                     clients\n"
				     "                                   up to 2 s                1\n"));
	assert_non_null(strstr(text, "\nHow long messages took                               messages\n"
				     "                                  up to 5 ms                1\n"));
	arena_fini(&a);
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
	struct result_chart charts[RESULT_CHARTS_MAX];
	assert_int_equal(figures_charts(f, NULL, charts), 0);
	assert_int_equal(figures_print(f, charts, 0, &b), 0);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
	figures_free(f);
	figures_free(NULL);
}

static void charts_are_bounded(void **state)
{
	static const uint64_t took_us[] = {999, 1000, 1001, 2001, 10000000, 10000001, 3600000000};
	struct result_chart charts[RESULT_CHARTS_MAX];
	struct figures *f;
	struct arena a;
	(void)state;
	arena_init(&a, 1 << 20);
	assert_int_equal(figures_new(1, &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(took_us); i++)
		figures_event(f, &(struct event){.at_us = took_us[i] + 5, .kind = EVENT_DELIVER, .sent_us = 5});
	for (uint64_t s = 0; s < 10000; s += 100)
		figures_event(f, &(struct event){AT(s * 1000), .kind = EVENT_CONNECT, .type = EVENT_INVOKE, .client = 1,
						 .connection = 2});
	for (int code = 1000; code < 1200; code++)
		figures_event(f, &(struct event){.kind = EVENT_END, .client = 9, .code = code});
	assert_int_equal(figures_charts(f, &a, charts), 3);
	assert_string_equal(charts[0].title, "Attempts to come back, by second of the run");
	assert_int_equal(charts[0].n_bars, 64);
	assert_string_equal(charts[0].bars[0].label, "0 to 112 s");
	uint64_t sum = 0;
	for (size_t i = 0; i < charts[0].n_bars; i++)
		sum += charts[0].bars[i].n;
	assert_int_equal(sum, 100);
	assert_int_equal(charts[1].n_bars, RESULT_BARS_MAX);
	assert_int_equal(charts[2].n_bars, 14);
	assert_string_equal(charts[2].bars[0].label, "up to 1 ms");
	assert_int_equal(charts[2].bars[0].n, 2);
	assert_int_equal(charts[2].bars[12].n, 1);
	assert_string_equal(charts[2].bars[13].label, "over 10 s");
	assert_int_equal(charts[2].bars[13].n, 2);
	arena_fini(&a);
	figures_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_is_counted),
		cmocka_unit_test(a_calm_run_has_no_line),
		cmocka_unit_test(charts_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
