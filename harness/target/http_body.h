#pragma once
/*
 * The body of an HTTP/1.1 answer, cut as RFC 9112 6.3 says: by chunks, by Content-Length, or by the end of the
 * connection. Pure and incremental: any cut of the octets gives the same.
 */
#include "harness/base/buf.h"
#include "harness/ws/handshake.h"

enum http_body_mode { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE };
enum http_body_state { HTTP_BODY_SIZE, HTTP_BODY_EXTENSION, HTTP_BODY_DATA, HTTP_BODY_DATA_END, HTTP_BODY_TRAILER, HTTP_BODY_DONE };

struct http_body {
	enum http_body_mode mode;
	enum http_body_state state;
	uint64_t left;             /* octets of the body, or of the chunk */
	unsigned digits;           /* of the chunk's size so far */
	size_t line;               /* octets of the trailer's line so far */
	uint64_t overhead;         /* octets that were no data */
	struct buf *to;
};

enum { HTTP_BODY_OVERHEAD_MAX = 1 << 20 }; /* octets of chunk heads and trailers */

/*
 * head: of the answer; no_body: it was asked with HEAD. Data is appended to `to`, whose maximum is the limit. -EPROTO:
 * a Content-Length that is none, or several that differ, or a coding other than chunked.
 */
int http_body_start(struct http_body *b, const struct handshake_reply *head, bool no_body, struct buf *to);
/* 1: it is complete (what follows is not looked at), 0: more is needed; -EPROTO; -EFBIG: larger than `to` may be. */
int http_body_feed(struct http_body *b, struct span s);
/* The connection ended here: is the body complete? */
bool http_body_ended(const struct http_body *b);
