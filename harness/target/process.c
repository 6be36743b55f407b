/* One child, started and stopped in a straight line; nothing here runs on the loop. */
#include "harness/target/process.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/clock.h"

static void become(struct process *p, const char *port, int out, pid_t parent)
{
	const char *argv[ARRAY_LEN(p->args) + 4] = {p->path};
	size_t n = 1;
	for (size_t i = 0; p->args[i]; i++)
		argv[n++] = p->args[i];
	argv[n++] = "--port";
	argv[n++] = port;
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	dup2(out, STDOUT_FILENO);
	execvp(p->path, (char *const *)argv);
	_exit(127);
}

/* The port of a ready line, 0 for any other line. */
static uint16_t ready_port(const char *line)
{
	json_t *event = json_loads(line, 0, NULL);
	const char *name = json_string_value(json_object_get(event, "event"));
	json_int_t port = name && strcmp(name, "server.ready") == 0 ? json_integer_value(json_object_get(event, "port")) : 0;
	json_decref(event);
	return port > 0 && port < 65536 ? (uint16_t)port : 0;
}

/* Looks at each whole line of the log from *at on. */
static bool find_ready(struct process *p, off_t *at)
{
	char text[PROCESS_LINE_MAX + 1];
	ssize_t got = pread(p->out, text, PROCESS_LINE_MAX, *at);
	if (got <= 0)
		return false;
	text[got] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		*at += end + 1 - line;
		p->port = ready_port(line);
		if (p->port)
			return true;
	}
	return false;
}

static int await_ready(struct process *p, struct err *e)
{
	off_t at = 0;
	for (uint64_t until = clock_now_us() + PROCESS_READY_MS * 1000ull; clock_now_us() < until;) {
		bool ended = process_ended(p);
		if (find_ready(p, &at))
			return 0;
		if (ended)
			return err_set(e, ECHILD, "%s ended before it was ready", p->path);
		poll(NULL, 0, 1);
	}
	return err_set(e, ETIMEDOUT, "%s did not say that it is ready within %d s", p->path, PROCESS_READY_MS / 1000);
}

int process_start(struct process *p, const char *path, const char *const *args, uint16_t port, struct err *e)
{
	char port_text[16];
	*p = (struct process){.out = -1};
	snprintf(p->path, sizeof(p->path), "%s", path);
	for (size_t i = 0; args && args[i] && i < ARRAY_LEN(p->args) - 1; i++)
		p->args[i] = args[i];
	snprintf(port_text, sizeof(port_text), "%u", port);
	p->out = memfd_create("wsquall-server-log", MFD_CLOEXEC);
	if (p->out < 0)
		return err_set(e, errno, "no log for %s: %s", path, strerror(errno));
	fcntl(p->out, F_SETFL, O_APPEND);
	pid_t parent = getpid();
	p->pid = fork();
	if (p->pid < 0) {
		int r = errno;
		p->pid = 0;
		cleanup_fd(&p->out);
		return err_set(e, r, "%s could not be started: %s", path, strerror(r));
	}
	if (p->pid == 0)
		become(p, port_text, p->out, parent);
	int r = await_ready(p, e);
	if (r < 0)
		process_stop(p);
	return r;
}

bool process_ended(struct process *p)
{
	if (p->pid && waitpid(p->pid, NULL, WNOHANG) == p->pid)
		p->pid = 0;
	return p->pid == 0;
}

void process_stop(struct process *p)
{
	if (!p->path[0]) /* zeroed: its descriptor is not ours */
		return;
	if (p->pid) {
		kill(p->pid, SIGTERM);
		kill(p->pid, SIGTERM);
		uint64_t until = clock_now_us() + PROCESS_STOP_MS * 1000ull;
		while (!process_ended(p) && clock_now_us() < until)
			poll(NULL, 0, 5);
	}
	if (p->pid) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		p->pid = 0;
	}
	cleanup_fd(&p->out);
}

void process_beside_us(const char *name, char *ret_path, size_t len)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	snprintf(ret_path, len, "%s", name);
	if (n <= 0)
		return;
	self[n] = 0;
	char *slash = strrchr(self, '/');
	if (!slash)
		return;
	char path[1024];
	snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - self), self, name);
	if (access(path, X_OK) == 0)
		snprintf(ret_path, len, "%s", path);
}
