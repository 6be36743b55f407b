#pragma once
/*
 * One raw socket of a relay: what is still to be sent to it, what is to be watched for, and how it ended. The socket
 * is ours, and libuv only watches it, for the reasons given in harness/net/tcp.c: FIN and RST must not be mistaken for
 * each other, and what came before them is read first.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "harness/base/buf.h"
#include "harness/proxy/pipes.h"

enum {
	/* What filters let go at once, what was read before them, and what a dead socket's kernel still held. */
	SIDE_OUT_MAX = 48 << 20,
};

struct side {
	struct raw *of;
	uv_poll_t *poll;           /* NULL: closed; on the heap, it outlives this by a turn */
	struct pipe *pipe;         /* octets to send, before those of `out`; NULL: none */
	struct buf out;            /* octets to send, from out_sent on; no memory while there are none */
	size_t out_sent;
	int fd;
	int watched;               /* uv_poll_event bits asked for now */
	int send_error;            /* negative errno: sending failed; told once what came before is read */
	bool eof;                  /* its FIN came */
	bool shut, fin_sent;       /* it is to get a FIN after all octets; the kernel has it */
	bool unwatched;            /* no use in watching for a RST */
	bool bulk;                 /* it sends much: splice */
	bool lingers;              /* ended: delivers, then waits for the other FIN */
};

/* Takes fd, also on failure. Negative errno. */
int side_open(struct side *s, struct raw *of, uv_loop_t *loop, int fd);
/* Asks libuv for these events of uv_poll_event. */
void side_watch(struct side *s, int events, uv_poll_cb on_poll);
/* Octets that are still to be sent. */
size_t side_pending(const struct side *s);
/* Octets to the socket, as many as it takes now; the rest is kept. Errors go to send_error. */
void side_write(struct side *s, struct span octets);
/* Sending has failed with this errno: what is pending is lost. */
void side_fail(struct side *s, int error);
/* FIN after what is pending. */
void side_shut(struct side *s);
/* As many of the pending octets as the kernel takes, then the FIN. True: something went. */
bool side_flush(struct side *s, struct pipes *pipes);
/* Moves octets from the socket to `to` through a pipe: how many; negative errno, -EAGAIN nothing to read, -EOPNOTSUPP
 * no pipe can be had, or recv() is to say what is next: a FIN, or an urgent octet, where splice(2) stops, too. */
ssize_t side_splice(struct side *s, struct side *to, struct pipes *pipes);
/* rst: with a RST; otherwise as the kernel closes a socket. What is pending is lost. */
void side_close(struct side *s, struct pipes *pipes, bool rst);
