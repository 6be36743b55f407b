/*
 * Sockets of the naive engine. The way to end matters here: after the last octet FIN is sent at once (RFC 6455 7.1.1,
 * the server closes first), and then the peer's octets are read and discarded for a bounded time, because closing a
 * socket with unread octets sends a RST that can destroy the Close before the peer reads it.
 */
#include "server-under-test/naive/naive_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server-under-test/defects.h"
#include "server-under-test/metrics.h"
#include "server-under-test/http/reply.h"

#define READ_MAX (64 * 1024)

static struct ev_loop *loop_of(const struct naive_conn *conn)
{
	return conn->engine->server->loop;
}

static void set_deadline(struct naive_conn *conn, double seconds)
{
	ev_timer_stop(loop_of(conn), &conn->deadline);
	ev_timer_set(&conn->deadline, seconds, 0.);
	ev_timer_start(loop_of(conn), &conn->deadline);
}

void naive_conn_free(struct naive_conn *conn)
{
	ev_io_stop(loop_of(conn), &conn->read_io);
	ev_io_stop(loop_of(conn), &conn->write_io);
	ev_timer_stop(loop_of(conn), &conn->deadline);
	if (conn->websocket) {
		session_lost(&conn->session);
		log_disconnect(conn->engine->server->log, &conn->info, &conn->session.end);
		conn->engine->websockets--;
		metrics->connections_active--;
		if (conn->session.end.code < METRICS_CODES_MAX)
			metrics->closes[conn->session.end.code]++;
	}
	close(conn->fd);
	http_parser_fini(&conn->parser);
	session_fini(&conn->session);
	conn_info_fini(&conn->info);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		conn->engine->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	free(conn);
}

/* Sends what is queued. False when the connection is gone. */
static bool send_queued(struct naive_conn *conn)
{
	struct bytes *out = &conn->session.out;

	while (bytes_len(out) > 0) {
		ssize_t n = send(conn->fd, out->p + out->start, bytes_len(out), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			conn->session.end.clean = false;
			naive_conn_free(conn);
			return false;
		}
		bytes_consume(out, (size_t)n);
	}
	return true;
}

/* Moves the connection on after any event: sends, turns watchers on and off, and ends it when its time has come. */
static void conn_advance(struct naive_conn *conn)
{
	struct ev_loop *loop = loop_of(conn);
	size_t unsent;

	if (conn->phase == CONN_OPEN && conn->session.state == SESSION_ENDED) {
		conn->phase = CONN_FLUSH;
		set_deadline(conn, conn->engine->server->config->close_timeout_s);
		if (defect(close_waits_for_client))
			ev_timer_stop(loop, &conn->deadline);
	}
	if (!send_queued(conn))
		return;
	unsent = bytes_len(&conn->session.out);
	if (conn->phase == CONN_FLUSH && unsent == 0 && !defect(close_waits_for_client)) {
		if (conn->peer_ended) {
			naive_conn_free(conn);
			return;
		}
		shutdown(conn->fd, SHUT_WR);
		conn->phase = CONN_LINGER;
		set_deadline(conn, CONN_LINGER_S);
	}
	if (unsent > 0)
		ev_io_start(loop, &conn->write_io);
	else
		ev_io_stop(loop, &conn->write_io);
	if (conn->peer_ended || (conn->phase == CONN_OPEN && unsent > CONN_OUT_HIGH))
		ev_io_stop(loop, &conn->read_io);
	else
		ev_io_start(loop, &conn->read_io);
}

static void conn_refuse(struct naive_conn *conn, const struct handshake_verdict *verdict)
{
	if (verdict->upgrade_attempt)
		log_refused(conn->engine->server->log, &conn->info, verdict->status, verdict->why);
	reply_refuse(&conn->session.out, verdict, &conn->parser.request, conn->info.id);
	conn->phase = CONN_FLUSH;
	if (defect(refusal_reads_frames))
		conn->phase = CONN_OPEN;
	set_deadline(conn, conn->engine->server->config->close_timeout_s);
}

static void conn_open(struct naive_conn *conn, const struct handshake_verdict *verdict)
{
	struct server *server = conn->engine->server;
	const struct handshake_request *r = &conn->parser.request;

	conn_info_set(&conn->info.path, verdict->path);
	conn_info_set(&conn->info.subprotocol, verdict->subprotocol);
	if (r->origin.count > 0)
		conn_info_set(&conn->info.origin, r->origin.v[0]);
	reply_open(&conn->session.out, verdict, r, conn->info.id);
	conn->phase = CONN_OPEN;
	conn->websocket = true;
	conn->engine->websockets++;
	metrics->connections_active++;
	metrics->connections_total++;
	ev_timer_stop(loop_of(conn), &conn->deadline);
	log_connect(server->log, &conn->info);
	if (verdict->close_at_once)
		naive_conn_close(conn, 1008);
}

/* Octets of the request head; returns how many belonged to it. */
static size_t head_input(struct naive_conn *conn, const uint8_t *data, size_t len)
{
	struct server *server = conn->engine->server;
	struct handshake_verdict verdict = { .upgrade_attempt = true };
	size_t used = 0;
	enum http_progress progress = http_parser_feed(&conn->parser, data, len, &used);

	if (progress == HTTP_MORE)
		return used;
	if (progress == HTTP_BAD) {
		verdict.status = conn->parser.status;
		verdict.why = conn->parser.why;
	} else {
		verdict = handshake_judge(&conn->parser.request, server->config, server->refusing);
	}
	if (verdict.status == 101)
		conn_open(conn, &verdict);
	else
		conn_refuse(conn, &verdict);
	http_parser_fini(&conn->parser);
	return used;
}

static void conn_input(struct naive_conn *conn, const uint8_t *data, size_t len)
{
	if (conn->phase == CONN_HEAD) {
		size_t used = head_input(conn, data, len);

		data += used;
		len -= used;
	}
	if (conn->phase == CONN_OPEN)
		session_input(&conn->session, data, len);
}

static void conn_ended(struct naive_conn *conn)
{
	bool mid_frame = conn->session.state == SESSION_OPEN && (conn->session.in_payload || conn->session.head_len > 0);

	if (defect(eof_mid_frame_crashes) && mid_frame)
		abort();
	conn->peer_ended = true;
	if (defect(eof_ignored) && conn->phase == CONN_OPEN) {
		ev_io_stop(loop_of(conn), &conn->read_io);
		return;
	}
	if (conn->phase == CONN_HEAD || conn->phase == CONN_LINGER ||
	    (defect(close_waits_for_client) && conn->phase == CONN_FLUSH)) {
		naive_conn_free(conn);
		return;
	}
	session_lost(&conn->session);
	conn_advance(conn);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	static uint8_t data[READ_MAX];
	struct naive_conn *conn = io->data;
	ssize_t n = recv(conn->fd, data, sizeof(data), 0);

	(void)loop;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		if (defect(reset_crashes) && conn->phase == CONN_OPEN)
			abort();
		naive_conn_free(conn);
		return;
	}
	if (n == 0) {
		conn_ended(conn);
		return;
	}
	conn_input(conn, data, (size_t)n);
	conn_advance(conn);
}

static void on_writable(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	conn_advance(io->data);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct naive_conn *conn = timer->data;
	struct handshake_verdict verdict = {
		.status = 408,
		.why = "the request did not come in time",
		.upgrade_attempt = true,
	};

	(void)loop;
	(void)events;
	if (conn->phase == CONN_HEAD && conn->parser.len > 0) {
		conn_refuse(conn, &verdict);
		conn_advance(conn);
	} else if (conn->phase == CONN_OPEN) { /* our Close was not answered */
		session_lost(&conn->session);
		conn_advance(conn);
	} else {
		naive_conn_free(conn);
	}
}

bool naive_conn_close(struct naive_conn *conn, unsigned code)
{
	static const struct {
		unsigned code;
		const char *reason;
	} reasons[] = { { 1001, "going away" }, { 1008, "policy" }, { 1012, "service restart" } };
	const char *reason = "";

	if (conn->phase != CONN_OPEN || conn->session.state != SESSION_OPEN)
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (reasons[i].code == code)
			reason = reasons[i].reason;
	session_close(&conn->session, code, reason);
	set_deadline(conn, conn->engine->server->config->close_timeout_s);
	ev_io_start(loop_of(conn), &conn->write_io);
	return true;
}

void naive_conn_new(struct naive_engine *engine, int fd, const char *ip)
{
	struct naive_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		abort();
	conn->engine = engine;
	conn->fd = fd;
	conn->next = engine->conns;
	if (conn->next)
		conn->next->prev = conn;
	engine->conns = conn;
	conn_info_init(&conn->info, engine->server->log, ip);
	http_parser_init(&conn->parser, engine->server->config->header_max);
	session_init(&conn->session, &conn->info, engine->server->config->echo_max);
	conn->session.close_trigger = engine->server->config->close_trigger;
	ev_io_init(&conn->read_io, on_readable, fd, EV_READ);
	conn->read_io.data = conn;
	ev_io_init(&conn->write_io, on_writable, fd, EV_WRITE);
	conn->write_io.data = conn;
	ev_timer_init(&conn->deadline, on_deadline, engine->server->config->handshake_timeout_s, 0.);
	conn->deadline.data = conn;
	ev_io_start(engine->server->loop, &conn->read_io);
	ev_timer_start(engine->server->loop, &conn->deadline);
}
