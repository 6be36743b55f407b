/* Byte queues of the naive engine: what waits to be sent, and the message being put together. */
#include "server-under-test/base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_KEEP_MAX (64 * 1024) /* an emptied queue keeps this much */

static void bytes_reserve(struct bytes *b, size_t len)
{
	size_t capacity = b->capacity ? b->capacity : 256;

	if (b->start > 0 && (b->start == b->end || b->start > b->capacity / 2)) {
		memmove(b->p, b->p + b->start, bytes_len(b));
		b->end -= b->start;
		b->start = 0;
	}
	if (b->end + len <= b->capacity)
		return;
	while (capacity < b->end + len)
		capacity *= 2;
	b->p = realloc(b->p, capacity);
	if (!b->p)
		abort();
	b->capacity = capacity;
}

void bytes_append(struct bytes *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	bytes_reserve(b, len);
	memcpy(b->p + b->end, data, len);
	b->end += len;
}

void bytes_consume(struct bytes *b, size_t len)
{
	assert(len <= bytes_len(b));
	b->start += len;
	if (b->start == b->end)
		bytes_clear(b);
}

void bytes_clear(struct bytes *b)
{
	b->start = 0;
	b->end = 0;
	if (b->capacity > BYTES_KEEP_MAX)
		bytes_fini(b);
}

void bytes_fini(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){ 0 };
}
