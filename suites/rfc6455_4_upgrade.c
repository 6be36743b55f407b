/*
 * Upgrade and Connection, RFC 6455 4.2.1 parts 3 and 4: lists of tokens, compared without regard to case. Servers
 * get them wrong in both directions, by searching for a substring and by comparing the whole value.
 */
#include "suites/rules.h"

#define NOT_AN_UPGRADE(NAME, TITLE, REQUIREMENT_IDS, EDIT) \
	{ \
		.id = "upgrade/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = REQUIREMENT_IDS, \
		.explain = "The request asks for no WebSocket, so any HTTP reply is right and 101 is wrong. A proxy " \
			"that writes this field anew for each request hides the fault from the server behind it; " \
			"then the proxy is at fault.", \
		.fix = "Split the field at commas and compare whole tokens. In a proxy, set the field only when the " \
			"client asked for an upgrade.", \
		STEPS(EDIT, NEVER_OPENS), \
	}
#define STILL_AN_UPGRADE(NAME, TITLE, REQUIREMENT_IDS, ...) \
	{ \
		.id = "upgrade/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = REQUIREMENT_IDS, \
		.fix = "Join repeated fields, split at commas, trim, and compare tokens without regard to ASCII " \
			"case.", \
		STEPS(__VA_ARGS__, OPENS), \
	}
#define UPGRADE_LIST(NAME, TITLE, ...) \
	{ \
		.id = "upgrade/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.1-f", \
		.explain = "The field is a list in HTTP, and `containing the value websocket` fits a list; a refusal " \
			"is a warn, since the text can be read as one value.", \
		.fix = "Join repeated Upgrade fields, split at commas and look for websocket among the tokens.", \
		STEPS(__VA_ARGS__, OPENS_OR_WARNS), \
	}

static const struct test_case rfc6455_4_upgrade_cases[] = {
	NOT_AN_UPGRADE("missing", "Without Upgrade nothing is upgraded", "6455-4.2.1-f", DROP("Upgrade")),
	NOT_AN_UPGRADE("empty", "An empty Upgrade upgrades nothing", "6455-4.2.1-f", SET("Upgrade", "")),
	NOT_AN_UPGRADE("h2c", "Upgrade: h2c is no request for a WebSocket", "6455-4.2.1-f", SET("Upgrade", "h2c")),
	NOT_AN_UPGRADE("prefix", "Upgrade: websocketx is no request for a WebSocket", "6455-4.2.1-f", SET("Upgrade",
		"websocketx")),
	NOT_AN_UPGRADE("suffix", "Upgrade: xwebsocket is no request for a WebSocket", "6455-4.2.1-f", SET("Upgrade",
		"xwebsocket")),
	NOT_AN_UPGRADE("kelvin-sign", "Upgrade with the Kelvin sign for k is no request for a WebSocket, for only "
		"ASCII letters fold",
		"6455-2.1-b 6455-4.2.1-f", SET("Upgrade", "websoc\xe2\x84\xaa" "et")),
	STILL_AN_UPGRADE("mixed-case", "Upgrade: WebSocket is compared without regard to case",
		"6455-4.2.1-f 6455-2.1-b 6455-11.2-a",
		SET("Upgrade", "WebSocket")),
	STILL_AN_UPGRADE("upper-case", "Upgrade: WEBSOCKET is compared without regard to case",
		"6455-4.2.1-f 6455-2.1-b 6455-11.2-a",
		SET("Upgrade", "WEBSOCKET")),
	UPGRADE_LIST("second-in-list", "websocket is found as the second of a list of protocols", SET("Upgrade",
		"foo, websocket")),
	UPGRADE_LIST("first-in-list", "websocket is found as the first of a list of protocols", SET("Upgrade",
		"websocket, foo")),
	UPGRADE_LIST("two-fields", "websocket is found in the second of two Upgrade fields", SET("Upgrade", "foo"),
		ADD("Upgrade", "websocket")),

	NOT_AN_UPGRADE("connection-missing", "Without Connection nothing is upgraded", "6455-4.2.1-g",
		DROP("Connection")),
	NOT_AN_UPGRADE("connection-empty", "An empty Connection upgrades nothing", "6455-4.2.1-g", SET("Connection",
		"")),
	NOT_AN_UPGRADE("connection-close", "Connection: close upgrades nothing", "6455-4.2.1-g", SET("Connection",
		"close")),
	NOT_AN_UPGRADE("connection-keep-alive", "Connection: keep-alive upgrades nothing", "6455-4.2.1-g",
		SET("Connection", "keep-alive")),
	NOT_AN_UPGRADE("connection-suffix", "Connection: xUpgrade upgrades nothing", "6455-4.2.1-g", SET("Connection",
		"xUpgrade")),
	NOT_AN_UPGRADE("connection-prefix", "Connection: Upgradex upgrades nothing", "6455-4.2.1-g", SET("Connection",
		"Upgradex")),
	STILL_AN_UPGRADE("connection-lower-case", "Connection: upgrade is compared without regard to case",
		"6455-4.2.1-g 6455-2.1-b",
		SET("Connection", "upgrade")),
	STILL_AN_UPGRADE("connection-upper-case", "Connection: UPGRADE is compared without regard to case",
		"6455-4.2.1-g 6455-2.1-b",
		SET("Connection", "UPGRADE")),
	STILL_AN_UPGRADE("connection-list", "Upgrade is found in a Connection list, as Firefox sends it",
		"6455-4.2.1-g",
		SET("Connection", "keep-alive, Upgrade")),
	STILL_AN_UPGRADE("connection-list-tight", "Upgrade is found in a Connection list without blanks",
		"6455-4.2.1-g",
		SET("Connection", "Upgrade,keep-alive")),
	STILL_AN_UPGRADE("connection-two-fields", "Upgrade is found in the second of two Connection fields",
		"6455-4.2.1-g",
		SET("Connection", "keep-alive"), ADD("Connection", "Upgrade")),
};
