#pragma once
/*
 * The stream plane: a fault as a filter in the octets of one connection. Filters are pure: octets and the time come in,
 * octets and a wish to be woken go out, so that the same filter works in the proxy, in the harness's clients and in a
 * test with virtual time. For each toxic (toxics.h) on each connection there is one `struct filter`.
 *
 * Directions carry Toxiproxy's names: upstream is from client to server, downstream from server to client.
 *
 * The same for the same seed: what a filter decides may depend on its options, its rng, the offset of an octet in its
 * direction, and where frames or the handshake end; never on how the octets were cut by read(). What happens by time
 * (idle, lifetime) depends on `now_us` alone.
 */
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/base/rng.h"
#include "harness/base/span.h"

enum direction { UPSTREAM, DOWNSTREAM, DIRECTIONS };
enum { STREAM_UP = 1 << UPSTREAM, STREAM_DOWN = 1 << DOWNSTREAM, STREAM_BOTH = STREAM_UP | STREAM_DOWN };
const char *direction_name(enum direction d);

/* How a connection is ended by a filter, on both sides. */
enum stream_end {
	STREAM_END_FIN,            /* what was passed before is delivered, then FIN, no Close frame */
	STREAM_END_RST,            /* RST at once */
	/* Nothing is read, passed or ended any more; both sockets stay open. When the toxic is taken off, RST. */
	STREAM_END_SILENCE,
};

/* What a filter holds back of one direction; see held.h. */
struct held {
	size_t max;                /* above it the sender waits */
	struct buf octets;         /* the first held is at `from` */
	size_t from;
	struct buf runs;           /* struct held_run after struct held_run; the first is at `run_from` */
	size_t run_from;
};

struct filter;
struct tls_context;                /* harness/net/tls.h */

/* Each may be NULL but data. None is called after the filter ended the connection. */
struct filter_ops {
	size_t state_size;         /* octets of filter->state, zeroed */
	unsigned streams; /* where it works unless told otherwise: STREAM_UP, _DOWN, _BOTH; 0: _DOWN, as in Toxiproxy */
	/* With these options it reads the handshake or frames: where TLS is, it needs the octets inside. NULL: never.
	 */
	bool (*clear)(const void *options);
	/*
	 * Makes, once for each toxic, the certificate that a proxy which ends TLS shows in place of its usual one to each new
	 * connection that the filter is on; errors as tls_server_context_new. NULL: it shows none. The fault does nothing
	 * else, and can be nowhere else.
	 */
	int (*certificate)(const void *options, const struct tls_context *usual, struct tls_context **ret, struct err *e);
	void (*open)(struct filter *f);
	/* Of the directions it works in; the others pass by. octets are valid during the call and at least one. */
	void (*data)(struct filter *f, enum direction d, struct span octets);
	/* The sender's FIN. NULL: passed on, once nothing is held. */
	void (*eof)(struct filter *f, enum direction d);
	/* The time asked for with filter_wake_at() has come. */
	void (*wake)(struct filter *f);
	/* Its options were changed: filter->options are the new ones. */
	void (*changed)(struct filter *f);
	/* It is taken off an open connection: let go what it keeps, now. NULL: what it holds (held.h) passes. */
	void (*release)(struct filter *f);
	/* Gives back what the state owns; the connection may be gone. */
	void (*fini)(struct filter *f);
};

struct filter {
	const struct filter_ops *ops;
	const void *options;
	void *state;
	struct rng rng;            /* of (seed, proxy, connection, toxic) */
	uint64_t now_us;           /* monotonic; set before each call of ops */
	uint64_t opened_us;        /* when the connection was opened, which may be before the filter was put on it */
	uint64_t connection;       /* its number, from 1 */
	unsigned streams;          /* STREAM_* bits it works in */
	uint64_t offset[DIRECTIONS]; /* octets that came to it before those of this call */

	/* internal to chain.c */
	struct chain *chain;
	struct toxic *toxic;
	struct filter *next;       /* the next one on the chain, in the order of adding */
	uint64_t wake_at_us;
	struct held held[DIRECTIONS];
	bool ignores[DIRECTIONS], keeps_reset[DIRECTIONS];
	bool eof_came[DIRECTIONS], eof_gone[DIRECTIONS];
	bool dead;                 /* the connection was ended by it, or by one behind it */
};

/*
 * Hands octets on: to the next filter that works in this direction, or out. Inside any of ops; valid during the call.
 * Behind the FIN of that direction nothing passes any more.
 */
void filter_pass(struct filter *f, enum direction d, struct span octets);
/* Hands the FIN on. */
void filter_pass_eof(struct filter *f, enum direction d);
/*
 * Ends the connection. Nothing of it comes afterwards but fini. By FIN: filters behind it that hold what was passed
 * before give it and the FIN when they would have; all others are done.
 */
void filter_end(struct filter *f, enum stream_end how);
/* One wish at a time, the newest counts; UINT64_MAX: none. A time that has passed: as soon as possible. */
void filter_wake_at(struct filter *f, uint64_t at_us);
/*
 * The sender of d has vanished. Until the filter is taken off, it is not read from, neither its FIN nor its RST is
 * looked for, and nobody waits for it to take what was passed to it: the filter swallows what comes for it.
 */
void filter_ignore_sender(struct filter *f, enum direction d);
/* Whether a RST of the sender of d is kept back, from now on: it is told on when no filter keeps it any more. */
void filter_keep_reset(struct filter *f, enum direction d, bool keep);
/*
 * Tells an event: what ("hit" for the first octet or frame touched, and for every one where they are few), at the
 * offset `at` of d. detail_fmt may be NULL.
 */
void filter_tell(struct filter *f, enum direction d, const char *what, uint64_t at, const char *detail_fmt, ...)
	__attribute__((format(printf, 5, 6)));
