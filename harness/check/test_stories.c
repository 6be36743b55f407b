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
static const struct story_case resume_cases[] = {
#include "harness/check/stories_resume.def"
};
static const struct story_case sequence_cases[] = {
#include "harness/check/stories_sequence.def"
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
