/*
 * Reports are renamed into place so that a killed run leaves the last whole one; limits keep a wrong file name from
 * filling memory.
 */
#include "harness/base/file.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK = 64 << 10, NAME_TRIES = 16 };

static int fail(struct err *e, int code, const char *path, const char *what)
{
	char reason[128];
	return err_set(e, code, "%s: %s: %s", path, what, strerror_r(code, reason, sizeof(reason)));
}

static int write_all(int fd, struct span s)
{
	while (s.len) {
		ssize_t n = write(fd, s.p, s.len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			s = span_sub(s, (size_t)n, s.len);
	}
	return 0;
}

/* Opens a new file beside path; its name, for the caller to free, in ret_name. The descriptor or a negative errno. */
static int open_temporary(const char *path, char **ret_name)
{
	static atomic_uint counter;
	const char *slash = strrchr(path, '/');
	int folder_len = slash ? (int)(slash - path + 1) : 0;
	for (int i = 0; i < NAME_TRIES; i++) {
		char *name CLEANUP(cleanup_free) = NULL;
		unsigned n = atomic_fetch_add(&counter, 1);
		if (asprintf(&name, "%.*s.%s.tmp-%ld-%u", folder_len, path, path + folder_len, (long)getpid(), n) < 0) {
			name = NULL;
			return -ENOMEM;
		}
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0) {
			*ret_name = TAKE_PTR(name);
			return fd;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/*
 * The rename is only safe on disk when the folder is; file systems that cannot say so answer EINVAL, which is as good
 * as it gets there.
 */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder CLEANUP(cleanup_free) = slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	if (!folder)
		return -ENOMEM;
	int fd CLEANUP(cleanup_fd) = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : -errno;
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

int file_write_atomic(const char *path, struct span content, struct err *e)
{
	struct stat st;
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return err_set(e, EINVAL, "%s: cannot be replaced: it is not a regular file", path);
	char *name CLEANUP(cleanup_free) = NULL;
	int fd CLEANUP(cleanup_fd) = open_temporary(path, &name);
	if (fd < 0)
		return fail(e, -fd, path, "cannot be written");
	int r = write_all(fd, content);
	if (r == 0 && fsync(fd) < 0 && errno != EINVAL)
		r = -errno;
	if (close(TAKE_FD(fd)) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(name, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(name);
		return fail(e, -r, path, "cannot be written");
	}
	r = sync_folder(path);
	return r < 0 ? fail(e, -r, path, "cannot be made safe on disk") : 0;
}

static int read_all(int fd, struct buf *b)
{
	for (;;) {
		size_t room = b->max - b->len < READ_CHUNK ? b->max - b->len : READ_CHUNK;
		/* At the limit, one octet more tells a file that just fits from one that does not. */
		uint8_t probe;
		int r = buf_reserve(b, room);
		if (r < 0)
			return r;
		ssize_t n = room ? read(fd, b->p + b->len, room) : read(fd, &probe, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if (!room)
			return -EFBIG;
		b->len += (size_t)n;
	}
}

int file_read(const char *path, size_t max, struct buf *ret, struct err *e)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail(e, errno, path, "cannot be read");
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, max);
	int r = read_all(fd, &b);
	if (r == -EFBIG)
		return err_set(e, EFBIG, "%s: cannot be read: it has more than %zu octets", path, max);
	if (r < 0)
		return fail(e, -r, path, "cannot be read");
	*ret = b;
	b = (struct buf){0};
	return 0;
}
