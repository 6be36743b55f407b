/* Files: replaced as a whole or not at all, nothing left behind, read within a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/file.h"

static char folder[256];

static int make_folder(void **state)
{
	(void)state;
	const char *base = getenv("TMPDIR");
	snprintf(folder, sizeof(folder), "%s/test-file-XXXXXX", base ? base : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static size_t count_entries(void)
{
	DIR *d = opendir(folder);
	size_t n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static const char *in_folder(const char *name)
{
	static char path[600];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int remove_folder(void **state)
{
	(void)state;
	static const char *const names[] = {"report", "link", "fifo", "sub", "big"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (unlink(in_folder(names[i])) < 0)
			rmdir(in_folder(names[i]));
	return rmdir(folder);
}

static void assert_content(const char *path, struct span want)
{
	struct buf b CLEANUP(buf_fini) = {0};
	assert_int_equal(file_read(path, 1 << 20, &b, NULL), 0);
	assert_true(span_eq(buf_span(&b), want));
}

static void content_is_written_and_replaced(void **state)
{
	(void)state;
	struct stat st;
	mode_t mask = umask(027);
	assert_int_equal(file_write_atomic(in_folder("report"), SPAN_LIT("first\0one"), NULL), 0);
	umask(mask);
	assert_content(in_folder("report"), SPAN_LIT("first\0one"));
	assert_int_equal(stat(in_folder("report"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	int old = open(in_folder("report"), O_RDONLY); /* who has the old file open keeps it whole */
	assert_int_equal(file_write_atomic(in_folder("report"), SPAN_LIT(""), NULL), 0);
	char text[9];
	assert_int_equal(read(old, text, sizeof(text)), 9);
	close(old);
	assert_content(in_folder("report"), SPAN_LIT(""));
	assert_int_equal(count_entries(), 1);
}

static void a_path_without_folder_is_in_this_one(void **state)
{
	(void)state;
	int here CLEANUP(cleanup_fd) = open(".", O_RDONLY | O_DIRECTORY);
	assert_int_equal(chdir(folder), 0);
	int r = file_write_atomic("report", SPAN_LIT("here"), NULL);
	assert_int_equal(fchdir(here), 0);
	assert_int_equal(r, 0);
	assert_content(in_folder("report"), SPAN_LIT("here"));
}

static void a_failure_changes_nothing(void **state)
{
	(void)state;
	struct err e;
	char want[700];
	assert_int_equal(file_write_atomic(in_folder("report"), SPAN_LIT("old"), NULL), 0);
	size_t before = count_entries();
	assert_int_equal(mkdir(in_folder("sub"), 0777), 0);
	assert_int_equal(file_write_atomic(in_folder("sub"), SPAN_LIT("x"), &e), -EINVAL);
	snprintf(want, sizeof(want), "%s: cannot be replaced: it is not a regular file", in_folder("sub"));
	assert_string_equal(e.text, want);
	assert_int_equal(mkfifo(in_folder("fifo"), 0666), 0);
	assert_int_equal(file_write_atomic(in_folder("fifo"), SPAN_LIT("x"), &e), -EINVAL);
	assert_int_equal(file_write_atomic(in_folder("none/report"), SPAN_LIT("x"), &e), -ENOENT);
	snprintf(want, sizeof(want), "%s: cannot be written: No such file or directory", in_folder("none/report"));
	assert_string_equal(e.text, want);
	assert_int_equal(count_entries(), before + 2);
	assert_content(in_folder("report"), SPAN_LIT("old"));
}

/* A full disk, played by the limit of a process on the size of its files. */
static void a_write_that_fails_half_way_leaves_nothing(void **state)
{
	(void)state;
	struct rlimit old, small;
	struct err e;
	assert_int_equal(file_write_atomic(in_folder("report"), SPAN_LIT("whole"), NULL), 0);
	size_t before = count_entries();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 10;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int r = file_write_atomic(in_folder("report"), SPAN_LIT("more than ten octets"), &e);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, handler);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(e.text, "report: cannot be written: File too large"));
	assert_int_equal(count_entries(), before);
	assert_content(in_folder("report"), SPAN_LIT("whole"));
}

static void a_link_is_replaced_not_followed(void **state)
{
	(void)state;
	struct stat st;
	char target[600];
	snprintf(target, sizeof(target), "%s", in_folder("report"));
	assert_int_equal(file_write_atomic(target, SPAN_LIT("kept"), NULL), 0);
	assert_int_equal(symlink(target, in_folder("link")), 0);
	assert_int_equal(file_write_atomic(in_folder("link"), SPAN_LIT("new"), NULL), 0);
	assert_int_equal(lstat(in_folder("link"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_content(target, SPAN_LIT("kept"));
}

static void reading_is_limited(void **state)
{
	(void)state;
	static uint8_t big[200000];
	struct buf b CLEANUP(buf_fini) = {0};
	struct err e;
	memset(big, 'x', sizeof(big));
	assert_int_equal(file_write_atomic(in_folder("big"), span_of(big, sizeof(big)), NULL), 0);
	assert_int_equal(file_read(in_folder("big"), sizeof(big) - 1, &b, &e), -EFBIG);
	assert_non_null(strstr(e.text, "big: cannot be read: it has more than 199999 octets"));
	assert_null(b.p);
	assert_int_equal(file_read("/dev/zero", 100000, &b, &e), -EFBIG);
	assert_int_equal(file_read(in_folder("big"), sizeof(big), &b, &e), 0);
	assert_int_equal(b.len, sizeof(big));
}

static void what_cannot_be_read_says_so(void **state)
{
	(void)state;
	struct buf b = {0};
	struct err e;
	assert_int_equal(file_read(in_folder("nothing"), 10, &b, &e), -ENOENT);
	assert_non_null(strstr(e.text, "nothing: cannot be read: No such file or directory"));
	assert_int_equal(file_read(folder, 10, &b, &e), -EISDIR);
	assert_int_equal(file_read(in_folder("fifo"), 10, &b, &e), 0); /* nobody writes: empty, and no waiting */
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_is_written_and_replaced),
		cmocka_unit_test(a_path_without_folder_is_in_this_one),
		cmocka_unit_test(a_write_that_fails_half_way_leaves_nothing),
		cmocka_unit_test(a_failure_changes_nothing),
		cmocka_unit_test(a_link_is_replaced_not_followed),
		cmocka_unit_test(reading_is_limited),
		cmocka_unit_test(what_cannot_be_read_says_so),
	};
	return cmocka_run_group_tests_name("file", tests, make_folder, remove_folder);
}
