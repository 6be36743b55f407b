#pragma once
/*
 * One client's conversation in a dialect, across all its connections: what to ask for when connecting, what to say, what
 * is heard, where each channel stands, how to resume. Pure: no socket, no clock; who owns it carries messages and tells
 * the time.
 *
 * Life: session_new; then for each connection session_request, session_open (the handshake went well), messages,
 * session_closed. In between, on an open connection: subscribe, publish. Callbacks come from inside these calls; from
 * inside a callback everything but session_free may be called.
 *
 * By transport of the dialect:
 *	WebSocket   session_receive gets whole messages, `say` is one message
 *	SSE         session_open when the answer to the GET is 200; session_receive gets the octets of its body as they
 *	            come, `say` is never called
 *	adapter     a WebSocket whose messages a process translates (adapter.h): what it heard goes to session_receive,
 *	            what is said goes to it
 *
 * Where the URL names the channel (DIALECT_CHANNEL_BY_URL) a session has one channel: session_subscribe it before
 * session_request. Where publishing is by HTTP (dialect.publish_by_http) a publisher needs no connection at all.
 */
#include "harness/base/arena.h"
#include "harness/base/buf.h"
#include "harness/base/span.h"
#include "harness/history/event.h"
#include "harness/target/dialect.h"

enum {
	SESSION_CHANNELS_MAX = 1024, /* of one session */
	SESSION_UNIT_MAX = 32 << 20, /* octets of one message that is read */
	SESSION_EPOCH_MAX = 256,     /* octets of an epoch */
	SESSION_CURSOR_MAX = 1024,   /* octets of an opaque cursor, a session id, any other value that is kept */
	SESSION_PENDING_MAX = 65536, /* publishes without an answer */
};

struct session;

/* What came with an answer or a message; what the dialect does not tell is 0, NULL, empty or untold. */
struct session_news {
	uint32_t channel;          /* the owner's number; 0: of a channel that is not subscribed (any more) */
	uint64_t op;               /* of session_publish */
	bool ok;                   /* of an answer */
	bool unsure;               /* a refusal that may have been done all the same: the outcome is unknown */
	enum recovered recovered;
	uint64_t seq;              /* of a message or publish; of `subscribed` and `moved`: the newest */
	struct span epoch;         /* of a message that tells none: that of its subscription */
	struct span data;          /* of a message: as it was published */
	bool replay;
	const char *code, *reason; /* of a refusal or an error the target told */
};

struct session_events {
	/* Send this; binary: as a binary message. */
	void (*say)(void *owner, struct span message, bool binary);
	/* Publish by HTTP: the owner sends it and answers with session_http_done(op, status, body). */
	void (*http)(void *owner, uint64_t op, const char *method, const char *target, const char *type, struct span body);
	/* The connection may be used; ok false: it was refused, and the owner closes it. */
	void (*ready)(void *owner, const struct session_news *n);
	void (*subscribed)(void *owner, const struct session_news *n);
	void (*published)(void *owner, const struct session_news *n);
	void (*message)(void *owner, const struct session_news *n);
	/* The channel's epoch changed, or the server ended the subscription (ok false), unasked. */
	void (*moved)(void *owner, const struct session_news *n);
	void (*acked)(void *owner, uint32_t channel, uint64_t seq);
	void (*ping)(void *owner); /* a heartbeat of the dialect's own came, and is answered */
	void (*error)(void *owner, const struct session_news *n);
	/* A message that the dialect has no rule for, or that its framing cannot cut. */
	void (*unknown)(void *owner, struct span message);
	/* Seconds since 1970, for requests that are signed. NULL: by the clock. */
	uint64_t (*unix_s)(void *owner);
};

/*
 * variables: those of the dialect's file (dialect_variables), and "client", a name that no other client has; may be
 * NULL; copied. -ENOMEM.
 */
int session_new(const struct dialect *d, const struct opt_map *variables, const struct session_events *events,
		void *owner, struct session **ret_session);
void session_free(struct session *s);

/* What the next connection's request holds. Texts live until the next call of this session. */
struct session_request {
	const char *target;        /* path and query, made from the base's */
	const struct opt_pair *headers;
	size_t n_headers;
	bool resumes;              /* it asks for a session that was there before */
};
/*
 * base: path and query of the target's URL; lives until then too. -ENOBUFS; -ENOTSUP: the URL names the channel, and
 * there is none.
 */
int session_request(struct session *s, const char *base, struct session_request *ret);
void session_open(struct session *s, uint64_t now_us);
/* binary makes no difference to any dialect so far. */
void session_receive(struct session *s, struct span message, bool binary, uint64_t now_us);
/*
 * Also for a connection that never opened. Publishes that wait are forgotten without a callback (not those by HTTP):
 * their outcome is unknown. Returns how the target wants a client to go on after this close code (1006: none came);
 * AFRESH: session_forget was done.
 */
enum session_then { SESSION_RECONNECT, SESSION_AFRESH, SESSION_STOP };
enum session_then session_closed(struct session *s, int code);

/*
 * Adds a channel by its name and subscribes once the connection is ready, on every connection again: with a resume where
 * the dialect has one and a position is known. seq of `invoke` events: session_cursor. One that the server ended is
 * asked for again. -ENOTSUP: a second channel where the URL names it; -ENOBUFS, -ENOMEM.
 */
int session_subscribe(struct session *s, uint32_t channel, const char *name);
void session_unsubscribe(struct session *s, uint32_t channel);
/*
 * key: for an idempotent publish, may be NULL. Only when ready, or by HTTP. op: the owner's number, in the answer.
 * -EAGAIN: not ready; -ENOTSUP: the dialect cannot publish, or not on a channel that it is not subscribed to; -EILSEQ:
 * the data is not UTF-8; -ENOBUFS: SESSION_PENDING_MAX. A dialect without answers is answered at once by `published`
 * with ok and seq 0, from inside the call.
 */
int session_publish(struct session *s, uint32_t channel, const char *name, struct span data, const char *key,
		    uint64_t op);
/* status 0: no answer came. */
void session_http_done(struct session *s, uint64_t op, int status, struct span body);
/* A publish whose answer nobody waits for any more. */
void session_give_up(struct session *s, uint64_t op);
/* Where a channel stands: seq and epoch of the newest message; false: nowhere yet. */
bool session_cursor(const struct session *s, uint32_t channel, uint64_t *ret_seq, struct span *ret_epoch);
/* Everything that was learned is forgotten, as by a client that is started anew; channels stay. */
void session_forget(struct session *s);
/* Acknowledge (where the dialect does) or not: a client that is slow on purpose. Default: true. */
void session_set_acks(struct session *s, bool on);

/* When session_wake() is wanted (heartbeats of the dialect); UINT64_MAX: never. */
uint64_t session_wake_at(const struct session *s);
void session_wake(struct session *s, uint64_t now_us);
