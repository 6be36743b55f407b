/* Processes found from outside, by a pidfile or by the port they serve, and what they take. */
#include "harness/base/proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/base/file.h"

enum {
	PIDFILE_MAX = 64,          /* octets of a pidfile */
	PIDFILE_SLACK_MS = 2000,   /* clock ticks and a clock that was set a little: a process is that much younger */
	LISTENERS_MAX = 64,        /* sockets that listen on one port */
	TCP_LISTEN = 0x0a,         /* st of /proc/net/tcp */
};

int proc_from_pidfile(const char *path, struct proc_id *ret_id)
{
	struct buf text CLEANUP(buf_fini) = {0};
	struct stat st;
	struct proc_id id;
	int r = file_read(path, PIDFILE_MAX, &text, NULL);
	if (r < 0)
		return r;
	char *end;
	long pid = strtol(buf_cstr(&text), &end, 10);
	if (end == buf_cstr(&text) || pid <= 1 || pid > INT32_MAX || end[strspn(end, " \t\r\n")] != 0)
		return -EINVAL;
	r = proc_identify((pid_t)pid, &id);
	if (r < 0 || stat(path, &st) < 0)
		return r < 0 ? r : -errno;
	uint64_t written_ms = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
	if (proc_started_at_ms(id) > written_ms + PIDFILE_SLACK_MS)
		return -ESRCH;
	*ret_id = id;
	return 0;
}

/* --- by port --- */

struct listeners {
	unsigned long long inodes[LISTENERS_MAX];
	size_t n;
};

/* "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode": proc(5). */
static void scan_table(const char *path, uint16_t port, struct listeners *l)
{
	char line[512];
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && l->n < LISTENERS_MAX) {
		unsigned local, state;
		unsigned long long inode;
		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*d %llu", &local, &state,
			   &inode) == 3 && local == port && state == TCP_LISTEN && inode)
			l->inodes[l->n++] = inode;
	}
	if (f)
		fclose(f);
}

static bool holds(pid_t pid, const struct listeners *l)
{
	char path[64], link[64];
	bool found = false;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	for (struct dirent *d; !found && folder && (d = readdir(folder));) {
		unsigned long long inode;
		ssize_t n = readlinkat(dirfd(folder), d->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = 0;
		if (sscanf(link, "socket:[%llu]", &inode) != 1)
			continue;
		for (size_t i = 0; i < l->n; i++)
			found |= l->inodes[i] == inode;
	}
	if (folder)
		closedir(folder);
	return found;
}

int proc_listening(uint16_t port, struct proc_id *ret_id)
{
	struct listeners l = {.n = 0};
	struct proc_id best = {0}, id;
	scan_table("/proc/net/tcp", port, &l);
	scan_table("/proc/net/tcp6", port, &l);
	DIR *folder = l.n ? opendir("/proc") : NULL;
	for (struct dirent *d; folder && (d = readdir(folder));) {
		long pid = strtol(d->d_name, NULL, 10);
		if (pid <= 0 || !holds((pid_t)pid, &l) || proc_identify((pid_t)pid, &id) < 0)
			continue;
		if (!best.pid || id.started < best.started || (id.started == best.started && id.pid < best.pid))
			best = id;
	}
	if (folder)
		closedir(folder);
	if (!best.pid)
		return -ESRCH;
	*ret_id = best;
	return 0;
}

/* --- what it takes --- */

static int count_descriptors(pid_t pid, uint64_t *ret)
{
	char path[64];
	uint64_t n = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	for (struct dirent *d; (d = readdir(folder));)
		n += d->d_name[0] != '.';
	closedir(folder);
	*ret = n - (pid == getpid() && n > 0); /* the one that reads the folder */
	return 0;
}

int proc_use(struct proc_id id, struct proc_use *ret_use)
{
	struct proc_use use;
	char path[64];
	unsigned long long pages;
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)id.pid);
	FILE *f = fopen(path, "re");
	int got = f ? fscanf(f, "%*u %llu", &pages) : 0;
	if (f)
		fclose(f);
	int r = got == 1 ? count_descriptors(id.pid, &use.descriptors) : -ESRCH;
	if (r < 0)
		return r;
	use.resident = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	if (!proc_lives(id)) /* the number may have gone to another meanwhile */
		return -ESRCH;
	*ret_use = use;
	return 0;
}
