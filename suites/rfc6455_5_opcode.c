/*
 * RFC 6455 5.2: opcodes 3 to 7 and 11 to 15 are reserved; receiving one fails the connection. Any data frame or Pong
 * that follows the bad frame fails the case: a server that echoes an unknown opcode gets an OK for its behaviour from
 * Autobahn. A row without a level is a MUST.
 */

#define OPCODE_FIX \
	"Fail the connection with 1002 when the opcode is none of 0, 1, 2, 8, 9, 10, in every state of the reader."

#define OPCODE_RESERVED(ID, VALUE, AUTOBAHN, WITH, PAYLOAD) \
	{ \
		.id = ID, \
		.title = "fails a frame with the reserved opcode " #VALUE WITH, \
		.rfc = "6455 5.2", \
		.requirements = "6455-5.2-d", \
		.autobahn = AUTOBAHN, \
		.fix = OPCODE_FIX, \
		STEPS(SEND_OPCODE(VALUE, PAYLOAD, .bad = true), FAILS(1002)), \
	}
#define OPCODE_PAYLOAD LIT("reserved opcode")

#define OPCODE_PIPELINED(ID, VALUE, AUTOBAHN, WITH, REQUIREMENTS, PAYLOAD, WRITING) \
	{ \
		.id = ID, \
		.title = "fails a frame with the reserved opcode " #VALUE WITH " between a good text and a ping", \
		.rfc = "6455 5.2", \
		.requirements = REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.explain = "The good text before the violation may be echoed, but need not be; the ping after it " \
			   "must not be answered.", \
		.fix = OPCODE_FIX, \
		.needs = NEED_ECHO, \
		STEPS(WRITING, SEND(TEXT, LIT("good")), SEND_OPCODE(VALUE, PAYLOAD, .bad = true), SEND(PING, \
		      EMPTY), FAILS(1002)), \
	}

/* 3 to 7, or 11 to 15, each on a fresh connection. */
#define OPCODE_EACH(ID, FIRST, TITLE, NEEDS, ...) \
	{ \
		.id = ID, \
		.title = TITLE, \
		.rfc = "6455 5.2", \
		.requirements = "6455-5.2-d", \
		.fix = OPCODE_FIX, \
		.needs = NEEDS, \
		.repeat = 5, \
		.first_iter = FIRST, \
		STEPS(__VA_ARGS__, FAILS(1002)), \
	}

static const struct test_case rfc6455_5_opcode_cases[] = {
	OPCODE_RESERVED("opcode/3-empty", 3, "4.1.1", ", empty", EMPTY),
	OPCODE_RESERVED("opcode/4-empty", 4, NULL, ", empty", EMPTY),
	OPCODE_RESERVED("opcode/5-empty", 5, NULL, ", empty", EMPTY),
	OPCODE_RESERVED("opcode/6-empty", 6, NULL, ", empty", EMPTY),
	OPCODE_RESERVED("opcode/7-empty", 7, NULL, ", empty", EMPTY),
	OPCODE_RESERVED("opcode/11-empty", 11, "4.2.1", ", empty", EMPTY),
	OPCODE_RESERVED("opcode/12-empty", 12, NULL, ", empty", EMPTY),
	OPCODE_RESERVED("opcode/13-empty", 13, NULL, ", empty", EMPTY),
	OPCODE_RESERVED("opcode/14-empty", 14, NULL, ", empty", EMPTY),
	OPCODE_RESERVED("opcode/15-empty", 15, NULL, ", empty", EMPTY),
	OPCODE_RESERVED("opcode/3-payload", 3, NULL, " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/4-payload", 4, "4.1.2", " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/5-payload", 5, NULL, " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/6-payload", 6, NULL, " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/7-payload", 7, NULL, " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/11-payload", 11, NULL, " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/12-payload", 12, "4.2.2", " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/13-payload", 13, NULL, " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/14-payload", 14, NULL, " and payload", OPCODE_PAYLOAD),
	OPCODE_RESERVED("opcode/15-payload", 15, NULL, " and payload", OPCODE_PAYLOAD),

	OPCODE_PIPELINED("opcode/5-empty-pipelined", 5, "4.1.3", ", empty,", "6455-5.2-d 6455-7.1.7-g", EMPTY, CHOP(0)),
	OPCODE_PIPELINED("opcode/6-payload-pipelined", 6, "4.1.4", " and payload", "6455-5.2-d 6455-7.1.7-g",
			 OPCODE_PAYLOAD, CHOP(0)),
	OPCODE_PIPELINED("opcode/7-payload-pipelined-octets", 7, "4.1.5", " and payload, octet by octet,",
			 "6455-5.2-d 6455-7.1.7-g 6455-6.2-a", OPCODE_PAYLOAD, CHOP(1)),
	OPCODE_PIPELINED("opcode/3-payload-pipelined-one-write", 3, NULL, " and payload, all in one write,",
			 "6455-5.2-d 6455-7.1.7-g", OPCODE_PAYLOAD, GATHER),
	OPCODE_PIPELINED("opcode/13-empty-pipelined", 13, "4.2.3", ", empty,", "6455-5.2-d 6455-7.1.7-g", EMPTY,
			 CHOP(0)),
	OPCODE_PIPELINED("opcode/14-payload-pipelined", 14, "4.2.4", " and payload", "6455-5.2-d 6455-7.1.7-g",
			 OPCODE_PAYLOAD, CHOP(0)),
	OPCODE_PIPELINED("opcode/15-payload-pipelined-octets", 15, "4.2.5", " and payload, octet by octet,",
			 "6455-5.2-d 6455-7.1.7-g 6455-6.2-a", OPCODE_PAYLOAD, CHOP(1)),
	OPCODE_PIPELINED("opcode/11-payload-pipelined-one-write", 11, NULL, " and payload, all in one write,",
			 "6455-5.2-d 6455-7.1.7-g", OPCODE_PAYLOAD, GATHER),

	OPCODE_EACH("opcode/data-no-fin", 3, "fails a first fragment with any of the reserved opcodes 3 to 7", 0,
		    SEND_OPCODE(0, OPCODE_PAYLOAD, .opcode_iter = true, .more = true, .bad = true),
		    SEND(CONTINUATION, LIT("end"))),
	OPCODE_EACH("opcode/data-no-fin-empty", 3,
		    "fails an empty first fragment with any of the reserved opcodes 3 to 7", 0,
		    SEND_OPCODE(0, EMPTY, .opcode_iter = true, .more = true, .bad = true)),
	OPCODE_EACH("opcode/control-no-fin", 11,
		    "fails a frame without FIN and with any of the reserved opcodes 11 to 15", 0,
		    SEND_OPCODE(0, OPCODE_PAYLOAD, .opcode_iter = true, .more = true, .bad = true),
		    SEND(CONTINUATION, LIT("end"))),
	OPCODE_EACH("opcode/data-in-message", 3, "fails any of the reserved opcodes 3 to 7 inside a fragmented message",
		    0, SEND(TEXT, LIT("hel"), .more = true),
		    SEND_OPCODE(0, OPCODE_PAYLOAD, .opcode_iter = true, .bad = true), SEND(CONTINUATION, LIT("lo"))),
	OPCODE_EACH("opcode/control-in-message", 11,
		    "fails any of the reserved opcodes 11 to 15 inside a fragmented message", 0,
		    SEND(TEXT, LIT("hel"), .more = true),
		    SEND_OPCODE(0, OPCODE_PAYLOAD, .opcode_iter = true, .bad = true), SEND(CONTINUATION, LIT("lo"))),
	OPCODE_EACH("opcode/data-after-echo", 3,
		    "fails any of the reserved opcodes 3 to 7 after a good message was echoed", NEED_ECHO,
		    SEND(TEXT, LIT("first")), ECHO, SEND_OPCODE(0, OPCODE_PAYLOAD, .opcode_iter = true, .bad = true)),
	OPCODE_EACH("opcode/control-after-echo", 11,
		    "fails any of the reserved opcodes 11 to 15 after a good message was echoed", NEED_ECHO,
		    SEND(TEXT, LIT("first")), ECHO, SEND_OPCODE(0, OPCODE_PAYLOAD, .opcode_iter = true, .bad = true)),
	OPCODE_EACH("opcode/data-long", 3, "fails a frame of 126 octets with any of the reserved opcodes 3 to 7", 0,
		    SEND_OPCODE(0, PATTERN(126), .opcode_iter = true, .bad = true)),
	OPCODE_EACH("opcode/control-long", 11, "fails a frame of 126 octets with any of the reserved opcodes 11 to 15",
		    0, SEND_OPCODE(0, PATTERN(126), .opcode_iter = true, .bad = true)),
};
