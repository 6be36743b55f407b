/*
 * Limits, RFC 6455 10.4: a peer may declare any length and never end a message. What must not happen is that memory
 * is set aside for what was only announced, or that others are no longer served; every row therefore ends with a
 * fresh connection.
 */
#include "suites/rules.h"

/* Refused at once, or waited for within bounds: 10.4 leaves it open, so staying open is noted. */
#define LIMIT_BOUNDED ENDS(FAIL_BASE, .pass = {1009, 1008, 1002}, .open = GRADE_NOTE, .tcp_open = GRADE_WARN)
#define LIMIT_HUGE(NAME, TITLE, ...) \
	{ \
		.id = "limit/" NAME, \
		.title = TITLE, \
		.rfc = "6455 10.4", \
		.level = REQ_MUST, \
		.requirements = "6455-10.4-a 6455-10.7-a 6455-10.7-b", \
		.explain = "Only the length is sent, not the octets. Failing the connection and waiting for octets " \
			"within a time limit are both right; a server that sets the memory aside, overflows or stops " \
			"serving others is not.", \
		.fix = "Compare the declared length, and the sum for the message, with a limit before allocating; " \
			"answer Close 1009.", \
		STEPS(__VA_ARGS__, LIMIT_BOUNDED, ALIVE), \
	}
#define LIMIT_DECLARE(N, ...) .form = FRAME_FORM_64, .declare = true, .declared = (N), .bad = true, ##__VA_ARGS__
#define LIMIT_ENDLESS(NAME, TITLE, ...) \
	{ \
		.id = "limit/" NAME, \
		.title = TITLE, \
		.rfc = "6455 10.4", \
		.level = REQ_MUST, \
		.requirements = "6455-10.4-a", \
		.explain = "Each fragment is legal, so the connection may stay open; memory per fragment must stay " \
			"bounded and others must be served.", \
		.fix = "Limit the size of the message and the number or the age of its fragments; answer Close 1009 " \
			"or 1008.", \
		STEPS(GATHER, __VA_ARGS__, LIMIT_BOUNDED, ALIVE), \
	}
#define LIMIT_KEPT(NAME, TITLE, ...) \
	{ \
		.id = "limit/" NAME, \
		.title = TITLE, \
		.rfc = "6455 10.4", \
		.level = REQ_MUST, \
		.requirements = "6455-10.4-b", \
		.explain = "The contract in the target file says that messages of this size are taken. The limit " \
			"counts the payload of the whole message, in however many frames.", \
		.fix = "Compare with `greater than`, not `greater or equal`, and count payload only.", \
		.needs = NEED_ECHO | NEED_MAX_MESSAGE, \
		STEPS(__VA_ARGS__, ECHO), \
	}
#define LIMIT_PASSED(NAME, TITLE, ...) \
	{ \
		.id = "limit/" NAME, \
		.title = TITLE, \
		.rfc = "6455 10.4", \
		.level = REQ_SHOULD, \
		.requirements = "6455-10.4-b 6455-7.4.1-k", \
		.explain = "One octet more than the contract in the target file takes. 1009 is the code for it, 1008 " \
			"is noted; a message that goes through shows that the limit is not where the contract says.", \
		.fix = "Set the limit in the server or in front of it, count payload over all fragments, and fail " \
			"the connection with 1009.", \
		.needs = NEED_ECHO | NEED_MAX_MESSAGE, \
		.canary = true, \
		STEPS(__VA_ARGS__, ENDS(FAIL_BASE, .pass = {1009}, .note = {1008})), \
	}

static const struct test_case rfc6455_10_limit_cases[] = {
	LIMIT_HUGE("declared-31-bits", "A frame that declares 2 GiB and sends nothing is refused, or waited for within "
		"bounds",
		SEND(BINARY, EMPTY, LIMIT_DECLARE(1ULL << 31))),
	LIMIT_HUGE("declared-32-bits", "A frame that declares 4 GiB and sends nothing is refused, or waited for within "
		"bounds",
		SEND(BINARY, EMPTY, LIMIT_DECLARE(1ULL << 32))),
	LIMIT_HUGE("declared-60-bits", "A frame that declares 2^60 octets and sends nothing is refused, or waited for "
		"within bounds",
		SEND(BINARY, EMPTY, LIMIT_DECLARE(1ULL << 60))),
	LIMIT_HUGE("declared-63-bits", "A frame that declares the largest legal length is refused, or waited for "
		"within bounds",
		SEND(BINARY, EMPTY, LIMIT_DECLARE(0x7fffffffffffffffULL))),
	LIMIT_HUGE("declared-text", "A text frame that declares 2^60 octets and sends nothing is refused, or waited "
		"for within bounds",
		SEND(TEXT, EMPTY, LIMIT_DECLARE(1ULL << 60))),
	LIMIT_HUGE("declared-trickle", "A frame that declares 2 GiB and trickles a few octets is refused, or waited "
		"for within bounds",
		CHOP(4), SEND(BINARY, PATTERN(64), LIMIT_DECLARE(1ULL << 31))),
	LIMIT_HUGE("declared-continuation", "A continuation that declares 2^60 octets is refused, or waited for within "
		"bounds",
		SEND(BINARY, PATTERN(10), .more = true), SEND(CONTINUATION, EMPTY, LIMIT_DECLARE(1ULL << 60))),
	LIMIT_HUGE("sum-overflow", "Fragments whose lengths add up to more than 63 bits are refused, or waited for "
		"within bounds",
		SEND(BINARY, PATTERN(10), .more = true), SEND(CONTINUATION, EMPTY, LIMIT_DECLARE(0x7fffffffffffffffULL,
			.more = true))),
	LIMIT_ENDLESS("fragments-tiny", "A message of 20000 fragments of one octet that never ends harms nobody else",
		SEND(TEXT, PATTERN(1), .more = true), SEND(CONTINUATION, PATTERN(1), .more = true, .times = 20000)),
	LIMIT_ENDLESS("fragments-empty", "A message of 20000 empty fragments that never ends harms nobody else",
		SEND(TEXT, EMPTY, .more = true), SEND(CONTINUATION, EMPTY, .more = true, .times = 20000)),
	{
		.id = "limit/refused-by-length",
		.title = "A declared length of 2^60 octets is refused before the octets come",
		.rfc = "6455 10.4",
		.level = REQ_SHOULD,
		.requirements = "6455-10.4-b 6455-7.4.1-k",
		.explain = "A server with a limit on frames knows from the head that this one is too large. One that "
			"goes on waiting has no limit, or looks too late.",
		.fix = "Compare the declared length with the limit as soon as the head is complete; answer Close 1009.",
		.canary = true,
		STEPS(SEND(BINARY, EMPTY, LIMIT_DECLARE(1ULL << 60)), ENDS(FAIL_BASE, .pass = {1009, 1008, 1002})),
	},
	LIMIT_KEPT("max-binary", "A binary message as large as the contract allows is echoed", MESSAGE(BINARY,
		PATTERN_LIMIT)),
	LIMIT_KEPT("max-text", "A text message as large as the contract allows is echoed", MESSAGE(TEXT,
		PATTERN_LIMIT)),
	LIMIT_KEPT("max-fragmented", "A fragmented message as large as the contract allows is echoed", MESSAGE(BINARY,
		PATTERN_LIMIT, .fragment = 4096)),
	LIMIT_PASSED("over-max-binary", "A binary message one octet larger than the contract allows fails the "
		"connection",
		MESSAGE(BINARY, PATTERN_LIMIT_PLUS_1, .bad = true)),
	LIMIT_PASSED("over-max-text", "A text message one octet larger than the contract allows fails the connection",
		MESSAGE(TEXT, PATTERN_LIMIT_PLUS_1, .bad = true)),
	LIMIT_PASSED("over-max-fragmented", "A fragmented message one octet larger than the contract allows fails the "
		"connection",
		MESSAGE(BINARY, PATTERN_LIMIT_PLUS_1, .fragment = 4096, .bad = true)),
};
