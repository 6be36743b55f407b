#ifndef SERVER_NAIVE_FRAME_H
#define SERVER_NAIVE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server-under-test/base/bytes.h"

#define FRAME_HEAD_MAX 14
#define FRAME_CONTROL_MAX 125 /* RFC 6455 5.5 */

enum opcode {
	OPCODE_CONTINUATION = 0,
	OPCODE_TEXT = 1,
	OPCODE_BINARY = 2,
	OPCODE_CLOSE = 8,
	OPCODE_PING = 9,
	OPCODE_PONG = 10,
};

/* Why a connection must fail: the code for our Close and the reason beside it. code 0: nothing is wrong. */
struct frame_fault {
	unsigned code;
	const char *why;
};

struct frame_head {
	bool fin;
	uint8_t opcode;
	uint8_t mask[4];
	uint64_t len;
};

static inline bool opcode_is_control(uint8_t opcode)
{
	return (opcode & 8) != 0;
}

/*
 * Reads the head of a client's frame (RFC 6455 5.2) from the octets that are there. in_message: a fragmented message
 * is open; message_room: octets the open message may still grow by. Returns the octets of the head, 0 when more are
 * needed (at most FRAME_HEAD_MAX), or -1 with *ret_fault, as soon as the octets seen cannot become a good head.
 */
int frame_head_parse(const uint8_t *p, size_t len, bool in_message, uint64_t message_room, struct frame_head *ret_head,
		     struct frame_fault *ret_fault);

/* XORs with the key, position being the offset of the first octet in its frame (RFC 6455 5.3). */
void frame_unmask(uint8_t *p, size_t len, const uint8_t mask[4], uint64_t position);

/* Appends one whole frame of the server. */
void frame_write(struct bytes *out, enum opcode opcode, const void *payload, size_t len);

#endif
