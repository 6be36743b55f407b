#pragma once
/*
 * The stream faults in force on a proxy, or on the harness's own clients: an ordered, named list, in Toxiproxy's word
 * toxics, that every connection's chain follows at once, also those that are open already.
 */
#include "faults/fault.h"
#include "faults/filter.h"

enum {
	TOXICS_MAX = 64,           /* toxics on one set */
	TOXIC_NAME_MAX = 128,      /* octets of a toxic's name */
	TOXIC_DETAIL_MAX = 256,    /* octets of the detail of an event */
};

struct toxic {
	const struct fault *fault;
	char name[TOXIC_NAME_MAX + 1];
	unsigned streams;          /* STREAM_* bits */
	double toxicity;           /* 0 to 1: the share of connections it is put on */
	uint64_t ends_us;          /* when it goes by itself; UINT64_MAX: never */

	/* internal */
	void *options;             /* a copy; what it points to lives in `arena` */
	struct tls_context *certificate; /* that it shows; NULL: none */
	struct arena arena;
	struct toxic *next;
};

struct chain;

struct toxics {
	uint64_t seed;
	const char *name;          /* the proxy's, part of every connection's seed; outlives this */
	void (*on_event)(void *owner, const struct fault_event *event); /* may be NULL */
	void *owner;
	/* Of a proxy that ends TLS: what it shows; outlives this. NULL: elsewhere, where no toxic can show another one. */
	const struct tls_context *certificate;
	struct toxic *first;       /* in the order of adding */
	size_t n;

	/* internal */
	struct chain *chains;
	uint64_t connections;      /* numbered so far */
	bool busy;                 /* inside one of the functions below, which its events must not call */
};

/* What is wanted. options: the struct of the fault's table; strings in it are copied by reading them anew (NULL name:
 * the fault's name and stream, as Toxiproxy names it: "latency_downstream"; streams 0: the fault's own). */
struct toxic_spec {
	const struct fault *fault;
	const char *name;
	unsigned streams;
	double toxicity;           /* 0 to 1 */
	uint64_t duration_ms;      /* 0: until removed */
	/* Fills the options struct, defaults are there already; strings go to the arena. 0, or -EINVAL with a sentence. */
	int (*fill)(const void *from, const struct fault *f, void *options, struct arena *a, struct err *e);
	const void *from;
};

/* "upstream", "downstream", "both" of STREAM_* bits. */
const char *streams_name(unsigned streams);

void toxics_init(struct toxics *t, uint64_t seed, const char *name);
/* Asserts that no chain is left but those with on_set_end. */
void toxics_fini(struct toxics *t);

/*
 * At the end of the list, on every open connection at once (toxicity decides for each). -EEXIST: the name is taken;
 * -EINVAL: not a stream fault, a bad name (text without '/' and controls), bad options; -ENOSPC: TOXICS_MAX; -ENOTSUP:
 * it shows a certificate, and no TLS is ended here; what making that gave. With a sentence; then nothing has changed.
 */
int toxics_add(struct toxics *t, const struct toxic_spec *spec, uint64_t now_us, struct toxic **ret_toxic,
	       struct err *e);
/* New options and toxicity, and streams when not 0, in place: what connections hold is kept. As toxics_add;
 * `spec->fault` and name stay. */
int toxics_update(struct toxics *t, struct toxic *toxic, const struct toxic_spec *spec, uint64_t now_us, struct err *e);
/* Open connections go on without it: what it held is passed on at once. */
void toxics_remove(struct toxics *t, struct toxic *toxic, uint64_t now_us);
/* Removes all; what they held passes as by itself. */
void toxics_clear(struct toxics *t, uint64_t now_us);
struct toxic *toxics_find(struct toxics *t, const char *name);
/* Removes those whose time is over; returns when the next one ends, UINT64_MAX: none. */
uint64_t toxics_expire(struct toxics *t, uint64_t now_us);

/* The chain of one connection
 * ------------------------------------------------------------------------------------------ */

struct chain_events {
	/* Octets to write to the other side; take them all. */
	void (*on_out)(void *owner, enum direction d, struct span octets);
	void (*on_out_eof)(void *owner, enum direction d);
	/* End the connection on both sides. The chain gives nothing any more. Do not free it in here. */
	void (*on_end)(void *owner, enum stream_end how);
	/* Call chain_wake() then; UINT64_MAX: never. It replaces the time told before. */
	void (*on_wake_at)(void *owner, uint64_t at_us);
	/* What the questions below are answered may have changed. */
	void (*on_change)(void *owner);
	/* The set ends: free the chain now. NULL: it must not end before the chain. */
	void (*on_set_end)(void *owner);
};

/* Which toxics: those that need the octets in clear, those that do not, or both (a connection without TLS). */
enum chain_layer { CHAIN_WIRE = 1, CHAIN_CLEAR = 2, CHAIN_BOTH = 3 };

/*
 * connection: its number, or 0: the next one. Nothing is called from inside. -ENOMEM. The set must outlive it.
 * chain_open() comes next, once both sides are there and before any octets.
 */
int chain_new(struct toxics *t, uint64_t connection, enum chain_layer layer, const struct chain_events *events,
	      void *owner, uint64_t now_us, struct chain **ret_chain);
/* Puts the toxics on. */
void chain_open(struct chain *c, uint64_t now_us);
/* NULL is fine. Not from inside one of its events. */
void chain_free(struct chain *c);
/* It is somebody else's from now on. Not from inside one of its events. */
void chain_hand_over(struct chain *c, const struct chain_events *events, void *owner);
uint64_t chain_connection(const struct chain *c);
/* Before the handshake: the certificate to be shown by the last toxic on it that has one, which tells so; or NULL. */
const struct tls_context *chain_certificate(struct chain *c);
/* Octets, FIN, time. Events come from inside these, and from toxics_*. */
void chain_data(struct chain *c, enum direction d, struct span octets, uint64_t now_us);
void chain_eof(struct chain *c, enum direction d, uint64_t now_us);
void chain_wake(struct chain *c, uint64_t now_us);
/* Another chain of this connection has ended it by silence: this one gives nothing any more either. NULL is fine. */
void chain_silence(struct chain *c);
/* The connection ends by itself: all that is held comes out now, octets and FINs; no event is told. */
void chain_let_go(struct chain *c, uint64_t now_us);
/* No filter is on it and nothing is held: octets of both directions may take a shorter way than chain_data(). */
bool chain_idle(const struct chain *c);
/* A filter holds so much of this direction that its sender is to wait. */
bool chain_full(const struct chain *c, enum direction d);
/* It is full, its sender's end is not to be looked for either, and what goes to that sender is swallowed. */
bool chain_ignores(const struct chain *c, enum direction d);
/* A RST of its sender, once found, is not to be told on, and what goes to that sender is lost. */
bool chain_keeps_reset(const struct chain *c, enum direction d);
