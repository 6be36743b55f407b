/* Sessions: resumed, taken over, somebody else's; and tokens that are renewed. */
#include "server-under-test/client/test_client.h"

#include <stdio.h>

#define UNSUBSCRIBED(id, channel) "{\"type\":\"unsubscribed\",\"id\":" id ",\"channel\":\"" channel "\"}"

static int setup(void **state)
{
	(void)state;
	bench_open(false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bench_close();
	return 0;
}

static char session[SESSION_ID_MAX + 1];
static char query[128], cookie[128];

/* The session of connection n, for the next one. */
static void remember(unsigned n)
{
	snprintf(session, sizeof(session), "%s", wire_session(n));
	snprintf(query, sizeof(query), "session=%s", session);
	snprintf(cookie, sizeof(cookie), "a=b; wsquall_session=%s", session);
}

/* Connection 1 on channel c of three messages, two of them acked, and on d. */
static void begin(void)
{
	static const char *const lines[] = {
		"1<" WELCOME("false", "256"),
		"1>{\"type\":\"subscribe\",\"id\":1,\"channel\":\"c\"}",
		"1<" SUBSCRIBED("1", "c", "0", ""),
		"1>{\"type\":\"subscribe\",\"id\":2,\"channel\":\"d\"}",
		"1<" SUBSCRIBED("2", "d", "0", ""),
		"1>{\"type\":\"publish\",\"id\":3,\"channel\":\"c\",\"data\":1}",
		"1<" MESSAGE("c", "1", "1"),
		"1<" PUBLISHED("3", "c", "1"),
		"1>{\"type\":\"publish\",\"id\":4,\"channel\":\"c\",\"data\":2}",
		"1<" MESSAGE("c", "2", "2"),
		"1<" PUBLISHED("4", "c", "2"),
		"1>{\"type\":\"publish\",\"id\":5,\"channel\":\"c\",\"data\":3}",
		"1<" MESSAGE("c", "3", "3"),
		"1<" PUBLISHED("5", "c", "3"),
		"1>{\"type\":\"ack\",\"channel\":\"c\",\"seq\":2}",
		NULL,
	};

	bench_dialog(lines);
	remember(1);
}

static const char *const resumed[] = {
	"2<" WELCOME("true", "256"),
	"2<" SUBSCRIBED("null", "c", "3", ",\"recovered\":true"),
	"2<" MESSAGE("c", "3", "3"),
	"2<" SUBSCRIBED("null", "d", "0", ",\"recovered\":true"),
	"2>" PING,
	"2<" PONG,
	NULL,
};

static void test_resume(void **state)
{
	(void)state;
	wire_open(1, "", "", NULL);
	begin();
	wire_drop(1);
	wire_open(2, query, "wsquall_session=other", NULL);
	assert_string_equal(wire_session(2), session);
	bench_dialog(resumed);
	assert_int_equal(metrics->resumes_recovered, 2);
	wire_drop(2);
	wire_open(2, "", cookie, NULL); /* again, for nothing was acked */
	bench_dialog(resumed);
}

static void test_unknown_sessions(void **state)
{
	static const char *const queries[] = {
		"session=0123456789abcdef0123456789abcdef", "session=", "session=%22", "session=%00", "session=a%20b",
		"session=01234567890123456789012345678901234567890123456789012345678901234",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		wire_open(1, queries[i], "", NULL);
		wire_expect(1, WELCOME("false", "256"));
		assert_int_equal(strlen(wire_session(1)), 32);
		wire_drop(1);
	}
}

/* The old one's last ack counts, though nothing was saved yet; what it says afterwards does not. */
static void test_takeover(void **state)
{
	(void)state;
	wire_open(1, "", "", NULL);
	begin();
	wire_open(2, query, "", NULL);
	wire_expect(1, "close 4000");
	wire_say(1, PING);
	wire_say(1, "{\"type\":\"ack\",\"channel\":\"c\",\"seq\":3}");
	bench_dialog(resumed);
	wire_drop(1);
	wire_say(2, "{\"type\":\"unsubscribe\",\"id\":1,\"channel\":\"d\"}");
	wire_drop(2); /* its state is kept, not the old one's */
	wire_open(1, query, "", NULL);
	wire_expect(1, WELCOME("true", "256"));
	wire_expect(1, SUBSCRIBED("null", "c", "3", ",\"recovered\":true"));
	wire_expect(1, MESSAGE("c", "3", "3"));
	wire_expect(1, NULL);
}

static void test_lost_range(void **state)
{
	(void)state;
	bench_config.retention_messages = 3;
	wire_open(1, "", "", NULL);
	begin();
	wire_drop(1);
	wire_open(3, "", "", NULL);
	for (unsigned i = 0; i < 4; i++)
		wire_say(3, "{\"type\":\"publish\",\"channel\":\"c\",\"data\":0}");
	wire_open(2, query, "", NULL);
	wire_expect(2, WELCOME("true", "256"));
	wire_expect(2, SUBSCRIBED("null", "c", "7", ",\"recovered\":false"));
	wire_expect(2, SUBSCRIBED("null", "d", "0", ",\"recovered\":true"));
	wire_expect(2, NULL);
	assert_int_equal(metrics->resumes_lost, 1);
}

static void test_auth(void **state)
{
	char all[1024], narrow[1024], other[1024], line[2048];

	(void)state;
	bench_key();
	bench_token(all, "ann", NULL, 60);
	bench_token(narrow, "ann", "{\"channels\":[\"d\",\"e*\"]}", 90);
	bench_token(other, "bob", NULL, 60);
	wire_open(1, "", "", all);
	begin();
	snprintf(line, sizeof(line), "{\"type\":\"auth\",\"id\":1,\"token\":\"%s\"}", other);
	wire_say(1, line);
	wire_expect(1, ERROR("1", "forbidden"));
	wire_say(1, "{\"type\":\"auth\",\"id\":2,\"token\":\"x.y.z\"}");
	wire_expect(1, ERROR("2", "unauthorized"));
	snprintf(line, sizeof(line), "{\"type\":\"auth\",\"id\":3,\"token\":\"%s\"}", narrow);
	wire_say(1, line);
	wire_expect(1, "{\"type\":\"authenticated\",\"id\":3,\"expires_at\":*}");
	wire_expect(1, UNSUBSCRIBED("null", "c"));
	wire_expect(1, ERROR("null", "forbidden"));
	wire_expect(1, NULL);
	wire_say(1, "{\"type\":\"publish\",\"id\":4,\"channel\":\"c\",\"data\":1}");
	wire_expect(1, ERROR("4", "forbidden"));
	wire_say(1, "{\"type\":\"subscribe\",\"id\":5,\"channel\":\"c\"}");
	wire_expect(1, ERROR("5", "forbidden"));
	wire_say(1, "{\"type\":\"history\",\"id\":6,\"channel\":\"c\",\"from\":1,\"to\":2}");
	wire_expect(1, ERROR("6", "forbidden"));
	wire_say(1, "{\"type\":\"subscribe\",\"id\":7,\"channel\":\"every\"}");
	wire_expect(1, SUBSCRIBED("7", "every", "0", ""));
	wire_say(1, "{\"type\":\"publish\",\"id\":8,\"channel\":\"d\",\"data\":1}");
	wire_expect(1, MESSAGE("d", "1", "1"));
	wire_expect(1, PUBLISHED("8", "d", "1"));
	wire_expect(1, NULL);
}

/* A session is its subject's; what a narrower token does not cover is not restored. */
static void test_session_owner(void **state)
{
	char ann[1024], narrow[1024], bob[1024];

	(void)state;
	bench_key();
	bench_token(ann, "ann", NULL, 60);
	bench_token(narrow, "ann", "{\"channels\":[\"c\"]}", 60);
	bench_token(bob, "bob", NULL, 60);
	wire_open(1, "", "", ann);
	begin();
	wire_open(3, query, "", bob);
	wire_expect(3, WELCOME("false", "256"));
	assert_string_not_equal(wire_session(3), session);
	wire_expect(1, NULL);
	wire_open(2, query, "", narrow);
	wire_expect(2, WELCOME("true", "256"));
	wire_expect(2, UNSUBSCRIBED("null", "d"));
	wire_expect(2, ERROR("null", "forbidden"));
	wire_expect(2, SUBSCRIBED("null", "c", "3", ",\"recovered\":true"));
	wire_expect(2, MESSAGE("c", "3", "3"));
	wire_expect(2, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_sessions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_takeover, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session_owner, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
