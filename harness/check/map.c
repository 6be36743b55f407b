/* A hash table of numbers at most half full. */
#include "harness/check/map.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct map *m, uint64_t key, void *value)
{
	size_t i = map_hash(key) & (m->cap - 1);
	while (m->slots[i].key)
		i = (i + 1) & (m->cap - 1);
	m->slots[i] = (struct map_slot){key, value};
	m->n++;
}

int map_put(struct map *m, uint64_t key, void *value)
{
	if (m->n * 2 >= m->cap) {
		struct map bigger = {.cap = m->cap ? m->cap * 2 : 64};
		bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
		if (!bigger.slots)
			return -ENOMEM;
		for (size_t i = 0; i < m->cap; i++)
			if (m->slots[i].key)
				place(&bigger, m->slots[i].key, m->slots[i].value);
		free(m->slots);
		*m = bigger;
	}
	place(m, key, value);
	return 0;
}

void map_fini_values(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].value);
	map_fini(m);
}

void map_fini(struct map *m)
{
	free(m->slots);
	*m = (struct map){0};
}
