#pragma once
/* What proxies do to the fields of an opening handshake (RFC 6455 4.1, 4.2.2), on a complete HTTP/1.1 head. */
#include "harness/base/buf.h"

/*
 * Appends the head without the lines of Upgrade, Connection and Sec-WebSocket-* (folded ones whole); every other octet
 * as it is. -ENOBUFS, -ENOMEM.
 */
int upgrade_fields_strip(struct span head, struct buf *b);
/*
 * Makes the first Sec-WebSocket-Accept another one of the same length: still base64, and wrong. Returns the offset of
 * the octet that changed, 0 when there is none.
 */
size_t upgrade_fields_spoil_accept(uint8_t *head, size_t len);
