/* Sorted ranges in one array; the first one lies in the struct itself. */
#include "harness/check/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ranges_fini(struct ranges *r)
{
	free(r->many);
	*r = (struct ranges){0};
}

void ranges_clear(struct ranges *r)
{
	r->n = 0;
}

static struct range *at(struct ranges *r)
{
	return r->cap ? r->many : &r->one;
}

/* The place of the first range that ends at or above v. */
static uint32_t place(const struct ranges *r, uint64_t v)
{
	const struct range *p = ranges_at(r);
	uint32_t low = 0, high = r->n;
	if (high && p[high - 1].last < v)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (p[middle].last < v)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int grow(struct ranges *r)
{
	if (r->n < (r->cap ? r->cap : 1))
		return 0;
	uint32_t cap = r->cap ? r->cap * 2 : 4;
	struct range *many = realloc(r->many, cap * sizeof(*many));
	if (!many)
		return -ENOMEM;
	if (!r->cap)
		many[0] = r->one;
	r->many = many;
	r->cap = cap;
	return 0;
}

/* Takes the ranges from..to (to not included) out and puts one in their place, or none. */
static int replace(struct ranges *r, uint32_t from, uint32_t to, const struct range *one)
{
	if (one && from == to) {
		int e = grow(r);
		if (e < 0)
			return e;
	}
	struct range *p = at(r);
	uint32_t keep = from + (one != NULL);
	if (keep != to)
		memmove(p + keep, p + to, (r->n - to) * sizeof(*p));
	r->n = r->n - to + keep;
	if (one)
		p[from] = *one;
	return 0;
}

int ranges_add(struct ranges *r, uint64_t first, uint64_t last)
{
	struct range *p = at(r);
	if (first > last)
		return 0;
	if (r->n && first && first - 1 == p[r->n - 1].last) { /* what nearly always happens */
		p[r->n - 1].last = last;
		return 0;
	}
	uint32_t from = place(r, first ? first - 1 : 0), to = from;
	struct range one = {first, last};
	for (; to < r->n && (last == UINT64_MAX || p[to].first <= last + 1); to++) {
		if (p[to].first < one.first)
			one.first = p[to].first;
		if (p[to].last > one.last)
			one.last = p[to].last;
	}
	return replace(r, from, to, &one);
}

int ranges_remove(struct ranges *r, uint64_t first, uint64_t last)
{
	uint32_t i = place(r, first);
	while (first <= last && i < r->n && at(r)[i].first <= last) {
		struct range was = at(r)[i];
		struct range low = {was.first, first - 1}, high = {last + 1, was.last};
		bool has_low = was.first < first, has_high = was.last > last;
		if (has_low && has_high) {
			int e = replace(r, i, i, &low);
			if (e < 0)
				return e;
			at(r)[i + 1] = high;
			return 0;
		}
		replace(r, i, i + 1, has_low ? &low : has_high ? &high : NULL);
		i += has_low || has_high;
	}
	return 0;
}

bool ranges_has(const struct ranges *r, uint64_t v)
{
	uint32_t i = place(r, v);
	return i < r->n && ranges_at(r)[i].first <= v;
}

uint64_t ranges_top(const struct ranges *r)
{
	return r->n ? ranges_at(r)[r->n - 1].last : 0;
}

bool ranges_gap(const struct ranges *r, uint64_t from, uint64_t to, struct range *ret)
{
	const struct range *p = ranges_at(r);
	uint32_t i = place(r, from);
	if (i < r->n && p[i].first <= from) {
		if (p[i].last >= to)
			return false;
		from = p[i++].last + 1;
	}
	if (from > to)
		return false;
	*ret = (struct range){from, i < r->n && p[i].first <= to ? p[i].first - 1 : to};
	return true;
}
