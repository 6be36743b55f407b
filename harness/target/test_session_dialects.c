/* Conversations in the built-in dialects, as their servers would hold them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "harness/target/test_session_rig.h"

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

/* The epoch is told once, with the subscription: it is that of every message behind it, until another one is told. */
static void epochs_of_a_subscription(void **state)
{
	static const struct {
		const char *answer, *expected;
	} rows[] = {
		{"{\"id\":2,\"subscribe\":{\"epoch\":\"E\",\"offset\":3}}", "subscribed 7 ok seq=3 epoch=E\nmessage 7 seq=4 epoch=E data=x\n"},
		{"{\"id\":4,\"subscribe\":{\"epoch\":\"F\",\"offset\":0,\"was_recovering\":true}}",
		 "subscribed 7 ok lost epoch=F\nmessage 7 seq=4 epoch=F data=x\n"},
		{"{\"id\":6,\"subscribe\":{\"epoch\":\"G\"}}", "subscribed 7 ok epoch=G\nmessage 7 seq=4 epoch=G data=x\n"},
	};
	(void)state;
	begin("centrifugo");
	session_subscribe(s, 7, "c");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		session_closed(s, 1006);
		request("/", "/", false);
		session_open(s, 0);
		hear("{\"id\":1,\"connect\":{\"client\":\"me\"}}");
		log_.len = 0;
		hear(rows[i].answer);
		hear("{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":{\"text\":\"x\"},\"offset\":4}}}");
		expect(rows[i].expected);
	}
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
	hear("{\"sequenceId\":16,\"type\":\"message\",\"from\":\"group\",\"group\":\"c\",\"data\":\"x\"}");
	expect(""); /* resent: its acknowledgement was lost */
	hear("{\"sequenceId\":17,\"type\":\"message\",\"from\":\"group\",\"group\":\"c\",\"data\":\"x\"}");
	expect("message 7 seq=17 data=x\n");
	hear("{\"type\":\"system\",\"event\":\"connected\",\"connectionId\":\"C/1\",\"reconnectionToken\":\"U=\"}");
	expect("");
	session_closed(s, 1006);
	request("/client", "/client?access_token=&awps_connection_id=C%2F1&awps_reconnection_token=U%3D", true);
	session_open(s, 0);
	expect("ready 0 ok recovered\nsubscribed 7 ok recovered\n");
	assert_int_equal(session_closed(s, 1008), SESSION_AFRESH);
	request("/client", "/client?access_token=", false);
}

/* Whoever publishes has joined before, also when it does so as soon as it may. */
static void publish_in_ready(void)
{
	assert_int_equal(session_publish(s, 8, "d", span_str("x"), NULL, 5), -ENOTSUP);
	assert_int_equal(session_publish(s, 7, "c", span_str("x"), NULL, 6), 0);
}

static void publishers_join(void **state)
{
	(void)state;
	begin("phoenix");
	session_subscribe(s, 7, "c");
	assert_int_equal(session_publish(s, 7, "c", span_str("x"), NULL, 4), -EAGAIN);
	inside = publish_in_ready;
	session_open(s, 0);
	expect("ready 0 ok\n"
	       "say [\"j1\",\"j1\",\"room:c\",\"phx_join\",{}]\n"
	       "say [\"p2\",\"p2\",\"room:c\",\"new_msg\",{\"data\":\"x\"}]\n");
	hear("[\"j1\",\"j1\",\"room:c\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]");
	hear("[null,null,\"room:c\",\"new_msg\",{\"data\":\"x\"}]");
	hear("[\"j1\",\"p2\",\"room:c\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]");
	expect("subscribed 7 ok\nmessage 7 data=x\npublished 7 ok op=6\n");
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

static void signed_publishes(void **state)
{
	static const char request[] =
		"http op=5 POST /apps/app-id/events?auth_key=app-key&auth_timestamp=1353088179&auth_version=1.0"
		"&body_md5=b1629c4ad6520ec066782c67a94aa82b"
		"&auth_signature=1bb8390aec773d9859d55e2e81bc30d965f3edf1377bd6696aa27077bf6ecc92 application/json "
		"{\"name\":\"message\",\"channel\":\"private-c\",\"data\":\"{\\\"text\\\":\\\"a\\\\\\\"b\\\"}\"}\n";
	(void)state;
	begin("pusher");
	assert_int_equal(session_publish(s, 1, "private-c", span_str("a\"b"), NULL, 5), 0);
	expect(request);
	session_http_done(s, 5, 200, SPAN_LIT("{}"));
	expect("published 1 ok op=5\n");
	log_.len = 0;
	assert_int_equal(session_publish(s, 1, "c", span_str("x"), NULL, 6), 0);
	log_.len = 0;
	session_http_done(s, 6, 401, SPAN_LIT("{\"error\":\"no\"}"));
	expect("published 1 op=6 reason=no\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(sessions_of_a_connection), TEST(epochs_of_a_subscription), TEST(webpubsub), TEST(publishers_join), TEST(streams), TEST(stream_resumes_by_header),
		TEST(heartbeats_and_codes), TEST(signed_publishes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
