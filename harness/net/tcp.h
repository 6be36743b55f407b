#pragma once
/* One TCP connection as a stream. Most callers want dial(), which tries several addresses and has a deadline. */
#include <sys/socket.h>

#include "harness/net/loop.h"
#include "harness/net/stream.h"

/* Starts connecting; on_open or on_error (-ECONNREFUSED, ...) comes later. No deadline of its own beside the kernel's.
 * from: source address, port 0, or NULL. Negative errno when it could not even start (-EADDRNOTAVAIL, -ENETUNREACH,
 * -EMFILE, ...). */
int tcp_connect(struct loop *l, const struct sockaddr_storage *to, const struct sockaddr_storage *from,
		const struct stream_events *events, void *owner, struct stream **ret_stream);
/* Takes a connected socket (one that accept() gave), also on failure, which closes it. on_open comes on the loop's next
 * turn. */
int tcp_from_fd(struct loop *l, int fd, const struct stream_events *events, void *owner, struct stream **ret_stream);
