/*
 * RFC 6455 7.1.7: what failing the connection means, whatever the violation was. The Close frame that should come
 * first is graded here and nowhere else. A row without a level is a MUST.
 */

#define VIOLATION_FIX \
	"On a violation send one Close with the fitting code, stop reading for good, and close TCP without waiting " \
	"for an answer."
#define VIOLATION_NOTHING_AFTER \
	"All comes in one write. Nothing behind the violation may be processed: an echo or a pong fails."

#define VIOLATION_CLOSE(ID, WHAT, CODE, NEEDS, ...) \
	{ \
		.id = ID, \
		.title = "sends Close " #CODE " before it ends the connection over " WHAT, \
		.rfc = "6455 7.1.7", \
		.level = REQ_SHOULD, \
		.requirements = "6455-7.1.7-e 6455-7.1.7-f", \
		.explain = "A client that sees TCP end without a Close cannot tell a violation from a broken " \
			   "network. Another code, or none, is a warn.", \
		.fix = VIOLATION_FIX, \
		.needs = NEEDS, \
		STEPS(__VA_ARGS__, ENDS(.pass = {CODE}, .normal = GRADE_WARN, .none = GRADE_WARN, \
		      .other = GRADE_WARN, .fin = GRADE_WARN, \
					.rst = GRADE_WARN)), \
	}

#define VIOLATION_LAST(ID, WHAT, CODE, ...) \
	{ \
		.id = ID, \
		.title = "processes nothing after " WHAT, \
		.rfc = "6455 7.1.7", \
		.requirements = "6455-7.1.7-g 6455-7.1.7-c", \
		.explain = VIOLATION_NOTHING_AFTER, \
		.fix = VIOLATION_FIX, \
		STEPS(GATHER, __VA_ARGS__, SEND(TEXT, LIT("after")), SEND(PING, LIT("after")), FAILS(CODE)), \
	}

static const struct test_case rfc6455_7_violation_cases[] = {
	VIOLATION_CLOSE("violation/close-frame-protocol", "a reserved opcode", 1002, 0,
			SEND_OPCODE(3, LIT("x"), .bad = true)),
	VIOLATION_CLOSE("violation/close-frame-fragment", "a continuation of nothing", 1002, 0,
			SEND(CONTINUATION, LIT("x"), .bad = true)),
	VIOLATION_CLOSE("violation/close-frame-utf8", "a text that is not UTF-8", 1007, 0,
			SEND(TEXT, LIT("\xff"), .bad = true)),
	{
		.id = "violation/close-frame-too-big",
		.title = "sends Close 1009 before it ends the connection over a message above its limit",
		.rfc = "6455 7.1.7",
		.level = REQ_SHOULD,
		.requirements = "6455-7.1.7-e 6455-7.4.1-k",
		.explain = "The message is one octet longer than the contract's limit. An RST is noted: octets in "
			   "flight may have destroyed the Close.",
		.fix = "Compare the declared length with the message limit when the head is read, and close with 1009.",
		.needs = NEED_MAX_MESSAGE,
		STEPS(SEND(BINARY, PATTERN_LIMIT_PLUS_1, .bad = true),
		      ENDS(.pass = {1009}, .normal = GRADE_WARN, .none = GRADE_WARN, .other = GRADE_WARN,
			   .fin = GRADE_WARN, .rst = GRADE_NOTE)),
	},
	VIOLATION_LAST("violation/last-rsv", "a frame with RSV1 set", 1002,
		       SEND(TEXT, LIT("bad"), .rsv = 4, .bad = true)),
	VIOLATION_LAST("violation/last-opcode", "a frame with a reserved opcode", 1002,
		       SEND_OPCODE(11, EMPTY, .bad = true)),
	VIOLATION_LAST("violation/last-unmasked", "an unmasked frame", 1002,
		       SEND(TEXT, LIT("bad"), .mask = MASK_NONE, .bad = true)),
	VIOLATION_LAST("violation/last-long-ping", "a ping of 126 octets", 1002, SEND(PING, PATTERN(126), .bad = true)),
	VIOLATION_LAST("violation/last-orphan", "a continuation of nothing", 1002,
		       SEND(CONTINUATION, LIT("bad"), .bad = true)),
	VIOLATION_LAST("violation/last-utf8", "a text that is not UTF-8", 1007, SEND(TEXT, LIT("\xff"), .bad = true)),
	VIOLATION_LAST("violation/last-bad-close", "a Close with a body of 1 octet", 1002,
		       SEND(CLOSE, LIT("x"), .bad = true)),
	{
		.id = "violation/tcp-ends",
		.title = "ends TCP within 1 s of a violation, without waiting for a Close or a FIN of the client",
		.rfc = "6455 7.1.7",
		.requirements = "6455-7.1.7-c 6455-7.1.7-g 6455-7.1.1-b",
		.explain = "The client stays silent and keeps its side open. A server that waits for the answer to its "
			   "Close waits for something "
			   "that it must not process. Later than 1 s is a warn, not within 5 s fails. Elsewhere such a "
			   "server is only noted.",
		.fix = VIOLATION_FIX,
		STEPS(SEND(TEXT, LIT("bad"), .rsv = 2, .bad = true), ENDS(FAIL_BASE, .pass = {1002}, .slow_ms = 1000)),
	},
	{
		.id = "violation/close-behind",
		.title = "does not answer a Close that comes behind a violation",
		.rfc = "6455 7.1.7",
		.requirements = "6455-7.1.7-g",
		.explain = "Close 1001 back means that the Close behind the violation was processed.",
		.fix = VIOLATION_FIX,
		STEPS(GATHER, SEND_OPCODE(5, LIT("bad"), .bad = true), SEND_CLOSE(1001),
		      ENDS(.pass = {1002}, .normal = GRADE_WARN, .none = GRADE_WARN, .other = GRADE_WARN,
			   .fin = GRADE_PASS, .rst = GRADE_NOTE)),
	},
	{
		.id = "violation/second-violation",
		.title = "sends one Close for two violations in one write",
		.rfc = "6455 7.1.7",
		.requirements = "6455-7.1.7-g",
		.explain = "A second Close, or an answer to anything, shows that the server went on reading.",
		.fix = VIOLATION_FIX,
		STEPS(GATHER, SEND(CONTINUATION, LIT("bad"), .bad = true), SEND(TEXT, LIT("\xff"), .bad = true),
		      FAILS(1002)),
	},
	{
		.id = "violation/others-live",
		.title = "goes on serving other connections after failing one",
		.rfc = "6455 7.1.7",
		.requirements = "6455-7.1.7-c",
		.fix = "Fail the one connection, not the process: an error on a connection must not leave its handler.",
		STEPS(SEND(TEXT, LIT("bad"), .rsv = 7, .bad = true), FAILS(1002), ALIVE),
	},
	{
		.id = "violation/text-only-path",
		.title = "fails a binary message with 1003 where only text is accepted",
		.rfc = "6455 7.4.1",
		.requirements = "6455-7.4.1-e 6455-7.4.1-j",
		.explain = "1003 is the code for a type of data that cannot be accepted; 1008 is noted.",
		.fix = "Close with 1003 on a binary message where the application takes text only.",
		.needs = NEED_TEXT_ONLY_PATH,
		STEPS(TARGET("{text_only}"), SEND(BINARY, LIT("\x00\x01\x02"), .bad = true),
		      ENDS(.pass = {1003}, .note = {1008}, .normal = GRADE_WARN, .none = GRADE_WARN,
			   .other = GRADE_WARN, .fin = GRADE_PASS, .rst = GRADE_NOTE)),
	},
	{
		.id = "violation/rejected-handshake",
		.title = "does not read frames after it refused the opening handshake",
		.rfc = "6455 7.2.2",
		.requirements = "6455-7.2.2-a",
		.explain = "A handshake without a key, with a masked ping behind it. The server refuses and closes, or "
			   "goes on with HTTP.",
		.fix = "Switch to the frame reader only after the 101 was written.",
		.canary = true,
		STEPS(DROP("Sec-WebSocket-Key"), BODY("\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), NEVER_OPENS),
	},
};
