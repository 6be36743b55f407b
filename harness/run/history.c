/* Append-only lines. */
#include "harness/run/history.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/json.h"
#include "harness/base/limits.h"

int history_open(struct history *h, const char *path, struct err *e)
{
	h->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	return h->fd < 0 ? err_set(e, errno, "%s cannot be written: %s", path, strerror(errno)) : 0;
}

static int write_all(int fd, struct span octets)
{
	while (octets.len) {
		ssize_t n = write(fd, octets.p, octets.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		octets = span_sub(octets, (size_t)n, octets.len);
	}
	return 0;
}

int history_append(struct history *h, json_t *event)
{
	struct buf line;
	buf_init(&line, RESULT_FILE_MAX);
	int r = json_append(&line, event);
	if (r == 0)
		r = buf_append_u8(&line, '\n');
	if (r == 0 && h->fd >= 0)
		r = write_all(h->fd, buf_span(&line));
	buf_fini(&line);
	json_decref(event);
	return r;
}

void history_close(struct history *h)
{
	cleanup_fd(&h->fd);
}
