/* What the tests of faults on processes stand on. Everything is stopped by its process, nothing by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/test_process_rig.h"
#include "faults/undo.h"
#include "harness/base/clock.h"

static pid_t supervisors[RIG_NODES_MAX];

const char *rig_path(const struct rig *r, const char *name)
{
	static char paths[4][256];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", r->folder, name);
	return path;
}

static void on_event(void *owner, const struct fault_event *event)
{
	struct rig *r = owner;
	size_t used = strlen(r->log);
	snprintf(r->log + used, sizeof(r->log) - used, "%s%s%s%s%s\n", event->what, event->node ? " " : "",
		 event->node ? event->node : "", event->detail ? " " : "", event->detail ? event->detail : "");
	if (r->on_event)
		r->on_event(r, event);
}

int rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err e = {.text = ""};
	if (!r)
		return -1;
	snprintf(r->folder, sizeof(r->folder), "/tmp/test_process_XXXXXX");
	if (!mkdtemp(r->folder))
		return -1;
	setenv("WSQUALL_RUN_DIR", r->folder, 1);
	int code = guard_start(undo_kinds, &r->guard, &e);
	if (code < 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	loop_init(&r->loop);
	arena_init(&r->arena, 1 << 20);
	r->site = (struct fault_site){.loop = &r->loop, .guard = r->guard, .seed = 7, .on_event = on_event, .owner = r};
	*state = r;
	return 0;
}

void rig_await_end(struct proc_id id)
{
	int fd = proc_open(id);
	if (fd < 0)
		return;
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int n = poll(&end, 1, RIG_HANG_S * 1000);
	close(fd);
	assert_int_equal(n, 1);
}

static void rig_end(struct proc_id id)
{
	proc_signal(id, SIGKILL);
	rig_await_end(id);
}

static void end_tree(struct proc_id root)
{
	struct proc_id tree[64];
	int n = proc_tree(root, tree, ARRAY_LEN(tree));
	for (int i = 0; i < n; i++)
		rig_end(tree[i]);
}

static void remove_folder(const char *folder)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", "--", folder, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int rig_teardown(void **state)
{
	struct rig *r = *state;
	for (size_t i = 0; i < r->n; i++) {
		struct proc_id id;
		if (supervisors[i]) {
			kill(supervisors[i], SIGKILL);
			waitpid(supervisors[i], NULL, 0);
			supervisors[i] = 0;
		}
		if (fault_node_find(r->nodes[i], &id, NULL) == 0)
			end_tree(id);
		fault_node_free(r->nodes[i]);
	}
	guard_stop(r->guard);
	loop_fini(&r->loop);
	arena_fini(&r->arena);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	remove_folder(r->folder);
	free(r);
	return 0;
}

/* --- victims --- */

static const char *victim_path(void)
{
	static char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	assert_true(n > 0);
	path[n] = 0;
	snprintf(strrchr(path, '/'), 32, "/test_victim");
	return path;
}

static uint16_t free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

/* Starts it, writes its number, waits for its end, again and again. */
static void supervise(const char *port, const char *pidfile)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		char new[300];
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			execl(victim_path(), "test_victim", port, (char *)NULL);
			_exit(127);
		}
		snprintf(new, sizeof(new), "%s.new", pidfile);
		FILE *f = fopen(new, "w");
		if (!f || fprintf(f, "%d\n", (int)pid) < 0 || fclose(f) != 0 || rename(new, pidfile) < 0)
			_exit(1);
		waitpid(pid, NULL, 0);
		poll(NULL, 0, 50);
	}
}

static pid_t start_by_hand(const char *port)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(victim_path(), "test_victim", port, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void on_ready(void *owner, int error)
{
	struct rig *r = owner;
	r->done = true;
	r->error = error;
}

size_t rig_add(struct rig *r, enum rig_kept kept)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	char port[8], ready[64], pidfile[128], log[128];
	size_t i = r->n;
	struct err e = {.text = ""};
	assert_true(i < RIG_NODES_MAX);
	r->ports[i] = free_port();
	snprintf(port, sizeof(port), "%u", r->ports[i]);
	snprintf(ready, sizeof(ready), "tcp://127.0.0.1:%s", port);
	snprintf(pidfile, sizeof(pidfile), "%s/%s.pid", r->folder, names[i]);
	snprintf(log, sizeof(log), "%s/%s.log", r->folder, names[i]);
	const char *start[] = {victim_path(), port, kept == RIG_STUBBORN ? "stubborn" : NULL, NULL};
	struct fault_node_config c = {.name = names[i], .pidfile = pidfile, .start = start, .log = log, .ready = ready,
				      .clock = kept == RIG_CLOCK};
	if (kept == RIG_KEPT) {
		c.start = NULL;
		supervisors[i] = fork();
		if (supervisors[i] == 0)
			supervise(port, pidfile);
	} else if (kept == RIG_BY_PID) {
		c.start = NULL;
		c.pidfile = NULL;
		c.pid = start_by_hand(port);
	}
	if (fault_node_new(&r->loop, &c, &r->nodes[i], &e) < 0)
		fail_msg("%s", e.text);
	r->n++;
	r->site.nodes = r->site.backplane = r->nodes;
	int code = kept == RIG_BY_PID ? fault_node_await_ready(r->nodes[i], 0, on_ready, r, &e)
				      : fault_node_start(r->nodes[i], 0, on_ready, r, &e);
	if (code < 0)
		fail_msg("%s", e.text);
	rig_until_done(r);
	if (r->error)
		fail_msg("%s", fault_node_why(r->nodes[i]));
	return i;
}

struct proc_id rig_id(struct rig *r, size_t node)
{
	struct proc_id id = {0};
	struct err e = {.text = ""};
	if (fault_node_find(r->nodes[node], &id, &e) < 0)
		fail_msg("%s", e.text);
	return id;
}

/* --- faults --- */

static void on_done(struct fault_run *run, int error)
{
	on_ready(run->owner, error);
}

/* A list is split at commas, as on the command line. */
static int set_option(struct rig *r, const struct opt *o, void *options, const char *text, struct err *e)
{
	char copy[256], *state = NULL;
	int code = 0;
	if (o->type != OPT_STRINGS)
		return opt_set(o, options, text, &r->arena, e);
	opt_clear(o, options);
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, ",", &state); word && code == 0; word = strtok_r(NULL, ",", &state))
		code = opt_set(o, options, word, &r->arena, e);
	return code;
}

int rig_start(struct rig *r, const char *fault, const char *const *words, uint64_t duration_ms,
	      struct fault_run **ret_run, struct err *e)
{
	const struct fault *f = fault_find(fault);
	assert_non_null(f);
	void *options = arena_alloc(&r->arena, f->options_size);
	enum fault_plane plane = f->process ? FAULT_PROCESS : f->backplane ? FAULT_BACKPLANE : FAULT_HOOK;
	assert_int_equal(opt_defaults(f->options, options, &r->arena), 0);
	for (; *words; words++) {
		char name[64];
		const char *value = strchr(*words, '=');
		snprintf(name, sizeof(name), "%.*s", (int)(value - *words), *words);
		const struct opt *o = opt_find(f->options, name, OPT_IN_FILE);
		assert_non_null(o);
		if (set_option(r, o, options, value + 1, e) < 0)
			return -EINVAL;
	}
	r->done = false;
	int code = fault_start(&r->site, f, plane, NULL, options, duration_ms, ret_run, e);
	if (code == 0) {
		(*ret_run)->owner = r;
		(*ret_run)->on_done = on_done;
	}
	return code;
}

struct fault_run *rig_begin(struct rig *r, const char *fault, const char *const *words)
{
	struct fault_run *run = NULL;
	struct err e = {.text = ""};
	if (rig_start(r, fault, words, 0, &run, &e) < 0)
		fail_msg("%s: %s", fault, e.text);
	return run;
}

static void on_tick(void *owner)
{
	(void)owner;
}

void rig_until(struct rig *r, bool (*is)(struct rig *r))
{
	struct timer tick = {0};
	uint64_t until_us = clock_now_us() + RIG_HANG_S * 1000000ull;
	while (!is(r)) {
		if (clock_now_us() > until_us) {
			timer_fini(&tick);
			fail_msg("it did not come to pass; the log:\n%s", r->log);
		}
		timer_start(&tick, &r->loop, 10, on_tick, NULL);
		uv_run(&r->loop.uv, UV_RUN_ONCE);
	}
	timer_fini(&tick);
}

static bool is_done(struct rig *r)
{
	return r->done;
}

void rig_until_done(struct rig *r)
{
	rig_until(r, is_done);
	r->done = false;
}

size_t rig_count(const struct rig *r, const char *start)
{
	size_t n = 0, len = strlen(start);
	for (const char *line = r->log; *line; line = strchr(line, '\n') + 1)
		n += strncmp(line, start, len) == 0;
	return n;
}

/* --- clients --- */

int rig_connect(const struct rig *r, size_t node)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(r->ports[node])};
	const struct timeval patience = {.tv_sec = RIG_HANG_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

void rig_say(int fd, const char *line)
{
	char text[1024];
	int len = snprintf(text, sizeof(text), "%s\n", line);
	assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

const char *rig_hear(int fd)
{
	static char line[1024];
	size_t n = 0;
	while (n < sizeof(line) - 1) {
		ssize_t got = recv(fd, line + n, 1, 0);
		if (got < 0 && errno == EAGAIN)
			fail_msg("no answer within %d s", RIG_HANG_S);
		if (got <= 0 || line[n] == '\n')
			break;
		n++;
	}
	line[n] = 0;
	return line;
}

const char *rig_ask(int fd, const char *line)
{
	rig_say(fd, line);
	return rig_hear(fd);
}
