#ifndef SERVER_HUB_H
#define SERVER_HUB_H

#include <ev.h>

#include "server-under-test/config/config.h"
#include "server-under-test/hub/frame.h"
#include "server-under-test/base/text.h"

#define CHANNEL_NAME_MAX 128 /* bytes, A-Z a-z 0-9 . _ - / */
#define EPOCH_MAX 32 /* bytes, no colon */
#define KEY_MAX 256 /* bytes of an idempotency key */
#define HISTORY_MESSAGES_MAX 1000 /* of one answer */
#define HISTORY_BYTES_MAX (512u * 1024)

/*
 * The channels of this process: their newest messages, their subscribers, and the fan-out. Where messages come from
 * and are kept for good is the store's business (store.h); the hub keeps the recent ones, by config->retention_*, as
 * the frames that go out. One loop, no threads.
 */
struct hub;
struct channel;

/* One message of a channel. Counted like its frame, whose payload is the whole `message` object of PROTOCOL. */
struct message {
	unsigned refs;
	uint64_t seq;
	double at_s; /* when it was stored, Unix time */
	struct frame *frame;
	size_t data_start, data_len; /* the value of "data" within the frame's payload, as JSON text */
	size_t key_len;
	char key[]; /* not NUL-terminated; key_len 0: none */
};

struct message *message_ref(struct message *message);
void message_unref(struct message *message);

/* A place in a channel: everything up to seq has been seen. */
struct position {
	char epoch[EPOCH_MAX + 1]; /* "" matches no channel */
	uint64_t seq;
};

enum hub_status {
	HUB_OK,
	HUB_UNAVAILABLE, /* the store is away, or went away before it answered */
};

/* The answer to hub_subscribe, and the news of an epoch change. */
struct subscribed {
	enum hub_status status; /* not OK: it is not subscribed (any more), nothing else is set */
	struct position newest;
	bool has_recovered; /* a `since` was given, or the epoch changed */
	bool recovered; /* every message after it follows before any live one */
};

struct subscription;

/* What a subscriber does with what the hub has for it. It may unsubscribe itself from within. */
struct subscription_ops {
	/* Once for each hub_subscribe, perhaps before it returns; messages follow only after it. */
	void (*subscribed)(struct subscription *subscription, const struct subscribed *answer);
	/* The next message: seq is one more than the last one's. message is borrowed. */
	void (*message)(struct subscription *subscription, struct message *message);
	/* The channel began a new epoch: position and limit have been set to its newest. */
	void (*epoch)(struct subscription *subscription, const struct subscribed *news);
	/* Its next message is gone, because its limit kept it waiting too long. It gets nothing more. */
	void (*evicted)(struct subscription *subscription);
};

/* One subscriber of one channel, embedded in what the subscriber keeps; zero it before hub_subscribe. */
struct subscription {
	struct subscription *next, *prev; /* of the channel */
	struct channel *channel; /* NULL: not subscribed */
	const struct subscription_ops *ops;
	uint64_t delivered; /* seq of the last message handed over, or where it began */
	uint64_t limit; /* the highest seq that may be handed over; UINT64_MAX: no window */
	uint64_t window; /* messages; 0: none */
	bool live; /* `subscribed` has been called with HUB_OK */
	void *pending; /* the hub's own, while the answer is awaited */
};

struct hub *hub_new(struct ev_loop *loop, const struct config *config);

/*
 * Starts the store (store.h), once, after the watches were added. 0, or negative errno with the sentence in err. Down
 * until the store says that it is up, which `memory` does before this returns.
 */
struct store_ops;
int hub_start(struct hub *hub, const struct store_ops *store, struct err *err);

/*
 * Stops the store. No subscription may be left; a hub_op that is not done is forgotten without an answer. NULL:
 * nothing.
 */
void hub_free(struct hub *hub);

/* Whether the store is there. While it is away subscribe, publish, history and the sessions are HUB_UNAVAILABLE. */
bool hub_up(const struct hub *hub);

/* Who wants to know. Zero it and set what is wanted; it may remove itself, but no other, from within. */
struct hub_watch {
	struct hub_watch *next; /* the hub's own */
	void (*up)(struct hub_watch *watch, bool up); /* at each change. NULL: not wanted */
	/* Another connection, here or on another node, took this session over (struct store_sink). NULL: not wanted */
	void (*taken_over)(struct hub_watch *watch, const char *session, const char *by_conn);
};
void hub_watch_add(struct hub *hub, struct hub_watch *watch);
void hub_watch_remove(struct hub *hub, struct hub_watch *watch); /* nothing when it was not added */

/*
 * Sessions pass through to the store: see store.h for both. op must stay valid until its answer, which may come before
 * the return; HUB_UNAVAILABLE while the store is away.
 */
struct store_op;
struct session_record;
void hub_session_claim(struct hub *hub, const char *wanted, const char *fresh, const char *user, const char *conn,
		       struct store_op *op);
void hub_session_save(struct hub *hub, const struct session_record *record, const char *conn, bool ended,
		      struct store_op *op);

/* Name rules of PROTOCOL. */
bool hub_channel_name_ok(struct text name);

/*
 * Subscribes (since NULL: from now on) with a window of `window` messages, 0 for none: limit starts at the position
 * plus the window. Again on a subscription that is live: since NULL keeps position, limit and window and answers with
 * the newest; otherwise it gets nothing until the answer and restarts there. Again while an answer is awaited: the
 * calls are answered in their order, each with what the one before left. name is copied, ops must be set.
 */
void hub_subscribe(struct hub *hub, struct subscription *subscription, struct text name, const struct position *since,
		   uint64_t window);
void hub_unsubscribe(struct subscription *subscription); /* also while the answer is pending, also when not subscribed */

/* A new limit (an ack): hands over what it lets through. Ignored while not live, or without a window. */
void hub_set_limit(struct subscription *subscription, uint64_t limit);

const char *hub_channel_name(const struct channel *channel);
const char *hub_channel_epoch(const struct channel *channel);
uint64_t hub_channel_newest(const struct channel *channel);

/*
 * A request whose answer may take a while. Embed it; the owner keeps it until done was called, or gives it up with
 * hub_op_cancel, after which done is not called and the memory is the owner's again at once.
 */
struct hub_op {
	void *state; /* the hub's own */
};
void hub_op_cancel(struct hub_op *op); /* nothing when it is done or was never started */

struct published {
	enum hub_status status;
	struct position at;
};
typedef void (*hub_published_fn)(struct hub_op *op, const struct published *answer);

/*
 * Stores and orders a message. data is JSON text. key len 0: none. When this process has subscribers on the channel,
 * done is called after they were handed the message. Publishes of one caller keep their order.
 */
void hub_publish(struct hub *hub, struct hub_op *op, struct text channel, struct text data, struct text key,
		 hub_published_fn done);

struct history {
	enum hub_status status;
	char epoch[EPOCH_MAX + 1];
	uint64_t newest;
	struct message **messages; /* borrowed for the call */
	size_t count;
	bool complete; /* nothing published in the range is missing */
};
typedef void (*hub_history_fn)(struct hub_op *op, const struct history *answer);

/*
 * Messages from..to, inclusive; the lowest part when the limits above (bytes of data) cut it, but at least one. What
 * is above the newest is not missing: nothing was published there.
 */
void hub_history(struct hub *hub, struct hub_op *op, struct text channel, uint64_t from, uint64_t to,
		 hub_history_fn done);

#endif
