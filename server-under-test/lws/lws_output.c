/*
 * What goes out: ready-made frames, in one sendmsg for many. The library is passed by, except for the rest of a frame
 * that the socket has taken in part: the library keeps that and sends it before its own Pongs, which would end up
 * within the frame otherwise.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "server-under-test/defects.h"
#include "server-under-test/lws/lws_engine.h"
#include "server-under-test/metrics.h"
#include "server-under-test/naive/naive_frame.h"

#define IOVECS_MAX 64 /* frames that go out at once */
#define QUEUE_INITIAL 4

size_t wire_queued(const struct wire *wire)
{
	return wire->queued + wire->handed;
}

static struct frame *queue_at(const struct wire *wire, uint32_t i)
{
	return wire->queue[(wire->first + i) & (wire->capacity - 1)];
}

static void queue_grow(struct wire *wire)
{
	uint32_t capacity = wire->capacity ? wire->capacity * 2 : QUEUE_INITIAL;
	struct frame **queue = malloc(capacity * sizeof(*queue));

	if (!queue)
		abort();
	for (uint32_t i = 0; i < wire->count; i++)
		queue[i] = queue_at(wire, i);
	free(wire->queue);
	wire->queue = queue;
	wire->first = 0;
	wire->capacity = capacity;
}

static void queue_put(struct wire *wire, struct frame *frame, bool in_front)
{
	if (wire->count == wire->capacity)
		queue_grow(wire);
	if (in_front)
		wire->first = (wire->first - 1) & (wire->capacity - 1);
	wire->queue[(wire->first + (in_front ? 0 : wire->count)) & (wire->capacity - 1)] = frame;
	wire->count++;
	wire->queued += frame->len;
	metrics->send_queue_bytes += (int64_t)frame->len;
	if (wire_queued(wire) > WIRE_LOW)
		wire->above_low = true;
}

void lws_output_add(struct wire *wire, struct frame *frame)
{
	queue_put(wire, frame, false);
}

/* What the queue holds are whole frames: of one that has left in part, the library has the rest. */
void lws_output_add_first(struct wire *wire, struct frame *frame)
{
	queue_put(wire, frame, true);
}

/* The first frame leaves the queue. An idle connection keeps no ring. */
static void queue_pop(struct wire *wire)
{
	struct frame *frame = queue_at(wire, 0);

	wire->first = (wire->first + 1) & (wire->capacity - 1);
	wire->count--;
	wire->queued -= frame->len;
	metrics->send_queue_bytes -= (int64_t)frame->len;
	frame_unref(frame);
	if (wire->count > 0)
		return;
	free(wire->queue);
	wire->queue = NULL;
	wire->first = wire->capacity = 0;
}

void lws_output_drop(struct wire *wire)
{
	while (wire->count > 0)
		queue_pop(wire);
}

static void set_handed(struct wire *wire, size_t handed)
{
	metrics->send_queue_bytes += (int64_t)handed - (int64_t)wire->handed;
	wire->handed = handed;
}

/* The first frame is the socket's or the library's. */
static void frame_left(struct wire *wire)
{
	uint8_t opcode = queue_at(wire, 0)->octets[0] & 0x0f;

	if (opcode == OPCODE_TEXT || opcode == OPCODE_BINARY)
		wire->info.sent++;
	if (opcode == OPCODE_CLOSE)
		lws_wire_close_left(wire);
	queue_pop(wire);
}

/* The library takes the first frame from `from` on; what the socket does not take it keeps, before its own frames. */
static bool hand_over(struct wire *wire, size_t from)
{
	struct frame *frame = queue_at(wire, 0);
	size_t len = frame->len - from;

	if (lws_write(wire->wsi, frame->octets + from, len, LWS_WRITE_HTTP) < 0)
		return false;
	set_handed(wire, lws_partial_buffered(wire->wsi) ? wire->handed + len : 0);
	frame_left(wire);
	return true;
}

/* `sent` octets of the queue have left. */
static bool advance(struct wire *wire, size_t sent)
{
	while (wire->count > 0 && sent >= queue_at(wire, 0)->len) {
		sent -= queue_at(wire, 0)->len;
		frame_left(wire);
	}
	return sent == 0 || hand_over(wire, sent);
}

static ssize_t send_some(struct wire *wire)
{
	struct iovec iov[IOVECS_MAX];
	struct msghdr message = { .msg_iov = iov };
	ssize_t n;

	while (message.msg_iovlen < IOVECS_MAX && message.msg_iovlen < wire->count) {
		struct frame *frame = queue_at(wire, (uint32_t)message.msg_iovlen);

		iov[message.msg_iovlen++] = (struct iovec){ frame->octets, frame->len };
	}
	do {
		n = sendmsg(lws_get_socket_fd(wire->wsi), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* The defect slow_consumer_stalls_all: sending waits for the socket, and the loop with it. */
static void wait_writable(const struct wire *wire)
{
	struct pollfd fd = { .fd = lws_get_socket_fd(wire->wsi), .events = POLLOUT };

	poll(&fd, 1, -1);
}

bool lws_output_send(struct wire *wire)
{
	if (!lws_partial_buffered(wire->wsi))
		set_handed(wire, 0);
	while (wire->count > 0 && !lws_partial_buffered(wire->wsi)) {
		ssize_t n = send_some(wire);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 || !advance(wire, (size_t)n))
			return false;
	}
	wire->blocked = wire->count > 0 || lws_partial_buffered(wire->wsi);
	if (wire->blocked && defect(slow_consumer_stalls_all))
		wait_writable(wire);
	if (wire->blocked)
		lws_callback_on_writable(wire->wsi);
	return true;
}

void wire_hold(struct wire *wire, bool hold)
{
	wire->held = hold;
	if (!hold)
		lws_wire_mark(wire);
}

bool lws_output_send_all(struct wire *wire)
{
	if (!lws_output_send(wire))
		return false;
	while (wire->count > 0)
		if (!hand_over(wire, 0))
			return false;
	return true;
}

static void end_broken(struct wire *wire)
{
	wire->ending = true;
	shutdown(lws_get_socket_fd(wire->wsi), SHUT_RDWR); /* nothing is left to flush before the end */
	lws_set_timeout(wire->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

static void add_later(struct wire *wire)
{
	wire->resting = false;
	wire->dirty = true;
	wire->dirty_next = wire->engine->later;
	wire->engine->later = wire;
}

/*
 * While the library holds the rest of a frame it would drop the connection when it reads a Close: so it does not read,
 * and when the rest is gone it reads once before more is sent. The wire may be gone afterwards.
 */
static void flush(struct wire *wire)
{
	if (!wire->open || wire->ending || wire->held || lws_wire_library_failed(wire))
		return;
	if (wire->resting) {
		add_later(wire);
		return;
	}
	if (!lws_output_send(wire)) {
		end_broken(wire);
		return;
	}
	wire->stuck = lws_partial_buffered(wire->wsi);
	lws_input_reading(wire);
	if (!wire->above_low || wire_queued(wire) > WIRE_LOW)
		return;
	wire->above_low = false;
	if (wire->service->drained && !wire->closing)
		wire->service->drained(wire);
}

void lws_output_writeable(struct wire *wire)
{
	wire->blocked = false;
	if (wire->stuck && !lws_partial_buffered(wire->wsi)) {
		wire->stuck = false;
		wire->resting = true;
		lws_input_reading(wire);
	}
	lws_wire_mark(wire);
}

/* Everything that this turn has made due; what comes due meanwhile has its chance too, but holds up nothing. */
static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct lws_engine *engine = prepare->data;

	(void)events;
	engine->more_reads = 0;
	for (int pass = 0; engine->dirty && pass < LWS_FLUSHES_EACH_TURN; pass++) {
		struct wire *wire = engine->dirty;
		struct wire *next;

		engine->dirty = NULL;
		for (; wire; wire = next) {
			next = wire->dirty_next;
			wire->dirty = false;
			flush(wire);
		}
	}
	while (engine->later) {
		struct wire *wire = engine->later;

		engine->later = wire->dirty_next;
		wire->dirty_next = engine->dirty;
		engine->dirty = wire;
	}
	if (engine->dirty)
		ev_idle_start(loop, &engine->idle);
	else
		ev_idle_stop(loop, &engine->idle);
}

static void on_idle(struct ev_loop *loop, ev_idle *idle, int events)
{
	(void)loop;
	(void)idle;
	(void)events;
}

void lws_wire_mark(struct wire *wire)
{
	if (wire->dirty)
		return;
	wire->dirty = true;
	wire->dirty_next = wire->engine->dirty;
	wire->engine->dirty = wire;
}

void lws_output_init(struct lws_engine *engine)
{
	ev_prepare_init(&engine->prepare, on_prepare);
	engine->prepare.data = engine;
	ev_prepare_start(engine->server->loop, &engine->prepare);
	ev_idle_init(&engine->idle, on_idle);
	engine->ping = frame_make(0x80 | OPCODE_PING, "?", 1); /* the library tells nobody of a Pong without payload */
}

void lws_output_fini(struct lws_engine *engine)
{
	ev_prepare_stop(engine->server->loop, &engine->prepare);
	ev_idle_stop(engine->server->loop, &engine->idle);
	frame_unref(engine->ping);
}
