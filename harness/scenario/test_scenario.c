/* Scenario files: each built-in one is read, each mistake gets its sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/scenario/items.h"

#define HEAD "scenario: x\nabout: y\n"
#define PHASES "phases: [{name: a, for: 2s}]\n"
#define CHECKS "checks: [delivery]\n"

static int load(const char *text, struct arena *a, struct scenario *s, struct err *e)
{
	arena_init(a, 4 << 20);
	return scenario_load_text(span_str(text), "s.yaml", a, s, e);
}

static void each_of_ours_is_read(void **state)
{
	(void)state;
	assert_true(scenario_builtins_len > 10);
	for (size_t i = 0; i < scenario_builtins_len; i++) {
		const struct scenario_builtin *b = &scenario_builtins[i];
		struct arena a;
		struct scenario s;
		struct err e = {.text = ""};
		int r = load(b->text, &a, &s, &e);
		if (r < 0)
			fail_msg("%s", e.text);
		assert_string_equal(s.name, b->name);
		assert_non_null(s.source);
		/* The last phase heals, so that it converges before it is judged. */
		const struct scenario_phase *p = s.phases.items;
		assert_true(p[s.phases.len - 1].within_ms > 0);
		arena_fini(&a);
	}
}

static void a_mistake_is_told(void **state)
{
	static const struct {
		const char *text, *want;
	} mistakes[] = {
		{"about: y\n" PHASES CHECKS,
		 "s.yaml:1:1: expected the key \"scenario\", which is required and missing"},
		{"scenario: X!\nabout: y\n" PHASES CHECKS,
		 "s.yaml: scenario: expected a name of a-z, 0-9 and '-', at most 64 of them"},
		{HEAD CHECKS "phases: []\n", "s.yaml: phases: expected 1 to 64 of them"},
		{HEAD PHASES "checks: []\n", "s.yaml: checks: a scenario without checks proves nothing"},
		{HEAD PHASES "checks: [delivery, delivery]\n", "s.yaml: line 4: the check delivery is there twice"},
		{HEAD PHASES "checks: [delivry]\n",
		 "s.yaml:4:10: checks: unknown check \"delivry\", did you mean \"delivery\"?"},
		{HEAD PHASES CHECKS "needs: [node]\n", "s.yaml: needs: unknown need \"node\", did you mean \"nodes\"?"},
		{HEAD CHECKS "phases: [{name: a}]\n", "s.yaml: the phase \"a\" needs either `for` or `within`"},
		{HEAD CHECKS "phases: [{name: a, for: 1s, within: 1s}]\n",
		 "s.yaml: the phase \"a\" needs either `for` or `within`"},
		{HEAD CHECKS "phases: [{name: a, for: 1s, kept_percent: 100}]\n",
		 "s.yaml: the phase \"a\" has `kept_percent`, so it needs `messages` for a contract that keeps without a bound"},
		{HEAD CHECKS "phases: [{name: a, within: 1s, faults: [none]}]\n",
		 "s.yaml: the phase \"a\" heals (`within`), so it has neither faults, `messages`, `no_acks` nor `takeover`"},
		{HEAD CHECKS "phases: [{name: a, for: 1s, faults: [{none: {at: 1s}}]}]\n",
		 "s.yaml: line 4: none: `at` is not within the phase's `for`"},
		{HEAD CHECKS "phases: [{name: a, for: 9s, faults: [{none: {every: 1s}}]}]\n",
		 "s.yaml: line 4: none: `every` needs a `for` that is shorter"},
		{HEAD CHECKS "phases: [{name: a, for: 9s, faults: [{none: {toxicity: 0%}}]}]\n",
		 "s.yaml: line 4: none: `toxicity` of 0% hurts nobody"},
		{HEAD CHECKS "phases: [{name: a, for: 9s, faults: [{pause: {stream: upstream}}]}]\n",
		 "s.yaml: line 4: pause: `stream` is for faults on streams, not on the plane process"},
		{HEAD CHECKS "phases: [{name: a, for: 9s, faults: [{kill: {plane: stream}}]}]\n",
		 "s.yaml: line 4: kill does not work on the plane stream; 'wsquall list faults' shows where it does"},
		{HEAD CHECKS "phases: [{name: a, for: 9s, faults: [{idle_kill: {idel: 3s}}]}]\n",
		 "s.yaml:4:51: unknown key \"idel\", did you mean \"idle\"?"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct arena a;
		struct scenario s;
		struct err e = {.text = ""};
		assert_int_equal(load(mistakes[i].text, &a, &s, &e), -EINVAL);
		assert_string_equal(e.text, mistakes[i].want);
		arena_fini(&a);
	}
}

static void who_touches_what_is_known(void **state)
{
	static const struct {
		const char *fault, *check;
		bool alone, outside;
	} rows[] = {
		{"none", "delivery", false, false}, {"reset_peer", "delivery", false, false}, {"reset_peer", "leaks", true, false},
		{"slowloris", "delivery", true, false}, {"pause", "delivery", true, true},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];
		struct arena a;
		struct scenario s;
		struct err e = {.text = ""};
		snprintf(text, sizeof(text), HEAD "checks: [%s]\nphases: [{name: a, for: 2s, faults: [%s]}]\n",
			 rows[i].check, rows[i].fault);
		if (load(text, &a, &s, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(s.alone, rows[i].alone);
		assert_int_equal(s.outside, rows[i].outside);
		arena_fini(&a);
	}
}

/* Before it has run, and when it is not to run, every item of a scenario is there and says why. */
static void items_are_planned(void **state)
{
	struct arena a;
	struct scenario s;
	struct err e;
	struct result_item items[64] = {{0}};
	(void)state;
	assert_int_equal(load(HEAD PHASES "checks: [delivery, order]\n", &a, &s, &e), 0);
	size_t n = scenario_items(&s);
	assert_true(n > 3 && n < ARRAY_LEN(items));
	assert_int_equal(scenario_plan_items(&s, &a, items), 0);
	assert_string_equal(items[0].id, "x");
	for (size_t i = 0; i < n; i++)
		assert_int_equal(items[i].verdict, VERDICT_ERROR);
	for (size_t i = 1; i < n; i++)
		assert_memory_equal(items[i].id, "x/", 2);
	scenario_leave_items(&s, VERDICT_SKIP, "no dialect", items);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(items[i].verdict, VERDICT_SKIP);
		assert_string_equal(items[i].seen, "no dialect");
	}
	scenario_leave_items(&s, VERDICT_ERROR, "nobody came", items);
	assert_int_equal(items[0].verdict, VERDICT_ERROR);
	assert_string_equal(items[0].seen, "nobody came");
	for (size_t i = 1; i < n; i++)
		assert_int_equal(items[i].verdict, VERDICT_SKIP);
	s.lacks = "no dialect";
	assert_int_equal(scenario_items(&s), 1);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_of_ours_is_read),
		cmocka_unit_test(a_mistake_is_told),
		cmocka_unit_test(who_touches_what_is_known),
		cmocka_unit_test(items_are_planned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
