/* xoshiro256** by Blackman and Vigna, seeded by splitmix64 over the seed and an FNV-1a hash of the name. */
#include "harness/base/rng.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/hash.h"

uint64_t rng_fresh_seed(void)
{
	return clock_now_us() * 2654435761u % 1000000007u;
}

uint64_t rng_splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void rng_init(struct rng *r, uint64_t seed, const char *name)
{
	uint64_t state = seed ^ rotl(hash_fnv1a(span_str(name)), 31);
	for (int i = 0; i < 4; i++)
		r->s[i] = rng_splitmix64(&state);
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	assert(n > 0);
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;
	do
		x = rng_u64(r);
	while (x >= limit);
	return x % n;
}

void rng_fill(struct rng *r, void *p, size_t len)
{
	uint8_t *out = p;
	while (len) {
		uint64_t x = htole64(rng_u64(r));
		size_t n = len < sizeof(x) ? len : sizeof(x);
		memcpy(out, &x, n);
		out += n;
		len -= n;
	}
}
