/*
 * Origin, RFC 6455 4.2.2 and 10.2. Any site can point a visitor's browser at any WebSocket server, cookies included,
 * and this field is the only thing that tells. Whether a server means to check it only its target file can say.
 */
#include "suites/rules.h"

#define FOREIGN(NAME, TITLE, NEED_BIT, TEXT) \
	{ \
		.id = "origin/" NAME, \
		.title = TITLE, \
		.rfc = "6455 10.2", \
		.level = REQ_SHOULD, \
		.requirements = "6455-10.2-a", \
		.explain = "The target file says that the server checks origins, and this one is not on its list. " \
			"Whoever compares a beginning, an end or a part of the value lets a stranger's page in.", \
		.fix = "Compare the whole Origin, scheme, host and port, with each entry of the list.", \
		.needs = NEED_BIT, \
		STEPS(SET("Origin", TEXT), NEVER_OPENS), \
	}

static const struct test_case rfc6455_10_origin_cases[] = {
	{
		.id = "origin/absent",
		.title = "A handshake without Origin opens, or is refused with 403 by policy",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-j 6455-4.2.2-g",
		.explain = "The field is optional: only browsers have to send it. A server may refuse what has none, "
			"then with 403.",
		.fix = "Take a request without Origin for one that no browser made.",
		STEPS(DROP("Origin"), HTTP(.open = GRADE_PASS, .note = {403}, .client_error = GRADE_WARN)),
	},
	{
		.id = "origin/allowed",
		.title = "A handshake from an accepted origin opens",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-f",
		.explain = "The target file says that this origin is accepted; a refusal is a wrong policy or a wrong "
			"target file.",
		.fix = "Add the origin to the list, spelled as browsers do: scheme, host, and the port when it is not "
			"the default.",
		.needs = NEED_ALLOWED_ORIGIN,
		STEPS(SET("Origin", "{allowed_origin}"), OPENS),
	},
	{
		.id = "origin/forbidden",
		.title = "A handshake from a refused origin is aborted with a status",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-g",
		.explain = "A server that does not want the connection has to say so by an HTTP error. 101 and a Close "
			"1008 afterwards is a fail: the page has had an open socket.",
		.fix = "Check Origin before upgrading and answer 403.",
		.needs = NEED_FOREIGN_ORIGIN,
		STEPS(SET("Origin", "{forbidden_origin}"), REJECTS(403)),
	},
	{
		.id = "origin/forbidden-status",
		.title = "The refusal of an origin has the status 403",
		.rfc = "6455 10.2",
		.level = REQ_SHOULD,
		.requirements = "6455-10.2-b 6455-10.2-a",
		.fix = "Answer 403 when the origin is not accepted.",
		.needs = NEED_FOREIGN_ORIGIN,
		STEPS(SET("Origin", "{forbidden_origin}"), HTTP(.pass = {403})),
	},
	FOREIGN("null", "The origin null is refused where origins are checked", NEED_FOREIGN_ORIGIN, "null"),
	FOREIGN("suffix", "An accepted host with a foreign ending is refused", NEED_ALLOWED_ORIGIN,
		"https://{origin_host}.evil.example"),
	FOREIGN("prefix", "An accepted host with a foreign beginning is refused", NEED_ALLOWED_ORIGIN,
		"https://evil{origin_host}"),
	FOREIGN("user-part", "An accepted host in front of an @ and a foreign host is refused", NEED_ALLOWED_ORIGIN,
		"https://{origin_host}@evil.example"),
	FOREIGN("path-part", "An accepted host in the path behind a foreign host is refused", NEED_ALLOWED_ORIGIN,
		"https://evil.example/{origin_host}"),
	FOREIGN("other-scheme", "An accepted host with another scheme is refused", NEED_ALLOWED_ORIGIN,
		"ftp://{origin_host}"),
	FOREIGN("other-port", "An accepted host with another port is refused", NEED_ALLOWED_ORIGIN,
		"https://{origin_host}:1"),
};
