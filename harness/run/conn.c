/* Octets in, events out. Nothing here decides whether a target is right: it records, and counts broken watches. */
#include "harness/run/conn.h"

#include "harness/base/clock.h"
#include "harness/base/limits.h"
#include "harness/ws/close_code.h"

const char *conn_watch_about(enum watch w)
{
	static const char *const about[WATCH_COUNT] = {
#define WATCH(NAME, text) [WATCH_##NAME] = text,
#include "harness/run/watch.def"
#undef WATCH
	};
	return about[w];
}

static void emit(struct conn *c, struct conn_event e)
{
	c->on_event(c->owner, &e);
}

static void watch(struct conn *c, enum watch w, bool broken)
{
	c->watch[w].samples++;
	if (!broken)
		return;
	if (!c->watch[w].seen++)
		transcript_note(c->transcript, clock_now_us(), "rule broken by the target: %s", conn_watch_about(w));
}

static size_t kept_all; /* octets that all connections hold for messages */

static void endless(struct conn *c, const char *what)
{
	if (c->dead)
		return;
	c->limit_text = what;
	c->dead = true;
	c->reader.stop = true;
	stream_pause(c->stream, true);
	transcript_note(c->transcript, clock_now_us(), "limit: %s", what);
	emit(c, (struct conn_event){.kind = CONN_ENDLESS});
}

/* Frames ------------------------------------------------------------------------------------------------------------------- */

static void watch_head(struct conn *c, const struct frame_head *h)
{
	unsigned faults = frame_head_faults(h);
	watch(c, WATCH_MASKED, faults & FRAME_FAULT_MASKED);
	if (!c->extension)
		watch(c, WATCH_RSV, faults & FRAME_FAULT_RSV);
	watch(c, WATCH_OPCODE, faults & FRAME_FAULT_OPCODE);
	watch(c, WATCH_NOT_MINIMAL, (faults & FRAME_FAULT_NOT_MINIMAL) && !(faults & FRAME_FAULT_TOP_BIT));
	watch(c, WATCH_TOP_BIT, faults & FRAME_FAULT_TOP_BIT);
	if (opcode_is_control(h->opcode) && !opcode_is_reserved(h->opcode)) {
		watch(c, WATCH_CONTROL_LONG, faults & FRAME_FAULT_CONTROL_LONG);
		watch(c, WATCH_CONTROL_FRAGMENTED, faults & FRAME_FAULT_CONTROL_FRAGMENTED);
	}
	if (h->opcode == OPCODE_CONTINUATION)
		watch(c, WATCH_ORPHAN_CONTINUATION, !c->message_open);
	if (h->opcode == OPCODE_TEXT || h->opcode == OPCODE_BINARY)
		watch(c, WATCH_INTERLEAVED, c->message_open);
	if (c->peer_closed && !opcode_is_control(h->opcode))
		watch(c, WATCH_DATA_AFTER_CLOSE, true);
}

/* The target's own heartbeat is no progress of an answer: who waits for one would wait for ever. */
static void note_progress(struct conn *c, uint8_t opcode)
{
	if (opcode != OPCODE_PING && opcode != OPCODE_PONG)
		c->progress_us = clock_now_us();
}

static void on_head(void *owner, const struct frame_head *h)
{
	struct conn *c = owner;
	note_progress(c, h->opcode);
	watch_head(c, h);
	if (++c->frames > CASE_FRAMES_MAX) {
		endless(c, "more frames than a case may receive");
		return;
	}
	if (h->len > FRAME_PAYLOAD_KEEP_MAX && !opcode_is_control(h->opcode)) {
		endless(c, "a frame longer than what is kept of one");
		return;
	}
	c->control.len = 0;
	if (h->opcode == OPCODE_TEXT || h->opcode == OPCODE_BINARY) {
		c->message.len = 0;
		c->message_opcode = h->opcode;
		c->message_open = true;
		c->message_lost = false;
		c->message_frames = 0;
	} else if (h->opcode == OPCODE_CONTINUATION && !c->message_open) {
		c->message_lost = true;
	}
	if (!opcode_is_control(h->opcode))
		c->message_frames++;
}

static void keep(struct conn *c, struct span octets)
{
	size_t before = c->message.cap;
	int r = buf_append_span(&c->message, octets);
	kept_all += c->message.cap - before;
	if (r < 0)
		endless(c, "a message longer than what is kept of one");
	else if (kept_all > CASE_KEPT_ALL_MAX)
		endless(c, "messages longer than what is kept of all connections together");
}

static void on_payload(void *owner, struct span part)
{
	struct conn *c = owner;
	uint8_t opcode = c->reader.head.opcode;
	note_progress(c, opcode);
	if (opcode_is_control(opcode) || opcode_is_reserved(opcode))
		buf_append_span(&c->control, part);
	else if (!c->message_lost && !c->deaf)
		keep(c, part);
}

static void end_close(struct conn *c)
{
	struct span body = buf_span(&c->control);
	watch(c, WATCH_SECOND_CLOSE, c->peer_closed);
	watch(c, WATCH_DATA_AFTER_CLOSE, false); /* from now on it could be broken */
	watch(c, WATCH_CLOSE_ONE_OCTET, body.len == 1);
	if (body.len >= 2) {
		uint16_t code = (uint16_t)(body.p[0] << 8 | body.p[1]);
		watch(c, WATCH_CLOSE_CODE, !close_code_sendable(code) && !(c->we_closed && code == c->our_code));
		if (!c->we_closed)
			watch(c, WATCH_CLOSE_CODE_1010, code == 1010);
		watch(c, WATCH_CLOSE_REASON_UTF8, !utf8_valid(span_sub(body, 2, body.len), NULL));
	}
	c->peer_closed = true;
	emit(c, (struct conn_event){.kind = CONN_CLOSE, .opcode = OPCODE_CLOSE, .octets = body});
}

static void end_data(struct conn *c, bool fin)
{
	if (!c->message_open || c->message_lost) {
		emit(c, (struct conn_event){.kind = CONN_FRAME, .opcode = c->reader.head.opcode});
		return;
	}
	if (!fin) {
		emit(c, (struct conn_event){.kind = CONN_FRAME, .opcode = c->message_opcode});
		return;
	}
	c->message_open = false;
	struct span octets = buf_span(&c->message);
	if (c->message_opcode == OPCODE_TEXT && !c->provoked && !c->extension)
		watch(c, WATCH_TEXT_UTF8, !utf8_valid(octets, NULL));
	emit(c, (struct conn_event){.kind = CONN_MESSAGE, .opcode = c->message_opcode, .octets = octets});
}

static void on_end(void *owner)
{
	struct conn *c = owner;
	const struct frame_head *h = &c->reader.head;
	bool control = opcode_is_control(h->opcode) || opcode_is_reserved(h->opcode);
	struct span shown = control ? buf_span(&c->control) : buf_span(&c->message);
	if (!control && shown.len >= h->len)
		shown = span_sub(shown, shown.len - (size_t)h->len, (size_t)h->len);
	transcript_frame(c->transcript, clock_now_us(), false, h, shown, h->len);
	if (h->opcode == OPCODE_CLOSE)
		end_close(c);
	else if (h->opcode == OPCODE_PING || h->opcode == OPCODE_PONG)
		emit(c, (struct conn_event){.kind = h->opcode == OPCODE_PING ? CONN_PING : CONN_PONG, .opcode = h->opcode,
					    .octets = buf_span(&c->control)});
	else if (opcode_is_reserved(h->opcode))
		emit(c, (struct conn_event){.kind = CONN_FRAME, .opcode = h->opcode});
	else
		end_data(c, h->fin);
	if (c->dead)
		c->reader.stop = true;
}

/* Opening handshake -------------------------------------------------------------------------------------------------------- */

static void watch_reply(struct conn *c)
{
	unsigned faults = handshake_upgrade_faults(c->request, &c->reply);
	watch(c, WATCH_REPLY_UPGRADE, faults & UPGRADE_FAULT_UPGRADE);
	watch(c, WATCH_REPLY_CONNECTION, faults & UPGRADE_FAULT_CONNECTION);
	if (!c->edited) {
		watch(c, WATCH_REPLY_STATUS_LINE, faults & (UPGRADE_FAULT_VERSION | UPGRADE_FAULT_HEAD));
		watch(c, WATCH_REPLY_ACCEPT, faults & UPGRADE_FAULT_ACCEPT);
	}
	if (!c->odd_offer) {
		watch(c, WATCH_REPLY_EXTENSION, faults & UPGRADE_FAULT_EXTENSION);
		watch(c, WATCH_REPLY_PROTOCOL, faults & UPGRADE_FAULT_PROTOCOL);
	}
	watch(c, WATCH_REPLY_ACCEPT_TWICE, faults & UPGRADE_FAULT_ACCEPT_TWICE);
	watch(c, WATCH_REPLY_PROTOCOL_TWICE, faults & UPGRADE_FAULT_PROTOCOL_TWICE);
	watch(c, WATCH_REPLY_BODY, faults & UPGRADE_FAULT_BODY);
}

/* Returns the octets of `data` that belong to frames. */
static struct span feed_head(struct conn *c, struct span data)
{
	size_t before = c->head.len;
	if (buf_append_span(&c->head, data) < 0) {
		transcript_octets(c->transcript, clock_now_us(), false, data);
		endless(c, "a reply head longer than what is kept of one");
		return (struct span){0};
	}
	int r = handshake_reply_parse(buf_span(&c->head), c->arena, &c->reply);
	if (r <= 0) {
		transcript_octets(c->transcript, clock_now_us(), false, data);
		return (struct span){0};
	}
	c->replied = true;
	size_t used = c->reply.size > before ? c->reply.size - before : 0;
	transcript_octets(c->transcript, clock_now_us(), false, span_sub(data, 0, used));
	c->upgraded = c->reply.status == 101;
	if (c->upgraded) {
		c->extension = handshake_reply_count(&c->reply, "Sec-WebSocket-Extensions", NULL) > 0;
		if (c->request)
			watch_reply(c);
	}
	emit(c, (struct conn_event){.kind = CONN_REPLY});
	return c->stream && !c->dead ? span_sub(data, used, data.len) : (struct span){0};
}

/* Stream ------------------------------------------------------------------------------------------------------------------- */

static void on_open(void *owner)
{
	struct conn *c = owner;
	c->opened_us = clock_now_us();
	transcript_note(c->transcript, c->opened_us, "open: %s", stream_describe(c->stream));
	emit(c, (struct conn_event){.kind = CONN_OPEN});
}

static void on_data(void *owner, struct span data)
{
	struct conn *c = owner;
	if (c->dead)
		return;
	c->received += data.len;
	if (!c->upgraded)
		c->progress_us = clock_now_us();
	if (c->received > CASE_RECEIVE_MAX) {
		endless(c, "more octets than a case may receive");
		return;
	}
	if (!c->replied) {
		data = feed_head(c, data);
		if (data.len == 0)
			return;
	}
	if (c->upgraded)
		frame_reader_feed(&c->reader, data);
	else {
		transcript_octets(c->transcript, c->progress_us, false, data);
		keep(c, data);
	}
}

static void on_eof(void *owner, bool clean)
{
	struct conn *c = owner;
	if (c->dead || c->eof)
		return;
	c->eof = true;
	if (c->upgraded && !c->provoked && !c->we_closed)
		watch(c, WATCH_CUT_FRAME, frame_reader_pending(&c->reader));
	if (c->upgraded && frame_reader_pending(&c->reader))
		transcript_note(c->transcript, clock_now_us(), "the stream ends inside a frame");
	transcript_note(c->transcript, clock_now_us(), clean ? "<<<< FIN" : "<<<< FIN without close_notify");
	emit(c, (struct conn_event){.kind = CONN_EOF, .clean = clean});
}

static void on_error(void *owner, int error)
{
	struct conn *c = owner;
	if (c->dead)
		return;
	c->dead = true;
	transcript_note(c->transcript, clock_now_us(), "<<<< %s", error == -ECONNRESET ? "RST" : stream_error_text(c->stream));
	emit(c, (struct conn_event){.kind = CONN_ERROR, .error = error});
}

static const struct stream_events stream_events = {on_open, on_data, on_eof, on_error};

int conn_dial(struct conn *c, struct loop *l, const struct dial_options *o, struct arena *a, struct transcript *t, void (*on_event)(void *owner, const struct conn_event *e),
	      void *owner)
{
	*c = (struct conn){.on_event = on_event, .owner = owner, .transcript = t, .arena = a};
	buf_init(&c->head, HANDSHAKE_REPLY_MAX);
	buf_init(&c->control, 1 << 16);
	buf_init(&c->message, FRAME_PAYLOAD_KEEP_MAX);
	frame_reader_init(&c->reader, c);
	c->reader.on_head = on_head;
	c->reader.on_payload = on_payload;
	c->reader.on_end = on_end;
	return dial(l, o, &stream_events, c, &c->stream);
}

int conn_write(struct conn *c, struct span octets)
{
	if (c->dead || !c->stream)
		return -EPIPE;
	return stream_write(c->stream, octets);
}

void conn_fin(struct conn *c)
{
	if (c->dead || !c->stream)
		return;
	transcript_note(c->transcript, clock_now_us(), ">>>> FIN");
	stream_shutdown(c->stream);
}

void conn_reset(struct conn *c)
{
	if (!c->stream)
		return;
	transcript_note(c->transcript, clock_now_us(), ">>>> RST");
	stream_reset(c->stream);
	c->dead = true;
}

void conn_fini(struct conn *c)
{
	c->dead = true;
	c->reader.stop = true;
	stream_free(TAKE_PTR(c->stream));
	buf_fini(&c->head);
	buf_fini(&c->control);
	kept_all -= c->message.cap;
	buf_fini(&c->message);
}

bool conn_alive(const struct conn *c)
{
	return c->stream && !c->dead && !c->eof;
}
