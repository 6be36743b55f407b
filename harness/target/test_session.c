/* Conversations: what a session says and tells, line by line, through cuts and odd answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "harness/target/test_session_rig.h"

/* wsquall: subscribed on the first connection, three messages, and gone. */
static void wsquall_up_to_three(void)
{
	begin("wsquall");
	session_subscribe(s, 7, "c");
	request("/ws?a=1", "/ws?a=1&window=256", false);
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
	expect("message 7 seq=1 epoch=E data=a\nsay {\"id\":3,\"connect\":{\"token\":\"\"}}\n");
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(resumes_where_it_was), TEST(what_is_lost_begins_anew), TEST(publishes_are_answered_once),
		TEST(acks_wait_for_their_number), TEST(callbacks_may_do_anything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
