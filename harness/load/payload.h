#pragma once
/*
 * A message that proves itself: who published it, on which channel, as which one, when, and a checksum over all its
 * octets. It is one line of UTF-8 without control characters, and neither begins nor ends with a space, so that it
 * survives JSON, text framing and any server that keeps text as it is:
 *
 *	wsq1.<run>.<publisher>.<channel>.<index>.<sent_us>.<padding>.<crc32c>
 *
 * numbers decimal, run and checksum 8 hex digits. A checker need not believe the server's own numbers.
 *
 * The padding is letters, digits, - and _, and what a server breaks that puts its messages together by hand, cuts them
 * between any two octets, or takes them for another charset: " \ / < & space, and characters of 2, 3 and 4 octets
 * (U+00E9, U+20AC, U+2028, U+1F600). One of each comes first, as far as there is room (18 octets), in a drawn order;
 * behind them is one in every 64 octets. So JSON makes a long message larger by less than 1%, a JSON string within one
 * by less than 2%, and JSON that escapes markup and all that is not ASCII by less than 8%.
 */
#include "harness/base/buf.h"

enum {
	PAYLOAD_LEAST = 96,        /* octets that any message may take */
	PAYLOAD_LARGE_EVERY = 32,  /* of a publisher's messages on a channel, one is so many times as large */
	PAYLOAD_LARGE_TIMES = 8,
	PAYLOAD_LARGE_MAX = 16 << 20, /* octets */
	PAYLOAD_LARGE_UNTOLD = 8 << 10, /* and where the target does not say what it takes: Pusher takes 10 kB */
};

struct payload {
	uint32_t run, publisher, channel;
	uint64_t index, sent_us;
};

/* Appends it, padded to `size` octets (if above PAYLOAD_LEAST) with what hardly compresses. -ENOBUFS, -ENOMEM. */
int payload_write(struct buf *b, const struct payload *p, uint64_t size);

/* Of the messages of a workload, in octets. */
struct payload_sizes {
	uint64_t least, most, large; /* ordinary ones are from least to most */
};
/*
 * vary is 0 to 1: ordinary messages are from size * (1 - vary) to size, and one in PAYLOAD_LARGE_EVERY is large; with a
 * half the mean is about the size. 0: all are of one size. None takes more than half of max_message, for JSON makes it
 * larger and something is around it; where that is not known (0), large ones take PAYLOAD_LARGE_UNTOLD at most, unless
 * ordinary ones take more.
 */
struct payload_sizes payload_sizes(uint64_t size, double vary, uint64_t max_message);
/* Of one message: the same whenever it is asked for. */
uint64_t payload_size(const struct payload_sizes *s, const struct payload *p);

enum payload_state { PAYLOAD_WHOLE, PAYLOAD_CORRUPT, PAYLOAD_FOREIGN };
/*
 * FOREIGN: it is no message of ours at all. CORRUPT: it begins as one, and its checksum is wrong; what it says it is
 * stands in ret_payload all the same, or zeros where that is damaged, too.
 */
enum payload_state payload_read(struct span data, struct payload *ret);

/* CRC-32C of octets: as fast as the processor can, and by a table. For the test. */
uint32_t payload_crc32c(struct span s);
uint32_t payload_crc32c_plain(struct span s);
