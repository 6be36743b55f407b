/*
 * Blocks in a list, a large allocation in one of its own; nothing is freed before the end, so nothing can be freed
 * twice.
 */
#include "harness/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 4096, ALIGN = 16 };

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(ALIGN) uint8_t data[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){.max = max};
}

void arena_fini(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		free(b);
	}
	a->used = 0;
}

void *arena_alloc(struct arena *a, size_t len)
{
	if (len > a->max || a->used > a->max - len || len > SIZE_MAX / 2)
		return NULL;
	size_t rounded = (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	struct arena_block *b = a->blocks;
	if (!b || b->size - b->used < rounded) {
		size_t size = rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE;
		b = calloc(1, sizeof(*b) + size);
		if (!b)
			return NULL;
		b->size = size;
		b->next = a->blocks;
		a->blocks = b;
	}
	void *p = b->data + b->used;
	b->used += rounded;
	a->used += rounded;
	return p;
}

struct span arena_span(struct arena *a, struct span s)
{
	uint8_t *p = arena_alloc(a, s.len + 1);
	if (!p)
		return (struct span){0};
	if (s.len)
		memcpy(p, s.p, s.len);
	return (struct span){p, s.len};
}

char *arena_strdup(struct arena *a, const char *s)
{
	return (char *)arena_span(a, span_str(s)).p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	char *p = len < 0 ? NULL : arena_alloc(a, (size_t)len + 1);
	if (p)
		vsnprintf(p, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return p;
}
