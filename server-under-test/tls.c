/*
 * TLS ends here, in front of the engines: one bridge for each connection between the accepted socket and a socket pair
 * whose other end the engine takes for a plain one. What one side does not take stops the reading of the other, so that
 * a slow peer is a slow socket to the engine too. FINs go through in both directions.
 */
#include "server-under-test/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server-under-test/base/bytes.h"
#include "server-under-test/log.h"
#include "server-under-test/tls_context.h"

#define LINGER_S 2.0 /* after our FIN, for the peer's */
#define STALL_S 5.0 /* without the peer taking anything, after which it is seen whether the engine is still there */
#define CHUNK (16 * 1024) /* octets moved at once: a TLS record */
#define READS_EACH_TURN 64 /* of a peer who sends faster than we decrypt */

struct bridge {
	struct bridge *next, *prev;
	struct tls *tls;
	SSL *ssl;
	int outer; /* the accepted socket */
	int inner; /* our end of the pair; -1: still in the TLS handshake */
	ev_io outer_io, inner_io;
	ev_timer deadline; /* for the TLS handshake, later for a peer who takes nothing, and for the peer's FIN */
	struct bytes up; /* decrypted, the engine has not taken it */
	struct bytes down; /* the engine's, TLS has not taken it */
	bool read_wants_write, write_wants_read, write_blocked;
	bool moved; /* the peer took something since the deadline was set */
	bool outer_ended; /* the peer's FIN or close_notify was read */
	bool inner_ended; /* the engine's FIN was read */
	bool inner_told; /* the engine got a FIN */
	bool inner_gone; /* the engine takes nothing more: what comes is thrown away */
	bool finished; /* our close_notify and FIN are sent */
	char ip[LOG_IP_MAX];
	void (*on_open)(void *arg, int fd, const char *ip);
	void *arg;
};

struct tls {
	struct ev_loop *loop;
	const struct config *config;
	SSL_CTX *context;
	struct bridge *bridges;
};

int tls_start(struct tls **ret, struct ev_loop *loop, const struct config *config, struct err *err)
{
	SSL_CTX *context = tls_context_new(config, err);
	struct tls *tls;

	if (!context)
		return -EINVAL;
	tls = calloc(1, sizeof(*tls));
	if (!tls)
		abort();
	*tls = (struct tls){ .loop = loop, .config = config, .context = context };
	*ret = tls;
	return 0;
}

int tls_reload(struct tls *tls, struct err *err)
{
	SSL_CTX *context = tls_context_new(tls->config, err);

	if (!context)
		return -EINVAL;
	SSL_CTX_free(tls->context); /* open connections hold it as long as they need it */
	tls->context = context;
	return 0;
}

static void bridge_free(struct bridge *bridge)
{
	struct ev_loop *loop = bridge->tls->loop;

	ev_io_stop(loop, &bridge->outer_io);
	ev_io_stop(loop, &bridge->inner_io);
	ev_timer_stop(loop, &bridge->deadline);
	SSL_free(bridge->ssl);
	close(bridge->outer);
	if (bridge->inner >= 0)
		close(bridge->inner);
	bytes_fini(&bridge->up);
	bytes_fini(&bridge->down);
	if (bridge->prev)
		bridge->prev->next = bridge->next;
	else
		bridge->tls->bridges = bridge->next;
	if (bridge->next)
		bridge->next->prev = bridge->prev;
	free(bridge);
}

static void watch(struct bridge *bridge, ev_io *io, int fd, int events)
{
	struct ev_loop *loop = bridge->tls->loop;

	if (ev_is_active(io) && (io->events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, io);
	if (events == 0)
		return;
	ev_io_set(io, fd, events);
	ev_io_start(loop, io);
}

static void set_deadline(struct bridge *bridge, double seconds)
{
	ev_timer_stop(bridge->tls->loop, &bridge->deadline);
	ev_timer_set(&bridge->deadline, seconds, 0.);
	ev_timer_start(bridge->tls->loop, &bridge->deadline);
}

static bool blocked(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* To the engine; what it does not take is kept. */
static void give_engine(struct bridge *bridge, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (bridge->inner_gone)
		return;
	if (bytes_len(&bridge->up) == 0) {
		n = send(bridge->inner, data, len, MSG_NOSIGNAL);
		if (n < 0 && !blocked(n)) {
			bridge->inner_gone = true;
			return;
		}
		n = n < 0 ? 0 : n;
	}
	bytes_append(&bridge->up, data + n, len - (size_t)n);
}

static void empty_up(struct bridge *bridge)
{
	while (bytes_len(&bridge->up) > 0 && !bridge->inner_gone) {
		ssize_t n = send(bridge->inner, bridge->up.p + bridge->up.start, bytes_len(&bridge->up), MSG_NOSIGNAL);

		if (blocked(n))
			return;
		if (n < 0)
			bridge->inner_gone = true;
		else
			bytes_consume(&bridge->up, (size_t)n);
	}
	bytes_fini(&bridge->up);
	if (bridge->outer_ended && !bridge->inner_told) {
		shutdown(bridge->inner, SHUT_WR);
		bridge->inner_told = true;
	}
}

/* From the peer to the engine. False: the connection is broken. */
static bool pump_up(struct bridge *bridge)
{
	static uint8_t data[CHUNK];

	empty_up(bridge);
	bridge->read_wants_write = false;
	for (int i = 0; i < READS_EACH_TURN && !bridge->outer_ended && bytes_len(&bridge->up) < TLS_BUFFER_MAX; i++) {
		int n;

		ERR_clear_error();
		n = SSL_read(bridge->ssl, data, sizeof(data));
		if (n > 0) {
			give_engine(bridge, data, (size_t)n);
			continue;
		}
		switch (SSL_get_error(bridge->ssl, n)) {
		case SSL_ERROR_WANT_READ:
			return true;
		case SSL_ERROR_WANT_WRITE:
			bridge->read_wants_write = true;
			return true;
		case SSL_ERROR_ZERO_RETURN:
			bridge->outer_ended = true;
			break;
		default:
			return false;
		}
	}
	empty_up(bridge);
	return true;
}

/* What is in `down` into TLS. False: the connection is broken. */
static bool empty_down(struct bridge *bridge)
{
	struct bytes *down = &bridge->down;

	bridge->write_blocked = bridge->write_wants_read = false;
	while (bytes_len(down) > 0) {
		int n;

		ERR_clear_error();
		n = SSL_write(bridge->ssl, down->p + down->start, (int)bytes_len(down));
		if (n > 0) {
			bytes_consume(down, (size_t)n);
			bridge->moved = true;
			continue;
		}
		switch (SSL_get_error(bridge->ssl, n)) {
		case SSL_ERROR_WANT_WRITE:
			bridge->write_blocked = true;
			return true;
		case SSL_ERROR_WANT_READ:
			bridge->write_wants_read = true;
			return true;
		default:
			return false;
		}
	}
	return true;
}

/* From the engine to the peer. False: the connection is broken. */
static bool pump_down(struct bridge *bridge)
{
	static uint8_t data[TLS_BUFFER_MAX];

	while (empty_down(bridge)) {
		ssize_t n;

		if (bridge->inner_ended || bytes_len(&bridge->down) > 0)
			return true;
		n = recv(bridge->inner, data, sizeof(data), 0);
		if (blocked(n)) {
			bytes_fini(&bridge->down);
			return true;
		}
		if (n <= 0) /* an engine that closes with unread octets makes it a reset: the end all the same */
			bridge->inner_ended = true;
		else
			bytes_append(&bridge->down, data, (size_t)n);
	}
	return false;
}

/* The engine has ended and everything of it was sent: close_notify and FIN, then the peer's are awaited. */
static bool finish(struct bridge *bridge)
{
	int r;

	if (bridge->finished || !bridge->inner_ended || bytes_len(&bridge->down) > 0)
		return true;
	ERR_clear_error();
	r = SSL_shutdown(bridge->ssl);
	if (r < 0 && SSL_get_error(bridge->ssl, r) == SSL_ERROR_WANT_WRITE) {
		bridge->write_blocked = true;
		return true;
	}
	if (r < 0)
		return false;
	shutdown(bridge->outer, SHUT_WR);
	bridge->finished = true;
	set_deadline(bridge, LINGER_S);
	return true;
}

/* While the peer takes nothing the engine is not read, and the end of it not seen. */
static bool engine_ended(const struct bridge *bridge)
{
	struct pollfd inner = { .fd = bridge->inner };

	return bridge->inner_ended || (poll(&inner, 1, 0) > 0 && (inner.revents & (POLLHUP | POLLERR)));
}

/* Starts or stops the clock for a peer who takes nothing. */
static void watch_stall(struct bridge *bridge)
{
	if (bridge->finished)
		return;
	if (!bridge->write_blocked && !bridge->write_wants_read)
		ev_timer_stop(bridge->tls->loop, &bridge->deadline);
	else if (!ev_is_active(&bridge->deadline))
		set_deadline(bridge, STALL_S);
}

static void pump(struct bridge *bridge)
{
	bool read, write;

	if (!pump_up(bridge) || !pump_down(bridge) || !finish(bridge) || (bridge->finished && bridge->outer_ended)) {
		bridge_free(bridge);
		return;
	}
	read = (!bridge->outer_ended && bytes_len(&bridge->up) < TLS_BUFFER_MAX) || bridge->write_wants_read;
	write = bridge->write_blocked || bridge->read_wants_write;
	watch(bridge, &bridge->outer_io, bridge->outer, (read ? EV_READ : 0) | (write ? EV_WRITE : 0));
	read = !bridge->inner_ended && bytes_len(&bridge->down) == 0;
	write = bytes_len(&bridge->up) > 0 && !bridge->inner_gone;
	watch(bridge, &bridge->inner_io, bridge->inner, (read ? EV_READ : 0) | (write ? EV_WRITE : 0));
	watch_stall(bridge);
}

static void open_bridge(struct bridge *bridge)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		bridge_free(bridge); /* no descriptor left */
		return;
	}
	ev_timer_stop(bridge->tls->loop, &bridge->deadline);
	bridge->inner = pair[0];
	bridge->on_open(bridge->arg, pair[1], bridge->ip);
	pump(bridge);
}

static void shake_hands(struct bridge *bridge)
{
	int r;

	ERR_clear_error();
	r = SSL_accept(bridge->ssl);
	if (r == 1) {
		open_bridge(bridge);
		return;
	}
	switch (SSL_get_error(bridge->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		watch(bridge, &bridge->outer_io, bridge->outer, EV_READ);
		break;
	case SSL_ERROR_WANT_WRITE:
		watch(bridge, &bridge->outer_io, bridge->outer, EV_WRITE);
		break;
	default:
		bridge_free(bridge);
	}
}

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
	struct bridge *bridge = io->data;

	(void)loop;
	(void)events;
	if (bridge->inner < 0)
		shake_hands(bridge);
	else
		pump(bridge);
}

/* A slow peer may take its time while there is an engine that judges it; what an engine left behind must go on. */
static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct bridge *bridge = timer->data;
	bool open = bridge->inner >= 0 && !bridge->finished;

	(void)loop;
	(void)events;
	if (open && (bridge->moved || !engine_ended(bridge))) {
		bridge->moved = false;
		set_deadline(bridge, STALL_S);
		return;
	}
	bridge_free(bridge);
}

void tls_accept(struct tls *tls, int fd, const char *ip, void (*on_open)(void *arg, int fd, const char *ip), void *arg)
{
	struct bridge *bridge = calloc(1, sizeof(*bridge));

	if (!bridge)
		abort();
	*bridge = (struct bridge){ .tls = tls, .outer = fd, .inner = -1, .on_open = on_open, .arg = arg };
	bridge->next = tls->bridges;
	if (bridge->next)
		bridge->next->prev = bridge;
	tls->bridges = bridge;
	snprintf(bridge->ip, sizeof(bridge->ip), "%s", ip);
	ev_init(&bridge->outer_io, on_event);
	bridge->outer_io.data = bridge;
	ev_init(&bridge->inner_io, on_event);
	bridge->inner_io.data = bridge;
	ev_init(&bridge->deadline, on_deadline);
	bridge->deadline.data = bridge;
	bridge->ssl = SSL_new(tls->context);
	if (!bridge->ssl || SSL_set_fd(bridge->ssl, fd) != 1)
		abort();
	set_deadline(bridge, tls->config->handshake_timeout_s);
	shake_hands(bridge);
}

void tls_stop(struct tls *tls)
{
	if (!tls)
		return;
	while (tls->bridges)
		bridge_free(tls->bridges);
	SSL_CTX_free(tls->context);
	free(tls);
}
