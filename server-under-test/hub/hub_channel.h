#ifndef SERVER_HUB_CHANNEL_H
#define SERVER_HUB_CHANNEL_H

#include "server-under-test/hub/hub.h"
#include "server-under-test/base/list.h"
#include "server-under-test/hub/ring.h"
#include "server-under-test/store/store.h"
#include "server-under-test/base/table.h"

/*
 * The inside of the hub, for hub*.c alone:
 *   hub.c            the table of channels, the store's upcalls, sessions
 *   hub_channel.c    a channel's life: made, attached, idle, dropped
 *   hub_fanout.c     live subscriptions: what is handed to whom
 *   hub_subscribe.c  subscriptions whose answer is awaited
 *   hub_fill.c       older messages from the store into the ring
 *   hub_publish.c    requests: publish
 *   hub_history.c    requests: history
 *   hub_defects.c    deliberate bugs
 */

#define HUB_IDLE_S 60.0 /* a channel without subscribers stays attached this long */
#define HUB_IDLE_STEP_S 1.0 /* they are looked at no more often */
#define HUB_IDLE_MAX 4096 /* such channels; the one that is idle longest goes first */
#define HUB_FILL_MESSAGES 1000 /* of one answer of the store */
#define HUB_FILL_BYTES (512u * 1024)
#define HUB_ASKS_MAX 8 /* times the store is asked for one subscription; it answers inconsistently after that */

struct hub {
	struct ev_loop *loop;
	const struct config *config;
	const struct store_ops *ops;
	struct store *store; /* NULL: not started */
	bool up;
	struct table channels;
	struct link idle; /* channels, longest idle first */
	unsigned idle_count;
	struct ev_timer idle_timer;
	struct link requests; /* in the store's hands */
	uint64_t ticket; /* of the last hub_subscribe that had to wait */
	struct hub_watch *watches;
	struct hub_watch *watch_next; /* the one to be told next, while they are told */
};

enum channel_state {
	CHANNEL_DETACHED, /* nobody is live on it */
	CHANNEL_ATTACHING,
	CHANNEL_ATTACHED,
};

/*
 * A walk over a channel's subscriptions or waiting ones, on the stack of who walks. Whatever the callbacks unsubscribe
 * is taken out of every walk.
 */
struct walk {
	struct walk *outer;
	struct subscription *current, *next;
	struct waiting *waiting;
};

/* The store is asked for messages below the ring, or for where the channel is: one question at a time. */
struct fill {
	struct store_op op;
	bool busy;
	unsigned epochs; /* of the channel when it was asked */
	struct message **held; /* what came, until it reaches the ring; contiguous */
	size_t count, size;
};

struct channel {
	struct table_node node;
	struct hub *hub;
	char name[CHANNEL_NAME_MAX + 1];
	enum channel_state state;
	struct store_op attach;
	struct position newest; /* of the live feed */
	unsigned epochs; /* changes of epoch seen */
	struct ring ring; /* its newest messages, up to newest; a cache of the store */
	struct subscription *first, *last; /* live */
	struct link waiting; /* struct waiting, in the order of their tickets */
	struct link publishes; /* struct request: stored, but not handed out here yet */
	struct fill fill;
	struct walk *walks;
	struct link idle; /* in hub->idle when it has neither live nor waiting ones */
	double idle_since_s;
};

/* One hub_subscribe whose answer is awaited; subscription->pending is the first of its subscription. */
struct waiting {
	struct link link;
	struct waiting *after; /* the next of the same subscription */
	struct subscription *subscription;
	uint64_t ticket;
	bool has_since;
	struct position since;
	uint64_t window;
	unsigned asks;
	bool asking; /* the fill that is under way is for this one too */
	struct position store_newest; /* asks > 0: what the store said */
	uint64_t store_first;
};

/* A hub_publish or hub_history. Freed when it is answered, or when cancelled and the store has let go of it. */
struct request {
	struct store_op store;
	struct link link; /* in hub->requests or channel->publishes */
	struct hub *hub;
	struct hub_op *op; /* NULL: cancelled */
	hub_published_fn published;
	hub_history_fn history;
	uint64_t from, to; /* history */
	struct position at; /* publish: where it is */
	bool released; /* publish: the channel went on to another epoch without it */
	uint64_t ticket; /* publish: whoever subscribed earlier is handed it first */
	char channel[CHANNEL_NAME_MAX + 1];
};

/* hub_channel.c */
struct channel *channel_find(const struct hub *hub, struct text name);
struct channel *channel_get(struct hub *hub, struct text name); /* made, detached, when it is not there */
void channel_attach(struct channel *channel); /* nothing when it is attached or about to be */
void channel_check_idle(struct channel *channel); /* after something left it; may free it unless it is walked */
void channel_idle_stop(struct channel *channel); /* something came */
void channel_free(struct channel *channel);
void channel_on_idle_timer(struct ev_loop *loop, struct ev_timer *timer, int events);

/* hub_fanout.c */
void fanout_add(struct channel *channel, struct subscription *subscription); /* live from now on */
void fanout_remove(struct subscription *subscription); /* live no more */
void fanout_hand(struct subscription *subscription); /* what the ring has for it, as far as its limit lets */
void fanout_message(struct channel *channel, struct message *message); /* it has just been pushed */
void fanout_evict(struct channel *channel); /* those whose next message has left the ring */
void fanout_epoch(struct channel *channel); /* the channel is at newest, the ring empty */
void walk_begin(struct channel *channel, struct walk *walk); /* the channel is not freed before the end */
void walk_end(struct channel *channel, struct walk *walk); /* the channel may be gone after it */

/* hub_subscribe.c */
void waiting_pass(struct channel *channel); /* answers those that can be, asks the store for the others */
void waiting_fail(struct channel *channel, bool only_asking); /* HUB_UNAVAILABLE */
bool waiting_before(const struct channel *channel, uint64_t ticket); /* whether one with this ticket or lower is left */
bool waiting_needs_store(const struct waiting *waiting);
bool waiting_same_epoch(const struct waiting *waiting); /* whether its `since` is of the channel's epoch */

/* hub_fill.c */
void fill_ask(struct channel *channel); /* for the waiting ones that need it; nothing when it is under way */
void fill_fini(struct channel *channel);

/* hub_publish.c */
struct request *request_new(struct hub *hub, struct hub_op *op, struct text channel);
struct hub_op *request_finish(struct request *request); /* frees it; the op to answer, or NULL when cancelled */
void request_store(struct request *request, struct text data, struct text key); /* hands it to the store */
void publishes_pass(struct channel *channel, bool all); /* answers those that were handed out here, or all */

/* hub_defects.c */
void defect_publish_swapped(struct request *request, struct text data, struct text key);
void defect_own(struct text data); /* published here */
bool defect_is_own(const struct message *message);
bool defect_hand_swapped(struct channel *channel, struct subscription *subscription, struct message *message);
void defect_hand_wastefully(struct channel *channel, struct subscription *subscription, const struct message *message);

#endif
