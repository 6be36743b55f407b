/*
 * The parent's side of the guard: the same list as the child's, so that everything can be undone here, even when it is
 * the child that was killed.
 */
#include "harness/base/guard.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/guard_internal.h"
#include "harness/base/proc_stat.h"

enum {
	PREFIX_TEXT = 32,
	/* 26^7 is more than 2^32: a process number has 22 bits (PID_MAX_LIMIT), of the namespace's the last 10 are taken. */
	PREFIX_LETTERS = 7,
	PREFIX_PID_BITS = 22,
	PREFIX_NAMESPACES = 1 << 10,
};
/* PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h. */
#define PID_NAMESPACE_FIRST 0xEFFFFFFCu

struct guard {
	const struct guard_kind *const *kinds;
	struct guard_list list;
	struct guard_journal journal;  /* its file is open in the child; here only once that is gone */
	char prefix[PREFIX_TEXT];
	pid_t child;
	int socket;                    /* -1: the child is gone */
	int last_id;
};

int guard_pid_words(pid_t pid, char *ret_pid, char *ret_started)
{
	struct buf boot CLEANUP(buf_fini) = {0};
	struct proc_stat stat;
	int r = proc_stat_read(pid, &stat);
	if (r < 0)
		return r;
	/* Ticks count from the boot: without it, a pid of before a restart could be taken for one of today. */
	if (file_read("/proc/sys/kernel/random/boot_id", 256, &boot, NULL) < 0 || boot.len < GUARD_BOOT_LEN)
		boot.len = 0;
	snprintf(ret_pid, GUARD_PID_TEXT, "%ld", (long)pid);
	snprintf(ret_started, GUARD_PID_TEXT, "%llu-%.*s", (unsigned long long)stat.started, GUARD_BOOT_LEN,
		 boot.len ? buf_cstr(&boot) : "0");
	return 0;
}

bool guard_pid_same(const char *pid, const char *started)
{
	char pid_now[GUARD_PID_TEXT], started_now[GUARD_PID_TEXT], *end;
	struct proc_stat stat;
	long number = strtol(pid, &end, 10);
	if (*end || number <= 0 || number > INT32_MAX || guard_pid_words((pid_t)number, pid_now, started_now) < 0 ||
	    strcmp(pid, pid_now) != 0 || strcmp(started, started_now) != 0)
		return false;
	return proc_stat_read((pid_t)number, &stat) == 0 && !proc_stat_over(stat.state);
}

static ino_t pid_namespace(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

bool guard_pids_are_global(void)
{
	return pid_namespace() == PID_NAMESPACE_FIRST;
}

static void make_prefix(char prefix[PREFIX_TEXT])
{
	char letters[PREFIX_LETTERS + 1] = "";
	uint64_t n = (pid_namespace() % PREFIX_NAMESPACES) << PREFIX_PID_BITS | (uint64_t)getpid();
	for (size_t i = 0; i < PREFIX_LETTERS; i++, n /= 26)
		letters[i] = (char)('a' + n % 26);
	if (guard_pids_are_global())
		snprintf(prefix, PREFIX_TEXT, GUARD_NAMES "%ld-", (long)getpid());
	else
		snprintf(prefix, PREFIX_TEXT, GUARD_NAMES "%s-", letters);
}

static int start_child(struct guard *g, struct err *e)
{
	int pair[2];
	pid_t parent = getpid();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "no socket for the guard: %s", strerror(errno));
	g->child = fork();
	if (g->child == 0) {
		close(pair[0]);
		guard_child(g->kinds, pair[1], parent, &g->journal);
	}
	int r = -errno;
	close(pair[1]);
	if (g->child < 0) {
		close(pair[0]);
		return err_set(e, -r, "the guard cannot be started: %s", strerror(-r));
	}
	g->socket = pair[0];
	struct timeval wait = {.tv_sec = GUARD_ACK_MS / 1000, .tv_usec = GUARD_ACK_MS % 1000 * 1000};
	setsockopt(g->socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(g->socket, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return 0;
}

int guard_start(const struct guard_kind *const *kinds, struct guard **ret_guard, struct err *e)
{
	struct guard *g = calloc(1, sizeof(*g));
	if (!g)
		return err_set(e, ENOMEM, "no memory for the guard");
	g->kinds = kinds;
	g->socket = -1;
	make_prefix(g->prefix);
	int r = guard_journal_create(&g->journal, e);
	if (r == 0) {
		r = start_child(g, e);
		if (r < 0)
			guard_journal_remove(&g->journal);
	}
	if (r < 0) {
		free(g);
		return r;
	}
	/* The lock is the child's alone now. */
	cleanup_fd(&g->journal.fd);
	*ret_guard = g;
	return 0;
}

const char *guard_prefix(const struct guard *g)
{
	return g->prefix;
}

pid_t guard_pid(const struct guard *g)
{
	return g->child;
}

/* The child was killed: its journal is ours to keep. */
static void take_over(struct guard *g)
{
	char folder[sizeof(g->journal.path)], name[GUARD_NAME_MAX];
	if (g->socket < 0)
		return;
	cleanup_fd(&g->socket);
	waitpid(g->child, NULL, 0);
	snprintf(folder, sizeof(folder), "%.*s", (int)(g->journal.name - g->journal.path - 1), g->journal.path);
	snprintf(name, sizeof(name), "%s", g->journal.name);
	int fd CLEANUP(cleanup_fd) = TAKE_FD(g->journal.folder);
	/* A doctor that looks at it just now leaves it alone: we live. */
	for (int i = 0; i < GUARD_TRIES && guard_journal_take(&g->journal, fd, folder, name) == -EBUSY; i++)
		usleep(GUARD_TRY_PAUSE_MS * 1000);
}

static int tell(struct guard *g, struct span line)
{
	ssize_t n;
	if (g->socket < 0)
		return -EPIPE;
	do {
		n = send(g->socket, line.p, line.len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN)
		return -ETIMEDOUT;
	take_over(g);
	return -EPIPE;
}

static int await_ack(struct guard *g, int id)
{
	for (;;) {
		struct guard_ack ack;
		ssize_t n = recv(g->socket, &ack, sizeof(ack), 0);
		if (n == (ssize_t)sizeof(ack) && ack.id == id)
			return ack.result;
		/* One that came too late for its call. */
		if (n == (ssize_t)sizeof(ack) || (n < 0 && errno == EINTR))
			continue;
		if (n < 0 && errno == EAGAIN)
			return -ETIMEDOUT;
		take_over(g);
		return -EPIPE;
	}
}

static int fail(struct err *e, int r, const char *kind)
{
	static const struct {
		int code;
		const char *why;
	} reasons[] = {
		{EPIPE, "the guard process is gone"}, {ETIMEDOUT, "the guard process does not answer"},
		{EINVAL, "there is no such kind of undo, or it lacks words"}, {E2BIG, "its words are too long or too many"},
	};
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].code == -r)
			return err_set(e, -r, "nothing was changed, for the undo '%s' could not be noted: %s", kind, reasons[i].why);
	return err_set(e, -r, "nothing was changed, for the undo '%s' could not be noted: %s", kind, strerror(-r));
}

int guard_add(struct guard *g, const char *kind, const char *const *words, struct err *e)
{
	struct buf line CLEANUP(buf_fini) = {0};
	struct guard_entry entry = {0};
	int id = g->last_id + 1;
	buf_init(&line, GUARD_ENTRY_MAX);
	int r = g->list.len == GUARD_ENTRIES_MAX ? -ENOSPC : guard_line_add(id, kind, words, &line);
	if (r < 0)
		return fail(e, r, kind);
	r = guard_line_read(g->kinds, span_of(line.p, line.len - 1), &entry);
	if (r <= 0 || !entry.kind) {
		guard_entry_fini(&entry);
		return fail(e, r == -ENOMEM ? r : -EINVAL, kind);
	}
	g->last_id = id;
	r = guard_list_push(&g->list, &entry);
	if (r < 0)
		return fail(e, r, kind);
	r = tell(g, buf_span(&line));
	if (r == 0)
		r = await_ack(g, id);
	if (r < 0)
		fail(e, r, kind);
	else
		r = guard_claim(g->kinds, &g->list, &g->journal, guard_list_find(&g->list, id), e);
	if (r == 0)
		return id;
	guard_drop(g, id);
	return r;
}

char *const *guard_words(const struct guard *g, const char *kind, const char *first)
{
	for (size_t i = g->list.len; i > 0; i--) {
		const struct guard_entry *entry = &g->list.items[i - 1];
		if (strcmp(entry->kind_name, kind) == 0 && entry->words[0] && strcmp(entry->words[0], first) == 0)
			return entry->words;
	}
	return NULL;
}

void guard_drop(struct guard *g, int id)
{
	char line[32];
	struct guard_entry *entry = guard_list_find(&g->list, id);
	if (!entry)
		return;
	guard_list_remove(&g->list, entry);
	int n = snprintf(line, sizeof(line), "- %d\n", id);
	if (tell(g, span_of(line, (size_t)n)) == -EPIPE && g->journal.fd >= 0)
		guard_journal_forget(&g->journal, id);
}

int guard_undo(struct guard *g, int id)
{
	struct guard_entry *entry = guard_list_find(&g->list, id);
	int r = entry ? guard_entry_undo(entry) : 0;
	if (r == 0)
		guard_drop(g, id);
	else
		guard_failed(g, id, r);
	return r;
}

void guard_failed(struct guard *g, int id, int error)
{
	char line[48];
	struct guard_entry *entry = guard_list_find(&g->list, id);
	if (!entry || !entry->kind->once)
		return;
	entry->failed = error;
	int n = snprintf(line, sizeof(line), "! %d %d\n", id, -error);
	tell(g, span_of(line, (size_t)n));
}

void guard_deadline(struct guard *g, uint64_t after_ms)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "= %llu\n", (unsigned long long)after_ms);
	tell(g, span_of(line, (size_t)n));
}

/* The child was killed: what fails here is told here, and stays in the journal. */
static bool end_alone(struct guard *g)
{
	for (size_t i = 0; i < g->list.len; i++)
		guard_complain(&g->list.items[i], -EBUSY);
	if (g->list.len == 0)
		guard_journal_remove(&g->journal);
	return g->list.len == 0;
}

/* It has heard of each that was undone, and tries the others. */
static bool end_child(struct guard *g)
{
	int status = 0;
	pid_t r;
	cleanup_fd(&g->socket);
	do {
		r = waitpid(g->child, &status, 0);
	} while (r < 0 && errno == EINTR);
	/* Where children are not awaited (SIGCHLD is ignored) its word is not heard. */
	return r == g->child ? status == 0 : g->list.len == 0;
}

int guard_stop(struct guard *g)
{
	if (!g)
		return 0;
	for (size_t i = g->list.len; i > 0; i--)
		guard_undo(g, g->list.items[i - 1].id);
	bool clean = g->socket < 0 ? end_alone(g) : end_child(g);
	guard_journal_fini(&g->journal);
	guard_list_fini(&g->list);
	free(g);
	return clean ? 0 : -EBUSY;
}
