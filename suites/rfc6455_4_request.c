/*
 * The request line and the Host field of the opening handshake, RFC 6455 4.2.1 parts 1 and 2. Here the WebSocket
 * text leans on HTTP, so the grades follow RFC 9112 where it says more: what HTTP lets a parser repair is never a
 * fail.
 */
#include "suites/rules.h"

#define METHOD_NOT_GET(NAME, TEXT) \
	{ \
		.id = "request/" NAME, \
		.title = "A handshake with the method " TEXT " is never answered by 101", \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.1-c", \
		.explain = "Only a GET is an opening handshake. An ordinary HTTP reply to the method is fine, an " \
			"upgrade is not.", \
		.fix = "Look at the method before upgrading and answer everything but GET with 405 or 400.", \
		STEPS(METHOD(TEXT), NEVER_OPENS), \
	}

static const struct test_case rfc6455_4_request_cases[] = {
	{
		.id = "request/valid",
		.title = "A correct handshake opens, a message is echoed and the connection closes with the handshake "
			"of Close frames",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-a 6455-4.2.1-j 6455-4.2.1-l 6455-4.2.1-m",
		.explain = "The plainest connection there is. When this fails, look at it before anything else.",
		.fix = "Answer a correct request with 101 and all fields of RFC 6455 4.2.2, then speak frames.",
		.needs = NEED_ECHO,
		STEPS(OPENS, MESSAGE(TEXT, LIT("hello")), ECHO, SEND_CLOSE(1000), CLOSES),
	},
	METHOD_NOT_GET("method-post", "POST"),
	METHOD_NOT_GET("method-put", "PUT"),
	METHOD_NOT_GET("method-head", "HEAD"),
	METHOD_NOT_GET("method-options", "OPTIONS"),
	METHOD_NOT_GET("method-lower-case", "get"),
	{
		.id = "request/http-1-0",
		.title = "A handshake in HTTP/1.0 is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-c",
		.explain = "The request has to be HTTP/1.1 or higher; HTTP/1.0 knows no upgrade, and an old proxy on "
			"the way would not either.",
		.fix = "Check the version in the request line and answer 426, 505 or 400 below 1.1.",
		STEPS(VERSION("HTTP/1.0"), REJECTS(426, 505, 400)),
	},
	{
		.id = "request/http-1-2",
		.title = "A handshake in HTTP/1.2 is opened or refused",
		.rfc = "6455 4.2.1",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-c",
		.explain = "`HTTP/1.1 or higher` includes 1.2, but no such version exists and a server may say so. "
			"Recorded only.",
		STEPS(VERSION("HTTP/1.2"), OPENS_OR_REJECTS(505, 400)),
	},
	{
		.id = "request/version-garbage",
		.title = "A request line whose version is not HTTP is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-b 6455-4.2.1-c",
		.fix = "Refuse a request line that does not end in a known HTTP version with 400.",
		STEPS(VERSION("HTXP/1.1"), REJECTS(400, 505)),
	},
	{
		.id = "request/garbage-line",
		.title = "A request line of one meaningless word is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-b 6455-10.7-a",
		.fix = "Refuse a request line that is not method, target and version with 400.",
		STEPS(REQUEST_RAW("nonsense\r\n" REST_OF_REQUEST), REJECTS(400)),
	},
	{
		.id = "request/no-target",
		.title = "A request line without a target is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-b 6455-4.2.1-d",
		.fix = "Refuse a request line that is not method, target and version with 400.",
		STEPS(REQUEST_RAW("GET HTTP/1.1\r\n" REST_OF_REQUEST), REJECTS(400, 505)),
	},
	{
		.id = "request/target-asterisk",
		.title = "The target * is refused, for it names no resource",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-d",
		.explain = "A resource name starts with a slash; the asterisk belongs to OPTIONS. 101 is a warn: a "
			"server with one service for every path may not look.",
		.fix = "Refuse a target that is neither a path nor an absolute URI with 400.",
		STEPS(TARGET("*"), REJECTS_OR_WARNS(400, 404)),
	},
	{
		.id = "request/target-no-slash",
		.title = "A target that does not start with a slash is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-d",
		.explain = "A resource name starts with a slash. 101 is a warn: a server with one service for every "
			"path may not look.",
		.fix = "Refuse a target that is neither a path nor an absolute URI with 400.",
		STEPS(TARGET("echo"), REJECTS_OR_WARNS(400, 404)),
	},
	{
		.id = "request/target-fragment",
		.title = "A target with a raw # is refused",
		.rfc = "6455 3",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-d",
		.explain = "A WebSocket URI carries no fragment, and # is legal nowhere in a target. Serving it after "
			"cutting the fragment off is a warn.",
		.fix = "Refuse a target with # with 400.",
		STEPS(TARGET("{target}#fragment"), REJECTS_OR_WARNS(400)),
	},
	{
		.id = "request/target-space",
		.title = "A target with a raw space is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-d 6455-4.2.1-b",
		.explain = "Four words in a request line are request smuggling material; RFC 9112 3 asks for 400. "
			"Serving it is a warn.",
		.fix = "Refuse a request line with more than two spaces with 400.",
		STEPS(TARGET("{target}?a b"), REJECTS_OR_WARNS(400)),
	},
	{
		.id = "request/target-octet-ff",
		.title = "A target with the octet ff is refused, or taken as an opaque name",
		.rfc = "6455 8.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-d 6455-8.1-c",
		.explain = "The octet never occurs in UTF-8 nor in a URI. Servers may treat targets as opaque octets, "
			"so 101 only leaves a note; the connection has to work then.",
		.fix = "Refuse targets with octets above 7e with 400.",
		.canary = true,
		STEPS(TARGET("{target}?a\xff"), HTTP(.open = GRADE_NOTE, .pass = {400}, .client_error = GRADE_NOTE,
			.server_error = GRADE_WARN, .ok = GRADE_WARN,
			.redirect = GRADE_WARN, .closed = GRADE_WARN)),
	},
	{
		.id = "request/absolute-form",
		.title = "A handshake whose target is an absolute http URI opens",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-d",
		.explain = "RFC 6455 names the absolute form beside the resource name, and RFC 9112 3.2.2 obliges "
			"every server to accept it. 404 is a warn: the request was understood, only the path was "
			"looked up wrongly.",
		.fix = "Strip scheme and authority from an absolute target before looking up the path.",
		.needs = NEED_PLAIN,
		STEPS(TARGET("http://{host}{target}"), HTTP(.open = GRADE_PASS, .warn = {404})),
	},
	{
		.id = "request/absolute-form-https",
		.title = "A handshake over TLS whose target is an absolute https URI opens",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-d",
		.explain = "RFC 6455 names the absolute form beside the resource name, and RFC 9112 3.2.2 obliges "
			"every server to accept it. 404 is a warn: the request was understood, only the path was "
			"looked up wrongly.",
		.fix = "Strip scheme and authority from an absolute target before looking up the path.",
		.needs = NEED_TLS,
		STEPS(TARGET("https://{host}{target}"), HTTP(.open = GRADE_PASS, .warn = {404})),
	},
	{
		.id = "request/empty-line-first",
		.title = "An empty line before the request line is skipped, or the request is refused",
		.rfc = "9112 2.2",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-b",
		.explain = "HTTP asks servers for this patience as a SHOULD; RFC 6455 says nothing. Recorded only.",
		STEPS(REQUEST_RAW("\r\nGET {target} HTTP/1.1\r\n" REST_OF_REQUEST), OPENS_OR_REJECTS(400)),
	},
};

static const struct test_case rfc6455_4_host_cases[] = {
	{
		.id = "host/missing",
		.title = "A handshake without Host is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-e",
		.explain = "RFC 6455 demands the field, and RFC 9112 3.2 demands 400 when it is missing from HTTP/1.1.",
		.fix = "Answer an HTTP/1.1 request without Host with 400.",
		STEPS(DROP("Host"), REJECTS(400)),
	},
	{
		.id = "host/twice",
		.title = "A handshake with two Host fields is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-e",
		.explain = "When a proxy believes one field and the server the other, requests reach services they "
			"were not meant for. RFC 9112 3.2 demands 400.",
		.fix = "Count the Host fields and answer 400 unless there is exactly one.",
		STEPS(ADD("Host", "other.example"), REJECTS(400)),
	},
	{
		.id = "host/malformed",
		.title = "A handshake with a blank inside Host is refused",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-e 6455-4.2.1-b",
		.explain = "RFC 9112 3.2 demands 400 for a Host that is not host and optional port.",
		.fix = "Check Host against the URI grammar and answer 400.",
		STEPS(SET("Host", "a b"), REJECTS(400)),
	},
	{
		.id = "host/unknown",
		.title = "A well-formed Host that the server does not serve is opened or refused by policy",
		.rfc = "6455 4.2.1",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-e",
		.explain = "The field should name the server's authority, but a default service for every name is "
			"common. Recorded only.",
		STEPS(SET("Host", "unknown.example"), OPENS_OR_REJECTS(421, 400, 403, 404)),
	},
	{
		.id = "host/empty",
		.title = "An empty Host is opened or refused by policy",
		.rfc = "6455 4.2.1",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-e",
		.explain = "HTTP allows the empty value where a URI has no authority, which a WebSocket URI always "
			"has. Recorded only.",
		STEPS(SET("Host", ""), OPENS_OR_REJECTS(400, 404, 421)),
	},
	{
		.id = "host/upper-case",
		.title = "The name Host in capital letters is the same field",
		.rfc = "6455 4.1",
		.level = REQ_MUST,
		.requirements = "6455-4.1-am 6455-4.2.1-e",
		.fix = "Compare field names without regard to case.",
		STEPS(DROP("Host"), ADD("HOST", "{host}"), OPENS),
	},
};
