#ifndef SERVER_HTTP_HEAD_H
#define SERVER_HTTP_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "server-under-test/http/handshake.h"
#include "server-under-test/base/text.h"

#define HTTP_FIELDS_MAX 100 /* header fields of one request */

enum http_progress {
	HTTP_MORE, /* the head is not complete */
	HTTP_DONE,
	HTTP_BAD, /* refuse with .status */
};

/* One request head, parsed as its octets come (RFC 9112 2 to 5, strict: CRLF only, no folding). */
struct http_parser {
	char *head; /* capacity octets; the request's texts point into it */
	size_t capacity;
	size_t len;
	size_t line; /* where the current line begins */
	unsigned fields;
	bool started; /* the request line is complete */
	unsigned status; /* HTTP_BAD: 400, 431 or 505 */
	const char *why;
	struct handshake_request request;
};

void http_parser_init(struct http_parser *parser, size_t head_max);
void http_parser_fini(struct http_parser *parser);

/* Takes octets up to the end of the head; *ret_used tells how many, the rest are frames. */
enum http_progress http_parser_feed(struct http_parser *parser, const uint8_t *data, size_t len, size_t *ret_used);

#endif
