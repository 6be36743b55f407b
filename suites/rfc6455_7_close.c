/*
 * RFC 6455 5.5.1, 7.1 to 7.3: the closing handshake, who ends TCP and when, and connections that end without one. A
 * row without a level is a MUST.
 */

#define CLOSE_FIX \
	"Answer the first Close with one Close that repeats its code, then close TCP at once, without reading on."
#define CLOSE_BODY_FIX \
	"Check a Close body: 0 octets, or 2 to 125 with a valid code and a reason in UTF-8; else fail with 1002 or " \
	"1007."
#define CLOSE_CODE_IS_FREE \
	"Repeating the code is typical, not a MUST: 1000 or an empty body is noted, another sendable code is a warn."
#define CLOSE_OVERLOOKED \
	"Answered like a good Close (the same code, 1000, or none) is a warn: the connection ends, but the fault " \
	"was overlooked."

/* As CLOSES, where octets of ours may be unread when the server closes: its RST may destroy its own Close. */
#define CLOSE_OR_RESET \
	ENDS(.same = GRADE_PASS, .normal = GRADE_NOTE, .none = GRADE_NOTE, .other = GRADE_WARN, .rst = GRADE_NOTE)
/* After a Close of the server's own. */
#define CLOSE_OF_TARGET .normal = GRADE_PASS, .none = GRADE_PASS, .other = GRADE_PASS

/* Messages of 64 KiB whose echoes nobody reads, and a Close behind them. */
#define CLOSE_STUCK(MESSAGES) \
	STOP_READING, SEND(BINARY, PATTERN(65536), .times = MESSAGES), SEND_CLOSE(1000), PAUSE(100), CLOSE_OR_RESET

#define CLOSE_GOOD(ID, AUTOBAHN, TITLE, REQUIREMENTS, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.5.1", \
		.requirements = "6455-5.5.1-g 6455-5.5.1-h 6455-5.5.1-l " REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.explain = CLOSE_CODE_IS_FREE, \
		.fix = CLOSE_FIX, \
		STEPS(__VA_ARGS__, CLOSES), \
	}

#define CLOSE_THEN(ID, AUTOBAHN, TITLE, REQUIREMENTS, EXPLAIN, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.5.1", \
		.requirements = REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.explain = EXPLAIN, \
		.fix = CLOSE_FIX, \
		STEPS(__VA_ARGS__, CLOSE_OR_RESET), \
	}
#define CLOSE_LOST "A server that ends TCP with our octets unread may destroy its own Close by RST: noted, not failed."

#define CLOSE_BAD_REASON(ID, AUTOBAHN, WHAT, REASON) \
	{ \
		.id = ID, \
		.title = "fails a Close whose reason " WHAT, \
		.rfc = "6455 5.5.1", \
		.requirements = "6455-5.5.1-c 6455-8.1-c", \
		.autobahn = AUTOBAHN, \
		.explain = CLOSE_OVERLOOKED, \
		.fix = CLOSE_BODY_FIX, \
		STEPS(SEND_CLOSE_REASON(1000, REASON), FAILS(1007, 1002)), \
	}

static const struct test_case rfc6455_7_close_cases[] = {
	CLOSE_GOOD("close/code-only", "7.3.3", "answers Close 1000", "6455-5.5.1-b", SEND_CLOSE(1000)),
	CLOSE_GOOD("close/reason-12", "7.3.4", "answers Close 1000 with a reason of 12 octets",
		   "6455-5.5.1-c 6455-7.4-a", SEND_CLOSE_REASON(1000, "Hello World!")),
	CLOSE_GOOD("close/reason-1", NULL, "answers Close 1000 with a reason of 1 octet", "6455-5.5.1-c",
		   SEND_CLOSE_REASON(1000, "x")),
	CLOSE_GOOD("close/reason-123", "7.3.5", "answers Close 1000 with a reason of 123 octets, the longest",
		   "6455-5.5.1-c 6455-5.5-a",
		   SEND_CLOSE_REASON(1000, "***************************************************************************"
					   "************************"
					   "************************")),
	CLOSE_GOOD("close/reason-multi-octet", NULL, "answers Close 1000 with a reason of 2, 3 and 4 octet characters",
		   "6455-5.5.1-c",
		   SEND_CLOSE_REASON(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5 \xf0\x9f\x91\x8b")),
	CLOSE_GOOD("close/octets", NULL, "answers a Close with code and reason that comes octet by octet", "6455-6.2-a",
		   CHOP(1), SEND_CLOSE_REASON(1000, "octet by octet")),
	CLOSE_GOOD("close/cut-head", NULL, "answers a Close that is cut after its first octet", "6455-6.2-a", CUT(1),
		   SEND_CLOSE(1000)),
	CLOSE_GOOD("close/cut-code", NULL, "answers a Close that is cut between the two octets of its code",
		   "6455-6.2-a", CUT(7), SEND_CLOSE(1000)),
	{
		.id = "close/empty",
		.title = "answers an empty Close with an empty one or 1000",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-a 6455-5.5.1-g 6455-5.5.1-l 6455-7.4-a",
		.autobahn = "7.3.1",
		.explain = "1005 is what an empty Close means locally; sent on the wire it is a fail.",
		.fix = CLOSE_FIX " Answer an empty Close with an empty Close or 1000, never 1005.",
		STEPS(SEND_CLOSE_EMPTY,
		      ENDS(.normal = GRADE_PASS, .none = GRADE_PASS, .same = GRADE_PASS, .other = GRADE_WARN)),
	},
	{
		.id = "close/after-echo",
		.title = "answers Close 1000 after an echo",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-g 6455-5.5.1-h 6455-5.5.1-l 6455-7.4.1-b",
		.autobahn = "7.1.1",
		.explain = CLOSE_CODE_IS_FREE,
		.fix = CLOSE_FIX,
		.needs = NEED_ECHO,
		STEPS(SEND(TEXT, LIT("Hello World!")), ECHO, SEND_CLOSE(1000), CLOSES),
	},
	{
		.id = "close/soon",
		.title = "answers a Close within 2 s",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-i 6455-5.5.1-g",
		.explain = "As soon as practical, says the RFC: later than 2 s is a warn, not at all fails.",
		.fix = "Answer a Close in the frame reader, not after a timer.",
		STEPS(SEND_CLOSE(1000), ENDS(.same = GRADE_PASS, .normal = GRADE_NOTE, .none = GRADE_NOTE,
					     .other = GRADE_WARN, .slow_close_ms = 2000)),
	},
	{
		.id = "close/tcp-ends",
		.title = "ends TCP within 1 s of the closing handshake, without waiting for the client to do it",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-m 6455-5.5.1-l 6455-7.1.1-c 6455-7.1.1-e 6455-7.1.2-b",
		.explain = "The client keeps its side open: the server must close at once, so that TIME_WAIT is on its "
			   "side. Later than 1 s is a warn, "
			   "not by the deadline fails. An RST is noted.",
		.fix = "After sending the answering Close, shut the socket down at once; do not wait for the client's "
		       "FIN.",
		STEPS(SEND_CLOSE(1000), ENDS(.same = GRADE_PASS, .normal = GRADE_NOTE, .none = GRADE_NOTE,
					     .other = GRADE_WARN, .slow_ms = 1000)),
	},
	{
		.id = "close/tcp-ends-after-empty",
		.title = "ends TCP within 1 s also when the Close was empty",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-m 6455-5.5.1-l",
		.explain = "Later than 1 s is a warn, not by the deadline fails.",
		.fix = "After sending the answering Close, shut the socket down at once; do not wait for the client's "
		       "FIN.",
		STEPS(SEND_CLOSE_EMPTY, ENDS(.same = GRADE_PASS, .normal = GRADE_PASS, .none = GRADE_PASS,
					     .other = GRADE_WARN, .slow_ms = 1000)),
	},
	{
		.id = "close/clean-end",
		.title = "ends TCP by FIN, not RST, when octets of ours are still in flight",
		.rfc = "6455 7.1.1",
		.level = REQ_SHOULD,
		.requirements = "6455-7.1.1-a 6455-5.5.1-f",
		.explain = "TCP should end cleanly; an RST may destroy the Close before the client has read it.",
		.fix = "Send FIN (shutdown), go on reading and discarding until the client's FIN or a short timer, "
		       "then close.",
		STEPS(GATHER, SEND_CLOSE(1000), SEND(BINARY, PATTERN(65536), .times = 4, .bad = true),
		      ENDS(.same = GRADE_PASS, .normal = GRADE_NOTE, .none = GRADE_NOTE, .other = GRADE_WARN,
			   .rst = GRADE_WARN, .clean = true)),
	},
	{
		.id = "close/clean-end-tls",
		.title = "ends TLS with a close_notify before it ends TCP",
		.rfc = "6455 7.1.1",
		.level = REQ_SHOULD,
		.requirements = "6455-7.1.1-a",
		.explain = "Without a close_notify the client cannot tell the end from an attack that cuts the stream.",
		.fix = "Call the TLS library's shutdown function before closing the socket.",
		.needs = NEED_TLS,
		STEPS(SEND_CLOSE(1000), ENDS(.same = GRADE_PASS, .normal = GRADE_NOTE, .none = GRADE_NOTE,
					     .other = GRADE_WARN, .clean = true)),
	},

	{
		.id = "close/one-octet",
		.title = "fails a Close with a body of 1 octet",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-b",
		.autobahn = "7.3.2",
		.explain = "A body starts with a two-octet code. " CLOSE_OVERLOOKED,
		.fix = CLOSE_BODY_FIX,
		STEPS(SEND(CLOSE, LIT("a"), .bad = true), FAILS(1002)),
	},
	{
		.id = "close/one-octet-03",
		.title = "fails a Close with a body of 1 octet that could begin a good code (03)",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-b",
		.explain = "A server that reads two octets anyway sees memory that is not part of the "
			   "frame. " CLOSE_OVERLOOKED,
		.fix = CLOSE_BODY_FIX,
		STEPS(SEND(CLOSE, LIT("\x03"), .bad = true), FAILS(1002)),
	},
	{
		.id = "close/reason-124",
		.title = "fails a Close with a body of 126 octets",
		.rfc = "6455 5.5",
		.requirements = "6455-5.5-a",
		.autobahn = "7.3.6",
		.explain = CLOSE_OVERLOOKED,
		.fix = "Look at the 7-bit length in the head of a control frame: 126 and 127 fail the connection with "
		       "1002 at once.",
		STEPS(SEND(CLOSE,
			   LIT("\x03\xe8"
			       "***************************************************************************************"
			       "************"
			       "*************************"),
			   .bad = true),
		      FAILS(1002)),
	},
	{
		.id = "close/one-octet-after-echo",
		.title = "fails a Close with a body of 1 octet after a good message was echoed",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-b",
		.explain = CLOSE_OVERLOOKED,
		.fix = CLOSE_BODY_FIX,
		.needs = NEED_ECHO,
		STEPS(SEND(TEXT, LIT("first")), ECHO, SEND(CLOSE, LIT("a"), .bad = true), FAILS(1002)),
	},
	CLOSE_BAD_REASON("close/reason-surrogate", "7.5.1", "holds a surrogate (ed a0 80)",
			 "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
			 "edited"),
	CLOSE_BAD_REASON("close/reason-overlong", NULL, "holds an overlong encoding (c0 af)", "bye\xc0\xaf"),
	CLOSE_BAD_REASON("close/reason-stray", NULL, "begins with a stray continuation octet (80)",
			 "\x80"
			 "bye"),
	CLOSE_BAD_REASON("close/reason-impossible", NULL, "holds an octet that UTF-8 never has (ff)", "bye\xff"),
	CLOSE_BAD_REASON("close/reason-cut-short", NULL, "ends inside a character (e2 82)", "bye\xe2\x82"),
	CLOSE_BAD_REASON("close/reason-above-10ffff", NULL, "holds a code point above U+10FFFF (f4 90 80 80)",
			 "\xf4\x90\x80\x80"),

	CLOSE_THEN("close/twice", "7.1.2", "answers the first of two Closes, once", "6455-5.5.1-g", CLOSE_LOST, GATHER,
		   SEND_CLOSE(1000), SEND(CLOSE, EMPTY)),
	CLOSE_THEN("close/twice-other-code", NULL, "does not answer a second Close with another code", "6455-5.5.1-g",
		   CLOSE_LOST, GATHER, SEND_CLOSE(1000), SEND(CLOSE, LIT("\x0b\xb8"))),
	CLOSE_THEN("close/then-ping", "7.1.3", "need not answer a ping after a Close", "6455-5.5.2-c 6455-5.5.1-g",
		   "The duty to pong ends with the Close. A pong before the server's Close is noted, one after it is a "
		   "warn.",
		   SEND_CLOSE(1000), SEND(PING, LIT("late"))),
	CLOSE_THEN("close/then-ping-one-write", NULL, "need not answer a ping in the same segment as a Close",
		   "6455-5.5.2-c 6455-5.5.1-g",
		   "The duty to pong ends with the Close. A pong before the server's Close is noted, one after it is a "
		   "warn.",
		   GATHER, SEND_CLOSE(1000), SEND(PING, LIT("late"))),
	CLOSE_THEN("close/then-text", "7.1.4", "ignores a text message after a Close", "6455-5.5.1-f 6455-5.5.1-g",
		   CLOSE_LOST, SEND_CLOSE(1000), SEND(TEXT, LIT("late"), .bad = true)),
	CLOSE_THEN("close/then-text-one-write", NULL, "ignores a text message in the same segment as a Close",
		   "6455-5.5.1-f 6455-5.5.1-g", CLOSE_LOST, GATHER, SEND_CLOSE(1000),
		   SEND(TEXT, LIT("late"), .bad = true)),
	CLOSE_THEN("close/then-binary", NULL, "ignores a binary message after a Close", "6455-5.5.1-f 6455-5.5.1-g",
		   CLOSE_LOST, GATHER, SEND_CLOSE(1000), SEND(BINARY, PATTERN(1000), .bad = true)),
	CLOSE_THEN("close/then-half-frame", NULL, "answers a Close that is followed by half a frame",
		   "6455-5.5.1-f 6455-5.5.1-g", CLOSE_LOST, GATHER, SEND_CLOSE(1000),
		   SEND(BINARY, PATTERN(1000), .cut = 500, .bad = true)),
	CLOSE_THEN("close/then-violation", NULL, "answers a Close that is followed by a frame with a reserved opcode",
		   "6455-5.5.1-f 6455-5.5.1-g",
		   "Whoever got a Close may stop reading: Close 1002 for what follows it is a warn. " CLOSE_LOST,
		   GATHER, SEND_CLOSE(1000), SEND_OPCODE(3, LIT("late"), .bad = true)),
	{
		.id = "close/inside-message",
		.title = "answers a Close that comes inside a fragmented message",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-g 6455-5.5.1-h 6455-5.4-c",
		.autobahn = "7.1.5",
		.explain = "Control frames may come between fragments, and a Close ends it all. Close 1002 for the "
			   "open message is a warn.",
		.fix = "Handle a Close as it comes, also while a message is open, and forget the message.",
		STEPS(SEND(TEXT, LIT("fragment1"), .more = true), SEND_CLOSE(1000),
		      SEND(CONTINUATION, LIT("fragment2"), .bad = true), CLOSE_OR_RESET),
	},
	{
		.id = "close/inside-message-alone",
		.title = "answers a Close that comes inside a fragmented message which is never finished",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-g 6455-5.5.1-h 6455-5.4-c",
		.explain = "Control frames may come between fragments, and a Close ends it all. Close 1002 for the "
			   "open message is a warn.",
		.fix = "Handle a Close as it comes, also while a message is open, and forget the message.",
		STEPS(SEND(BINARY, LIT("fragment1"), .more = true), SEND(CONTINUATION, LIT("fragment2"), .more = true),
		      SEND_CLOSE(1000), CLOSES),
	},
	{
		.id = "close/behind-large-message",
		.title = "sends whole frames before its Close: 256 KiB, a short text, Close and ping in one go",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-j 6455-6.1-b 6455-5.5.1-g 6455-5.5.1-f",
		.autobahn = "7.1.6",
		.explain = "Both echoes, then Close; or Close at once: the RFC lets a server finish what it is "
			   "sending. Part of a frame followed by the "
			   "octets of a Close fails.",
		.fix = "Queue the Close behind the frame that is being written, and drop what is queued behind the "
		       "Close.",
		.needs = NEED_ECHO,
		STEPS(GATHER, SEND(TEXT, PATTERN(262144)), SEND(TEXT, LIT("after large message")), SEND_CLOSE(1000),
		      SEND(PING, EMPTY), CLOSE_OR_RESET),
	},
	{
		.id = "close/echoes-pending",
		.title = "sends no data after its Close, also with a hundred echoes pending",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-f 6455-6.1-a 6455-6.1-b",
		.explain = "The echoes may come before the Close or not at all.",
		.fix = "Drop queued messages when the Close is written, or write the Close behind them.",
		.needs = NEED_ECHO,
		STEPS(GATHER, SEND(TEXT, LIT("message"), .times = 100, .numbered = true), SEND_CLOSE(1000),
		      CLOSE_OR_RESET),
	},
	{
		.id = "close/echoes-stuck",
		.title = "cuts no frame when a Close comes while echoes are stuck because the client does not read",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-j 6455-5.5.1-f 6455-6.1-b",
		.explain =
			"Some MiB of echoes fill the socket buffers, so that a frame is half written when the Close is "
			"read. What was begun must be finished before the Close frame; what was not begun may be "
			"dropped. "
			"Four sizes, because buffers differ.",
		.fix = "Queue the Close behind the frame that is being written, and drop only frames that were not "
		       "begun.",
		.needs = NEED_ECHO,
		STEPS(CLOSE_STUCK(48), NEW_CONNECTION, CLOSE_STUCK(60), NEW_CONNECTION, CLOSE_STUCK(72), NEW_CONNECTION,
		      CLOSE_STUCK(84)),
	},

	{
		.id = "close/target-begins",
		.title = "begins the closing handshake with a Close frame, and ends TCP within 1 s of our answer",
		.rfc = "6455 7.1.2",
		.requirements = "6455-7.1.2-a 6455-7.1.2-b 6455-7.3-c 6455-7.3-a 6455-5.5.1-m 6455-7.1.1-e",
		.explain = "The first sign of a normal end is a Close frame, not FIN. TCP's end later than 1 s after "
			   "our Close is a warn.",
		.fix = "To end a connection send a Close, read on until the client's Close, then close TCP.",
		.needs = NEED_CLOSE_TRIGGER,
		STEPS(TRIGGER, ENDS(CLOSE_OF_TARGET, .slow_ms = 1000)),
	},
	{
		.id = "close/crossing",
		.title = "sends no second Close when its own Close and ours cross, and ends TCP",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-p 6455-5.5.1-g 6455-5.5.1-l",
		.fix = "Remember that a Close was sent; a Close that comes after it is the answer, and TCP can be "
		       "closed.",
		.needs = NEED_CLOSE_TRIGGER,
		STEPS(GATHER, TRIGGER, SEND_CLOSE(1000), ENDS(CLOSE_OF_TARGET, .same = GRADE_PASS)),
	},
	{
		.id = "close/target-begins-then-text",
		.title = "sends no data after its own Close, when a text message of ours follows",
		.rfc = "6455 5.5.1",
		.requirements = "6455-5.5.1-f 6455-6.1-a",
		.fix = "Once a Close was sent, send nothing else; discard messages that still come.",
		.needs = NEED_CLOSE_TRIGGER,
		STEPS(TRIGGER, SEND(TEXT, LIT("late"), .times = 10, .numbered = true), ENDS(CLOSE_OF_TARGET)),
	},
	{
		.id = "close/target-begins-inside-message",
		.title = "closes also while a message of ours is open",
		.rfc = "6455 7.1.2",
		.requirements = "6455-7.1.2-a 6455-7.1.2-b 6455-7.3-c",
		.fix = "To end a connection send a Close, whatever state the reader is in.",
		.needs = NEED_CLOSE_TRIGGER,
		STEPS(TRIGGER, SEND(BINARY, LIT("never finished"), .more = true), ENDS(CLOSE_OF_TARGET)),
	},

#include "suites/rfc6455_7_close_lost.def"
};
