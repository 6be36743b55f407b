/*
 * Which resource is asked for and what happens around the handshake: paths, refusals and what follows them, octets
 * right behind the request. RFC 6455 4.2.2 and 7.2.2.
 */
#include "suites/rules.h"

static const struct test_case rfc6455_4_path_cases[] = {
	{
		.id = "path/absent",
		.title = "A path that does not exist is refused with a status",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-j",
		.explain = "A resource that is not available gets an HTTP error, not a WebSocket that is closed at "
			"once. 404 is the fitting one.",
		.fix = "Look up the path before upgrading and answer 404.",
		.needs = NEED_ABSENT_PATH,
		STEPS(TARGET("{absent}"), HTTP(.pass = {404}, .client_error = GRADE_NOTE, .server_error = GRADE_NOTE,
			.ok = GRADE_WARN, .redirect = GRADE_WARN,
			.closed = GRADE_WARN)),
	},
	{
		.id = "path/protected",
		.title = "A protected path is refused with 401 and a challenge",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-d",
		.explain = "The target file says that this path wants credentials. 401 without WWW-Authenticate is a "
			"warn (RFC 9110 15.5.2); 403 is noted.",
		.fix = "Answer 401 with WWW-Authenticate before upgrading.",
		.needs = NEED_PROTECTED_PATH,
		STEPS(TARGET("{protected}"), HTTP(.pass = {401}, .note = {403}, .client_error = GRADE_WARN,
			.server_error = GRADE_WARN, .ok = GRADE_WARN,
			.redirect = GRADE_WARN, .closed = GRADE_WARN),
			{.kind = STEP_FIELD_HAS, .number = 401, .name = "WWW-Authenticate", .grade = GRADE_WARN}),
	},
	{
		.id = "path/redirect",
		.title = "A redirecting path answers 3xx with Location",
		.rfc = "6455 4.2.2",
		.level = REQ_INFO,
		.requirements = "6455-4.2.2-e",
		.explain = "A server may redirect a handshake; browsers do not follow. Recorded only.",
		.needs = NEED_REDIRECT_PATH,
		STEPS(TARGET("{redirect}"), HTTP(.redirect = GRADE_PASS), FIELD_HAS_ON(3, "Location", NULL)),
	},
	{
		.id = "path/other",
		.title = "A second service on another path opens beside the first",
		.rfc = "6455 4.2.2",
		.level = REQ_SHOULD,
		.requirements = "6455-4.2.2-w",
		.explain = "The resource name selects the service. Graded is that both paths open; what the services "
			"do is theirs.",
		.fix = "Route the handshake by its path.",
		.needs = NEED_OTHER_PATH,
		STEPS(TARGET("{other}"), OPENS, NEW_CONNECTION, OPENS),
	},
	{
		.id = "path/query",
		.title = "A query does not lead to another service",
		.rfc = "6455 4.2.2",
		.level = REQ_SHOULD,
		.requirements = "6455-4.2.2-w",
		.explain = "Clients add queries for tokens and for caches. A server may declare a meaning for them; an "
			"unknown one should not matter.",
		.fix = "Cut the query off before looking up the path.",
		STEPS(TARGET("{target}?wsquall=1"), OPENS),
	},
};

#define STRAY_AFTER(NAME, TITLE, ...) \
	{ \
		.id = "abort/" NAME, \
		.title = TITLE, \
		.rfc = "6455 7.2.2", \
		.level = REQ_MUST, \
		.requirements = "6455-7.2.2-a", \
		.explain = "A refused handshake leaves plain HTTP behind: the server closes, or waits for another " \
			"request. A Pong or an echo shows that half of it upgraded.", \
		.fix = "Hand the connection to the WebSocket code only after the 101 was written.", \
		.canary = true, \
		STEPS(__VA_ARGS__, STRAY_FRAMES), \
	}

static const struct test_case rfc6455_4_abort_cases[] = {
	STRAY_AFTER("frames-after-no-key", "Frames after a refusal for a missing key are not taken as frames",
		DROP("Sec-WebSocket-Key"), NEVER_OPENS),
	STRAY_AFTER("frames-after-bad-version", "Frames after a refusal for an unknown version are not taken as frames",
		SET("Sec-WebSocket-Version", "255"),
		NEVER_OPENS),
	STRAY_AFTER("frames-after-post", "Frames after a refused POST are not taken as frames", METHOD("POST"),
		ADD("Content-Length", "0"), NEVER_OPENS),
	STRAY_AFTER("frames-after-plain-get", "Frames after a request without any upgrade are not taken as frames",
		DROP("Upgrade"), DROP("Connection"),
		DROP("Sec-WebSocket-Key"), DROP("Sec-WebSocket-Version"), NEVER_OPENS),
	{
		.id = "abort/garbage",
		.title = "Octets that are no HTTP at all are refused, and others are served",
		.rfc = "6455 10.7",
		.level = REQ_MUST,
		.requirements = "6455-10.7-b 6455-10.7-a 6455-4.2.1-b",
		.explain = "Port scanners send this every day. A status is nicer, an end of TCP is fine.",
		.fix = "Refuse what does not parse as a request line and close.",
		.canary = true,
		STEPS(REQUEST_RAW("\x00\x01\x02\xff\xfe garbage \x80\x81\r\n\r\n\r\n"), REFUSES_ANYHOW),
	},
	{
		.id = "abort/tls-on-plain-port",
		.title = "A TLS ClientHello on the plain port is refused, and others are served",
		.rfc = "6455 10.7",
		.level = REQ_MUST,
		.requirements = "6455-10.7-b 6455-10.7-a",
		.explain = "What a wss client sends when its URL has the wrong port; blank lines are added so that a "
			"parser of lines has something to parse.",
		.fix = "Refuse what does not parse as a request line and close.",
		.needs = NEED_PLAIN,
		.canary = true,
		STEPS(REQUEST_RAW("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" "0123456789abcdef0123456789abcdef"
			"\x00\x00\x02\x13\x01\x01\x00\x00\x00"
			"\r\n\r\n\r\n"), REFUSES_ANYHOW),
	},
	{
		.id = "abort/frames-without-handshake",
		.title = "Frames without a handshake are refused and not answered as frames",
		.rfc = "6455 6.1",
		.level = REQ_MUST,
		.requirements = "6455-6.1-a 6455-10.7-a",
		.explain = "A Ping and a text in place of the request. Nothing was opened, so no frame may come back.",
		.fix = "Read a complete HTTP request before anything else.",
		.canary = true,
		STEPS(REQUEST_RAW("\x89\x80\x01\x02\x03\x04\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\r\n\r\n\r\n"),
			REFUSES_ANYHOW),
	},
};

static const struct test_case rfc6455_4_push_cases[] = {
	{
		.id = "push/early-frame",
		.title = "A frame in one segment with the request is read after the 101, or the handshake is refused",
		.rfc = "6455 4.1",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-a",
		.explain = "The client must wait for the reply, so this Pong comes too early; what the server does is "
			"left open. A connection that opens and then hangs has lost the octets behind the request. "
			"Recorded only.",
		STEPS(BODY("\x8a\x80\x01\x02\x03\x04"), OPENS_OR_REJECTS(400)),
	},
	{
		.id = "push/first-message-at-once",
		.title = "A message sent as soon as the 101 has come is echoed",
		.rfc = "6455 5.1",
		.level = REQ_MUST,
		.requirements = "6455-5.1-g 6455-4.2.2-a",
		.explain = "The connection is open with the last octet of the 101. Servers that attach their handler "
			"later lose what comes in between.",
		.fix = "Attach the message handler before the 101 is written.",
		.needs = NEED_ECHO,
		.repeat = 3,
		STEPS(MESSAGE(TEXT, LIT("at once")), ECHO),
	},
};
