#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <ev.h>

#include "server-under-test/base/err.h"

#define LISTENER_BACKLOG 4096
#define LISTENER_UNSENT_MAX (128 * 1024) /* octets that the kernel may hold before they leave */
#define LISTENER_KEEPALIVE_IDLE_S 25 /* of silence before the kernel asks whether the peer is there */
#define LISTENER_KEEPALIVE_INTERVAL_S 5
#define LISTENER_KEEPALIVE_COUNT 2
#define LISTENER_REST_S 0.1 /* without accepting, when no descriptor or memory is left */

/* The listening socket, shared by the engines so that ports, refusals and the end of accepting are the same for all. */
struct listener {
	int fd; /* -1: closed */
	unsigned port;
	ev_io io;
	ev_timer rest;
	struct ev_loop *loop; /* NULL: not watched */
	void (*on_accept)(void *arg, int fd, const char *ip); /* takes over fd, which is non-blocking */
	void *arg;
};

/* Who else listens on the port. */
enum listener_sharing {
	LISTENER_ALONE,
	LISTENER_SHARED_FIRST, /* nobody yet; others of ours will join */
	LISTENER_SHARED, /* SO_REUSEPORT: the kernel spreads connections over the sockets */
};

/*
 * Binds and listens. port 0: the kernel chooses, see listener->port. 0, or negative errno with the sentence in err:
 * -EINVAL for a wrong address.
 */
int listener_open(struct listener *listener, const char *address, unsigned port, enum listener_sharing sharing,
		  struct err *err);
/* Accepts from now on; on_accept and arg are set before. */
void listener_watch(struct listener *listener, struct ev_loop *loop);
void listener_stop(struct listener *listener); /* also when never watched or opened, if fd is -1 */

#endif
