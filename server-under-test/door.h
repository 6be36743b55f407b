#ifndef SERVER_DOOR_H
#define SERVER_DOOR_H

#include <ev.h>

#include "server-under-test/bytes.h"
#include "server-under-test/http_head.h"
#include "server-under-test/server.h"

#define DOOR_LINGER_S 2.0 /* after our FIN, for the peer's */

struct door;

/* The doors of one engine. */
struct doors {
	struct server *server;
	struct door *first;
	/*
	 * A request may open a WebSocket: takes over fd, from which exactly the request head has been read. request and
	 * verdict are borrowed for the call.
	 */
	void (*on_open)(struct doors *doors, int fd, const struct conn_info *info, const struct handshake_request *request,
			const struct handshake_verdict *verdict);
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
