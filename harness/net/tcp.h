#pragma once
/* One TCP connection as a stream. Most callers want dial(), which tries several addresses and has a deadline. */
#include <sys/socket.h>

#include "harness/net/loop.h"
#include "harness/net/stream.h"

struct netns;

/* Starts connecting; on_open or on_error (-ECONNREFUSED, ...) comes later. No deadline of its own beside the kernel's.
 * from: source address, port 0, or NULL. Negative errno when it could not even start (-EADDRNOTAVAIL, -ENETUNREACH,
 * -EMFILE, ...). */
int tcp_connect(struct loop *l, const struct sockaddr_storage *to, const struct sockaddr_storage *from,
		const struct stream_events *events, void *owner, struct stream **ret_stream);
/* The same with more to choose. Zeroed: as tcp_connect without a source. */
struct tcp_options {
	const struct sockaddr_storage *from; /* or NULL */
	const struct netns *netns; /* the socket lives there (netns.h); NULL: our own namespace */
	int receive_buffer;        /* octets of SO_RCVBUF, set before connecting so that the window is small from the
				      start; 0: the kernel's */
};
int tcp_connect_with(struct loop *l, const struct sockaddr_storage *to, const struct tcp_options *o,
		     const struct stream_events *events, void *owner, struct stream **ret_stream);
/* Takes a connected socket (one that accept() gave), also on failure, which closes it. on_open comes on the loop's next
 * turn. */
int tcp_from_fd(struct loop *l, int fd, const struct stream_events *events, void *owner, struct stream **ret_stream);
