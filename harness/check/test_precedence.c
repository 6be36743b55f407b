/* The order of several observers: honest ones never contradict each other, and any swap is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/base/rng.h"
#include "harness/check/precedence.h"

enum { MESSAGES = 3000, OBSERVERS = 7 };

/* Observers go through one order at their own pace and miss some; one of them swaps two neighbours, if told. */
static uint64_t contradictions(uint64_t seed, bool swap)
{
	struct precedence *p = precedence_new();
	struct rng rng;
	uint64_t at[OBSERVERS] = {0}, last[OBSERVERS] = {0}, found = 0;
	rng_init(&rng, seed, "precedence");
	for (int step = 0; step < MESSAGES * OBSERVERS; step++) {
		uint32_t who = (uint32_t)rng_below(&rng, OBSERVERS);
		uint64_t slowest = MESSAGES;
		for (int i = 0; i < OBSERVERS; i++)
			slowest = at[i] < slowest ? at[i] : slowest;
		if (at[who] >= MESSAGES || at[who] > slowest + 100)
			continue;
		uint64_t index = ++at[who];
		if (swap && who == 3 && index / 2 == 700)
			index ^= 1;
		if (!swap && rng_below(&rng, 10) == 0)
			continue; /* missed */
		uint64_t message = precedence_message(p, (uint32_t)(index % 5 + 1), index);
		if (last[who])
			found += precedence_saw(p, who + 1, last[who], message) != 0;
		last[who] = message;
	}
	precedence_free(p);
	return found;
}

static void honest_observers_agree(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++)
		assert_int_equal(contradictions(seed, false), 0);
}

static void a_swap_is_found(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++)
		assert_true(contradictions(seed, true) > 0);
}

/* Edges against the order in which the messages came, until it is turned round: then each of the others contradicts. */
static void the_order_is_mended(void **state)
{
	(void)state;
	struct precedence *p = precedence_new();
	enum { LEN = 200 };
	uint64_t message[LEN];
	for (uint64_t i = 0; i < LEN; i++)
		message[i] = precedence_message(p, 1, i);
	for (int i = 1; i < LEN; i++)
		assert_int_equal(precedence_saw(p, 1, message[i], message[i - 1]), 0);
	assert_int_equal(precedence_saw(p, 2, message[10], message[11]), 1);
	assert_int_equal(precedence_saw(p, 2, message[10], message[150]), UINT32_MAX);
	assert_int_equal(precedence_saw(p, 2, message[150], message[10]), 0);
	precedence_free(p);
}

static void what_left_the_window_contradicts_nothing(void **state)
{
	(void)state;
	struct precedence *p = precedence_new();
	uint64_t a = precedence_message(p, 1, 1), b = precedence_message(p, 1, 2);
	assert_int_equal(precedence_saw(p, 1, a, b), 0);
	for (uint64_t i = 3; i < PRECEDENCE_WINDOW + 3; i++)
		precedence_message(p, 1, i);
	assert_int_equal(precedence_saw(p, 2, b, a), 0);
	uint64_t again = precedence_message(p, 1, 1);
	assert_true(again != a);
	assert_int_equal(precedence_saw(p, 2, precedence_message(p, 1, 2), again), 0);
	precedence_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest_observers_agree), cmocka_unit_test(a_swap_is_found), cmocka_unit_test(the_order_is_mended),
		cmocka_unit_test(what_left_the_window_contradicts_nothing),
	};
	return cmocka_run_group_tests_name("precedence", tests, NULL, NULL);
}
