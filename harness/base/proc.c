/*
 * /proc is the only place that tells parents, start times and states of processes that are not our children; everything
 * we know of processes is read here.
 */
#include "harness/base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/err.h"
#include "harness/base/proc_stat.h"

enum { STATUS_MAX = 8192 };

static ssize_t read_proc(pid_t pid, const char *file, char *to, size_t len)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	size_t got = 0;
	while (got < len - 1) {
		ssize_t n = read(fd, to + got, len - 1 - got);
		if (n < 0)
			return errno == ENOENT ? -ESRCH : -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	to[got] = 0;
	return (ssize_t)got;
}

int proc_identify(pid_t pid, struct proc_id *ret_id)
{
	struct proc_stat stat;
	int r = proc_stat_read(pid, &stat);
	if (r < 0)
		return r;
	if (proc_stat_over(stat.state))
		return -ESRCH;
	*ret_id = (struct proc_id){pid, stat.started};
	return 0;
}

char proc_state(struct proc_id id)
{
	struct proc_stat stat;
	return proc_stat_read(id.pid, &stat) == 0 && stat.started == id.started ? stat.state : 0;
}

bool proc_lives(struct proc_id id)
{
	char state = proc_state(id);
	return state && !proc_stat_over(state);
}

int proc_open(struct proc_id id)
{
	int fd = id.pid > 0 ? (int)syscall(SYS_pidfd_open, id.pid, 0) : -1;
	if (fd < 0)
		return id.pid > 0 ? -errno : -ESRCH;
	/* The pidfd is of the process that has the number now: only its start time says that it is the one meant. */
	if (proc_state(id))
		return fd;
	close(fd);
	return -ESRCH;
}

int proc_signal(struct proc_id id, int signal)
{
	int fd CLEANUP(cleanup_fd) = proc_open(id);
	if (fd < 0)
		return TAKE_FD(fd);
	return syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0 ? -errno : 0;
}

uint64_t proc_started_at_ms(struct proc_id id)
{
	struct timespec now, boot;
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	uint64_t up_ms = (uint64_t)boot.tv_sec * 1000 + (uint64_t)boot.tv_nsec / 1000000;
	return now_ms - up_ms + id.started * 1000 / ticks;
}

/* --- trees --- */

struct seen {
	pid_t pid, parent;
	uint64_t started;
};

struct scan {
	struct seen *list;
	size_t n, cap;
};

static int scan_add(struct scan *s, pid_t pid)
{
	struct proc_stat stat;
	if (proc_stat_read(pid, &stat) < 0 || proc_stat_over(stat.state))
		return 0;
	if (s->n == PROC_SCAN_MAX)
		return -E2BIG;
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 256;
		struct seen *list = realloc(s->list, cap * sizeof(*list));
		if (!list)
			return -ENOMEM;
		s->list = list;
		s->cap = cap;
	}
	s->list[s->n++] = (struct seen){pid, stat.parent, stat.started};
	return 0;
}

static int scan_all(struct scan *s)
{
	DIR *d = opendir("/proc");
	int r = d ? 0 : -errno;
	for (struct dirent *entry; d && r == 0 && (entry = readdir(d));) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (*end == 0 && pid > 0)
			r = scan_add(s, (pid_t)pid);
	}
	if (d)
		closedir(d);
	return r;
}

/* Breadth first: what is in the list already is asked for its children in turn. */
static int grow(const struct scan *s, struct proc_id *list, size_t max)
{
	size_t n = 1;
	for (size_t at = 0; at < n; at++) {
		for (size_t i = 0; i < s->n; i++) {
			const struct seen *child = &s->list[i];
			if (child->parent != list[at].pid || child->pid == getpid())
				continue;
			if (n == max)
				return -E2BIG;
			list[n++] = (struct proc_id){child->pid, child->started};
		}
	}
	return (int)n;
}

int proc_tree(struct proc_id root, struct proc_id *ret_list, size_t max)
{
	struct scan s = {0};
	if (max == 0 || !proc_lives(root) || root.pid == getpid())
		return max == 0 ? -E2BIG : -ESRCH;
	int r = scan_all(&s);
	ret_list[0] = root;
	if (r == 0)
		r = grow(&s, ret_list, max);
	free(s.list);
	return r;
}

/* --- what a process was given --- */

int proc_environ(struct proc_id id, const char *name, char *ret_value, size_t len)
{
	char *text CLEANUP(cleanup_free) = malloc(PROC_ENVIRON_MAX);
	if (!text)
		return -ENOMEM;
	ssize_t n = read_proc(id.pid, "environ", text, PROC_ENVIRON_MAX);
	if (n < 0)
		return (int)n;
	if (!proc_lives(id))
		return -ESRCH;
	size_t name_len = strlen(name);
	for (const char *at = text; at < text + n; at += strlen(at) + 1) {
		if (strncmp(at, name, name_len) != 0 || at[name_len] != '=')
			continue;
		return snprintf(ret_value, len, "%s", at + name_len + 1) < (int)len ? 0 : -ENOBUFS;
	}
	return -ENOENT;
}

int proc_data_octets(struct proc_id id, uint64_t *ret_octets)
{
	char text[STATUS_MAX];
	unsigned long long kib;
	ssize_t n = read_proc(id.pid, "status", text, sizeof(text));
	const char *at = n < 0 ? NULL : strstr(text, "\nVmData:");
	if (!at || sscanf(at, "\nVmData: %llu kB", &kib) != 1)
		return n < 0 ? (int)n : -ESRCH;
	*ret_octets = kib * 1024;
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return (x > y) - (x < y);
}

static int list_descriptors(pid_t pid, long **ret_list, size_t *ret_n)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT ? -ESRCH : -errno;
	long *list = NULL;
	size_t n = 0, cap = 0;
	for (struct dirent *entry; (entry = readdir(d));) {
		if (entry->d_name[0] == '.')
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 256;
			long *bigger = realloc(list, cap * sizeof(*list));
			if (!bigger) {
				free(list);
				closedir(d);
				return -ENOMEM;
			}
			list = bigger;
		}
		list[n++] = strtol(entry->d_name, NULL, 10);
	}
	closedir(d);
	if (n > 0)
		qsort(list, n, sizeof(*list), compare_numbers);
	*ret_list = list;
	*ret_n = n;
	return 0;
}

int proc_descriptor_limit(struct proc_id id, uint64_t spare, uint64_t *ret_limit)
{
	long *used = NULL;
	size_t n = 0, at = 0;
	int r = list_descriptors(id.pid, &used, &n);
	if (r < 0)
		return r;
	uint64_t limit = 0;
	for (uint64_t room = 0;; limit++) {
		bool taken = at < n && (uint64_t)used[at] == limit;
		if (taken)
			at++;
		else if (room++ == spare)
			break;
	}
	free(used);
	*ret_limit = limit;
	return proc_lives(id) ? 0 : -ESRCH;
}

/* --- guard entries --- */

void proc_words(struct proc_id id, char ret_pid[PROC_WORD_MAX], char ret_started[PROC_WORD_MAX])
{
	snprintf(ret_pid, PROC_WORD_MAX, "%d", (int)id.pid);
	snprintf(ret_started, PROC_WORD_MAX, "%llu", (unsigned long long)id.started);
}

static bool is_number(const char *text)
{
	return *text && strlen(text) < PROC_WORD_MAX - 4 && text[strspn(text, "0123456789")] == 0;
}

int proc_from_words(const char *pid, const char *started, struct proc_id *ret_id)
{
	if (!is_number(pid) || !is_number(started))
		return -EINVAL;
	unsigned long long number = strtoull(pid, NULL, 10);
	if (number == 0 || number > INT32_MAX)
		return -EINVAL;
	*ret_id = (struct proc_id){(pid_t)number, strtoull(started, NULL, 10)};
	return 0;
}
