/*
 * RFC 6455 6: data in, data out. Every size at which the form of the length changes, every way in which TCP may cut
 * the octets, and that no message is lost, doubled, changed or moved. A row without a level is a MUST.
 */

#define DATA_FIX \
	"Echo type and octets as they came; keep the length in 64 bits and read on until the whole frame is there."
#define DATA_STREAM_FIX \
	"Feed whatever a read returns to one incremental frame parser that keeps its state, and loop until the " \
	"octets are used up."

#define DATA_SIZE(ID, AUTOBAHN, TITLE, REQUIREMENTS, OP, PAYLOAD) \
	{ \
		.id = ID, \
		.title = "echoes " TITLE, \
		.rfc = "6455 6.1", \
		.requirements = "6455-6.1-e 6455-6.1-f 6455-6.1-g " REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.fix = DATA_FIX, \
		.needs = NEED_ECHO, \
		STEPS(SEND(OP, PAYLOAD), ECHO), \
	}

#define DATA_STREAM(ID, AUTOBAHN, TITLE, REPEAT, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 6.2", \
		.requirements = "6455-6.2-a 6455-6.1-c", \
		.autobahn = AUTOBAHN, \
		.fix = DATA_STREAM_FIX, \
		.needs = NEED_ECHO, \
		.repeat = REPEAT, \
		.first_iter = 1, \
		STEPS(__VA_ARGS__, ECHO), \
	}

static const struct test_case rfc6455_6_data_cases[] = {
	DATA_SIZE("data/text-0", "1.1.1 6.1.1", "an empty text message", "6455-5.2-a", TEXT, EMPTY),
	DATA_SIZE("data/text-1", NULL, "a text message of 1 octet", "6455-5.2-a", TEXT, PATTERN(1)),
	DATA_SIZE("data/text-124", NULL, "a text message of 124 octets", "6455-5.2-f", TEXT, PATTERN(124)),
	DATA_SIZE("data/text-125", "1.1.2", "a text message of 125 octets", "6455-5.2-f", TEXT, PATTERN(125)),
	DATA_SIZE("data/text-126", "1.1.3", "a text message of 126 octets", "6455-5.2-f 6455-5.2-h", TEXT,
		  PATTERN(126)),
	DATA_SIZE("data/text-127", "1.1.4", "a text message of 127 octets", "6455-5.2-f 6455-5.2-h", TEXT,
		  PATTERN(127)),
	DATA_SIZE("data/text-128", "1.1.5", "a text message of 128 octets", "6455-5.2-f 6455-5.2-h", TEXT,
		  PATTERN(128)),
	DATA_SIZE("data/text-65534", NULL, "a text message of 65534 octets", "6455-5.2-f 6455-5.2-h", TEXT,
		  PATTERN(65534)),
	DATA_SIZE("data/text-65535", "1.1.6", "a text message of 65535 octets", "6455-5.2-f 6455-5.2-h", TEXT,
		  PATTERN(65535)),
	DATA_SIZE("data/text-65536", "1.1.7", "a text message of 65536 octets", "6455-5.2-f 6455-5.2-h", TEXT,
		  PATTERN(65536)),
	DATA_SIZE("data/binary-0", "1.2.1", "an empty binary message", "6455-5.2-a", BINARY, EMPTY),
	DATA_SIZE("data/binary-1", NULL, "a binary message of 1 octet", "6455-5.2-a", BINARY, PATTERN(1)),
	DATA_SIZE("data/binary-124", NULL, "a binary message of 124 octets", "6455-5.2-f", BINARY, PATTERN(124)),
	DATA_SIZE("data/binary-125", "1.2.2", "a binary message of 125 octets", "6455-5.2-f 6455-5.6-b", BINARY,
		  PATTERN(125)),
	DATA_SIZE("data/binary-126", "1.2.3", "a binary message of 126 octets", "6455-5.2-f 6455-5.2-h", BINARY,
		  PATTERN(126)),
	DATA_SIZE("data/binary-127", "1.2.4", "a binary message of 127 octets", "6455-5.2-f 6455-5.2-h", BINARY,
		  PATTERN(127)),
	DATA_SIZE("data/binary-128", "1.2.5", "a binary message of 128 octets", "6455-5.2-f 6455-5.2-h", BINARY,
		  PATTERN(128)),
	DATA_SIZE("data/binary-65534", NULL, "a binary message of 65534 octets", "6455-5.2-f 6455-5.2-h", BINARY,
		  PATTERN(65534)),
	DATA_SIZE("data/binary-65535", "1.2.6", "a binary message of 65535 octets", "6455-5.2-f 6455-5.2-h", BINARY,
		  PATTERN(65535)),
	DATA_SIZE("data/binary-65536", "1.2.7", "a binary message of 65536 octets", "6455-5.2-f 6455-5.2-h", BINARY,
		  PATTERN(65536)),
	DATA_SIZE("data/binary-all-values", NULL, "a binary message with all 256 octet values as binary", "6455-5.6-b",
		  BINARY, PATTERN(1024)),
	DATA_SIZE("data/binary-like-text", NULL, "a binary message of plain ASCII as binary, not as text", "6455-5.6-b",
		  BINARY, LIT("Hello, world!")),
	DATA_SIZE("data/binary-nul", NULL, "a binary message of 300 NUL octets", "6455-5.6-b", BINARY,
		  REPEAT_LIT("\0", 300)),
	DATA_SIZE("data/text-1m", NULL, "a text message of 1 MiB, in as many frames as it likes", "6455-6.1-d", TEXT,
		  PATTERN(1048576)),
	DATA_SIZE("data/binary-1m", NULL, "a binary message of 1 MiB, in as many frames as it likes", "6455-6.1-d",
		  BINARY, PATTERN(1048576)),

	DATA_STREAM("data/text-65536-pieces", "1.1.8",
		    "echoes a text message of 65536 octets that comes in pieces of 997 octets", 1, CHOP(997),
		    SEND(TEXT, PATTERN(65536))),
	DATA_STREAM("data/binary-65536-pieces", "1.2.8",
		    "echoes a binary message of 65536 octets that comes in pieces of 997 octets", 1, CHOP(997),
		    SEND(BINARY, PATTERN(65536))),
	DATA_STREAM("data/octets-125", NULL, "echoes a message of 125 octets that comes octet by octet", 1, CHOP(1),
		    SEND(TEXT, PATTERN(125))),
	DATA_STREAM("data/octets-300", NULL,
		    "echoes a message of 300 octets, with a 16-bit length, that comes octet by octet", 1, CHOP(1),
		    SEND(BINARY, PATTERN(300))),
	DATA_STREAM("data/cut-head-7", NULL, "echoes a message whose 6-octet head is cut after any octet", 6,
		    CUT(AT_ITER), SEND(TEXT, PATTERN(20))),
	DATA_STREAM("data/cut-head-16", NULL, "echoes a message whose 8-octet head is cut after any octet", 8,
		    CUT(AT_ITER), SEND(TEXT, PATTERN(300))),
	DATA_STREAM("data/cut-head-64", NULL, "echoes a message whose 14-octet head is cut after any octet", 14,
		    CUT(AT_ITER), SEND(BINARY, PATTERN(65536))),
	DATA_STREAM("data/cut-three-frames", NULL,
		    "echoes three messages that come in two segments, cut after any octet", 33, CUT(AT_ITER), GATHER,
		    SEND(TEXT, LIT("first")), SEND(TEXT, LIT("second")), SEND(TEXT, LIT("third"))),
	DATA_STREAM("data/cut-last-octet", NULL, "echoes a message of 1000 octets whose last octet comes late", 1,
		    CUT(1007), SEND(BINARY, PATTERN(1000))),
	DATA_STREAM("data/hundred-in-one-write", NULL,
		    "echoes a hundred messages that come in one segment, each once and in order", 1, GATHER,
		    SEND(TEXT, LIT("message"), .times = 100, .numbered = true)),
	DATA_STREAM("data/hundred-empty", NULL, "echoes a hundred empty messages that come in one segment", 1, GATHER,
		    SEND(BINARY, EMPTY, .times = 100)),
	DATA_STREAM("data/mixed-in-one-write", NULL,
		    "echoes text and binary messages of all length forms that come in one write", 1, GATHER,
		    SEND(TEXT, LIT("small")), SEND(BINARY, PATTERN(65536)), SEND(TEXT, EMPTY),
		    SEND(BINARY, PATTERN(126)), SEND(TEXT, PATTERN(65535)), SEND(BINARY, LIT("\xff"))),
	DATA_STREAM("data/hundred-in-pieces", NULL, "echoes a hundred messages that come in pieces of 7 octets", 1,
		    CHOP(7), GATHER, SEND(TEXT, LIT("message"), .times = 100, .numbered = true)),
	{
		.id = "data/order",
		.title = "echoes a hundred messages in the order they were sent",
		.rfc = "6455 6.1",
		.requirements = "6455-6.1-g 6455-5.1-g 6455-6.2-b",
		.explain = "The echoes are collected while more is sent: neither side waits for the other.",
		.fix = "Handle and answer the messages of one connection one after the other.",
		.needs = NEED_ECHO,
		STEPS(SEND(TEXT, LIT("message"), .times = 100, .numbered = true), ECHO, QUIET),
	},
	{
		.id = "data/echo-once",
		.title = "echoes a message once, and sends nothing else",
		.rfc = "6455 6.1",
		.requirements = "6455-6.1-c 6455-6.1-g",
		.fix = "Send one echo for a message on the echo path, and no other message.",
		.needs = NEED_ECHO,
		STEPS(SEND(TEXT, LIT("once")), ECHO, QUIET),
	},
	{
		.id = "data/types-alternate",
		.title = "keeps each message's type when text and binary alternate",
		.rfc = "6455 6.1",
		.requirements = "6455-6.1-e 6455-5.6-b 6455-5.4-n",
		.fix = "Take the type of the echo from the message it answers, not from the connection.",
		.needs = NEED_ECHO,
		STEPS(SEND(TEXT, LIT("one")), SEND(BINARY, LIT("two")), SEND(TEXT, LIT("three")),
		      SEND(BINARY, LIT("four")), ECHO),
	},
	{
		.id = "data/auto-fragmented",
		.title = "joins a text message of 65536 octets in fragments of 1300",
		.rfc = "6455 5.4",
		.requirements = "6455-5.4-i 6455-5.4-e 6455-6.1-d",
		.autobahn = "10.1.1",
		.fix = "Collect payloads from the first frame to the one with FIN; the type of the message is the "
		       "first frame's opcode.",
		.needs = NEED_ECHO,
		STEPS(MESSAGE(TEXT, PATTERN(65536), .fragment = 1300), ECHO),
	},
	{
		.id = "data/reader-pauses",
		.title = "loses nothing when the client reads late: 16 messages of 64 KiB before the first read",
		.rfc = "6455 6.1",
		.requirements = "6455-6.1-g 6455-6.1-c 6455-6.1-d",
		.explain = "The socket buffers fill up in the middle of a frame; the rest must follow when there is "
			   "room again.",
		.fix = "Keep what a write did not take and send it, in order, when the socket is writable; stop "
		       "reading while too much is kept.",
		.needs = NEED_ECHO,
		STEPS(STOP_READING, SEND(BINARY, PATTERN(65536), .times = 16), ECHO),
	},
};
