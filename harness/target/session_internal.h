#pragma once
/* The inside of a session; session*.c alone use it. */
#include "harness/target/dialect_rules.h"
#include "harness/target/session.h"

#define BIT(ID) (1ull << NAME_##ID)

enum {
	SESSION_NAME_MAX = 4096,        /* octets of a channel's name */
	SESSION_MESSAGE_MAX = 64 << 20, /* octets of one message that is said */
	SESSION_REQUEST_MAX = 64 << 10, /* octets of everything in a request */
	SESSION_TEXT_MAX = 1024,        /* octets of a code or reason that are passed on */
};

/* A value of the server's that is given back to it. */
struct session_kept {
	struct buf text;
	bool set, json;                 /* json: it was no string, and is given back as it was written */
	bool given;                     /* by the owner or the dialect file: never forgotten */
};

struct session_position {
	uint64_t seq;
	bool has_seq;
	struct session_kept epoch, cursor;
	uint64_t not_acked;             /* messages since the last ack */
};

struct session_channel {
	uint32_t number;
	uint32_t hash;                  /* of the name */
	char *name;
	size_t name_len;
	uint64_t id;                    /* of the request that subscribed it */
	bool asked, active;             /* on this connection: it was asked for; and confirmed */
	bool restoring;                 /* nothing is asked: the server says that it goes on */
	bool resuming;                  /* asked with a position */
	bool was;                       /* confirmed once, on any connection */
	uint64_t replay_to;             /* messages up to here are replayed; 0: none */
	struct session_position position;
};

struct session_pending {
	uint64_t id, op;
	uint32_t channel;
	bool http, done;
};

enum session_state { SESSION_CLOSED, SESSION_AFTER, SESSION_OPENING, SESSION_READY };

struct session_stream {                 /* of an event stream */
	struct buf line, event, id, data;
	bool cr, has_data, broken;
};

struct session {
	const struct dialect *dialect;
	const struct dialect_rules *rules;
	const struct session_events *events;
	void *owner;
	enum session_state state;
	uint64_t connection;            /* changes with every open and close */
	uint64_t now_us, heartbeat_us;
	bool resuming;                  /* this connection was asked for with what was known of an older one */
	enum recovered recovered;       /* what was said about that */
	bool acks;
	uint64_t last_id;
	struct session_kept kept[TEMPLATE_NAMES_MAX]; /* session, client, variables */
	struct template_values given;   /* those that were given, for patterns */
	struct session_position position; /* DIALECT_SCOPE_CONNECTION */
	uint64_t begun_on;              /* the connection on which that position began anew */
	struct session_channel **channels;
	size_t n_channels, cap_channels;
	struct session_pending *pending; /* a ring, by rising id */
	size_t pending_head, n_pending, cap_pending;
	struct arena request;
	struct session_stream stream;
};

/* session.c */
void session_keep(struct session_kept *kept, const struct template_value *value);
void session_keep_text(struct session_kept *kept, struct span text);
void session_unkeep(struct session_kept *kept);
/* Everything that may be said: kept values, and, of a channel (may be NULL), its name and position. */
void session_values(const struct session *s, const struct session_channel *ch, struct template_values *ret);
int session_say(struct session *s, enum dialect_say what, const struct template_values *values);
/* The connection may be used (or, ok false, not). */
void session_ready(struct session *s, struct session_news *n);
/* The first message, if there is one; what `connect.after` waits for came. */
void session_say_connect(struct session *s);

/* session_channel.c */
struct session_channel *session_channel_find(const struct session *s, uint32_t number);
struct session_channel *session_channel_named(const struct session *s, struct span name);
struct session_position *session_position_of(struct session *s, struct session_channel *ch);
void session_channel_ask(struct session *s, struct session_channel *ch);
void session_channel_confirm(struct session *s, struct session_channel *ch, struct session_news *n,
			     const struct template_values *values);
void session_ack(struct session *s, struct session_channel *ch);
/* The server's session is another one than before: a position of the connection was the old one's. Once a connection. */
void session_begin_anew(struct session *s);
void session_position_forget(struct session_position *p);
void session_position_fini(struct session_position *p);
void session_channel_free(struct session_channel *ch);

/* session_publish.c */
struct session_pending *session_pending_find(struct session *s, uint64_t id);
struct session_pending *session_pending_oldest(struct session *s);
void session_pending_done(struct session *s, struct session_pending *p);
/* All but those by HTTP are forgotten. */
void session_pending_drop(struct session *s);

/* session_receive.c */
struct session_texts {
	char code[SESSION_TEXT_MAX], reason[SESSION_TEXT_MAX];
};

/* One unit and the pattern that it matches. */
struct session_heard {
	struct session *s;
	struct template_input *in;
	const struct template *pattern;
	struct template_values values;
	struct session_news news;
	struct session_texts texts;
	bool late;                      /* an answer that nobody waits for any more */
};

/* An answer that nobody waits for: it is late, when something was asked by that number. False. */
bool session_too_late(struct session_heard *h);
/* seq, epoch, recovered, code and reason as they were matched. */
void session_news_fill(struct session_news *n, const struct template_values *values, struct session_texts *texts);
void session_unit(struct session *s, struct span unit);

/* session_deliver.c */
/* The channel that a unit speaks of, by its name, by the request that subscribed it, or as the only one; or NULL. */
struct session_channel *session_channel_heard(struct session_heard *h);
/* Each of {"$each": }, a message of its own. */
void session_deliver_each(struct session_heard *h, uint32_t channel, bool replay);
bool session_on_deliver(struct session_heard *h);

/* session_stream.c: octets of an event stream; each event goes to session_unit() as "event: E\nid: I\n\nDATA". */
void session_stream_init(struct session_stream *stream);
void session_stream_reset(struct session_stream *stream);
void session_stream_fini(struct session_stream *stream);
void session_stream_data(struct session *s, struct span octets);
