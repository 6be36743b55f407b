/* Ranges of what is not confirmed on the one side, a number and the holes below it on the other. */
#include "harness/load/account.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GAPS_LOOK = 64 }; /* ranges from which on it is looked which of them nobody waits behind any more */

struct gap {
	uint64_t first, last;
	bool pending; /* else void */
};

struct flow {
	uint64_t issued, newest;
	struct gap *gaps; /* rising, none touches the next of its kind */
	size_t n, size, look_at;
};

struct hole {
	uint32_t publisher;
	uint64_t first, last;
};

struct subscription {
	uint32_t channel;
	bool there, quit;
	struct hole *holes;
	uint32_t n, size;
	uint64_t *upto; /* by publisher */
};

struct account {
	uint32_t channels, publishers, n;
	bool forgiving;
	bool broken; /* out of memory: nothing can be said any more */
	struct flow *flows;
	struct subscription *subscriptions;
	uint64_t *cells;
	uint32_t uneven; /* the subscription that was seen to miss something last */
};

static struct flow *flow_of(const struct account *a, uint32_t channel, uint32_t publisher)
{
	assert(channel >= 1 && channel <= a->channels && publisher >= 1 && publisher <= a->publishers);
	return &a->flows[(size_t)(channel - 1) * a->publishers + publisher - 1];
}

int account_new(uint32_t channels, uint32_t publishers, uint32_t subscriptions, bool forgiving,
		struct account **ret_account)
{
	struct account *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = (struct account){.channels = channels, .publishers = publishers, .n = subscriptions, .forgiving = forgiving};
	a->flows = calloc((size_t)channels * publishers + 1, sizeof(*a->flows));
	a->subscriptions = calloc((size_t)subscriptions + 1, sizeof(*a->subscriptions));
	a->cells = calloc((size_t)subscriptions * publishers + 1, sizeof(*a->cells));
	if (!a->flows || !a->subscriptions || !a->cells) {
		account_free(a);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < subscriptions; i++)
		a->subscriptions[i].upto = a->cells + (size_t)i * publishers;
	*ret_account = a;
	return 0;
}

void account_free(struct account *a)
{
	if (!a)
		return;
	for (size_t i = 0; a->flows && i < (size_t)a->channels * a->publishers; i++)
		free(a->flows[i].gaps);
	for (uint32_t i = 0; a->subscriptions && i < a->n; i++)
		free(a->subscriptions[i].holes);
	free(a->flows);
	free(a->subscriptions);
	free(a->cells);
	free(a);
}

void account_place(struct account *a, uint32_t subscription, uint32_t channel)
{
	assert(subscription < a->n && channel >= 1 && channel <= a->channels);
	a->subscriptions[subscription].channel = channel;
}

/* Holes ------------------------------------------------------------------------------------------------------------ */

static void hole_drop(struct subscription *s, uint32_t i)
{
	memmove(&s->holes[i], &s->holes[i + 1], (--s->n - i) * sizeof(*s->holes));
}

static bool all_void(const struct flow *f, uint64_t first, uint64_t last);

/* Nothing is owed where every message was void, and is too old to be seen after all. */
static void holes_shorten(struct account *a, struct subscription *s)
{
	for (uint32_t i = s->n; i-- > 0;) {
		const struct hole *h = &s->holes[i];
		const struct flow *f = flow_of(a, s->channel, h->publisher);
		if (f->issued - h->last >= ACCOUNT_VOID_KEPT && all_void(f, h->first, h->last))
			hole_drop(s, i);
	}
}

static void hole_add(struct account *a, struct subscription *s, uint32_t publisher, uint64_t first, uint64_t last)
{
	if (s->n == s->size)
		holes_shorten(a, s);
	if (s->n == ACCOUNT_HOLES_MAX)
		hole_drop(s, 0);
	if (s->n == s->size) {
		uint32_t size = s->size ? 2 * s->size : 4;
		struct hole *holes = realloc(s->holes, size * sizeof(*holes));
		if (!holes) {
			a->broken = true;
			return;
		}
		s->holes = holes;
		s->size = size;
	}
	s->holes[s->n++] = (struct hole){publisher, first, last};
}

/* Was it missing? */
static bool hole_fill(struct account *a, struct subscription *s, uint32_t publisher, uint64_t index)
{
	for (uint32_t i = s->n; i-- > 0;) {
		struct hole *h = &s->holes[i];
		if (h->publisher != publisher || index < h->first || index > h->last)
			continue;
		uint64_t last = h->last;
		h->last = index - 1;
		if (h->last < h->first)
			hole_drop(s, i);
		if (last > index)
			hole_add(a, s, publisher, index + 1, last);
		return true;
	}
	return false;
}

/* Gaps ------------------------------------------------------------------------------------------------------------- */

/* Up to which message of the flow no subscription waits for any. */
static uint64_t awaited_after(struct account *a, uint32_t channel, uint32_t publisher)
{
	uint64_t oldest = UINT64_MAX;
	for (uint32_t i = 0; i < a->n; i++) {
		struct subscription *s = &a->subscriptions[i];
		if (s->channel != channel || s->quit)
			continue;
		holes_shorten(a, s);
		if (s->upto[publisher - 1] < oldest)
			oldest = s->upto[publisher - 1];
		for (uint32_t j = 0; j < s->n; j++)
			if (s->holes[j].publisher == publisher && s->holes[j].first <= oldest)
				oldest = s->holes[j].first - 1;
	}
	return oldest;
}

/* Nothing up to here is owed to anybody any more. */
static void forgive(struct account *a, uint32_t channel, uint32_t publisher, uint64_t upto)
{
	for (uint32_t i = 0; i < a->n; i++) {
		struct subscription *s = &a->subscriptions[i];
		if (s->channel != channel)
			continue;
		if (s->upto[publisher - 1] < upto)
			s->upto[publisher - 1] = upto;
		for (uint32_t j = s->n; j-- > 0;)
			if (s->holes[j].publisher == publisher && s->holes[j].first <= upto)
				hole_drop(s, j);
	}
}

static void gaps_shorten(struct account *a, struct flow *f)
{
	size_t at = (size_t)(f - a->flows), old = 0;
	uint32_t channel = (uint32_t)(at / a->publishers) + 1, publisher = (uint32_t)(at % a->publishers) + 1;
	if (f->n >= ACCOUNT_GAPS_MAX)
		forgive(a, channel, publisher, f->gaps[f->n / 2].last);
	uint64_t oldest = awaited_after(a, channel, publisher);
	while (old < f->n && f->gaps[old].last <= oldest && !f->gaps[old].pending)
		old++;
	memmove(f->gaps, f->gaps + old, (f->n -= old) * sizeof(*f->gaps));
	f->look_at = f->n < GAPS_LOOK / 2 ? GAPS_LOOK : f->n < ACCOUNT_GAPS_MAX / 2 ? 2 * f->n : ACCOUNT_GAPS_MAX;
}

static bool gaps_room(struct account *a, struct flow *f, size_t more)
{
	if (f->n + more <= f->size)
		return true;
	size_t size = f->size ? 2 * f->size : 4;
	struct gap *gaps = realloc(f->gaps, size * sizeof(*gaps));
	if (!gaps) {
		a->broken = true;
		return false;
	}
	f->gaps = gaps;
	f->size = size;
	return true;
}

static bool all_void(const struct flow *f, uint64_t first, uint64_t last)
{
	for (size_t i = f->n; i-- > 0 && f->gaps[i].last >= first;)
		if (f->gaps[i].first <= first)
			return !f->gaps[i].pending && f->gaps[i].last >= last; /* voids that touch are one */
	return false;
}

/* The gap that holds it, or n. */
static size_t gap_find(const struct flow *f, uint64_t index)
{
	size_t low = 0, high = f->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (f->gaps[middle].last < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->n && f->gaps[low].first <= index ? low : f->n;
}

/* Joins gap i with the next one when they touch and are of a kind. */
static void gap_join(struct flow *f, size_t i)
{
	if (i + 1 >= f->n || f->gaps[i].last + 1 != f->gaps[i + 1].first || f->gaps[i].pending != f->gaps[i + 1].pending)
		return;
	f->gaps[i].last = f->gaps[i + 1].last;
	memmove(&f->gaps[i + 1], &f->gaps[i + 2], (f->n - i - 2) * sizeof(*f->gaps));
	f->n--;
}

/* Takes one message out of gap i; as_void: and makes it a void one. */
static void gap_carve(struct account *a, struct flow *f, size_t i, uint64_t index, bool as_void)
{
	struct gap g = f->gaps[i], parts[3];
	size_t n = 0, middle;
	if (g.first < index)
		parts[n++] = (struct gap){g.first, index - 1, g.pending};
	middle = i + n;
	if (as_void)
		parts[n++] = (struct gap){index, index, false};
	if (g.last > index)
		parts[n++] = (struct gap){index + 1, g.last, g.pending};
	if (n > 1 && !gaps_room(a, f, n - 1))
		return;
	memmove(&f->gaps[i + n], &f->gaps[i + 1], (f->n - i - 1) * sizeof(*f->gaps));
	memcpy(&f->gaps[i], parts, n * sizeof(*parts));
	f->n = f->n - 1 + n;
	if (as_void) {
		gap_join(f, middle);
		if (middle > 0) /* the one before it */
			gap_join(f, middle - 1);
	}
}

uint64_t account_invoke(struct account *a, uint32_t channel, uint32_t publisher)
{
	struct flow *f = flow_of(a, channel, publisher);
	uint64_t index = ++f->issued;
	struct gap *last = f->n ? &f->gaps[f->n - 1] : NULL;
	if (last && last->pending && last->last + 1 == index) {
		last->last = index;
		return index;
	}
	if (f->n >= (f->look_at ? f->look_at : GAPS_LOOK))
		gaps_shorten(a, f);
	if (gaps_room(a, f, 1))
		f->gaps[f->n++] = (struct gap){index, index, true};
	return index;
}

void account_outcome(struct account *a, uint32_t channel, uint32_t publisher, uint64_t index, bool confirmed)
{
	struct flow *f = flow_of(a, channel, publisher);
	size_t i = gap_find(f, index);
	if (i == f->n)
		return; /* only without memory */
	gap_carve(a, f, i, index, !confirmed);
	if (confirmed && index > f->newest)
		f->newest = index;
}

uint64_t account_newest(const struct account *a, uint32_t channel, uint32_t publisher)
{
	return flow_of(a, channel, publisher)->newest;
}

/* Subscriptions ---------------------------------------------------------------------------------------------------- */

enum account_news account_deliver(struct account *a, uint32_t subscription, uint32_t publisher, uint64_t index)
{
	struct subscription *s = &a->subscriptions[subscription];
	assert(subscription < a->n);
	if (publisher < 1 || publisher > a->publishers)
		return ACCOUNT_UNHEARD_OF;
	struct flow *f = flow_of(a, s->channel, publisher);
	uint64_t *upto = &s->upto[publisher - 1];
	if (index < 1 || index > f->issued)
		return ACCOUNT_UNHEARD_OF;
	if (index <= *upto) {
		if (s->n == 0 || !hole_fill(a, s, publisher, index))
			return ACCOUNT_KNOWN;
	} else {
		if (index > *upto + 1 && !a->forgiving)
			hole_add(a, s, publisher, *upto + 1, index - 1);
		*upto = index;
	}
	size_t i = f->n && index >= f->gaps[0].first ? gap_find(f, index) : f->n;
	if (i == f->n)
		return ACCOUNT_NEW;
	if (f->gaps[i].pending)
		return ACCOUNT_EARLY;
	gap_carve(a, f, i, index, false);
	return ACCOUNT_NEW;
}

bool account_subscribe(struct account *a, uint32_t subscription, bool afresh)
{
	struct subscription *s = &a->subscriptions[subscription];
	bool known = true;
	s->there = true;
	for (uint32_t p = 1; p <= a->publishers; p++) {
		const struct flow *f = flow_of(a, s->channel, p);
		for (size_t i = f->n; known && i-- > 0;)
			known = !f->gaps[i].pending;
		if (afresh)
			s->upto[p - 1] = f->issued;
	}
	if (afresh)
		s->n = 0;
	return known;
}

void account_leave(struct account *a, uint32_t subscription)
{
	a->subscriptions[subscription].there = false;
}

void account_quit(struct account *a, uint32_t subscription)
{
	a->subscriptions[subscription].there = false;
	a->subscriptions[subscription].quit = true;
}

static uint64_t confirmed_between(const struct flow *f, uint64_t first, uint64_t last)
{
	uint64_t n = last - first + 1;
	for (size_t i = f->n; i-- > 0 && f->gaps[i].last >= first;) {
		uint64_t from = f->gaps[i].first > first ? f->gaps[i].first : first;
		uint64_t to = f->gaps[i].last < last ? f->gaps[i].last : last;
		if (from <= to)
			n -= to - from + 1;
	}
	return n;
}

uint64_t account_missing_of(const struct account *a, uint32_t subscription)
{
	const struct subscription *s = &a->subscriptions[subscription];
	const struct flow *flows = flow_of(a, s->channel, 1);
	uint64_t missing = 0;
	for (uint32_t p = 0; p < a->publishers; p++)
		if (s->upto[p] < flows[p].issued)
			missing += confirmed_between(&flows[p], s->upto[p] + 1, flows[p].issued);
	for (uint32_t i = 0; i < s->n; i++)
		missing += confirmed_between(&flows[s->holes[i].publisher - 1], s->holes[i].first, s->holes[i].last);
	return missing;
}

uint64_t account_missing(const struct account *a)
{
	uint64_t missing = 0;
	for (uint32_t i = 0; a->publishers && i < a->n; i++)
		if (a->subscriptions[i].there)
			missing += account_missing_of(a, i);
	return missing;
}

bool account_even(struct account *a)
{
	if (a->broken)
		return false;
	for (uint32_t n = 0; a->publishers && n < a->n; n++, a->uneven = (a->uneven + 1) % a->n)
		if (a->subscriptions[a->uneven].there && account_missing_of(a, a->uneven) > 0)
			return false;
	return true;
}

size_t account_held(const struct account *a)
{
	size_t held = 0;
	for (size_t i = 0; i < (size_t)a->channels * a->publishers; i++)
		held += a->flows[i].size * sizeof(struct gap);
	for (uint32_t i = 0; i < a->n; i++)
		held += a->subscriptions[i].size * sizeof(struct hole);
	return held;
}
