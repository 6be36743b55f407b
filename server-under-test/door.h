#ifndef SERVER_DOOR_H
#define SERVER_DOOR_H

#include <ev.h>

#include "server-under-test/bytes.h"
#include "server-under-test/http_head.h"
#include "server-under-test/server.h"

#define DOOR_LINGER_S 2.0 /* after our FIN, for the peer's */

struct door;
struct identity;
struct service;

/* A request that may open a WebSocket: judged, its credentials checked, and admitted by the limits. */
struct door_opening {
	int fd; /* the engine's from now on; exactly the request head has been read from it */
	struct conn_info *info; /* the engine's from now on: moved out of */
	struct identity *identity; /* the engine's from now on; NULL when no credentials are needed */
	const struct service *service; /* what the path offers */
	const struct handshake_request *request; /* borrowed for the call, as is verdict */
	const struct handshake_verdict *verdict;
};

/* The doors of one engine. */
struct doors {
	struct server *server;
	struct door *first;
	/* Whatever becomes of it, limits_release must follow when the connection is over. */
	void (*on_open)(struct doors *doors, const struct door_opening *opening);
};

/*
 * One accepted plain socket whose request head is being read, strictly and in bounded time. What is not to be opened
 * is answered here: refusals, timeouts, /healthz.
 */
struct door {
	struct door *next, *prev;
	struct doors *doors;
	int fd;
	bool answered; /* an answer is being sent, then FIN */
	bool ended; /* our FIN is sent */
	ev_io io;
	ev_timer deadline;
	struct http_parser parser;
	struct bytes out;
	struct conn_info info;
};

void doors_open(struct doors *doors, int fd, const char *ip); /* takes over fd */
void doors_fini(struct doors *doors);

#endif
