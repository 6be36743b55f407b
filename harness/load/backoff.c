/* The waits of a client that was cut off: pure, so that a test sees all of them at once. */
#include "harness/load/backoff.h"

const struct opt backoff_table[] = {
	{.name = "base", .type = OPT_DURATION, .offset = offsetof(struct backoff_options, base_ms), .def = "500ms",
	 .max = BACKOFF_WAIT_MAX_MS, .help = "the first wait"},
	{.name = "cap", .type = OPT_DURATION, .offset = offsetof(struct backoff_options, cap_ms), .def = "15s",
	 .max = BACKOFF_WAIT_MAX_MS, .help = "the longest wait"},
	{.name = "factor", .type = OPT_U64, .offset = offsetof(struct backoff_options, factor), .def = "2", .min = 1,
	 .max = BACKOFF_FACTOR_MAX, .help = "each wait is this many times the last"},
	{.name = "jitter", .type = OPT_FLAG, .offset = offsetof(struct backoff_options, jitter), .def = "true",
	 .help = "wait a random time between nothing and the wait, so that clients spread"},
	{.name = "reset", .type = OPT_DURATION, .offset = offsetof(struct backoff_options, reset_ms), .def = "5s",
	 .max = BACKOFF_WAIT_MAX_MS, .help = "a connection that was up for this long makes the next wait the first again"},
	{.name = "give_up", .type = OPT_U64, .offset = offsetof(struct backoff_options, give_up), .def = "0",
	 .max = INT32_MAX, .help = "tries in a row before a client gives up for good; 0: never"},
	{0},
};

uint64_t backoff_next(struct backoff *b, const struct backoff_options *o, struct rng *rng)
{
	uint64_t wait_ms = o->base_ms;
	if (o->give_up && b->tries >= o->give_up)
		return UINT64_MAX;
	for (uint64_t i = 0; i < b->tries && wait_ms < o->cap_ms && wait_ms && o->factor > 1; i++)
		wait_ms *= o->factor;
	if (wait_ms > o->cap_ms)
		wait_ms = o->cap_ms;
	b->tries++;
	return o->jitter ? rng_below(rng, wait_ms + 1) : wait_ms;
}

void backoff_up(struct backoff *b, const struct backoff_options *o, uint64_t up_ms)
{
	if (up_ms >= o->reset_ms)
		b->tries = 0;
}
