#ifndef SERVER_STORE_H
#define SERVER_STORE_H

#include "server-under-test/hub/hub.h"
#include "server-under-test/base/err.h"

#define SESSION_ID_MAX 64 /* bytes of a session id a client may name; ours are 32 hex digits */
#define SESSION_CHANNELS_MAX 1024 /* subscriptions kept of one session */
#define USER_MAX 256 /* bytes of a token's subject */

/*
 * Where messages are ordered and kept, and sessions with them: `memory` (this process) or `redis` (every node sees
 * one order). The store calls the hub through the struct store_sink it was started with. Every answer may come before
 * the call returns or later; after `down` nothing is pending: what was asked has been answered with HUB_UNAVAILABLE.
 */
struct store;

/* One stored message as the store hands it over; the texts are borrowed for the call. */
struct stored {
	uint64_t seq;
	double at_s;
	struct text data; /* JSON */
	struct text key;
	struct message *message; /* a store in this process has made it (message.h): shared. NULL: the hub makes one */
};

struct store_sink {
	void *arg;
	/*
	 * A message of an attached channel, live. In order and without gaps within an epoch, beginning after what the
	 * attach answered; each once.
	 */
	void (*message)(void *arg, const char *channel, const char *epoch, const struct stored *message);
	/* The channel began anew (its data was lost or flushed): newest is where it is now. */
	void (*epoch)(void *arg, const char *channel, const struct position *newest);
	/* The store went away or is back; when it is back, what was missed has been handed over. Starts as down. */
	void (*up)(void *arg, bool up);
	/* Another connection, here or on another node, has taken this session over. */
	void (*taken_over)(void *arg, const char *session, const char *by_conn);
};

/* The answers. op is the caller's; it stays valid until the answer came. */
struct store_op;
struct store_answer {
	enum hub_status status;
	struct position newest; /* attach, range: of the channel; publish: where the message is */
	bool duplicate; /* publish: the key was known, nothing was stored */
	uint64_t first; /* range: the lowest seq that is still kept; newest + 1 when nothing is */
	const struct stored *messages; /* range, borrowed */
	size_t count;
	/* session_claim */
	bool resumed;
	const struct session_record *session; /* borrowed; when resumed */
};
struct store_op {
	void (*done)(struct store_op *op, const struct store_answer *answer);
};

struct session_cursor {
	char channel[CHANNEL_NAME_MAX + 1];
	struct position at;
};

/* What is kept of a session: whose it is and where it stands. */
struct session_record {
	char id[SESSION_ID_MAX + 1];
	char user[USER_MAX + 1]; /* "": nobody's */
	unsigned count;
	struct session_cursor *cursors; /* owned by whoever owns the record */
};

struct store_ops {
	const char *name; /* as in --store */
	/*
	 * 0 or negative errno with the sentence in err. sink is copied. `up` is reported later, or at once by a store that
	 * cannot fail: *ret is set before the sink is first called.
	 */
	int (*start)(struct store **ret, struct ev_loop *loop, const struct config *config, const struct store_sink *sink,
		     struct err *err);
	void (*stop)(struct store *store);
	void (*publish)(struct store *store, struct text channel, struct text data, struct text key, struct store_op *op);
	/* From the answer on, live messages of the channel come to the sink. Not twice without a detach between. */
	void (*attach)(struct store *store, const char *channel, struct store_op *op);
	void (*detach)(struct store *store, const char *channel);
	/* Kept messages from..to in order, at most max_count and max_bytes of data, but at least one. */
	void (*range)(struct store *store, const char *channel, uint64_t from, uint64_t to, size_t max_count,
		      size_t max_bytes, struct store_op *op);
	/*
	 * Takes the session `wanted` (NULL: none) for connection `conn` if it is known and belongs to user, or makes a new
	 * one called `fresh`. Whoever held it is told through taken_over; what he saves after that is ignored.
	 */
	void (*session_claim)(struct store *store, const char *wanted, const char *fresh, const char *user,
			      const char *conn, struct store_op *op);
	/*
	 * Keeps what the record says, if conn still holds the session; ended: session_ttl runs from now. op may be NULL;
	 * otherwise it is answered when the record is kept, or with HUB_UNAVAILABLE when that is not known: a store that
	 * is away keeps it later, when it is back.
	 */
	void (*session_save)(struct store *store, const struct session_record *record, const char *conn, bool ended,
			     struct store_op *op);
};

extern const struct store_ops store_memory;
extern const struct store_ops store_redis;

#endif
