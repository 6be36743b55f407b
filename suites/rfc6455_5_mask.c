/*
 * RFC 6455 5.1 and 5.3: a client masks every frame, and a server ends the connection on one that is not masked.
 * Autobahn never sends an unmasked frame: a server that accepts them gets a perfect score there, so this group stands
 * on its own. A row without a level is a MUST.
 */

#define MASK_WHY \
	"Masking is what keeps a hostile page from writing chosen octets through a proxy cache (10.3). The server " \
	"must close the connection; Close 1002 or no Close frame at all are both right, another code is a warn."
#define MASK_FIX \
	"Look at the mask bit of every frame head and fail the connection with 1002 before the payload is looked at."

#define MASK_UNMASKED(ID, KIND, ...) \
	{ \
		.id = ID, \
		.title = "ends the connection on an unmasked " KIND, \
		.rfc = "6455 5.1", \
		.requirements = "6455-5.1-b 6455-5.1-c", \
		.explain = MASK_WHY, \
		.fix = MASK_FIX, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

#define MASK_UNMASKED_AFTER_ECHO(ID, KIND, ...) \
	{ \
		.id = ID, \
		.title = "ends the connection on an unmasked " KIND " after a good message", \
		.rfc = "6455 5.1", \
		.requirements = "6455-5.1-b 6455-5.1-c", \
		.explain = MASK_WHY " A server that looks at the first frame only is caught here.", \
		.fix = MASK_FIX, \
		.needs = NEED_ECHO, \
		STEPS(SEND(TEXT, LIT("first")), ECHO, __VA_ARGS__, FAILS(1002)), \
	}

/* Lengths 0 to 9: every place of an octet in the four octets of the key, twice, and the tails of word-wise loops. */
#define MASK_KEY(ID, KEY, MODE) \
	{ \
		.id = ID, \
		.title = "removes the mask " KEY " from messages of 0 to 9 octets", \
		.rfc = "6455 5.3", \
		.requirements = "6455-5.3-e 6455-6.2-d", \
		.fix = MASK_KEY_FIX, \
		.needs = NEED_ECHO, \
		.repeat = 10, \
		.first_iter = 0, \
		STEPS(SEND(BINARY, PATTERN_ITER, .mask = MODE), ECHO), \
	}
#define MASK_KEY_FIX \
	"Unmask octet i with key octet i modulo 4, whatever the key is: a key of zeros is a key, not a missing mask."

#define MASK_KEY_SIZE(ID, SIZE, WHAT) \
	{ \
		.id = ID, \
		.title = "removes the mask 01020304 from " WHAT, \
		.rfc = "6455 5.3", \
		.requirements = "6455-5.3-e 6455-6.2-d", \
		.fix = MASK_KEY_FIX, \
		.needs = NEED_ECHO, \
		STEPS(SEND(BINARY, PATTERN(SIZE), .mask = MASK_1234), ECHO), \
	}

static const struct test_case rfc6455_5_mask_cases[] = {
	{
		.id = "mask/bit-clear",
		.title = "ends the connection on a frame whose mask bit is clear, though a key follows",
		.rfc = "6455 5.1",
		.requirements = "6455-5.1-b 6455-5.3-e",
		.explain = "The key is ABCD, so that the payload is good text whether or not it is unmasked. A server that "
			   "never looks at the mask bit takes four octets for the key in every frame: on truly unmasked "
			   "frames it only loses its place, this one it echoes.",
		.fix = MASK_FIX,
		STEPS(RAW_BAD("\x81\x05" "ABCD" "\x09\x27\x2f\x28\x2e"), FAILS(1002)),
	},
	MASK_UNMASKED("mask/unmasked-text", "text frame", SEND(TEXT, LIT("hello"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-empty-text", "empty text frame",
		      SEND(TEXT, EMPTY, .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-binary", "binary frame",
		      SEND(BINARY, LIT("\x00\x01\xfe\xff"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-empty-binary", "empty binary frame",
		      SEND(BINARY, EMPTY, .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-ping", "ping", SEND(PING, LIT("hello"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-empty-ping", "empty ping", SEND(PING, EMPTY, .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-pong", "pong", SEND(PONG, LIT("hello"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-empty-pong", "empty pong", SEND(PONG, EMPTY, .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-length-16", "binary frame of 256 octets, whose length takes 16 bits",
		      SEND(BINARY, PATTERN(256), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-length-64", "binary frame of 65536 octets, whose length takes 64 bits",
		      SEND(BINARY, PATTERN(65536), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-first-fragment", "first fragment of a message",
		      SEND(TEXT, LIT("hel"), .more = true, .mask = MASK_NONE, .bad = true),
		      SEND(CONTINUATION, LIT("lo"))),
	MASK_UNMASKED("mask/unmasked-continuation", "continuation of a masked message",
		      SEND(TEXT, LIT("hel"), .more = true),
		      SEND(CONTINUATION, LIT("lo"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-middle-fragment", "fragment in the middle of a message",
		      SEND(BINARY, LIT("a"), .more = true),
		      SEND(CONTINUATION, LIT("b"), .more = true, .mask = MASK_NONE, .bad = true),
		      SEND(CONTINUATION, LIT("c"))),
	MASK_UNMASKED("mask/unmasked-ping-in-message", "ping inside a fragmented message",
		      SEND(TEXT, LIT("hel"), .more = true), SEND(PING, LIT("now"), .mask = MASK_NONE, .bad = true),
		      SEND(CONTINUATION, LIT("lo"))),
	MASK_UNMASKED("mask/unmasked-in-octets", "text frame that comes octet by octet", CHOP(1),
		      SEND(TEXT, LIT("hello"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED("mask/unmasked-then-good", "text frame, whatever good frames follow in the same segment", GATHER,
		      SEND(TEXT, LIT("bad"), .mask = MASK_NONE, .bad = true), SEND(TEXT, LIT("good")),
		      SEND(PING, LIT("good"))),
	{
		.id = "mask/unmasked-close",
		.title = "ends the connection on an unmasked Close, as a protocol error",
		.rfc = "6455 5.1",
		.requirements = "6455-5.1-b 6455-5.1-c",
		.explain = MASK_WHY
		" A Close answered as if it were good ends the connection too, but overlooks the violation: a warn.",
		.fix = MASK_FIX,
		STEPS(SEND(CLOSE, LIT("\x03\xe8"), .mask = MASK_NONE, .bad = true), FAILS(1002)),
	},
	{
		.id = "mask/unmasked-empty-close",
		.title = "ends the connection on an unmasked empty Close, as a protocol error",
		.rfc = "6455 5.1",
		.requirements = "6455-5.1-b 6455-5.1-c",
		.explain = MASK_WHY
		" A Close answered as if it were good ends the connection too, but overlooks the violation: a warn.",
		.fix = MASK_FIX,
		STEPS(SEND(CLOSE, EMPTY, .mask = MASK_NONE, .bad = true), FAILS(1002)),
	},
	MASK_UNMASKED_AFTER_ECHO("mask/unmasked-text-after-echo", "text frame",
				 SEND(TEXT, LIT("second"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED_AFTER_ECHO("mask/unmasked-binary-after-echo", "binary frame",
				 SEND(BINARY, LIT("second"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED_AFTER_ECHO("mask/unmasked-ping-after-echo", "ping",
				 SEND(PING, LIT("second"), .mask = MASK_NONE, .bad = true)),
	MASK_UNMASKED_AFTER_ECHO("mask/unmasked-pong-after-echo", "pong",
				 SEND(PONG, LIT("second"), .mask = MASK_NONE, .bad = true)),

	MASK_KEY("mask/key-random", "of a random key", MASK_RANDOM),
	MASK_KEY("mask/key-zero", "00000000", MASK_ZERO),
	MASK_KEY("mask/key-ones", "ffffffff", MASK_ONES),
	MASK_KEY("mask/key-1234", "01020304", MASK_1234),
	MASK_KEY_SIZE("mask/key-1234-125", 125, "125 octets"),
	MASK_KEY_SIZE("mask/key-1234-126", 126, "126 octets"),
	MASK_KEY_SIZE("mask/key-1234-1023", 1023, "1023 octets, a length that no word divides"),
	MASK_KEY_SIZE("mask/key-1234-65536", 65536, "65536 octets"),
	{
		.id = "mask/key-zero-text",
		.title = "takes a text frame whose masking key is zero for a masked frame",
		.rfc = "6455 5.3",
		.requirements = "6455-5.3-e 6455-6.2-d",
		.explain =
			"The mask bit says that a frame is masked, not the key: the payload is on the wire as it is.",
		.fix = MASK_KEY_FIX,
		.needs = NEED_ECHO,
		STEPS(SEND(TEXT, LIT("masked with nothing"), .mask = MASK_ZERO), ECHO),
	},
	{
		.id = "mask/key-zero-ping",
		.title = "answers a ping whose masking key is zero",
		.rfc = "6455 5.3",
		.requirements = "6455-5.3-e",
		.fix = MASK_KEY_FIX,
		STEPS(SEND(PING, LIT("masked with nothing"), .mask = MASK_ZERO), PONG),
	},
	{
		.id = "mask/key-cut-anywhere",
		.title = "removes the mask when a frame is cut in two after any of its octets",
		.rfc = "6455 5.3",
		.requirements = "6455-5.3-e 6455-6.2-d 6455-6.2-a",
		.explain = "The place in the key must survive from one read to the next; cuts after 1 to 22 octets of "
			   "a frame with 6 + 17.",
		.fix = "Keep the number of payload octets already unmasked with the frame, and go on with the key from "
		       "there.",
		.needs = NEED_ECHO,
		.repeat = 22,
		.first_iter = 1,
		STEPS(CUT(AT_ITER), SEND(BINARY, PATTERN(17), .mask = MASK_1234), ECHO),
	},
	{
		.id = "mask/key-in-octets",
		.title = "removes the mask when a frame of 126 octets comes octet by octet",
		.rfc = "6455 5.3",
		.requirements = "6455-5.3-e 6455-6.2-d 6455-6.2-a",
		.fix = "Keep the number of payload octets already unmasked with the frame, and go on with the key from "
		       "there.",
		.needs = NEED_ECHO,
		STEPS(CHOP(1), SEND(BINARY, PATTERN(126), .mask = MASK_1234), ECHO),
	},
	{
		.id = "mask/key-restarts-in-each-frame",
		.title = "starts with the first octet of the key in every fragment",
		.rfc = "6455 5.3",
		.requirements = "6455-5.3-e 6455-6.2-d 6455-5.4-i",
		.explain = "Fragments of 3 octets: a server that carries the place in the key from one frame to the "
			   "next garbles the second.",
		.fix = "Reset the place in the key to 0 at every frame head.",
		.needs = NEED_ECHO,
		STEPS(MESSAGE(BINARY, PATTERN(100), .fragment = 3, .mask = MASK_1234), ECHO),
	},
	{
		.id = "mask/key-changes-in-message",
		.title = "uses each frame's own key, also for a ping between two fragments",
		.rfc = "6455 5.3",
		.requirements = "6455-5.3-e 6455-6.2-d 6455-5.4-g",
		.fix = "Keep key and place per frame: a control frame inside a message must not overwrite what the "
		       "message needs.",
		.needs = NEED_ECHO,
		STEPS(SEND(BINARY, PATTERN(7), .more = true, .mask = MASK_1234),
		      SEND(PING, LIT("key of ones"), .mask = MASK_ONES), PONG,
		      SEND(CONTINUATION, PATTERN(9), .mask = MASK_EXAMPLE), ECHO),
	},
};
