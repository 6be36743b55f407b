/* Reads a history's file back: it may be of a run that was killed, or no history at all. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "harness/history/history.h"

enum { CHUNK = 256 << 10 };

struct reader {
	const char *path;
	void (*on_head)(void *owner, const json_t *head);
	void (*on_event)(void *owner, const struct event *e);
	void *owner;
	struct err *e;
	uint64_t line;
};

static int refuse(const struct reader *r, const char *why)
{
	return err_set(r->e, EINVAL, "%s:%llu: %s", r->path, (unsigned long long)r->line, why);
}

static int read_head(struct reader *r, json_t *o)
{
	const char *format = json_string_value(json_object_get(o, "format"));
	if (!format || strcmp(format, HISTORY_FORMAT) != 0)
		return refuse(r, "this is no history of events (" HISTORY_FORMAT ")");
	if (r->on_head)
		r->on_head(r->owner, o);
	return 0;
}

static int read_event(struct reader *r, json_t *o)
{
	struct event event;
	struct err why;
	if (event_from_json(o, &event, &why) < 0)
		return refuse(r, why.text);
	r->on_event(r->owner, &event);
	return 0;
}

static int read_line(struct reader *r, struct span line, bool cut)
{
	r->line++;
	if (line.len > (r->line == 1 ? HISTORY_HEAD_MAX : HISTORY_LINE_MAX))
		return refuse(r, "the line is too long");
	json_error_t error;
	json_t *o = json_loadb((const char *)line.p, line.len, JSON_REJECT_DUPLICATES, &error);
	if (!o && cut && r->line > 1)
		return 0; /* whoever wrote it was killed meanwhile */
	int status = o ? r->line == 1 ? read_head(r, o) : read_event(r, o) : refuse(r, error.text);
	json_decref(o);
	return status;
}

/* Takes whole lines from the front of b. */
static int read_lines(struct reader *r, struct buf *b)
{
	size_t at = 0;
	int status = 0;
	while (status == 0) {
		const uint8_t *end = at < b->len ? memchr(b->p + at, '\n', b->len - at) : NULL;
		if (!end)
			break;
		size_t len = (size_t)(end - (b->p + at));
		status = read_line(r, span_of(b->p + at, len), false);
		at += len + 1;
	}
	buf_consume(b, at);
	return status;
}

static int read_all(struct reader *r, int fd, struct buf *b)
{
	for (;;) {
		int status = buf_reserve(b, CHUNK);
		if (status == -ENOBUFS)
			return r->line++, refuse(r, "the line is too long");
		if (status < 0)
			return err_set(r->e, -status, "%s cannot be read: out of memory", r->path);
		ssize_t n = read(fd, b->p + b->len, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(r->e, errno, "%s cannot be read: %s", r->path, strerror(errno));
		if (n == 0)
			break;
		b->len += (size_t)n;
		status = read_lines(r, b);
		if (status < 0)
			return status;
	}
	if (b->len || r->line == 0)
		return read_line(r, buf_span(b), true);
	return 0;
}

int history_read(const char *path, void (*on_head)(void *owner, const json_t *head),
		 void (*on_event)(void *owner, const struct event *e), void *owner, struct err *e)
{
	struct reader r = {path, on_head, on_event, owner, e, 0};
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, HISTORY_HEAD_MAX + CHUNK);
	int fd CLEANUP(cleanup_fd) = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "%s cannot be read: %s", path, strerror(errno));
	return read_all(&r, fd, &b);
}
