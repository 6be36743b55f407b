/* A scenario publishes as much as the contract's edge asks, or says why it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/scenario/site.h"

static const char scenario_text[] =
	"scenario: x\nabout: y\nchecks: [delivery]\nworkload: {rate: 100/s}\n"
	"phases: [{name: plain, for: 2s, messages: 7}, {name: away, for: 4s, messages: 1000, kept_percent: 130}]\n";

static const struct {
	uint64_t kept, window_ms;
	bool lacks;
	uint64_t messages, for_ms;
} rows[] = {
	{0, 60000, false, 1000, 4000},             /* no bound: as the scenario says */
	{1, 60000, false, 2, 4000},                /* rounded up: more than are kept */
	{100, 60000, false, 130, 4000},
	{261, 60000, false, 340, 4000},            /* 85 % of the phase */
	{1000, 60000, false, 1300, 15294},
	{1000, 0, true, 0, 0},                     /* kept for no time at all */
	{1000, 30000, true, 0, 0},                 /* the window must not end it */
	{100, 1000, false, 130, 4000},             /* a phase that is not made longer is the scenario's own affair */
	{3923, 600000, false, 5100, 60000},
	{3924, 600000, true, 0, 0},                /* longer than a minute */
	{UINT64_MAX, UINT64_MAX, true, 0, 0},
};

static void as_large_as_the_contract(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a;
		struct site site = {.arena = &a};
		struct scenario s;
		struct err e = {.text = ""};
		site.contract.resume_messages = rows[i].kept;
		site.contract.resume_window_ms = rows[i].window_ms;
		arena_init(&a, 4 << 20);
		if (scenario_load_text(span_str(scenario_text), "s", &a, &s, &e) < 0)
			fail_msg("%s", e.text);
		const char *why = site_fit(&site, &s);
		const struct scenario_phase *p = s.phases.items;
		if ((why != NULL) != rows[i].lacks)
			fail_msg("row %zu: %s", i, why ? why : "it was taken");
		assert_int_equal(p[0].messages, 7);
		if (!why && (p[1].messages != rows[i].messages || p[1].for_ms != rows[i].for_ms))
			fail_msg("row %zu: %llu messages in %llu ms", i, (unsigned long long)p[1].messages,
				 (unsigned long long)p[1].for_ms);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_large_as_the_contract),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
