/* The log: numbers events, shows them to those who watch, and writes them down through one buffer. */
#include "harness/history/history.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/json.h"

struct watcher {
	void (*on_event)(void *owner, const struct event *e);
	void *owner;
};

struct history_log {
	struct watcher watchers[HISTORY_WATCHERS_MAX];
	size_t n_watchers;
	uint64_t count, last_us, flushed_us;
	struct buf unwritten;
	int fd;                    /* -1: no file */
	int failed;
	bool adding;
};

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

void history_flush(struct history_log *log)
{
	if (log->fd >= 0 && log->unwritten.len && !log->failed)
		log->failed = write_all(log->fd, buf_span(&log->unwritten));
	log->unwritten.len = 0;
	log->flushed_us = log->last_us;
}

/* {"format":"wsquall.events/1", and what the owner says}. Takes head. */
static int write_head(struct history_log *log, json_t *head)
{
	json_t *line = json_pack("{s:s}", "format", HISTORY_FORMAT);
	int r = line && (!head || json_object_update(line, head) == 0) ? 0 : -ENOMEM;
	if (r == 0)
		r = json_append(&log->unwritten, line);
	if (r == 0)
		r = buf_append_u8(&log->unwritten, '\n');
	json_decref(line);
	json_decref(head);
	if (r < 0)
		return r;
	history_flush(log);
	return log->failed;
}

int history_log_new(const char *path, json_t *head, struct history_log **ret_log, struct err *e)
{
	struct history_log *log = calloc(1, sizeof(*log));
	if (!log) {
		json_decref(head);
		return err_set(e, ENOMEM, "out of memory");
	}
	log->fd = -1;
	if (!path) {
		json_decref(head);
		*ret_log = log;
		return 0;
	}
	buf_init(&log->unwritten, HISTORY_HEAD_MAX);
	log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	int r = log->fd < 0 ? -errno : 0;
	if (r == 0)
		r = write_head(log, head);
	else
		json_decref(head);
	if (r < 0) {
		history_log_free(log);
		return err_set(e, -r, "%s cannot be written: %s", path, strerror(-r));
	}
	*ret_log = log;
	return 0;
}

int history_log_free(struct history_log *log)
{
	if (!log)
		return 0;
	history_flush(log);
	int r = log->failed;
	if (log->fd >= 0 && close(log->fd) < 0 && r == 0)
		r = -errno;
	buf_fini(&log->unwritten);
	free(log);
	return r;
}

void history_watch(struct history_log *log, void (*on_event)(void *owner, const struct event *e), void *owner)
{
	assert(log->n_watchers < HISTORY_WATCHERS_MAX);
	log->watchers[log->n_watchers++] = (struct watcher){on_event, owner};
}

static void write_event(struct history_log *log, const struct event *e)
{
	size_t before = log->unwritten.len;
	int r = event_append(&log->unwritten, e);
	if (r == 0)
		r = buf_append_u8(&log->unwritten, '\n');
	if (r < 0) {
		log->unwritten.len = before;
		log->failed = r;
		return;
	}
	assert(log->unwritten.len - before <= HISTORY_LINE_MAX);
	if (log->unwritten.len >= HISTORY_BUFFER || log->last_us - log->flushed_us >= HISTORY_FLUSH_MS * 1000)
		history_flush(log);
}

void history_add(struct history_log *log, struct event *e)
{
	assert(!log->adding);
	log->adding = true;
	e->number = ++log->count;
	if (e->at_us < log->last_us)
		e->at_us = log->last_us;
	log->last_us = e->at_us;
	for (size_t i = 0; i < log->n_watchers; i++)
		log->watchers[i].on_event(log->watchers[i].owner, e);
	if (log->fd >= 0 && !log->failed)
		write_event(log, e);
	log->adding = false;
}

int history_failed(const struct history_log *log)
{
	return log->failed;
}

uint64_t history_count(const struct history_log *log)
{
	return log->count;
}
