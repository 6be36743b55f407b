#pragma once
/*
 * A set of whole numbers as the ranges they form: what somebody got of a numbered stream is nearly always one range,
 * whatever its length. Whoever owns a set bounds its ranges by looking at `n`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t first, last;      /* inclusive */
};

/* A zeroed struct is the empty set. Ranges ascend and never touch each other. */
struct ranges {
	struct range one;          /* while cap is 0 */
	struct range *many;
	uint32_t n, cap;
};

void ranges_fini(struct ranges *r);
/* Empties it. */
void ranges_clear(struct ranges *r);
/* In their order. */
static inline const struct range *ranges_at(const struct ranges *r)
{
	return r->cap ? r->many : &r->one;
}
/* Adds first to last. 0 or -ENOMEM with nothing added. */
int ranges_add(struct ranges *r, uint64_t first, uint64_t last);
/* The same, away. */
int ranges_remove(struct ranges *r, uint64_t first, uint64_t last);
bool ranges_has(const struct ranges *r, uint64_t v);
/* The largest, 0 when empty. */
uint64_t ranges_top(const struct ranges *r);
/* The first run of numbers from `from` to `to` that are not in it; false when all are. */
bool ranges_gap(const struct ranges *r, uint64_t from, uint64_t to, struct range *ret);
