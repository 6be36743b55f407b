#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include <ev.h>

#include "server-under-test/server.h"

enum drain_phase {
	DRAIN_SERVING,
	DRAIN_NOTICE, /* announced; everything is still served */
	DRAIN_CLOSING, /* no new connections; Closes go out over drain.spread */
};

/*
 * The end of the server: SIGTERM (Close 1001), SIGUSR2 (1012) and SIGINT (as SIGTERM) start it, a second signal of
 * any of these ends at once. Ends the loop when no WebSocket is left or drain.timeout has passed since the signal.
 */
struct drain {
	struct server *server;
	enum drain_phase phase;
	unsigned code;
	unsigned to_close; /* WebSockets open when the closing began */
	unsigned closed; /* Closes sent so far */
	double signalled_s; /* loop time of the signal */
	double closing_s; /* loop time when the closing began */
	ev_signal signals[3];
	ev_timer tick;
};

void drain_init(struct drain *drain, struct server *server);
void drain_fini(struct drain *drain);

#endif
