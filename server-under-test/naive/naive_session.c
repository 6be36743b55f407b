/*
 * The WebSocket of the naive engine above frames: messages, control frames, the closing handshake, failing (RFC 6455
 * 5.4 to 7). The deliberate bugs are one line each, beside the rule they break.
 */
#include "server-under-test/naive/naive_session.h"

#include <stdlib.h>
#include <string.h>

#include "server-under-test/defects.h"
#include "server-under-test/naive/close_body.h"

void session_init(struct session *s, struct conn_info *info, uint64_t message_max)
{
	*s = (struct session){ .info = info, .message_max = message_max };
}

void session_fini(struct session *s)
{
	bytes_fini(&s->out);
	bytes_fini(&s->message);
	bytes_fini(&s->late_pongs);
}

/* RFC 6455 7.1.7: Close with a fitting code, and nothing of the peer is looked at any more. */
static void session_fail(struct session *s, struct frame_fault fault)
{
	if (s->state != SESSION_OPEN) { /* our Close is already on its way */
		s->state = defect(fail_keeps_tcp_open) ? s->state : SESSION_ENDED;
		return;
	}
	close_write(&s->out, close_fail_code(fault.code), fault.why);
	s->end.code = fault.code;
	s->end.initiator = INITIATOR_SERVER;
	conn_end_set_reason(&s->end, fault.why, strlen(fault.why));
	s->state = defect(fail_keeps_tcp_open) ? SESSION_CLOSING : SESSION_ENDED;
	if (defect(fail_keeps_answering))
		s->state = SESSION_OPEN;
}

void session_close(struct session *s, unsigned code, const char *reason)
{
	if (s->state != SESSION_OPEN)
		return;
	close_write(&s->out, code, reason);
	s->end.code = code;
	s->end.initiator = INITIATOR_SERVER;
	conn_end_set_reason(&s->end, reason, strlen(reason));
	s->state = SESSION_CLOSING;
}

void session_lost(struct session *s)
{
	if (s->end.code == 0) {
		s->end.code = 1006;
		s->end.initiator = INITIATOR_NETWORK;
	}
	s->state = SESSION_ENDED;
}

static void on_close(struct session *s)
{
	struct frame_fault fault = close_check(s->control, s->control_len);

	if (fault.code) {
		session_fail(s, fault);
		return;
	}
	if (s->state == SESSION_CLOSING) {
		s->end.clean = true;
		s->state = SESSION_ENDED;
		return;
	}
	s->end.code = s->control_len < 2 ? 1005 : (unsigned)(s->control[0] << 8 | s->control[1]);
	s->end.initiator = INITIATOR_CLIENT;
	if (s->control_len > 2)
		conn_end_set_reason(&s->end, s->control + 2, s->control_len - 2);
	if (defect(close_drops_pending))
		s->out.end -= bytes_len(&s->out) / 2;
	s->end.clean = !defect(close_unanswered);
	if (!defect(close_unanswered))
		close_reply(&s->out, s->control, s->control_len);
	s->state = defect(close_reads_on) ? SESSION_OPEN : SESSION_ENDED;
}

static void on_ping(struct session *s)
{
	struct bytes *out = &s->out;
	size_t len = s->control_len;

	if (s->state != SESSION_OPEN || defect(ping_unanswered))
		return;
	if (defect(ping_flood_closes) && ++s->pings > 5) {
		session_close(s, 1008, "too many pings");
		return;
	}
	if (defect(ping_second_unanswered) && ++s->pings % 2 == 0)
		return;
	if (defect(pong_payload_empty))
		len = 0;
	if (defect(pong_payload_cut) && len > 124)
		len = 124;
	if (defect(pong_waits_for_message) && s->in_message)
		out = &s->late_pongs;
	frame_write(out, OPCODE_PONG, s->control, len);
	if (defect(pong_sent_twice))
		frame_write(out, OPCODE_PONG, s->control, len);
	if (defect(ping_ends_message) && s->in_message) {
		s->in_message = false;
		bytes_clear(&s->message);
	}
}

static void on_control(struct session *s)
{
	switch (s->frame.opcode) {
	case OPCODE_CLOSE:
		on_close(s);
		break;
	case OPCODE_PING:
		on_ping(s);
		break;
	default:
		if (defect(pong_answered) && s->state == SESSION_OPEN)
			frame_write(&s->out, OPCODE_PONG, s->control, s->control_len);
		if (defect(pong_unsolicited_refused))
			session_fail(s, (struct frame_fault){ 1002, "a Pong nobody asked for" });
	}
}

static void echo(struct session *s)
{
	struct bytes *m = &s->message;
	uint8_t opcode = s->message_opcode;
	size_t len = bytes_len(m);

	if (defect(echo_type_of_last_frame) && s->message_frames > 1)
		opcode = OPCODE_CONTINUATION;
	if (defect(echo_binary_as_text) && opcode == OPCODE_BINARY)
		opcode = OPCODE_TEXT;
	if (defect(echo_empty_lost) && len == 0)
		return;
	if (defect(echo_last_octet_lost) && (len == 126 || len == 65536))
		len--;
	if (defect(echo_stops_at_nul) && len > 0 && memchr(m->p + m->start, 0, len))
		len = (size_t)((uint8_t *)memchr(m->p + m->start, 0, len) - (m->p + m->start));
	if (defect(echo_size_16_bits))
		len = (uint16_t)len;
	frame_write(&s->out, opcode, m->p ? m->p + m->start : m->p, len);
	if (defect(echo_sent_twice))
		frame_write(&s->out, opcode, m->p ? m->p + m->start : m->p, len);
	s->info->sent++;
}

static bool is_close_trigger(const struct session *s)
{
	size_t len = bytes_len(&s->message);

	return s->close_trigger && s->message_opcode == OPCODE_TEXT && len == strlen(s->close_trigger) && len > 0 &&
	       memcmp(s->message.p + s->message.start, s->close_trigger, len) == 0;
}

static void on_message(struct session *s)
{
	if (s->message_opcode == OPCODE_TEXT && !utf8_complete(&s->utf8)) {
		session_fail(s, (struct frame_fault){ 1007, "the text ends inside a character" });
		return;
	}
	s->info->received++;
	if (s->state == SESSION_OPEN && is_close_trigger(s))
		session_close(s, 1001, "going away");
	else if (s->state == SESSION_OPEN)
		echo(s);
	s->in_message = false;
	if (!defect(fragment_joins_messages) || s->message_frames == 1)
		bytes_clear(&s->message);
	if (bytes_len(&s->late_pongs) > 0) {
		bytes_append(&s->out, s->late_pongs.p + s->late_pongs.start, bytes_len(&s->late_pongs));
		bytes_clear(&s->late_pongs);
	}
}

static void data_begin(struct session *s)
{
	if (s->frame.opcode != OPCODE_CONTINUATION || !s->in_message) {
		s->message_opcode = s->frame.opcode ? s->frame.opcode : OPCODE_TEXT;
		s->message_frames = 0;
		s->utf8 = (struct utf8){ 0 };
	}
	if (defect(utf8_restarts_each_frame))
		s->utf8 = (struct utf8){ 0 };
	s->message_frames++;
	s->in_message = true;
	if (defect(fragment_16_at_most) && s->message_frames > 16)
		session_fail(s, (struct frame_fault){ 1008, "too many fragments" });
	if (defect(fragment_empty_refused) && !s->frame.fin && s->frame.len == 0)
		session_fail(s, (struct frame_fault){ 1002, "an empty fragment" });
}

static bool text_is_checked(const struct session *s)
{
	if (defect(utf8_unchecked) || (defect(utf8_first_frame_only) && s->message_frames > 1))
		return false;
	return s->message_opcode == OPCODE_TEXT || defect(utf8_checked_in_binary);
}

static void data_octets(struct session *s, const uint8_t *p, size_t len)
{
	if (s->state != SESSION_OPEN)
		return;
	if (text_is_checked(s) && !utf8_feed(&s->utf8, p, len)) {
		session_fail(s, (struct frame_fault){ defect(utf8_wrong_code) ? 1005 : 1007, "the text is not UTF-8" });
		return;
	}
	if (defect(fragment_first_kept_only) && s->message_frames > 1)
		return;
	bytes_append(&s->message, p, len);
}

static void frame_end(struct session *s)
{
	s->in_payload = false;
	s->head_len = 0;
	if (opcode_is_control(s->frame.opcode))
		on_control(s);
	else if (s->frame.fin || (defect(fragment_empty_ends) && s->frame.len == 0))
		on_message(s);
	else if (defect(utf8_restarts_each_frame) && s->message_opcode == OPCODE_TEXT && !utf8_complete(&s->utf8))
		session_fail(s, (struct frame_fault){ 1007, "the fragment ends inside a character" });
}

static void payload_octets(struct session *s, uint8_t *p, size_t len)
{
	frame_unmask(p, len, s->frame.mask, s->payload_done);
	s->payload_done += len;
	if (!opcode_is_control(s->frame.opcode)) {
		data_octets(s, p, len);
		return;
	}
	if (s->control_len + len > FRAME_CONTROL_MAX)
		len = FRAME_CONTROL_MAX - s->control_len;
	memcpy(s->control + s->control_len, p, len);
	s->control_len += len;
}

/* Reads frame heads octet by octet; true when a payload begins. */
static bool head_octet(struct session *s, uint8_t c)
{
	struct frame_fault fault = { 0 };
	uint64_t held = s->in_message ? bytes_len(&s->message) : 0;
	uint64_t room = held < s->message_max ? s->message_max - held : 0;
	int used;

	if (defect(limit_ignored) || (defect(limit_first_frame_only) && s->in_message))
		room = 1ull << 62;
	if (defect(limit_off_by_one) && room > 0)
		room--;
	s->head[s->head_len++] = c;
	used = frame_head_parse(s->head, s->head_len, s->in_message, room, &s->frame, &fault);
	if (used < 0) {
		session_fail(s, fault);
		if (defect(fail_keeps_answering) && s->head_len == 1)
			s->head[0] = 0x80 | OPCODE_PONG; /* the bad frame is skipped as a Pong would be */
		else
			s->head_len = 0;
	}
	if (used <= 0)
		return false;
	s->in_payload = true;
	s->payload_done = 0;
	if (opcode_is_control(s->frame.opcode))
		s->control_len = 0;
	else
		data_begin(s);
	return true;
}

static size_t session_step(struct session *s, const uint8_t *data, size_t len)
{
	uint8_t chunk[16 * 1024];
	uint64_t left;

	if (!s->in_payload) {
		if (head_octet(s, data[0]) && s->frame.len == 0 && s->state != SESSION_ENDED)
			frame_end(s);
		return 1;
	}
	left = s->frame.len - s->payload_done;
	if (len > left)
		len = left;
	if (len > sizeof(chunk))
		len = sizeof(chunk);
	memcpy(chunk, data, len);
	payload_octets(s, chunk, len);
	if (s->payload_done == s->frame.len && s->state != SESSION_ENDED)
		frame_end(s);
	return len;
}

void session_input(struct session *s, const uint8_t *data, size_t len)
{
	if (defect(read_drops_split_head) && s->head_len > 0 && !s->in_payload)
		s->head_len = 0;
	while (len > 0 && s->state != SESSION_ENDED) {
		size_t used = session_step(s, data, len);

		data += used;
		len -= used;
		if (defect(read_one_frame_each) && !s->in_payload && s->head_len == 0)
			return;
	}
}
