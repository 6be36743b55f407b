/*
 * Debian has no HdrHistogram_c; this is the part of it that we need, with exact sums so that means of merged shards do
 * not drift.
 */
#include "harness/base/hist.h"

#include <errno.h>
#include <stdlib.h>

enum { CELL_BITS = 10 };

/* Block 0 is [0, 1024), block 1 is [1024, 2048), both of width 1; block b is [2^(b+9), 2^(b+10)) of width 2^(b-1). */
static uint32_t cell_of(uint64_t value)
{
	if (value < HIST_CELLS)
		return (uint32_t)value;
	uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - CELL_BITS;
	return (shift + 1) * HIST_CELLS + (uint32_t)((value >> shift) - HIST_CELLS);
}

static uint64_t cell_low(uint32_t cell)
{
	uint32_t block = cell / HIST_CELLS;
	if (block == 0)
		return cell;
	return (uint64_t)(HIST_CELLS + cell % HIST_CELLS) << (block - 1);
}

static uint64_t cell_high(uint32_t cell)
{
	uint32_t block = cell / HIST_CELLS;
	uint64_t width = block == 0 ? 1 : (uint64_t)1 << (block - 1);
	return cell_low(cell) + (width - 1);
}

static void sum_add(struct hist *h, uint64_t low, uint64_t high)
{
	h->sum_high += high + __builtin_add_overflow(h->sum_low, low, &h->sum_low);
}

void hist_init(struct hist *h)
{
	*h = (struct hist){.min = UINT64_MAX};
}

void hist_fini(struct hist *h)
{
	for (int i = 0; i < HIST_BLOCKS; i++)
		free(h->blocks[i]);
	hist_init(h);
}

static int block_make(struct hist *h, uint32_t block)
{
	if (!h->blocks[block])
		h->blocks[block] = calloc(HIST_CELLS, sizeof(uint64_t));
	return h->blocks[block] ? 0 : -ENOMEM;
}

int hist_record(struct hist *h, uint64_t value)
{
	return hist_record_n(h, value, 1);
}

int hist_record_n(struct hist *h, uint64_t value, uint64_t n)
{
	uint32_t cell = cell_of(value);
	if (n == 0)
		return 0;
	int r = block_make(h, cell / HIST_CELLS);
	if (r < 0)
		return r;
	h->blocks[cell / HIST_CELLS][cell % HIST_CELLS] += n;
	h->count += n;
	__extension__ unsigned __int128 product = (unsigned __int128)value * n;
	sum_add(h, (uint64_t)product, (uint64_t)(product >> 64));
	if (value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	return 0;
}

int hist_merge(struct hist *to, const struct hist *from)
{
	for (uint32_t i = 0; i < HIST_BLOCKS; i++)
		if (from->blocks[i] && block_make(to, i) < 0)
			return -ENOMEM;
	for (uint32_t i = 0; i < HIST_BLOCKS; i++)
		for (uint32_t j = 0; from->blocks[i] && j < HIST_CELLS; j++)
			to->blocks[i][j] += from->blocks[i][j];
	if (from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
	to->count += from->count;
	sum_add(to, from->sum_low, from->sum_high);
	return 0;
}

uint64_t hist_count(const struct hist *h)
{
	return h->count;
}

uint64_t hist_min(const struct hist *h)
{
	return h->count ? h->min : 0;
}

uint64_t hist_max(const struct hist *h)
{
	return h->max;
}

double hist_mean(const struct hist *h)
{
	if (h->count == 0)
		return 0;
	return ((double)h->sum_high * 0x1p64 + (double)h->sum_low) / (double)h->count;
}

static uint64_t rank_of(const struct hist *h, double percent)
{
	double exact = percent / 100 * (double)h->count;
	/* 99.9 % of 1000 is 999.0000000000001 in binary; such dust must not move the rank. */
	double rounded = (double)(uint64_t)(exact + 0.5);
	double off = exact > rounded ? exact - rounded : rounded - exact;
	uint64_t rank = (uint64_t)exact;
	if (off <= 1e-9 * (exact > 1 ? exact : 1) && off < 1e-3)
		rank = (uint64_t)rounded;
	else if ((double)rank < exact)
		rank++;
	return rank == 0 ? 1 : rank > h->count ? h->count : rank;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
	uint64_t low, high, n, seen = 0;
	uint32_t pos = 0;
	if (h->count == 0)
		return 0;
	if (!(percent > 0))
		return h->min;
	if (percent >= 100)
		return h->max;
	uint64_t rank = rank_of(h, percent);
	while (hist_next(h, &pos, &low, &high, &n)) {
		seen += n;
		if (seen >= rank)
			return high < h->max ? high : h->max;
	}
	return h->max;
}

int hist_next(const struct hist *h, uint32_t *pos, uint64_t *ret_low, uint64_t *ret_high, uint64_t *ret_count)
{
	while (*pos < HIST_BLOCKS * HIST_CELLS) {
		uint32_t cell = *pos;
		const uint64_t *block = h->blocks[cell / HIST_CELLS];
		*pos = block ? cell + 1 : (cell / HIST_CELLS + 1) * HIST_CELLS;
		if (!block || block[cell % HIST_CELLS] == 0)
			continue;
		*ret_low = cell_low(cell);
		*ret_high = cell_high(cell);
		*ret_count = block[cell % HIST_CELLS];
		return 1;
	}
	return 0;
}
