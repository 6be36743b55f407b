/*
 * The guard's list on disk. Its folder may be in /tmp, where anybody can put a link or a folder of that name before us:
 * nothing is followed, and what is not ours alone is refused.
 */
#include "harness/base/file.h"
#include "harness/base/guard_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UID_MAP_MAX = 64 << 10 };

static const char first_line[] = "wsquall-undo 1\n";

/*
 * As the namespace around ours has it: who is root in a user namespace of his own is somebody else outside, where all
 * share /tmp. user_namespaces(7): lines "inside outside count".
 */
static unsigned long outer_uid(void)
{
	unsigned long inside, outside, count, uid = geteuid();
	struct buf map CLEANUP(buf_fini) = {0};
	if (file_read("/proc/self/uid_map", UID_MAP_MAX, &map, NULL) < 0)
		return uid;
	for (const char *line = buf_cstr(&map); line; line = strchr(line, '\n'), line += line != NULL)
		if (sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3 && uid - inside < count)
			return outside + (uid - inside);
	return uid;
}

bool guard_folder_path(size_t i, char path[GUARD_PATH_MAX])
{
	const char *told = getenv("WSQUALL_RUN_DIR"), *runtime = getenv("XDG_RUNTIME_DIR");
	int n;
	if (told && told[0]) {
		if (i > 0)
			return false;
		n = snprintf(path, GUARD_PATH_MAX, "%s", told);
	} else if (i == 0 && geteuid() == 0) {
		n = snprintf(path, GUARD_PATH_MAX, "/run/wsquall");
	} else if (i == 0 && runtime && runtime[0] == '/') {
		n = snprintf(path, GUARD_PATH_MAX, "%s/wsquall", runtime);
	} else if (i <= 1) {
		n = snprintf(path, GUARD_PATH_MAX, "/tmp/wsquall-%lu", outer_uid());
	} else {
		return false;
	}
	/* Cut, it would be another folder: then it is none. */
	if (n < 0 || n >= GUARD_PATH_MAX)
		path[0] = 0;
	/* A slash at the end would make O_NOFOLLOW follow. */
	for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = 0;
	return true;
}

int guard_folder_open(const char *path, bool make, struct err *e)
{
	struct stat st;
	if (!path[0])
		return err_set(e, ENAMETOOLONG, "the folder for undo journals has a name of more than %d octets", GUARD_PATH_MAX - 1);
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "%s: the folder for undo journals cannot be made: %s", path, strerror(errno));
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "%s: the folder for undo journals cannot be opened: %s", path, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(e, EPERM, "%s: the folder for undo journals must be ours, with nothing allowed to others (0700); "
			       "WSQUALL_RUN_DIR names another", path);
	return TAKE_FD(fd);
}

static void set_name(struct guard_journal *j, const char *folder_path, const char *name)
{
	size_t len = strlen(folder_path);
	snprintf(j->path, sizeof(j->path), "%s/%s", folder_path, name);
	j->name = j->path + len + 1;
}

/* A new file of our own, locked before anybody can take it for one that is left. */
static int make_file(int folder, const char *name)
{
	int fd CLEANUP(cleanup_fd) = openat(folder, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int create_in(struct guard_journal *j, const char *folder_path, struct err *e)
{
	char pid[GUARD_PID_TEXT], started[GUARD_PID_TEXT], name[GUARD_NAME_MAX];
	int r = guard_pid_words(getpid(), pid, started);
	if (r < 0)
		return err_set(e, -r, "/proc does not tell when this process was started: %s", strerror(-r));
	j->folder = guard_folder_open(folder_path, true, e);
	if (j->folder < 0)
		return j->folder;
	snprintf(name, sizeof(name), "%s-%s" GUARD_SUFFIX, pid, started);
	set_name(j, folder_path, name);
	j->fd = make_file(j->folder, j->name);
	r = j->fd < 0 ? j->fd : guard_journal_append(j, span_of(first_line, sizeof(first_line) - 1));
	if (r == 0)
		return 0;
	err_set(e, -r, "%s: the undo journal cannot be written: %s", j->path, strerror(-r));
	if (j->fd >= 0)
		unlinkat(j->folder, j->name, 0);
	guard_journal_fini(j);
	return r;
}

int guard_journal_create(struct guard_journal *j, struct err *e)
{
	char path[GUARD_PATH_MAX];
	int r = -ENOENT;
	*j = (struct guard_journal){.folder = -1, .fd = -1, .compact_at = GUARD_COMPACT_AT};
	for (size_t i = 0; r < 0 && guard_folder_path(i, path); i++)
		r = create_in(j, path, e);
	return r;
}

int guard_journal_take(struct guard_journal *j, int folder, const char *folder_path, const char *name)
{
	struct stat st;
	*j = (struct guard_journal){.folder = -1, .fd = -1, .compact_at = GUARD_COMPACT_AT};
	int fd CLEANUP(cleanup_fd) = openat(folder, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Who held it before has removed or replaced it. */
	if (st.st_nlink == 0)
		return -ENOENT;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	j->folder = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	if (j->folder < 0)
		return -errno;
	j->fd = TAKE_FD(fd);
	j->size = (size_t)st.st_size;
	set_name(j, folder_path, name);
	return 0;
}

static int write_whole(int fd, struct span s)
{
	ssize_t n;
	do {
		n = write(fd, s.p, s.len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == s.len ? 0 : -ENOSPC;
}

int guard_journal_append(struct guard_journal *j, struct span line)
{
	int r = write_whole(j->fd, line);
	if (r < 0) {
		/* What was written of it would run into the next line. */
		if (ftruncate(j->fd, (off_t)j->size) < 0)
			r = -EIO;
		return r;
	}
	j->size += line.len;
	return 0;
}

int guard_journal_forget(struct guard_journal *j, int id)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "- %d\n", id);
	return guard_journal_append(j, span_of(line, (size_t)n));
}

static int put_entries(struct buf *b, const struct guard_list *l)
{
	int r = buf_append(b, first_line, sizeof(first_line) - 1);
	for (size_t i = 0; i < l->len && r == 0; i++) {
		const struct guard_entry *entry = &l->items[i];
		r = guard_line_add(entry->id, entry->kind_name, (const char *const *)entry->words, b);
	}
	return r;
}

static int replace(struct guard_journal *j, const struct guard_list *l)
{
	char name[GUARD_NAME_MAX + sizeof(GUARD_SUFFIX_NEW)];
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, GUARD_JOURNAL_MAX);
	int r = put_entries(&b, l);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%.*s" GUARD_SUFFIX_NEW, (int)(strlen(j->name) - strlen(GUARD_SUFFIX)), j->name);
	int fd CLEANUP(cleanup_fd) = make_file(j->folder, name);
	if (fd < 0)
		return fd;
	r = write_whole(fd, buf_span(&b));
	if (r == 0 && renameat(j->folder, name, j->folder, j->name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(j->folder, name, 0);
		return r;
	}
	close(j->fd);
	j->fd = TAKE_FD(fd);
	j->size = b.len;
	return 0;
}

void guard_journal_compact(struct guard_journal *j, const struct guard_list *l)
{
	if (j->size < j->compact_at)
		return;
	replace(j, l);
	j->compact_at = 2 * j->size > GUARD_COMPACT_AT ? 2 * j->size : GUARD_COMPACT_AT;
}

void guard_journal_remove(struct guard_journal *j)
{
	if (j->fd >= 0)
		unlinkat(j->folder, j->name, 0);
	guard_journal_fini(j);
}

void guard_journal_fini(struct guard_journal *j)
{
	cleanup_fd(&j->fd);
	cleanup_fd(&j->folder);
}
