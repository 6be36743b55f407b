/*
 * The TLS port, RFC 6455 4.2.2 and 10.6. All other cases run over TLS too when the target is wss; here is what only
 * a TLS port can get wrong.
 */
#include "suites/rules.h"

/* What is no TLS must not be answered by a 101; an alert counts as the end of TCP. */
#define TLS_REFUSES \
	HTTP(.client_error = GRADE_PASS, .server_error = GRADE_NOTE, .ok = GRADE_NOTE, \
		.redirect = GRADE_NOTE, .closed = GRADE_PASS)

static const struct test_case rfc6455_10_tls_cases[] = {
	{
		.id = "tls/echo",
		.title = "A connection over TLS opens, echoes and closes",
		.rfc = "6455 10.6",
		.level = REQ_MUST,
		.requirements = "6455-10.6-a 6455-4.2.2-b",
		.fix = "Serve the same handshake and frames behind TLS.",
		.needs = NEED_TLS | NEED_ECHO,
		STEPS(OPENS, MESSAGE(TEXT, LIT("hello")), MESSAGE(BINARY, PATTERN(70000)), ECHO, SEND_CLOSE(1000),
			CLOSES),
	},
	{
		.id = "tls/octet-wise",
		.title = "Frames that arrive in TLS records of one octet are read",
		.rfc = "6455 10.6",
		.level = REQ_MUST,
		.requirements = "6455-10.6-a 6455-4.2.1-a",
		.explain = "One record may hold any part of a frame. After reading one record there may be another "
			"already decrypted, which no socket event announces.",
		.fix = "Read until the TLS library says that nothing is pending, not once for each socket event.",
		.needs = NEED_TLS | NEED_ECHO,
		STEPS(CHOP(1), OPENS, CHOP(1), MESSAGE(TEXT, LIT("hello")), ECHO),
	},
	{
		.id = "tls/plain-handshake",
		.title = "A handshake in clear on the TLS port is never answered by 101",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-b",
		.explain = "An alert, the end of TCP and a plain 400 are all right.",
		.fix = "Serve the port with TLS only.",
		.needs = NEED_TLS,
		.canary = true,
		STEPS(PLAIN_TCP, TLS_REFUSES),
	},
	{
		.id = "tls/broken-client-hello",
		.title = "A ClientHello that is broken ends the connection",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-b 6455-4.2.2-c",
		.explain = "A handshake record whose inner length is wrong. When the TLS handshake fails the server "
			"closes; an alert before that is polite.",
		.fix = "Close the connection when the TLS handshake fails.",
		.needs = NEED_TLS,
		.canary = true,
		STEPS(PLAIN_TCP, REQUEST_RAW("\x16\x03\x01\x00\x0c\x01\x00\x00\x08\x03\x03" "garbage!"), TLS_REFUSES),
	},
};
