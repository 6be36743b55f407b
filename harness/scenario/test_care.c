/* What a target's owner forbids is not done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/scenario/care.h"

static struct target_node nodes[4];

static struct site site_of(struct target *t, struct arena *a)
{
	t->nodes = (struct opt_sections){.items = nodes, .len = ARRAY_LEN(nodes)};
	arena_init(a, 4 << 20);
	return (struct site){.target = t, .arena = a};
}

static void no_more_nodes_than_allowed(void **state)
{
	static const struct {
		const char *fault;
		double allowed;
		bool forbidden;
	} rows[] = {
		{"{pause: {nodes: [all]}}", 0, false}, {"{pause: {nodes: [all]}}", 0.5, true},
		{"{pause: {nodes: [one]}}", 0.25, false}, {"{pause: {nodes: [one]}}", 0.2, true},
		{"{kill: {nodes: [a, b]}}", 0.5, false}, {"{kill: {nodes: [a, b, c]}}", 0.5, true},
		{"{rolling_restart: {}}", 0.25, false}, {"{reset_peer: {}}", 0.1, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];
		struct arena a;
		struct target t = {.guard = {.max_affected = rows[i].allowed}};
		struct site s = site_of(&t, &a);
		struct scenario scenario;
		struct err e = {.text = ""};
		snprintf(text, sizeof(text),
			 "scenario: x\nabout: y\nchecks: [delivery]\nphases: [{name: a, for: 2s, faults: [%s]}]\n",
			 rows[i].fault);
		if (scenario_load_text(span_str(text), "s", &a, &scenario, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(care_forbids(&s, &scenario) != NULL, rows[i].forbidden);
		arena_fini(&a);
	}
}

static void no_more_connections_than_allowed(void **state)
{
	struct arena a;
	struct target t = {0};
	struct site s = site_of(&t, &a);
	(void)state;
	assert_true(care_toxicity(&s, 1) == 1);
	t.guard.max_affected = 0.25;
	assert_true(care_toxicity(&s, 1) == 0.25);
	assert_true(care_toxicity(&s, 0.125) == 0.125);
	arena_fini(&a);
}

static void never_is_never(void **state)
{
	static const char *const spans[] = {"Fri 16:00", "Mon 08:00"};
	enum { MONDAY = 1766361600, HOUR = 3600 }; /* 2025-12-22 00:00 UTC */
	struct arena a;
	struct target t = {0};
	struct site s = site_of(&t, &a);
	struct err e;
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	assert_null(care_never_now(&s, MONDAY, 1000));
	const struct opt_strings items = {.items = (const char **)spans, .len = 2};
	assert_int_equal(hours_parse(&items, &t.guard.never, &e), 0);
	assert_non_null(care_never_now(&s, MONDAY + 7 * HOUR, 1000));
	assert_null(care_never_now(&s, MONDAY + 8 * HOUR, 1000));
	assert_null(care_never_now(&s, MONDAY + (4 * 24 + 15) * HOUR, 10 * 60000));
	assert_non_null(care_never_now(&s, MONDAY + (4 * 24 + 15) * HOUR, 2 * 3600000));
	assert_non_null(care_never_now(&s, MONDAY + (4 * 24 + 16) * HOUR, 1000));
	arena_fini(&a);
}

static void it_stops_when_it_is_enough(void **state)
{
	struct arena a;
	struct target t = {0};
	struct site s = site_of(&t, &a);
	struct care_watch w = {0};
	(void)state;
	assert_false(care_enough(&w, &s, 0, 1));
	t.guard.abort_if = (struct target_abort_if){.connections_lost = 0.5, .for_ms = 30000};
	assert_false(care_enough(&w, &s, 100, 1000000));
	assert_false(care_enough(&w, &s, 50, 2000000));
	assert_false(care_enough(&w, &s, 40, 31000000));
	assert_false(care_enough(&w, &s, 60, 31500000)); /* a break: it counts anew */
	assert_false(care_enough(&w, &s, 40, 33000000));
	assert_false(care_enough(&w, &s, 40, 62999999));
	assert_true(care_enough(&w, &s, 40, 63000000));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_nodes_than_allowed),
		cmocka_unit_test(no_more_connections_than_allowed),
		cmocka_unit_test(never_is_never),
		cmocka_unit_test(it_stops_when_it_is_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
