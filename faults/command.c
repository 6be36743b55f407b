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
#include "harness/base/clock.h"

static void become(const struct command_spec *spec, char **environment, int output)
{
	int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
	setpgid(0, 0);
	launch_release();
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

/* Returns the process; ret_output is the end to read from. */
static pid_t begin(const struct command_spec *spec, int *ret_output)
{
	int ends[2];
	char **environment CLEANUP(cleanup_free) = make_environment(spec);
	if (!environment)
		return -ENOMEM;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	fcntl(ends[1], F_SETFL, 0);
	pid_t pid = fork();
	if (pid == 0)
		become(spec, environment, ends[1]);
	int r = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -r;
	}
	setpgid(pid, pid); /* whoever is first */
	*ret_output = ends[0];
	return pid;
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

static void finish(struct command_run *c)
{
	watch_stop(&c->end);
	if (c->output.handle)
		take_output(c->output.fd, &c->result);
	watch_stop(&c->output);
	timer_fini(&c->timer);
	c->pid = 0;
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

int command_start(struct command_run *c, struct loop *l, const struct command_spec *spec,
		  void (*on_done)(void *owner, const struct command_result *result), void *owner, struct err *e)
{
	int output = -1, r;
	command_stop(c);
	*c = (struct command_run){.loop = l, .on_done = on_done, .owner = owner};
	c->pid = begin(spec, &output);
	if (c->pid < 0) {
		r = c->pid;
		c->pid = 0;
		return err_set(e, -r, "'%.200s' cannot be started: %s", spec->text, strerror(-r));
	}
	int end = (int)syscall(SYS_pidfd_open, c->pid, 0);
	r = end < 0 ? -errno : watch_start(&c->end, l, end, false, on_end, c);
	if (r == 0)
		r = watch_start(&c->output, l, TAKE_FD(output), false, on_output, c);
	if (r == 0)
		r = timer_start(&c->timer, l, spec->timeout_ms, on_late, c);
	cleanup_fd(&output);
	if (r == 0)
		return 0;
	command_stop(c);
	return err_set(e, -r, "'%.200s' cannot be watched: %s", spec->text, strerror(-r));
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
	c->pid = 0;
}

/* --- at once --- */

static int wait_ms(uint64_t until_us)
{
	uint64_t now_us = clock_now_us();
	return now_us >= until_us ? 0 : (int)((until_us - now_us) / 1000 + 1);
}

int command_finish(const struct command_spec *spec, struct command_result *ret_result)
{
	int output = -1;
	*ret_result = (struct command_result){.len = 0};
	pid_t pid = begin(spec, &output);
	if (pid < 0)
		return pid;
	int end CLEANUP(cleanup_fd) = (int)syscall(SYS_pidfd_open, pid, 0), out CLEANUP(cleanup_fd) = output;
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
