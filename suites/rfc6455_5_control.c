/*
 * RFC 6455 5.5: Ping, Pong, and what holds for all control frames: 125 octets at most, never fragmented, allowed
 * between fragments. A row without a level is a MUST.
 */

#define CONTROL_PING_FIX "Answer each Ping with a Pong that carries the same octets, without looking at what they are."
#define CONTROL_LIMIT_FIX \
	"Look at the 7-bit length in the head of a control frame: 126 and 127 fail the connection with 1002 at once."
#define CONTROL_FIN_FIX "Fail the connection with 1002 when the head of a control frame has no FIN bit."

#define CONTROL_PING(ID, AUTOBAHN, TITLE, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.5.2", \
		.requirements = "6455-5.5.2-a 6455-5.5.2-b 6455-5.5.3-a", \
		.autobahn = AUTOBAHN, \
		.fix = CONTROL_PING_FIX, \
		STEPS(__VA_ARGS__), \
	}

#define CONTROL_PONG(ID, AUTOBAHN, TITLE, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.5.3", \
		.requirements = "6455-5.5.3-c", \
		.autobahn = AUTOBAHN, \
		.explain = "A Pong that nobody asked for is a one-way heartbeat: it needs no answer and ends " \
			   "nothing.", \
		.fix = "Take a Pong that matches no Ping silently.", \
		STEPS(__VA_ARGS__), \
	}

#define CONTROL_TOO_LONG(ID, AUTOBAHN, WHAT, ...) \
	{ \
		.id = ID, \
		.title = "fails " WHAT, \
		.rfc = "6455 5.5", \
		.requirements = "6455-5.5-a", \
		.autobahn = AUTOBAHN, \
		.fix = CONTROL_LIMIT_FIX, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

/* Only the head is sent. When a server judges is its own choice, so waiting for the octets is noted. */
#define CONTROL_DECLARED(ID, KIND, OP, SIZE) \
	{ \
		.id = ID, \
		.title = "fails a " KIND " that declares " #SIZE " octets, without waiting for them", \
		.rfc = "6455 5.5", \
		.requirements = "6455-5.5-a", \
		.explain = "The head alone proves the violation. A server that waits for the payload before it " \
			   "judges breaks no MUST: noted.", \
		.fix = CONTROL_LIMIT_FIX, \
		STEPS(SEND_OPCODE(OP, EMPTY, .declare = true, .declared = SIZE, .bad = true), ENDS(FAIL_BASE, \
		      .pass = {1002}, .open = GRADE_NOTE)), \
	}

#define CONTROL_LONG_FORM(ID, WHAT, ...) \
	{ \
		.id = ID, \
		.title = "fails " WHAT, \
		.rfc = "6455 5.5", \
		.requirements = "6455-5.5-a 6455-5.2-g", \
		.explain = "A control frame has 125 octets at most, so its length always fits 7 bits. A right Pong " \
			   "nonetheless is a warn.", \
		.fix = CONTROL_LIMIT_FIX, \
		STEPS(__VA_ARGS__, ENDS(FAIL_BASE, .pass = {1002}, .overlooked = GRADE_WARN)), \
	}

#define CONTROL_FRAGMENTED(ID, AUTOBAHN, WHAT, ...) \
	{ \
		.id = ID, \
		.title = "fails " WHAT, \
		.rfc = "6455 5.4", \
		.requirements = "6455-5.4-d", \
		.autobahn = AUTOBAHN, \
		.fix = CONTROL_FIN_FIX, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

static const struct test_case rfc6455_5_control_cases[] = {
	CONTROL_PING("control/ping-empty", "2.1", "answers an empty ping with an empty pong", SEND(PING, EMPTY), PONG),
	CONTROL_PING("control/ping-text", "2.2", "answers a ping with the same text", SEND(PING, LIT("Hello, world!")),
		     PONG),
	CONTROL_PING("control/ping-binary", "2.3", "answers a ping whose payload is not UTF-8 with the same octets",
		     SEND(PING, LIT("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")), PONG),
	CONTROL_PING("control/ping-125", "2.4", "answers a ping of 125 octets, the most there can be",
		     SEND(PING, REPEAT_LIT("\xfe", 125)), PONG),
	CONTROL_PING("control/ping-125-octets", "2.6", "answers a ping of 125 octets that comes octet by octet",
		     CHOP(1), SEND(PING, REPEAT_LIT("\xfe", 125)), PONG),
	CONTROL_PING("control/ping-124", NULL, "answers a ping of 124 octets", SEND(PING, PATTERN(124)), PONG),
	CONTROL_PING("control/ping-nul", NULL, "answers a ping of NUL octets with as many",
		     SEND(PING, REPEAT_LIT("\0", 5)), PONG),
	CONTROL_PING("control/ping-lengths", NULL,
		     "answers pings of 1, 2, 3, 4, 5, 63, 64 and 65 octets on one connection", SEND(PING, PATTERN(1)),
		     PONG, SEND(PING, PATTERN(2)), PONG, SEND(PING, PATTERN(3)), PONG, SEND(PING, PATTERN(4)), PONG,
		     SEND(PING, PATTERN(5)), PONG, SEND(PING, PATTERN(63)), PONG, SEND(PING, PATTERN(64)), PONG,
		     SEND(PING, PATTERN(65)), PONG),
	CONTROL_PING("control/ping-cut-head", NULL, "answers a ping whose head comes in two pieces", CUT(1),
		     SEND(PING, LIT("cut")), PONG),
	{
		.id = "control/ping-cut-anywhere",
		.title = "answers a ping that is cut in two after any of its octets",
		.rfc = "6455 5.5.2",
		.requirements = "6455-5.5.2-b 6455-5.5.3-a 6455-6.2-a",
		.fix = "Read a control frame like any other: it may come in as many pieces as TCP likes.",
		.repeat = 15,
		.first_iter = 1,
		STEPS(CUT(AT_ITER), SEND(PING, LIT("ten octets")), PONG),
	},
	{
		.id = "control/ping-one-pong",
		.title = "answers a ping once",
		.rfc = "6455 5.5.2",
		.requirements = "6455-5.5.2-b",
		.fix = "Send one Pong for a Ping. Libraries often answer by themselves: do not answer again in the "
		       "application.",
		STEPS(SEND(PING, LIT("once")), PONG, QUIET),
	},
	{
		.id = "control/ping-between-messages",
		.title = "answers pings before, between and after messages",
		.rfc = "6455 5.5.2",
		.requirements = "6455-5.5.2-e 6455-5.5.2-b 6455-5.1-g",
		.fix = CONTROL_PING_FIX,
		.needs = NEED_ECHO,
		STEPS(SEND(PING, LIT("before")), PONG, SEND(TEXT, LIT("one")), SEND(PING, LIT("between")), PONG, ECHO,
		      SEND(BINARY, LIT("two")), ECHO, SEND(PING, LIT("after")), PONG),
	},
	{
		.id = "control/ping-soon",
		.title = "answers a ping within 1 s while a message of 64 KiB is half sent",
		.rfc = "6455 5.5.2",
		.level = REQ_MUST,
		.requirements = "6455-5.5.2-d 6455-5.4-g",
		.explain = "The Pong should come as soon as practical; an open message is no reason to wait. Later "
			   "than 1 s is a warn.",
		.fix = "Answer pings in the frame reader, not after the message is complete.",
		.needs = NEED_ECHO,
		STEPS(SEND(BINARY, PATTERN(32768), .more = true), SEND(PING, LIT("half way")), PONG_WITHIN(1000),
		      SEND(CONTINUATION, PATTERN(32768)), ECHO),
	},
	{
		.id = "control/ping-before-close",
		.title = "answers the Close that follows a ping in the same segment",
		.rfc = "6455 5.5.2",
		.requirements = "6455-5.5.2-e 6455-5.5.1-g",
		.explain = "The Pong belongs before the Close frame; that the Close is answered is what is graded.",
		.fix = "Read on after a Ping: the next frame may be in the same segment.",
		STEPS(GATHER, SEND(PING, LIT("last")), SEND_CLOSE(1000), CLOSES),
	},
	{
		.id = "control/ten-pings",
		.title = "answers ten pings sent one after the other, at least the last of them",
		.rfc = "6455 5.5.3",
		.requirements = "6455-5.5.3-b 6455-5.5.3-a",
		.autobahn = "2.10",
		.explain = "Only the newest ping need be answered; Autobahn wants all ten. Each pong must match a "
			   "ping, in order, and none twice.",
		.fix = CONTROL_PING_FIX,
		STEPS(SEND(PING, LIT("payload"), .times = 10, .numbered = true), PONG),
	},
	{
		.id = "control/ten-pings-octets",
		.title = "answers ten pings that come octet by octet, at least the last of them",
		.rfc = "6455 5.5.3",
		.requirements = "6455-5.5.3-b 6455-5.5.3-a 6455-6.2-a",
		.autobahn = "2.11",
		.explain = "Only the newest ping need be answered; Autobahn wants all ten. Each pong must match a "
			   "ping, in order, and none twice.",
		.fix = CONTROL_PING_FIX,
		STEPS(CHOP(1), SEND(PING, LIT("payload"), .times = 10, .numbered = true), PONG),
	},
	{
		.id = "control/ten-pings-one-write",
		.title = "answers ten pings that come in one segment, at least the last of them",
		.rfc = "6455 5.5.3",
		.requirements = "6455-5.5.3-b 6455-5.5.3-a 6455-6.2-a",
		.explain = "Each pong must match a ping, in order, and none twice; answering only the newest is "
			   "allowed and noted.",
		.fix = CONTROL_PING_FIX,
		STEPS(GATHER, SEND(PING, LIT("payload"), .times = 10, .numbered = true), PONG, QUIET),
	},

	CONTROL_PONG("control/pong-empty-close", "2.7",
		     "takes an empty pong that nobody asked for, then closes as asked", SEND(PONG, EMPTY),
		     SEND_CLOSE(1000), CLOSES),
	CONTROL_PONG("control/pong-text-close", "2.8",
		     "takes a pong with text that nobody asked for, then closes as asked",
		     SEND(PONG, LIT("unsolicited pong payload")), SEND_CLOSE(1000), CLOSES),
	CONTROL_PONG("control/pong-then-ping", "2.9", "answers the ping after an unasked pong, and only the ping",
		     SEND(PONG, LIT("unsolicited pong payload")), SEND(PING, LIT("ping payload")), PONG, QUIET),
	CONTROL_PONG("control/pong-empty", NULL, "does not answer an empty pong", SEND(PONG, EMPTY), QUIET),
	CONTROL_PONG("control/pong-text", NULL, "does not answer a pong with 5 octets", SEND(PONG, LIT("hello")),
		     QUIET),
	CONTROL_PONG("control/pong-125", NULL, "does not answer a pong with 125 octets", SEND(PONG, PATTERN(125)),
		     QUIET),
	CONTROL_PONG("control/pong-many", NULL, "takes a hundred pongs that nobody asked for", GATHER,
		     SEND(PONG, LIT("beat"), .times = 100, .numbered = true), QUIET),
	CONTROL_PONG("control/pong-in-message", NULL, "takes an unasked pong between two fragments",
		     SEND(TEXT, LIT("hel"), .more = true), SEND(PONG, LIT("beat")), QUIET),

	CONTROL_TOO_LONG("control/ping-126", "2.5", "a ping of 126 octets",
			 SEND(PING, REPEAT_LIT("\xfe", 126), .bad = true)),
	CONTROL_TOO_LONG("control/pong-126", NULL, "a pong of 126 octets",
			 SEND(PONG, REPEAT_LIT("\xfe", 126), .bad = true)),
	CONTROL_TOO_LONG("control/ping-65535", NULL, "a ping of 65535 octets", SEND(PING, PATTERN(65535), .bad = true)),
	CONTROL_TOO_LONG("control/ping-65536", NULL, "a ping of 65536 octets, whose length takes 64 bits",
			 SEND(PING, PATTERN(65536), .bad = true)),
	CONTROL_TOO_LONG("control/pong-65536", NULL, "a pong of 65536 octets, whose length takes 64 bits",
			 SEND(PONG, PATTERN(65536), .bad = true)),
	CONTROL_TOO_LONG("control/ping-126-octets", NULL, "a ping of 126 octets that comes octet by octet", CHOP(1),
			 SEND(PING, PATTERN(126), .bad = true)),
	CONTROL_TOO_LONG("control/ping-126-in-message", NULL, "a ping of 126 octets between two fragments",
			 SEND(TEXT, LIT("hel"), .more = true), SEND(PING, PATTERN(126), .bad = true),
			 SEND(CONTINUATION, LIT("lo"))),
	{
		.id = "control/ping-126-after-echo",
		.title = "fails a ping of 126 octets after a good message was echoed",
		.rfc = "6455 5.5",
		.requirements = "6455-5.5-a",
		.fix = CONTROL_LIMIT_FIX,
		.needs = NEED_ECHO,
		STEPS(SEND(TEXT, LIT("first")), ECHO, SEND(PING, PATTERN(126), .bad = true), FAILS(1002)),
	},
	CONTROL_DECLARED("control/ping-declares-126", "ping", OPCODE_PING, 126),
	CONTROL_DECLARED("control/ping-declares-65535", "ping", OPCODE_PING, 65535),
	CONTROL_DECLARED("control/ping-declares-65536", "ping", OPCODE_PING, 65536),
	CONTROL_DECLARED("control/pong-declares-126", "pong", OPCODE_PONG, 126),
	CONTROL_DECLARED("control/pong-declares-65536", "pong", OPCODE_PONG, 65536),
	CONTROL_DECLARED("control/close-declares-126", "Close", OPCODE_CLOSE, 126),
	CONTROL_DECLARED("control/close-declares-65536", "Close", OPCODE_CLOSE, 65536),
	CONTROL_LONG_FORM("control/ping-form-16", "a ping of 5 octets whose length is written in 16 bits",
			  SEND(PING, LIT("hello"), .form = FRAME_FORM_16, .bad = true)),
	CONTROL_LONG_FORM("control/ping-form-64", "a ping of 5 octets whose length is written in 64 bits",
			  SEND(PING, LIT("hello"), .form = FRAME_FORM_64, .bad = true)),
	CONTROL_LONG_FORM("control/ping-form-16-empty", "an empty ping whose length is written in 16 bits",
			  SEND(PING, EMPTY, .form = FRAME_FORM_16, .bad = true)),
	CONTROL_LONG_FORM("control/pong-form-16", "a pong of 5 octets whose length is written in 16 bits",
			  SEND(PONG, LIT("hello"), .form = FRAME_FORM_16, .bad = true)),
	{
		.id = "control/close-form-16",
		.title = "fails a Close of 2 octets whose length is written in 16 bits",
		.rfc = "6455 5.5",
		.requirements = "6455-5.5-a 6455-5.2-g",
		.explain = "Answered like a good Close: a warn, for the connection ends, but the violation was "
			   "overlooked.",
		.fix = CONTROL_LIMIT_FIX,
		STEPS(SEND(CLOSE, LIT("\x03\xe8"), .form = FRAME_FORM_16, .bad = true), FAILS(1002)),
	},

	CONTROL_FRAGMENTED("control/ping-no-fin-continued", "5.1", "a ping in two fragments",
			   SEND(PING, LIT("frag"), .more = true, .bad = true), SEND(CONTINUATION, LIT("ment"))),
	CONTROL_FRAGMENTED("control/pong-no-fin-continued", "5.2", "a pong in two fragments",
			   SEND(PONG, LIT("frag"), .more = true, .bad = true), SEND(CONTINUATION, LIT("ment"))),
	CONTROL_FRAGMENTED("control/ping-no-fin", NULL, "a ping without FIN",
			   SEND(PING, LIT("fragment"), .more = true, .bad = true)),
	CONTROL_FRAGMENTED("control/ping-no-fin-empty", NULL, "an empty ping without FIN",
			   SEND(PING, EMPTY, .more = true, .bad = true)),
	CONTROL_FRAGMENTED("control/pong-no-fin", NULL, "a pong without FIN",
			   SEND(PONG, LIT("fragment"), .more = true, .bad = true)),
	CONTROL_FRAGMENTED("control/pong-no-fin-empty", NULL, "an empty pong without FIN",
			   SEND(PONG, EMPTY, .more = true, .bad = true)),
	CONTROL_FRAGMENTED("control/close-no-fin", NULL, "a Close without FIN",
			   SEND(CLOSE, LIT("\x03\xe8"), .more = true, .bad = true)),
	CONTROL_FRAGMENTED("control/close-no-fin-empty", NULL, "an empty Close without FIN",
			   SEND(CLOSE, EMPTY, .more = true, .bad = true)),
	CONTROL_FRAGMENTED("control/close-no-fin-continued", NULL, "a Close in two fragments, code and reason",
			   SEND(CLOSE, LIT("\x03\xe8"), .more = true, .bad = true), SEND(CONTINUATION, LIT("reason"))),
	CONTROL_FRAGMENTED("control/ping-no-fin-in-message", NULL, "a ping without FIN inside a fragmented message",
			   SEND(TEXT, LIT("hel"), .more = true), SEND(PING, LIT("frag"), .more = true, .bad = true),
			   SEND(CONTINUATION, LIT("lo"))),
	{
		.id = "control/ping-no-fin-after-echo",
		.title = "fails a ping without FIN after a good message was echoed",
		.rfc = "6455 5.4",
		.requirements = "6455-5.4-d",
		.fix = CONTROL_FIN_FIX,
		.needs = NEED_ECHO,
		STEPS(SEND(TEXT, LIT("first")), ECHO, SEND(PING, LIT("frag"), .more = true, .bad = true), FAILS(1002)),
	},
};
