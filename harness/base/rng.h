#pragma once
/*
 * Seeded random numbers (xoshiro256**): every connection, case and fault derives its own stream from (run seed, name).
 * Not for secrets.
 */
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* A seed of this moment, for a run that was given none: short enough to be typed. */
uint64_t rng_fresh_seed(void);
/* The same (seed, name) gives the same stream on every machine. */
void rng_init(struct rng *r, uint64_t seed, const char *name);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, n); n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
void rng_fill(struct rng *r, void *p, size_t len);
/* The next number of a stream whose whole state is one number, for what is made again from a few: any state will do. */
uint64_t rng_splitmix64(uint64_t *state);
