/* The scheduler against a server that misbehaves, once or always. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/run/test_runner_rig.h"

static const struct test_case tls_only = {.id = "test/tls", .title = "tls", .rfc = "6455", .needs = NEED_TLS, STEPS(SEND(TEXT, LIT("hi")), ECHO)};
static const struct test_case extension = {.id = "test/extension", .title = "extension", .rfc = "6455", .watch = WATCH_CLOSE_CODE_1010};

static unsigned most_at_once(const struct rig *f)
{
	unsigned most = 0;
	for (size_t i = 0; i < f->n; i++) {
		unsigned now = 0;
		const struct runner_item *a = &f->runner.items[i];
		for (size_t j = 0; j < f->n; j++) {
			const struct runner_item *b = &f->runner.items[j];
			now += b->started_us <= a->started_us && a->started_us < b->finished_us;
		}
		most = now > most ? now : most;
	}
	return most;
}

static void all_pass_and_no_more_than_jobs_at_once(void **state)
{
	(void)state;
	for (unsigned jobs = 1; jobs <= 7; jobs += 3) {
		struct rig f = {.o.jobs = jobs};
		rig_add(&f, &case_good, 40);
		rig_add(&f, &tls_only, 1);
		rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
		assert_int_equal(rig_count(&f, VERDICT_PASS), 40);
		assert_int_equal(rig_count(&f, VERDICT_SKIP), 1);
		assert_non_null(strstr(rig_item(&f, "test/tls")->seen, "not wss"));
		assert_int_equal(f.told, 41);
		f.n = 40;
		assert_int_equal(most_at_once(&f), jobs);
		assert_int_equal(f.server.count, 41); /* and the canary at the end */
		f.n = 41;
		rig_fini(&f);
	}
}

static void a_soft_verdict_is_looked_at_again_alone(void **state)
{
	struct rig f = {.o.jobs = 1};
	(void)state;
	rig_add(&f, &case_good, 3);
	rig_run(&f, SCRIPT(S_OPEN, S_GET(0x81), S_FIN), BEHAVES, LONG_MS, LONG_MS);
	assert_int_equal(rig_count(&f, VERDICT_PASS), 3);
	assert_non_null(f.runner.items[0].note);
	assert_non_null(strstr(f.runner.items[0].note, "among others it gave: FIN without a Close frame though nothing was wrong; alone it passes"));
	assert_null(f.runner.items[1].note);
	rig_fini(&f);
}

static void a_soft_fail_that_stays_is_a_fail(void **state)
{
	struct rig f = {.o.jobs = 2};
	(void)state;
	rig_add(&f, &case_good, 3);
	rig_add(&f, &case_survival, 1);
	rig_run(&f, SCRIPT(S_OPEN, S_GET(0x81), S_FIN), NULL, LONG_MS, PATIENCE_MS); /* the canary meets this script, too, and waits for an answer to its Close */
	assert_int_equal(rig_count(&f, VERDICT_FAIL), 3);
	assert_null(f.runner.items[0].note);
	assert_non_null(f.runner.items[0].transcript);
	assert_int_equal(rig_item(&f, "test/survival")->verdict, VERDICT_PASS);
	assert_null(f.runner.abort_reason);
	rig_fini(&f);
}

/* A hard fail is not run again, and the canary finds the target alive. */
static void a_hard_fail_is_decided_at_once(void **state)
{
	struct rig f = {.o.jobs = 1};
	(void)state;
	rig_add(&f, &case_pinged, 1);
	rig_run(&f, SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x8a\x01z")), BEHAVES, LONG_MS, LONG_MS);
	assert_int_equal(rig_count(&f, VERDICT_FAIL), 1);
	assert_int_equal(f.told, 1);
	assert_int_equal(f.server.count, 2); /* the case, the canary */
	assert_int_equal(f.runner.deaths, 0);
	rig_fini(&f);
}

static void watchers_are_judged_at_the_end(void **state)
{
	struct rig f = {.o.jobs = 2};
	(void)state;
	rig_add(&f, &case_masked, 1);
	rig_add(&f, &extension, 1);
	rig_add(&f, &case_good, 2);
	rig_run(&f, SCRIPT(S_OPEN, S_SAY("\x89\x80\x01\x02\x03\x04")), BEHAVES, LONG_MS, LONG_MS);
	assert_int_equal(rig_item(&f, "test/masked")->verdict, VERDICT_FAIL);
	assert_non_null(strstr(rig_item(&f, "test/masked")->seen, "a masked frame from the server: 1 of 6 times, first in test/good"));
	assert_non_null(rig_item(&f, "test/masked")->transcript);
	assert_int_equal(rig_item(&f, "test/extension")->verdict, VERDICT_SKIP);
	rig_fini(&f);
}

static void a_cut_frame_counts_when_the_target_lives(void **state)
{
	struct rig f = {.o.jobs = 1};
	(void)state;
	rig_add(&f, &case_good, 2);
	rig_add(&f, &case_whole_frames, 1);
	rig_run(&f, SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x81\x05" "a"), S_FIN), BEHAVES, LONG_MS, LONG_MS);
	assert_int_equal(f.runner.deaths, 0);
	assert_int_equal(rig_item(&f, "test/whole-frames")->verdict, VERDICT_FAIL);
	assert_non_null(strstr(rig_item(&f, "test/whole-frames")->seen, "1 of"));
	assert_non_null(strstr(rig_item(&f, "test/whole-frames")->seen, "first in test/good"));
	assert_non_null(rig_item(&f, "test/whole-frames")->transcript);
	rig_fini(&f);
}

static void a_stopped_run_keeps_what_was_decided(void **state)
{
	struct rig f = {.o.jobs = 1, .stop_after = 3};
	(void)state;
	rig_add(&f, &case_good, 10);
	rig_add(&f, &case_survival, 1);
	rig_add(&f, &case_masked, 1);
	rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(rig_count(&f, VERDICT_PASS), 3);
	assert_int_equal(rig_count(&f, VERDICT_ERROR), 9);
	assert_true(f.runner.stopped);
	assert_non_null(strstr(f.runner.items[9].seen, "stopped"));
	rig_fini(&f);
}

static void a_run_stopped_before_it_starts_runs_nothing(void **state)
{
	struct rig f = {.o.jobs = 4, .stop_after = 1, .told = 1};
	(void)state;
	rig_add(&f, &case_good, 4);
	rig_run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(rig_count(&f, VERDICT_ERROR), 4);
	assert_int_equal(f.server.count, 0);
	rig_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_pass_and_no_more_than_jobs_at_once),
		cmocka_unit_test(a_soft_verdict_is_looked_at_again_alone),
		cmocka_unit_test(a_soft_fail_that_stays_is_a_fail),
		cmocka_unit_test(a_hard_fail_is_decided_at_once),
		cmocka_unit_test(watchers_are_judged_at_the_end),
		cmocka_unit_test(a_cut_frame_counts_when_the_target_lives),
		cmocka_unit_test(a_stopped_run_keeps_what_was_decided),
		cmocka_unit_test(a_run_stopped_before_it_starts_runs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
