/*
 * Sec-WebSocket-Key in the request and Sec-WebSocket-Accept in the reply, RFC 6455 4.2.1 part 5, 4.2.2 and 11.3.1.
 * The Accept values are computed outside this program, except where keys come from the seed.
 */
#include "suites/rules.h"

/* 4.2.2 says that a server need not decode the key: a wrong one that is there can only warn. */
#define BAD_KEY(NAME, TITLE, TEXT) \
	{ \
		.id = "key/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.1-h", \
		.explain = "The key has to be base64 of 16 octets. RFC 6455 4.2.2 also says that decoding it is not " \
			"necessary, so 101 is only a warn.", \
		.fix = "Check that the key is 24 characters that decode to 16 octets, and answer 400 otherwise.", \
		STEPS(SET("Sec-WebSocket-Key", TEXT), REJECTS_OR_WARNS(400)), \
	}
#define NO_KEY(NAME, TITLE, EDIT) \
	{ \
		.id = "key/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.1-h", \
		.explain = "The key proves that the server understood a WebSocket request and not some other. " \
			"Without one there is nothing to answer.", \
		.fix = "Answer 400 when Sec-WebSocket-Key is missing or empty.", \
		STEPS(EDIT, REJECTS(400)), \
	}
#define PADDED_KEY(NAME, TITLE, ...) \
	{ \
		.id = "key/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.1", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.1-h 6455-4.2.2-t", \
		.explain = "Blanks around a field value are not part of it.", \
		.fix = "Trim the value of Sec-WebSocket-Key before hashing it.", \
		STEPS(__VA_ARGS__, OPENS, FIELD_IS("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")), \
	}

static const struct test_case rfc6455_4_key_cases[] = {
	NO_KEY("missing", "A handshake without a key is refused", DROP("Sec-WebSocket-Key")),
	NO_KEY("empty", "A handshake with an empty key is refused", SET("Sec-WebSocket-Key", "")),
	BAD_KEY("octets-8", "A key of 8 octets is refused", "AQIDBAUGBwg="),
	BAD_KEY("octets-15", "A key of 15 octets is refused", "AQIDBAUGBwgJCgsMDQ4P"),
	BAD_KEY("octets-17", "A key of 17 octets is refused", "AQIDBAUGBwgJCgsMDQ4PEBE="),
	BAD_KEY("illegal-characters", "A key of 24 characters that are not base64 is refused",
		"!!!!!!!!!!!!!!!!!!!!!!=="),
	BAD_KEY("url-alphabet", "A key in the URL-safe alphabet is refused", "-_-_-_-_-_-_-_-_-_-_-w=="),
	BAD_KEY("unpadded", "A key without its padding is refused", "dGhlIHNhbXBsZSBub25jZQ"),
	BAD_KEY("blank-inside", "A key with a blank inside is refused", "dGhlIHNhbX BsZSBub25jZQ=="),
	{
		.id = "key/pad-bits",
		.title = "A key whose unused bits are not zero is opened or refused",
		.rfc = "6455 4.2.1",
		.level = REQ_INFO,
		.requirements = "6455-4.2.1-h 6455-4.2.2-h",
		.explain = "RFC 4648 leaves it to the decoder. When the connection opens, Accept has to be made from "
			"the text as sent.",
		STEPS(SET("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR=="), OPENS_OR_REJECTS(400),
			FIELD_IS_ON(101, "Sec-WebSocket-Accept", "Zgw8jYXtqX5qJr7MJ1Q/MqzeSRI=")),
	},
	PADDED_KEY("blanks-around", "Blanks and tabs around the key are not part of it", DROP("Sec-WebSocket-Key"),
		FIELD_RAW("Sec-WebSocket-Key: \t  " EXAMPLE_KEY " \t \r\n")),
	PADDED_KEY("no-blank", "A key right after the colon is the same key", DROP("Sec-WebSocket-Key"),
		FIELD_RAW("Sec-WebSocket-Key:" EXAMPLE_KEY "\r\n")),
	{
		.id = "key/two-different",
		.title = "A handshake with two different keys is refused",
		.rfc = "6455 11.3.1",
		.level = REQ_MUST,
		.requirements = "6455-11.3.1-b 6455-4.2.1-h",
		.explain = "The client must not repeat the field; what the server does follows only from 4.2.1, so 101 "
			"is a warn. An Accept made from the joined list is a fail: it answers a key that nobody sent.",
		.fix = "Answer 400 unless there is exactly one Sec-WebSocket-Key.",
		STEPS(SET("Sec-WebSocket-Key", EXAMPLE_KEY), ADD("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEA=="),
			REJECTS_OR_WARNS(400),
			FIELD_LACKS_ON(101, "Sec-WebSocket-Accept", "0Zigtlzqg4/kfnnhw1npG+njg60="),
			FIELD_LACKS_ON(101, "Sec-WebSocket-Accept", "ZbJfypDnD04NuLDv0AVU17jNz2c=")),
	},
	{
		.id = "key/two-equal",
		.title = "A handshake that carries the same key twice is refused",
		.rfc = "6455 11.3.1",
		.level = REQ_MUST,
		.requirements = "6455-11.3.1-b 6455-4.2.1-h",
		.explain = "The client must not repeat the field; what the server does follows only from 4.2.1, so 101 "
			"is a warn. An Accept made from the joined list is a fail: it answers a key that nobody sent.",
		.fix = "Answer 400 unless there is exactly one Sec-WebSocket-Key.",
		STEPS(SET("Sec-WebSocket-Key", EXAMPLE_KEY), ADD("Sec-WebSocket-Key", EXAMPLE_KEY),
			REJECTS_OR_WARNS(400),
			FIELD_LACKS_ON(101, "Sec-WebSocket-Accept", "motd92hNo/XZm4ZNfS/a+cB0Id4="),
			FIELD_LACKS_ON(101, "Sec-WebSocket-Accept", "7vUDweJi0ducJgLun3ZkyZckkpI=")),
	},
	{
		.id = "key/reused",
		.title = "The same key on a second connection opens again",
		.rfc = "6455 4.2.1",
		.level = REQ_MUST,
		.requirements = "6455-4.2.1-h 6455-4.2.2-t",
		.explain = "Fresh keys are the client's duty. A server that remembers keys has misread it, and a "
			"cached reply would show here too.",
		.fix = "Do not keep keys beyond the handshake.",
		STEPS(SET("Sec-WebSocket-Key", EXAMPLE_KEY), OPENS, NEW_CONNECTION, SET("Sec-WebSocket-Key",
			EXAMPLE_KEY), OPENS,
			FIELD_IS("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
	},
};

#define KNOWN_ACCEPT(NAME, TITLE, KEY_TEXT, ACCEPT_TEXT) \
	{ \
		.id = "accept/" NAME, \
		.title = TITLE, \
		.rfc = "6455 4.2.2", \
		.level = REQ_MUST, \
		.requirements = "6455-4.2.2-h 6455-4.2.2-t", \
		.explain = "Accept is base64(SHA-1(key text + 258EAFA5-E914-47DA-95CA-C5AB0DC85B11)). A browser " \
			"drops the connection when one character differs.", \
		.fix = "Hash the text of the key as it was sent, followed by the GUID, and encode the 20 octets with " \
			"the ordinary base64 alphabet and padding.", \
		STEPS(SET("Sec-WebSocket-Key", KEY_TEXT), OPENS, FIELD_IS("Sec-WebSocket-Accept", ACCEPT_TEXT)), \
	}

static const struct test_case rfc6455_4_accept_cases[] = {
	KNOWN_ACCEPT("rfc-example", "Accept is right for the key of the RFC's example", EXAMPLE_KEY,
		"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
	KNOWN_ACCEPT("erratum-example", "Accept is right for the key 01 to 10, as erratum 3150 corrected it",
		"AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
	KNOWN_ACCEPT("zeros", "Accept is right for a key of sixteen octets 00", "AAAAAAAAAAAAAAAAAAAAAA==",
		"ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
	KNOWN_ACCEPT("slashes", "Accept is right for a key full of slashes", "/////////////////////w==",
		"XXpj4jYzLM2yUE0C7TIgMwTQh2g="),
	KNOWN_ACCEPT("plus-and-slash", "Accept is right for a key of plus signs and slashes",
		"+/+/+/+/+/+/+/+/+/+/+w==", "M0DUs3om0SqzerhOhYSMM7WQuBQ="),
	{
		.id = "accept/seeded-keys",
		.title = "Accept is right for twenty keys from the seed",
		.rfc = "6455 4.2.2",
		.level = REQ_MUST,
		.requirements = "6455-4.2.2-h 6455-4.2.2-t 6455-11.3.3-a",
		.explain = "Accept is base64(SHA-1(key text + 258EAFA5-E914-47DA-95CA-C5AB0DC85B11)). A browser drops "
			"the connection when one character differs.",
		.fix = "Hash the text of the key as it was sent, followed by the GUID, and encode the 20 octets with "
			"the ordinary base64 alphabet and padding.",
		.repeat = 20,
		STEPS(OPENS, FIELD_IS("Sec-WebSocket-Accept", "{accept}")),
	},
};
