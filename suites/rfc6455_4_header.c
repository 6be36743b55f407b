/*
 * The request head as octets, RFC 6455 4.2.1: order, letter case, unknown and malformed fields, repeats, size, and
 * heads that arrive in pieces. Malformed fields here are ones that the handshake itself does not use: where RFC 9110
 * or 9112 lets a server repair them, 101 is a warn.
 */
#include "suites/rules.h"

#define SAME_HEAD(NAME, TITLE, REQUIREMENT_IDS, FIX, ...) \
	{ \
		.id = "header/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = REQUIREMENT_IDS, \
		.fix = FIX, \
		STEPS(__VA_ARGS__, OPENS), \
	}
#define IGNORED_FIELD(NAME, TITLE, ...) \
	SAME_HEAD(NAME, TITLE, "6455-4.2.1-n", "Ignore header fields that are not part of the handshake.", __VA_ARGS__)
#define HEAD_IN_PIECES(NAME, TITLE, ...) \
	SAME_HEAD(NAME, TITLE, "6455-4.2.1-a", \
		"Collect octets until the empty line has come, however TCP cuts them, then judge.", __VA_ARGS__)
#define REPAIRED_FIELD(NAME, TITLE, EXPLAIN, LINE) \
	{ \
		.id = "header/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.1-b", \
		.explain = EXPLAIN " 101 is a warn.", \
		.fix = "Answer a head with a malformed line with 400.", \
		.canary = true, \
		STEPS(FIELD_RAW(LINE), REJECTS_OR_WARNS(400)), \
	}
#define A16(s) s s s s s s s s s s s s s s s s
#define OCTETS_4096 A16(A16(A16("a")))

static const struct test_case rfc6455_4_header_cases[] = {
	{
		.id = "header/shuffled",
		.title = "The order of the header fields does not matter",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-o",
		.fix = "Collect all fields before judging the request.",
		.repeat = 5,
		STEPS(SHUFFLE, OPENS),
	},
	SAME_HEAD("host-last", "Host may be the last field", "6455-4.2.1-o",
		"Collect all fields before judging the request.", DROP("Host"), ADD("Host", "{host}")),
	SAME_HEAD("names-lower-case", "Field names in small letters are the same names", "6455-4.1-am",
		"Compare field names without regard to ASCII case.",
		DROP("Upgrade"), ADD("upgrade", "websocket"), DROP("Connection"), ADD("connection", "Upgrade"),
			DROP("Sec-WebSocket-Key"),
		ADD("sec-websocket-key", EXAMPLE_KEY), DROP("Sec-WebSocket-Version"), ADD("sec-websocket-version",
			"13")),
	SAME_HEAD("names-upper-case", "Field names in capital letters are the same names", "6455-4.1-am",
		"Compare field names without regard to ASCII case.",
		DROP("Upgrade"), ADD("UPGRADE", "websocket"), DROP("Connection"), ADD("CONNECTION", "Upgrade"),
			DROP("Sec-WebSocket-Key"),
		ADD("SEC-WEBSOCKET-KEY", EXAMPLE_KEY), DROP("Sec-WebSocket-Version"), ADD("SEC-WEBSOCKET-VERSION",
			"13")),
	SAME_HEAD("names-mixed-case", "Field names in mixed letters are the same names", "6455-4.1-am",
		"Compare field names without regard to ASCII case.",
		DROP("Sec-WebSocket-Key"), ADD("sEC-wEBsOCKET-kEY", EXAMPLE_KEY), DROP("Sec-WebSocket-Version"),
			ADD("sEC-wEBsOCKET-vERSION", "13")),
	SAME_HEAD("blanks-around-values", "Blanks and tabs around field values do not count",
		"6455-4.2.1-f 6455-4.2.1-g 6455-4.2.1-i", "Trim field values.",
		DROP("Upgrade"), FIELD_RAW("Upgrade: \t websocket \t\r\n"), DROP("Connection"),
			FIELD_RAW("Connection: \t Upgrade \t\r\n"),
		DROP("Sec-WebSocket-Version"), FIELD_RAW("Sec-WebSocket-Version: \t 13 \t\r\n")),
	SAME_HEAD("no-blank-after-colon", "The blank after the colon is not needed", "6455-4.2.1-f 6455-4.2.1-g "
		"6455-4.2.1-i", "Split a field at its colon, then trim.",
		DROP("Upgrade"), FIELD_RAW("Upgrade:websocket\r\n"), DROP("Connection"),
			FIELD_RAW("Connection:Upgrade\r\n"),
		DROP("Sec-WebSocket-Version"), FIELD_RAW("Sec-WebSocket-Version:13\r\n")),
	IGNORED_FIELD("unknown", "An unknown field is ignored", ADD("X-Wsquall-Anything", "1")),
	IGNORED_FIELD("unknown-sec-websocket", "An unknown field in the Sec-WebSocket family is ignored",
		ADD("Sec-WebSocket-Wsquall", "x")),
	IGNORED_FIELD("unknown-empty", "An unknown field without a value is ignored", ADD("X-Wsquall-Empty", "")),
	IGNORED_FIELD("unknown-forty", "Forty unknown fields are ignored", PADDING(40)),
	IGNORED_FIELD("unknown-octets", "An unknown field with octets above 7f is ignored", ADD("X-Wsquall-Octets",
		"\xc3\xbc")),
	{
		.id = "header/cookie-4096",
		.title = "A cookie of 4096 octets does not stop the handshake",
		.rfc = "6455 4.2.1",
		.level = REQ_SHOULD,
		.requirements = "6455-4.2.1-n",
		.explain = "RFC 6265 asks clients to keep cookies of this size, and browsers send them with the "
			"handshake. No text states a limit for the server.",
		.fix = "Allow at least 8 KiB for one header field.",
		STEPS(ADD("Cookie", "a=" OCTETS_4096), OPENS),
	},
	{
		.id = "header/field-65536",
		.title = "A field of 65536 octets is refused with a status, or ignored",
		.rfc = "6455 10.7",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-n 6455-10.7-b",
		.explain = "A server may set a limit, then 431 is the fitting status. Recorded, and the server has to "
			"serve others afterwards.",
		.canary = true,
		STEPS(ADD("X-Wsquall-Long", A16(OCTETS_4096)), OPENS_OR_REJECTS(431, 400, 413)),
	},
	{
		.id = "header/fields-2000",
		.title = "Two thousand fields are refused with a status, or ignored",
		.rfc = "6455 10.7",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-n 6455-10.7-b",
		.explain = "A server may set a limit, then 431 is the fitting status. Recorded, and the server has to "
			"serve others afterwards.",
		.canary = true,
		STEPS(PADDING(2000), OPENS_OR_REJECTS(431, 400, 413)),
	},
	{
		.id = "header/octet-wise",
		.title = "A request that arrives in single octets opens",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-a",
		.explain = "TCP may cut octets in any way. Refusing so slow a head as an attack is policy (10.7, 7.1.1), and a warn.",
		.fix = "Collect octets until the empty line has come, however TCP cuts them, then judge.",
		STEPS(CHOP(1), HTTP(.open = GRADE_PASS, .client_error = GRADE_WARN, .closed = GRADE_WARN)),
	},
	HEAD_IN_PIECES("pieces-of-7", "A request that arrives in pieces of 7 octets opens", CHOP(7)),
	HEAD_IN_PIECES("cut-in-method", "A request cut inside the method opens", CUT(2)),
	HEAD_IN_PIECES("cut-before-last-octet", "A request cut before its last LF opens", CUT_BEFORE_END(1)),
	HEAD_IN_PIECES("cut-before-empty-line", "A request cut before its empty line opens", CUT_BEFORE_END(2)),
	HEAD_IN_PIECES("cut-in-line-end", "A request cut between CR and LF of its last field opens", CUT_BEFORE_END(3)),
	{
		.id = "header/space-before-colon",
		.title = "A field with a blank before its colon is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-b",
		.explain = "Parsers disagree on the name of such a field, which is how requests get smuggled past a "
			"proxy. RFC 9112 5.1 demands 400, so 101 is a fail.",
		.fix = "Answer 400 to a field name that is not a token right before the colon.",
		STEPS(FIELD_RAW("X-Wsquall : 1\r\n"), REJECTS(400)),
	},
	REPAIRED_FIELD("no-colon", "A line without a colon is refused", "The line is no header field. Some parsers "
		"skip it.", "X-Wsquall\r\n"),
	REPAIRED_FIELD("no-name", "A field without a name is refused", "The line is no header field. Some parsers skip "
		"it.", ": x\r\n"),
	REPAIRED_FIELD("nul-in-value", "A field with a NUL in its value is refused", "RFC 9110 5.5 demands to refuse "
		"it or to replace the octet by a blank.",
		"X-Wsquall: a\0b\r\n"),
	REPAIRED_FIELD("cr-in-value", "A field with a bare CR in its value is refused",
		"RFC 9112 2.2 demands to refuse it or to replace the octet by a blank.",
		"X-Wsquall: a\rb\r\n"),
	{
		.id = "header/bare-lf",
		.title = "A request with bare LF line ends is opened or refused",
		.rfc = "9112 2.2",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-b",
		.explain = "HTTP allows a parser to take a bare LF for a line end and allows it not to. Recorded only.",
		STEPS(LF_ONLY, OPENS_OR_REJECTS(400)),
	},
	{
		.id = "header/folded",
		.title = "A field folded over two lines is opened or refused",
		.rfc = "9112 5.2",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-b",
		.explain = "HTTP demands 400 or a blank in place of the fold. Recorded only.",
		STEPS(FIELD_RAW("X-Wsquall: a\r\n b\r\n"), OPENS_OR_REJECTS(400)),
	},
	{
		.id = "header/body",
		.title = "A request with a body is opened after the body, or refused",
		.rfc = "6455 4.2.1",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-n 6455-4.2.1-b",
		.explain = "A GET with Content-Length 5 is legal HTTP with no meaning here. Taking the five octets for "
			"a frame would break the connection. Recorded only.",
		STEPS(ADD("Content-Length", "5"), BODY("hello"), OPENS_OR_REJECTS(400, 413)),
	},
	{
		.id = "header/status-on-faults",
		.title = "Typical faults in the request are answered with a status and not by a bare end of TCP",
		.rfc = "6455 10.7",
		.level = REQ_SHOULD,
		.requirements = "6455-10.7-c 6455-10.7-b 6455-10.7-a",
		.explain = "A status tells the developer at the other end what was wrong. Graded once, here, with no "
			"key, an unknown version and a request line of garbage; all other cases take a bare end of TCP "
			"for a warn at most.",
		.fix = "Send a complete 400 reply before closing.",
		STEPS(DROP("Sec-WebSocket-Key"), ANSWERS_WITH_A_STATUS, NEW_CONNECTION, SET("Sec-WebSocket-Version",
			"255"), ANSWERS_WITH_A_STATUS,
			NEW_CONNECTION, REQUEST_RAW("nonsense\r\n" REST_OF_REQUEST), ANSWERS_WITH_A_STATUS),
	},
};
