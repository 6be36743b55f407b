#ifndef SERVER_CLOSE_BODY_H
#define SERVER_CLOSE_BODY_H

#include "server-under-test/naive/naive_frame.h"

/* Judges the body of a Close (RFC 6455 5.5.1, 7.4): fault.code 0 when the peer may send it. */
struct frame_fault close_check(const uint8_t *body, size_t len);

/* Answers a good Close with its own code, or with an empty body if it had none. */
void close_reply(struct bytes *out, const uint8_t *body, size_t len);

/* A Close of ours. The reason is cut at 123 octets. */
void close_write(struct bytes *out, unsigned code, const char *reason);

/* The code that goes on the wire when a connection fails with `code`. */
unsigned close_fail_code(unsigned code);

#endif
