/* Pages of metrics: what selectors find on them, by hand-written pages of both formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "harness/target/metrics_text.h"

static const char page[] =
	"# HELP ws_connections_active Connections.\n"
	"# TYPE ws_connections_active gauge\n"
	"ws_connections_active 12\n"
	"\n"
	"ws_messages_total{direction=\"in\",type=\"publish\"} 100\n"
	"ws_messages_total{direction=\"out\",type=\"message\"} 1e3 1700000000000\n"
	"  ws_messages_total { direction = \"out\" , type = \"pong\" , } 5\r\n"
	"quoted{path=\"a\\\\b\\\"c\\nd, }\"} 7\n"
	"with_exemplar_total 3 # {trace_id=\"x\"} 0.5\n"
	"lat_bucket{le=\"+Inf\"} 4\n"
	"inf_value +Inf\n"
	"neg -2.5\n"
	"nan_value NaN\n"
	"a:b.c 1\n"
	"empty_labels{} 9\n"
	"1bad 1\n"
	"no_value\n"
	"hex 0x10\n"
	"open{a=\"b 1\n"
	"words 1 2 three\n"
	"last 6";

struct row {
	const char *selector;
	double sum;
	uint64_t samples;
};

static const struct row rows[] = {
	{"ws_connections_active", 12, 1},
	{"ws_messages_total", 1105, 3},
	{"ws_messages_total{direction=\"out\"}", 1005, 2},
	{"ws_messages_total{direction=\"out\",type=\"pong\"}", 5, 1},
	{"ws_messages_total{ direction = \"out\" , type = \"pong\" , }", 5, 1},
	{"ws_messages_total{type!=\"pong\"}", 1100, 2},
	{"ws_messages_total{direction=\"sideways\"}", 0, 0},
	{"ws_messages_total{absent=\"\"}", 1105, 3},
	{"ws_messages_total{absent=\"x\"}", 0, 0},
	{"ws_messages", 0, 0},
	{"quoted{path=\"a\\\\b\\\"c\\nd, }\"}", 7, 1},
	{"with_exemplar_total", 3, 1},
	{"lat_bucket{le=\"+Inf\"}", 4, 1},
	{"inf_value", INFINITY, 1},
	{"neg", -2.5, 1},
	{"a:b.c", 1, 1},
	{"empty_labels", 9, 1},
	{"words", 1, 1},
	{"hex", 0, 0},
	{"last", 6, 1},
};

static void selectors_find_and_add(void **state)
{
	struct metrics_selector q[ARRAY_LEN(rows)];
	struct metrics_found found[ARRAY_LEN(rows)];
	struct arena a;
	struct err e;
	uint64_t bad;
	(void)state;
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (metrics_selector_parse(rows[i].selector, &a, &q[i], &e) < 0)
			fail_msg("%s", e.text);
	assert_int_equal(metrics_text_sum(SPAN_LIT(page), q, ARRAY_LEN(rows), found, &bad), 14);
	assert_int_equal(bad, 4);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (found[i].samples != rows[i].samples || !(found[i].sum >= rows[i].sum && found[i].sum <= rows[i].sum))
			fail_msg("%s: %g of %d samples", rows[i].selector, found[i].sum, (int)found[i].samples);
	arena_fini(&a);
}

static void nothing_after_eof(void **state)
{
	struct metrics_selector q = {.name = SPAN_LIT("a")};
	struct metrics_found found;
	(void)state;
	assert_int_equal(metrics_text_sum(SPAN_LIT("a 1\n# EOF\na 2\n"), &q, 1, &found, NULL), 1);
	assert_true(found.sum > 0.9 && found.sum < 1.1);
	assert_int_equal(metrics_text_sum(SPAN_LIT("a NaN\na 2\n"), &q, 1, &found, NULL), 2);
	assert_true(isnan(found.sum));
	assert_int_equal(metrics_text_sum(SPAN_LIT(""), &q, 1, &found, NULL), 0);
}

/* Every beginning of a page, and pages of one octet changed: read without harm. */
static void hostile_pages_do_no_harm(void **state)
{
	struct metrics_selector q = {.name = SPAN_LIT("quoted")};
	struct metrics_found found;
	char copy[sizeof(page)];
	(void)state;
	for (size_t len = 0; len < sizeof(page); len++)
		metrics_text_sum(span_of(page, len), &q, 1, &found, NULL);
	for (size_t at = 0; at < sizeof(page) - 1; at++)
		for (int octet = 0; octet < 256; octet += 5) {
			memcpy(copy, page, sizeof(page));
			copy[at] = (char)octet;
			metrics_text_sum(span_of(copy, sizeof(copy) - 1), &q, 1, &found, NULL);
		}
}

static void bad_selectors_are_refused(void **state)
{
	static const char *const bad[] = {"", "1a", "a b", "a{", "a{b}", "a{b=}", "a{b=c}", "a{b=\"c}", "a{b=\"c\"", "a{b=\"c\"}x",
					  "a{b=\"c\" d=\"e\"}", "a{=\"c\"}", "a{b=~\"c\"}", "sum(a)"};
	struct arena a;
	struct err e;
	(void)state;
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct metrics_selector q;
		if (metrics_selector_parse(bad[i], &a, &q, &e) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
		assert_non_null(strstr(e.text, "expected NAME or NAME{LABEL=\"VALUE\"}, not '"));
	}
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors_find_and_add),
		cmocka_unit_test(nothing_after_eof),
		cmocka_unit_test(hostile_pages_do_no_harm),
		cmocka_unit_test(bad_selectors_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
