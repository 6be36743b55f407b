/* Conversations: what a session says and tells, line by line, in the words of the built-in dialects and of small ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "harness/target/session.h"

enum { ARENA_MAX = 16 << 20, HEARD_MAX = 1 << 20 };

/* What the session did since it was last looked at: one line each. */
static struct buf log_;
static struct session *s;
static struct arena arena;
static void (*inside)(void); /* done within the next callback */

static void act(void)
{
	void (*what)(void) = inside;
	inside = NULL;
	if (what)
		what();
}

static void on_say(void *owner, struct span message, bool binary)
{
	(void)owner;
	buf_printf(&log_, "say %s", binary ? "binary " : "");
	buf_append_span(&log_, message);
	buf_append_u8(&log_, '\n');
}

static void news(const char *what, const struct session_news *n)
{
	static const char *const recovered[] = {"", " recovered", " lost"};
	buf_printf(&log_, "%s %u%s%s%s", what, n->channel, n->ok ? " ok" : "", n->unsure ? " unsure" : "", recovered[n->recovered]);
	if (n->op)
		buf_printf(&log_, " op=%llu", (unsigned long long)n->op);
	if (n->seq)
		buf_printf(&log_, " seq=%llu", (unsigned long long)n->seq);
	if (n->epoch.len)
		buf_printf(&log_, " epoch=%.*s", (int)n->epoch.len, (const char *)n->epoch.p);
	if (n->data.len)
		buf_printf(&log_, " data=%.*s", (int)n->data.len, (const char *)n->data.p);
	if (n->code)
		buf_printf(&log_, " code=%s", n->code);
	if (n->reason)
		buf_printf(&log_, " reason=%s", n->reason);
	buf_printf(&log_, "%s\n", n->replay ? " replay" : "");
	act();
}

#define ON_NEWS(name) \
	static void on_##name(void *owner, const struct session_news *n) \
	{ \
		(void)owner; \
		news(#name, n); \
	}
ON_NEWS(ready)
ON_NEWS(subscribed)
ON_NEWS(published)
ON_NEWS(message)
ON_NEWS(moved)
ON_NEWS(error)

static void on_http(void *owner, uint64_t op, const char *method, const char *target, const char *type, struct span body)
{
	(void)owner;
	buf_printf(&log_, "http op=%llu %s %s %s ", (unsigned long long)op, method, target, type ? type : "-");
	buf_append_span(&log_, body);
	buf_append_u8(&log_, '\n');
}

static void on_acked(void *owner, uint32_t channel, uint64_t seq)
{
	(void)owner;
	buf_printf(&log_, "acked %u %llu\n", channel, (unsigned long long)seq);
}

static void on_ping(void *owner)
{
	(void)owner;
	buf_printf(&log_, "ping\n");
}

static void on_unknown(void *owner, struct span message)
{
	(void)owner;
	buf_printf(&log_, "unknown ");
	buf_append_span(&log_, message);
	buf_append_u8(&log_, '\n');
}

static const struct session_events events = {
	.say = on_say, .http = on_http, .ready = on_ready, .subscribed = on_subscribed, .published = on_published,
	.message = on_message, .moved = on_moved, .acked = on_acked, .ping = on_ping, .error = on_error,
	.unknown = on_unknown,
};

static void begin(const char *dialect)
{
	static struct opt_pair pairs[] = {{"client", "me"}};
	static const struct opt_map variables = {.items = pairs, .len = 1};
	const struct dialect *d;
	struct err e;
	if (dialect_load(dialect, NULL, &arena, &d, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(session_new(d, &variables, &events, NULL, &s), 0);
}

static int setup(void **state)
{
	(void)state;
	buf_init(&log_, HEARD_MAX);
	arena_init(&arena, ARENA_MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	session_free(s);
	s = NULL;
	buf_fini(&log_);
	arena_fini(&arena);
	return 0;
}

#define expect(text) expect_(text, __LINE__)
static void expect_(const char *text, int line)
{
	if (strcmp(buf_cstr(&log_), text) != 0)
		fail_msg("line %d: it was\n%s", line, buf_cstr(&log_));
	log_.len = 0;
}

static void hear(const char *text)
{
	session_receive(s, span_str(text), false, 0);
}

static void request(const char *base, const char *target, bool resumes)
{
	struct session_request r;
	assert_int_equal(session_request(s, base, &r), 0);
	assert_string_equal(r.target, target);
	assert_int_equal(r.resumes, resumes);
}

/* wsquall: subscribed on the first connection, three messages, and gone. */
static void wsquall_up_to_three(void)
{
	begin("wsquall");
	session_subscribe(s, 7, "c");
	request("/ws?a=1", "/ws?a=1", false);
	session_open(s, 0);
	expect("");
	hear("{\"type\":\"welcome\",\"session\":\"S\",\"resumed\":false}");
	expect("ready 0 ok\nsay {\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}\n");
	hear("{\"type\":\"subscribed\",\"id\":1,\"channel\":\"c\",\"epoch\":\"E\",\"seq\":2}");
	expect("subscribed 7 ok seq=2 epoch=E\n");
	hear("{\"type\":\"message\",\"channel\":\"c\",\"epoch\":\"E\",\"seq\":3,\"data\":\"x\"}");
	expect("message 7 seq=3 epoch=E data=x\n");
	assert_int_equal(session_closed(s, 1006), SESSION_RECONNECT);
}

static void resumes_where_it_was(void **state)
{
	uint64_t seq;
	struct span epoch;
	(void)state;
	wsquall_up_to_three();
	assert_true(session_cursor(s, 7, &seq, &epoch));
	assert_int_equal(seq, 3);
	session_open(s, 0);
	hear("{\"type\":\"welcome\",\"session\":\"S\"}");
	expect("ready 0 ok\nsay {\"type\":\"subscribe\",\"id\":2,\"channel\":\"c\",\"since\":{\"epoch\":\"E\",\"seq\":3}}\n");
	hear("{\"type\":\"subscribed\",\"id\":2,\"channel\":\"c\",\"epoch\":\"E\",\"seq\":5,\"recovered\":true}");
	expect("subscribed 7 ok recovered seq=5 epoch=E\n");
	for (int i = 4; i <= 6; i++) {
		char text[100];
		snprintf(text, sizeof(text), "{\"type\":\"message\",\"channel\":\"c\",\"epoch\":\"E\",\"seq\":%d,\"data\":%d}", i, i);
		hear(text);
	}
	expect("message 7 seq=4 epoch=E data=4 replay\nmessage 7 seq=5 epoch=E data=5 replay\n"
	       "message 7 seq=6 epoch=E data=6\n");
	session_closed(s, 1001);
	session_forget(s);
	session_open(s, 0);
	hear("{\"type\":\"welcome\",\"session\":\"S\"}");
	expect("ready 0 ok\nsay {\"type\":\"subscribe\",\"id\":3,\"channel\":\"c\"}\n");
}

static void what_is_lost_begins_anew(void **state)
{
	uint64_t seq;
	struct span epoch;
	(void)state;
	wsquall_up_to_three();
	session_open(s, 0);
	hear("{\"type\":\"welcome\",\"session\":\"S\"}");
	log_.len = 0;
	hear("{\"type\":\"subscribed\",\"id\":2,\"channel\":\"c\",\"epoch\":\"F\",\"seq\":1,\"recovered\":false}");
	expect("subscribed 7 ok lost seq=1 epoch=F\n");
	assert_true(session_cursor(s, 7, &seq, &epoch));
	assert_int_equal(seq, 1);
	hear("{\"type\":\"subscribed\",\"id\":null,\"channel\":\"c\",\"epoch\":\"G\",\"seq\":0,\"recovered\":false}");
	expect("moved 7 ok lost epoch=G\n");
	hear("{\"type\":\"message\",\"channel\":\"c\",\"epoch\":\"G\",\"seq\":1,\"data\":\"x\"}");
	expect("message 7 seq=1 epoch=G data=x\n");
	hear("{\"type\":\"unsubscribed\",\"id\":null,\"channel\":\"c\"}");
	expect("moved 7\n");
	assert_int_equal(session_subscribe(s, 7, "c"), 0);
	expect("say {\"type\":\"subscribe\",\"id\":3,\"channel\":\"c\",\"since\":{\"epoch\":\"G\",\"seq\":1}}\n");
}

static void publishes_are_answered_once(void **state)
{
	(void)state;
	wsquall_up_to_three();
	assert_int_equal(session_publish(s, 7, "c", span_str("x"), NULL, 1), -EAGAIN);
	session_open(s, 0);
	hear("{\"type\":\"welcome\",\"session\":\"S\"}");
	log_.len = 0;
	assert_int_equal(session_publish(s, 7, "c", span_str("\xff"), NULL, 9), -EILSEQ);
	for (uint64_t op = 1; op <= 4; op++)
		assert_int_equal(session_publish(s, 7, "c", span_str("x"), op == 1 ? "k" : NULL, op), 0);
	expect("say {\"type\":\"publish\",\"id\":4,\"channel\":\"c\",\"data\":\"x\",\"key\":\"k\"}\n"
	       "say {\"type\":\"publish\",\"id\":5,\"channel\":\"c\",\"data\":\"x\"}\n"
	       "say {\"type\":\"publish\",\"id\":6,\"channel\":\"c\",\"data\":\"x\"}\n"
	       "say {\"type\":\"publish\",\"id\":7,\"channel\":\"c\",\"data\":\"x\"}\n");
	hear("{\"type\":\"error\",\"id\":5,\"code\":\"unavailable\",\"reason\":\"r\"}");
	expect("published 7 unsure op=2 reason=r\n");
	hear("{\"type\":\"published\",\"id\":4,\"channel\":\"c\",\"epoch\":\"E\",\"seq\":4}");
	hear("{\"type\":\"published\",\"id\":4,\"channel\":\"c\",\"epoch\":\"E\",\"seq\":4}"); /* late: nobody waits */
	expect("published 7 ok op=1 seq=4 epoch=E\n");
	hear("{\"type\":\"error\",\"id\":6,\"code\":\"forbidden\"}");
	expect("published 7 op=3 code=forbidden\n");
	session_give_up(s, 4);
	hear("{\"type\":\"published\",\"id\":7,\"channel\":\"c\",\"epoch\":\"E\",\"seq\":5}");
	expect("");
	hear("{\"type\":\"published\",\"id\":99,\"channel\":\"c\",\"epoch\":\"E\",\"seq\":5}"); /* never asked */
	expect("unknown {\"type\":\"published\",\"id\":99,\"channel\":\"c\",\"epoch\":\"E\",\"seq\":5}\n");
	hear("{\"type\":\"error\",\"id\":null,\"code\":\"bad_request\",\"reason\":\"r\"}");
	expect("error 0 code=bad_request reason=r\n");
}

static void acks_wait_for_their_number(void **state)
{
	char text[100];
	(void)state;
	wsquall_up_to_three();
	session_open(s, 0);
	hear("{\"type\":\"welcome\",\"session\":\"S\"}");
	hear("{\"type\":\"subscribed\",\"id\":2,\"channel\":\"c\",\"epoch\":\"E\",\"seq\":3,\"recovered\":true}");
	session_set_acks(s, false);
	for (int i = 4; i < 40; i++) {
		snprintf(text, sizeof(text), "{\"type\":\"message\",\"channel\":\"c\",\"epoch\":\"E\",\"seq\":%d,\"data\":\"\"}", i);
		hear(text);
	}
	log_.len = 0;
	session_set_acks(s, true);
	expect("say {\"type\":\"ack\",\"channel\":\"c\",\"seq\":39}\nacked 7 39\n");
}

static void end_now(void)
{
	session_closed(s, 1006);
	session_open(s, 0);
}

static void drop_channel(void)
{
	session_unsubscribe(s, 7);
}

/* A callback may end the connection, or the channel: what is left of the message goes nowhere. */
static void callbacks_may_do_anything(void **state)
{
	(void)state;
	begin("centrifugo");
	session_subscribe(s, 7, "c");
	session_open(s, 0);
	expect("say {\"id\":1,\"connect\":{\"token\":\"\"}}\n");
	hear("{\"id\":1,\"connect\":{\"client\":\"x\"}}\n{}");
	expect("ready 0 ok\nsay {\"id\":2,\"subscribe\":{\"channel\":\"c\",\"recoverable\":true,\"positioned\":true}}\n"
	       "say {}\nping\n");
	hear("{\"id\":2,\"subscribe\":{\"recoverable\":true,\"epoch\":\"E\"}}");
	expect("subscribed 7 ok epoch=E\n");
	inside = end_now;
	hear("{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":{\"text\":\"a\"},\"offset\":1}}}\n"
	     "{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":{\"text\":\"b\"},\"offset\":2}}}");
	expect("message 7 seq=1 data=a\nsay {\"id\":3,\"connect\":{\"token\":\"\"}}\n");
	hear("{\"id\":3,\"connect\":{\"client\":\"x\"}}");
	expect("ready 0 ok\nsay {\"id\":4,\"subscribe\":{\"channel\":\"c\",\"recoverable\":true,\"positioned\":true,"
	       "\"recover\":true,\"epoch\":\"E\",\"offset\":1}}\n");
	inside = drop_channel;
	hear("{\"id\":4,\"subscribe\":{\"epoch\":\"E\",\"offset\":3,\"recovered\":true,\"was_recovering\":true,"
	     "\"publications\":[{\"data\":{\"text\":\"b\"},\"offset\":2},{\"data\":{\"text\":\"c\"},\"offset\":3}]}}");
	expect("subscribed 7 ok recovered seq=3 epoch=E\nsay {\"id\":5,\"unsubscribe\":{\"channel\":\"c\"}}\n"
	       "message 0 seq=2 epoch=E data=b replay\nmessage 0 seq=3 epoch=E data=c replay\n");
	hear("{\"id\":5,\"unsubscribe\":{}}");
	expect("");
}

static void sessions_of_a_connection(void **state)
{
	(void)state;
	begin("socketio");
	session_subscribe(s, 7, "c");
	request("/socket.io/?x=1", "/socket.io/?x=1&EIO=4&transport=websocket", false);
	session_open(s, 0);
	hear("0{\"sid\":\"a\",\"pingInterval\":25000}");
	expect("say 40\n");
	hear("40{\"sid\":\"b\",\"pid\":\"P\"}");
	expect("ready 0 ok\nsay 422[\"subscribe\",\"c\"]\n");
	hear("432[{\"ok\":true}]");
	hear("2");
	hear("42[\"message\",\"c\",\"x\",\"O1\"]");
	hear("42[\"other\",\"c\",\"x\",\"O2\"]");
	expect("subscribed 7 ok\nsay 3\nping\nmessage 7 data=x\nunknown 42[\"other\",\"c\",\"x\",\"O2\"]\n");
	for (int i = 0; i < 2; i++) {
		const char *pid = i ? "Q" : "P";
		char text[60];
		session_closed(s, 1006);
		request("/", "/?EIO=4&transport=websocket", true);
		session_open(s, 0);
		hear("0{\"sid\":\"a\"}");
		expect("say 40{\"pid\":\"P\",\"offset\":\"O1\"}\n");
		snprintf(text, sizeof(text), "40{\"sid\":\"b\",\"pid\":\"%s\"}", pid);
		hear(text);
		expect(i ? "ready 0 ok lost\nsay 425[\"subscribe\",\"c\"]\n" : "ready 0 ok recovered\nsubscribed 7 ok recovered\n");
	}
	hear("435[{\"ok\":true}]");
	expect("subscribed 7 ok lost\n");
}

static void webpubsub(void **state)
{
	(void)state;
	begin("webpubsub");
	session_subscribe(s, 7, "c");
	request("/client", "/client?access_token=", false);
	session_open(s, 0);
	hear("{\"type\":\"system\",\"event\":\"connected\",\"connectionId\":\"C/1\",\"reconnectionToken\":\"T=\"}");
	hear("{\"type\":\"ack\",\"ackId\":1,\"success\":true}");
	expect("ready 0 ok\nsay {\"type\":\"joinGroup\",\"group\":\"c\",\"ackId\":1}\nsubscribed 7 ok\n");
	for (int i = 1; i <= 16; i++) {
		char text[120];
		snprintf(text, sizeof(text),
			 "{\"sequenceId\":%d,\"type\":\"message\",\"from\":\"group\",\"group\":\"c\",\"data\":\"x\"}", i);
		log_.len = 0;
		hear(text);
	}
	expect("message 7 seq=16 data=x\nsay {\"type\":\"sequenceAck\",\"sequenceId\":16}\nacked 7 16\n");
	assert_int_equal(session_closed(s, 1006), SESSION_RECONNECT);
	request("/client", "/client?access_token=&awps_connection_id=C%2F1&awps_reconnection_token=T%3D", true);
	session_open(s, 0);
	expect("ready 0 ok recovered\nsubscribed 7 ok recovered\n");
	assert_int_equal(session_closed(s, 1008), SESSION_AFRESH);
	request("/client", "/client?access_token=", false);
}

static void streams(void **state)
{
	static const char text[] = ": hello\r\n\r\nevent: subscribed\ndata: {\"type\":\"subscribed\",\"epoch\":\"E\",\ndata: \"seq\":4}\n\n"
				   "id: E:5\rdata: {\"type\":\"message\",\"epoch\":\"E\",\"seq\":5,\"data\":\"x\"}\r\r"
				   "event: other\ndata: y\n\ndata\n\nid: E:6\n\nevent: gone";
	struct session_request r;
	(void)state;
	begin("sse");
	assert_int_equal(session_request(s, "/", &r), -ENOTSUP);
	session_subscribe(s, 7, "a/b");
	assert_int_equal(session_subscribe(s, 8, "other"), -ENOTSUP);
	request("/?token=t", "/sse/a%2Fb?token=t", false);
	for (size_t cut = 1; cut < 9; cut++) {
		session_open(s, 0);
		for (size_t at = 0; at < sizeof(text) - 1; at += cut)
			session_receive(s, span_sub(SPAN_LIT(text), at, cut), false, 0);
		expect("ready 0 ok\nping\nsubscribed 7 ok seq=4 epoch=E\nmessage 7 seq=5 epoch=E data=x\n"
		       "unknown event: other\nid: E:5\n\ny\nunknown event: message\nid: E:5\n\n\n");
		session_closed(s, 0);
		session_forget(s);
	}
	assert_int_equal(session_publish(s, 9, "z", span_str("d"), "k", 3), 0);
	expect("http op=3 POST /publish/z application/json {\"data\":\"d\",\"key\":\"k\"}\n");
	session_http_done(s, 3, 200, span_str("{\"type\":\"published\",\"epoch\":\"E\",\"seq\":6}"));
	session_http_done(s, 3, 200, span_str(""));
	expect("published 9 ok op=3 seq=6 epoch=E\n");
	static const struct {
		int status;
		const char *told;
	} rows[] = {{0, "published 9 unsure op=4\n"}, {503, "published 9 unsure op=4\n"}, {403, "published 9 op=4\n"}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(session_publish(s, 9, "z", span_str("d"), NULL, 4), 0);
		log_.len = 0;
		session_http_done(s, 4, rows[i].status, span_str("nothing"));
		expect(rows[i].told);
	}
}

static void stream_resumes_by_header(void **state)
{
	struct session_request r;
	(void)state;
	begin("sse");
	session_subscribe(s, 7, "c");
	session_open(s, 0);
	hear("event: subscribed\ndata: {\"type\":\"subscribed\",\"epoch\":\"E\",\"seq\":4}\n\n");
	session_closed(s, 0);
	assert_int_equal(session_request(s, "/", &r), 0);
	assert_true(r.resumes);
	assert_int_equal(r.n_headers, 2);
	assert_string_equal(r.headers[1].key, "Last-Event-ID");
	assert_string_equal(r.headers[1].value, "E:4");
	session_open(s, 0);
	log_.len = 0;
	hear("event: subscribed\ndata: {\"type\":\"subscribed\",\"epoch\":\"E\",\"seq\":6,\"recovered\":true}\n\n"
	     "id: E:5\ndata: {\"type\":\"message\",\"epoch\":\"E\",\"seq\":5,\"data\":\"x\"}\n\n");
	expect("subscribed 7 ok recovered seq=6 epoch=E\nmessage 7 seq=5 epoch=E data=x replay\n");
}

static void heartbeats_and_codes(void **state)
{
	(void)state;
	begin("pusher");
	assert_int_equal(session_wake_at(s), UINT64_MAX);
	session_open(s, 1000000);
	hear("{\"event\":\"pusher:connection_established\",\"data\":\"{\\\"socket_id\\\":\\\"1.2\\\",\\\"activity_timeout\\\":120}\"}");
	expect("ready 0 ok\n");
	session_wake(s, 1);
	expect("");
	session_wake(s, 61000000);
	expect("say {\"event\":\"pusher:ping\"}\n");
	assert_int_equal(session_wake_at(s), 121000000);
	hear("{\"event\":\"pusher:pong\",\"data\":{}}");
	expect("");
	assert_int_equal(session_publish(s, 1, "private-c", span_str("a\"b"), NULL, 5), 0);
	expect("say {\"event\":\"client-message\",\"channel\":\"private-c\",\"data\":\"{\\\"text\\\":\\\"a\\\\\\\"b\\\"}\"}\n"
	       "published 1 ok op=5\n");
	assert_int_equal(session_closed(s, 4004), SESSION_STOP);
	assert_int_equal(session_closed(s, 4200), SESSION_RECONNECT);
	session_free(s);
	begin("graphql-ws");
	assert_int_equal(session_closed(s, 4403), SESSION_STOP);
	assert_int_equal(session_closed(s, 4408), SESSION_RECONNECT);
	session_free(s);
	begin("wsquall");
	assert_int_equal(session_closed(s, 4000), SESSION_STOP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(resumes_where_it_was), TEST(what_is_lost_begins_anew), TEST(publishes_are_answered_once),
		TEST(acks_wait_for_their_number), TEST(callbacks_may_do_anything), TEST(sessions_of_a_connection),
		TEST(webpubsub), TEST(streams), TEST(stream_resumes_by_header), TEST(heartbeats_and_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
