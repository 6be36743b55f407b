#pragma once
/*
 * Who is owed what: an exact account of the messages that were confirmed and of those that each subscription was given,
 * without memory for each message. Pure.
 *
 * A flow is what one publisher says on one channel: messages 1, 2, 3 ... of it were invoked; each has an outcome in the
 * end, confirmed or void (refused or unknown). Only what is not confirmed is written down, as ranges: pending ones are
 * few, void ones come in rows. A subscription keeps one number for each flow, up to which everything came or is not
 * owed, and the holes below it. Servers that keep the order make no holes but where a message was void.
 *
 * A void message that some subscriber is given was taken after all, and is owed to the others from then on; if it is
 * one of the last ACCOUNT_VOID_KEPT of its flow.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ACCOUNT_CELLS_MAX = 8 << 20, /* subscriptions times publishers; channels times publishers */
	ACCOUNT_GAPS_MAX = 4096,     /* ranges of one flow without a confirmed message; older ones are forgiven */
	ACCOUNT_VOID_KEPT = 64,
	ACCOUNT_HOLES_MAX = 1024,    /* of one subscription; older ones are forgiven */
};

struct account;

/* Channels and publishers are numbered from 1, subscriptions from 0. forgiving: a message that is passed over by a
 * later one is not owed any more, as where delivery is at most once. -ENOMEM. */
int account_new(uint32_t channels, uint32_t publishers, uint32_t subscriptions, bool forgiving,
		struct account **ret_account);
/* NULL is fine. */
void account_free(struct account *a);
/* Once each, before anything else. */
void account_place(struct account *a, uint32_t subscription, uint32_t channel);

/* The next message of the flow: its index. */
uint64_t account_invoke(struct account *a, uint32_t channel, uint32_t publisher);
/* Once for each. */
void account_outcome(struct account *a, uint32_t channel, uint32_t publisher, uint64_t index, bool confirmed);
/* The newest one that was confirmed; 0: none. */
uint64_t account_newest(const struct account *a, uint32_t channel, uint32_t publisher);

enum account_news {
	ACCOUNT_NEW,               /* this subscription had not been given it, and it has an outcome */
	ACCOUNT_EARLY,             /* the same, and it has no outcome yet */
	ACCOUNT_KNOWN,             /* given before, or older than what is owed */
	ACCOUNT_UNHEARD_OF,        /* nobody published it */
};
enum account_news account_deliver(struct account *a, uint32_t subscription, uint32_t publisher, uint64_t index);

/* The subscription is confirmed. afresh: nothing that was published before is owed to it. False: some of what was
 * published before has no outcome yet, so that with `afresh` it may come or not. */
bool account_subscribe(struct account *a, uint32_t subscription, bool afresh);
/* It is not there at present: what it misses does not count meanwhile. */
void account_leave(struct account *a, uint32_t subscription);
/* It never comes back. */
void account_quit(struct account *a, uint32_t subscription);

/* Confirmed messages that this subscription was not given yet, whether it is there or not. */
uint64_t account_missing_of(const struct account *a, uint32_t subscription);
/* The sum over all subscriptions that are there. Takes a look at every one for each publisher. */
uint64_t account_missing(const struct account *a);
/* Is that sum 0? As long as it is not, one look is mostly enough. */
bool account_even(struct account *a);
/* Octets that ranges and holes take at present. */
size_t account_held(const struct account *a);
