#pragma once
/*
 * What a target promises: checkers grade against it, and nothing is demanded that is not promised. A dialect says what
 * its protocol promises; the target file's `contract` changes it key by key.
 */
#include "harness/base/opt.h"

enum delivery { DELIVERY_AT_MOST_ONCE, DELIVERY_AT_LEAST_ONCE, DELIVERY_EXACTLY_ONCE };

/* Times in milliseconds, sizes in octets; 0: not promised. */
struct contract {
	int delivery;              /* enum delivery: to a subscriber that is there, or comes back and is recovered */
	bool ordered;              /* messages of one publisher on one channel come as they were published */
	bool total_order;          /* every subscriber of a channel sees one order */
	bool numbered;             /* messages carry a seq that grows */
	bool contiguous;           /* and goes up by one within a channel and epoch, or within a session */
	/* Each session has one run of numbers, over all its channels. No key of a contract: `cursor.scope` of the dialect. */
	bool numbered_by_session;
	bool resumes;              /* a subscription can go on where it was */
	bool tells_recovered;      /* and the server says whether it could */
	bool idempotent;           /* a publish repeated with its key is delivered once */
	uint64_t resume_window_ms; /* who is away for less gets everything it missed */
	uint64_t resume_messages;  /* and misses fewer than these; 0: no bound */
	bool survives_restart;     /* even if every node was restarted: it is not in their memory alone */
	uint64_t heartbeat_ms, heartbeat_timeout_ms;
	uint64_t drain_ms;         /* a node that is told to stop has closed everybody within this */
	struct opt_strings goodbyes; /* with these codes, of the target file's `restart`; none: 1001 and 1012 */
	uint64_t recovery_ms;      /* after a heal everybody is back within this */
	uint64_t max_message, max_connections, per_ip;
	uint64_t fragment_timeout_ms; /* a message that is begun and not ended is given up after this */
	uint64_t handshake_timeout_ms; /* the same of an opening handshake */
	double message_rate;       /* of one connection, a second; what is above is refused, never dropped in silence */
	uint64_t message_burst;    /* and so many at once */
	double handshake_rate;     /* of the whole target, a second */
	bool pongs_only;           /* only a Pong is a sign of life, not a message */
	bool answers_errors;       /* what the application cannot read is answered, and the connection stays */
	uint64_t window;           /* messages of a channel in flight that are not acknowledged, at most */

	bool given[32];            /* by row of the table: it was stated */
};
extern const struct opt contract_table[];

static inline bool contract_by_session(const struct contract *c)
{
	return c->numbered && c->numbered_by_session;
}

/* Every row that `from` states replaces that of `to`. */
void contract_merge(struct contract *to, const struct contract *from);
