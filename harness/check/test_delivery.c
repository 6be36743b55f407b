/* Delivery, over more messages than a story tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/check/story.h"


/* Every second message is refused: no memory for each, and nothing is claimed that is not so. */
static void many_gaps_are_decided_as_they_are_given_up(void **state)
{
	(void)state;
	struct check_set *set = NULL;
	const struct contract contract = {.delivery = DELIVERY_AT_LEAST_ONCE, .ordered = true};
	const struct check_result *results;
	size_t n;
	assert_int_equal(check_set_new(&contract, &set, NULL), 0);
	assert_int_equal(check_set_add(set, checker_find("delivery"), NULL, NULL), 0);
	struct event e = {.kind = EVENT_CONNECT, .type = EVENT_OK, .client = 1, .connection = 1};
	check_set_event(set, &e);
	e = (struct event){.kind = EVENT_SUBSCRIBE, .type = EVENT_OK, .client = 1, .connection = 1, .channel = 1};
	check_set_event(set, &e);
	for (uint64_t i = 1; i <= 20000; i++) {
		e = (struct event){.number = i, .kind = EVENT_PUBLISH, .type = EVENT_INVOKE, .client = 9, .connection = 1,
				   .channel = 1, .publisher = 9, .index = i};
		check_set_event(set, &e);
		e.type = i % 2 ? EVENT_OK : EVENT_FAIL;
		check_set_event(set, &e);
		e = (struct event){.number = i, .kind = EVENT_DELIVER, .type = EVENT_OK, .client = 1, .connection = 1, .channel = 1,
				   .said_channel = 1, .publisher = 9, .index = i};
		if (i % 2 && i != 777) /* one of those that were taken is lost */
			check_set_event(set, &e);
	}
	check_set_end(set, &results, &n);
	assert_int_equal(n, 4);
	assert_string_equal(results[0].row->id, "delivery.lost");
	assert_int_equal(results[0].outcome, CHECK_FAIL);
	assert_int_equal(results[0].violations, 1);
	assert_non_null(strstr(results[0].findings[0].seen, "message 777 of"));
	for (size_t i = 1; i < n; i++)
		assert_int_equal(results[i].violations, 0);
	check_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_gaps_are_decided_as_they_are_given_up),
	};
	return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
