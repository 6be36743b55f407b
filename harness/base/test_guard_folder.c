/* Where the guard's journals lie may be open to all: what is not ours alone is refused, and nothing is followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/test_guard.h"

static int start(struct err *e)
{
	struct guard *g;
	int r = guard_start(rig_kinds, &g, e);
	if (r == 0)
		guard_stop(g);
	return r;
}

static void a_folder_that_is_not_ours_alone_is_refused(void **state)
{
	struct err e;
	char text[ERR_TEXT_MAX];
	(void)state;
	assert_int_equal(mkdir(rig_path("real"), 0700), 0);
	assert_int_equal(symlink(rig_path("real"), rig_folder()), 0);
	int r = start(&e);
	assert_true(r == -ELOOP || r == -ENOTDIR);
	assert_int_equal(setenv("WSQUALL_RUN_DIR", rig_path("journals/"), 1), 0);
	r = start(&e);
	assert_true(r == -ELOOP || r == -ENOTDIR);
	assert_true(rig_leftovers(true, text, sizeof(text)) < 0);
	assert_int_equal(unlink(rig_folder()), 0);
	assert_int_equal(setenv("WSQUALL_RUN_DIR", rig_folder(), 1), 0);

	assert_int_equal(file_write_atomic(rig_folder(), SPAN_LIT("x"), NULL), 0);
	assert_int_equal(start(&e), -ENOTDIR);
	assert_int_equal(unlink(rig_folder()), 0);

	assert_int_equal(mkdir(rig_folder(), 0700), 0);
	assert_int_equal(chmod(rig_folder(), 0770), 0);
	assert_int_equal(start(&e), -EPERM);
	assert_non_null(strstr(e.text, "journals: the folder for undo journals must be ours, with nothing allowed to others"));
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), -EPERM);
	assert_int_equal(chmod(rig_folder(), 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(rig_folder(), 65534, 65534), 0);
		assert_int_equal(start(&e), -EPERM);
		assert_int_equal(chown(rig_folder(), 0, 0), 0);
	}
	assert_int_equal(start(&e), 0);
	assert_int_equal(setenv("WSQUALL_RUN_DIR", rig_path("none/deeper"), 1), 0);
	assert_int_equal(start(&e), -ENOENT);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 0);
}

static void a_journal_that_is_no_file_of_ours_is_not_read(void **state)
{
	char text[2048];
	(void)state;
	rig_write_journal("+ 1 log good\n");
	assert_int_equal(file_write_atomic(rig_path("elsewhere"), SPAN_LIT("wsquall-undo 1\n+ 1 log evil\n"), NULL), 0);
	assert_int_equal(symlink(rig_path("elsewhere"), rig_path("journals/2-2-link.undo")), 0);
	assert_int_equal(mkfifo(rig_path("journals/3-3-fifo.undo"), 0600), 0);
	assert_int_equal(mkdir(rig_path("journals/4-4-folder.undo"), 0700), 0);
	assert_int_equal(file_write_atomic(rig_path("journals/notes.txt"), SPAN_LIT("+ 1 log evil\n"), NULL), 0);
	assert_int_equal(rig_leftovers(true, text, sizeof(text)), 4);
	assert_non_null(strstr(text, "undone logs good\n"));
	const char *refused = "failed a journal that is not used, for it is not a file of ours\n", *at = text;
	for (int i = 0; i < 3; i++) {
		at = strstr(at, refused);
		assert_non_null(at);
		at += strlen(refused);
	}
	assert_int_equal(rig_journals(), 4); /* what is not ours stays */
	assert_string_equal(rig_log(), "good\n");
}

static void without_a_folder_told_it_is_under_tmp(void **state)
{
	struct stat st;
	char path[128];
	uid_t user = 1000000 + (uid_t)getpid(); /* nobody's, and of no other run of this test */
	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "/tmp/wsquall-%u", (unsigned)user);
	/* As an ordinary user, who has no runtime folder. */
	pid_t pid = fork();
	if (pid == 0) {
		struct guard *g;
		unsetenv("WSQUALL_RUN_DIR");
		unsetenv("XDG_RUNTIME_DIR");
		if (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
			_exit(1);
		if (guard_start(rig_kinds, &g, NULL) < 0)
			_exit(2);
		rig->r[0] = stat(path, &st) == 0 ? (int)(st.st_mode & 0777) : -1;
		guard_stop(g);
		_exit(0);
	}
	int status;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(rig->r[0], 0700);
	assert_int_equal(rmdir(path), 0); /* empty: the journal is gone */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_folder_that_is_not_ours_alone_is_refused),
		TEST(a_journal_that_is_no_file_of_ours_is_not_read),
		TEST(without_a_folder_told_it_is_under_tmp),
	};
	return cmocka_run_group_tests_name("guard_folder", tests, NULL, NULL);
}
