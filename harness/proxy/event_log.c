/*
 * A line is collected and written on the loop's next turn: thousands of hits a second are a few write() calls. Writing
 * waits for who reads slowly, so that no line is lost.
 */
#include "harness/proxy/event_log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/json.h"
#include "harness/proxy/options_json.h"

struct event_log {
	struct loop *loop;
	int fd;                    /* -1: memory alone */
	bool times, failed, armed;
	struct timer flush;
	struct buf pending;
	char *lines[EVENT_LOG_KEPT]; /* line n at n % EVENT_LOG_KEPT */
	uint64_t n;
};

int event_log_new(struct loop *l, const char *path, bool times, struct event_log **ret_log, struct err *e)
{
	int fd = -1;
	if (path && strcmp(path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (path && fd < 0)
		return err_set(e, errno, "the event log %s cannot be written: %s", path, strerror(errno));
	struct event_log *log = calloc(1, sizeof(*log));
	if (!log) {
		if (fd >= 0)
			close(fd);
		return err_set(e, ENOMEM, "out of memory");
	}
	log->loop = l;
	log->fd = fd;
	log->times = times;
	buf_init(&log->pending, EVENT_LOG_PENDING_MAX + EVENT_LOG_LINE_MAX + 1);
	*ret_log = log;
	return 0;
}

static void fail(struct event_log *log, int error)
{
	if (!log->failed)
		fprintf(stderr, "wsquall: the event log cannot be written any more: %s\n", strerror(error));
	log->failed = true;
}

static void write_pending(struct event_log *log)
{
	for (size_t at = 0; at < log->pending.len && !log->failed;) {
		ssize_t n = write(log->fd, log->pending.p + at, log->pending.len - at);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) /* whoever shares it made it non-blocking */
			poll(&(struct pollfd){.fd = log->fd, .events = POLLOUT}, 1, -1);
		else if (n < 0 && errno != EINTR)
			fail(log, errno);
		else if (n > 0)
			at += (size_t)n;
	}
	log->pending.len = 0;
}

static void on_flush(void *owner)
{
	struct event_log *log = owner;
	log->armed = false;
	write_pending(log);
}

void event_log_free(struct event_log *log)
{
	if (!log)
		return;
	write_pending(log);
	timer_fini(&log->flush);
	if (log->fd >= 0)
		close(log->fd);
	for (size_t i = 0; i < EVENT_LOG_KEPT; i++)
		free(log->lines[i]);
	buf_fini(&log->pending);
	free(log);
}

bool event_log_has_times(const struct event_log *log)
{
	return log->times;
}

static void put(struct event_log *log, const char *line, size_t len)
{
	if (log->fd < 0 || log->failed)
		return;
	if (buf_append(&log->pending, line, len) < 0 || buf_append_u8(&log->pending, '\n') < 0)
		fail(log, ENOMEM);
	else if (log->pending.len > EVENT_LOG_PENDING_MAX)
		write_pending(log);
	else if (!log->armed)
		log->armed = timer_start(&log->flush, log->loop, 0, on_flush, log) == 0;
}

static void keep(struct event_log *log, const char *line, size_t len)
{
	char **place = &log->lines[log->n++ % EVENT_LOG_KEPT];
	free(*place);
	*place = strndup(line, len);
}

void event_log_tell(struct event_log *log, json_t *event)
{
	struct buf line CLEANUP(buf_fini) = {0};
	buf_init(&line, EVENT_LOG_LINE_MAX);
	if (event && log->times) {
		char time[CLOCK_RFC3339_LEN];
		clock_rfc3339(time, sizeof(time));
		json_object_set_new(event, "time", json_string(time));
	}
	if (event && options_json_print(&line, event) == 0) {
		keep(log, (const char *)line.p, line.len);
		put(log, (const char *)line.p, line.len);
	}
	json_decref(event);
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, json_text(span_str(text)));
}

void event_log_tell_fault(struct event_log *log, const struct fault_event *event)
{
	char name[64];
	json_t *o = json_object();
	const char *kind = event->fault ? "toxic" : event->connection ? "connection" : "proxy";
	snprintf(name, sizeof(name), "%s.%s", kind, event->what);
	set_text(o, "event", name);
	set_text(o, "proxy", event->node);
	set_text(o, "toxic", event->fault ? event->name : NULL);
	set_text(o, "type", event->fault);
	if (event->connection)
		json_object_set_new(o, "connection", json_integer((json_int_t)event->connection));
	set_text(o, "stream", event->stream);
	if (event->stream)
		json_object_set_new(o, "at", json_integer((json_int_t)event->at));
	set_text(o, "detail", event->detail);
	event_log_tell(log, o);
}

int event_log_recent(const struct event_log *log, struct buf *b)
{
	uint64_t lost = log->n > EVENT_LOG_KEPT ? log->n - EVENT_LOG_KEPT : 0;
	int r = buf_printf(b, "{\"lost\":%llu,\"events\":[", (unsigned long long)lost);
	bool first = true;
	for (uint64_t i = lost; i < log->n && r == 0; i++) {
		const char *line = log->lines[i % EVENT_LOG_KEPT];
		if (!line)
			continue;
		r = buf_printf(b, "%s%s", first ? "" : ",", line);
		first = false;
	}
	return r < 0 ? r : buf_printf(b, "]}");
}
