/* No checker accuses an honest server, whatever the seed and the network; each lie of a server is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/check/simulation.h"

static const char *const caught_by[LIES] = {
	NULL, "delivery.lost", "order.total", "delivery.duplicate", "resume.sequence", "resume.sequence", "resume.edge",
	"resume.edge", "resume.zero", "resume.epoch", "sequence.same", "delivery.lost", "delivery.phantom", "resume.sequence",
};

static const struct check_result *result_of(const struct check_result *results, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(results[i].row->id, id) == 0)
			return &results[i];
	fail_msg("no %s", id);
	return NULL;
}

static void an_honest_server_is_never_accused(void **state)
{
	static const char *const judged[] = {
		"delivery.lost", "delivery.duplicate", "order.publisher", "order.total", "sequence.contiguous", "sequence.same",
		"resume.sequence", "resume.twice", "resume.edge", "resume.other_node", "restart.recovery", "convergence.connected",
	};
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct check_set *set;
		size_t n;
		uint64_t lied;
		const struct check_result *results = simulate(seed, HONEST, &set, &n, &lied);
		for (size_t i = 0; i < n; i++)
			if (results[i].violations)
				fail_msg("seed %llu: %s: %s", (unsigned long long)seed, results[i].row->id,
					 results[i].findings[0].seen);
		for (size_t i = 0; i < ARRAY_LEN(judged); i++)
			if (result_of(results, n, judged[i])->outcome != CHECK_PASS)
				fail_msg("seed %llu: %s was not put to the test", (unsigned long long)seed, judged[i]);
		check_set_free(set);
	}
}

static void every_lie_is_found(void **state)
{
	(void)state;
	for (enum lie lie = HONEST + 1; lie < LIES; lie++)
		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct check_set *set;
			size_t n;
			uint64_t lied;
			const struct check_result *results = simulate(seed, lie, &set, &n, &lied);
			if (lied > 2 && result_of(results, n, caught_by[lie])->outcome != CHECK_FAIL)
				fail_msg("seed %llu: lie %d, told %llu times, is not found by %s", (unsigned long long)seed, lie,
					 (unsigned long long)lied, caught_by[lie]);
			check_set_free(set);
		}
}

static void the_same_history_gives_the_same_findings(void **state)
{
	(void)state;
	struct check_set *a, *b;
	size_t n, m;
	uint64_t lied;
	const struct check_result *x = simulate(7, SWAPS, &a, &n, &lied), *y = simulate(7, SWAPS, &b, &m, &lied);
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++) {
		assert_true(x[i].violations == y[i].violations && x[i].samples == y[i].samples &&
			    x[i].outcome == y[i].outcome);
		for (size_t f = 0; f < x[i].n_findings; f++)
			assert_string_equal(x[i].findings[f].seen, y[i].findings[f].seen);
	}
	check_set_free(a);
	check_set_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_server_is_never_accused), cmocka_unit_test(every_lie_is_found),
		cmocka_unit_test(the_same_history_gives_the_same_findings),
	};
	return cmocka_run_group_tests_name("simulation", tests, NULL, NULL);
}
