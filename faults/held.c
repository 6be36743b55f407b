/*
 * The queue behind the filters that delay. Octets lie in one growing array and leave at its front; only their due
 * times are kept apart, one for each run of octets that are due together, so that a bulk transfer costs next to
 * nothing.
 */
#include "faults/held.h"

#include <assert.h>
#include <errno.h>

struct held_run {
	uint64_t due_us;
	size_t len;
};

enum {
	HELD_RUNS_MAX = HELD_MAX / 2, /* octets that the due times may take */
	HELD_KEEP = 16 << 10,         /* octets of memory that an empty queue keeps */
};

static size_t octets_size(const struct held *h)
{
	return h->octets.len - h->from;
}

static size_t runs_size(const struct held *h)
{
	return h->runs.len - h->run_from;
}

static struct held_run *first_run(const struct held *h)
{
	return runs_size(h) ? (struct held_run *)(void *)(h->runs.p + h->run_from) : NULL;
}

static struct held_run *last_run(const struct held *h)
{
	return runs_size(h) ? (struct held_run *)(void *)(h->runs.p + h->runs.len) - 1 : NULL;
}

void held_limit(struct filter *f, enum direction d, size_t max)
{
	f->held[d].max = max < FILTER_HELD_MAX ? max : FILTER_HELD_MAX;
}

size_t held_len(const struct filter *f, enum direction d)
{
	return octets_size(&f->held[d]);
}

/* Due times count: octets that trickle in one by one are bounded, too. */
size_t held_size(const struct filter *f, enum direction d)
{
	return octets_size(&f->held[d]) + runs_size(&f->held[d]);
}

bool held_full(const struct filter *f, enum direction d)
{
	return held_size(f, d) > f->held[d].max;
}

/* Moves to the front once more is gone than is left, so that each octet is moved about once. */
static void tidy(struct buf *b, size_t *from)
{
	if (*from < b->len - *from)
		return;
	buf_consume(b, *from);
	*from = 0;
	if (b->len == 0 && b->cap > HELD_KEEP) {
		size_t max = b->max;
		buf_fini(b);
		buf_init(b, max);
	}
}

static int add(struct held *h, struct span octets, uint64_t due_us)
{
	struct held_run *last = last_run(h), run = {due_us, octets.len};
	if (!h->octets.max) {
		buf_init(&h->octets, 2 * (size_t)HELD_MAX); /* with what is gone but not tidied */
		buf_init(&h->runs, 2 * (size_t)HELD_RUNS_MAX);
	}
	assert(!last || due_us >= last->due_us);
	if (octets.len > HELD_MAX - octets_size(h) || runs_size(h) >= HELD_RUNS_MAX)
		return -ENOBUFS;
	int r = buf_append_span(&h->octets, octets);
	if (r < 0)
		return r;
	if (last && last->due_us == due_us) {
		last->len += octets.len;
		return 0;
	}
	r = buf_append(&h->runs, &run, sizeof(run));
	if (r < 0)
		h->octets.len -= octets.len;
	return r;
}

bool held_keep(struct filter *f, enum direction d, struct span octets, uint64_t due_us)
{
	if (add(&f->held[d], octets, due_us) == 0)
		return true;
	filter_tell(f, d, "end", f->offset[d], "how=rst reason=memory");
	filter_end(f, STREAM_END_RST);
	return false;
}

uint64_t held_due_us(const struct filter *f, enum direction d)
{
	const struct held_run *first = first_run(&f->held[d]);
	return first ? first->due_us : UINT64_MAX;
}

uint64_t held_next_us(const struct filter *f)
{
	uint64_t up = held_due_us(f, UPSTREAM), down = held_due_us(f, DOWNSTREAM);
	return up < down ? up : down;
}

static void drop_runs(struct held *h, size_t len)
{
	for (struct held_run *run; len && (run = first_run(h)); ) {
		size_t n = run->len < len ? run->len : len;
		run->len -= n;
		len -= n;
		if (!run->len)
			h->run_from += sizeof(*run);
	}
	tidy(&h->runs, &h->run_from);
}

void held_pass(struct filter *f, enum direction d, size_t len)
{
	struct held *h = &f->held[d];
	struct span octets = span_sub(buf_span(&h->octets), h->from, len < octets_size(h) ? len : octets_size(h));
	if (!octets.len)
		return;
	drop_runs(h, octets.len);
	h->from += octets.len;
	filter_pass(f, d, octets);
	tidy(&h->octets, &h->from);
}

void held_pass_all(struct filter *f, enum direction d)
{
	held_pass(f, d, SIZE_MAX);
}

void held_pass_due(struct filter *f, enum direction d)
{
	const struct held *h = &f->held[d];
	size_t len = 0;
	for (size_t at = h->run_from; at < h->runs.len; at += sizeof(struct held_run)) {
		const struct held_run *run = (const struct held_run *)(const void *)(h->runs.p + at);
		if (run->due_us > f->now_us)
			break;
		len += run->len;
	}
	held_pass(f, d, len);
}

void held_shift(struct filter *f, enum direction d, int64_t by_us)
{
	struct held *h = &f->held[d];
	for (size_t at = h->run_from; at < h->runs.len; at += sizeof(struct held_run)) {
		struct held_run *run = (struct held_run *)(void *)(h->runs.p + at);
		if (by_us < 0)
			run->due_us -= run->due_us < (uint64_t)-by_us ? run->due_us : (uint64_t)-by_us;
		else
			run->due_us += (uint64_t)by_us;
	}
}

void held_fini(struct held *h)
{
	buf_fini(&h->octets);
	buf_fini(&h->runs);
}
