#pragma once
/* FNV-1a with 64 bits: for tables and names, not against who wants to collide. */
#include "harness/base/span.h"

static inline uint64_t hash_fnv1a(struct span s)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ s.p[i]) * 0x100000001b3u;
	return hash;
}
