#ifndef SERVER_HANDSHAKE_DEFLATE_H
#define SERVER_HANDSHAKE_DEFLATE_H

#include <stdbool.h>

#include "server-under-test/http/handshake.h"

/*
 * True when one offer of Sec-WebSocket-Extensions, whose grammar has been checked, can be answered with a plain
 * `permessage-deflate` (RFC 7692 5.1 and 7.1). An offer that asks something of us that the answer would have to
 * repeat (server_max_window_bits, server_no_context_takeover) cannot, and one with an unknown, repeated or malformed
 * parameter is declined; the next one of the list may do.
 */
bool deflate_acceptable(const struct field_lines *extensions);

#endif
