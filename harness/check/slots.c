/* Doubles. */
#include "harness/check/slots.h"

#include <stdlib.h>
#include <string.h>

void *slots_grow(struct slots *s, uint32_t i, size_t size)
{
	if (i >= s->cap) {
		uint32_t cap = s->cap ? s->cap : 16;
		while (cap <= i)
			cap *= 2;
		char *p = realloc(s->p, cap * size);
		if (!p)
			return NULL;
		memset(p + s->cap * size, 0, (cap - s->cap) * size);
		s->p = p;
		s->cap = cap;
	}
	s->n = i + 1;
	return s->p + (size_t)i * size;
}

void slots_fini(struct slots *s)
{
	free(s->p);
	*s = (struct slots){0};
}
