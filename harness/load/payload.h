#pragma once
/*
 * A message that proves itself: who published it, on which channel, as which one, when, and a checksum over all of its
 * octets. It is one line of UTF-8 text without control characters, and begins and ends with a letter or digit, so that it
 * survives JSON, text framing and any server that keeps text as it is:
 *
 *	wsq1.<run>.<publisher>.<channel>.<index>.<sent_us>.<padding>.<crc32c>
 *
 * numbers decimal, run and checksum 8 hex digits. A checker need not believe the server's own numbers.
 *
 * The padding is letters, digits, - and _, and what a server breaks that puts its messages together by hand, cuts them
 * between any two octets, or takes them for another charset: " \ / < & space, and characters of 2, 3 and 4 octets (U+00E9,
 * U+20AC, U+2028, U+1F600). One of each comes first, as far as there is room (18 octets), in an order that differs; then there
 * is one of them in every 64 octets. So JSON makes a long message larger by under one percent; JSON in a JSON string, or with
 * every character above U+007F and all markup escaped, by under ten.
 */
#include "harness/base/buf.h"

enum { PAYLOAD_LEAST = 96 };       /* octets that any message may take */

struct payload {
	uint32_t run, publisher, channel;
	uint64_t index, sent_us;
};

/* Appends it, padded to `size` octets (if above PAYLOAD_LEAST) with what hardly compresses. -ENOBUFS, -ENOMEM. */
int payload_write(struct buf *b, const struct payload *p, uint64_t size);
enum payload_state { PAYLOAD_WHOLE, PAYLOAD_CORRUPT, PAYLOAD_FOREIGN };
/* FOREIGN: it is no message of ours at all. CORRUPT: it begins as one, and its checksum is wrong. */
enum payload_state payload_read(struct span data, struct payload *ret);

/* CRC-32C of octets: as fast as the processor can, and by a table. For the test. */
uint32_t payload_crc32c(struct span s);
uint32_t payload_crc32c_plain(struct span s);
