#ifndef SERVER_BYTES_H
#define SERVER_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A growing byte queue: appended at the end, consumed from the front. Owned by its struct; zero is a valid empty
 * queue.
 */
struct bytes {
	uint8_t *p;
	size_t start; /* first byte not yet consumed */
	size_t end; /* one past the last byte */
	size_t capacity;
};

static inline size_t bytes_len(const struct bytes *b)
{
	return b->end - b->start;
}

/* The caller bounds what it appends (message limit, queue limit); out of memory ends the process. */
void bytes_append(struct bytes *b, const void *data, size_t len);
void bytes_consume(struct bytes *b, size_t len);
void bytes_clear(struct bytes *b); /* empty, and a large allocation is given back */
void bytes_fini(struct bytes *b);

#endif
