/*
 * hook and rolling_restart run what only the owner of a deployment can do. Also the guard must: therefore once on the
 * loop and once without.
 */
#include "faults/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/launch.h"
#include "faults/undo.h"
#include "harness/base/clock.h"
#include "harness/base/proc.h"

/* gate: nothing is run before an octet comes from it; its end without one says that nothing will be. */
static void become(const struct command_spec *spec, char **environment, int output, int gate)
{
	char go;
	int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
	setpgid(0, 0);
	launch_release();
	if (read(gate, &go, 1) != 1)
		_exit(126);
	dup2(nowhere, 0);
	dup2(output, 1);
	dup2(output, 2);
	if (spec->folder && chdir(spec->folder) < 0)
		_exit(126);
	execle("/bin/sh", "sh", "-c", spec->text, (char *)NULL, environment);
	_exit(127);
}

static char **make_environment(const struct command_spec *spec)
{
	size_t n = 0, added = 0;
	while (environ[n])
		n++;
	while (added < COMMAND_VARIABLES_MAX && spec->variables[added])
		added++;
	char **all = calloc(n + added + 1, sizeof(*all));
	if (!all)
		return NULL;
	memcpy(all, environ, n * sizeof(*all));
	for (size_t i = 0; i < added; i++)
		all[n + i] = (char *)(uintptr_t)spec->variables[i];
	return all;
}

/* A process that waits at its gate. */
struct begun {
	pid_t pid;
	int output, gate;          /* to read from; to write to */
};

/* 0; nothing is left open on failure. */
static int begin(const struct command_spec *spec, struct begun *ret_begun)
{
	int out[2], gate[2] = {-1, -1};
	char **environment CLEANUP(cleanup_free) = make_environment(spec);
	if (!environment)
		return -ENOMEM;
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	int r = pipe2(gate, O_CLOEXEC) < 0 ? -errno : 0;
	pid_t pid = r == 0 ? fork() : -1;
	if (pid == 0) {
		close(gate[1]);
		become(spec, environment, out[1], gate[0]);
	}
	r = r == 0 && pid < 0 ? -errno : r;
	close(out[1]);
	cleanup_fd(&gate[0]);
	if (r < 0) {
		close(out[0]);
		cleanup_fd(&gate[1]);
		return r;
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	setpgid(pid, pid); /* whoever is first */
	*ret_begun = (struct begun){pid, out[0], gate[1]};
	return 0;
}

static void let_go(struct begun *b)
{
	if (write(b->gate, "", 1) < 0)
		(void)b; /* it is gone, which is seen */
	cleanup_fd(&b->gate);
}

/* False at the end of what it says. */
static bool take_output(int fd, struct command_result *to)
{
	char text[COMMAND_OUTPUT_MAX];
	for (;;) {
		ssize_t n = read(fd, text, sizeof(text));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		size_t room = COMMAND_OUTPUT_MAX - to->len, some = (size_t)n < room ? (size_t)n : room;
		memcpy(to->output + to->len, text, some);
		to->len += some;
		to->output[to->len] = 0;
		to->cut |= some < (size_t)n;
	}
}

static bool reap(pid_t pid, int options, struct command_result *to)
{
	int status;
	pid_t got;
	do
		got = waitpid(pid, &status, options);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return false;
	to->status = got < 0 ? 127 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

/* --- on the loop --- */

static void forget(struct command_run *c)
{
	c->pid = 0;
	if (c->undo > 0)
		guard_drop(c->guard, c->undo);
	c->undo = 0;
}

static void finish(struct command_run *c)
{
	watch_stop(&c->end);
	if (c->output.handle)
		take_output(c->output.fd, &c->result);
	watch_stop(&c->output);
	timer_fini(&c->timer);
	forget(c);
	c->on_done(c->owner, &c->result);
}

static void on_end(void *owner)
{
	struct command_run *c = owner;
	if (reap(c->pid, WNOHANG, &c->result))
		finish(c);
}

static void on_output(void *owner)
{
	struct command_run *c = owner;
	if (!take_output(c->output.fd, &c->result))
		watch_stop(&c->output);
}

static void on_late(void *owner)
{
	struct command_run *c = owner;
	kill(-c->pid, c->result.late ? SIGKILL : SIGTERM);
	c->result.late = true;
	timer_start(&c->timer, c->loop, COMMAND_KILL_MS, on_late, c);
}

static int promise(struct command_run *c, struct guard *g, struct err *e)
{
	char pid[PROC_WORD_MAX], started[PROC_WORD_MAX];
	struct proc_id id;
	if (!g)
		return 0;
	int r = proc_identify(c->pid, &id);
	if (r < 0)
		return err_set(e, -r, "a command that was started cannot be seen: %s", strerror(-r));
	proc_words(id, pid, started);
	c->guard = g;
	c->undo = guard_add(g, "command", (const char *const[]){pid, started, NULL}, e);
	return c->undo < 0 ? c->undo : 0;
}

static int watch(struct command_run *c, int output, uint64_t timeout_ms, struct err *e)
{
	int end = (int)syscall(SYS_pidfd_open, c->pid, 0);
	int r = end < 0 ? -errno : watch_start(&c->end, c->loop, end, false, on_end, c);
	if (r == 0)
		r = watch_start(&c->output, c->loop, TAKE_FD(output), false, on_output, c);
	if (r == 0)
		r = timer_start(&c->timer, c->loop, timeout_ms, on_late, c);
	cleanup_fd(&output);
	return r < 0 ? err_set(e, -r, "a command that was started cannot be watched: %s", strerror(-r)) : 0;
}

int command_start(struct command_run *c, struct loop *l, struct guard *g, const struct command_spec *spec,
		  void (*on_done)(void *owner, const struct command_result *result), void *owner, struct err *e)
{
	struct begun begun = {.output = -1, .gate = -1};
	command_stop(c);
	*c = (struct command_run){.loop = l, .on_done = on_done, .owner = owner};
	int r = begin(spec, &begun);
	if (r < 0)
		return err_set(e, -r, "no process for a command: %s", strerror(-r));
	c->pid = begun.pid;
	r = watch(c, begun.output, spec->timeout_ms, e);
	if (r == 0)
		r = promise(c, g, e);
	if (r == 0)
		let_go(&begun);
	cleanup_fd(&begun.gate);
	if (r < 0)
		command_stop(c);
	return r;
}

void command_stop(struct command_run *c)
{
	watch_stop(&c->end);
	watch_stop(&c->output);
	timer_fini(&c->timer);
	if (c->pid > 0) {
		kill(-c->pid, SIGKILL);
		reap(c->pid, 0, &c->result);
	}
	forget(c);
}

/* While it leads its group, its number is the group's. */
static int undo_run(char *const *words)
{
	struct proc_id id;
	int r = proc_from_words(words[0], words[1], &id);
	int fd CLEANUP(cleanup_fd) = r == 0 ? proc_open(id) : -1;
	struct pollfd end = {.fd = fd, .events = POLLIN};
	if (fd < 0)
		return r;
	if (kill(-id.pid, SIGKILL) < 0 && errno != ESRCH)
		return -errno;
	return poll(&end, 1, COMMAND_KILL_MS) == 1 ? 0 : -EBUSY;
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "kills the command of a hook that still runs, process %s and its group", words[0]);
}

const struct guard_kind undo_command = {.name = "command", .words = 2, .undo = undo_run, .describe = undo_describe};

/* --- at once --- */

static int wait_ms(uint64_t until_us)
{
	uint64_t now_us = clock_now_us();
	return now_us >= until_us ? 0 : (int)((until_us - now_us) / 1000 + 1);
}

int command_finish(const struct command_spec *spec, struct command_result *ret_result)
{
	struct begun begun = {.output = -1, .gate = -1};
	*ret_result = (struct command_result){.len = 0};
	int r = begin(spec, &begun);
	if (r < 0)
		return r;
	let_go(&begun);
	pid_t pid = begun.pid;
	int end CLEANUP(cleanup_fd) = (int)syscall(SYS_pidfd_open, pid, 0), out CLEANUP(cleanup_fd) = begun.output;
	struct pollfd fds[] = {{.fd = end, .events = POLLIN}, {.fd = out, .events = POLLIN}};
	uint64_t until_us = clock_now_us() + spec->timeout_ms * 1000;
	while (!reap(pid, WNOHANG, ret_result)) {
		int n = poll(fds, ARRAY_LEN(fds), wait_ms(until_us));
		if (fds[1].fd >= 0 && n > 0 && fds[1].revents && !take_output(out, ret_result))
			fds[1].fd = -1;
		if (n != 0)
			continue;
		kill(-pid, ret_result->late ? SIGKILL : SIGTERM);
		ret_result->late = true;
		until_us = clock_now_us() + COMMAND_KILL_MS * 1000;
	}
	take_output(out, ret_result);
	return ret_result->late ? -ETIMEDOUT : ret_result->status ? -ECHILD : 0;
}
