/*
 * RFC 6455 5.2: RSV1 to RSV3 are zero unless an extension gave them a meaning; none is offered here, so any of them
 * fails the connection. The value of the field is written 4 for RSV1, 2 for RSV2, 1 for RSV3. A row without a level
 * is a MUST.
 */

#define RSV_FIX \
	"Check the three bits of every frame head, of continuations and control frames too, and fail the " \
	"connection with 1002."
#define RSV_NO_ECHO_OWED \
	"The good text before the violation may be echoed, but need not be: once the connection is failed nothing " \
	"more is promised. The ping after it must not be answered."

/* Each of the seven values on a fresh connection. */
#define RSV_EACH(ID, KIND, EXPLAIN, ...) \
	{ \
		.id = ID, \
		.title = "fails " KIND " with any RSV bit set", \
		.rfc = "6455 5.2", \
		.requirements = "6455-5.2-c", \
		.explain = EXPLAIN, \
		.fix = RSV_FIX, \
		.repeat = 7, \
		.first_iter = 1, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

#define RSV_ONE(ID, AUTOBAHN, TITLE, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.2", \
		.requirements = "6455-5.2-c", \
		.autobahn = AUTOBAHN, \
		.fix = RSV_FIX, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

#define RSV_PIPELINED(ID, AUTOBAHN, TITLE, REQUIREMENTS, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.2", \
		.requirements = REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.explain = RSV_NO_ECHO_OWED, \
		.fix = RSV_FIX, \
		.needs = NEED_ECHO, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

static const struct test_case rfc6455_5_rsv_cases[] = {
	RSV_EACH("rsv/text", "a text frame", NULL, SEND(TEXT, LIT("hello"), .rsv_iter = true, .bad = true)),
	RSV_EACH("rsv/empty-text", "an empty text frame", NULL, SEND(TEXT, EMPTY, .rsv_iter = true, .bad = true)),
	RSV_EACH("rsv/binary", "a binary frame", NULL, SEND(BINARY, LIT("\x00\xff"), .rsv_iter = true, .bad = true)),
	RSV_EACH("rsv/first-fragment", "the first fragment of a message", NULL,
		 SEND(TEXT, LIT("hel"), .more = true, .rsv_iter = true, .bad = true), SEND(CONTINUATION, LIT("lo"))),
	RSV_EACH("rsv/middle-fragment", "a fragment in the middle of a message", NULL,
		 SEND(TEXT, LIT("he"), .more = true),
		 SEND(CONTINUATION, LIT("l"), .more = true, .rsv_iter = true, .bad = true),
		 SEND(CONTINUATION, LIT("lo"))),
	RSV_EACH("rsv/last-fragment", "the last fragment of a message", NULL, SEND(TEXT, LIT("hel"), .more = true),
		 SEND(CONTINUATION, LIT("lo"), .rsv_iter = true, .bad = true)),
	RSV_EACH("rsv/ping", "a ping", "Autobahn's case 3.6 says that it sends a ping, but sends a binary frame.",
		 SEND(PING, LIT("hello"), .rsv_iter = true, .bad = true)),
	RSV_EACH("rsv/pong", "a pong", NULL, SEND(PONG, LIT("hello"), .rsv_iter = true, .bad = true)),
	RSV_EACH("rsv/close", "a Close",
		 "Answered like a good Close: a warn, for the connection ends, but the violation was overlooked.",
		 SEND(CLOSE, LIT("\x03\xe8"), .rsv_iter = true, .bad = true)),
	RSV_EACH("rsv/ping-in-message", "a ping inside a fragmented message", NULL,
		 SEND(TEXT, LIT("hel"), .more = true), SEND(PING, LIT("now"), .rsv_iter = true, .bad = true),
		 SEND(CONTINUATION, LIT("lo"))),

	RSV_ONE("rsv/text-rsv3", "3.1", "fails a text frame with RSV3 set",
		SEND(TEXT, LIT("hello"), .rsv = 1, .bad = true)),
	RSV_ONE("rsv/text-rsv2", NULL, "fails a text frame with RSV2 set",
		SEND(TEXT, LIT("hello"), .rsv = 2, .bad = true)),
	{
		.id = "rsv/text-rsv1",
		.title = "fails a text frame with RSV1 set when no compression was agreed",
		.rfc = "6455 5.2",
		.requirements = "6455-5.2-c",
		.explain = "RSV1 marks a compressed message, but only once permessage-deflate was agreed; it was not "
			   "even offered.",
		.fix = "Accept RSV1 only on connections whose handshake agreed on an extension that uses it; fail the "
		       "others with 1002.",
		STEPS(SEND(TEXT, LIT("hello"), .rsv = 4, .bad = true), FAILS(1002)),
	},
	{
		.id = "rsv/text-compressed",
		.title = "does not decompress a message when no compression was agreed",
		.rfc = "6455 5.2",
		.requirements = "6455-5.2-c",
		.explain = "The payload is a valid raw deflate of \"Hello\" with RSV1 set: a server that inflates "
			   "whatever has the bit echoes \"Hello\".",
		.fix = "Accept RSV1 only on connections whose handshake agreed on an extension that uses it; fail the "
		       "others with 1002.",
		STEPS(SEND(TEXT, LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), .rsv = 4, .bad = true), FAILS(1002)),
	},
	RSV_ONE("rsv/binary-rsv1-rsv3", "3.5", "fails a binary frame with RSV1 and RSV3 set",
		SEND(BINARY, LIT("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), .rsv = 5, .bad = true)),
	RSV_ONE("rsv/binary-rsv1-rsv2", "3.6", "fails a binary frame with RSV1 and RSV2 set",
		SEND(BINARY, LIT("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), .rsv = 6, .bad = true)),
	{
		.id = "rsv/empty-close-all-bits",
		.title = "fails an empty Close with all three RSV bits set",
		.rfc = "6455 5.2",
		.requirements = "6455-5.2-c",
		.autobahn = "3.7",
		.explain = "Autobahn fails a server that answers like to a good Close; here that is a warn, for the "
			   "connection ends as it must.",
		.fix = RSV_FIX,
		STEPS(SEND(CLOSE, EMPTY, .rsv = 7, .bad = true), FAILS(1002)),
	},
	RSV_PIPELINED("rsv/pipelined-rsv2", "3.2",
		      "fails a text frame with RSV2 set in one write with a good text and a ping",
		      "6455-5.2-c 6455-7.1.7-g", GATHER, SEND(TEXT, LIT("good")),
		      SEND(TEXT, LIT("bad"), .rsv = 2, .bad = true), SEND(PING, EMPTY)),
	RSV_PIPELINED("rsv/pipelined-rsv2-rsv3", "3.3",
		      "fails a text frame with RSV2 and RSV3 set between a good text and a ping",
		      "6455-5.2-c 6455-7.1.7-g", SEND(TEXT, LIT("good")), SEND(TEXT, LIT("bad"), .rsv = 3, .bad = true),
		      SEND(PING, EMPTY)),
	RSV_PIPELINED("rsv/pipelined-rsv1-octets", "3.4",
		      "fails a text frame with RSV1 set between a good text and a ping, octet by octet",
		      "6455-5.2-c 6455-7.1.7-g 6455-6.2-a", CHOP(1), SEND(TEXT, LIT("good")),
		      SEND(TEXT, LIT("bad"), .rsv = 4, .bad = true), SEND(PING, EMPTY)),
	RSV_PIPELINED("rsv/text-after-echo", NULL, "fails a text frame with RSV1 set after a good message was echoed",
		      "6455-5.2-c", SEND(TEXT, LIT("first")), ECHO, SEND(TEXT, LIT("second"), .rsv = 4, .bad = true)),
	RSV_PIPELINED("rsv/ping-after-echo", NULL, "fails a ping with RSV3 set after a good message was echoed",
		      "6455-5.2-c", SEND(TEXT, LIT("first")), ECHO, SEND(PING, LIT("second"), .rsv = 1, .bad = true)),
};
