/*
 * Sec-WebSocket-Version, RFC 6455 4.2.1 part 6, 4.2.2, 4.4 and 11.3.5. Two things are asked: that what is not 13 is
 * not taken for 13, and that a server which refuses a version says which ones it speaks.
 */
#include "suites/rules.h"

/* 4.4: whoever is refused must be able to find out what would have worked. */
#define OTHER_VERSION(TEXT) \
	{ \
		.id = "version/number-" TEXT, \
		.title = "Version " TEXT " is refused with the list of versions that the server speaks", \
		.rfc = "6455 4.4", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.2-i 6455-4.4-a 6455-4.2.1-i 6455-4.3-b 6455-11.3.5-a", \
		.explain = "The refusal must name the versions the server is ready for, or a newer client cannot " \
			"fall back. 426 is the fitting status and 400 is common; 101 is noted, for a server may " \
			"speak older drafts as well. Version 13 has to open afterwards.", \
		.fix = "Answer 426 with `Sec-WebSocket-Version: 13` to every version but 13.", \
		STEPS(SET("Sec-WebSocket-Version", TEXT), HTTP(.open = GRADE_NOTE, .pass = {426, 400}, \
			.client_error = GRADE_NOTE, .server_error = GRADE_WARN, \
				.ok = GRADE_WARN, .redirect = GRADE_WARN, .closed = GRADE_WARN), \
			FIELD_HAS_ON(4, "Sec-WebSocket-Version", "13"), FIELD_LACKS_ON(4, "Sec-WebSocket-Version", \
				TEXT), NEW_CONNECTION, OPENS), \
	}
/* A version nobody ever spoke: 101 is wrong whatever else the server speaks. */
#define NEVER_A_VERSION(TEXT) \
	{ \
		.id = "version/number-" TEXT, \
		.title = "Version " TEXT " is refused with the list of versions that the server speaks", \
		.rfc = "6455 4.4", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.2-i 6455-4.4-a 6455-4.2.1-i 6455-4.3-b 6455-11.3.5-a", \
		.explain = "The refusal must name the versions the server is ready for, or a newer client cannot " \
			"fall back. 426 is the fitting status and 400 is common. No such version exists, so 101 is a " \
			"fail. Version 13 has to open afterwards.", \
		.fix = "Answer 426 with `Sec-WebSocket-Version: 13` to every version but 13.", \
		STEPS(SET("Sec-WebSocket-Version", TEXT), REJECTS(426, 400), FIELD_HAS_ON(4, "Sec-WebSocket-Version", \
			"13"), \
			FIELD_LACKS_ON(4, "Sec-WebSocket-Version", TEXT), NEW_CONNECTION, OPENS), \
	}
#define NOT_A_VERSION(NAME, TITLE, EDIT) \
	{ \
		.id = "version/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.1-i 6455-4.3-b", \
		.explain = "The field has to have the value 13, and a version is a number of 0 to 255 without " \
			"leading zeros; the grammar is part of the MUST.", \
		.fix = "Compare the value with the text 13 and do not convert it to a number first.", \
		STEPS(EDIT, REJECTS(400, 426)), \
	}
#define REPEATED_VERSION(NAME, TITLE, ...) \
	{ \
		.id = "version/" NAME, \
		.title = TITLE, \
		.rfc = "6455 11.3.5", \
		.level = REQ_MUST, \
		.requirements = "6455-11.3.5-c 6455-4.2.1-i", \
		.explain = "The client must not repeat the field; what the server does follows only from 4.2.1, so " \
			"101 is a warn.", \
		.fix = "Answer 400 unless there is exactly one Sec-WebSocket-Version with the one value 13.", \
		STEPS(__VA_ARGS__, REJECTS_OR_WARNS(400, 426)), \
	}

static const struct test_case rfc6455_4_version_cases[] = {
	OTHER_VERSION("0"),
	OTHER_VERSION("7"),
	OTHER_VERSION("8"),
	OTHER_VERSION("12"),
	NEVER_A_VERSION("14"),
	NEVER_A_VERSION("25"),
	NEVER_A_VERSION("255"),
	NOT_A_VERSION("missing", "A handshake without a version is refused", DROP("Sec-WebSocket-Version")),
	NOT_A_VERSION("empty", "An empty version is refused", SET("Sec-WebSocket-Version", "")),
	NOT_A_VERSION("letters", "The version abc is refused", SET("Sec-WebSocket-Version", "abc")),
	NOT_A_VERSION("leading-zero", "The version 013 is not 13", SET("Sec-WebSocket-Version", "013")),
	NOT_A_VERSION("plus", "The version +13 is not 13", SET("Sec-WebSocket-Version", "+13")),
	NOT_A_VERSION("fraction", "The version 13.0 is not 13", SET("Sec-WebSocket-Version", "13.0")),
	NOT_A_VERSION("negative", "The version -1 is refused", SET("Sec-WebSocket-Version", "-1")),
	NOT_A_VERSION("over-255", "The version 256 is refused", SET("Sec-WebSocket-Version", "256")),
	NOT_A_VERSION("wraps-to-13", "The version 269 is not taken for 13 by arithmetic in eight bits",
		SET("Sec-WebSocket-Version", "269")),
	REPEATED_VERSION("twice", "A handshake with the version 13 twice is refused", ADD("Sec-WebSocket-Version",
		"13")),
	REPEATED_VERSION("two-fields", "A handshake with the versions 13 and 8 in two fields is refused",
		ADD("Sec-WebSocket-Version", "8")),
	REPEATED_VERSION("list", "A handshake with the versions 13 and 8 in one list is refused",
		SET("Sec-WebSocket-Version", "13, 8")),
};
