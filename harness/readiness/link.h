#pragma once
/*
 * One connection of a dialogue: it opens, or is refused; what comes is counted; what is to be said is said, also what
 * no honest client says. It answers Pings and Closes unless told not to, and speaks the target's dialect where
 * it has one.
 */
#include "harness/base/rng.h"
#include "harness/run/conn.h"
#include "harness/target/http_ask.h"
#include "harness/target/session.h"

struct dialogue;

enum {
	LINK_ARENA_MAX = 8 << 20,
	LINK_ID_MAX = 128,
	LINK_GOT_MAX = 1 << 20,
	LINK_ASKS_MAX = 64,
	LINK_SAID_MAX = 8,
};

/* Borrowed during dialogue_link(), but for tls. */
struct link_options {
	const char *label;         /* what is special about it: "with Origin null"; for the evidence */
	const char *source;        /* local address; NULL: the target's, or any */
	const struct opt_pair *fields; /* of the request, in place of the usual ones */
	size_t n_fields;
	const char *credential;    /* NULL: the valid one; "": none */
	struct tls_context *tls;   /* in place of the usual one; outlives it */
	const char *channel;       /* subscribed once it is open; NULL: none, or any where the URL must name one */
	bool echo;                 /* to the echo service, where no dialect is spoken */
	bool hidden;               /* its request is not put on record */
	bool raw;                  /* no request is sent */
	bool brief;                /* it ends as soon as it is open */
	bool no_pongs, no_closes;  /* it answers no Ping, no Close */
};

struct link {
	struct dialogue *dialogue;
	uint32_t number;           /* of the dialogue's, from 1 */
	const char *label;
	struct conn conn;
	struct arena arena;
	struct transcript transcript;
	struct rng rng;
	struct handshake_request request;
	struct buf request_octets;
	bool raw, hidden, brief, no_pongs, no_closes;

	bool connected, opened;    /* TCP (and TLS) is open; the 101 came */
	bool refused;              /* there will be no 101 */
	int status;                /* of the HTTP answer; 0: none */
	bool retry_after;          /* it has that field */
	bool fin, cut;             /* TCP is over: by their FIN; by RST or an error */
	int error;                 /* of `cut` */
	char error_text[160];
	char id[LINK_ID_MAX];      /* correlation id, or "" */
	bool we_closed, closed;    /* a Close frame went; came */
	int our_code, code;        /* of it; 1005: without one */
	char reason[CLOSE_REASON_MAX + 1];
	uint64_t began_us, opened_us, closed_us, over_us, pinged_us; /* clock; pinged: their first Ping */
	uint32_t pings, pongs, barriers, passed; /* their Pings; their Pongs; our barriers; the newest that came back */
	uint64_t sent, received;   /* data messages */

	struct session *session;   /* NULL: does not speak */
	bool ready, denied;        /* by the dialect */
	bool publishing;           /* inside link_publish() */
	bool subscribed, unsubscribable;
	uint64_t asked, accepted, declined, errors; /* publishes; their answers; errors that belong to none */
	uint64_t answered_us;      /* clock: of the newest publish's answer */
	struct buf got;            /* the data of messages, a LF behind each */
	uint64_t n_got;
	struct span said[LINK_SAID_MAX]; /* the first messages of the dialect, as they were sent */
	size_t n_said;
	struct http_place place;   /* where it publishes by HTTP */
	struct link_ask *asks;
	size_t n_asks;
};

/* For dialogue.c. Always gives one; what went wrong is in it: `refused` and error_text. */
struct link *link_new(struct dialogue *d, uint32_t number, const struct link_options *o);
void link_free(struct link *l);

/* It is open, or will not be. With the dialect: and it may speak, or may not. */
bool link_settled(const struct link *l);
bool link_subscribed(const struct link *l);
/* Their Close came, or TCP is over. */
bool link_ended(const struct link *l);
/* TCP is over from their side. */
bool link_gone(const struct link *l);
/* Open, and nothing of its end came. */
bool link_alive(const struct link *l);
/* Frames of its own making. False: it is over. */
bool link_frame(struct link *l, struct frame f);
bool link_text(struct link *l, struct span text);
bool link_octets(struct link *l, struct span octets);
/* The head of a frame that announces `len` octets, and the first of them. */
bool link_announce(struct link *l, uint64_t len, struct span first);
/* A Ping; link_passed(): its Pong came, so everything before it was looked at. */
void link_barrier(struct link *l);
bool link_passed(const struct link *l);
void link_close(struct link *l, int code, const char *reason);
void link_fin(struct link *l);
void link_reset(struct link *l);
/* By its dialect: the answer counts in accepted or declined. */
bool link_publish(struct link *l, const char *channel, const char *data);
/* One clause on how it ended or was refused: "HTTP 403", "Close 1009", "RST". */
const char *link_how(const struct link *l);
/* Heartbeats of the dialect, now and then. */
void link_tick(struct link *l);

/* link_session.c, for link.c */
int link_session_new(struct link *l, const struct link_options *o, const char *base, struct session_request *ret);
void link_session_free(struct link *l);
