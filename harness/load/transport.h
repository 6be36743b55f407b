#pragma once
/*
 * What carries messages between a client and the target: a WebSocket (socket.c) or an event stream (event_stream.c).
 * From above they cannot be told apart but by what the second lacks.
 *
 * Life: made by transport_*_new(); then on_open or on_refused, once; after on_open messages, then on_end, once. Nothing
 * comes after on_refused or on_end. Callbacks come from the loop only, never from inside a call to a function of this
 * header; transport_free() may be called from inside any of them, and no callback comes after it.
 *
 * A target that breaks the protocol is not believed: a wrong answer to the handshake is a refusal, a wrong frame ends
 * the connection.
 */
#include "harness/base/buf.h"
#include "harness/history/event.h"
#include "harness/load/line.h"

enum {
	TRANSPORT_ID_MAX = 128,    /* octets of a correlation id; a longer one is cut */
	TRANSPORT_WHY_MAX = 256,   /* octets of a refusal's or an end's sentence */
	TRANSPORT_CLOSE_WAIT_MS = 4000, /* for the answer to our Close, and for the end of the connection behind it */
};

struct transport;

struct transport_end {
	int code;                  /* of the target's Close; 1005: it had none; CLOSE_ABNORMAL: none came; 0: the transport
				    * has no codes */
	const char *reason;        /* of the target's Close, made safe, "" without one */
	enum end_by by;
	bool clean;                /* Close frames went both ways; an event stream: it was complete */
	const char *note;          /* how the stream ended, "FIN", "RST"; and what was broken */
};

struct transport_events {
	void (*on_open)(void *owner);
	/* status: of the HTTP answer, 0 without one. why: one phrase. */
	void (*on_refused)(void *owner, int status, const char *why);
	void (*on_message)(void *owner, struct span message, bool binary);
	void (*on_ping)(void *owner);
	void (*on_pong)(void *owner, struct span payload);
	void (*on_end)(void *owner, const struct transport_end *end);
};

/* Borrowed during the call of transport_*_new(), but for line.way, line.toxics and scratch, which outlive it. */
struct transport_options {
	struct line_options line;
	const char *target;        /* path and query */
	const struct opt_map *headers; /* the target's own; may be NULL */
	const struct opt_pair *more_headers; /* of the dialect */
	size_t n_more_headers;
	const struct opt_strings *subprotocols; /* offered; may be NULL or empty */
	const char *id_header;     /* of the answer, with the correlation id; NULL: none */
	struct rng *rng;           /* for keys and masks; outlives it */
	struct buf *scratch;       /* of all transports of a thread: frames are made in it */
};

struct transport_ops {
	const char *name;
	bool pings;                /* transport_ping() can be used */
	int (*send)(struct transport *t, struct span message, bool binary);
	void (*ping)(struct transport *t, struct span payload);
	void (*close)(struct transport *t, int code, const char *reason);
	void (*reset)(struct transport *t);
	size_t (*unsent)(const struct transport *t);
	void (*free)(struct transport *t);
};

struct transport {
	const struct transport_ops *ops;
	const struct transport_events *events;
	void *owner;
	uint64_t heard_us;         /* clock_now_us() of the last octets; 0: none */
	const char *id;            /* correlation id once open or refused; or NULL */
};

/* -EINVAL, -ENOMEM, what dialling gave. */
int transport_socket_new(const struct transport_options *o, const struct transport_events *events, void *owner,
			 struct transport **ret_transport);
int transport_event_stream_new(const struct transport_options *o, const struct transport_events *events, void *owner,
			       struct transport **ret_transport);

/* Once open. -ENOBUFS: too much is unsent; -EPIPE: it is closing; -ENOTSUP: it cannot send. */
static inline int transport_send(struct transport *t, struct span message, bool binary)
{
	return t->ops->send(t, message, binary);
}
/* payload: at most 125 octets. */
static inline void transport_ping(struct transport *t, struct span payload)
{
	if (t->ops->pings)
		t->ops->ping(t, payload);
}
/* on_end follows, at the latest after TRANSPORT_CLOSE_WAIT_MS. Messages may still come before it. Once open; again:
 * does nothing. */
static inline void transport_close(struct transport *t, int code, const char *reason)
{
	t->ops->close(t, code, reason);
}
/* RST now. No callback comes any more. */
static inline void transport_reset(struct transport *t)
{
	t->ops->reset(t);
}
static inline size_t transport_unsent(const struct transport *t)
{
	return t->ops->unsent(t);
}
/* NULL is fine. */
static inline void transport_free(struct transport *t)
{
	if (t)
		t->ops->free(t);
}
