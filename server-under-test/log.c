/* The log a deployment would ship: JSON lines that the harness joins with what it saw on the wire. */
#include "server-under-test/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "server-under-test/base/clock.h"
#include "server-under-test/defects.h"

/*
 * Standard output is opened again: O_NONBLOCK would otherwise be set for whoever shares it with us, as the terminal's
 * shell does. A socket cannot be opened again; it is used as it is.
 */
static int open_stdout(void)
{
	return open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
}

int log_open(struct log *log, const char *path, const char *node, struct err *err)
{
	bool to_stdout = strcmp(path, "-") == 0;

	*log = (struct log){ .node = node };
	if (getrandom(&log->boot, sizeof(log->boot), 0) < 0)
		log->boot = (uint32_t)getpid();
	log->fd = to_stdout ? open_stdout() : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644);
	log->owns_fd = log->fd >= 0;
	if (log->fd < 0 && to_stdout)
		log->fd = STDOUT_FILENO;
	if (log->fd < 0) {
		int r = -errno;

		err_set(err, "cannot write the log %s: %s", path, strerror(errno));
		return r;
	}
	return 0;
}

void log_close(struct log *log)
{
	if (log->owns_fd)
		close(log->fd);
	log->owns_fd = false;
}

void conn_info_init(struct conn_info *info, struct log *log, const char *ip)
{
	*info = (struct conn_info){ .opened_s = clock_monotonic_s() };
	snprintf(info->id, sizeof(info->id), "%08x-%08x", log->boot, ++log->conns);
	snprintf(info->ip, sizeof(info->ip), "%s", ip);
}

void conn_info_fini(struct conn_info *info)
{
	free(info->path);
	free(info->origin);
	free(info->subprotocol);
	free(info->session);
	free(info->user);
}

void conn_info_set(char **field, struct text value)
{
	free(*field);
	*field = value.len > 0 ? strndup(value.p, value.len < LOG_TEXT_MAX ? value.len : LOG_TEXT_MAX) : NULL;
	if (value.len > 0 && !*field)
		abort();
}

void conn_end_set_reason(struct conn_end *end, const void *reason, size_t len)
{
	if (len > LOG_REASON_MAX)
		len = LOG_REASON_MAX;
	if (len > 0)
		memcpy(end->reason, reason, len);
	end->reason[len] = '\0';
	end->reason_len = len;
}

/* Bytes of a peer need not be UTF-8; a log line must be. */
static json_t *json_of(const char *p, size_t len)
{
	json_t *json = json_stringn(p, len);
	char clean[LOG_TEXT_MAX];

	if (json)
		return json;
	if (len > sizeof(clean))
		len = sizeof(clean);
	for (size_t i = 0; i < len; i++)
		clean[i] = (unsigned char)p[i] < 0x80 ? p[i] : '?';
	return json_stringn(clean, len);
}

static json_t *json_or_null(const char *string)
{
	return string && *string ? json_of(string, strlen(string)) : json_null();
}

static json_t *line_new(struct log *log, const char *event, const struct conn_info *info)
{
	struct timespec now;
	struct tm tm;
	char ts[64];
	json_t *line = json_object();

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	snprintf(ts, sizeof(ts), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		 tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
	json_object_set_new(line, "ts", json_string(ts));
	json_object_set_new(line, "event", json_string(event));
	json_object_set_new(line, "conn", info ? json_string(info->id) : json_null());
	json_object_set_new(line, "node", json_of(log->node, strlen(log->node)));
	return line;
}

static bool wait_writable(struct log *log, int timeout_ms)
{
	struct pollfd pollfd = { .fd = log->fd, .events = POLLOUT };

	return poll(&pollfd, 1, timeout_ms) > 0 && (pollfd.revents & POLLOUT);
}

/* A line longer than PIPE_BUF may be taken in part. False: it is lost, or the rest of it. */
static bool write_all(struct log *log, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(log->fd, text + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN && !log->stuck && wait_writable(log, LOG_PATIENCE_MS))
			continue;
		else
			break;
	}
	log->stuck = done < len;
	return !log->stuck;
}

/* The defect log_not_json: a line as it is without a library that escapes quotation marks. */
static void drop_escapes(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != '\\' || text[1] != '"')
			*to++ = *text;
	*to = '\0';
}

static bool json_write(struct log *log, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);
	size_t len;
	bool written;

	json_decref(line);
	if (!text)
		return false;
	if (defect(log_not_json))
		drop_escapes(text);
	len = strlen(text);
	text[len] = '\n'; /* in place of the NUL: the length is kept apart from here on */
	written = write_all(log, text, len + 1);
	free(text);
	return written;
}

static void line_write(struct log *log, json_t *line)
{
	if (log->lost > 0) {
		json_t *news = line_new(log, "log.lost", NULL);

		json_object_set_new(news, "lines", json_integer((json_int_t)log->lost));
		if (json_write(log, news))
			log->lost = 0;
	}
	if (!json_write(log, line))
		log->lost++;
}

void log_server_ready(struct log *log, unsigned port, bool tls, unsigned workers)
{
	json_t *line = line_new(log, "server.ready", NULL);

	json_object_set_new(line, "port", json_integer(port));
	json_object_set_new(line, "tls", json_boolean(tls));
	json_object_set_new(line, "workers", json_integer(workers));
	line_write(log, line);
}

void log_server_drain(struct log *log, unsigned code, unsigned connections)
{
	json_t *line = line_new(log, "server.drain", NULL);

	json_object_set_new(line, "code", json_integer(code));
	json_object_set_new(line, "connections", json_integer(connections));
	line_write(log, line);
}

void log_backplane(struct log *log, bool up)
{
	line_write(log, line_new(log, up ? "backplane.up" : "backplane.down", NULL));
}

void log_tls_reload(struct log *log, const char *problem)
{
	json_t *line = line_new(log, "tls.reload", NULL);

	json_object_set_new(line, "ok", json_boolean(!problem));
	json_object_set_new(line, "problem", json_or_null(problem));
	line_write(log, line);
}

void log_worker_died(struct log *log, unsigned index, int pid, int signum, int exit_code)
{
	json_t *line = line_new(log, "server.worker_died", NULL);

	json_object_set_new(line, "worker", json_integer(index));
	json_object_set_new(line, "pid", json_integer(pid));
	json_object_set_new(line, "signal", signum < 0 ? json_null() : json_integer(signum));
	json_object_set_new(line, "exit", signum < 0 ? json_integer(exit_code) : json_null());
	line_write(log, line);
}

void log_connect(struct log *log, struct conn_info *info)
{
	json_t *line = line_new(log, "ws.connect", info);

	info->opened_s = clock_monotonic_s();
	json_object_set_new(line, "ip", json_or_null(info->ip));
	json_object_set_new(line, "path", json_or_null(info->path));
	json_object_set_new(line, "origin", json_or_null(info->origin));
	json_object_set_new(line, "subprotocol", json_or_null(info->subprotocol));
	json_object_set_new(line, "session", json_or_null(info->session));
	json_object_set_new(line, "user", json_or_null(info->user));
	line_write(log, line);
}

static const char *initiator_name(enum initiator initiator)
{
	static const char *const names[] = {
		[INITIATOR_CLIENT] = "client",
		[INITIATOR_SERVER] = "server",
		[INITIATOR_NETWORK] = "network",
	};

	if (defect(log_initiator_swapped) && initiator != INITIATOR_NETWORK)
		initiator = initiator == INITIATOR_CLIENT ? INITIATOR_SERVER : INITIATOR_CLIENT;
	return names[initiator];
}

void log_disconnect(struct log *log, const struct conn_info *info, const struct conn_end *end)
{
	size_t reason_len = defect(log_close_without_reason) ? 0 : end->reason_len;
	unsigned code = defect(log_close_always_1000) ? 1000 : end->code;
	struct conn_info other;
	json_t *line;

	if (defect(log_no_abnormal_end) && end->code == 1006)
		return;
	line = line_new(log, "ws.disconnect", info);
	if (defect(log_conn_missing)) {
		conn_info_init(&other, log, info->ip);
		json_object_set_new(line, "conn", json_string(other.id));
	}
	json_object_set_new(line, "code", json_integer(code));
	json_object_set_new(line, "reason", json_of(end->reason, reason_len));
	json_object_set_new(line, "clean", json_boolean(end->clean));
	json_object_set_new(line, "initiator", json_string(initiator_name(end->initiator)));
	json_object_set_new(line, "duration_ms", json_integer((json_int_t)((clock_monotonic_s() - info->opened_s) * 1000)));
	json_object_set_new(line, "sent", json_integer((json_int_t)info->sent));
	json_object_set_new(line, "received", json_integer((json_int_t)info->received));
	line_write(log, line);
}

void log_refused(struct log *log, const struct conn_info *info, unsigned status, const char *why)
{
	json_t *line = line_new(log, "ws.refused", info);

	json_object_set_new(line, "status", json_integer(status));
	json_object_set_new(line, "why", json_string(why));
	line_write(log, line);
}

void log_slow_consumer(struct log *log, const struct conn_info *info, size_t buffered)
{
	json_t *line = line_new(log, "ws.slow_consumer", info);

	json_object_set_new(line, "buffered", json_integer((json_int_t)buffered));
	line_write(log, line);
}

void log_heartbeat_timeout(struct log *log, const struct conn_info *info)
{
	line_write(log, line_new(log, "ws.heartbeat_timeout", info));
}
