/*
 * Sec-WebSocket-Extensions as far as RFC 6455 goes, 4.2.2, 9.1 and 11.3.2: never answer with what was not offered,
 * ignore what is unknown, refuse what breaks the grammar. What permessage-deflate itself demands is another suite.
 */
#include "suites/rules.h"

/* 9.1: a value that breaks the grammar fails the connection at once; here that means no 101. */
#define BAD_EXTENSION(NAME, TITLE, TEXT) \
	{ \
		.id = "extension/" NAME, \
		.title = TITLE, \
		.rfc = "6455 9.1", \
		.level = REQ_MUST, \
		.requirements = "6455-9.1-a", \
		.explain = "RFC 6455 9.1 lets nobody pass over a malformed value: `the recipient must immediately " \
			"fail the connection`. That is graded for servers without any extension too; list this case " \
			"as `known` in the target file if yours does not read the field on purpose.", \
		.fix = "Parse Sec-WebSocket-Extensions by the grammar of RFC 6455 9.1 even when no extension is " \
			"supported, and answer 400.", \
		STEPS(SET("Sec-WebSocket-Extensions", TEXT), HTTP(.pass = {400}, .client_error = GRADE_NOTE, \
			.server_error = GRADE_WARN, .ok = GRADE_WARN, \
			.redirect = GRADE_WARN, .closed = GRADE_NOTE)), \
	}
/* 4.3: a quoted value has to be a token inside. Erratum 6997 (reported) doubts the rule, so 101 without the
 * extension warns. */
#define BAD_QUOTED(NAME, TITLE, TEXT) \
	{ \
		.id = "extension/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.3", \
		.level = REQ_MUST, \
		.requirements = "6455-4.3-a 6455-9.1-a", \
		.explain = "Unquoted, the value has to be a token. A reported erratum doubts the rule: a 101 that " \
			"declines the extension is a warn, one that agrees to it a fail.", \
		.fix = "Unquote parameter values and check them against the token grammar; answer 400.", \
		STEPS(SET("Sec-WebSocket-Extensions", TEXT), REJECTS_OR_WARNS(400), FIELD_LACKS_ON(101, \
			"Sec-WebSocket-Extensions", "permessage-deflate")), \
	}

static const struct test_case rfc6455_9_extension_cases[] = {
	{
		.id = "extension/not-offered",
		.title = "Without an offer the reply names no extension",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-m 6455-4.2.2-p 6455-4.2.2-u",
		.explain = "An extension changes what every following octet means. A client that did not ask for it "
			"drops the connection.",
		.fix = "Write Sec-WebSocket-Extensions only in answer to an offer.",
		.repeat = 3,
		STEPS(DROP("Sec-WebSocket-Extensions"), OPENS, FIELD_LACKS("Sec-WebSocket-Extensions", NULL)),
	},
	{
		.id = "extension/unknown",
		.title = "An unknown extension is ignored",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-o 6455-4.2.2-p 6455-9.1-c",
		.explain = "New extensions can only ever be tried because servers pass over what they do not know.",
		.fix = "Skip offers with unknown names; neither refuse the handshake nor write them back.",
		STEPS(SET("Sec-WebSocket-Extensions", "x-wsquall-unknown"), OPENS,
			FIELD_LACKS("Sec-WebSocket-Extensions", NULL)),
	},
	{
		.id = "extension/unknown-parameters",
		.title = "An unknown extension with parameters of every form is ignored",
		.rfc = "6455 9.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-o 6455-4.2.2-p 6455-9.1-c 6455-4.3-a",
		.fix = "Skip offers with unknown names, parameters included; neither refuse the handshake nor write "
			"them back.",
		STEPS(SET("Sec-WebSocket-Extensions", "x-wsquall-unknown; a; b=1; c=\"2\""), OPENS,
			FIELD_LACKS("Sec-WebSocket-Extensions", NULL)),
	},
	{
		.id = "extension/unknown-first",
		.title = "An unknown extension before permessage-deflate is ignored",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-o 6455-4.2.2-p",
		.explain = "The reply may agree to permessage-deflate or to nothing.",
		.fix = "Skip offers with unknown names and look at the next one.",
		STEPS(SET("Sec-WebSocket-Extensions", "x-wsquall-unknown, permessage-deflate"), OPENS,
			FIELD_LACKS("Sec-WebSocket-Extensions", "x-wsquall-unknown")),
	},
	{
		.id = "extension/two-fields",
		.title = "Two extension fields mean the same as one list",
		.rfc = "6455 9.1",
		.level = REQ_MUST,
		.requirements = "6455-9.1-b 6455-11.3.2-a 6455-4.2.2-o",
		.fix = "Join repeated Sec-WebSocket-Extensions fields with commas before parsing.",
		STEPS(SET("Sec-WebSocket-Extensions", "x-wsquall-unknown"), ADD("Sec-WebSocket-Extensions",
			"permessage-deflate"), OPENS,
			FIELD_LACKS("Sec-WebSocket-Extensions", "x-wsquall-unknown")),
	},
	{
		.id = "extension/deflate-offer",
		.title = "An offer of permessage-deflate is accepted or passed over",
		.rfc = "6455 9",
		.level = REQ_MUST,
		.requirements = "6455-9-b 6455-9.1-c 6455-11.3.2-b 6455-4.2.2-u",
		.explain = "Both are right; every browser sends this offer, so a refusal locks browsers out.",
		.fix = "Agree to the extension or leave the field out of the reply.",
		STEPS(SET("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"), OPENS),
	},
	{
		.id = "extension/deflate-unknown-parameter",
		.title = "An offer of permessage-deflate with an unknown parameter is declined",
		.rfc = "6455 9.1",
		.level = REQ_MUST,
		.requirements = "6455-9-c 6455-9.1-d",
		.explain = "Parameters have to be ones that the extension defines; RFC 7692 7 tells the server to "
			"decline such an offer. Refusing the handshake is a warn.",
		.fix = "Treat an offer with a parameter that is not defined as if it were not there.",
		STEPS(SET("Sec-WebSocket-Extensions", "permessage-deflate; x_wsquall=1"), OPENS_OR_WARNS,
			FIELD_LACKS_ON(101, "Sec-WebSocket-Extensions", "permessage-deflate")),
	},
	{
		.id = "extension/preference",
		.title = "Of two offers that it could take, the server takes the first",
		.rfc = "6455 9.1",
		.level = REQ_INFO,
		.requirements = "6455-9.1-g",
		.explain = "The order is the client's preference, and the server may choose otherwise. Recorded only.",
		STEPS(SET("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover, "
			"permessage-deflate"), OPENS),
	},
	{
		.id = "extension/quoted-value",
		.title = "A quoted parameter value is the same as the value without quotes",
		.rfc = "6455 9.1",
		.level = REQ_MUST,
		.requirements = "6455-4.3-a",
		.explain = "Accepting and declining are both right; a refusal is a warn.",
		.fix = "Unquote parameter values before reading them.",
		STEPS(SET("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=\"10\""),
			OPENS_OR_WARNS),
	},
	{
		.id = "extension/blank-around-equals",
		.title = "Blanks around the equals sign of a parameter are skipped, or the handshake is refused",
		.rfc = "6455 9.1",
		.level = REQ_INFO,
		.requirements = "6455-4.3-c 6455-9.1-a",
		.explain = "The grammar is that of RFC 2616, where blanks may stand between any two words; newer HTTP has no "
			"such rule. Recorded only.",
		STEPS(SET("Sec-WebSocket-Extensions", "x-wsquall-unknown ; a = 1"), OPENS_OR_REJECTS(400)),
	},
	{
		.id = "extension/empty",
		.title = "An empty extension list is opened or refused",
		.rfc = "6455 9.1",
		.level = REQ_INFO,
		.requirements = "6455-9.1-a 6455-4.3-c",
		.explain = "The grammar wants at least one extension, yet clients without any do send the bare name. "
			"Recorded only.",
		STEPS(SET("Sec-WebSocket-Extensions", ""), OPENS_OR_REJECTS(400)),
	},
	BAD_EXTENSION("bad-semicolon", "The value ; is refused", ";"),
	BAD_EXTENSION("bad-empty-parameter", "A parameter without a name is refused", "permessage-deflate; =1"),
	BAD_EXTENSION("bad-two-semicolons", "Two semicolons in a row are refused", "permessage-deflate;;x"),
	BAD_EXTENSION("bad-missing-semicolon", "A parameter without its semicolon is refused",
		"permessage-deflate client_max_window_bits"),
	BAD_EXTENSION("bad-blank-in-name", "An extension name with a blank inside is refused", "a b"),
	BAD_EXTENSION("bad-open-quote", "A quoted value that does not end is refused",
		"permessage-deflate; server_max_window_bits=\"10"),
	BAD_EXTENSION("bad-no-value", "A parameter with an equals sign and no value is refused",
		"permessage-deflate; server_max_window_bits="),
	BAD_QUOTED("quoted-blank", "A quoted value with a blank inside is refused", "permessage-deflate; "
		"server_max_window_bits=\"1 0\""),
	BAD_QUOTED("quoted-empty", "An empty quoted value is refused", "permessage-deflate; "
		"server_max_window_bits=\"\""),
	BAD_QUOTED("quoted-quote", "A quoted value with a quote inside is refused", "permessage-deflate; "
		"server_max_window_bits=\"1\\\"0\""),
};
