/* The scheduler against a server that dies: the death is found, and the case that caused it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "harness/run/survival.h"
#include "harness/run/test_runner_rig.h"

static const struct test_case killer = {.id = "test/killer", .title = "killer", .rfc = "6455", STEPS(SEND(TEXT, LIT("die")), ECHO)};
/* A death is an end like others to it. */
static const struct test_case ender = {.id = "test/ender", .title = "ender", .rfc = "6455", STEPS(SEND(TEXT, LIT("die")), ENDS_ANYHOW)};

/* Goes without a Close frame, and nobody minds. */
static const struct test_case leaver = {.id = "test/leaver", .title = "leaver", .rfc = "6455", STEPS(SEND(TEXT, LIT("hi")), ECHO, RESET)};

/* Its death is what is wrong with it, and is found by another watcher. */
static void a_frame_cut_by_the_death_of_the_target_does_not_count(void **state)
{
	struct rig f = {.o = {.jobs = 1, .revive = rig_revive}};
	(void)state;
	rig_add(&f, &killer, 1);
	rig_add(&f, &case_good, 2);
	rig_add(&f, &case_whole_frames, 1);
	rig_run(&f, SCRIPT(S_OPEN, S_SAY("\x81\x05" "a")), BEHAVES, LONG_MS, LONG_MS);
	assert_int_not_equal(f.runner.deaths, 0);
	assert_int_equal(rig_item(&f, "test/killer")->verdict, VERDICT_FAIL);
	assert_int_equal(rig_item(&f, "test/whole-frames")->verdict, VERDICT_PASS);
	rig_fini(&f);
}

static void a_killer_is_found_when_the_target_comes_back(void **state)
{
	(void)state;
	for (unsigned jobs = 1; jobs <= 8; jobs += 7) {
		struct rig f = {.o = {.jobs = jobs, .revive = rig_revive}};
		rig_add(&f, &case_good, 12);
		rig_add(&f, &killer, 1);
		rig_add(&f, &case_good, 12);
		rig_add(&f, &case_survival, 1);
		rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
		assert_int_equal(rig_count(&f, VERDICT_PASS), 24);
		assert_int_equal(rig_count(&f, VERDICT_FAIL), 2);
		assert_int_equal(rig_item(&f, "test/killer")->verdict, VERDICT_FAIL);
		assert_true(rig_item(&f, "test/killer")->killed);
		assert_int_equal(rig_item(&f, "test/survival")->verdict, VERDICT_FAIL);
		assert_non_null(strstr(rig_item(&f, "test/survival")->seen, " during the run, of test/killer"));
		assert_null(f.runner.abort_reason);
		assert_int_equal(f.revived, f.server.deaths);
		rig_fini(&f);
	}
}

/* The case behind it met nobody: it is not to blame, and what killed is run once more. */
static void a_target_that_dies_late_is_not_blamed_on_the_next(void **state)
{
	struct rig f = {.o = {.jobs = 1, .revive = rig_revive}, .server = {.late = true}};
	(void)state;
	rig_add(&f, &killer, 1);
	rig_add(&f, &case_good, 6);
	rig_add(&f, &case_survival, 1);
	rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(rig_count(&f, VERDICT_PASS), 6);
	assert_int_equal(rig_item(&f, "test/killer")->verdict, VERDICT_FAIL);
	assert_int_equal(rig_item(&f, "test/survival")->verdict, VERDICT_FAIL);
	assert_null(f.runner.abort_reason);
	rig_fini(&f);
}

/* Nothing doubtful is left, and nobody else comes: whether the target lives is looked at all the same. */
static void a_death_by_the_last_case_is_found(void **state)
{
	struct rig f = {.o = {.jobs = 1, .revive = rig_revive}};
	(void)state;
	rig_add(&f, &case_good, 2);
	rig_add(&f, &ender, 1);
	rig_add(&f, &case_survival, 1);
	rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(rig_item(&f, "test/ender")->verdict, VERDICT_FAIL);
	assert_true(rig_item(&f, "test/ender")->killed);
	assert_int_equal(rig_item(&f, "test/survival")->verdict, VERDICT_FAIL);
	assert_int_equal(rig_count(&f, VERDICT_PASS), 2);
	rig_fini(&f);
}

/* The canary was under way when the target died, so that it was cut off; the next one would meet a target that was started again. */
static void a_death_that_cuts_the_canary_off_is_a_death(void **state)
{
	struct rig f = {.o = {.jobs = 2, .revive = rig_revive}, .server = {.guest = 2}};
	(void)state;
	rig_add(&f, &ender, 1);
	rig_add(&f, &case_good, 1); /* takes what follows for the rest of the frame, which is a fail, and calls the canary */
	rig_add(&f, &case_whole_frames, 1);
	rig_add(&f, &case_survival, 1);
	rig_run(&f, SCRIPT(S_OPEN, S_SAY("\x81\x05" "a")), NULL, LONG_MS, LONG_MS);
	assert_int_not_equal(f.runner.deaths, 0);
	assert_true(rig_item(&f, "test/ender")->killed);
	assert_int_equal(rig_item(&f, "test/survival")->verdict, VERDICT_FAIL);
	assert_int_equal(rig_item(&f, "test/whole-frames")->verdict, VERDICT_PASS);
	assert_int_equal(f.revived, f.server.deaths);
	rig_fini(&f);
}

/* It is among those whom survival blames, and its sentence names the first of them and counts the others. */
static void assert_blames(struct runner *r, const char *id, bool proven)
{
	const char *ids[64], *seen = survival_seen(r);
	char more[64];
	bool is_proven, among = false;
	size_t n = survival_blamed(r, ids, ARRAY_LEN(ids), &is_proven);
	for (size_t i = 0; i < n; i++)
		among |= strcmp(ids[i], id) == 0;
	assert_true(among);
	assert_int_equal(is_proven, proven);
	assert_non_null(strstr(seen, is_proven ? ", of " : "; under way were "));
	snprintf(more, sizeof(more), " and %zu more", n - SURVIVAL_NAMED);
	assert_true(n <= SURVIVAL_NAMED ? strstr(seen, "more") == NULL : strstr(seen, more) != NULL);
	assert_int_equal(survival_blamed(r, ids, 0, &is_proven), n);
}

/* Nobody is ever refused: the next process listens already. Others tell it. */
static void a_case_that_costs_others_their_connections_is_found(void **state)
{
	(void)state;
	for (unsigned jobs = 1; jobs <= 8; jobs += 7) {
		struct rig f = {.o.jobs = jobs, .server.reborn = true};
		rig_add(&f, &leaver, 3);
		rig_add(&f, &ender, 1);
		rig_add(&f, &leaver, 2);
		rig_add(&f, &case_survival, 1);
		rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
		assert_int_equal(rig_item(&f, "test/ender")->verdict, VERDICT_FAIL);
		assert_non_null(strstr(rig_item(&f, "test/ender")->seen, "8 of 8 other connections"));
		assert_int_equal(rig_item(&f, "test/survival")->verdict, VERDICT_FAIL);
		assert_blames(&f.runner, "test/ender", true);
		assert_int_equal(rig_count(&f, VERDICT_FAIL), 2);
		assert_int_equal(f.runner.deaths, 0);
		rig_fini(&f);
	}
}

/* It cuts others off whoever comes. */
static void a_target_that_cuts_everybody_off_accuses_no_case(void **state)
{
	struct rig f = {.o.jobs = 1, .server.brief = true};
	(void)state;
	rig_add(&f, &leaver, 3);
	rig_add(&f, &case_survival, 1);
	rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(f.runner.n_swept, 3);
	assert_int_equal(rig_count(&f, VERDICT_PASS), 4);
	rig_fini(&f);
}

static void a_killer_is_named_when_the_target_stays_dead(void **state)
{
	struct rig f = {.o.jobs = 1};
	(void)state;
	rig_add(&f, &case_good, 5);
	rig_add(&f, &killer, 1);
	rig_add(&f, &case_good, 5);
	rig_add(&f, &case_survival, 1);
	rig_add(&f, &case_masked, 1);
	rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(rig_count(&f, VERDICT_PASS), 5);
	assert_int_equal(rig_item(&f, "test/killer")->verdict, VERDICT_FAIL);
	assert_int_equal(rig_item(&f, "test/survival")->verdict, VERDICT_FAIL);
	assert_int_equal(rig_item(&f, "test/masked")->verdict, VERDICT_ERROR);
	assert_int_equal(rig_count(&f, VERDICT_ERROR), 6);
	assert_non_null(strstr(f.runner.abort_reason, "test/killer"));
	rig_fini(&f);
}

/* Many at once and nobody to ask again: nobody is accused alone, nobody else fails. */
static void suspects_are_inconclusive_when_the_target_stays_dead(void **state)
{
	struct rig f = {.o.jobs = 8};
	(void)state;
	rig_add(&f, &case_good, 12);
	rig_add(&f, &killer, 1);
	rig_add(&f, &case_good, 12);
	rig_add(&f, &case_survival, 1);
	rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	enum verdict v = rig_item(&f, "test/killer")->verdict;
	assert_true(v == VERDICT_INCONCLUSIVE || v == VERDICT_FAIL);
	assert_int_equal(rig_count(&f, VERDICT_FAIL), 1 + (v == VERDICT_FAIL));
	assert_non_null(f.runner.abort_reason);
	assert_blames(&f.runner, "test/killer", v == VERDICT_FAIL);
	rig_fini(&f);
}

static void a_target_that_hangs_afterwards_is_dead(void **state)
{
	struct rig f = {.o.jobs = 1};
	(void)state;
	rig_add(&f, &case_pinged, 1);
	rig_add(&f, &case_survival, 1);
	rig_run(&f, SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x8a\x01z")), SCRIPT(S_ASKED, S_HANG), SHORT_MS, PATIENCE_MS);
	assert_int_equal(rig_count(&f, VERDICT_FAIL), 2);
	assert_int_equal(f.runner.deaths, 1);
	assert_non_null(strstr(f.runner.abort_reason, "test/pinged"));
	rig_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_cut_by_the_death_of_the_target_does_not_count),
		cmocka_unit_test(a_killer_is_found_when_the_target_comes_back),
		cmocka_unit_test(a_target_that_dies_late_is_not_blamed_on_the_next),
		cmocka_unit_test(a_death_by_the_last_case_is_found),
		cmocka_unit_test(a_death_that_cuts_the_canary_off_is_a_death),
		cmocka_unit_test(a_case_that_costs_others_their_connections_is_found),
		cmocka_unit_test(a_target_that_cuts_everybody_off_accuses_no_case),
		cmocka_unit_test(a_killer_is_named_when_the_target_stays_dead),
		cmocka_unit_test(suspects_are_inconclusive_when_the_target_stays_dead),
		cmocka_unit_test(a_target_that_hangs_afterwards_is_dead),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
