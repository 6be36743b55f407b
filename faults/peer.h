#pragma once
/*
 * The peer plane: a crowd of connections of ours that misbehave on purpose. A fault says what one of them does
 * (struct peer_ops); opening them at a rate, the handshake, reading frames, events and the end are done here.
 */
#include "faults/fault.h"
#include "harness/base/buf.h"
#include "harness/net/dial.h"
#include "harness/ws/frame.h"
#include "harness/ws/handshake.h"

enum {
	PEERS_MAX = 20000,         /* connections of one fault */
	PEER_FIELDS_MAX = 32,      /* header fields of the target's own */
	PEER_CONTROL_MAX = CONTROL_PAYLOAD_MAX,
	PEER_UNSENT_MAX = 1 << 20, /* octets queued in one connection before it waits with sending */
	PEER_SAY_MAX = 64 << 10,   /* octets of one message of `say` */
};

/* Where and how they connect. Everything is borrowed and outlives the faults. */
struct fault_peers {
	const struct dial_addresses *addresses;
	struct tls_context *tls;   /* NULL: plain */
	const char *server_name;   /* TLS only */
	const char *host;          /* of the Host field: "example.com:8080" */
	const char *path;          /* "/ws?token=x" */
	const struct opt_map *headers; /* the target's own fields; may be NULL */
	const char *subprotocol;   /* or NULL */
};

struct peer;

/* What one connection does. Each may be NULL. A peer may be ended with peer_end() from inside any of them. */
struct peer_ops {
	size_t state_size;         /* octets of peer->state, zeroed for each connection */
	bool silent;               /* Pings and Closes are not answered */
	bool raw;                  /* no handshake is sent: `connected` does what is to be done */
	void (*connected)(struct peer *p); /* TCP (and TLS) is open */
	/* Offers of the handshake: adds a field. The request is written after it. */
	void (*request)(struct peer *p, struct handshake_request *q);
	void (*open)(struct peer *p);      /* the 101 came, and what `say` wants was sent */
	void (*frame)(struct peer *p, const struct frame_head *h); /* the head of a frame came */
	void (*data)(struct peer *p, size_t octets); /* octets came, after `frame` */
	void (*wake)(struct peer *p);      /* peer_wake_in() */
	void (*end)(struct peer *p);       /* it is over; state is freed behind it */
};

/* Options that every fault of this plane has: PEER_OPTIONS(struct, member) as rows of its table. */
struct peer_options {
	uint64_t connections;
	double open_rate;          /* a second; 0: at once */
	struct opt_strings say;
};
#define PEER_OPTIONS(T, M, n) \
	{.name = "connections", .type = OPT_U64, .offset = offsetof(T, M.connections), .def = n, .min = 1, \
	 .max = PEERS_MAX, .help = "connections that do it at once"}, \
	{.name = "open_rate", .type = OPT_RATE, .offset = offsetof(T, M.open_rate), .def = "200/s", \
	 .help = "how fast they are opened; 0/s: at once"}, \
	{.name = "say", .type = OPT_STRINGS, .offset = offsetof(T, M.say), \
	 .help = "text messages sent once open, such as a subscription"}

struct crowd;

struct peer {
	struct fault_run *run;
	struct crowd *crowd;
	uint64_t number;           /* from 1 */
	struct rng rng;            /* of (run, number) */
	void *state;
	struct stream *stream;
	bool open, ended;
	bool was_open;             /* its handshake had succeeded before it ended */
	bool deflate;              /* the target agreed to permessage-deflate */
	int close_code;            /* of the target's Close; CLOSE_ABNORMAL without one */
	uint64_t came, sent;       /* octets, after TLS; sent: of frames */

	/* internal */
	const struct peer_ops *ops;
	struct timer timer;
	struct frame_reader reader;
	struct buf head;           /* the reply until it is whole */
	uint8_t control[PEER_CONTROL_MAX];
	size_t control_len;
	bool waiting;              /* for its turn to be opened */
	const char *how;           /* it ended */
};

/*
 * Starts them; receive_buffer: SO_RCVBUF in octets, 0: the kernel's. -EINVAL when the site has no peers, -ENOMEM.
 */
int crowd_start(struct fault_run *run, const struct peer_options *o, const struct peer_ops *ops, int receive_buffer,
		struct crowd **ret_crowd, struct err *e);
/* Ends all (RST where octets are unsent, so that nothing lingers, else FIN) and frees. NULL is fine. */
void crowd_stop(struct crowd *c);
/* `stop` of a fault whose state is its crowd, a struct crowd *, and nothing else. */
void crowd_heal(struct fault_run *run);
/* How many there are, and the i-th of them. */
size_t crowd_len(const struct crowd *c);
struct peer *crowd_at(struct crowd *c, size_t i);

/* Sends one frame, masked with a key from the peer's rng. False when it is over or PEER_UNSENT_MAX is reached: nothing
 * was sent. */
bool peer_send(struct peer *p, struct frame f);
/* Octets as they are. */
bool peer_send_raw(struct peer *p, struct span octets);
/* Stops or goes on reading. */
void peer_pause(struct peer *p, bool paused);
/* One wish at a time. */
void peer_wake_in(struct peer *p, uint64_t ms);
/* Ends it: RST or FIN; "how" is told in the event. Its `end` is not called. */
void peer_end(struct peer *p, bool reset, const char *how);
/* Opens a peer that has ended again, after a time. */
void peer_again(struct peer *p, uint64_t after_ms);
/* fault_tell() with the connection's number. */
#define peer_tell(p, what, ...) fault_tell((p)->run, what, NULL, (p)->number, __VA_ARGS__)
