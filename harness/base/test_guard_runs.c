/* Runs beside each other: their names, what one has hold of, how often and how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/test_guard.h"

static void first_and_last(struct guard *g)
{
	rig_add(g, "log", "first");
	rig_add(g, "log", "last");
}

static void two_runs_do_not_touch_each_other(void **state)
{
	char text[512];
	(void)state;
	pid_t one = rig_run(first_and_last), guard_of_one = rig->guard;
	pid_t two = rig_run(first_and_last), guard_of_two = rig->guard;
	rig_kill(one);
	rig_await_end(guard_of_one);
	assert_string_equal(rig_log(), "last\nfirst\n");
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 0);
	assert_int_equal(rig_journals(), 1);
	rig_kill(two);
	rig_await_end(guard_of_two);
	assert_string_equal(rig_log(), "last\nfirst\nlast\nfirst\n");
	assert_int_equal(rig_journals(), 0);
}

static void names_begin_with_the_prefix(void **state)
{
	struct guard *g;
	char want[32];
	(void)state;
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	if (!guard_pids_are_global())
		skip();
	snprintf(want, sizeof(want), "wsq-%d-", (int)getpid());
	assert_string_equal(guard_prefix(g), want);
	guard_stop(g);
}

static void prefix_of_a_container(struct guard *g)
{
	snprintf(rig->text, sizeof(rig->text), "%s", guard_prefix(g));
	rig->r[0] = guard_pids_are_global();
}

/* The number 1 of a container is another process outside, or of another container. */
static void names_of_a_container_have_no_number(void **state)
{
	int status;
	(void)state;
	if (geteuid() != 0 || !guard_pids_are_global())
		skip();
	pid_t outer = fork();
	if (outer == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(77);
		rig_kill(rig_run(prefix_of_a_container));
		_exit(0);
	}
	waitpid(outer, &status, 0);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
	assert_false(rig->r[0]);
	assert_int_equal(strlen(rig->text), 12);
	assert_memory_equal(rig->text, "wsq-", 4);
	assert_int_equal(strspn(rig->text + 4, "abcdefghijklmnopqrstuvwxyz"), 7);
	assert_string_equal(rig->text + 11, "-");
}

static void has_a_deadline(struct guard *g)
{
	guard_deadline(g, 1);
	rig_add(g, "log", "first");
	rig_add(g, "log", "last");
}

/* Past its deadline a run that is stopped is healed by its guard, and one that runs is not. */
static void a_stopped_run_does_not_outlast_its_deadline(void **state)
{
	(void)state;
	pid_t run = rig_run(has_a_deadline);
	poll(NULL, 0, 5);
	assert_string_equal(rig_log(), "");
	assert_int_equal(kill(run, SIGSTOP), 0);
	for (int ms = 0; strcmp(rig_log(), "last\nfirst\n") != 0; ms += 5) {
		assert_true(ms < RIG_HANG_MS);
		poll(NULL, 0, 5);
	}
	assert_int_equal(kill(run, SIGCONT), 0);
	rig_kill(run);
	rig_await_end(rig->guard);
	assert_string_equal(rig_log(), "last\nfirst\n"); /* not twice */
	assert_int_equal(rig_journals(), 0);
}

static const char *const held[] = {"thing", "word", NULL}, *const same[] = {"thing", "other word", NULL},
		  *const another[] = {"another", "word", NULL};

static void holds_a_thing(struct guard *g)
{
	assert_true(guard_add(g, "holds", held, NULL) > 0);
}

/* By this run, by another that lives, and by one that is gone and has not been healed. */
static void what_another_fault_has_hold_of_is_refused(void **state)
{
	struct err e;
	char text[512];
	struct guard *g;
	(void)state;
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	int first = guard_add(g, "holds", held, NULL);
	assert_true(first > 0);
	assert_int_equal(guard_add(g, "holds", same, &e), -EBUSY);
	assert_string_equal(e.text, "nothing was changed, for another fault is at it already, which is undone by what "
				    "logs thing (this run)");
	assert_true(guard_add(g, "holds", another, NULL) > 0);
	guard_drop(g, first);
	first = guard_add(g, "holds", same, NULL);
	assert_true(first > 0);
	guard_drop(g, first);
	pid_t run = rig_run(holds_a_thing), its_guard = rig->guard;
	assert_int_equal(guard_add(g, "holds", same, &e), -EBUSY);
	assert_non_null(strstr(e.text, ".undo)"));
	rig_kill(its_guard);
	rig_kill(run);
	assert_int_equal(guard_add(g, "holds", same, &e), -EBUSY);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 1);
	assert_true(guard_add(g, "holds", same, NULL) > 0);
	guard_stop(g);
	assert_string_equal(rig_log(), "thing\nthing\nanother\n");
}

static void fails_once(struct guard *g)
{
	int id = rig_add(g, "once", "command");
	assert_int_equal(guard_undo(g, id), -EIO);
	assert_int_equal(guard_undo(g, id), -EIO);
}

static void fails_and_stops(struct guard *g)
{
	fails_once(g);
	rig->r[0] = guard_stop(g);
}

static void fails_by_itself(struct guard *g)
{
	guard_failed(g, rig_add(g, "once", "command"), -EIO);
	guard_drop(g, rig_add(g, "log", "x")); /* it was read */
}

static void is_not_tried_here(struct guard *g)
{
	rig_add(g, "once", "command");
}

/* Here, in the child and by the doctor: each undo that fails leaves a line. */
static void what_is_tried_once_is_not_repeated(void **state)
{
	static const struct {
		void (*run)(struct guard *g);
		const char *log;
	} rows[] = {{fails_and_stops, "command\n"}, {fails_once, "command\n"}, {fails_by_itself, ""},
		    {is_not_tried_here, "command\n"}};
	char text[512];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pid_t run = rig_run(rows[i].run);
		rig_kill(run);
		rig_await_end(rig->guard);
		assert_string_equal(rig_log(), rows[i].log);
		unlink(rig_path("log"));
		assert_int_equal(rig_leftovers(true, text, sizeof(text)), 1);
		assert_string_equal(text, "failed logs command\n");
		assert_string_equal(rig_log(), "command\n");
		unlink(rig_path("log"));
		assert_int_equal(rig_journals(), 1);
		rig_remove_journals();
	}
	assert_int_equal(rig->r[0], -EBUSY);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(two_runs_do_not_touch_each_other),
		TEST(names_begin_with_the_prefix),
		TEST(names_of_a_container_have_no_number),
		TEST(a_stopped_run_does_not_outlast_its_deadline),
		TEST(what_another_fault_has_hold_of_is_refused),
		TEST(what_is_tried_once_is_not_repeated),
	};
	return cmocka_run_group_tests_name("guard_runs", tests, NULL, NULL);
}
