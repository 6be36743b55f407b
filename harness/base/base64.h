#pragma once
/* base64, RFC 4648 4: with padding, nothing else between. */
#include "harness/base/buf.h"

/* Appends. -ENOBUFS, -ENOMEM. */
int base64_encode(struct buf *b, struct span octets);
/* Appends. -EINVAL: not base64 (then `b` may hold a part); -ENOBUFS, -ENOMEM. */
int base64_decode(struct buf *b, struct span text);
