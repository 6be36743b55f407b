/*
 * RFC 6455 5.2: how the payload length is written, and 5.7: the octets that the RFC prints. Autobahn sends none of
 * the wrong lengths. A row without a level is a MUST.
 */

/*
 * A longer form than needed. The MUST binds the sender; the receiver's reaction is not spelled out, so a right answer
 * is a warn.
 */
#define FRAME_NOT_MINIMAL(ID, TITLE, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.2", \
		.requirements = "6455-5.2-g", \
		.explain = "The shortest form is a MUST for the sender, with no reaction spelled out for the " \
			   "receiver; by 10.7 it may fail the connection. Failing passes, taking the frame for " \
			   "good and answering it rightly is a warn, anything else fails.", \
		.fix = "Fail the connection with 1002 when a 16-bit length is below 126 or a 64-bit length is " \
			"below 65536.", \
		.needs = NEED_ECHO, \
		STEPS(__VA_ARGS__, ENDS(FAIL_BASE, .pass = {1002}, .overlooked = GRADE_WARN)), \
	}

#define FRAME_TOP_BIT(ID, WHAT, ...) \
	{ \
		.id = ID, \
		.title = "fails " WHAT ", without waiting for its payload", \
		.rfc = "6455 5.2", \
		.requirements = "6455-5.2-e", \
		.explain = "The top bit of a 64-bit length must be 0. Whoever reads the length into a signed " \
			   "number sees a negative one. Close 1009 (too big) is as good as 1002.", \
		.fix = "Check the top bit before the length is used, and fail the connection with 1002.", \
		.canary = true, \
		STEPS(__VA_ARGS__, FAILS(1002, 1009)), \
	}

/* Our FIN ends the wait of a server that would take so long a message: it needs no deadline. */
#define FRAME_HUGE(ID, WHAT, DECLARED) \
	{ \
		.id = ID, \
		.title = "survives a text frame that declares " WHAT " and brings 5", \
		.rfc = "6455 5.2", \
		.requirements = "6455-5.2-h 6455-5.2-j", \
		.explain = "The length is legal. The server may refuse it (1009) or wait for the payload, which " \
			   "then never comes: the ping behind it is payload too. A server that drops upper bits of " \
			   "the length echoes 5 octets and answers the ping; one that allocates by the declared " \
			   "length dies.", \
		.fix = "Keep the length in 64 bits, compare it with the message limit before anything is " \
			"allocated, and close with 1009 above it.", \
		.canary = true, \
		STEPS(SEND(TEXT, LIT("hello"), .form = FRAME_FORM_64, .declare = true, .declared = DECLARED, \
		      .bad = true), SEND(PING, EMPTY), FIN, \
		      FRAME_ENDS_SOMEHOW), \
	}
#define FRAME_ENDS_SOMEHOW \
	ENDS(.normal = GRADE_PASS, .none = GRADE_PASS, .other = GRADE_PASS, .fin = GRADE_PASS, .rst = GRADE_PASS, \
	     .open = GRADE_NOTE, \
	     .tcp_open = GRADE_NOTE)

#define FRAME_EXAMPLE(ID, TITLE, REQUIREMENTS, NEEDS, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.7", \
		.requirements = REQUIREMENTS, \
		.explain = "The octets are the ones that the RFC prints, its masking key included.", \
		.fix = "Compare the reader and writer of frames with the examples of RFC 6455 5.7 octet by octet.", \
		.needs = NEEDS, \
		STEPS(__VA_ARGS__), \
	}

static const struct test_case rfc6455_5_frame_cases[] = {
	FRAME_EXAMPLE("frame/example-text", "echoes the masked \"Hello\" of the RFC (81 85 37 fa 21 3d 7f 9f 4d 51 58)",
		      "6455-5.7-a 6455-5.2-a", NEED_ECHO, SEND(TEXT, LIT("Hello"), .mask = MASK_EXAMPLE), ECHO),
	FRAME_EXAMPLE("frame/example-fragmented", "echoes \"Hel\" and \"lo\" of the RFC as one message (01 03, 80 02)",
		      "6455-5.7-a 6455-5.4-b", NEED_ECHO, SEND(TEXT, LIT("Hel"), .more = true, .mask = MASK_EXAMPLE),
		      SEND(CONTINUATION, LIT("lo"), .mask = MASK_EXAMPLE), ECHO),
	FRAME_EXAMPLE("frame/example-ping", "answers the ping \"Hello\" of the RFC with the pong \"Hello\"",
		      "6455-5.7-a 6455-5.5.3-a", 0, SEND(PING, LIT("Hello"), .mask = MASK_EXAMPLE), PONG),
	FRAME_EXAMPLE("frame/example-256", "echoes the binary message of 256 octets of the RFC (82 7e 01 00)",
		      "6455-5.7-a 6455-5.2-h", NEED_ECHO, SEND(BINARY, PATTERN(256), .mask = MASK_EXAMPLE), ECHO),
	FRAME_EXAMPLE("frame/example-64k",
		      "echoes the binary message of 64 KiB of the RFC (82 7f 00 00 00 00 00 01 00 00)",
		      "6455-5.7-a 6455-5.2-h", NEED_ECHO, SEND(BINARY, PATTERN(65536), .mask = MASK_EXAMPLE), ECHO),
	{
		.id = "frame/length-order-16",
		.title = "reads and writes a 16-bit length in network order: 258 octets (01 02)",
		.rfc = "6455 5.2",
		.requirements = "6455-5.2-h 6455-5.2-f",
		.explain = "Read in the other order the length would be 513.",
		.fix = "Read and write extended lengths most significant octet first.",
		.needs = NEED_ECHO,
		STEPS(SEND(BINARY, PATTERN(258)), ECHO),
	},
	{
		.id = "frame/length-order-64",
		.title = "reads and writes a 64-bit length in network order: 65538 octets (01 00 02)",
		.rfc = "6455 5.2",
		.requirements = "6455-5.2-h 6455-5.2-f",
		.fix = "Read and write extended lengths most significant octet first.",
		.needs = NEED_ECHO,
		STEPS(SEND(BINARY, PATTERN(65538)), ECHO),
	},
	{
		.id = "frame/length-64-low-bits",
		.title = "reads all bits of a 64-bit length: 131077 octets, whose lower 16 bits are 5",
		.rfc = "6455 5.2",
		.requirements = "6455-5.2-h 6455-5.2-j",
		.explain = "A server that keeps 16 bits of the length echoes 5 octets and reads frames out of the "
			   "payload.",
		.fix = "Keep the payload length in a 64-bit number.",
		.needs = NEED_ECHO,
		STEPS(SEND(BINARY, PATTERN(131077)), ECHO),
	},
	{
		.id = "frame/length-counts-payload-only",
		.title = "does not count the masking key as payload: frames of 0 and 1 octet and a ping in one segment",
		.rfc = "6455 5.2",
		.requirements = "6455-5.2-j 6455-6.2-a",
		.explain = "A reader that is off by the four octets of the key loses the place at the second frame.",
		.fix = "The length in the head covers extension and application data; the key comes before them and is "
		       "not part of it.",
		.needs = NEED_ECHO,
		STEPS(GATHER, SEND(BINARY, EMPTY), SEND(BINARY, LIT("x")), SEND(PING, LIT("in step")), PONG, ECHO),
	},

	FRAME_NOT_MINIMAL("frame/long-form-16-of-0", "fails an empty text frame whose length is written in 16 bits",
			  SEND(TEXT, EMPTY, .form = FRAME_FORM_16, .bad = true)),
	FRAME_NOT_MINIMAL("frame/long-form-16-of-5",
			  "fails a text frame of 5 octets whose length is written in 16 bits",
			  SEND(TEXT, LIT("hello"), .form = FRAME_FORM_16, .bad = true)),
	FRAME_NOT_MINIMAL("frame/long-form-16-of-125",
			  "fails a binary frame of 125 octets whose length is written in 16 bits",
			  SEND(BINARY, PATTERN(125), .form = FRAME_FORM_16, .bad = true)),
	FRAME_NOT_MINIMAL("frame/long-form-64-of-0", "fails an empty binary frame whose length is written in 64 bits",
			  SEND(BINARY, EMPTY, .form = FRAME_FORM_64, .bad = true)),
	FRAME_NOT_MINIMAL("frame/long-form-64-of-5",
			  "fails a text frame of 5 octets whose length is written in 64 bits",
			  SEND(TEXT, LIT("hello"), .form = FRAME_FORM_64, .bad = true)),
	FRAME_NOT_MINIMAL("frame/long-form-64-of-126",
			  "fails a text frame of 126 octets whose length is written in 64 bits",
			  SEND(TEXT, PATTERN(126), .form = FRAME_FORM_64, .bad = true)),
	FRAME_NOT_MINIMAL("frame/long-form-64-of-65535",
			  "fails a binary frame of 65535 octets whose length is written in 64 bits",
			  SEND(BINARY, PATTERN(65535), .form = FRAME_FORM_64, .bad = true)),
	FRAME_NOT_MINIMAL("frame/long-form-after-echo",
			  "fails a text frame with a longer form than needed after a good message was echoed",
			  SEND(TEXT, LIT("first")), ECHO,
			  SEND(TEXT, LIT("second"), .form = FRAME_FORM_16, .bad = true)),
	FRAME_NOT_MINIMAL("frame/long-form-continuation",
			  "fails a continuation whose length is written in more bits than needed",
			  SEND(TEXT, LIT("hel"), .more = true),
			  SEND(CONTINUATION, LIT("lo"), .form = FRAME_FORM_16, .bad = true)),

	FRAME_TOP_BIT("frame/top-bit-only", "a text frame that declares 0x8000000000000000 octets",
		      SEND(TEXT, EMPTY, .form = FRAME_FORM_64, .declare = true, .declared = 0x8000000000000000u,
			   .bad = true)),
	FRAME_TOP_BIT("frame/top-bit-and-5", "a text frame of 5 octets with the top bit of its 64-bit length set",
		      SEND(TEXT, LIT("hello"), .form = FRAME_FORM_64, .declare = true, .declared = 0x8000000000000005u,
			   .bad = true)),
	FRAME_TOP_BIT("frame/top-bit-and-65536", "a binary frame of 65536 octets with the top bit of its length set",
		      SEND(BINARY, PATTERN(65536), .form = FRAME_FORM_64, .declare = true,
			   .declared = 0x8000000000010000u, .bad = true)),
	FRAME_TOP_BIT("frame/all-bits", "a binary frame that declares 0xffffffffffffffff octets",
		      SEND(BINARY, EMPTY, .form = FRAME_FORM_64, .declare = true, .declared = 0xffffffffffffffffu,
			   .bad = true)),
	FRAME_TOP_BIT("frame/top-bit-continuation", "a continuation with the top bit of its length set",
		      SEND(TEXT, LIT("hel"), .more = true),
		      SEND(CONTINUATION, LIT("lo"), .form = FRAME_FORM_64, .declare = true,
			   .declared = 0x8000000000000002u, .bad = true)),
	FRAME_TOP_BIT("frame/top-bit-ping", "a ping with the top bit of a 64-bit length set",
		      SEND(PING, LIT("hello"), .form = FRAME_FORM_64, .declare = true, .declared = 0x8000000000000005u,
			   .bad = true)),
	{
		.id = "frame/top-bit-after-echo",
		.title = "fails a text frame with the top bit of its length set after a good message was echoed",
		.rfc = "6455 5.2",
		.requirements = "6455-5.2-e",
		.explain = "Close 1009 (too big) is as good as 1002.",
		.fix = "Check the top bit before the length is used, and fail the connection with 1002.",
		.needs = NEED_ECHO,
		.canary = true,
		STEPS(SEND(TEXT, LIT("first")), ECHO,
		      SEND(TEXT, LIT("hello"), .form = FRAME_FORM_64, .declare = true, .declared = 0x8000000000000005u,
			   .bad = true),
		      FAILS(1002, 1009)),
	},

	FRAME_HUGE("frame/huge-2g", "2147483648 octets (2^31)", 0x80000000u),
	FRAME_HUGE("frame/huge-4g-less-1", "4294967295 octets (2^32 - 1)", 0xffffffffu),
	FRAME_HUGE("frame/huge-4g-and-5", "4294967301 octets (2^32 + 5)", 0x100000005u),
	FRAME_HUGE("frame/huge-2-to-48", "2^48 + 5 octets", 0x1000000000005u),
	FRAME_HUGE("frame/huge-2-to-62", "2^62 + 5 octets", 0x4000000000000005u),
	FRAME_HUGE("frame/huge-2-to-63-less-1", "2^63 - 1 octets, the largest legal length", 0x7fffffffffffffffu),
};
