/*
 * kill, terminate and rolling_restart start again what they ended. fork and exec by hand: uv_spawn's children belong to
 * its loop, and the guard, which may have to do the same, has none.
 */
#include "faults/launch.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/undo.h"
#include "harness/net/loop.h"

const char *launch_faketime(void)
{
	static const char *const places[] = {
		"/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
		"/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
		"/usr/lib64/faketime/libfaketimeMT.so.1",
		"/usr/lib/faketime/libfaketimeMT.so.1",
		"/usr/local/lib/faketime/libfaketimeMT.so.1",
	};
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

static char *argv_text(const struct launch *l)
{
	json_t *list = json_array();
	for (size_t i = 0; l->argv[i]; i++)
		json_array_append_new(list, json_string(l->argv[i]));
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

int launch_check(const struct launch *l, struct err *e)
{
	size_t n = 0;
	while (l->argv[n])
		n++;
	char *text CLEANUP(cleanup_free) = argv_text(l);
	if (n == 0 || n > LAUNCH_ARGS_MAX || !text || strlen(text) >= LAUNCH_ARGV_MAX)
		return err_set(e, E2BIG, "%s: `start` must be a command of 1 to %d words in UTF-8, %d octets in all", l->name,
			       LAUNCH_ARGS_MAX, LAUNCH_ARGV_MAX);
	if (l->clock && !launch_faketime())
		return err_set(e, ENOTSUP, "%s: `clock` needs libfaketime (Debian: apt-get install libfaketime)", l->name);
	return 0;
}

/* --- in the child, between fork and exec: only what is safe there --- */

struct prepared {
	const struct launch *l;
	const char *faketime;
	char pidfile_new[PATH_MAX], preload[PATH_MAX], stamp[PATH_MAX];
	int log, nowhere, report;
	char **environment;
};

static void child_fail(const struct prepared *p)
{
	int code = errno;
	if (write(p->report, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

static void child_pidfile(const struct prepared *p)
{
	char text[16];
	size_t at = sizeof(text);
	text[--at] = '\n';
	for (pid_t pid = getpid(); pid > 0; pid /= 10)
		text[--at] = (char)('0' + pid % 10);
	int fd = open(p->pidfile_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, text + at, sizeof(text) - at) < 0 || rename(p->pidfile_new, p->l->pidfile) < 0)
		child_fail(p);
}

void launch_release(void)
{
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	guard_release();
	loop_release();
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void child_become(const struct prepared *p)
{
	setsid();
	launch_release();
	if (dup2(p->nowhere, 0) < 0 || dup2(p->log, 1) < 0 || dup2(p->log, 2) < 0)
		child_fail(p);
	if (p->l->pidfile)
		child_pidfile(p);
	if (p->l->folder && chdir(p->l->folder) < 0)
		child_fail(p);
	execvpe(p->l->argv[0], (char *const *)p->l->argv, p->environment);
	child_fail(p);
}

/* --- in the parent --- */

static int make_stamp(const char *path, struct err *e)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_size == 0 && write(fd, "+0\n", 3) != 3))
		return err_set(e, errno ? errno : EIO, "%s cannot be written: %s", path, strerror(errno));
	return 0;
}

/*
 * Ours, and with a clock what libfaketime wants: read the file at each look at the clock, leave the monotonic
 * one alone.
 */
static int prepare_environment(struct prepared *p, struct err *e)
{
	static char settings[][32] = {"FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"};
	size_t n = 0, at = 0;
	while (environ[n])
		n++;
	p->environment = calloc(n + ARRAY_LEN(settings) + 3, sizeof(char *));
	if (!p->environment)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (!p->l->clock || (strncmp(environ[i], "LD_PRELOAD=", 11) != 0 && strncmp(environ[i], "FAKETIME", 8) != 0))
			p->environment[at++] = environ[i];
	if (!p->l->clock)
		return 0;
	snprintf(p->preload, sizeof(p->preload), "LD_PRELOAD=%s", launch_faketime());
	snprintf(p->stamp, sizeof(p->stamp), "FAKETIME_TIMESTAMP_FILE=%s", p->l->clock);
	p->environment[at++] = p->preload;
	p->environment[at++] = p->stamp;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		p->environment[at++] = settings[i];
	return make_stamp(p->l->clock, e);
}

static int prepare(struct prepared *p, struct err *e)
{
	const struct launch *l = p->l;
	p->nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	p->log = open(l->log ? l->log : "/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (p->log < 0 || p->nowhere < 0)
		return err_set(e, errno, "%s: the log %s cannot be opened: %s", l->name, l->log ? l->log : "/dev/null",
			       strerror(errno));
	if (l->pidfile &&
	    snprintf(p->pidfile_new, sizeof(p->pidfile_new), "%s.new", l->pidfile) >= (int)sizeof(p->pidfile_new))
		return err_set(e, ENAMETOOLONG, "%s: the path of the pidfile is too long", l->name);
	return prepare_environment(p, e);
}

/* The child's end of the pipe closes by its exec, or brings the errno of what failed. */
static int await_exec(const struct launch *l, pid_t pid, int report, struct proc_id *ret_id, struct err *e)
{
	int code = 0;
	ssize_t n;
	do
		n = read(report, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(code)) {
		waitpid(pid, NULL, 0);
		return err_set(e, code, "%s: '%.200s' cannot be started: %s", l->name, l->argv[0], strerror(code));
	}
	/* One that has ended already is a zombie of ours: it has a start time all the same. */
	if (proc_identify(pid, ret_id) < 0) {
		waitpid(pid, NULL, 0);
		return err_set(e, ECHILD, "%s: '%.200s' ended at once; its log: %s", l->name, l->argv[0],
			       l->log ? l->log : "none");
	}
	return 0;
}

int launch_start(const struct launch *l, struct proc_id *ret_id, struct err *e)
{
	int ends[2];
	int r = launch_check(l, e);
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "%s cannot be started: %s", l->name, strerror(errno));
	struct prepared p = {.l = l, .log = -1, .nowhere = -1, .report = ends[1]};
	r = prepare(&p, e);
	pid_t pid = r == 0 ? fork() : 0;
	if (r == 0 && pid == 0)
		child_become(&p);
	if (r == 0 && pid < 0)
		r = err_set(e, errno, "%s cannot be started: %s", l->name, strerror(errno));
	close(ends[1]);
	if (r == 0)
		r = await_exec(l, pid, ends[0], ret_id, e);
	close(ends[0]);
	cleanup_fd(&p.log);
	cleanup_fd(&p.nowhere);
	free(p.environment);
	return r;
}

/* --- the promise --- */

int launch_promise(const struct launch *l, struct guard *g, struct proc_id was, struct err *e)
{
	char pid[PROC_WORD_MAX], started[PROC_WORD_MAX];
	char *argv CLEANUP(cleanup_free) = argv_text(l);
	if (!argv)
		return err_set(e, ENOMEM, "out of memory");
	proc_words(was, pid, started);
	const char *words[] = {pid, started, l->name, argv, l->folder ? l->folder : "", l->log ? l->log : "",
			       l->pidfile ? l->pidfile : "", l->clock ? l->clock : "", NULL};
	return guard_add(g, "restart", words, e);
}

/* It was told to end and may be draining. */
static int await_end(struct proc_id was)
{
	int fd CLEANUP(cleanup_fd) = proc_open(was);
	struct pollfd end = {.fd = fd, .events = POLLIN};
	if (fd < 0)
		return 0;
	if (poll(&end, 1, LAUNCH_UNDO_WAIT_MS) == 1)
		return 0;
	/* With its workers, which would keep its port. */
	struct proc_id tree[PROC_TREE_MAX];
	int n = proc_tree(was, tree, PROC_TREE_MAX);
	for (int i = 0; i < n; i++)
		proc_signal(tree[i], SIGKILL);
	return poll(&end, 1, LAUNCH_UNDO_WAIT_MS) == 1 ? 0 : -EBUSY;
}

static const char *optional(const char *word)
{
	return *word ? word : NULL;
}

static int restart(const struct launch *l, json_t *list)
{
	const char *argv[LAUNCH_ARGS_MAX + 1] = {NULL};
	struct launch now = *l;
	struct proc_id id;
	size_t n = json_array_size(list);
	if (n == 0 || n > LAUNCH_ARGS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!(argv[i] = json_string_value(json_array_get(list, i))))
			return -EINVAL;
	now.argv = argv;
	return launch_start(&now, &id, NULL);
}

static int undo_run(char *const *words)
{
	struct proc_id was, now;
	int r = proc_from_words(words[0], words[1], &was);
	if (r == 0)
		r = await_end(was);
	if (r < 0)
		return r;
	struct launch l = {.name = words[2], .folder = optional(words[4]), .log = optional(words[5]),
			   .pidfile = optional(words[6]), .clock = optional(words[7])};
	if (l.pidfile && proc_from_pidfile(l.pidfile, &now) == 0)
		return 0;
	json_t *list = json_loads(words[3], 0, NULL);
	r = restart(&l, list);
	json_decref(list);
	return r;
}

static void undo_describe(char *const *words, struct buf *b)
{
	/* Not its arguments: one of them may be secret. */
	buf_printf(b, "starts %s again by its start command, which was process %s", words[2], words[0]);
}

const struct guard_kind undo_restart = {
	.name = "restart", .words = 8, .claims = 2, .undo = undo_run, .describe = undo_describe};
