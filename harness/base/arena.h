#pragma once
/* Memory of one owner with one end: freed all at once. Every allocation is zeroed and aligned to 16. */
#include "harness/base/span.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used, max; /* octets handed out, and the limit */
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);
/* NULL when max would be exceeded or memory is out. */
void *arena_alloc(struct arena *a, size_t len);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Copy; p is NULL when it failed (and len is 0 then). The copy is followed by a NUL that is not counted. */
struct span arena_span(struct arena *a, struct span s);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
