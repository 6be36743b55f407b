/* How a finding is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/scenario/items.h"

static void findings_are_shown_with_the_log(void **state)
{
	static const char *const evidence[] = {
		"{\"n\":1,\"at\":1.000000,\"event\":\"end\",\"type\":\"ok\",\"client\":2,\"text\":\",\\\"line\\\":\\\"none\\\"\"}",
		"{\"n\":2,\"at\":1.100000,\"event\":\"log\",\"type\":\"ok\",\"id\":\"x\",\"line\":\"{\\\"code\\\":1000}\"}",
		NULL,
	};
	static const char *const in_force[] = {"latency", "reset_peer", NULL}, *const none[] = {NULL};
	static const struct check_finding findings[] = {
		{.seen = "a code that nobody saw", .at_us = 1500000, .client = 2, .channel = 1, .evidence = evidence, .faults = none,
		 .healed = "reset_peer", .healed_us = 1000000},
		{.seen = "again", .at_us = 1600000, .evidence = none, .faults = in_force, .healed = "x", .healed_us = 1},
		{.seen = "and again", .at_us = 1600000, .evidence = none, .faults = none, .healed = ""},
	};
	static const char wanted[] = "1. a code that nobody saw\n"
				     "   at 1.500000 s, client 2, channel 1\n"
				     "   faults in force: none; reset_peer was healed 0.500 s before\n"
				     "\n"
				     "   "
				     "{\"n\":1,\"at\":1.000000,\"event\":\"end\",\"type\":\"ok\",\"client\":2,\"text\":"
				     "\",\\\"line\\\":\\\"none\\\"\"}\n"
				     "   {\"n\":2,\"at\":1.100000,\"event\":\"log\",\"type\":\"ok\",\"id\":\"x\"}\n"
				     "     log | {\"code\":1000}\n"
				     "\n"
				     "2. again\n"
				     "   at 1.600000 s\n"
				     "   faults in force: latency reset_peer\n"
				     "\n"
				     "\n"
				     "3. and again\n"
				     "   at 1.600000 s\n"
				     "   faults in force: none\n"
				     "\n";
	struct check_result r = {.row = check_row_find("close.logged.server"),
				 .violations = 3,
				 .samples = 9,
				 .findings = findings,
				 .n_findings = ARRAY_LEN(findings)};
	struct buf b;
	(void)state;
	buf_init(&b, 1 << 16);
	scenario_print_findings(&r, &b);
	const char *first = strstr(buf_cstr(&b), "\n1. ");
	assert_non_null(first);
	assert_string_equal(first + 1, wanted);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_are_shown_with_the_log),
	};
	return cmocka_run_group_tests_name("items", tests, NULL, NULL);
}
