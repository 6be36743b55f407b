#pragma once
/*
 * One user of the deployment: a session of the dialect, the connection it has at present, and what it does when that
 * ends. It tells everything to the history. A subscriber has channels; a publisher has a struct publisher, and a
 * channel only where the URL of its connection must name one.
 */
#include "harness/load/backoff.h"
#include "harness/load/transport.h"
#include "harness/target/adapter.h"
#include "harness/target/session.h"

enum {
	CLIENT_CONNECT_MS = 10000, /* from dialling to the time it may speak */
	CLIENT_SUBSCRIBE_AGAIN_MS = 1000, /* after a refusal */
};

/* The reason of our Close. The quotation marks are meant: a log that is put together by hand breaks at them. */
#define CLIENT_GOODBYE "the workload is \"over\""

enum client_phase {
	CLIENT_OUT,                /* not begun, or waiting for its next try */
	CLIENT_DIALING,
	CLIENT_GREETING,           /* the handshake went well, the dialect is not ready */
	CLIENT_UP,
	CLIENT_CLOSING,            /* we said Close */
	CLIENT_DONE,               /* it does not come back */
};

struct client_channel {
	uint64_t left_us;          /* clock: when its last confirmed connection ended */
	bool asked, confirmed, before; /* on this connection; on this one; ever */
	bool positioned;           /* the session knew where it was when it asked */
};

struct workload;
struct publisher;

/* A connection that its client has left open behind it. */
struct client_ghost {
	struct client *client;
	struct transport *transport;   /* NULL: none */
	uint32_t connection, node;
};

struct client {
	struct workload *workload;
	struct session *session;
	struct transport *transport;   /* NULL: none */
	struct client_ghost ghost;
	struct adapter_link *link;     /* between the two; NULL: the dialect needs none */
	struct publisher *publisher;   /* NULL: a subscriber */
	struct client_channel *channels;
	uint32_t n_channels, n_confirmed;
	uint32_t number, connection, node;
	enum client_phase phase;
	bool was_up, resumes;          /* this connection; it asked for a session that was there before */
	bool refused;                  /* by the dialect, which was told */
	const char *doomed;            /* give the connection up as soon as nothing of it is on the stack */
	bool doomed_by_close;          /* with Close, and come back; else by RST */
	size_t way;
	struct rng rng;
	struct backoff backoff;
	struct alarm alarm;            /* next try; deadline of a connect; look at an idle connection */
	struct alarm wake;             /* of the session */
	uint64_t wake_at_us;
	uint64_t up_us, pinged_us, asked_us; /* clock; 0: not */
	uint64_t again_us;             /* clock: when what was refused is asked for again; 0: nothing was */
};

/* -ENOMEM. The client is zeroed. */
int client_init(struct client *c, struct workload *w, uint32_t number);
/* Tells nothing. Safe on a zeroed one. */
void client_fini(struct client *c);
/* The first try. */
void client_start(struct client *c);
/* Close 1000, and no new connection. */
void client_close(struct client *c);
/* Ends the connection by RST; it comes back by its policy. */
void client_drop(struct client *c, const char *why);
/*
 * Dials again and leaves its connection open; who is not up, or has no WebSocket of its own, stays as it is. The old
 * one says nothing any more and is closed with the workload.
 */
void client_take_over(struct client *c);
/* client_ghost.c: Close, or nothing. Without a word. */
void client_ghost_close(struct client_ghost *g);
/* May it speak? */
bool client_is_up(const struct client *c);

/* For its other files ---------------------------------------------------------------------------------------------- */

/* An event of this client, with client, connection and node. */
struct event client_event(const struct client *c, enum event_kind kind, enum event_type type);
extern const struct session_events client_session_events;
extern const struct adapter_events client_adapter_events;
/* After every call into the session: its wishes, and a connection that is doomed. The transport may be gone then. */
void client_after(struct client *c);
/* The connection may be used. */
void client_ready(struct client *c, const struct session_news *n);
/* Nothing is subscribed any more. */
void client_unsubscribed(struct client *c);
/* Subscriptions that wait for an answer, or to be asked for again, at their time. */
void client_subscriptions_due(struct client *c, uint64_t now_us);
/* client_ghost.c: the connection becomes the ghost's. */
void client_ghost_begin(struct client *c);
/* client_up.c: looks at a connection that is up; and when to look again. */
void client_look(struct client *c, uint64_t now_us);
void client_plan(struct client *c);
/* When its alarm rings next. */
void client_alarm_at(struct client *c, uint64_t at_us);
