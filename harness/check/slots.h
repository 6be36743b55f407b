#pragma once
/* An array that grows by index, zeroed: what a checker keeps of each subscription, pair or channel of track.h. */
#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is empty. */
struct slots {
	char *p;
	uint32_t n, cap;           /* n: one more than the highest index that was asked for */
};

void *slots_grow(struct slots *s, uint32_t i, size_t size);
/* What is at i. Valid until a higher one is asked for. NULL without memory. */
static inline void *slots_get(struct slots *s, uint32_t i, size_t size)
{
	return i < s->n ? s->p + (size_t)i * size : slots_grow(s, i, size);
}
void slots_fini(struct slots *s);
