/*
 * RFC 6455 5.4: messages in fragments, control frames between them, and continuations that belong to nothing. A row
 * without a level is a MUST.
 */

#define FRAGMENT_JOIN_FIX \
	"Collect payloads from the first frame to the one with FIN; the type of the message is the first frame's " \
	"opcode."
#define FRAGMENT_ORPHAN_FIX \
	"Keep a flag that a message is open; a continuation without one, or a new data frame with one, fails with 1002."
#define FRAGMENT_PONG_FIX \
	"Handle control frames as they come, also while a message is open; keep their payload apart from the message's."

#define FRAGMENT_ECHO(ID, AUTOBAHN, TITLE, REQUIREMENTS, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.4", \
		.requirements = REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.fix = FRAGMENT_JOIN_FIX, \
		.needs = NEED_ECHO, \
		STEPS(__VA_ARGS__, ECHO), \
	}

#define FRAGMENT_PING(ID, AUTOBAHN, TITLE, REQUIREMENTS, EXPLAIN, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.4", \
		.requirements = REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.explain = EXPLAIN, \
		.fix = FRAGMENT_PONG_FIX, \
		.needs = NEED_ECHO, \
		STEPS(__VA_ARGS__, ECHO), \
	}
#define FRAGMENT_PONG_MUST_NOT_WAIT \
	"The pong must come before the message is finished: the rest is held back until it is there."
#define FRAGMENT_PONG_ORDER \
	"Once all frames are in nothing orders pong and echo; that the pong does not wait is graded by " \
	"fragment/ping-held."

#define FRAGMENT_BAD(ID, AUTOBAHN, TITLE, REQUIREMENTS, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.4", \
		.requirements = REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.fix = FRAGMENT_ORPHAN_FIX, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

#define FRAGMENT_BAD_AFTER_ECHO(ID, AUTOBAHN, TITLE, REQUIREMENTS, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.4", \
		.requirements = REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.fix = FRAGMENT_ORPHAN_FIX, \
		.needs = NEED_ECHO, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

static const struct test_case rfc6455_5_fragment_cases[] = {
	FRAGMENT_ECHO("fragment/two-one-write", "5.3", "joins a text message of two fragments in one write",
		      "6455-5.4-i 6455-5.4-b 6455-5.4-a", GATHER, SEND(TEXT, LIT("fragment1"), .more = true),
		      SEND(CONTINUATION, LIT("fragment2"))),
	FRAGMENT_ECHO("fragment/two", "5.4", "joins a text message of two fragments", "6455-5.4-i 6455-6.2-a",
		      SEND(TEXT, LIT("fragment1"), .more = true), SEND(CONTINUATION, LIT("fragment2"))),
	FRAGMENT_ECHO("fragment/two-octets", "5.5", "joins a text message of two fragments that come octet by octet",
		      "6455-5.4-i 6455-6.2-a", CHOP(1), SEND(TEXT, LIT("fragment1"), .more = true),
		      SEND(CONTINUATION, LIT("fragment2"))),
	FRAGMENT_ECHO("fragment/two-binary", NULL, "joins a binary message of two fragments and echoes it as binary",
		      "6455-5.4-i 6455-5.4-n", SEND(BINARY, LIT("\x00\x01\xfe"), .more = true),
		      SEND(CONTINUATION, LIT("\xff\x80\x00"))),
	FRAGMENT_ECHO("fragment/three", NULL, "joins a text message of three fragments", "6455-5.4-i",
		      SEND(TEXT, LIT("one "), .more = true), SEND(CONTINUATION, LIT("two "), .more = true),
		      SEND(CONTINUATION, LIT("three"))),
	FRAGMENT_ECHO("fragment/three-binary", NULL,
		      "joins a binary message of three fragments that look like text and echoes it as binary",
		      "6455-5.4-i 6455-5.4-n", SEND(BINARY, LIT("one "), .more = true),
		      SEND(CONTINUATION, LIT("two "), .more = true), SEND(CONTINUATION, LIT("three"))),
	FRAGMENT_ECHO("fragment/first-empty", NULL, "joins a message whose first fragment is empty", "6455-5.4-h",
		      SEND(TEXT, EMPTY, .more = true), SEND(CONTINUATION, LIT("hello"))),
	FRAGMENT_ECHO("fragment/middle-empty", NULL, "joins a message with an empty fragment in the middle",
		      "6455-5.4-h", SEND(TEXT, LIT("hel"), .more = true), SEND(CONTINUATION, EMPTY, .more = true),
		      SEND(CONTINUATION, LIT("lo"))),
	FRAGMENT_ECHO("fragment/last-empty", NULL, "joins a message whose last fragment is empty",
		      "6455-5.4-h 6455-6.1-f", SEND(TEXT, LIT("hello"), .more = true), SEND(CONTINUATION, EMPTY)),
	FRAGMENT_ECHO("fragment/all-empty-binary", NULL,
		      "echoes a binary message of three empty fragments as an empty one", "6455-5.4-h 6455-5.4-n",
		      SEND(BINARY, EMPTY, .more = true), SEND(CONTINUATION, EMPTY, .more = true),
		      SEND(CONTINUATION, EMPTY)),
	FRAGMENT_ECHO("fragment/single-octets", NULL, "joins a message of 100 fragments of one octet",
		      "6455-5.4-h 6455-5.4-i 6455-5.4-e", MESSAGE(BINARY, PATTERN(100), .fragment = 1)),
	FRAGMENT_ECHO("fragment/uneven", NULL, "joins fragments of 1, 125, 126, 0, 65536 and 7 octets",
		      "6455-5.4-h 6455-5.4-i", SEND(BINARY, PATTERN(1), .more = true),
		      SEND(CONTINUATION, PATTERN(125), .more = true), SEND(CONTINUATION, PATTERN(126), .more = true),
		      SEND(CONTINUATION, EMPTY, .more = true), SEND(CONTINUATION, PATTERN(65536), .more = true),
		      SEND(CONTINUATION, PATTERN(7))),
	FRAGMENT_ECHO("fragment/hundred", NULL,
		      "joins a text message of 100 fragments of 100 octets in the order they were sent",
		      "6455-5.4-e 6455-5.4-i", MESSAGE(TEXT, PATTERN(10000), .fragment = 100)),
	FRAGMENT_ECHO("fragment/thousand", NULL, "joins a message of 1000 fragments that come in one burst",
		      "6455-5.4-e 6455-5.4-h", GATHER, MESSAGE(TEXT, PATTERN(3000), .fragment = 3)),
	FRAGMENT_ECHO("fragment/two-messages", NULL, "does not join a fragmented message and the one after it",
		      "6455-6.2-b", GATHER, SEND(TEXT, LIT("first, "), .more = true), SEND(CONTINUATION, LIT("in two")),
		      SEND(TEXT, LIT("second, in one"))),
	FRAGMENT_ECHO("fragment/two-fragmented-messages", NULL,
		      "keeps two fragmented messages of different types apart", "6455-6.2-b 6455-5.4-n", GATHER,
		      SEND(TEXT, LIT("te"), .more = true), SEND(CONTINUATION, LIT("xt")),
		      SEND(BINARY, LIT("bin"), .more = true), SEND(CONTINUATION, LIT("ary"))),
	FRAGMENT_ECHO("fragment/same-in-1-2-n", NULL, "echoes the same for a message in 1, 2 and 20 frames",
		      "6455-5.4-a 6455-5.4-i", MESSAGE(TEXT, LIT("the same octets here")), ECHO,
		      MESSAGE(TEXT, LIT("the same octets here"), .split = 7), ECHO,
		      MESSAGE(TEXT, LIT("the same octets here"), .fragment = 1)),
	{
		.id = "fragment/split-anywhere",
		.title = "joins two fragments wherever the message is split",
		.rfc = "6455 5.4",
		.requirements = "6455-5.4-a 6455-5.4-h",
		.fix = FRAGMENT_JOIN_FIX,
		.needs = NEED_ECHO,
		.repeat = 19,
		.first_iter = 1,
		STEPS(MESSAGE(TEXT, LIT("the same octets here"), .split = AT_ITER), ECHO),
	},

	FRAGMENT_PING("fragment/ping-one-write", "5.6",
		      "answers a ping between two fragments in one write, and echoes the message",
		      "6455-5.4-g 6455-5.4-c 6455-5.5.3-a", FRAGMENT_PONG_ORDER, GATHER,
		      SEND(TEXT, LIT("fragment1"), .more = true), SEND(PING, LIT("ping payload")),
		      SEND(CONTINUATION, LIT("fragment2")), PONG),
	FRAGMENT_PING("fragment/ping", "5.7", "answers a ping between two fragments, and echoes the message",
		      "6455-5.4-g 6455-5.4-c 6455-5.5.3-a 6455-6.2-a", FRAGMENT_PONG_ORDER,
		      SEND(TEXT, LIT("fragment1"), .more = true), SEND(PING, LIT("ping payload")),
		      SEND(CONTINUATION, LIT("fragment2")), PONG),
	FRAGMENT_PING("fragment/ping-octets", "5.8",
		      "answers a ping between two fragments, all octet by octet, and echoes the message",
		      "6455-5.4-g 6455-5.4-c 6455-5.5.3-a 6455-6.2-a", FRAGMENT_PONG_ORDER, CHOP(1),
		      SEND(TEXT, LIT("fragment1"), .more = true), SEND(PING, LIT("ping payload")),
		      SEND(CONTINUATION, LIT("fragment2")), PONG),
	FRAGMENT_PING("fragment/ping-held", NULL, "answers a ping inside a message before the message is finished",
		      "6455-5.4-g 6455-5.5.3-a", FRAGMENT_PONG_MUST_NOT_WAIT,
		      SEND(TEXT, LIT("fragment1"), .more = true), SEND(PING, LIT("ping payload")), PONG,
		      SEND(CONTINUATION, LIT("fragment2"))),
	FRAGMENT_PING("fragment/ping-before-last", NULL, "answers a ping before the last of many fragments",
		      "6455-5.4-g", FRAGMENT_PONG_MUST_NOT_WAIT, SEND(TEXT, LIT("part"), .more = true),
		      SEND(CONTINUATION, LIT("part"), .more = true, .times = 20, .numbered = true),
		      SEND(PING, LIT("ping payload")), PONG, SEND(CONTINUATION, LIT("end"))),
	FRAGMENT_PING("fragment/ping-after-each", NULL, "answers a ping after each fragment", "6455-5.4-g 6455-5.5.3-a",
		      FRAGMENT_PONG_MUST_NOT_WAIT, SEND(BINARY, LIT("a"), .more = true), SEND(PING, LIT("1")), PONG,
		      SEND(CONTINUATION, LIT("b"), .more = true), SEND(PING, LIT("22")), PONG,
		      SEND(CONTINUATION, LIT("c"), .more = true), SEND(PING, PATTERN(125)), PONG,
		      SEND(CONTINUATION, LIT("d"), .more = true), SEND(PING, EMPTY), PONG,
		      SEND(CONTINUATION, LIT("e"))),
	FRAGMENT_PING("fragment/five-and-pings-one-write", "5.19",
		      "answers a ping after the second and the fourth of five fragments, written in bursts",
		      "6455-5.4-g 6455-5.5.2-d 6455-5.4-i", FRAGMENT_PONG_MUST_NOT_WAIT, GATHER,
		      SEND(TEXT, LIT("fragment1"), .more = true), SEND(CONTINUATION, LIT("fragment2"), .more = true),
		      SEND(PING, LIT("pongme 1!")), PONG_WITHIN(1000), GATHER,
		      SEND(CONTINUATION, LIT("fragment3"), .more = true),
		      SEND(CONTINUATION, LIT("fragment4"), .more = true), SEND(PING, LIT("pongme 2!")),
		      SEND(CONTINUATION, LIT("fragment5")), PONG),
	FRAGMENT_PING(
		"fragment/five-and-pings", "5.20", "answers a ping after the second and the fourth of five fragments",
		"6455-5.4-g 6455-5.5.2-d 6455-5.4-i 6455-6.2-a", FRAGMENT_PONG_MUST_NOT_WAIT,
		SEND(TEXT, LIT("fragment1"), .more = true), SEND(CONTINUATION, LIT("fragment2"), .more = true),
		SEND(PING, LIT("pongme 1!")), PONG_WITHIN(1000), SEND(CONTINUATION, LIT("fragment3"), .more = true),
		SEND(CONTINUATION, LIT("fragment4"), .more = true), SEND(PING, LIT("pongme 2!")), PONG,
		SEND(CONTINUATION, LIT("fragment5"))),
	FRAGMENT_PING("fragment/pong-between", NULL,
		      "takes an unasked pong between two fragments, and echoes the message", "6455-5.4-c 6455-5.5.3-c",
		      NULL, SEND(TEXT, LIT("hel"), .more = true), SEND(PONG, LIT("beat")),
		      SEND(CONTINUATION, LIT("lo"))),

	FRAGMENT_BAD("fragment/orphan-fin-one-write", "5.9",
		     "fails a continuation with FIN and no message open, whatever good text follows in the write",
		     "6455-5.4-b 6455-7.1.7-g", GATHER,
		     SEND(CONTINUATION, LIT("non-continuation payload"), .bad = true),
		     SEND(TEXT, LIT("Hello, world!"))),
	FRAGMENT_BAD("fragment/orphan-fin", "5.10", "fails a continuation with FIN and no message open",
		     "6455-5.4-b 6455-7.1.7-g 6455-6.2-a",
		     SEND(CONTINUATION, LIT("non-continuation payload"), .bad = true),
		     SEND(TEXT, LIT("Hello, world!"))),
	FRAGMENT_BAD("fragment/orphan-fin-octets", "5.11",
		     "fails a continuation with FIN and no message open that comes octet by octet",
		     "6455-5.4-b 6455-7.1.7-g 6455-6.2-a", CHOP(1),
		     SEND(CONTINUATION, LIT("non-continuation payload"), .bad = true),
		     SEND(TEXT, LIT("Hello, world!"))),
	FRAGMENT_BAD("fragment/orphan-one-write", "5.12",
		     "fails a continuation without FIN and no message open, whatever good text follows in the write",
		     "6455-5.4-b 6455-7.1.7-g", GATHER,
		     SEND(CONTINUATION, LIT("non-continuation payload"), .more = true, .bad = true),
		     SEND(TEXT, LIT("Hello, world!"))),
	FRAGMENT_BAD("fragment/orphan", "5.13", "fails a continuation without FIN and no message open",
		     "6455-5.4-b 6455-7.1.7-g 6455-6.2-a",
		     SEND(CONTINUATION, LIT("non-continuation payload"), .more = true, .bad = true),
		     SEND(TEXT, LIT("Hello, world!"))),
	FRAGMENT_BAD("fragment/orphan-octets", "5.14",
		     "fails a continuation without FIN and no message open that comes octet by octet",
		     "6455-5.4-b 6455-7.1.7-g 6455-6.2-a", CHOP(1),
		     SEND(CONTINUATION, LIT("non-continuation payload"), .more = true, .bad = true),
		     SEND(TEXT, LIT("Hello, world!"))),
	FRAGMENT_BAD("fragment/orphan-alone", NULL, "fails a lone continuation with FIN as the first frame",
		     "6455-5.4-b", SEND(CONTINUATION, LIT("orphan"), .bad = true)),
	FRAGMENT_BAD("fragment/orphan-empty", NULL, "fails an empty continuation with FIN as the first frame",
		     "6455-5.4-b", SEND(CONTINUATION, EMPTY, .bad = true)),
	FRAGMENT_BAD("fragment/orphan-empty-more", NULL, "fails an empty continuation without FIN as the first frame",
		     "6455-5.4-b", SEND(CONTINUATION, EMPTY, .more = true, .bad = true)),
	FRAGMENT_BAD("fragment/orphan-after-ping", NULL, "fails a continuation after a ping and its pong", "6455-5.4-b",
		     SEND(PING, LIT("hello")), PONG, SEND(CONTINUATION, LIT("orphan"), .bad = true)),
	FRAGMENT_BAD("fragment/orphan-after-ping-more", NULL,
		     "fails a continuation without FIN after a ping and its pong", "6455-5.4-b",
		     SEND(PING, LIT("hello")), PONG, SEND(CONTINUATION, LIT("orphan"), .more = true, .bad = true)),
	FRAGMENT_BAD_AFTER_ECHO("fragment/orphan-after-message", NULL,
				"fails a continuation after a finished message in one frame", "6455-5.4-b",
				SEND(TEXT, LIT("done")), ECHO, SEND(CONTINUATION, LIT("orphan"), .bad = true)),
	FRAGMENT_BAD_AFTER_ECHO("fragment/orphan-after-fragments", NULL,
				"fails a continuation after a finished message in two fragments", "6455-5.4-b",
				SEND(TEXT, LIT("do"), .more = true), SEND(CONTINUATION, LIT("ne")), ECHO,
				SEND(CONTINUATION, LIT("orphan"), .bad = true)),
	FRAGMENT_BAD_AFTER_ECHO(
		"fragment/orphan-pipelined", "5.15", "fails a continuation between a finished message and a good text",
		"6455-5.4-b 6455-7.1.7-g", SEND(TEXT, LIT("fragment1"), .more = true),
		SEND(CONTINUATION, LIT("fragment2")), SEND(CONTINUATION, LIT("fragment3"), .more = true, .bad = true),
		SEND(TEXT, LIT("fragment4"))),
	FRAGMENT_BAD("fragment/orphan-before-message-twice", "5.16",
		     "fails a continuation without FIN ahead of fragmented messages", "6455-5.4-b 6455-7.1.7-g",
		     SEND(CONTINUATION, LIT("fragment1"), .more = true, .bad = true),
		     SEND(TEXT, LIT("fragment2"), .more = true), SEND(CONTINUATION, LIT("fragment3")),
		     SEND(CONTINUATION, LIT("fragment4"), .more = true), SEND(TEXT, LIT("fragment5"), .more = true),
		     SEND(CONTINUATION, LIT("fragment6"))),
	FRAGMENT_BAD("fragment/orphan-fin-before-message-twice", "5.17",
		     "fails a continuation with FIN ahead of fragmented messages", "6455-5.4-b 6455-7.1.7-g",
		     SEND(CONTINUATION, LIT("fragment1"), .bad = true), SEND(TEXT, LIT("fragment2"), .more = true),
		     SEND(CONTINUATION, LIT("fragment3")), SEND(CONTINUATION, LIT("fragment4")),
		     SEND(TEXT, LIT("fragment5"), .more = true), SEND(CONTINUATION, LIT("fragment6"))),

	FRAGMENT_BAD("fragment/text-in-text", "5.18", "fails a text frame inside an open text message", "6455-5.4-f",
		     SEND(TEXT, LIT("fragment1"), .more = true), SEND(TEXT, LIT("fragment2"), .bad = true)),
	FRAGMENT_BAD("fragment/text-start-in-text", NULL, "fails a second first fragment inside an open text message",
		     "6455-5.4-f", SEND(TEXT, LIT("one"), .more = true),
		     SEND(TEXT, LIT("two"), .more = true, .bad = true), SEND(CONTINUATION, LIT("end"))),
	FRAGMENT_BAD("fragment/binary-in-text", NULL, "fails a binary frame inside an open text message", "6455-5.4-f",
		     SEND(TEXT, LIT("one"), .more = true), SEND(BINARY, LIT("two"), .bad = true),
		     SEND(CONTINUATION, LIT("end"))),
	FRAGMENT_BAD("fragment/binary-start-in-text", NULL,
		     "fails the start of a binary message inside an open text message", "6455-5.4-f",
		     SEND(TEXT, LIT("one"), .more = true), SEND(BINARY, LIT("two"), .more = true, .bad = true),
		     SEND(CONTINUATION, LIT("end"))),
	FRAGMENT_BAD("fragment/text-in-binary", NULL, "fails a text frame inside an open binary message", "6455-5.4-f",
		     SEND(BINARY, LIT("one"), .more = true), SEND(TEXT, LIT("two"), .bad = true),
		     SEND(CONTINUATION, LIT("end"))),
	FRAGMENT_BAD("fragment/binary-in-binary", NULL, "fails a binary frame inside an open binary message",
		     "6455-5.4-f", SEND(BINARY, LIT("one"), .more = true), SEND(BINARY, LIT("two"), .bad = true),
		     SEND(CONTINUATION, LIT("end"))),
	FRAGMENT_BAD("fragment/empty-text-in-text", NULL, "fails an empty text frame inside an open text message",
		     "6455-5.4-f", SEND(TEXT, LIT("one"), .more = true), SEND(TEXT, EMPTY, .bad = true)),
	FRAGMENT_BAD("fragment/text-after-empty-start", NULL, "fails a text frame after an empty first fragment",
		     "6455-5.4-f", SEND(TEXT, EMPTY, .more = true), SEND(TEXT, LIT("two"), .bad = true)),
	FRAGMENT_BAD("fragment/text-late-in-text", NULL,
		     "fails a text frame after some continuations of an open message", "6455-5.4-f",
		     SEND(TEXT, LIT("one"), .more = true), SEND(CONTINUATION, LIT("two"), .more = true),
		     SEND(CONTINUATION, LIT("three"), .more = true), SEND(TEXT, LIT("four"), .bad = true),
		     SEND(CONTINUATION, LIT("five"))),
	FRAGMENT_BAD("fragment/text-in-text-after-ping", NULL,
		     "fails a text frame inside an open message, also after a ping in between", "6455-5.4-f",
		     SEND(TEXT, LIT("one"), .more = true), SEND(PING, LIT("ping")), PONG,
		     SEND(TEXT, LIT("two"), .bad = true)),
	FRAGMENT_BAD_AFTER_ECHO("fragment/text-in-text-after-echo", NULL,
				"fails a text frame inside an open message after a good message was echoed",
				"6455-5.4-f", SEND(TEXT, LIT("first")), ECHO, SEND(TEXT, LIT("one"), .more = true),
				SEND(TEXT, LIT("two"), .bad = true)),
};
