/*
 * What comes in: frames become whole messages. UTF-8 is checked here, not by LWS_SERVER_OPTION_VALIDATE_UTF8: the
 * library lets a Pong between two fragments spoil its state, and overlooks a text that is cut short before an empty
 * last fragment. Inflating is done here too: the library's own permessage-deflate can lose the end of a message that
 * was compressed very well.
 */
#include <stdlib.h>
#include <string.h>

#include "server-under-test/defects.h"
#include "server-under-test/lws/lws_engine.h"

#define RSV1 0x40
#define CONTROL_MAX 125 /* RFC 6455 5.5: a longer payload is a data frame's */
#define INFLATE_ROOM 4096 /* octets inflated at a time */
#define INCOMPRESSIBLE 64 /* and a thousandth: octets that compressing may add to a message */

static const struct config *config_of(const struct wire *wire)
{
	return wire->engine->server->config;
}

static double now_of(const struct wire *wire)
{
	return ev_now(wire->engine->server->loop);
}

static void list_remove(struct incoming *m)
{
	struct lws_engine *engine = m->wire->engine;

	if (m->prev)
		m->prev->next = m->next;
	else if (engine->oldest == m)
		engine->oldest = m->next;
	else
		return; /* not in it: paused */
	if (m->next)
		m->next->prev = m->prev;
	else
		engine->newest = m->prev;
	m->next = m->prev = NULL;
}

static void arm(struct lws_engine *engine)
{
	struct ev_loop *loop = engine->server->loop;
	double timeout_s = engine->server->config->fragment_timeout_s;

	if (ev_is_active(&engine->fragment_timer) || !engine->oldest || timeout_s <= 0 ||
	    defect(limit_fragment_time_ignored))
		return;
	ev_timer_set(&engine->fragment_timer, engine->oldest->since_s + timeout_s - ev_now(loop), 0.);
	ev_timer_start(loop, &engine->fragment_timer);
}

/* The timeout counts from now on. */
static void list_renew(struct incoming *m)
{
	struct lws_engine *engine = m->wire->engine;

	list_remove(m);
	m->since_s = now_of(m->wire);
	m->prev = engine->newest;
	if (m->prev)
		m->prev->next = m;
	else
		engine->oldest = m;
	engine->newest = m;
	arm(engine);
}

static void on_fragment_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct lws_engine *engine = timer->data;
	double timeout_s = engine->server->config->fragment_timeout_s;

	(void)events;
	while (engine->oldest && engine->oldest->since_s + timeout_s <= ev_now(loop)) {
		struct wire *wire = engine->oldest->wire;

		if (lws_remaining_packet_payload(wire->wsi) > 0) /* within a frame it could not answer */
			lws_wire_fail_outside(wire, 4009, "fragment timeout");
		else if (!wire_close(wire, 4009, "fragment timeout"))
			lws_input_stop(wire); /* the library is failing it */
	}
	arm(engine);
}

static struct incoming *incoming_new(struct wire *wire)
{
	struct incoming *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->wire = wire;
	wire->incoming = m;
	list_renew(m);
	return m;
}

static z_stream *inflater_get(struct lws_engine *engine)
{
	z_stream *stream = engine->spare;

	engine->spare = NULL;
	if (stream)
		return stream;
	stream = calloc(1, sizeof(*stream));
	if (!stream || inflateInit2(stream, -15) != Z_OK)
		abort();
	return stream;
}

static void inflater_free(z_stream *stream)
{
	if (!stream)
		return;
	inflateEnd(stream);
	free(stream);
}

static void inflater_put(struct lws_engine *engine, z_stream *stream)
{
	if (!stream)
		return;
	if (engine->spare || inflateReset(stream) != Z_OK)
		inflater_free(stream);
	else
		engine->spare = stream;
}

static void incoming_free(struct incoming *m)
{
	inflater_put(m->wire->engine, m->inflating);
	bytes_fini(&m->data);
	free(m);
}

void lws_input_stop(struct wire *wire)
{
	struct incoming *m = wire->incoming;

	if (!m)
		return;
	wire->incoming = NULL;
	list_remove(m);
	incoming_free(m);
}

static int deliver(struct wire *wire, bool binary, const uint8_t *data, size_t len)
{
	wire->info.received++;
	wire->service->message(wire, binary, data, len);
	return 0;
}

static size_t message_max(const struct wire *wire)
{
	return wire->service->message_max(config_of(wire));
}

/* What is read of one. */
static size_t read_max(const struct wire *wire)
{
	return defect(limit_message_after_buffering) ? MESSAGE_UNLIMITED : message_max(wire);
}

/* Octets of the message itself, after inflating. 0, or -1 when it failed the connection. */
static int take_plain(struct wire *wire, const uint8_t *data, size_t len)
{
	struct incoming *m = wire->incoming;

	if (bytes_len(&m->data) + len > read_max(wire))
		return lws_wire_fail(wire, 1009, "the message is too large");
	if (!m->binary && !utf8_feed(&m->utf8, data, len))
		return lws_wire_fail(wire, 1007, "the text is not UTF-8");
	bytes_append(&m->data, data, len);
	return 0;
}

static int take_compressed(struct wire *wire, const uint8_t *data, size_t len)
{
	z_stream *stream = wire->incoming->inflating;
	uint8_t out[INFLATE_ROOM];
	int r;

	stream->next_in = (z_const Bytef *)(uintptr_t)data;
	stream->avail_in = (uInt)len;
	do {
		stream->next_out = out;
		stream->avail_out = sizeof(out);
		r = inflate(stream, Z_SYNC_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return lws_wire_fail(wire, 1007, "the compressed data is broken");
		if (take_plain(wire, out, sizeof(out) - stream->avail_out) < 0)
			return -1;
		if (r == Z_STREAM_END) /* RFC 7692 7.2.3.4: a block with BFINAL may stand anywhere */
			inflateReset(stream);
	} while (stream->avail_in > 0 || stream->avail_out == 0);
	return 0;
}

static int take(struct wire *wire, const uint8_t *data, size_t len)
{
	struct incoming *m = wire->incoming;

	if (!m->inflating)
		return take_plain(wire, data, len);
	m->compressed_len += len;
	return take_compressed(wire, data, len);
}

static int message_done(struct wire *wire)
{
	static const uint8_t tail[] = { 0x00, 0x00, 0xff, 0xff }; /* RFC 7692 7.2.2: what the peer left out */
	struct incoming *m = wire->incoming;

	if (m->inflating && take_compressed(wire, tail, sizeof(tail)) < 0)
		return -1;
	if (defect(limit_message_after_buffering) && bytes_len(&m->data) > message_max(wire))
		return lws_wire_fail(wire, 1009, "the message is too large");
	if (!m->binary && !utf8_complete(&m->utf8))
		return lws_wire_fail(wire, 1007, "the text ends inside a character");
	wire->incoming = NULL;
	list_remove(m);
	deliver(wire, m->binary, m->data.p ? m->data.p + m->data.start : (const uint8_t *)"", bytes_len(&m->data));
	incoming_free(m);
	return 0;
}

/* Whether what has come and was announced passes the limit. */
static bool too_long(const struct wire *wire, uint64_t remaining)
{
	const struct incoming *m = wire->incoming;
	uint64_t max = read_max(wire);

	if (m && m->inflating)
		return m->compressed_len + remaining > max + max / 1000 + INCOMPRESSIBLE;
	if (m && m->begun)
		return bytes_len(&m->data) + remaining > max;
	return remaining > (wire->inflate ? max + max / 1000 + INCOMPRESSIBLE : max);
}

/* A message that came in one piece is handed on from where the library has it. */
static int receive_whole(struct wire *wire, const uint8_t *data, size_t len)
{
	bool binary = lws_frame_is_binary(wire->wsi);
	struct utf8 utf8 = { 0 };

	if (len > message_max(wire))
		return lws_wire_fail(wire, 1009, "the message is too large");
	if (!binary && (!utf8_feed(&utf8, data, len) || !utf8_complete(&utf8)))
		return lws_wire_fail(wire, 1007, "the text is not UTF-8");
	lws_input_stop(wire); /* its head may have been seen alone */
	return deliver(wire, binary, data, len);
}

static void begin(struct wire *wire)
{
	struct incoming *m = wire->incoming ? wire->incoming : incoming_new(wire);

	m->begun = true;
	m->binary = lws_frame_is_binary(wire->wsi);
	if (lws_get_reserved_bits(wire->wsi) & RSV1)
		m->inflating = inflater_get(wire->engine);
}

int lws_input_receive(struct wire *wire, const void *data, size_t len)
{
	bool begun = wire->incoming && wire->incoming->begun;
	uint64_t remaining = lws_remaining_packet_payload(wire->wsi);
	bool rsv1 = (lws_get_reserved_bits(wire->wsi) & RSV1) != 0;
	struct incoming *m;

	if (wire->closing || !wire->open)
		return 0;
	if (!begun && !rsv1 && remaining == 0 && lws_is_final_fragment(wire->wsi))
		return receive_whole(wire, data, len);
	if (!begun)
		begin(wire);
	m = wire->incoming;
	if (m->frame_ended && rsv1)
		return lws_wire_fail(wire, 1002, "RSV1 on a continuation");
	m->frame_ended = remaining == 0;
	if (too_long(wire, len + remaining))
		return lws_wire_fail(wire, 1009, "the message is too large");
	if (take(wire, data, len) < 0)
		return -1;
	if (remaining == 0 && lws_is_final_fragment(wire->wsi))
		return message_done(wire);
	if (!m->fragmented) {
		m->fragmented = remaining == 0;
		list_renew(m);
	}
	return 0;
}

void lws_input_watch(struct wire *wire)
{
	uint64_t remaining = lws_remaining_packet_payload(wire->wsi);

	if (wire->closing || !wire->open)
		return;
	if (remaining == 0) {
		if (wire->incoming && !wire->incoming->begun)
			lws_input_stop(wire); /* it was a control frame */
		return;
	}
	if (!wire->incoming)
		incoming_new(wire);
	if (remaining > CONTROL_MAX && too_long(wire, remaining))
		lws_wire_fail_outside(wire, 1009, "the message is too large");
}

void lws_input_reading(struct wire *wire)
{
	struct ev_loop *loop = wire->engine->server->loop;
	bool reading = !wire->stuck && (!wire->paused || wire->closing);

	if (wire->reading != reading)
		lws_rx_flow_control(wire->wsi, reading);
	if (reading && !wire->closing)
		ev_io_start(loop, &wire->readable);
	else
		ev_io_stop(loop, &wire->readable);
	if (wire->incoming && wire->reading && !reading)
		list_remove(wire->incoming); /* the peer cannot be blamed now */
	else if (wire->incoming && !wire->reading && reading)
		list_renew(wire->incoming);
	wire->reading = reading;
}

void lws_input_init(struct lws_engine *engine)
{
	ev_timer_init(&engine->fragment_timer, on_fragment_timer, 0., 0.);
	engine->fragment_timer.data = engine;
}

void lws_input_fini(struct lws_engine *engine)
{
	ev_timer_stop(engine->server->loop, &engine->fragment_timer);
	inflater_free(engine->spare);
}
