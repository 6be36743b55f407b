#ifndef SERVER_UTF8_H
#define SERVER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* State between octets of one text (RFC 3629). Zero is the start. */
struct utf8 {
	uint8_t missing; /* continuation octets still to come */
	uint8_t low; /* bounds of the next one */
	uint8_t high;
};

/* False at the first octet that no valid text can have there; the state is then of no use. */
bool utf8_feed(struct utf8 *utf8, const uint8_t *p, size_t len);

/* True between characters. */
bool utf8_complete(const struct utf8 *utf8);

#endif
