#pragma once
/* A descriptor on the loop: a pidfd, a socket, a pipe. */
#include <stdbool.h>

#include "harness/net/loop.h"

/* Zero it before the first start. */
struct watch {
	uv_poll_t *handle;
	int fd;                    /* while it is watched */
	void (*on_ready)(void *owner);
	void *owner;
};

/*
 * Takes the descriptor, also on failure, which closes it. writable: called when it can be written to (a connect has
 * ended), else when it can be read. Errors and hang-ups count as both. One that is watching is stopped first.
 */
int watch_start(struct watch *w, struct loop *l, int fd, bool writable, void (*on_ready)(void *owner), void *owner);
/* The same descriptor, the other direction. */
int watch_turn(struct watch *w, bool writable);
/* Closes the descriptor. Safe on a zeroed one, and from on_ready. */
void watch_stop(struct watch *w);
