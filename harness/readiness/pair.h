#pragma once
/* What both fall-backs have in common: one who publishes, one who sees it over a WebSocket, and what came the other
 * way. */
#include "harness/readiness/dialogue.h"

enum { PAIR_PART = 3 };            /* messages published in one go */

struct pair {
	const char *channel;
	struct link *publisher, *witness;
	unsigned published;
	struct buf got;            /* over the fall-back, as link->got; the owner ends it */
	uint64_t n_got;
};

void pair_begin(struct dialogue *d, struct pair *p);
bool pair_settled(const struct pair *p);
/* False: it does not, and the dialogue was told. */
bool pair_works(struct dialogue *d, const struct pair *p);
void pair_publish(struct pair *p);
/* Everything that was published came over the WebSocket. */
bool pair_witnessed(const struct pair *p);
/* One came over the fall-back. */
void pair_took(struct pair *p, struct span data);
/* away: when PAIR_PART of them were published: "while it was away". */
void pair_judge(struct dialogue *d, const struct pair *p, const char *away);
