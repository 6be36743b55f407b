#pragma once
/*
 * What the events add up to, kept once for all checkers: who is connected and subscribed, what was published and how it
 * was answered, which messages each subscription has got. It states facts and judges nothing.
 *
 * A message is known by what it says itself: its stream, which is a publisher on a channel, and its index there.
 * Memory: an entry for each client, channel, stream, subscription, and pair of subscription and stream.
 */
#include "harness/base/err.h"
#include "harness/check/lives.h"
#include "harness/check/map.h"
#include "harness/check/ranges.h"
#include "harness/history/event.h"
#include "harness/target/contract.h"

enum {
	TRACK_GOT_MAX = 256,       /* ranges kept of what one subscription got of one stream */
	TRACK_STREAM_MAX = 4096,   /* ranges kept of the outcomes of one stream */
	TRACK_ERAS_MAX = 64,       /* connections of one publisher that are told apart, the newest ones */
	TRACK_FAULTS_MAX = 64,     /* faults in force at once */
	TRACK_NAME_MAX = 64,       /* octets of a fault's name */
};

struct track_client {
	uint32_t number;
	uint32_t connection;       /* the newest that might speak */
	uint32_t node;             /* of that one */
	uint32_t connections;      /* how many there were */
	bool up;
	bool closes;               /* it says goodbye itself, after the last phase */
	enum recovered recovered;  /* what was said when it came up */
	enum end_by ended_by;
	uint32_t hit;              /* the newest of its connections that a fault named */
	uint32_t tampered;         /* the newest of its connections on which a fault changed, dropped or repeated messages */
	uint64_t up_us, end_us, heard_us; /* since when, until when; the last that came from the target */
	/* Of the connection before, as the client left it; end 0: it was still open. */
	uint32_t old_connection, old_node;
	uint64_t old_up_us, old_end_us, old_heard_us;
	struct track_sub *subs;
};

struct track_channel {
	uint32_t number;
	uint64_t published;        /* invoked, over all publishers */
	struct track_stream *streams;
	struct track_sub *subs;
};

/* The messages of one publisher on one channel. */
struct track_stream {
	uint32_t slot;             /* from 0, dense */
	uint32_t channel, publisher;
	uint64_t invoked;          /* the highest index */
	uint64_t forgotten;        /* up to here `ok` may claim what was not */
	struct ranges ok, failed;  /* taken; refused. What is in neither: unknown, or not answered yet */
	struct ranges answered;    /* whatever the answer was */
	struct ranges repeated;    /* published more than once */
	/* The first index of each connection of the publisher: order is between messages of one. */
	uint64_t eras[TRACK_ERAS_MAX];
	uint32_t era_connection;
	size_t n_eras;
	struct track_stream *next;
};

/* One client on one channel. */
struct track_sub {
	uint32_t slot;             /* from 0, dense */
	struct track_client *client;
	struct track_channel *channel;
	uint32_t connection;       /* that of the last confirmation */
	uint32_t spells;           /* confirmations so far; each begins a spell */
	bool on;                   /* the last word was a confirmation; see track_live() */
	bool asking;
	bool resumes;              /* the last invoke named a position, which may have no number */
	uint64_t asked_us, asked_seq, ok_us, ok_seq;
	uint32_t asked_epoch, ok_epoch;
	enum recovered recovered;  /* of the last confirmation, or of its connection */
	/* Of the connection of the last confirmation but one, as it was when the client left it. end 0: it was still open. */
	uint32_t old_connection, old_node;
	uint64_t old_heard_us, old_end_us;
	uint32_t left_node;        /* the same of the last one, once it was left */
	uint64_t left_heard_us, left_end_us;
	/* Its position is no older: what it got was published then, or it asked then. And so before the last confirmation. */
	uint64_t placed_us, old_placed_us;
	uint64_t got_published;    /* invoked on the channel when it last got a message */
	uint64_t old_published;    /* the same, when it was confirmed again */
	uint32_t turn;             /* changes with each ask, confirmation and end: what is `here` belongs to one */
	struct track_pair *pairs;
	struct track_sub *next_of_client, *next_of_channel;
};

/* What a subscription has of a stream. */
struct track_pair {
	uint32_t slot;             /* from 0, dense */
	struct track_sub *sub;
	struct track_stream *stream;
	uint64_t from;             /* the highest index invoked before the first confirmation: above it messages are owed */
	uint64_t top;              /* the highest that came */
	struct ranges got, here;   /* ever; in this turn, on one connection */
	uint64_t here_turn;
	struct track_pair *next;
};

enum track_phase { TRACK_NO_PHASE, TRACK_WARM, TRACK_CHAOS, TRACK_HEAL, TRACK_END };

struct track {
	const struct contract *contract;
	struct track_client **clients;
	size_t n_clients;
	struct map channels, streams, subs, pairs;
	uint32_t n_streams, n_subs, n_pairs;
	struct track_client *first_client;

	enum track_phase phase;
	uint64_t now_us, phase_us;
	char faults[TRACK_FAULTS_MAX][TRACK_NAME_MAX];
	size_t n_faults;
	char healed[TRACK_NAME_MAX]; /* the fault that was healed last, "": none */
	uint64_t healed_us;
	uint64_t calm_us;          /* since when no fault is in force; UINT64_MAX: one is */
	struct lives lives;
	uint64_t down_us;          /* when a node last became not ready; 0: never */
	uint64_t lag_us;           /* the longest that the harness's own loop was late, in this phase */
	bool no_log;               /* the target's log is not read */
	bool no_reasons;           /* it is, and nobody knows where it has the reason of a close */
	bool out_of_memory;

	/* Of this event, where it has one. */
	struct track_client *client;
	struct track_channel *channel;
	struct track_stream *stream;
	struct track_sub *sub;
	struct track_pair *pair;
	bool fresh;                /* deliver: the subscription never got it before */
	bool again;                /* deliver: it got it before in this spell */
	bool first_spell;          /* subscribe ok: the subscription's first */
	bool ended;                /* end: it was the client's newest connection, and it was up */
	struct range dropped;      /* deliver: a gap of the pair that is not kept any more; last 0: none */
	uint64_t drop_top;         /* deliver: the pair's top before */
};

void track_init(struct track *t, const struct contract *contract);
void track_fini(struct track *t);
/* Takes the event in; afterwards the members above say what it was. */
void track_event(struct track *t, const struct event *e);

/* NULL: none of that number. */
struct track_client *track_client(const struct track *t, uint32_t number);
/* Confirmed, on a connection that lives. */
static inline bool track_live(const struct track_sub *s)
{
	return s->on && s->client->up && s->connection == s->client->connection;
}
/* The subscription's pair with a stream of its channel, made if need be. NULL without memory. */
struct track_pair *track_pair(struct track *t, struct track_sub *s, struct track_stream *stream);
/* It has no position: without numbers it comes with a message, and none has come to any of its subscriptions. */
bool track_is_nowhere(const struct track *t, const struct track_client *c);
/* Of a subscription that was just confirmed: some of the stream came over this connection before that. */
static inline bool track_came_ahead(const struct track_pair *p)
{
	return p->here.n && p->here_turn >> 32 == p->sub->connection;
}
/*
 * At most how many messages a client missed that comes back with its session, over all its channels: all that were
 * published since it last got one of the channel, or, of a channel that is confirmed already, until then.
 */
uint64_t track_session_missed(const struct track_client *c);
/* The absence before this confirmation is within the time and the number of messages of the contract. */
bool track_within(const struct track *t, const struct track_sub *s);
/* And so the contract promises that what it missed is still there: no restart of the nodes took it away. */
bool track_promised(const struct track *t, const struct track_sub *s);
/*
 * The first index that its publisher sent over the same connection: messages of one were published in the order of
 * their indexes. 0: not known any more.
 */
uint64_t track_era(const struct track_stream *s, uint64_t index);
/* For track.c. */
void track_publish(struct track *t, const struct event *e);
void track_deliver(struct track *t, const struct event *e);
void *track_made(struct track *t, struct map *m, uint64_t key, size_t size);
