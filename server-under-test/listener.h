#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <ev.h>

#include "server-under-test/err.h"

#define LISTENER_BACKLOG 4096

/* The listening socket, shared by the engines so that ports, refusals and the end of accepting are the same for all. */
struct listener {
	int fd; /* -1: closed */
	unsigned port;
	ev_io io;
	struct ev_loop *loop;
	void (*on_accept)(void *arg, int fd, const char *ip); /* takes over fd, which is non-blocking */
	void *arg;
};

/* port 0: the kernel chooses, see listener->port. 0, or negative errno with the sentence in err. */
int listener_start(struct listener *listener, struct ev_loop *loop, const char *address, unsigned port,
		   struct err *err);
void listener_stop(struct listener *listener); /* also when never started, if fd is -1 */

#endif
