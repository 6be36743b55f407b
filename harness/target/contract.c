/* The keys of a contract. */
#include "harness/target/contract.h"

#include <string.h>

#include "harness/base/limits.h"

#define ROW(n, field_name, field, opt_type, help_text, ...) \
	[n] = {.name = field_name, .type = opt_type, .offset = offsetof(struct contract, field), .help = help_text, \
	       .seen = OPT_SEEN(struct contract, given[n]), ##__VA_ARGS__}

static const char *const deliveries[] = {"at-most-once", "at-least-once", "exactly-once", NULL};

const struct opt contract_table[] = {
	ROW(0, "delivery", delivery, OPT_ENUM, "how often a subscriber that stays, or comes back and is recovered, gets each message",
	    .choices = deliveries),
	ROW(1, "ordered", ordered, OPT_FLAG, "messages of one publisher on one channel come in the order they were published"),
	ROW(2, "total_order", total_order, OPT_FLAG, "every subscriber of a channel sees one order"),
	ROW(3, "numbered", numbered, OPT_FLAG, "messages carry a number that grows, on its channel or in its session (a dialect's `cursor.scope`)"),
	ROW(4, "contiguous", contiguous, OPT_FLAG, "and that number goes up by one"),
	ROW(5, "resumes", resumes, OPT_FLAG, "a subscription can go on where it was"),
	ROW(6, "tells_recovered", tells_recovered, OPT_FLAG, "the answer to a resume says whether everything missed follows"),
	ROW(7, "idempotent", idempotent, OPT_FLAG, "a publish that is repeated with its key is delivered once"),
	ROW(8, "resume_window", resume_window_ms, OPT_DURATION, "who is away for less gets everything that was missed", .max = INT64_MAX),
	ROW(9, "resume_messages", resume_messages, OPT_U64, "and misses at most this many messages of a channel"),
	ROW(10, "heartbeat", heartbeat_ms, OPT_DURATION, "an idle client is pinged this often", .max = INT64_MAX),
	ROW(11, "heartbeat_timeout", heartbeat_timeout_ms, OPT_DURATION, "a client that does not answer is closed after this", .max = INT64_MAX),
	ROW(12, "drain", drain_ms, OPT_DURATION, "a node that is told to end has closed everybody within this", .max = INT64_MAX),
	ROW(13, "recovery", recovery_ms, OPT_DURATION, "everybody is back within this after a fault is over", .max = INT64_MAX),
	ROW(14, "max_message", max_message, OPT_SIZE, "largest message that is accepted", .min = 1, .max = FRAME_PAYLOAD_KEEP_MAX),
	ROW(15, "max_connections", max_connections, OPT_U64, "connections at once"),
	ROW(16, "per_ip", per_ip, OPT_U64, "connections at once from one address"),
	ROW(17, "fragment_timeout", fragment_timeout_ms, OPT_DURATION, "a message that is begun and not ended is given up after this",
	    .max = INT64_MAX),
	ROW(18, "handshake_timeout", handshake_timeout_ms, OPT_DURATION, "an opening handshake that does not end is given up after this",
	    .max = INT64_MAX),
	ROW(19, "message_rate", message_rate, OPT_RATE, "messages that one connection may send; more are refused with an answer or a Close"),
	ROW(20, "message_burst", message_burst, OPT_U64, "and so many at once"),
	ROW(21, "handshake_rate", handshake_rate, OPT_RATE, "opening handshakes, over all clients; more are refused with 429 or 503"),
	ROW(22, "pongs_only", pongs_only, OPT_FLAG, "only a Pong is a sign of life: who talks and does not answer a Ping is closed too"),
	ROW(23, "answers_errors", answers_errors, OPT_FLAG,
	    "a message that the application cannot read is answered with an error, and the connection stays"),
	ROW(24, "window", window, OPT_U64, "messages of one channel in flight to a client that has not acknowledged them, at most"),
	ROW(25, "survives_restart", survives_restart, OPT_FLAG,
	    "resumes work even when every node's process was restarted meanwhile: what they need is not in its memory alone"),
	{0},
};

static size_t field_size(const struct opt *o)
{
	switch (o->type) {
	case OPT_FLAG:
		return sizeof(bool);
	case OPT_ENUM:
		return sizeof(int);
	default:
		return sizeof(uint64_t);
	}
}

void contract_merge(struct contract *to, const struct contract *from)
{
	for (const struct opt *o = contract_table; o->name; o++) {
		size_t row = (size_t)(o - contract_table);
		if (!from->given[row])
			continue;
		memcpy((char *)to + o->offset, (const char *)from + o->offset, field_size(o));
		to->given[row] = true;
	}
}
