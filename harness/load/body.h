#pragma once
/* The body of an HTTP/1.1 answer as its octets come, RFC 9112 6 and 7: by its length, in chunks, or until the end. */
#include "harness/ws/handshake.h"

enum body_kind { BODY_UNTIL_END, BODY_LENGTH, BODY_CHUNKED };

struct body {
	enum body_kind kind;
	uint64_t left;             /* octets of the body, or of the chunk */
	unsigned char state;       /* in a chunk's frame */
	unsigned char digits;      /* of a chunk's size so far */
	uint32_t trailer;          /* octets of chunk extensions and trailers so far */
	bool done;
};

enum { BODY_TRAILER_MAX = 16 << 10 };

/* -EPROTO: nobody can tell where it ends (a Transfer-Encoding other than chunked, wrong or different lengths). */
int body_init(struct body *b, const struct handshake_reply *reply);
/*
 * Takes octets of *in and moves it on. 1: *ret_part are octets of the body; 0: nothing more is in it, or the body is
 * whole (b->done, and *in is what follows it); -EPROTO.
 */
int body_feed(struct body *b, struct span *in, struct span *ret_part);
