#ifndef SERVER_RING_H
#define SERVER_RING_H

#include <ev.h>

#include "server-under-test/config/config.h"
#include "server-under-test/hub/hub.h"

/*
 * The newest messages of a channel, contiguous by seq, each referenced; bounded by config->retention_*: when one is
 * pushed, the oldest go until count and bytes hold, but never the one that was pushed. A timer lets go of those that
 * have become too old.
 */
struct ring {
	struct ev_loop *loop;
	const struct config *config;
	struct ev_timer age;
	struct message **slots;
	size_t size; /* slots; a power of two, or 0 */
	size_t head; /* slot of the oldest */
	size_t count;
	size_t bytes; /* of data */
	void (*gone)(struct ring *ring, struct message *message); /* before it lets go of one. NULL: nobody asks */
	void (*aged)(struct ring *ring); /* after the timer let go of some. NULL: nobody asks */
};

void ring_init(struct ring *ring, struct ev_loop *loop, const struct config *config);
void ring_fini(struct ring *ring); /* without calling gone */
void ring_clear(struct ring *ring); /* lets go of all */

/* seq is one more than the last one's, when there is one. Takes a reference. */
void ring_push(struct ring *ring, struct message *message);
/* count messages that end right before the first one; nothing is let go of. Takes references. */
void ring_prepend(struct ring *ring, struct message **messages, size_t count);
struct message *ring_get(const struct ring *ring, uint64_t seq); /* borrowed; NULL when it is not there */

static inline uint64_t ring_first(const struct ring *ring) /* seq; count > 0 */
{
	return ring->slots[ring->head]->seq;
}

#endif
