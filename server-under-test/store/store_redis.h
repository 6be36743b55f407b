#ifndef SERVER_STORE_REDIS_H
#define SERVER_STORE_REDIS_H

#include "server-under-test/base/list.h"
#include "server-under-test/store/store.h"
#include "server-under-test/store/store_redis_address.h"
#include "server-under-test/store/store_redis_link.h"
#include "server-under-test/store/store_redis_reply.h"
#include "server-under-test/base/table.h"

/*
 * The inside of the Redis store, for its own files:
 *   store_redis.c          connecting, going down, coming back; the table of operations
 *   store_redis_call.c     the script (store_redis.lua) and what to do when Redis has forgotten it
 *   store_redis_channel.c  what is known of channels; publish and range
 *   store_redis_live.c     attached channels: events in, gaps filled, resync
 *   store_redis_session.c  sessions; store_redis_record.c what is kept of one
 *   store_redis_link.c     one connection; store_redis_address.c, store_redis_reply.c
 */

#define REDIS_SEQ_MAX (1ull << 53) /* what Lua counts exactly */
#define REDIS_REMEMBERED_MAX 4096 /* channels not attached of which the newest known message is remembered */
#define REDIS_IDLE_S 86400.0 /* at least so long an idle channel keeps its place; twice the retention if that is more */
#define REDIS_BACKOFF_MIN_S 0.1
#define REDIS_BACKOFF_MAX_S 2.0
#define REDIS_LOOKUP_POLL_S 0.02
#define REDIS_TICK_MAX_S 1.0 /* between two looks at whether Redis still answers */

enum redis_state {
	REDIS_AWAY, /* waits to try again */
	REDIS_CONNECTING, /* looks up the address, connects, greets */
	REDIS_SYNCING, /* fetches what was missed */
	REDIS_UP,
};

struct store {
	struct ev_loop *loop;
	const struct config *config;
	struct store_sink sink;
	struct redis_address address;
	enum redis_state state;
	struct redis_link commands;
	struct redis_link events; /* SUBSCRIBE */
	struct ev_timer retry; /* backoff, and the wait for the look-up */
	struct ev_timer tick;
	unsigned attempts; /* in vain, since it was last up */
	unsigned greeting; /* connections that are not ready yet */
	size_t behind; /* channels to catch up before it is up */
	char sha[41]; /* of the script */
	struct link calls; /* of the script, oldest first */
	size_t in_flight; /* of calls */
	struct table channels;
	struct link attached; /* of channels */
	struct link remembered; /* the others, least recently used first */
	size_t remembered_count;
	struct table sessions;
	struct link held; /* sessions, longest not refreshed first */
	char *takeovers; /* name of the pub/sub channel all nodes listen to */
};

/* Both connections are of no use any more: everything pending is answered, and it tries again later. */
void store_redis_fail(struct store *store);
/* One of `behind` has caught up. */
void store_redis_caught_up(struct store *store);
void store_redis_unavailable(struct store_op *op);

/* Loads the script. ready is called when it can be used; false: it cannot. */
void redis_calls_load(struct store *store, redis_reply_fn loaded);
/*
 * Calls the script: words are `keys` keys, then the verb and its arguments. In order: if Redis has lost the script, no
 * call overtakes another. fn gets NULL, or an error, when it may or may not have happened.
 */
void redis_call(struct store *store, redis_reply_fn fn, void *arg, int keys, int count, const struct text *words);
void redis_calls_fail(struct store *store); /* after the links were closed: none is left */

/* A message that is known to have existed. at_us tells it from another one with the same place. 0: not known. */
struct redis_mark {
	struct position position;
	uint64_t at_us;
};

enum redis_live {
	REDIS_DETACHED,
	REDIS_SUBSCRIBING, /* the answer to SUBSCRIBE, then the first look, are awaited */
	REDIS_LIVE,
};

/* Counted: the table and every call that is under way. A dead one is in no table any more. */
struct redis_channel {
	struct table_node node;
	struct link link; /* attached or remembered */
	struct store *store;
	unsigned refs;
	bool dead;
	bool doubt; /* the link was lost since top was learnt: the script shall check it */
	struct redis_mark top; /* the newest message that is known */
	enum redis_live live;
	bool looking; /* a look is under way to fill a gap */
	bool again; /* what was heard meanwhile may need another */
	bool behind; /* counted in store->behind */
	struct link heard; /* messages that came meanwhile, in their order */
	size_t heard_bytes;
	struct position handed; /* the last one given to the sink */
	struct store_op *attaching; /* waits for its answer */
	struct text stream, hash, index, events; /* names in Redis, within name's memory */
	char name[];
};

void redis_channels_init(struct store *store);
void redis_channels_fini(struct store *store);
struct redis_channel *redis_channel_find(struct store *store, struct text name); /* NULL: not known */
/* Made if need be, remembered then. */
struct redis_channel *redis_channel_get(struct store *store, struct text name);
struct redis_channel *redis_channel_ref(struct redis_channel *channel);
void redis_channel_unref(struct redis_channel *channel);
/* Takes it out of the table and its list; a remembered one with the same top stands in its place. */
void redis_channel_replace(struct redis_channel *channel);
void redis_channel_forget(struct redis_channel *channel);
/* Redis said that this message is there. */
void redis_channel_learn(struct redis_channel *channel, const struct redis_mark *mark);

/* The answer to a look. */
struct redis_look {
	struct redis_mark newest;
	uint64_t base; /* where the epoch began */
	uint64_t first;
	struct stored *messages; /* the texts are the reply's */
	size_t count;
};
bool redis_look_read(struct redis_look *look, const struct redisReply *reply); /* false: nothing to free */
void redis_look_fini(struct redis_look *look);
/* Takes a reference on channel for fn, which gets it as its arg. count 0: no messages. */
void redis_look_call(struct redis_channel *channel, uint64_t from, uint64_t to, size_t max_count, size_t max_bytes,
		     redis_reply_fn fn, void *arg);

void redis_publish(struct store *store, struct text channel, struct text data, struct text key, struct store_op *op);
void redis_range(struct store *store, const char *channel, uint64_t from, uint64_t to, size_t max_count,
		 size_t max_bytes, struct store_op *op);

void redis_attach(struct store *store, const char *channel, struct store_op *op);
void redis_detach(struct store *store, const char *channel);
void redis_live_event(struct store *store, struct text name, struct text payload);
void redis_live_forget(struct redis_channel *channel); /* what was heard and not handed over */
void redis_live_down(struct store *store); /* the links are closed */
void redis_live_resync(struct store *store); /* they are open: counts up store->behind */

void redis_sessions_init(struct store *store);
void redis_sessions_fini(struct store *store);
void redis_session_claim(struct store *store, const char *wanted, const char *fresh, const char *user,
			 const char *conn, struct store_op *op);
void redis_session_save(struct store *store, const struct session_record *record, const char *conn, bool ended,
			struct store_op *op);
void redis_session_event(struct store *store, struct text payload);
void redis_sessions_resync(struct store *store); /* saves what could not be saved, looks who holds the others */
void redis_sessions_tick(struct store *store); /* refreshes those whose turn it is */

char *redis_record_write(const struct session_record *record); /* free() it */
/* Sets the cursors, which are to be freed. false: it is none of ours, nothing to free. */
bool redis_record_read(struct session_record *record, struct text text);

#endif
