/* The guard's journals: what is in them, what a later doctor makes of them, and what they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/test_guard.h"

static void three(struct guard *g)
{
	rig_add(g, "log", "first");
	rig_add(g, "log", "second");
	guard_drop(g, rig_add(g, "log", "dropped"));
	rig_add(g, "log", "third");
}

/* The guard first: else it is already undoing. */
static void kill_both(void (*f)(struct guard *g))
{
	pid_t run = rig_run(f);
	rig_kill(rig->guard);
	rig_kill(run);
}

static void both_killed_the_doctor_undoes(void **state)
{
	char text[512];
	(void)state;
	kill_both(three);
	assert_string_equal(rig_log(), "");
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(rig_leftovers(false, text, sizeof(text)), 3);
		assert_string_equal(text, "found logs third\nfound logs second\nfound logs first\n");
	}
	assert_string_equal(rig_log(), "");
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 3);
	assert_string_equal(text, "undone logs third\nundone logs second\nundone logs first\n");
	assert_string_equal(rig_log(), "third\nsecond\nfirst\n");
	assert_int_equal(rig_journals(), 0);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 0);
}

enum { DOCTORS = 8 };

static void many(struct guard *g)
{
	for (int i = 0; i < 100; i++)
		rig_add(g, "log", "x");
}

/* All begin when the last descriptor of the pipe's other side is closed. */
static pid_t doctor(const int *gate)
{
	pid_t pid = fork();
	if (pid == 0) {
		char text[16384], octet;
		close(gate[1]);
		if (read(gate[0], &octet, 1) != 0)
			_exit(9);
		_exit(rig_leftovers(true, text, sizeof(text)) < 0);
	}
	return pid;
}

static void doctors_at_once_undo_each_thing_once(void **state)
{
	int gate[2], status;
	pid_t doctors[DOCTORS];
	(void)state;
	kill_both(many);
	assert_int_equal(pipe(gate), 0);
	for (size_t i = 0; i < DOCTORS; i++)
		doctors[i] = doctor(gate);
	close(gate[1]);
	for (size_t i = 0; i < DOCTORS; i++) {
		assert_int_equal(waitpid(doctors[i], &status, 0), doctors[i]);
		assert_int_equal(status, 0);
	}
	close(gate[0]);
	assert_int_equal(strlen(rig_log()), 200);
	assert_int_equal(rig_journals(), 0);
}

static void damaged_lines_are_told_and_passed_over(void **state)
{
	static const struct {
		const char *content, *told;
	} rows[] = {
		{"", ""},
		{"+ 1 log good\n", "undone logs good\n"},
		{"+ 1 log good\n- 1\n", ""},
		{"+ 1 log good\n- 2\n", "undone logs good\n"},
		{"garbage\n+ 1 log good\n", "damaged line 2 is damaged and was passed over\nundone logs good\n"},
		{"+ 1 log good\n+ 2 log half", "damaged line 3 is damaged and was passed over\nundone logs good\n"},
		{"+ 1 log good\n+ 1 log twice\n", "damaged line 3 is damaged and was passed over\nundone logs good\n"},
		{"+ 1 log\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 1 needs one\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 1  good\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 0 log good\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ -1 log good\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 01 log good\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 99999999999999999999 log good\n", "damaged line 2 is damaged and was passed over\n"},
		{"+1 log good\n", "damaged line 2 is damaged and was passed over\n"},
		{"* 1 log good\n", "damaged line 2 is damaged and was passed over\n"},
		{"- 1 log good\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 1 log %\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 1 log %4\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 1 log %00\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 1 log %4x\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 1 log \xff\n", "damaged line 2 is damaged and was passed over\n"},
		{"+ 1 log a b c d e f g h i\n", "damaged line 2 is damaged and was passed over\n"},
		{"\n\n", "damaged line 2 is damaged and was passed over\ndamaged line 3 is damaged and was passed over\n"},
		{"+ 7 log %67ood\n", "undone logs good\n"},
	};
	char text[2048];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_write_journal(rows[i].content);
		rig_leftovers(true, text, sizeof(text));
		assert_string_equal(text, rows[i].told);
		assert_int_equal(rig_journals(), 0);
	}
}

static void an_unknown_kind_is_kept(void **state)
{
	char text[512];
	(void)state;
	rig_write_journal("+ 1 log good\n+ 2 newer a b\n");
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 2);
	assert_non_null(strstr(text, "failed an undo 'newer', which this version does not know\n"));
	assert_non_null(strstr(text, "undone logs good\n"));
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 1);
	assert_int_equal(rig_journals(), 1);
}

static void a_whole_line_too_long_is_damaged(void **state)
{
	char content[2 * GUARD_ENTRY_MAX + 32], text[512];
	(void)state;
	int n = snprintf(content, sizeof(content), "+ 1 log ");
	memset(content + n, 'x', 2 * GUARD_ENTRY_MAX);
	snprintf(content + n + 2 * GUARD_ENTRY_MAX, 16, "\n+ 2 log y\n");
	rig_write_journal(content);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 2);
	assert_string_equal(text, "damaged line 2 is damaged and was passed over\nundone logs y\n");
}

static void after_a_restart_of_the_machine_only_files_are_left(void **state)
{
	char text[512];
	(void)state;
	rig_write_journal("");
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 0);
	assert_int_equal(file_write_atomic(rig_path("journals/1-77-another-boot.undo"),
					   SPAN_LIT("wsquall-undo 1\n+ 1 log process\n+ 2 lasts file\n"), NULL), 0);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 1);
	assert_string_equal(text, "undone logs file\n");
	assert_string_equal(rig_log(), "file\n");
	assert_int_equal(rig_journals(), 0);
}

static void words_are_any_octets(void **state)
{
	char word[256], text[4096], want[300];
	struct guard *g;
	(void)state;
	for (int i = 1; i < 256; i++)
		word[i - 1] = (char)i;
	word[255] = 0;
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	rig_add(g, "log", word);
	rig_add(g, "log", "");
	rig_kill(guard_pid(g));
	assert_int_equal(guard_add(g, "log", (const char *const[]){"x", NULL}, NULL), -EPIPE);
	guard_stop(g);
	snprintf(want, sizeof(want), "\n%s\n", word);
	assert_string_equal(rig_log(), want);
	unlink(rig_path("log"));
	rig_write_journal("+ 1 log %01%20%25%0a%7f%ff\n");
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 1);
	assert_string_equal(rig_log(), "\x01 %\n\x7f\xff\n");
}

static void what_does_not_fit_is_refused(void **state)
{
	static char big[GUARD_ENTRY_MAX + 1];
	static const char *const nine[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", NULL};
	static const char *const large[] = {big, NULL};
	static const struct {
		const char *kind, *const *words;
		int r;
		const char *says;
	} rows[] = {
		{"log", nine, -E2BIG, "its words are too long or too many"},
		{"log", large, -E2BIG, "its words are too long or too many"},
		{"log", &nine[9], -EINVAL, "there is no such kind of undo, or it lacks words"},
		{"needs", &nine[8], -EINVAL, "there is no such kind of undo, or it lacks words"},
		{"nothing", nine + 8, -EINVAL, "there is no such kind of undo, or it lacks words"},
		{"log", nine + 1, 1, NULL},
	};
	struct guard *g;
	struct err e;
	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(guard_add(g, rows[i].kind, rows[i].words, &e), rows[i].r);
		if (rows[i].says)
			assert_non_null(strstr(e.text, rows[i].says));
	}
	guard_stop(g);
	assert_string_equal(rig_log(), "2\n");
}

static void entries_have_a_limit(void **state)
{
	struct guard *g;
	int id = 0;
	(void)state;
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	for (int i = 0; i < GUARD_ENTRIES_MAX; i++)
		id = rig_add(g, "log", "x");
	assert_int_equal(guard_add(g, "log", (const char *const[]){"y", NULL}, NULL), -ENOSPC);
	guard_drop(g, id);
	id = rig_add(g, "log", "z");
	assert_true(id > GUARD_ENTRIES_MAX);
	assert_int_equal(guard_undo(g, id), 0);
	assert_string_equal(rig_log(), "z\n");
	guard_stop(g);
	assert_int_equal(rig_journals(), 0);
}

static off_t journal_size(void)
{
	struct stat st;
	return stat(rig_journal(), &st) == 0 ? st.st_size : -1;
}

static void a_long_run_does_not_fill_the_disk(void **state)
{
	static char word[2000];
	struct guard *g;
	off_t largest = 0;
	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	rig_add(g, "log", "kept");
	for (int i = 0; i < 2000; i++) {
		guard_drop(g, rig_add(g, "log", word));
		off_t size = journal_size();
		assert_true(size > 0);
		largest = size > largest ? size : largest;
	}
	assert_true(largest < (1 << 20) + 2 * GUARD_ENTRY_MAX);
	rig_kill(guard_pid(g)); /* what is on disk now is what counts */
	struct buf b CLEANUP(buf_fini) = {0};
	assert_int_equal(file_read(rig_journal(), GUARD_JOURNAL_MAX, &b, NULL), 0);
	assert_true(span_find(buf_span(&b), SPAN_LIT("+ 1 log kept\n")) > 0);
	guard_stop(g);
	assert_string_equal(rig_log(), "kept\n");
	assert_int_equal(rig_journals(), 0);
}

/* A full disk, played by the limit of a process on the size of its files; the guard inherits it. */
static void on_a_full_disk_nothing_is_changed(void **state)
{
	struct rlimit old, small;
	struct guard *g;
	struct err e;
	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 64;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int r = guard_start(rig_kinds, &g, &e);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, handler);
	assert_int_equal(r, 0);
	int first = rig_add(g, "log", "0123456789");
	assert_int_equal(guard_add(g, "log", (const char *const[]){"abcdefghijklmnopqrstuvwxyz", NULL}, &e), -ENOSPC);
	assert_string_equal(e.text, "nothing was changed, for the undo 'log' could not be noted: No space left on device");
	assert_int_equal(journal_size(), strlen("wsquall-undo 1\n" "+ 1 log 0123456789\n")); /* nothing of a line is left */
	assert_int_equal(guard_add(g, "log", (const char *const[]){"short", NULL}, &e), first + 2);
	guard_stop(g);
	assert_string_equal(rig_log(), "short\n0123456789\n");
	assert_int_equal(rig_journals(), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(both_killed_the_doctor_undoes),
		TEST(doctors_at_once_undo_each_thing_once),
		TEST(damaged_lines_are_told_and_passed_over),
		TEST(an_unknown_kind_is_kept),
		TEST(a_whole_line_too_long_is_damaged),
		TEST(after_a_restart_of_the_machine_only_files_are_left),
		TEST(words_are_any_octets),
		TEST(what_does_not_fit_is_refused),
		TEST(entries_have_a_limit),
		TEST(a_long_run_does_not_fill_the_disk),
		TEST(on_a_full_disk_nothing_is_changed),
	};
	return cmocka_run_group_tests_name("guard_journal", tests, NULL, NULL);
}
