/* Who is owed what: named situations, and long random lives beside an oracle that remembers every message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/base/err.h"
#include "harness/base/rng.h"
#include "harness/load/account.h"

/*
 * Words: "i" the publisher invokes the next; "+3" message 3 is confirmed, "-3" void; "d3" delivered to subscription 0,
 * "D3" to 1; "s" subscription 0 comes back where it was, "f" afresh; "l" it leaves, "q" it quits. Last: what both miss.
 */
static void play(struct account *a, const char *words)
{
	for (const char *at = words; *at; at++) {
		uint64_t index = 0;
		char what = *at;
		while (at[1] >= '0' && at[1] <= '9')
			index = index * 10 + (uint64_t)(*++at - '0');
		if (what == 'i')
			account_invoke(a, 1, 1);
		else if (what == '+' || what == '-')
			account_outcome(a, 1, 1, index, what == '+');
		else if (what == 'd' || what == 'D')
			account_deliver(a, what == 'D', 1, index);
		else if (what == 's' || what == 'f')
			account_subscribe(a, 0, what == 'f');
		else if (what == 'l')
			account_leave(a, 0);
		else if (what == 'q')
			account_quit(a, 0);
	}
}

static void situations(void **state)
{
	(void)state;
	static const struct {
		const char *words;
		uint64_t missing[2], all;
		bool forgiving;
	} rows[] = {
		{"", {0, 0}, 0},
		{"i", {0, 0}, 0},
		{"i+1", {1, 1}, 2},
		{"i-1", {0, 0}, 0},
		{"i+1d1", {0, 1}, 1},
		{"id1+1", {0, 1}, 1},
		{"id1D1-1", {0, 0}, 0},
		{"iii+1+2+3d1d3", {1, 3}, 4},          /* 2 is passed over */
		{"iii+1+2+3d1d3", {0, 3}, 3, true},    /* and forgiven */
		{"iii+1+2+3d1d3d2", {0, 3}, 3},        /* and comes late */
		{"iii+1+2+3d3d3d3", {2, 3}, 5},        /* again is not another */
		{"iii+1-2+3d1d3", {0, 2}, 2},          /* a void one leaves no hole */
		{"iiiid1d4+1-2+3+4", {1, 3}, 4},       /* outcomes after the deliveries */
		{"iii-1-2-3D2", {1, 0}, 1},            /* void, but somebody was given it: 0 is owed it, 1 has it */
		{"iii+1+2+3f", {0, 3}, 3},
		{"ii+1lf+2", {0, 2}, 2},               /* 2 was on its way while it subscribed: not owed */
		{"ii+1lfi+3", {1, 2}, 3},
		{"ii+1+2li+3", {3, 3}, 3},             /* away: does not count */
		{"ii+1+2li+3s", {3, 3}, 6},
		{"ii+1+2q", {2, 2}, 2},
		{"d1", {0, 0}, 0},                     /* nobody said that */
		{"id0d2+1", {1, 1}, 2},
		{"iiiii-2-4-3+1+5d1d5D1D5", {0, 0}, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct account *a;
		assert_int_equal(account_new(2, 3, 2, rows[i].forgiving, &a), 0);
		account_place(a, 0, 1);
		account_place(a, 1, 1);
		account_subscribe(a, 0, true);
		account_subscribe(a, 1, true);
		play(a, rows[i].words);
		if (account_missing_of(a, 0) != rows[i].missing[0] || account_missing_of(a, 1) != rows[i].missing[1])
			fail_msg("\"%s\": %d and %d are missing", rows[i].words, (int)account_missing_of(a, 0),
				 (int)account_missing_of(a, 1));
		assert_int_equal(account_missing(a), rows[i].all);
		assert_int_equal(account_even(a), rows[i].all == 0);
		account_free(a);
	}
}

static void news_of_a_delivery(void **state)
{
	(void)state;
	struct account *a;
	assert_int_equal(account_new(1, 1, 1, false, &a), 0);
	account_place(a, 0, 1);
	assert_true(account_subscribe(a, 0, true));
	assert_int_equal(account_deliver(a, 0, 1, 1), ACCOUNT_UNHEARD_OF);
	assert_int_equal(account_deliver(a, 0, 2, 1), ACCOUNT_UNHEARD_OF);
	assert_int_equal(account_invoke(a, 1, 1), 1);
	assert_int_equal(account_invoke(a, 1, 1), 2);
	assert_int_equal(account_invoke(a, 1, 1), 3);
	assert_false(account_subscribe(a, 0, false));
	assert_int_equal(account_deliver(a, 0, 1, 1), ACCOUNT_EARLY);
	assert_int_equal(account_deliver(a, 0, 1, 1), ACCOUNT_KNOWN);
	account_outcome(a, 1, 1, 2, true);
	assert_int_equal(account_newest(a, 1, 1), 2);
	assert_int_equal(account_deliver(a, 0, 1, 2), ACCOUNT_NEW);
	account_outcome(a, 1, 1, 1, true);
	assert_int_equal(account_newest(a, 1, 1), 2);
	account_outcome(a, 1, 1, 3, false);
	assert_int_equal(account_deliver(a, 0, 1, 3), ACCOUNT_NEW);
	assert_true(account_subscribe(a, 0, false));
	account_free(a);
}

/* The oracle ------------------------------------------------------------------------------------------------------- */

enum { PUBLISHERS = 3, SUBSCRIPTIONS = 4, MESSAGES = 4000, BEHIND = 12 };
enum fate { PENDING, CONFIRMED, VOID };

struct oracle {
	unsigned char fate[PUBLISHERS + 1][MESSAGES + 1];
	bool given[SUBSCRIPTIONS][PUBLISHERS + 1][MESSAGES + 1];
	unsigned owed_from[SUBSCRIPTIONS][PUBLISHERS + 1];
	bool there[SUBSCRIPTIONS];
	unsigned issued[PUBLISHERS + 1], n_pending;
};

static uint64_t oracle_missing(const struct oracle *o, unsigned s)
{
	uint64_t missing = 0;
	for (unsigned p = 1; p <= PUBLISHERS; p++)
		for (unsigned i = o->owed_from[s][p]; i <= o->issued[p]; i++)
			missing += o->fate[p][i] == CONFIRMED && !o->given[s][p][i];
	return missing;
}

static void random_deliver(struct oracle *o, struct account *a, struct rng *r, unsigned s, unsigned p, unsigned i)
{
	(void)r;
	bool news = i >= o->owed_from[s][p] && !o->given[s][p][i];
	enum account_news got = account_deliver(a, s, p, i);
	if (news) {
		assert_int_equal(got, o->fate[p][i] == PENDING ? ACCOUNT_EARLY : ACCOUNT_NEW);
		if (o->fate[p][i] == VOID)
			o->fate[p][i] = CONFIRMED;
		o->given[s][p][i] = true;
	} else {
		assert_int_equal(got, ACCOUNT_KNOWN);
	}
}

static void random_outcome(struct oracle *o, struct account *a, struct rng *r, unsigned p, unsigned i, unsigned voids)
{
	bool confirmed = rng_below(r, 100) >= voids;
	if (o->fate[p][i] != PENDING)
		return;
	account_outcome(a, 1, p, i, confirmed);
	o->fate[p][i] = confirmed ? CONFIRMED : VOID;
	o->n_pending--;
}

static void random_step(struct oracle *o, struct account *a, struct rng *r, unsigned voids)
{
	unsigned p = 1 + (unsigned)rng_below(r, PUBLISHERS), s = (unsigned)rng_below(r, SUBSCRIPTIONS);
	unsigned back = (unsigned)rng_below(r, BEHIND);
	unsigned i = o->issued[p] > back ? o->issued[p] - back : 0;
	uint64_t what = rng_below(r, 100);
	if (what < 25 && o->issued[p] < MESSAGES) {
		o->issued[p]++;
		o->n_pending++;
		assert_int_equal(account_invoke(a, 1, p), o->issued[p]);
	} else if (what < 55 && i) {
		random_outcome(o, a, r, p, i, voids);
	} else if (what < 97 && i) {
		random_deliver(o, a, r, s, p, i);
	} else if (what == 97) {
		bool afresh = rng_below(r, 8) == 0;
		assert_int_equal(account_subscribe(a, s, afresh), o->n_pending == 0);
		o->there[s] = true;
		for (unsigned q = 1; afresh && q <= PUBLISHERS; q++)
			o->owed_from[s][q] = o->issued[q] + 1;
	} else if (what == 98) {
		account_leave(a, s);
		o->there[s] = false;
	}
}

static void random_lives(void **state)
{
	(void)state;
	static const unsigned voids[] = {0, 1, 30, 95};
	struct oracle *o = malloc(sizeof(*o));
	for (size_t v = 0; v < ARRAY_LEN(voids); v++) {
		struct account *a;
		struct rng r;
		rng_init(&r, v, "account");
		memset(o, 0, sizeof(*o));
		assert_int_equal(account_new(1, PUBLISHERS, SUBSCRIPTIONS, false, &a), 0);
		for (unsigned s = 0; s < SUBSCRIPTIONS; s++) {
			account_place(a, s, 1);
			account_subscribe(a, s, o->there[s] = true);
			for (unsigned p = 1; p <= PUBLISHERS; p++)
				o->owed_from[s][p] = 1;
		}
		for (unsigned step = 0; step < 30000; step++) {
			random_step(o, a, &r, voids[v]);
			if (step % 97)
				continue;
			uint64_t all = 0;
			for (unsigned s = 0; s < SUBSCRIPTIONS; s++) {
				assert_int_equal(account_missing_of(a, s), oracle_missing(o, s));
				all += o->there[s] ? oracle_missing(o, s) : 0;
			}
			assert_int_equal(account_missing(a), all);
			assert_int_equal(account_even(a), all == 0);
		}
		account_free(a);
	}
	free(o);
}

/* Refusals every second message, for ever: what is kept stays small, and nothing is said to be missing. */
static void refusals_do_not_pile_up(void **state)
{
	(void)state;
	struct account *a;
	assert_int_equal(account_new(1, 1, 2, false, &a), 0);
	for (unsigned s = 0; s < 2; s++) {
		account_place(a, s, 1);
		account_subscribe(a, s, true);
	}
	account_quit(a, 1);
	for (uint64_t i = 1; i <= 1000000; i++) {
		account_invoke(a, 1, 1);
		account_outcome(a, 1, 1, i, i % 2);
		if (i % 2)
			assert_int_equal(account_deliver(a, 0, 1, i), ACCOUNT_NEW);
	}
	assert_true(account_even(a));
	assert_in_range(account_held(a), 1, 64 << 10);
	account_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(situations),
		cmocka_unit_test(news_of_a_delivery),
		cmocka_unit_test(random_lives),
		cmocka_unit_test(refusals_do_not_pile_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
