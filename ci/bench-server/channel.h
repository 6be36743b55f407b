#pragma once
/*
 * The part of wsquall.v1 that the load speaks, on one channel: subscribe, publish, and what comes of it. The data of
 * a message is a JSON string of `size` octets, quotes included, that begins with the message's number in 8 digits.
 */

#include <stddef.h>
#include <stdint.h>

#include "ci/bench-server/pool.h"

#define CHANNEL_SIZE_MIN 10 /* 8 digits and two quotes */
#define CHANNEL_SIZE_MAX 800

enum channel_event {
	CHANNEL_OTHER, /* welcome, published, ... */
	CHANNEL_SUBSCRIBED,
	CHANNEL_MESSAGE,
};

void channel_subscribe(struct peer *peer);
void channel_publish(struct peer *peer, uint32_t number, size_t size);
/* What a text from the server is; number is set for a message. An error from the server is a failure. */
enum channel_event channel_event(const uint8_t *text, size_t len, size_t size, uint32_t *ret_number);
