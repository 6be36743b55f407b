#pragma once
/* From a number to a pointer: open addressing, never shrinks, nothing is taken out. */
#include <stddef.h>
#include <stdint.h>

#include "harness/base/hash.h"

/* A zeroed struct is empty. Keys are any but 0. */
struct map {
	struct map_slot *slots;
	size_t n, cap;
};

struct map_slot {
	uint64_t key;
	void *value;
};

static inline uint64_t map_pair(uint32_t a, uint32_t b)
{
	return (uint64_t)a << 32 | b;
}

/* A text as a key; NULL is as an empty one. */
static inline uint64_t map_text(const char *text)
{
	return hash_fnv1a(span_str(text)) | 1;
}

/* Mixes well: neighbours part. */
static inline uint64_t map_hash(uint64_t key)
{
	key ^= key >> 32;
	key *= 0x9e3779b97f4a7c15;
	key ^= key >> 29;
	key *= 0xbf58476d1ce4e5b9;
	return key ^ key >> 32;
}

static inline void *map_get(const struct map *m, uint64_t key)
{
	for (size_t i = m->cap ? map_hash(key) & (m->cap - 1) : 0; m->cap && m->slots[i].key; i = (i + 1) & (m->cap - 1))
		if (m->slots[i].key == key)
			return m->slots[i].value;
	return NULL;
}

/* The key is not in it. 0 or -ENOMEM. */
int map_put(struct map *m, uint64_t key, void *value);
/* Values are the caller's. */
void map_fini(struct map *m);
/* The same, and values were allocated: they are freed. */
void map_fini_values(struct map *m);
