#pragma once
/* Octets that wait in order, of a stream: added at the end, taken from the front in pieces. */
#include "harness/base/buf.h"
#include "harness/base/limits.h"

struct pending {
	struct buf octets;
	size_t from;               /* the first that waits */
};

/* max: of what waits. */
void pending_init(struct pending *p, size_t max);
size_t pending_len(const struct pending *p);
/* 0, -ENOBUFS past max, -ENOMEM; nothing is added then. */
int pending_add(struct pending *p, struct span octets);
/* Takes the first octets, copied to chunk: others may be added before they are dealt with. */
struct span pending_take(struct pending *p, uint8_t chunk[STREAM_READ_CHUNK]);
/* Empties it; it may be used again. */
void pending_fini(struct pending *p);
