#pragma once
/*
 * A histogram of 64-bit values (latencies in microseconds, sizes in octets) that keeps three significant digits.
 *
 * Log-linear as in HdrHistogram: values below 2048 are exact; above, each power of two is cut into 1024 equal cells, so
 * that a reported value differs from a recorded one by less than one part in 1024. Cells come in blocks of one power of
 * two, made when first used: a block is 8 KiB, all 55 of them 440 KiB, whatever is recorded. Merging loses nothing: the
 * merge of two histograms is the histogram of both data.
 */
#include <stdint.h>

enum { HIST_BLOCKS = 55, HIST_CELLS = 1024 };

struct hist {
	uint64_t *blocks[HIST_BLOCKS];
	uint64_t count, min, max;     /* min and max are exact; min is UINT64_MAX while count is 0 */
	uint64_t sum_low, sum_high;   /* exact sum, 128 bits */
};

void hist_init(struct hist *h);
void hist_fini(struct hist *h);

/* 0, or -ENOMEM with nothing recorded. */
int hist_record(struct hist *h, uint64_t value);
int hist_record_n(struct hist *h, uint64_t value, uint64_t n);
/* Adds all of `from`; it stays as it is. 0, or -ENOMEM with nothing added. */
int hist_merge(struct hist *to, const struct hist *from);

uint64_t hist_count(const struct hist *h);
/* Exact; 0 when empty. */
uint64_t hist_min(const struct hist *h);
uint64_t hist_max(const struct hist *h);
double hist_mean(const struct hist *h);

/*
 * The value that `percent` (0 to 100, others are clamped) of the recorded values do not exceed: nearest rank, the
 * largest value of the cell, never more than the maximum. So never below the true one, and above it by less than 1 part
 * in 1024. 100 is exact. 0 when empty.
 */
uint64_t hist_percentile(const struct hist *h, double percent);

/*
 * Walks the cells that hold something, upwards: *pos starts at 0; each call that returns 1 sets the smallest and the
 * largest value of the next such cell and how many it holds; 0 at the end.
 */
int hist_next(const struct hist *h, uint32_t *pos, uint64_t *ret_low, uint64_t *ret_high, uint64_t *ret_count);
