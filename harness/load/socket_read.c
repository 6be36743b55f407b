/* What a WebSocket target says, octet by octet: the answer to the handshake, then frames. All of it is hostile. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/load/socket_internal.h"
#include "harness/target/session.h"
#include "harness/ws/utf8.h"

enum { IN_KEPT = 4 << 10, REPLY_ARENA_MAX = 64 << 10, NAMES_MAX = 64 << 10, PHRASE_MAX = 100 };

/* The handshake ---------------------------------------------------------------------------------------------------- */

static const struct {
	unsigned fault;
	const char *what;
} upgrade_faults[] = {
	{UPGRADE_FAULT_VERSION, "it is not HTTP/1.1"},
	{UPGRADE_FAULT_HEAD, "its head is not HTTP"},
	{UPGRADE_FAULT_UPGRADE, "no \"Upgrade: websocket\""},
	{UPGRADE_FAULT_CONNECTION, "no \"Connection: Upgrade\""},
	{UPGRADE_FAULT_ACCEPT, "Sec-WebSocket-Accept is not the one of our key"},
	{UPGRADE_FAULT_ACCEPT_TWICE, "Sec-WebSocket-Accept comes twice"},
	{UPGRADE_FAULT_EXTENSION, "an extension that was not offered"},
	{UPGRADE_FAULT_PROTOCOL, "a subprotocol that was not offered"},
	{UPGRADE_FAULT_PROTOCOL_TWICE, "Sec-WebSocket-Protocol comes twice"},
	{UPGRADE_FAULT_BODY, "it announces a body"},
};

/* What is wrong with the answer, one phrase into text; false: nothing. */
static bool judge_reply(const struct socket *s, const struct handshake_reply *reply, char *text, size_t len)
{
	struct handshake_request q;
	struct buf names CLEANUP(buf_fini) = {.max = NAMES_MAX};
	if (reply->status != 101) {
		snprintf(text, len, reply->status ? "HTTP %d %.*s" : "not HTTP", reply->status,
			 (int)(reply->reason.len < PHRASE_MAX ? reply->reason.len : PHRASE_MAX), (const char *)reply->reason.p);
		return true;
	}
	handshake_request_init(&q, SPAN_LIT("/"), SPAN_LIT("x"), span_of(s->key, HANDSHAKE_KEY_LEN));
	for (size_t i = 0; s->subprotocols && i < s->subprotocols->len; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", s->subprotocols->items[i]);
	if (names.len)
		handshake_request_set(&q, "Sec-WebSocket-Protocol", buf_span(&names));
	unsigned wrong = handshake_upgrade_faults(&q, reply);
	for (size_t i = 0; i < ARRAY_LEN(upgrade_faults); i++)
		if (wrong & upgrade_faults[i].fault) {
			snprintf(text, len, "a wrong 101: %s", upgrade_faults[i].what);
			return true;
		}
	return false;
}

static void keep_id(struct socket *s, const struct handshake_reply *reply)
{
	struct span id;
	if (!s->id_header || handshake_reply_count(reply, s->id_header, &id) == 0 || id.len == 0)
		return;
	s->id = strndup((const char *)id.p, id.len < TRANSPORT_ID_MAX ? id.len : TRANSPORT_ID_MAX);
	s->transport.id = s->id;
}

/* Returns what of `data` belongs to frames. */
static struct span read_reply(struct socket *s, struct span data)
{
	char text[TRANSPORT_WHY_MAX];
	struct arena a CLEANUP(arena_fini) = {0};
	struct handshake_reply reply = {0};
	size_t before = s->in.len;
	arena_init(&a, REPLY_ARENA_MAX);
	int r = buf_append_span(&s->in, data);
	if (r == 0)
		r = handshake_reply_parse(buf_span(&s->in), &a, &reply);
	if (r < 0)
		socket_refuse(s, 0, r == -ENOMEM ? "out of memory" : "an endless answer to the handshake");
	if (r <= 0)
		return (struct span){0};
	keep_id(s, &reply);
	if (judge_reply(s, &reply, text, sizeof(text))) {
		socket_refuse(s, reply.status, text);
		return (struct span){0};
	}
	struct span rest = span_sub(data, reply.size - before, data.len);
	buf_fini(&s->in);
	buf_init(&s->in, SESSION_UNIT_MAX);
	s->phase = SOCKET_OPEN;
	s->transport.events->on_open(s->transport.owner);
	return s->over ? (struct span){0} : rest;
}

/* Frames ----------------------------------------------------------------------------------------------------------- */

static const struct {
	unsigned fault;
	const char *what;
} frame_faults[] = {
	{FRAME_FAULT_MASKED, "a masked frame"},
	{FRAME_FAULT_RSV, "a frame with a reserved bit"},
	{FRAME_FAULT_OPCODE, "a frame with a reserved opcode"},
	{FRAME_FAULT_TOP_BIT, "a frame with an impossible length"},
	{FRAME_FAULT_CONTROL_LONG, "a control frame that is too long"},
	{FRAME_FAULT_CONTROL_FRAGMENTED, "a control frame in fragments"},
	{FRAME_FAULT_NOT_MINIMAL, "a length that is not in its shortest form"},
};

static void on_head(void *owner, const struct frame_head *h)
{
	struct socket *s = owner;
	unsigned wrong = frame_head_faults(h);
	for (size_t i = 0; wrong && i < ARRAY_LEN(frame_faults); i++)
		if (wrong & frame_faults[i].fault) {
			socket_break(s, 1002, frame_faults[i].what);
			return;
		}
	s->control_len = 0;
	if (opcode_is_control(h->opcode))
		return;
	if ((h->opcode == OPCODE_CONTINUATION) != (s->message_opcode != 0))
		socket_break(s, 1002, s->message_opcode ? "a message inside another one" : "a continuation of nothing");
	else if (h->len > SESSION_UNIT_MAX - s->in.len)
		socket_break(s, 1009, "a message longer than what is kept of one");
	else if (h->opcode != OPCODE_CONTINUATION)
		s->message_opcode = h->opcode;
}

static void on_payload(void *owner, struct span part)
{
	struct socket *s = owner;
	const struct frame_head *h = &s->reader.head;
	if (opcode_is_control(h->opcode)) {
		memcpy(s->control + s->control_len, part.p, part.len);
		s->control_len = (uint8_t)(s->control_len + part.len);
	} else if (h->fin && part.len == h->len && s->in.len == 0) {
		s->whole = part; /* as almost always: it need not be copied */
	} else if (buf_append_span(&s->in, part) < 0) {
		socket_break(s, 1009, "no memory for a message");
	}
}

static void end_message(struct socket *s)
{
	struct span message = s->whole.p ? s->whole : buf_span(&s->in);
	bool binary = s->message_opcode == OPCODE_BINARY;
	s->message_opcode = 0;
	s->whole = (struct span){0};
	if (s->peer_closed)
		return; /* RFC 6455 5.5.1: nothing may follow a Close */
	if (!binary && !utf8_valid(message, NULL)) {
		socket_break(s, 1007, "a text message that is not UTF-8");
		return;
	}
	s->transport.events->on_message(s->transport.owner, message, binary);
	if (s->freed)
		return;
	if (s->in.cap > IN_KEPT)
		buf_fini(&s->in); /* keeps its maximum */
	s->in.len = 0;
}

/* A Close whose body is broken counts as one, with the code it has, and is answered by 1002. */
static const char *wrong_close(struct span body)
{
	if (body.len == 1)
		return "a Close with one octet";
	if (body.len && !close_code_sendable((uint16_t)(body.p[0] << 8 | body.p[1])))
		return "a Close with a code that may not be sent";
	if (body.len && !utf8_valid(span_sub(body, 2, body.len), NULL))
		return "a Close whose reason is not UTF-8";
	return NULL;
}

static void end_close(struct socket *s)
{
	struct span body = span_of(s->control, s->control_len);
	const char *wrong = wrong_close(body);
	if (s->peer_closed)
		return;
	s->peer_closed = true;
	s->peer_code = body.len >= 2 ? body.p[0] << 8 | body.p[1] : CLOSE_NO_CODE;
	if (body.len > 2 && !wrong)
		s->reason = strndup((const char *)body.p + 2, body.len - 2);
	if (wrong)
		socket_break(s, 1002, wrong);
	else if (!s->we_closed)
		socket_say_close(s, s->peer_code, "");
}

static void on_end(void *owner)
{
	struct socket *s = owner;
	struct span control = span_of(s->control, s->control_len);
	switch (s->reader.head.opcode) {
	case OPCODE_CLOSE:
		end_close(s);
		break;
	case OPCODE_PING:
		if (!s->we_closed)
			socket_control(s, OPCODE_PONG, control);
		s->transport.events->on_ping(s->transport.owner);
		break;
	case OPCODE_PONG:
		s->transport.events->on_pong(s->transport.owner, control);
		break;
	default:
		if (s->reader.head.fin)
			end_message(s);
	}
	if (s->over)
		s->reader.stop = true;
}

void socket_reader_init(struct socket *s)
{
	frame_reader_init(&s->reader, s);
	s->reader.on_head = on_head;
	s->reader.on_payload = on_payload;
	s->reader.on_end = on_end;
}

void socket_read(struct socket *s, struct span data)
{
	if (s->phase == SOCKET_ASKED)
		data = read_reply(s, data);
	if (s->over || s->broken || s->phase != SOCKET_OPEN)
		return;
	frame_reader_feed(&s->reader, data);
}
