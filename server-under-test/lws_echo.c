/*
 * The echo service on libwebsockets. Our own Closes are written as frames instead of left to the library: that is the
 * only way to learn that the peer answered, which the log needs. UTF-8 is checked here, not by
 * LWS_SERVER_OPTION_VALIDATE_UTF8: the library lets a Pong between two fragments spoil its state, and overlooks a
 * text that is cut short before an empty last fragment.
 */
#include <stdlib.h>
#include <string.h>

#include "server-under-test/close_body.h"
#include "server-under-test/lws_engine.h"

/* The library's value for a Close frame; its public list names 4 only in a comment. */
#define WRITE_CLOSE ((enum lws_write_protocol)4)

static void message_free(struct lws_message *m)
{
	if (!m)
		return;
	free(m->room);
	free(m);
}

static void message_append(struct lws_message *m, const void *data, size_t len)
{
	size_t capacity = m->capacity ? m->capacity : 256;

	while (capacity < m->len + len)
		capacity *= 2;
	if (capacity != m->capacity) {
		m->room = realloc(m->room, LWS_PRE + capacity);
		if (!m->room)
			abort();
		m->capacity = capacity;
	}
	if (len > 0)
		memcpy(m->room + LWS_PRE + m->len, data, len);
	m->len += len;
}

void lws_echo_fini(struct lws_conn *conn)
{
	while (conn->queue) {
		struct lws_message *m = conn->queue;

		conn->queue = m->next;
		message_free(m);
	}
	conn->queue_end = &conn->queue;
	message_free(conn->incoming);
	conn->incoming = NULL;
}

int lws_echo_established(struct lws_conn *conn)
{
	conn->websocket = true;
	conn->engine->websockets++;
	log_connect(conn->engine->server->log, &conn->info);
	return 0;
}

static void pause_reading(struct lws_conn *conn, bool pause)
{
	if (conn->read_paused == pause)
		return;
	conn->read_paused = pause;
	lws_rx_flow_control(conn->wsi, !pause);
}

static int write_close(struct lws_conn *conn, const unsigned char *body, size_t len)
{
	unsigned char frame[LWS_PRE + 2 + LOG_REASON_MAX];

	memcpy(frame + LWS_PRE, body, len);
	conn->close_sent = true;
	return lws_write(conn->wsi, frame + LWS_PRE, len, WRITE_CLOSE) < 0 ? -1 : 0;
}

/* The Close we decided on, in conn->end. */
static int write_own_close(struct lws_conn *conn)
{
	unsigned char body[2 + LOG_REASON_MAX] = { (unsigned char)(conn->end.code >> 8), (unsigned char)conn->end.code };

	memcpy(body + 2, conn->end.reason, conn->end.reason_len);
	if (write_close(conn, body, 2 + conn->end.reason_len) < 0)
		return -1;
	lws_set_timer_usecs(conn->wsi, (lws_usec_t)(conn->engine->server->config->close_timeout_s * LWS_USEC_PER_SEC));
	return 0;
}

/*
 * Fails the connection (RFC 6455 7.1.7): sends the Close now, if the socket takes it, and returns what makes the
 * library end TCP without looking at what the peer sent behind.
 */
static int fail(struct lws_conn *conn, unsigned code, const char *reason)
{
	conn->end.code = code;
	conn->end.initiator = INITIATOR_SERVER;
	conn_end_set_reason(&conn->end, reason, strlen(reason));
	conn->closing = true;
	if (!lws_send_pipe_choked(conn->wsi))
		write_own_close(conn);
	return -1;
}

static bool is_close_trigger(const struct lws_conn *conn, const struct lws_message *m)
{
	const char *trigger = conn->engine->server->config->close_trigger;

	return trigger && !m->binary && m->len == strlen(trigger) && memcmp(m->room + LWS_PRE, trigger, m->len) == 0;
}

static void message_done(struct lws_conn *conn)
{
	struct lws_message *m = conn->incoming;

	conn->incoming = NULL;
	conn->info.received++;
	if (is_close_trigger(conn, m)) {
		message_free(m);
		lws_echo_close(conn, 1001);
		return;
	}
	conn->queued += m->len;
	*conn->queue_end = m;
	conn->queue_end = &m->next;
	if (conn->queued > LWS_ECHO_QUEUE_MAX)
		pause_reading(conn, true);
	lws_callback_on_writable(conn->wsi);
}

int lws_echo_receive(struct lws_conn *conn, const void *data, size_t len)
{
	uint64_t whole;

	if (conn->closing)
		return 0;
	if (!conn->incoming) {
		conn->incoming = calloc(1, sizeof(*conn->incoming));
		if (!conn->incoming)
			abort();
		conn->incoming->binary = lws_frame_is_binary(conn->wsi);
	}
	whole = (uint64_t)conn->incoming->len + len + lws_remaining_packet_payload(conn->wsi);
	if (whole > conn->engine->server->config->echo_max)
		return fail(conn, 1009, "the message is too large");
	if (!conn->incoming->binary && !utf8_feed(&conn->incoming->utf8, data, len))
		return fail(conn, 1007, "the text is not UTF-8");
	message_append(conn->incoming, data, len);
	if (!lws_is_final_fragment(conn->wsi) || lws_remaining_packet_payload(conn->wsi) > 0)
		return 0;
	if (!conn->incoming->binary && !utf8_complete(&conn->incoming->utf8))
		return fail(conn, 1007, "the text ends inside a character");
	message_done(conn);
	return 0;
}

/* Sends one frame of at most max octets of the first message; the library keeps what the socket does not take. */
static int write_message(struct lws_conn *conn, size_t max)
{
	struct lws_message *m = conn->queue;
	size_t len = m->len - m->sent < max ? m->len - m->sent : max;
	bool first = m->sent == 0;
	bool last = m->sent + len == m->len;
	int flags = lws_write_ws_flags(m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT, first, last);

	if (lws_write(conn->wsi, m->room + LWS_PRE + m->sent, len, (enum lws_write_protocol)flags) < 0)
		return -1;
	m->sent += len;
	if (!last)
		return 0;
	conn->info.sent++;
	conn->queued -= m->len;
	conn->queue = m->next;
	if (!conn->queue)
		conn->queue_end = &conn->queue;
	message_free(m);
	return 0;
}

/*
 * The library fails a connection by itself: it sends its Close, then calls back here, and would wait for the peer's
 * Close. The log gets what it sent, and TCP ends now (RFC 6455 7.1.7); an echo still queued must not follow the
 * Close.
 */
static bool library_failed(struct lws_conn *conn)
{
	int len = lws_get_close_length(conn->wsi);
	const unsigned char *body = lws_get_close_payload(conn->wsi);

	if (conn->end.code || len < 2 || !body)
		return false;
	conn->closing = true;
	conn->close_sent = true;
	conn->end.code = (unsigned)(body[0] << 8 | body[1]);
	conn->end.initiator = INITIATOR_SERVER;
	conn_end_set_reason(&conn->end, body + 2, (size_t)len - 2);
	return true;
}

int lws_echo_writeable(struct lws_conn *conn)
{
	if (library_failed(conn))
		return -1;
	while (conn->queue && !lws_send_pipe_choked(conn->wsi))
		if (write_message(conn, LWS_ECHO_WRITE_MAX) < 0)
			return -1;
	if (conn->queued <= LWS_ECHO_QUEUE_MAX / 2)
		pause_reading(conn, false);
	if (conn->queue || (conn->closing && lws_send_pipe_choked(conn->wsi))) {
		lws_callback_on_writable(conn->wsi);
		return 0;
	}
	return conn->closing && !conn->close_sent ? write_own_close(conn) : 0;
}

bool lws_echo_close(struct lws_conn *conn, unsigned code)
{
	const char *reason = code == 1012 ? "service restart" : "going away";

	if (!conn->websocket || conn->closing || conn->end.code)
		return false;
	conn->closing = true;
	conn->end.code = code;
	conn->end.initiator = INITIATOR_SERVER;
	conn_end_set_reason(&conn->end, reason, strlen(reason));
	lws_callback_on_writable(conn->wsi);
	return true;
}

/*
 * Answers the peer's Close here, after the echoes that are due, as long as the socket takes them at once: the library
 * would put its answer before them, and repeats codes above 4999 and bodies of one octet. Writing on while the
 * library still holds a part of the last frame is not possible (the next frame would lose its head), so then the
 * library answers.
 */
int lws_echo_peer_close(struct lws_conn *conn, const unsigned char *body, size_t len)
{
	struct frame_fault fault = close_check(body, len);

	if (conn->close_sent) { /* the answer to ours: nothing more to send */
		conn->end.clean = fault.code == 0;
		return -1;
	}
	conn->closing = true;
	while (conn->queue && !lws_send_pipe_choked(conn->wsi))
		if (write_message(conn, conn->queue->len) < 0)
			return -1;
	if (fault.code)
		return fail(conn, fault.code, fault.why);
	conn->end.code = len < 2 ? 1005 : (unsigned)(body[0] << 8 | body[1]);
	conn->end.initiator = INITIATOR_CLIENT;
	conn_end_set_reason(&conn->end, len > 2 ? body + 2 : body, len > 2 ? len - 2 : 0);
	conn->end.clean = true;
	if (conn->queue || lws_send_pipe_choked(conn->wsi))
		return 0;
	conn->end.clean = write_close(conn, body, len < 2 ? 0 : 2) == 0;
	return -1;
}

void lws_echo_closed(struct lws_conn *conn)
{
	if (!conn->websocket)
		return;
	conn->websocket = false;
	conn->engine->websockets--;
	if (conn->end.code == 0 && !library_failed(conn)) {
		conn->end.code = 1006;
		conn->end.initiator = INITIATOR_NETWORK;
	}
	log_disconnect(conn->engine->server->log, &conn->info, &conn->end);
}
