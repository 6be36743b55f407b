/*
 * Sec-WebSocket-Protocol, RFC 6455 4.2.2 and 11.3.4: the server picks one name of the client's list or none, and
 * never writes a name that the client did not. Which names a server knows only its target file can say.
 */
#include "suites/rules.h"

/* No field in a 101; one is a warn, because the server may be willing to use any name. */
#define NONE_OR_WARN {.kind = STEP_FIELD_LACKS, .number = 101, .name = "Sec-WebSocket-Protocol", .grade = GRADE_WARN}

#define PICKS_KNOWN(NAME, TITLE, REQUIREMENT_IDS, ...) \
	{ \
		.id = "subprotocol/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.2", \
		.level = REQ_MUST, \
		.requirements = REQUIREMENT_IDS, \
		.explain = "The target file says that the server supports the name, so it has to be the one value of " \
			"the reply, spelled as in the offer.", \
		.fix = "Join repeated fields, split at commas, trim, pick the first supported name and reply with " \
			"exactly that one.", \
		.needs = NEED_SUBPROTOCOL, \
		STEPS(__VA_ARGS__, OPENS, FIELD_IS("Sec-WebSocket-Protocol", "{subprotocol}")), \
	}
/* Not a list of tokens. Whoever has no subprotocols has no reason to read the field: 101 is a warn, choosing from it
 * a fail. */
#define BAD_PROTOCOL(NAME, TITLE, REQUIREMENT_IDS, TEXT) \
	{ \
		.id = "subprotocol/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = REQUIREMENT_IDS, \
		.explain = "A value that breaks the grammar should stop the handshake. A server without subprotocols " \
			"may never read the field, so 101 is a warn; naming a subprotocol in that 101 is a fail.", \
		.fix = "Check each name of the list against the token grammar and answer 400.", \
		STEPS(SET("Sec-WebSocket-Protocol", TEXT), REJECTS_OR_WARNS(400), FIELD_LACKS_ON(101, \
			"Sec-WebSocket-Protocol", NULL)), \
	}

static const struct test_case rfc6455_4_subprotocol_cases[] = {
	{
		.id = "subprotocol/not-offered",
		.title = "Without an offer the reply names no subprotocol",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-l 6455-4.2.2-l 6455-4.2.2-m 6455-4.2.2-u",
		.explain = "A browser drops the connection when the reply names a subprotocol that was not offered. A "
			"server that insists on one may answer 400.",
		.fix = "Write Sec-WebSocket-Protocol only when a name of the client's list was chosen.",
		STEPS(DROP("Sec-WebSocket-Protocol"), HTTP(.open = GRADE_PASS, .note = {400},
			.client_error = GRADE_WARN),
			FIELD_LACKS_ON(101, "Sec-WebSocket-Protocol", NULL)),
	},
	{
		.id = "subprotocol/unknown",
		.title = "For an unknown subprotocol the reply names none, or the handshake is refused",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-l 6455-4.2.2-m 6455-4.2.2-k",
		.explain = "Without agreement there is no field; writing the offer back makes the client believe in a "
			"protocol nobody speaks. From outside nobody can tell that the server is not willing to use the "
			"name (4.2.2), so a name that was offered is a warn; one that was not is a fail of "
			"watch/reply-protocol.",
		.fix = "Write Sec-WebSocket-Protocol only when a name of the client's list is one that the server "
			"supports.",
		STEPS(SET("Sec-WebSocket-Protocol", "x-wsquall-unknown"), OPENS_OR_REJECTS(400), NONE_OR_WARN),
	},
	{
		.id = "subprotocol/unknown-list",
		.title = "For a list of unknown subprotocols the reply names none, or the handshake is refused",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-l 6455-4.2.2-m 6455-4.2.2-k 6455-4.2.2-n",
		.explain = "Some servers write the first name or the whole list back. A name that was offered is a "
			"warn, see subprotocol/unknown; the list is no name, and a fail of watch/reply-protocol.",
		.fix = "Write Sec-WebSocket-Protocol only when a name of the client's list is one that the server "
			"supports.",
		STEPS(SET("Sec-WebSocket-Protocol", "x-wsquall-a, x-wsquall-b"), OPENS_OR_REJECTS(400), NONE_OR_WARN),
	},
	PICKS_KNOWN("known", "A supported subprotocol is chosen when it is the only offer",
		"6455-4.2.2-k 6455-4.2.2-n 6455-11.3.4-b 6455-4.2.2-u",
		SET("Sec-WebSocket-Protocol", "{subprotocol}")),
	PICKS_KNOWN("known-first", "A supported subprotocol is chosen when it is offered first", "6455-4.2.2-k",
		SET("Sec-WebSocket-Protocol", "{subprotocol}, x-wsquall-a, x-wsquall-b")),
	PICKS_KNOWN("known-middle", "A supported subprotocol is chosen when it is offered between others",
		"6455-4.2.2-k",
		SET("Sec-WebSocket-Protocol", "x-wsquall-a, {subprotocol}, x-wsquall-b")),
	PICKS_KNOWN("known-last", "A supported subprotocol is chosen when it is offered last", "6455-4.2.2-k",
		SET("Sec-WebSocket-Protocol", "x-wsquall-a, x-wsquall-b, {subprotocol}")),
	PICKS_KNOWN("known-tight", "A list without blanks is the same list", "6455-4.2.2-k 6455-4.3-c",
		SET("Sec-WebSocket-Protocol", "x-wsquall-a,{subprotocol},x-wsquall-b")),
	PICKS_KNOWN("known-tabs", "Blanks and tabs around the commas of a list do not count", "6455-4.2.2-k 6455-4.3-c",
		SET("Sec-WebSocket-Protocol", "x-wsquall-a \t,\t {subprotocol}")),
	PICKS_KNOWN("two-fields", "Two fields mean the same as one list", "6455-11.3.4-a 6455-4.2.2-k",
		SET("Sec-WebSocket-Protocol", "x-wsquall-a"), ADD("Sec-WebSocket-Protocol", "{subprotocol}")),
	{
		.id = "subprotocol/other-case",
		.title = "A supported subprotocol in other letter case is not answered with a spelling that was not "
			"offered",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-n 6455-4.2.2-k",
		.explain = "Names are compared as they are; the reply in the server's own spelling was not offered, "
			"and clients drop the connection. No field, or the offer as it was written, is right.",
		.fix = "Compare subprotocol names exactly and reply with the client's spelling.",
		.needs = NEED_SUBPROTOCOL,
		STEPS(SET("Sec-WebSocket-Protocol", "{SUBPROTOCOL}"), OPENS_OR_REJECTS(400), FIELD_LACKS_ON(101,
			"Sec-WebSocket-Protocol", "{subprotocol}")),
	},
	{
		.id = "subprotocol/longer-name",
		.title = "A name that begins like a supported subprotocol is another name",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-k 6455-4.2.2-m",
		.explain = "Servers that search the field for their name find it inside longer ones.",
		.fix = "Split the list at commas and compare whole names.",
		.needs = NEED_SUBPROTOCOL,
		STEPS(SET("Sec-WebSocket-Protocol", "{subprotocol}x"), OPENS_OR_REJECTS(400), FIELD_LACKS_ON(101,
			"Sec-WebSocket-Protocol", "{subprotocol}")),
	},
	{
		.id = "subprotocol/empty-elements",
		.title = "Empty elements of a list do not count, or the handshake is refused",
		.rfc = "6455 4.3",
		.level = REQ_INFO,
		.requirements = "6455-4.3-c",
		.explain = "The list rule of RFC 2616 tolerates empty elements; newer HTTP tells senders not to make "
			"them. Recorded only.",
		.needs = NEED_SUBPROTOCOL,
		STEPS(SET("Sec-WebSocket-Protocol", ", {subprotocol},"), OPENS_OR_REJECTS(400)),
	},
	{
		.id = "subprotocol/offered-twice",
		.title = "A subprotocol that is offered twice is chosen once, or the handshake is refused",
		.rfc = "6455 4.1",
		.level = REQ_INFO,
		.requirements = "6455-4.2.2-k 6455-4.2.2-n",
		.explain = "The client must not repeat a name; the server's reaction is left open. Recorded only.",
		.needs = NEED_SUBPROTOCOL,
		STEPS(SET("Sec-WebSocket-Protocol", "{subprotocol}, {subprotocol}"), OPENS_OR_REJECTS(400),
			FIELD_IS_ON(101, "Sec-WebSocket-Protocol", "{subprotocol}")),
	},
	BAD_PROTOCOL("empty", "An empty subprotocol list is refused", "6455-4.2.1-b 6455-4.2.2-n", ""),
	BAD_PROTOCOL("blank-inside", "A subprotocol name with a blank inside is refused", "6455-4.2.1-b",
		"x-wsquall a"),
	BAD_PROTOCOL("separator", "A subprotocol name with a separator character is refused", "6455-4.2.1-b",
		"x-wsquall(a)"),
	{
		.id = "subprotocol/octets-above-7f",
		.title = "Octets above 7f in a subprotocol name are refused or ignored, never written back",
		.rfc = "6455 8.1",
		.level = REQ_MUST,
		.requirements = "6455-8.1-c 6455-4.2.2-m",
		.explain = "The octets are no token and no UTF-8. Ignoring the field as opaque octets is fine; they "
			"must not turn up in the reply.",
		.fix = "Check each name of the list against the token grammar and answer 400.",
		.canary = true,
		STEPS(SET("Sec-WebSocket-Protocol", "x-\xc3\x28\xff"), OPENS_OR_REJECTS(400), FIELD_LACKS_ON(101,
			"Sec-WebSocket-Protocol", NULL)),
	},
};
