#ifndef SERVER_DOOR_H
#define SERVER_DOOR_H

#include <ev.h>

#include "server-under-test/base/bytes.h"
#include "server-under-test/http/http_head.h"
#include "server-under-test/server.h"
#include "server-under-test/http/trusted_proxies.h"

#define DOOR_LINGER_S 2.0 /* after our FIN, for the peer's */
#define DOOR_SEND_S 10.0 /* for the peer to take an answer */
#define DOOR_PLAIN_MAX 8192 /* requests for the plain HTTP interface at once; less when descriptors are few */
#define DOOR_BODIES_MAX (64u * 1024 * 1024) /* octets of request bodies, announced and not yet answered, of all */
#define DOOR_BODY_OVERHEAD 1024 /* octets of a body around a message of the largest size */

struct door;
struct identity;
struct service;

/* A request that may open a WebSocket: judged, its credentials checked, and admitted by the limits. */
struct door_opening {
	int fd; /* the engine's from now on; exactly the request head has been read from it */
	struct conn_info *info; /* the engine's from now on: moved out of; user, path, subprotocol, origin are set */
	struct identity *identity; /* the engine's from now on; NULL when no credentials are needed */
	const struct service *service; /* what the path offers */
	const struct handshake_request *request; /* borrowed for the call, as is verdict */
	const struct handshake_verdict *verdict;
};

/* The doors of one engine. Zero what is not set. */
struct doors {
	struct server *server;
	struct door *first;
	/* Whatever becomes of it, limits_release must follow when the connection is over. */
	void (*on_open)(struct doors *doors, const struct door_opening *opening);
	struct trusted_proxies proxies;
	bool started; /* what is made of the configuration has been made */
	unsigned plain; /* requests for the plain HTTP interface */
	unsigned plain_max;
	size_t bodies; /* announced octets of request bodies */
};

enum door_phase {
	DOOR_HEAD, /* the request head is being read */
	DOOR_BODY,
	DOOR_HELD, /* the request is with its handler, nothing has been sent */
	DOOR_STREAM, /* the handler sends as it goes */
	DOOR_ANSWER, /* what is in out is sent, then FIN */
	DOOR_LINGER, /* our FIN is sent: octets are discarded until the peer's, so that no RST destroys what we sent */
};

/*
 * One accepted socket (or the plain end of a TLS one) whose request head is being read, strictly and in bounded time.
 * What opens no WebSocket is answered here: refusals, timeouts, plain HTTP, one request a connection.
 */
struct door {
	struct door *next, *prev;
	struct doors *doors;
	int fd;
	enum door_phase phase;
	ev_io io;
	ev_timer deadline;
	struct http_parser parser; /* lives as long as the door: the verdict's texts point into it */
	struct bytes out;
	struct conn_info info;
	struct handshake_verdict verdict;
	struct identity *identity; /* NULL: none needed */
	bool counted; /* in doors->plain */
	struct bytes body;
	size_t body_len; /* as announced */
	void *state; /* the handler's */
};

/*
 * What answers a route in plain HTTP. A handler may be called from within the hub: nothing below frees the door at
 * once but door_drop, which must not be called from there.
 */
struct http_handler {
	bool body; /* a body is read first */
	bool needs_peer; /* the end of the peer's octets ends the request too */
	void (*start)(struct door *door); /* the whole request is here; phase is DOOR_HELD */
	void (*room)(struct door *door); /* DOOR_STREAM: out is empty. NULL: not needed */
	void (*drain)(struct door *door); /* the server closes: answer now, or end the stream. NULL: it answers soon */
	void (*gone)(struct door *door); /* the door is being freed, state is not NULL. NULL: there is no state */
};

/* The request is the handler's: nothing is read any more but, when needs_peer, the end of the peer's octets. */
void door_hold(struct door *door, bool needs_peer);
bool door_flush(struct door *door); /* what the socket takes of out. False: the socket is of no use */
void door_answer(struct door *door); /* out is all that is left to send */
void door_stream(struct door *door); /* out begins a stream; also each time when something was added */
void door_drop(struct door *door); /* closes without sending what is queued; frees the door */

void doors_open(struct doors *doors, int fd, const char *ip); /* takes over fd */
/* Ends streams and answers what waits, once server->refusing is set. May be called again. */
void doors_drain(struct doors *doors);
/* Plain requests that are being answered: a drain waits for them. */
unsigned doors_busy(const struct doors *doors);
void doors_fini(struct doors *doors);

#endif
