#ifndef SERVER_FRAME_H
#define SERVER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server-under-test/base/text.h"

#define FRAME_DEFLATE_BITS 15 /* the window that frame_deflated uses, RFC 7692 7.1.2.1 */
#define FRAME_DEFLATE_MIN 128 /* payload octets below which compressing is not worth its price */

/*
 * One whole text message as the octets of one unmasked WebSocket frame (RFC 6455 5.2), made once and shared by every
 * connection it goes to. Counted: the last frame_unref frees it. Never changed after frame_text.
 */
struct frame {
	unsigned refs;
	size_t len; /* octets in all */
	size_t payload; /* where the payload starts in octets */
	struct frame *deflated; /* made by the first subscriber that asks; itself, not counted, when it does not pay */
	uint8_t octets[];
};

/* Copies the text. refs is 1. Out of memory ends the process. */
struct frame *frame_text(const char *text, size_t len);
/* The same of a text that is in pieces. */
struct frame *frame_join(const struct text *pieces, size_t count);
/* Any unmasked frame: `first` is its first octet (FIN, opcode). */
struct frame *frame_make(uint8_t first, const void *payload, size_t len);
struct frame *frame_ref(struct frame *frame);
void frame_unref(struct frame *frame); /* NULL: nothing */

/*
 * The same message for a connection with permessage-deflate (RFC 7692), compressed without context, window 15, so that
 * it is the same octets for all of them. Borrowed from frame.
 */
struct frame *frame_deflated(struct frame *frame);

static inline const char *frame_payload(const struct frame *frame)
{
	return (const char *)frame->octets + frame->payload;
}

static inline size_t frame_payload_len(const struct frame *frame)
{
	return frame->len - frame->payload;
}

#endif
