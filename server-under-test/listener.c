/*
 * Listens and accepts on the libev loop. libwebsockets' own listener is not used: it cannot be closed alone, which a
 * drain needs.
 */
#include "server-under-test/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
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

/* Peers that vanish from /echo and from plain HTTP, where no heartbeat asks for them, are found by the kernel. */
static void keep_alive(int fd)
{
	int one = 1, idle_s = LISTENER_KEEPALIVE_IDLE_S, interval_s = LISTENER_KEEPALIVE_INTERVAL_S;
	int count = LISTENER_KEEPALIVE_COUNT;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/* The socket stays readable: without a rest the loop would turn as fast as it can until somebody leaves. */
static void rest(struct listener *listener)
{
	ev_io_stop(listener->loop, &listener->io);
	ev_timer_set(&listener->rest, LISTENER_REST_S, 0.);
	ev_timer_start(listener->loop, &listener->rest);
}

static void on_rested(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct listener *listener = timer->data;

	(void)events;
	ev_io_start(loop, &listener->io);
}

/* False: nobody is waiting, or there is no room for who is. */
static bool accept_one(struct listener *listener)
{
	union address peer;
	socklen_t len = sizeof(peer);
	char ip[INET6_ADDRSTRLEN] = "";
	int one = 1, unsent_max = LISTENER_UNSENT_MAX;
	int fd = accept4(listener->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		rest(listener);
		return false;
	}
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* Else megabytes would stand before a Ping, in a queue where it cannot go first. */
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof(unsent_max));
	keep_alive(fd);
	inet_ntop(peer.any.sa_family,
		  peer.any.sa_family == AF_INET ? (void *)&peer.v4.sin_addr : (void *)&peer.v6.sin6_addr, ip, sizeof(ip));
	listener->on_accept(listener->arg, fd, ip);
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct listener *listener = io->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPTS_EACH_TURN && listener->fd >= 0; i++)
		if (!accept_one(listener))
			return;
}

static int bind_to(int fd, const union address *address, socklen_t len, unsigned *ret_port)
{
	union address bound;
	socklen_t bound_len = sizeof(bound);

	if (bind(fd, &address->any, len) < 0)
		return -errno;
	if (getsockname(fd, &bound.any, &bound_len) < 0)
		return -errno;
	*ret_port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
	return 0;
}

/* A bound socket, or negative errno. */
static int socket_bind(union address *address, socklen_t len, bool shared, unsigned *ret_port)
{
	int one = 1;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	r = bind_to(fd, address, len, ret_port);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/*
 * Sockets with SO_REUSEPORT would join those of another server of the same user: so the first of ours tries the port
 * without it, which also finds a free one for port 0.
 */
static int socket_listen(union address *address, socklen_t len, enum listener_sharing sharing, unsigned *ret_port)
{
	int fd = socket_bind(address, len, sharing == LISTENER_SHARED, ret_port);

	if (fd >= 0 && sharing == LISTENER_SHARED_FIRST) {
		close(fd);
		if (address->any.sa_family == AF_INET)
			address->v4.sin_port = htons((uint16_t)*ret_port);
		else
			address->v6.sin6_port = htons((uint16_t)*ret_port);
		fd = socket_bind(address, len, true, ret_port);
	}
	if (fd >= 0 && listen(fd, LISTENER_BACKLOG) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int listener_open(struct listener *listener, const char *text, unsigned port, enum listener_sharing sharing,
		  struct err *err)
{
	union address address;
	socklen_t len;

	*listener = (struct listener){ .fd = -1 };
	if (address_parse(text, port, &address, &len) < 0) {
		err_set(err, "option --bind cannot be \"%s\"; it takes an IPv4 or IPv6 address", text);
		return -EINVAL;
	}
	listener->fd = socket_listen(&address, len, sharing, &listener->port);
	if (listener->fd < 0) {
		int r = listener->fd;

		listener->fd = -1;
		err_set(err, "cannot listen on %s port %u: %s", text, port, strerror(-r));
		return r == -EINVAL ? -EADDRNOTAVAIL : r;
	}
	return 0;
}

void listener_watch(struct listener *listener, struct ev_loop *loop)
{
	listener->loop = loop;
	ev_io_init(&listener->io, on_readable, listener->fd, EV_READ);
	listener->io.data = listener;
	ev_timer_init(&listener->rest, on_rested, 0., 0.);
	listener->rest.data = listener;
	ev_io_start(loop, &listener->io);
}

void listener_stop(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	if (listener->loop) {
		ev_io_stop(listener->loop, &listener->io);
		ev_timer_stop(listener->loop, &listener->rest);
	}
	close(listener->fd);
	listener->fd = -1;
}
