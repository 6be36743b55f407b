/* The WebSocket client against a server that says exactly what a row wants: right, wrong, cut anywhere, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/load/test_far.h"
#include "harness/load/transport.h"
#include "harness/ws/frame.h"

enum { GUARD_MS = 20000 };

struct seen {
	struct loop loop;
	struct alarms *alarms;
	struct transport *transport;
	struct far far;
	struct buf log, scratch;
	struct rng rng;
	struct timer guard;
	const char *say;           /* sent at on_open */
	bool close, ping, free_at_message, over;
};

static void stop(struct seen *s)
{
	s->over = true;
	loop_stop(&s->loop);
}

static void on_open(void *owner)
{
	struct seen *s = owner;
	buf_printf(&s->log, "open(%s)", s->transport->id ? s->transport->id : "");
	if (s->say)
		assert_int_equal(transport_send(s->transport, span_str(s->say), false), 0);
	if (s->ping)
		transport_ping(s->transport, SPAN_LIT("p"));
	if (s->close)
		transport_close(s->transport, 1000, "bye");
}

static void on_refused(void *owner, int status, const char *why)
{
	struct seen *s = owner;
	buf_printf(&s->log, "refused %d %s", status, why);
	stop(s);
}

static void on_message(void *owner, struct span message, bool binary)
{
	struct seen *s = owner;
	if (message.len > 40)
		buf_printf(&s->log, " %s(%zu)", binary ? "binary" : "text", message.len);
	else
		buf_printf(&s->log, " %s:%.*s", binary ? "binary" : "text", (int)message.len, (const char *)message.p);
	if (!s->free_at_message)
		return;
	transport_free(s->transport);
	s->transport = NULL;
	stop(s);
}

static void on_ping(void *owner)
{
	buf_printf(&((struct seen *)owner)->log, " ping");
}

static void on_pong(void *owner, struct span payload)
{
	buf_printf(&((struct seen *)owner)->log, " pong:%.*s", (int)payload.len, (const char *)payload.p);
}

static void on_end(void *owner, const struct transport_end *end)
{
	struct seen *s = owner;
	buf_printf(&s->log, " end %d '%s' by %s%s (%s)", end->code, end->reason, end_by_name(end->by),
		   end->clean ? " clean" : "", end->note);
	stop(s);
}

static const struct transport_events events = {on_open, on_refused, on_message, on_ping, on_pong, on_end};

static void on_guard(void *owner)
{
	struct seen *s = owner;
	buf_printf(&s->log, " (nothing more)");
	stop(s);
}

typedef int transport_new(const struct transport_options *o, const struct transport_events *e, void *owner,
			  struct transport **ret_transport);

static const char *const protocols[] = {"a", "b"};

/* Fills s->log; s->far says how. */
static void talk(struct seen *s, transport_new *new)
{
	struct dial_addresses addresses;
	struct workload_way way = {.addresses = &addresses, .host = "h", .target = "/"};
	struct opt_strings offered = {(const char **)protocols, 2, 2};
	struct err e;
	assert_int_equal(loop_init(&s->loop), 0);
	assert_int_equal(alarms_new(&s->loop, &s->alarms), 0);
	buf_init(&s->log, 1 << 20);
	buf_init(&s->scratch, 64 << 20);
	rng_init(&s->rng, 1, "test");
	far_start(&s->far, &s->loop);
	assert_int_equal(dial_resolve("127.0.0.1", s->far.port, &addresses, &e), 0);
	struct transport_options o = {.line = {.loop = &s->loop, .alarms = s->alarms, .way = &way}, .target = "/x",
				      .subprotocols = &offered, .id_header = "x-id", .rng = &s->rng, .scratch = &s->scratch};
	assert_int_equal(new(&o, &events, s, &s->transport), 0);
	assert_int_equal(timer_start(&s->guard, &s->loop, GUARD_MS, on_guard, s), 0);
	while (!s->over)
		loop_run(&s->loop);
	timer_fini(&s->guard);
	transport_free(s->transport);
}

static void over(struct seen *s)
{
	far_stop(&s->far);
	alarms_free(s->alarms);
	loop_fini(&s->loop);
	buf_fini(&s->log);
	buf_fini(&s->scratch);
}

struct row {
	const char *reply;         /* NULL: far_good */
	const char *says;
	size_t len;                /* of it; 0: up to its NUL */
	enum far_then then;
	bool close;
	const char *expect;
};
#define SAYS(s) .says = (s), .len = sizeof(s) - 1

#define HEAD "HTTP/1.1 101 Switching Protocols\r\n"
#define UP "Upgrade: websocket\r\n"
#define CON "Connection: Upgrade\r\n"
#define ACC "Sec-WebSocket-Accept: $ACCEPT\r\n"

static const struct row rows[] = {
	/* the handshake */
	{HEAD CON ACC "\r\n", .expect = "refused 101 a wrong 101: no \"Upgrade: websocket\""},
	{HEAD UP ACC "\r\n", .expect = "refused 101 a wrong 101: no \"Connection: Upgrade\""},
	{HEAD UP CON "\r\n", .expect = "refused 101 a wrong 101: Sec-WebSocket-Accept is not the one of our key"},
	{HEAD UP CON "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
	 .expect = "refused 101 a wrong 101: Sec-WebSocket-Accept is not the one of our key"},
	{HEAD UP CON ACC "Sec-WebSocket-Protocol: c\r\n\r\n",
	 .expect = "refused 101 a wrong 101: a subprotocol that was not offered"},
	{HEAD UP CON ACC "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
	 .expect = "refused 101 a wrong 101: an extension that was not offered"},
	{HEAD UP CON ACC "Sec-WebSocket-Protocol: b\r\n\r\n", SAYS("\x81\x01x"), FAR_RST,
	 .expect = "open() text:x end 1006 '' by network (RST)"},
	{"HTTP/1.1 503 Service Unavailable\r\nX-Id: 7\r\n\r\n", .expect = "refused 503 HTTP 503 Service Unavailable"},
	{"HTTP/1.0 101 Yes\r\n" UP CON ACC "\r\n", .expect = "refused 101 a wrong 101: it is not HTTP/1.1"},
	{"hello there, this is SMTP\r\n", .expect = "refused 0 not HTTP"},
	{"", .then = FAR_FIN, .expect = "refused 0 no answer to the handshake: FIN"},
	{"", .then = FAR_RST, .expect = "refused 0 no answer to the handshake: RST"},
	{HEAD, .then = FAR_FIN, .expect = "refused 0 no answer to the handshake: FIN"},
	/* messages */
	{SAYS("\x81\x02hi\x82\x01\xff"), .then = FAR_FIN,
	 .expect = "open(abc) text:hi binary:\xff end 1006 '' by network (FIN)"},
	{SAYS("\x01\x01" "a\x89\x01p\x00\x01" "b\x8a\x00\x80\x01" "c\x81\x00"), .then = FAR_FIN,
	 .expect = "open(abc) ping pong: text:abc text: end 1006 '' by network (FIN)"},
	/* the closing handshake */
	{SAYS("\x88\x05\x03\xe9" "bye"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1001 'bye' by server clean (FIN)"},
	{SAYS("\x88\x00"), .then = FAR_FIN_AFTER_CLOSE, .expect = "open(abc) end 1005 '' by server clean (FIN)"},
	{SAYS("\x88\x02\x03\xe8\x81\x01x"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1000 '' by server clean (FIN)"},
	{SAYS("\x88\x02\x03\xe8"), .then = FAR_FIN, .expect = "open(abc) end 1000 '' by server clean (FIN)"},
	{SAYS("\x88\x02\x03\xe8"), .then = FAR_STAY,
	 .expect = "open(abc) end 1000 '' by server clean (the target kept TCP open)"},
	{SAYS("\x88\x02\x03\xe8"), .then = FAR_FIN_AFTER_CLOSE, .close = true,
	 .expect = "open(abc) end 1000 '' by client clean (FIN)"},
	{SAYS("\x81\x01x\x88\x00"), .then = FAR_FIN_AFTER_CLOSE, .close = true,
	 .expect = "open(abc) text:x end 1005 '' by client clean (FIN)"},
	{SAYS("\x88\x02\x03\xe9"), .then = FAR_FIN_AFTER_CLOSE, .close = true,
	 .expect = "open(abc) end 1001 '' by server clean (both sides began to close; FIN)"},
	{.then = FAR_FIN_AFTER_CLOSE, .close = true, .expect = "open(abc) end 1006 '' by client (FIN)"},
	{.then = FAR_STAY, .close = true, .expect = "open(abc) end 1006 '' by client (no answer to our Close)"},
	/* what is wrong with a Close */
	{SAYS("\x88\x01x"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1005 '' by server (a Close with one octet; FIN)"},
	{SAYS("\x88\x02\x03\xee"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by server (a Close with a code that may not be sent; FIN)"},
	{SAYS("\x88\x03\x03\xe8\xff"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1000 '' by server (a Close whose reason is not UTF-8; FIN)"},
	/* frames that break the protocol */
	{SAYS("\x81\x81\1\2\3\4x"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a masked frame; FIN)"},
	{SAYS("\xc1\x01x"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a frame with a reserved bit; FIN)"},
	{SAYS("\x83\x01x"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a frame with a reserved opcode; FIN)"},
	{SAYS("\x81\x7e\x00\x01x"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a length that is not in its shortest form; FIN)"},
	{SAYS("\x89\x7e\x00\xff"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a control frame that is too long; FIN)"},
	{SAYS("\x09\x00"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a control frame in fragments; FIN)"},
	{SAYS("\x80\x01x"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a continuation of nothing; FIN)"},
	{SAYS("\x01\x01x\x81\x01y"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a message inside another one; FIN)"},
	{SAYS("\x81\x01\xff\x81\x01x"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a text message that is not UTF-8; FIN)"},
	{SAYS("\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a message longer than what is kept of one; FIN)"},
	{SAYS("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), .then = FAR_FIN_AFTER_CLOSE,
	 .expect = "open(abc) end 1006 '' by client (a frame with an impossible length; FIN)"},
	{SAYS("\x81\x05x"), .then = FAR_FIN, .expect = "open(abc) end 1006 '' by network (FIN)"},
};

static void every_row(bool octets)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct seen s = {.close = row->close, .far = {.reply = row->reply ? row->reply : far_good, .then = row->then,
							     .octets = octets, .says = span_of(row->says, row->len)}};
		bool waits = strstr(row->expect, "kept TCP") || strstr(row->expect, "no answer to our Close");
		if (octets && waits)
			continue; /* two seconds each */
		/* A RST may take octets with it that were not read yet. */
		if (row->then == FAR_RST && row->len)
			s.far.octets = false;
		talk(&s, transport_socket_new);
		const char *got = buf_cstr(&s.log);
		if (strcmp(got, row->expect) != 0 && !(row->then == FAR_RST && row->len))
			fail_msg("row %zu: \"%s\" instead of \"%s\"", i, got, row->expect);
		over(&s);
	}
}

static void what_a_target_may_say(void **state)
{
	(void)state;
	every_row(false);
}

static void cut_into_octets_it_is_the_same(void **state)
{
	(void)state;
	every_row(true);
}

/* The Close of a broken protocol carries 1002, 1007 or 1009, masked. */
static void a_broken_protocol_is_told(void **state)
{
	(void)state;
	static const struct {
		struct span says;
		int code;
	} told[] = {
		{SPAN_LIT("\xc1\x01x"), 1002},
		{SPAN_LIT("\x81\x01\xff"), 1007},
		{SPAN_LIT("\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff"), 1009},
		{SPAN_LIT("\x88\x02\x03\xee"), 1002},
	};
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		struct seen s = {.far = {.reply = far_good, .then = FAR_FIN_AFTER_CLOSE, .says = told[i].says}};
		struct frame_head h;
		talk(&s, transport_socket_new);
		assert_int_equal(frame_head_parse(buf_span(&s.far.got), &h), 6);
		assert_true(h.masked && h.fin && h.opcode == OPCODE_CLOSE && h.len == 2);
		uint8_t body[2] = {s.far.got.p[6] ^ h.key[0], s.far.got.p[7] ^ h.key[1]};
		assert_int_equal(body[0] << 8 | body[1], told[i].code);
		over(&s);
	}
}

static void a_ping_is_answered(void **state)
{
	(void)state;
	struct seen s = {.far = {.reply = far_good, .then = FAR_FIN_AFTER_CLOSE, .says = SPAN_LIT("\x89\x03" "abc\x88\x00")}};
	struct frame_head h;
	talk(&s, transport_socket_new);
	assert_int_equal(frame_head_parse(buf_span(&s.far.got), &h), 6);
	assert_true(h.masked && h.opcode == OPCODE_PONG && h.len == 3);
	assert_int_equal(s.far.got.p[6] ^ h.key[0], 'a');
	over(&s);
}

static void it_may_be_freed_from_inside(void **state)
{
	(void)state;
	struct seen s = {.free_at_message = true,
			 .far = {.reply = far_good, .says = SPAN_LIT("\x81\x01x\x81\x01y\x88\x00")}};
	talk(&s, transport_socket_new);
	assert_string_equal(buf_cstr(&s.log), "open(abc) text:x");
	over(&s);
}

#define SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Id: abc\r\n"

static void event_streams(void **state)
{
	(void)state;
	static const struct row streams[] = {
		{SSE "\r\n", SAYS("data: x\n\n"), FAR_FIN, .expect = "open(abc) text:data: x\n\n end 0 '' by server clean (FIN)"},
		{SSE "Transfer-Encoding: chunked\r\n\r\n", SAYS("3\r\nabc\r\n0\r\n\r\n"), FAR_STAY,
		 .expect = "open(abc) text:abc end 0 '' by server clean (the answer is complete)"},
		{SSE "Transfer-Encoding: chunked\r\n\r\n", SAYS("3\r\nabc\r\n"), FAR_FIN,
		 .expect = "open(abc) text:abc end 0 '' by network (FIN)"},
		{SSE "Transfer-Encoding: chunked\r\n\r\n", SAYS("x\r\n"), FAR_STAY,
		 .expect = "open(abc) end 0 '' by client (a broken chunk)"},
		{SSE "Transfer-Encoding: gzip\r\n\r\n", .expect = "refused 200 an answer without a clear end"},
		{"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
		 .expect = "refused 200 its Content-Type is not that of an event stream"},
		{"HTTP/1.1 404 Not Found\r\n\r\n", .expect = "refused 404 HTTP 404 Not Found"},
		{SSE "\r\n", .close = true, .expect = "open(abc) end 0 '' by client clean (closed by us)"},
		{"", .then = FAR_RST, .expect = "refused 0 RST"},
	};
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		const struct row *row = &streams[i];
		struct seen s = {.close = row->close, .far = {.reply = row->reply, .then = row->then,
							     .says = span_of(row->says, row->len)}};
		talk(&s, transport_event_stream_new);
		assert_string_equal(buf_cstr(&s.log), row->expect);
		over(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_target_may_say),
		cmocka_unit_test(cut_into_octets_it_is_the_same),
		cmocka_unit_test(a_broken_protocol_is_told),
		cmocka_unit_test(a_ping_is_answered),
		cmocka_unit_test(it_may_be_freed_from_inside),
		cmocka_unit_test(event_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
