/* Runs that can be killed, and undos that are seen. */
#include "harness/base/test_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/file.h"

struct rig_shared *rig;
static char base[128];

const char *rig_path(const char *name)
{
	static char paths[8][256];
	static size_t turn;
	char *path = paths[turn++ % ARRAY_LEN(paths)];
	snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

const char *rig_folder(void)
{
	return rig_path("journals");
}

static int undo_log(char *const *words)
{
	char line[512];
	int fd CLEANUP(cleanup_fd) = open(rig_path("log"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	int n = snprintf(line, sizeof(line), "%s\n", words[0]);
	return write(fd, line, (size_t)n) == n ? 0 : -EIO;
}

static void describe_log(char *const *words, struct buf *b)
{
	buf_printf(b, "logs %s", words[0]);
}

static int undo_needs(char *const *words)
{
	return access(words[0], F_OK) == 0 ? undo_log(&words[1]) : -EBUSY;
}

static void describe_needs(char *const *words, struct buf *b)
{
	buf_printf(b, "logs %s once it can", words[1]);
}

static int undo_dies(char *const *words)
{
	if (getpid() == rig->run)
		raise(SIGKILL);
	return undo_log(words);
}

static const struct guard_kind kind_log = {.name = "log", .words = 1, .undo = undo_log, .describe = describe_log};
static const struct guard_kind kind_needs = {
	.name = "needs", .words = 2, .undo = undo_needs, .describe = describe_needs};
static const struct guard_kind kind_dies = {.name = "dies", .words = 1, .undo = undo_dies, .describe = describe_log};
static const struct guard_kind kind_lasts = {
	.name = "lasts", .words = 1, .survives_boot = true, .undo = undo_log, .describe = describe_log};

static const struct guard_kind kind_holds = {
	.name = "holds", .words = 2, .claims = 1, .undo = undo_log, .describe = describe_log};

static int undo_once(char *const *words)
{
	return undo_log(words) == 0 ? -EIO : -EPERM;
}

static const struct guard_kind kind_once = {
	.name = "once", .words = 1, .once = true, .undo = undo_once, .describe = describe_log};

const struct guard_kind *const rig_kinds[] = {&kind_log, &kind_needs, &kind_dies, &kind_lasts, &kind_holds, &kind_once,
					      NULL};

int rig_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	(void)state;
	rig = mmap(NULL, sizeof(*rig), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(base, sizeof(base), "%s/test-guard-XXXXXX", tmp ? tmp : "/tmp");
	return rig == MAP_FAILED || !mkdtemp(base) || setenv("WSQUALL_RUN_DIR", rig_folder(), 1) < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

int rig_teardown(void **state)
{
	(void)state;
	munmap(rig, sizeof(*rig));
	return nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

pid_t rig_run(void (*f)(struct guard *g))
{
	int ready[2];
	char octet;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct guard *g;
		struct err e;
		setpgid(0, 0);
		rig->run = getpid();
		if (guard_start(rig_kinds, &g, &e) < 0)
			_exit(9);
		rig->guard = guard_pid(g);
		f(g);
		if (write(ready[1], "", 1) != 1)
			_exit(9);
		for (;;)
			pause();
	}
	close(ready[1]);
	/* None when f ends the process itself. */
	if (read(ready[0], &octet, 1) < 0)
		fail();
	close(ready[0]);
	return pid;
}

void rig_await_end(pid_t pid)
{
	int fd CLEANUP(cleanup_fd) = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (fd >= 0)
		assert_int_equal(poll(&p, 1, RIG_HANG_MS), 1);
	waitpid(pid, NULL, 0);
}

void rig_kill(pid_t pid)
{
	assert(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	rig_await_end(pid);
}

int rig_add(struct guard *g, const char *kind, const char *word)
{
	struct err e;
	int id = guard_add(g, kind, (const char *const[]){word, NULL}, &e);
	if (id <= 0)
		fprintf(stderr, "%s\n", e.text);
	assert(id > 0);
	return id;
}

const char *rig_log(void)
{
	static char text[8192];
	struct buf b CLEANUP(buf_fini) = {0};
	text[0] = 0;
	if (file_read(rig_path("log"), sizeof(text) - 1, &b, NULL) == 0)
		snprintf(text, sizeof(text), "%s", buf_cstr(&b));
	return text;
}

const char *rig_journal(void)
{
	char pid[GUARD_PID_TEXT], started[GUARD_PID_TEXT], name[128];
	guard_pid_words(getpid(), pid, started);
	snprintf(name, sizeof(name), "journals/%s-%s.undo", pid, started);
	return rig_path(name);
}

size_t rig_journals(void)
{
	DIR *d = opendir(rig_folder());
	size_t n = 0;
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return d ? n - 2 : 0;
}

void rig_remove_journals(void)
{
	nftw(rig_folder(), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void rig_write_journal(const char *content)
{
	char name[128], pid[GUARD_PID_TEXT], started[GUARD_PID_TEXT];
	struct buf b CLEANUP(buf_fini) = {0};
	struct guard *g;
	/* Makes the folder. */
	assert_int_equal(guard_start(rig_kinds, &g, NULL), 0);
	guard_stop(g);
	guard_pid_words(getpid(), pid, started);
	snprintf(name, sizeof(name), "journals/1-77%s.undo", strchr(started, '-'));
	buf_init(&b, 1 << 20);
	buf_printf(&b, "wsquall-undo 1\n%s", content);
	assert_int_equal(file_write_atomic(rig_path(name), buf_span(&b), NULL), 0);
}

struct told {
	char *text;
	size_t len;
};

static void on_found(void *owner, const struct guard_leftover *left)
{
	static const char *const names[] = {[GUARD_LEFT_FOUND] = "found", [GUARD_LEFT_UNDONE] = "undone",
					    [GUARD_LEFT_FAILED] = "failed", [GUARD_LEFT_DAMAGED] = "damaged"};
	struct told *told = owner;
	size_t used = strlen(told->text);
	snprintf(told->text + used, told->len - used, "%s %s\n", names[left->state], left->description);
	assert_true(strncmp(left->journal, rig_folder(), strlen(rig_folder())) == 0);
}

int rig_leftovers(bool clean, char *text, size_t len)
{
	struct told told = {text, len};
	struct err e = {0};
	text[0] = 0;
	int r = guard_leftovers(rig_kinds, clean, on_found, &told, &e);
	if (r < 0)
		snprintf(text, len, "%s", e.text);
	return r;
}
