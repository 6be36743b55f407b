/*
 * One WebSocket on libwebsockets from the 101 to the end. Closes are written as frames here instead of left to the
 * library: that is the only way to learn that the peer answered, which the log needs. Nothing is ended within a call
 * of a service: what it asks for happens at the end of the loop turn, when no callback of the library is running.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "server-under-test/auth.h"
#include "server-under-test/naive/close_body.h"
#include "server-under-test/defects.h"
#include "server-under-test/limits.h"
#include "server-under-test/lws/lws_engine.h"
#include "server-under-test/metrics.h"

#define LEAK_BYTES (16u * 1024)

void wire_set_user(struct wire *wire, void *user)
{
	wire->user = user;
}

void *wire_user(const struct wire *wire)
{
	return wire->user;
}

struct server *wire_server(const struct wire *wire)
{
	return wire->engine->server;
}

struct conn_info *wire_info(struct wire *wire)
{
	return &wire->info;
}

static void start_free(struct wire_start *start)
{
	if (!start)
		return;
	identity_free(start->identity);
	free(start->query);
	free(start->cookie);
	free(start);
}

int lws_wire_opened(struct wire *wire)
{
	struct wire_start *start = wire->start;
	struct wire_opening opening = {
		.query = text_from(start->query),
		.cookie = text_from(start->cookie),
		.identity = start->identity,
	};

	wire->open = true;
	wire->engine->websockets++;
	metrics->connections_active++;
	metrics->connections_total++;
	wire->reading = true;
	ev_io_set(&wire->readable, lws_get_socket_fd(wire->wsi), EV_READ);
	ev_io_start(wire->engine->server->loop, &wire->readable);
	start->identity = NULL; /* the service's */
	wire->start = NULL;
	wire->service->opened(wire, &opening);
	start_free(start);
	return 0;
}

void wire_send(struct wire *wire, struct frame *frame)
{
	if (!wire->open || wire->closing)
		return;
	lws_output_add(wire, frame_ref(wire->deflate ? frame_deflated(frame) : frame));
	lws_wire_mark(wire);
}

void wire_send_copy(struct wire *wire, bool binary, const uint8_t *data, size_t len)
{
	struct frame *frame;

	if (!wire->open || wire->closing)
		return;
	frame = frame_make(0x80 | (binary ? OPCODE_BINARY : OPCODE_TEXT), data, len);
	wire_send(wire, frame);
	frame_unref(frame);
}

void wire_ping(struct wire *wire)
{
	if (!wire->open || wire->closing)
		return;
	lws_output_add_first(wire, frame_ref(wire->engine->ping)); /* else a slow reader would get it too late */
	lws_wire_mark(wire);
}

void wire_pause(struct wire *wire, bool pause)
{
	if (!wire->open || wire->closing || wire->paused == pause)
		return;
	wire->paused = pause;
	lws_input_reading(wire);
}

static void set_end(struct wire *wire, unsigned code, enum initiator initiator, const void *reason, size_t len)
{
	wire->end = calloc(1, sizeof(*wire->end));
	if (!wire->end)
		abort();
	wire->end->code = code;
	wire->end->initiator = initiator;
	conn_end_set_reason(wire->end, reason, len);
}

/* From here on the peer is read only for its Close. */
static void begin_closing(struct wire *wire)
{
	wire->closing = true;
	lws_input_stop(wire);
	if (wire->ending)
		ev_io_stop(wire->engine->server->loop, &wire->readable);
	else
		lws_input_reading(wire);
}

static void add_close(struct wire *wire, const uint8_t *body, size_t len)
{
	lws_output_add(wire, frame_make(0x80 | OPCODE_CLOSE, body, len));
}

/* The Close we decided on, in wire->end. */
static void add_own_close(struct wire *wire)
{
	const struct conn_end *end = wire->end;
	uint8_t body[2 + LOG_REASON_MAX] = { (uint8_t)(end->code >> 8), (uint8_t)end->code };

	memcpy(body + 2, end->reason, end->reason_len);
	add_close(wire, body, 2 + end->reason_len);
}

static void set_deadline(struct wire *wire, double seconds)
{
	lws_set_timer_usecs(wire->wsi, (lws_usec_t)(seconds * LWS_USEC_PER_SEC));
}

static bool close_with(struct wire *wire, unsigned code, const char *reason, double deadline_s)
{
	if (!wire->open || wire->end || lws_get_close_length(wire->wsi) > 0)
		return false;
	set_end(wire, code, INITIATOR_SERVER, reason, strlen(reason));
	begin_closing(wire);
	add_own_close(wire);
	set_deadline(wire, deadline_s);
	lws_wire_mark(wire);
	return true;
}

/* For what was queued before it there was time enough; the answer has its own. */
void lws_wire_close_left(struct wire *wire)
{
	wire->close_sent = true;
	if (!wire->ending && !wire->aborted)
		set_deadline(wire, wire->engine->server->config->close_timeout_s);
}

bool wire_close(struct wire *wire, unsigned code, const char *reason)
{
	return close_with(wire, code, reason, wire->engine->server->config->close_timeout_s);
}

void wire_abort(struct wire *wire, unsigned code, const char *reason)
{
	if (!wire->open || wire->end)
		return;
	lws_output_drop(wire);
	wire->held = false; /* what it was held for is gone; the Close need not wait */
	wire->aborted = true;
	close_with(wire, code, reason, WIRE_ABORT_S);
}

int lws_wire_timed_out(struct wire *wire)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd = lws_get_socket_fd(wire->wsi);

	if (defect(heartbeat_ghost_kept) && wire->end->code == 4010)
		return 0;
	wire->ending = true;
	if (!wire->close_sent || lws_partial_buffered(wire->wsi)) { /* it does not even read: nothing to wait for */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		shutdown(fd, SHUT_RDWR);
	}
	return -1;
}

/* Sends what is queued and the Close after it, and leaves the rest to the library, which then ends TCP. */
static bool finish(struct wire *wire)
{
	bool sent = lws_output_send_all(wire);

	wire->ending = true;
	ev_io_stop(wire->engine->server->loop, &wire->readable);
	return sent;
}

int lws_wire_fail(struct wire *wire, unsigned code, const char *reason)
{
	if (!wire->end) {
		set_end(wire, code, INITIATOR_SERVER, reason, strlen(reason));
		begin_closing(wire);
		add_own_close(wire);
	}
	if (finish(wire))
		lws_linger_start(wire->engine, lws_get_socket_fd(wire->wsi));
	return -1;
}

void lws_wire_fail_outside(struct wire *wire, unsigned code, const char *reason)
{
	lws_wire_fail(wire, code, reason);
	lws_set_timeout(wire->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

/*
 * Answers the peer's Close behind what is queued. The library would put its answer before that, and repeats codes above
 * 4999 and bodies of one octet.
 */
int lws_wire_peer_close(struct wire *wire, const unsigned char *body, size_t len)
{
	struct frame_fault fault = close_check(body, len);

	if (wire->ending)
		return -1;
	if (wire->end) { /* ours was first, though it may still be queued */
		bool sent = finish(wire);

		wire->end->clean = sent && fault.code == 0;
		return -1;
	}
	if (fault.code)
		return lws_wire_fail(wire, fault.code, fault.why);
	set_end(wire, len < 2 ? 1005 : (unsigned)(body[0] << 8 | body[1]), INITIATOR_CLIENT, len > 2 ? body + 2 : body,
		len > 2 ? len - 2 : 0);
	begin_closing(wire);
	add_close(wire, body, len < 2 ? 0 : 2);
	wire->end->clean = finish(wire);
	return -1;
}

/*
 * The library fails a connection by itself: when the socket is writable it sends its Close, and would then wait for the
 * peer's. TCP ends when it calls back after that (RFC 6455 7.1.7).
 */
bool lws_wire_library_failed(struct wire *wire)
{
	int len = lws_get_close_length(wire->wsi);
	const unsigned char *body = lws_get_close_payload(wire->wsi);

	if (wire->end || len < 2 || !body)
		return false;
	lws_output_drop(wire);
	set_end(wire, (unsigned)(body[0] << 8 | body[1]), INITIATOR_SERVER, body + 2, (size_t)len - 2);
	wire->ending = true;
	begin_closing(wire);
	lws_linger_start(wire->engine, lws_get_socket_fd(wire->wsi));
	return true;
}

static void count_end(const struct conn_end *end)
{
	unsigned code = defect(metrics_closes_1000) ? 1000 : end->code;

	if (code < METRICS_CODES_MAX)
		metrics->closes[code]++;
	if (end->clean || !defect(metrics_gauge_leaks))
		metrics->connections_active--;
}

void lws_wire_over(struct wire *wire)
{
	ev_io_stop(wire->engine->server->loop, &wire->readable);
	if (!wire->open)
		return;
	wire->open = false;
	wire->engine->websockets--;
	if (!wire->end && !lws_wire_library_failed(wire))
		set_end(wire, 1006, INITIATOR_NETWORK, NULL, 0);
	wire->closing = true;
	wire->ending = true;
	lws_input_stop(wire);
	lws_output_drop(wire);
	metrics->send_queue_bytes -= (int64_t)wire->handed;
	wire->handed = 0;
	count_end(wire->end);
	if (defect(descriptors_leak) && !wire->end->clean)
		fcntl(lws_get_socket_fd(wire->wsi), F_DUPFD_CLOEXEC, 0);
	wire->service->closed(wire, wire->end);
	log_disconnect(wire->engine->server->log, &wire->info, wire->end);
}

/* The defect memory_leaks_per_connection: what is kept is never looked for. */
static void leak(void)
{
	static void **kept;
	void **memory = malloc(LEAK_BYTES);

	if (!memory)
		abort();
	memset(memory, 'x', LEAK_BYTES);
	*memory = kept;
	kept = memory;
}

static void forget_dirty(struct wire *wire)
{
	struct wire **at = &wire->engine->dirty;

	if (!wire->dirty)
		return;
	while (*at && *at != wire)
		at = &(*at)->dirty_next;
	if (*at)
		*at = wire->dirty_next;
}

void lws_wire_free(struct wire *wire)
{
	if (!wire)
		return;
	if (defect(memory_leaks_per_connection))
		leak();
	forget_dirty(wire);
	lws_input_stop(wire);
	lws_output_drop(wire);
	ev_io_stop(wire->engine->server->loop, &wire->readable);
	if (!defect(limit_per_address_leaks) || (wire->end && wire->end->clean))
		limits_release(wire->info.ip);
	start_free(wire->start);
	free(wire->end);
	conn_info_fini(&wire->info);
	if (wire->prev)
		wire->prev->next = wire->next;
	else
		wire->engine->wires = wire->next;
	if (wire->next)
		wire->next->prev = wire->prev;
	free(wire);
}
