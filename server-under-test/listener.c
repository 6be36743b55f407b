/*
 * Listens and accepts on the libev loop. libwebsockets' own listener is not used: it cannot be closed alone, which a
 * drain needs.
 */
#include "server-under-test/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_EACH_TURN 64

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int address_parse(const char *text, unsigned port, union address *ret_address, socklen_t *ret_len)
{
	*ret_address = (union address){ .any.sa_family = AF_UNSPEC };
	if (inet_pton(AF_INET, text, &ret_address->v4.sin_addr) == 1) {
		ret_address->v4.sin_family = AF_INET;
		ret_address->v4.sin_port = htons((uint16_t)port);
		*ret_len = sizeof(ret_address->v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &ret_address->v6.sin6_addr) == 1) {
		ret_address->v6.sin6_family = AF_INET6;
		ret_address->v6.sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(ret_address->v6);
		return 0;
	}
	return -EINVAL;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct listener *listener = io->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPTS_EACH_TURN && listener->fd >= 0; i++) {
		union address peer;
		socklen_t len = sizeof(peer);
		char ip[INET6_ADDRSTRLEN] = "";
		int one = 1;
		int fd = accept4(listener->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		inet_ntop(peer.any.sa_family,
			  peer.any.sa_family == AF_INET ? (void *)&peer.v4.sin_addr : (void *)&peer.v6.sin6_addr, ip, sizeof(ip));
		listener->on_accept(listener->arg, fd, ip);
	}
}

static int listen_on(int fd, const union address *address, socklen_t len, unsigned *ret_port)
{
	union address bound;
	socklen_t bound_len = sizeof(bound);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address->any, len) < 0 || listen(fd, LISTENER_BACKLOG) < 0)
		return -errno;
	if (getsockname(fd, &bound.any, &bound_len) < 0)
		return -errno;
	*ret_port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
	return 0;
}

int listener_start(struct listener *listener, struct ev_loop *loop, const char *text, unsigned port, struct err *err)
{
	union address address;
	socklen_t len;
	int r = address_parse(text, port, &address, &len);

	listener->fd = -1;
	if (r < 0) {
		err_set(err, "option --bind cannot be \"%s\"; it takes an IPv4 or IPv6 address", text);
		return r;
	}
	listener->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = listener->fd < 0 ? -errno : listen_on(listener->fd, &address, len, &listener->port);
	if (r < 0) {
		err_set(err, "cannot listen on %s port %u: %s", text, port, strerror(-r));
		if (listener->fd >= 0)
			close(listener->fd);
		listener->fd = -1;
		return r;
	}
	listener->loop = loop;
	ev_io_init(&listener->io, on_readable, listener->fd, EV_READ);
	listener->io.data = listener;
	ev_io_start(loop, &listener->io);
	return 0;
}

void listener_stop(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	ev_io_stop(listener->loop, &listener->io);
	close(listener->fd);
	listener->fd = -1;
}
