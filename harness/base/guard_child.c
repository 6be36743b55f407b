/*
 * The guard's own process. It must outlive everything that ends its parent: a signal to the process group, a closed
 * terminal, SIGKILL, a lack of memory. So it is in a session of its own, holds nothing of its parent's but standard
 * error, and ends only when its list is empty or nothing more can be done.
 */
#include "harness/base/clock.h"
#include "harness/base/guard_internal.h"
#include "harness/base/proc_stat.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct child {
	const struct guard_kind *const *kinds;
	struct guard_list list;
	struct guard_journal *journal;
	int socket, parent;            /* parent: a pidfd, -1 where the kernel has none */
	pid_t parent_pid;
	uint64_t deadline_us;          /* 0: none */
};

enum { FD_SOCKET = 3, FD_JOURNAL, FD_FOLDER, FD_REST };
enum { LOOK_MS = 200 };        /* between two looks at a parent that has a deadline */
enum { COMPLAINT_MAX = 2048 }; /* less than PIPE_BUF: a pipe that is ready for any takes all of it (pipe(7)) */

void guard_complain(const struct guard_entry *entry, int r)
{
	struct buf b CLEANUP(buf_fini) = {0};
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	buf_init(&b, COMPLAINT_MAX);
	buf_printf(&b, "wsquall: not undone, 'wsquall doctor --clean' tries again: ");
	guard_entry_describe(entry, &b);
	buf_printf(&b, ": %s\n", strerror(-r));
	/* A reader that has stopped reading must not keep us from undoing the rest. */
	if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) && write(STDERR_FILENO, b.p, b.len) < 0)
		return;
}

/* To known numbers, and everything above is closed: our parent's sockets must not stay open for our sake. */
static void keep_only(struct child *c)
{
	int *const kept[] = {&c->socket, &c->journal->fd, &c->journal->folder};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	null = fcntl(null, F_DUPFD_CLOEXEC, FD_REST);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		*kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, FD_REST);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		*kept[i] = dup3(*kept[i], FD_SOCKET + (int)i, O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (fcntl(STDERR_FILENO, F_GETFD) < 0)
		dup2(null, STDERR_FILENO);
	closefrom(FD_REST);
}

static char score_before[16];      /* "": it was not changed */

static bool set_score(const char *text)
{
	int fd CLEANUP(cleanup_fd) = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) > 0;
}

/* Only root may ask for that. */
static void be_the_last_when_memory_is_out(void)
{
	int fd CLEANUP(cleanup_fd) = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, score_before, sizeof(score_before) - 1) : -1;
	if (n <= 0 || !set_score("-1000"))
		score_before[0] = 0;
}

void guard_release(void)
{
	if (score_before[0])
		set_score(score_before);
}

static void detach(void)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU,
				      SIGALRM, SIGXFSZ};
	sigset_t none;
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	prctl(PR_SET_NAME, "wsquall-guard");
	be_the_last_when_memory_is_out();
	if (chdir("/") < 0)
		return;
}

static int add(struct child *c, struct guard_entry *entry, struct span line)
{
	if (c->list.len == GUARD_ENTRIES_MAX)
		return -ENOSPC;
	int r = guard_journal_append(c->journal, line);
	return r < 0 ? r : guard_list_push(&c->list, entry);
}

static void drop(struct child *c, int id)
{
	struct guard_entry *entry = guard_list_find(&c->list, id);
	if (!entry)
		return;
	guard_list_remove(&c->list, entry);
	guard_journal_forget(c->journal, id);
	guard_journal_compact(c->journal, &c->list);
}

/* Not for the journal: "= ms" a deadline, "! id errno" an undo that failed. text ends with NUL. */
static void on_word(struct child *c, const char *text)
{
	char *end;
	uint64_t number = strtoull(text + 2, &end, 10);
	struct guard_entry *entry = text[0] == '!' ? guard_list_find(&c->list, (int)number) : NULL;
	if (text[0] == '=')
		c->deadline_us = clock_now_us() + number * 1000;
	else if (entry)
		entry->failed = -(int)strtol(end, NULL, 10);
}

static void on_message(struct child *c, struct span line)
{
	struct guard_entry entry = {0};
	if (line.p[0] == '=' || line.p[0] == '!')
		return on_word(c, (const char *)line.p);
	int r = guard_line_read(c->kinds, span_sub(line, 0, line.len - 1), &entry);
	if (r == 0) {
		drop(c, entry.id);
	} else if (r > 0) {
		struct guard_ack ack = {.id = entry.id};
		ack.result = add(c, &entry, line);
		guard_entry_fini(&entry);
		send(c->socket, &ack, sizeof(ack), MSG_NOSIGNAL);
	}
}

/* False at the end. */
static bool receive(struct child *c, int flags)
{
	uint8_t text[GUARD_ENTRY_MAX + 1];
	ssize_t n = recv(c->socket, text, GUARD_ENTRY_MAX, flags);
	text[n > 0 ? n : 0] = 0;
	if (n > 0)
		on_message(c, span_of(text, (size_t)n));
	return n > 0 || (n < 0 && errno == EINTR);
}

static void on_result(void *owner, const struct guard_entry *entry, int r)
{
	struct child *c = owner;
	if (r == 0)
		guard_journal_forget(c->journal, entry->id);
	else
		guard_complain(entry, r);
}

/* Its own time is over and it does not run. Once: what could not be undone is tried again when it ends. */
static void heal_a_stopped_parent(struct child *c)
{
	struct proc_stat stat;
	if (!c->deadline_us || clock_now_us() < c->deadline_us || proc_stat_read(c->parent_pid, &stat) < 0 ||
	    (stat.state != 'T' && stat.state != 't'))
		return;
	c->deadline_us = 0;
	guard_list_undo(&c->list, 1, on_result, c);
}

/*
 * Until the parent is gone. The end of the socket says so, unless another process has inherited the parent's side; then
 * the pidfd does. What was sent before is read first.
 */
static void serve(struct child *c)
{
	struct pollfd fds[] = {{.fd = c->socket, .events = POLLIN}, {.fd = c->parent, .events = POLLIN}};
	for (;;) {
		int n = poll(fds, 2, c->deadline_us ? LOOK_MS : -1);
		if (n < 0 && errno != EINTR)
			return;
		if (n == 0)
			heal_a_stopped_parent(c);
		if (fds[1].revents)
			break;
		if (fds[0].revents && !receive(c, 0))
			return;
	}
	while (receive(c, MSG_DONTWAIT))
		;
}

_Noreturn void guard_child(const struct guard_kind *const *kinds, int socket, pid_t parent, struct guard_journal *j)
{
	struct child c = {.kinds = kinds, .journal = j, .socket = socket, .parent_pid = parent};
	keep_only(&c);
	detach();
	c.parent = (int)syscall(SYS_pidfd_open, parent, 0);
	/* It may be gone already, and its number be another's. */
	if (getppid() == parent)
		serve(&c);
	size_t left = guard_list_undo(&c.list, GUARD_TRIES, on_result, &c);
	if (left == 0)
		guard_journal_remove(j);
	_exit(left > 0);
}
