#pragma once
/*
 * A message that proves itself: who published it, on which channel, as which one, when, and a checksum over all of it.
 * It is plain ASCII, so that it survives JSON, text framing and any server that keeps data as it is:
 *
 *	wsq1.<run>.<publisher>.<channel>.<index>.<sent_us>.<padding>.<crc32c>
 *
 * numbers decimal, run and checksum 8 hex digits. A checker need not believe the server's own numbers.
 */
#include "harness/base/buf.h"

enum { PAYLOAD_LEAST = 96 };       /* octets that any message may take */

struct payload {
	uint32_t run, publisher, channel;
	uint64_t index, sent_us;
};

/* Appends it, padded to `size` octets (if above PAYLOAD_LEAST) with what does not compress. -ENOBUFS, -ENOMEM. */
int payload_write(struct buf *b, const struct payload *p, uint64_t size);
enum payload_state { PAYLOAD_WHOLE, PAYLOAD_CORRUPT, PAYLOAD_FOREIGN };
/* FOREIGN: it is no message of ours at all. CORRUPT: it begins as one, and its checksum is wrong. */
enum payload_state payload_read(struct span data, struct payload *ret);

/* CRC-32C of octets: as fast as the processor can, and by a table. For the test. */
uint32_t payload_crc32c(struct span s);
uint32_t payload_crc32c_plain(struct span s);
