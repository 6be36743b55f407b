#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include <ev.h>

#include "server-under-test/server.h"

enum drain_phase {
	DRAIN_SERVING,
	DRAIN_NOTICE, /* announced by /readyz; everything is still served, new connections too */
	DRAIN_CLOSING, /* no new connections; Closes go out over drain.spread */
};

/*
 * The end of the server. Ends the loop when no WebSocket and no HTTP answer is left after the notice, or when
 * drain.timeout has passed since the beginning.
 */
struct drain {
	struct server *server;
	enum drain_phase phase;
	unsigned code; /* 1001, or 1012 when a restart is meant */
	unsigned to_close; /* WebSockets open when the closing began */
	unsigned closed; /* Closes sent so far */
	double begun_s; /* loop time */
	double closing_s; /* loop time when the closing began */
	ev_timer tick;
};

void drain_init(struct drain *drain, struct server *server);
/* The first call begins, and is true; a second one ends the loop at once. */
bool drain_begin(struct drain *drain, unsigned code);
void drain_fini(struct drain *drain);

#endif
