/* While a fault is in force nothing may wait for the reader of our log: signals and the end of --for come first. */
#include "harness/inject_log.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/json.h"

void inject_log_init(struct inject_log *log, struct loop *l)
{
	*log = (struct inject_log){.loop = l};
	buf_init(&log->waiting, INJECT_LOG_MAX);
}

/* A pipe that is ready for any takes PIPE_BUF octets at once (pipe(7)); files always do. */
static bool write_some(struct inject_log *log, int patience_ms)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
	size_t len = log->waiting.len < PIPE_BUF ? log->waiting.len : PIPE_BUF;
	if (len == 0 || log->error || poll(&out, 1, patience_ms) != 1)
		return false;
	ssize_t n = write(STDOUT_FILENO, log->waiting.p, len);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		log->error = -errno;
	else if (n > 0)
		buf_consume(&log->waiting, (size_t)n);
	return n > 0;
}

static void on_ready(void *owner)
{
	struct inject_log *log = owner;
	while (write_some(log, 0))
		;
	if (!log->waiting.len || log->error)
		watch_stop(&log->watch);
}

static void watch_for_room(struct inject_log *log)
{
	int fd = dup(STDOUT_FILENO); /* a watch closes its own */
	if (fd >= 0)
		watch_start(&log->watch, log->loop, fd, true, on_ready, log);
}

void inject_log_put(struct inject_log *log, json_t *event)
{
	struct buf line CLEANUP(buf_fini) = {0};
	char time[CLOCK_RFC3339_LEN];
	buf_init(&line, INJECT_LINE_MAX);
	clock_rfc3339(time, sizeof(time));
	json_object_set_new(event, "time", json_string(time));
	int r = json_append(&line, event);
	if (r == 0)
		r = buf_append_u8(&line, '\n');
	if (r == 0)
		r = buf_append_span(&log->waiting, buf_span(&line));
	log->lost += r < 0;
	json_decref(event);
	while (write_some(log, 0))
		;
	if (log->waiting.len && !log->error && !log->watch.handle)
		watch_for_room(log);
}

int inject_log_end(struct inject_log *log)
{
	uint64_t until_us = clock_now_us() + INJECT_LOG_END_MS * 1000, now_us;
	while (log->waiting.len && !log->error && (now_us = clock_now_us()) < until_us)
		write_some(log, (int)((until_us - now_us) / 1000 + 1));
	return log->error ? log->error : log->waiting.len ? -ETIMEDOUT : 0;
}

void inject_log_fini(struct inject_log *log)
{
	watch_stop(&log->watch);
	buf_fini(&log->waiting);
}
