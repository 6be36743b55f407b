/* Each checker against hand-written histories, good and bad: stories_NAME.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/check/story.h"

static const struct story_case delivery_cases[] = {
#include "harness/check/stories_delivery.def"
};
static const struct story_case order_cases[] = {
#include "harness/check/stories_order.def"
};
static const struct story_case sequence_cases[] = {
#include "harness/check/stories_sequence.def"
};
static const struct story_case resume_cases[] = {
#include "harness/check/stories_resume.def"
};
static const struct story_case close_codes_cases[] = {
#include "harness/check/stories_close_codes.def"
};
static const struct story_case heartbeat_cases[] = {
#include "harness/check/stories_heartbeat.def"
};
static const struct story_case backpressure_cases[] = {
#include "harness/check/stories_backpressure.def"
};
static const struct story_case recovery_cases[] = {
#include "harness/check/stories_recovery.def"
};
static const struct story_case restart_cases[] = {
#include "harness/check/stories_restart.def"
};
static const struct story_case idempotent_cases[] = {
#include "harness/check/stories_idempotent.def"
};
static const struct story_case leaks_cases[] = {
#include "harness/check/stories_leaks.def"
};
static const struct story_case window_cases[] = {
#include "harness/check/stories_window.def"
};
static const struct story_case nodes_cases[] = {
#include "harness/check/stories_nodes.def"
};
static const struct story_case convergence_cases[] = {
#include "harness/check/stories_convergence.def"
};
static const struct story_case coverage_cases[] = {
#include "harness/check/stories_coverage.def"
};

#define CHECKER(name) \
	static void name(void **state) \
	{ \
		(void)state; \
		story_run(#name, name##_cases, ARRAY_LEN(name##_cases)); \
	}
#include "harness/check/checkers.def"
#undef CHECKER

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CHECKER(name) cmocka_unit_test(name),
#include "harness/check/checkers.def"
#undef CHECKER
	};
	return cmocka_run_group_tests_name("stories", tests, NULL, NULL);
}
