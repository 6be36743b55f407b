#ifndef SERVER_HANDSHAKE_DEFLATE_H
#define SERVER_HANDSHAKE_DEFLATE_H

#include <stdbool.h>

#include "server-under-test/http/handshake.h"

/*
 * The answer to the first good offer of permessage-deflate in Sec-WebSocket-Extensions, whose grammar has been checked
 * (RFC 7692 5.1 and 7.1). An offer with an unknown, repeated or malformed parameter is declined; the next may do.
 */
struct deflate_answer deflate_choose(const struct field_lines *extensions);

#endif
