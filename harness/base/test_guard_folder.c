/* Where the guard's journals lie may be open to all: what is not ours alone is refused, and nothing is followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

static uid_t nobodys_uid(void)
{
	return 1000000 + (uid_t)getpid(); /* and of no other run of this test */
}

/* An ordinary user, who has no runtime folder; inside: root of a user namespace of his own. */
static int become(uid_t user, bool inside)
{
	char map[32];
	unsetenv("WSQUALL_RUN_DIR");
	unsetenv("XDG_RUNTIME_DIR");
	if (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
		return -errno;
	prctl(PR_SET_DUMPABLE, 1); /* /proc/self is ours again */
	if (!inside)
		return 0;
	if (unshare(CLONE_NEWUSER) < 0)
		return -ENOSYS;
	int n = snprintf(map, sizeof(map), "0 %u 1", (unsigned)user);
	int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, map, (size_t)n) != n || close(fd) < 0 || geteuid() != 0 ? -EIO : 0;
}

static void without_a_folder_told_it_is_under_tmp(void **state)
{
	struct stat st;
	char path[128];
	uid_t user = nobodys_uid();
	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "/tmp/wsquall-%u", (unsigned)user);
	for (int inside = 0; inside < 2; inside++) {
		pid_t pid = fork();
		if (pid == 0) {
			struct guard *g;
			int r = become(user, inside);
			if (r < 0)
				_exit(r == -ENOSYS ? 77 : 1);
			if (guard_start(rig_kinds, &g, NULL) < 0)
				_exit(2);
			rig->r[inside] = stat(path, &st) == 0 ? (int)(st.st_mode & 0777) : -1;
			guard_stop(g);
			_exit(0);
		}
		int status;
		waitpid(pid, &status, 0);
		if (inside && WEXITSTATUS(status) == 77)
			break; /* no user namespaces here */
		assert_int_equal(status, 0);
		assert_int_equal(rig->r[inside], 0700);
		assert_int_equal(rmdir(path), 0); /* empty: the journal is gone */
	}
}

/* Anybody can make it before us. */
static void a_folder_of_another_is_passed_over(void **state)
{
	char path[128];
	uid_t user = nobodys_uid();
	int status;
	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "/tmp/wsquall-%u", (unsigned)user);
	assert_int_equal(mkdir(path, 0755), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (become(user, false) < 0)
			_exit(1);
		rig->r[0] = guard_leftovers(rig_kinds, true, NULL, NULL, NULL);
		rig->r[1] = start(NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(status, 0);
	assert_int_equal(rig->r[0], 0);
	assert_int_equal(rig->r[1], -EPERM);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_folder_that_is_not_ours_alone_is_refused),
		TEST(a_journal_that_is_no_file_of_ours_is_not_read),
		TEST(without_a_folder_told_it_is_under_tmp),
		TEST(a_folder_of_another_is_passed_over),
	};
	return cmocka_run_group_tests_name("guard_folder", tests, NULL, NULL);
}
