/* The guard: whatever kills a run, everything is undone once it is over, in reverse order, and no journal is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/test_guard.h"

static void what_is_left_is_undone_in_reverse(void **state)
{
	struct guard *g;
	(void)state;
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	rig_add(g, "log", "first");
	int second = rig_add(g, "log", "second"), third = rig_add(g, "log", "third");
	rig_add(g, "log", "fourth");
	assert_int_equal(rig_journals(), 1);
	guard_drop(g, second);
	assert_int_equal(guard_undo(g, third), 0);
	assert_string_equal(rig_log(), "third\n");
	assert_int_equal(guard_undo(g, third), 0);
	guard_drop(g, 4711);
	guard_drop(g, 0);
	pid_t child = guard_pid(g);
	assert_int_equal(guard_stop(g), 0);
	assert_int_equal(kill(child, 0), -1);
	assert_string_equal(rig_log(), "third\nfourth\nfirst\n");
	assert_int_equal(rig_journals(), 0);
	guard_stop(NULL);
}

static void three(struct guard *g)
{
	rig_add(g, "log", "first");
	guard_drop(g, rig_add(g, "log", "dropped"));
	rig_add(g, "log", "last");
}

static void after_sigkill_the_guard_undoes(void **state)
{
	(void)state;
	pid_t run = rig_run(three);
	assert_string_equal(rig_log(), "");
	rig_kill(run);
	rig_await_end(rig->guard);
	assert_string_equal(rig_log(), "last\nfirst\n");
	assert_int_equal(rig_journals(), 0);
}

static void nobody_answers(struct guard *g)
{
	rig_add(g, "log", "first");
	raise(SIGKILL); /* between add and change */
}

static void killed_between_add_and_change(void **state)
{
	(void)state;
	rig_await_end(rig_run(nobody_answers));
	rig_await_end(rig->guard);
	assert_string_equal(rig_log(), "first\n");
	assert_int_equal(rig_journals(), 0);
}

static void stops_and_dies(struct guard *g)
{
	rig_add(g, "log", "first");
	rig_add(g, "dies", "second");
	rig_add(g, "log", "third");
	guard_stop(g);
}

static void killed_while_it_undoes(void **state)
{
	(void)state;
	rig_await_end(rig_run(stops_and_dies));
	rig_await_end(rig->guard);
	assert_string_equal(rig_log(), "third\nsecond\nfirst\n");
	assert_int_equal(rig_journals(), 0);
}

static void signals_for_all_do_not_end_the_guard(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGTSTP, SIGALRM};
	(void)state;
	pid_t run = rig_run(three);
	assert_int_equal(getsid(rig->guard), rig->guard);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		assert_int_equal(kill(rig->guard, signals[i]), 0);
	assert_int_equal(kill(-run, SIGKILL), 0);
	rig_await_end(run);
	rig_await_end(rig->guard);
	assert_string_equal(rig_log(), "last\nfirst\n");
	assert_int_equal(rig_journals(), 0);
}

/* A child of the run that was never told to close its descriptors holds the parent's side of the guard's socket. */
static void leaves_a_child(struct guard *g)
{
	rig_add(g, "log", "first");
	pid_t child = fork();
	while (child == 0)
		pause();
	rig->r[0] = child;
}

static void a_child_of_the_run_does_not_keep_the_guard_waiting(void **state)
{
	(void)state;
	rig_kill(rig_run(leaves_a_child));
	rig_await_end(rig->guard);
	assert_string_equal(rig_log(), "first\n");
	rig_kill(rig->r[0]);
}

static void the_guard_holds_nothing_of_its_parent(void **state)
{
	int pipes[2];
	char octet;
	struct guard *g;
	(void)state;
	assert_int_equal(pipe(pipes), 0);
	/* Not one of the low numbers, which the guard uses itself. */
	int side = fcntl(pipes[1], F_DUPFD, 100);
	assert_true(side >= 100);
	close(pipes[1]);
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	rig_add(g, "log", "first");
	close(side);
	struct pollfd p = {.fd = pipes[0], .events = POLLIN};
	assert_int_equal(poll(&p, 1, RIG_HANG_MS), 1);
	assert_int_equal(read(pipes[0], &octet, 1), 0);
	close(pipes[0]);
	char path[64], name[32] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)guard_pid(g));
	struct buf b CLEANUP(buf_fini) = {0};
	assert_int_equal(file_read(path, 64, &b, NULL), 0);
	snprintf(name, sizeof(name), "%s", buf_cstr(&b));
	assert_string_equal(name, "wsquall-guard\n");
	guard_stop(g);
}

static void goes_on_without_guard(struct guard *g)
{
	rig_add(g, "log", "first");
	int dropped = rig_add(g, "log", "dropped");
	struct err e;
	rig_kill(guard_pid(g));
	rig->r[0] = guard_add(g, "log", (const char *const[]){"late", NULL}, &e);
	memcpy(rig->text, e.text, sizeof(e.text));
	guard_drop(g, dropped);
	rig->r[1] = guard_add(g, "log", (const char *const[]){"later", NULL}, &e);
}

static void stops_without_guard(struct guard *g)
{
	goes_on_without_guard(g);
	guard_stop(g);
}

static void without_its_guard_a_run_adds_nothing_but_undoes(void **state)
{
	(void)state;
	pid_t run = rig_run(stops_without_guard);
	assert_int_equal(rig->r[0], -EPIPE);
	assert_int_equal(rig->r[1], -EPIPE);
	assert_string_equal(rig->text, "nothing was changed, for the undo 'log' could not be noted: "
				       "the guard process is gone");
	assert_string_equal(rig_log(), "first\n");
	assert_int_equal(rig_journals(), 0);
	rig_kill(run);
}

static void killed_without_guard_the_journal_is_left(void **state)
{
	char text[512];
	(void)state;
	pid_t run = rig_run(goes_on_without_guard);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 0); /* it lives */
	rig_kill(run);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 1);
	assert_string_equal(text, "undone logs first\n");
	assert_string_equal(rig_log(), "first\n");
	assert_int_equal(rig_journals(), 0);
}

static void cannot_undo_one(struct guard *g)
{
	const char *const words[] = {rig_path("key"), "stuck", NULL};
	rig_add(g, "log", "first");
	guard_add(g, "needs", words, NULL);
	rig_add(g, "log", "third");
}

/* The guard writes where its parent's standard error goes. */
static pid_t run_with_errors(void (*f)(struct guard *g))
{
	int old = dup(STDERR_FILENO), errors = open(rig_path("errors"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	dup2(errors, STDERR_FILENO);
	pid_t run = rig_run(f);
	dup2(old, STDERR_FILENO);
	close(old);
	close(errors);
	return run;
}

static void what_cannot_be_undone_is_told_and_kept(void **state)
{
	struct buf b CLEANUP(buf_fini) = {0};
	char text[512];
	(void)state;
	rig_kill(run_with_errors(cannot_undo_one));
	rig_await_end(rig->guard);
	assert_string_equal(rig_log(), "third\nfirst\n");
	assert_int_equal(file_read(rig_path("errors"), 4096, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "wsquall: not undone, 'wsquall doctor --clean' tries again: "
					  "logs stuck once it can: Device or resource busy\n");
	assert_int_equal(rig_leftovers(false, text, sizeof(text)), 1);
	assert_string_equal(text, "found logs stuck once it can\n");
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 1);
	assert_string_equal(text, "failed logs stuck once it can\n");
	assert_int_equal(rig_journals(), 1);
	assert_int_equal(file_write_atomic(rig_path("key"), SPAN_LIT(""), NULL), 0);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 1);
	assert_string_equal(text, "undone logs stuck once it can\n");
	assert_string_equal(rig_log(), "third\nfirst\nstuck\n");
	assert_int_equal(rig_journals(), 0);
}

static void stopping_says_whether_all_is_undone(void **state)
{
	static const char *const words[] = {"/nothing/is/here", "stuck", NULL};
	char text[512];
	struct guard *g;
	(void)state;
	for (int alone = 0; alone < 2; alone++) {
		assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
		rig_add(g, "log", "first");
		assert_true(guard_add(g, "needs", words, NULL) > 0);
		if (alone)
			rig_kill(guard_pid(g));
		int old = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, STDERR_FILENO);
		/* The child has our old standard error: what it says is seen in the other test. */
		int r = guard_stop(g);
		dup2(old, STDERR_FILENO);
		close(old);
		close(null);
		assert_int_equal(r, -EBUSY);
		assert_int_equal(rig_leftovers(false, text, sizeof(text)), 0); /* we live */
		assert_int_equal(rig_journals(), 1);
		assert_int_equal(unlink(rig_journal()), 0);
	}
	assert_string_equal(rig_log(), "first\nfirst\n");
}

static void what_fails_here_is_kept(void **state)
{
	struct guard *g;
	const char *words[] = {rig_path("key"), "stuck", NULL};
	(void)state;
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	int id = guard_add(g, "needs", words, NULL);
	assert_int_equal(guard_undo(g, id), -EBUSY);
	assert_int_equal(file_write_atomic(words[0], SPAN_LIT(""), NULL), 0);
	assert_int_equal(guard_undo(g, id), 0); /* it was kept */
	guard_stop(g);
	assert_string_equal(rig_log(), "stuck\n");
}

static void a_process_is_its_number_and_its_start(void **state)
{
	char pid[GUARD_PID_TEXT], started[GUARD_PID_TEXT], other[GUARD_PID_TEXT], its[GUARD_PID_TEXT];
	(void)state;
	assert_int_equal(guard_pid_words(getpid(), pid, started), 0);
	assert_true(guard_pid_same(pid, started));
	assert_int_equal(guard_pid_words(getppid(), other, its), 0);
	assert_false(guard_pid_same(pid, "1-0"));
	assert_false(guard_pid_same("", started));
	assert_false(guard_pid_same("-1", started));
	assert_false(guard_pid_same("+1", started));
	assert_false(guard_pid_same("99999999999999999999", started));
	assert_int_equal(guard_pid_words(-1, other, its), -ESRCH);
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	assert_int_equal(guard_pid_words(child, pid, started), 0);
	assert_true(guard_pid_same(pid, started));
	kill(child, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0); /* a zombie */
	assert_false(guard_pid_same(pid, started));
	waitpid(child, NULL, 0);
	assert_false(guard_pid_same(pid, started));
	assert_int_equal(guard_pid_words(child, pid, started), -ESRCH);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_left_is_undone_in_reverse),
		TEST(after_sigkill_the_guard_undoes),
		TEST(killed_between_add_and_change),
		TEST(killed_while_it_undoes),
		TEST(signals_for_all_do_not_end_the_guard),
		TEST(a_child_of_the_run_does_not_keep_the_guard_waiting),
		TEST(the_guard_holds_nothing_of_its_parent),
		TEST(without_its_guard_a_run_adds_nothing_but_undoes),
		TEST(killed_without_guard_the_journal_is_left),
		TEST(what_cannot_be_undone_is_told_and_kept),
		TEST(what_fails_here_is_kept),
		TEST(stopping_says_whether_all_is_undone),
		TEST(a_process_is_its_number_and_its_start),
	};
	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
