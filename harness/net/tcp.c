/*
 * TCP with exact endings. A conformance verdict may rest on whether a server ended with FIN or with RST, and on what it
 * said before, so this file drives the socket itself and lets libuv only watch it: uv_tcp_t invents an EOF when data
 * and a RST arrive together (POLLHUP after a short read), and a send that fails takes the pending ECONNRESET away from
 * the reads. Here octets that the kernel still holds are always delivered first, then the ending.
 */
#include "harness/net/tcp.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/net/address.h"
#include "harness/net/netns.h"

struct tcp {
	struct stream stream; /* first */
	uv_poll_t *poll; /* on the heap: outlives this struct by a turn */
	int fd;
	int watched;       /* uv_poll_event bits asked for now */
	struct buf queue;  /* what the kernel has not taken; begins at queue_sent */
	size_t queue_sent;
	unsigned busy;     /* callbacks on the stack; memory stays until they return */
	bool open, paused, eof;
	bool shut, fin_sent; /* stream_shutdown called; FIN given to the kernel */
	bool end_unwatched;  /* after the peer's FIN: no use in watching for a RST any more */
	bool ended, freed;   /* on_error told or stream_reset called; stream_free called */
	int send_error;      /* negative errno of a send; told once the octets that came before it are read */
	bool fin_before_reset; /* that send found the peer's FIN already received */
	char error_text[160];
	char description[2 * ADDRESS_TEXT_LEN + 16];
};

static void tcp_on_poll(uv_poll_t *poll, int status, int events);

/* Asks libuv for exactly what the state needs. */
static void tcp_watch(struct tcp *t)
{
	int events = 0;
	if (!t->poll)
		return;
	if (!t->open) {
		events = UV_WRITABLE;
	} else {
		if (!t->paused && !t->eof)
			events |= UV_READABLE;
		if (stream_unsent(&t->stream) > 0)
			events |= UV_WRITABLE;
		/* After a FIN the socket stays readable for ever; a RST still shows as POLLERR when nothing real is
		 * asked for. */
		if (t->eof && !t->paused && (t->send_error || (!t->fin_sent && !t->end_unwatched)))
			events |= UV_PRIORITIZED;
	}
	if (events == t->watched)
		return;
	t->watched = events;
	if (events)
		uv_poll_start(t->poll, events, tcp_on_poll);
	else
		uv_poll_stop(t->poll);
}

static void tcp_on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

/* Gives the descriptor and the queue back at once. */
static void tcp_close(struct tcp *t)
{
	uv_poll_t *poll = TAKE_PTR(t->poll);
	if (poll)
		uv_close((uv_handle_t *)poll, tcp_on_poll_closed);
	cleanup_fd(&t->fd);
	buf_fini(&t->queue);
	t->queue_sent = 0;
}

static void tcp_leave(struct tcp *t)
{
	if (--t->busy == 0 && t->freed)
		free(t);
	else if (!t->freed)
		tcp_watch(t);
}

/* Terminal; the last thing said. */
static void tcp_fail(struct tcp *t, int error, const char *what)
{
	snprintf(t->error_text, sizeof(t->error_text), "%s%s%s", what, *what ? ": " : "", strerror(-error));
	t->ended = true;
	tcp_close(t);
	t->stream.events->on_error(t->stream.owner, error);
}

static int socket_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

/* What the kernel says of a RST: ECONNRESET, or EPIPE when the peer's FIN had come before it. */
static bool is_reset(int error)
{
	return error == ECONNRESET || error == EPIPE;
}

static void tcp_send_failed(struct tcp *t, int error)
{
	t->fin_before_reset = error == EPIPE;
	t->send_error = is_reset(error) ? -ECONNRESET : -error;
	buf_fini(&t->queue);
	t->queue_sent = 0;
	/* A dead socket reads as ended by itself; a live one that we cannot write to any more must be made to. */
	if (!is_reset(error))
		shutdown(t->fd, SHUT_RDWR);
	tcp_watch(t);
}

/* Octets taken by the kernel; negative errno, -EAGAIN when it takes none now. */
static ssize_t tcp_send(struct tcp *t, const uint8_t *p, size_t len)
{
	ssize_t n;
	do
		n = send(t->fd, p, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
}

static void tcp_flush(struct tcp *t)
{
	while (t->queue_sent < t->queue.len) {
		ssize_t n = tcp_send(t, t->queue.p + t->queue_sent, t->queue.len - t->queue_sent);
		if (n == -EAGAIN)
			break;
		if (n < 0) {
			tcp_send_failed(t, (int)-n);
			return;
		}
		t->queue_sent += (size_t)n;
	}
	if (t->queue_sent == t->queue.len || t->queue_sent > t->queue.len / 2) {
		buf_consume(&t->queue, t->queue_sent);
		t->queue_sent = 0;
	}
	if (t->queue.len == 0 && t->shut && !t->fin_sent) {
		t->fin_sent = true;
		shutdown(t->fd, SHUT_WR); /* fails only on a reset connection, which reading tells */
	}
}

static void tcp_eof(struct tcp *t)
{
	t->eof = true;
	t->stream.events->on_eof(t->stream.owner, true);
}

/* One chunk a turn, so that a flood on one connection does not starve the others. */
static void tcp_read(struct tcp *t)
{
	uint8_t chunk[STREAM_READ_CHUNK];
	ssize_t n;
	do
		n = recv(t->fd, chunk, sizeof(chunk), 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		t->stream.events->on_data(t->stream.owner, span_of(chunk, (size_t)n));
	else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	else if (n < 0)
		tcp_fail(t, is_reset(errno) ? -ECONNRESET : -errno, "");
	else if (t->send_error && !t->fin_before_reset)
		tcp_fail(t, t->send_error, "");
	else
		tcp_eof(t);
}

/* Only an error can still come. */
static void tcp_after_eof(struct tcp *t, int status)
{
	int error = t->send_error ? -t->send_error : status < 0 ? socket_error(t->fd) : 0;
	if (error)
		tcp_fail(t, is_reset(error) ? -ECONNRESET : -error, "");
	else
		t->end_unwatched = true;
}

static void tcp_opened(struct tcp *t)
{
	struct sockaddr_storage local = {0}, peer = {0};
	socklen_t local_len = sizeof(local), peer_len = sizeof(peer);
	char text[2][ADDRESS_TEXT_LEN];
	getsockname(t->fd, (struct sockaddr *)&local, &local_len);
	if (getpeername(t->fd, (struct sockaddr *)&peer, &peer_len) == 0) {
		snprintf(t->description, sizeof(t->description), "tcp %s -> %s", address_text(&local, text[0]),
			 address_text(&peer, text[1]));
		/* A port in the ephemeral range that nobody listens on can be given to our own socket, which then
		 * connects to itself. */
		if (address_eq(&local, &peer)) {
			tcp_fail(t, -ECONNREFUSED, t->description);
			return;
		}
	}
	t->open = true;
	t->stream.events->on_open(t->stream.owner);
}

static void tcp_connected(struct tcp *t)
{
	int error = socket_error(t->fd);
	if (is_reset(error)) { /* it was open, and is gone already: what came in between is still to be read */
		t->fin_before_reset = error == EPIPE;
		t->send_error = -ECONNRESET;
	} else if (error) {
		tcp_fail(t, -error, t->description);
		return;
	}
	tcp_opened(t);
}

static void tcp_drain(struct tcp *t)
{
	bool waited = stream_unsent(&t->stream) > 0;
	tcp_flush(t);
	if (waited && !t->send_error && stream_unsent(&t->stream) == 0 && t->stream.events->on_drain)
		t->stream.events->on_drain(t->stream.owner);
}

static void tcp_on_poll(uv_poll_t *poll, int status, int events)
{
	struct tcp *t = poll->data;
	t->busy++;
	if (status < 0)
		t->watched = 0; /* POLLERR: libuv has stopped the handle */
	if (!t->open) {
		tcp_connected(t);
	} else {
		if (status < 0 || (events & UV_WRITABLE))
			tcp_drain(t);
		if (!t->ended && !t->paused && !t->eof && (status < 0 || (events & UV_READABLE)))
			tcp_read(t);
		else if (!t->ended && t->eof && (status < 0 || t->send_error || (events & UV_PRIORITIZED)))
			tcp_after_eof(t, status);
	}
	tcp_leave(t);
}

static int tcp_write(struct stream *s, struct span data)
{
	struct tcp *t = (struct tcp *)s;
	ssize_t n = 0;
	if (t->ended || t->shut)
		return -EPIPE;
	if (!t->open)
		return -ENOTCONN;
	if (data.len > STREAM_UNSENT_MAX - stream_unsent(s))
		return -ENOBUFS;
	if (data.len == 0 || t->send_error)
		return 0;
	if (t->queue.len == 0) {
		n = tcp_send(t, data.p, data.len);
		if (n < 0 && n != -EAGAIN) {
			tcp_send_failed(t, (int)-n);
			return 0;
		}
		if (n < 0)
			n = 0;
	}
	if ((size_t)n == data.len)
		return 0;
	if (t->queue_sent > 0) { /* make the maximum count only what is unsent */
		buf_consume(&t->queue, t->queue_sent);
		t->queue_sent = 0;
	}
	int r = buf_append(&t->queue, data.p + n, data.len - (size_t)n);
	if (r < 0 && n == 0)
		return r;
	if (r < 0)
		tcp_send_failed(t, -r);
	tcp_watch(t);
	return 0;
}

static int tcp_shutdown(struct stream *s)
{
	struct tcp *t = (struct tcp *)s;
	if (t->ended || !t->open)
		return t->ended ? -EPIPE : -ENOTCONN;
	t->shut = true;
	if (!t->send_error)
		tcp_flush(t);
	tcp_watch(t);
	return 0;
}

static void tcp_reset(struct stream *s)
{
	struct tcp *t = (struct tcp *)s;
	if (t->fd >= 0) {
		struct linger now = {.l_onoff = 1, .l_linger = 0};
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	t->ended = true;
	tcp_close(t);
}

static void tcp_pause(struct stream *s, bool paused)
{
	struct tcp *t = (struct tcp *)s;
	t->paused = paused;
	tcp_watch(t);
}

static size_t tcp_unsent(const struct stream *s)
{
	const struct tcp *t = (const struct tcp *)s;
	return t->queue.len - t->queue_sent;
}

static const char *tcp_error_text(const struct stream *s)
{
	return ((const struct tcp *)s)->error_text;
}

static const char *tcp_describe(const struct stream *s)
{
	return ((const struct tcp *)s)->description;
}

static void tcp_free(struct stream *s)
{
	struct tcp *t = (struct tcp *)s;
	assert(!t->freed);
	t->freed = t->ended = true;
	tcp_close(t);
	if (t->busy == 0)
		free(t);
}

static const struct stream_ops tcp_ops = {
	.name = "tcp",
	.write = tcp_write,
	.shutdown = tcp_shutdown,
	.reset = tcp_reset,
	.pause = tcp_pause,
	.unsent = tcp_unsent,
	.error_text = tcp_error_text,
	.describe = tcp_describe,
	.free = tcp_free,
};

int tcp_from_fd(struct loop *l, int fd, const struct stream_events *events, void *owner, struct stream **ret_stream)
{
	int one = 1, r = -ENOMEM;
	struct tcp *t = calloc(1, sizeof(*t));
	uv_poll_t *poll = malloc(sizeof(*poll));
	if (!t || !poll)
		goto fail;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)); /* an urgent octet is data like any other */
	r = uv_poll_init(&l->uv, poll, fd); /* also makes it non-blocking */
	if (r < 0)
		goto fail;
	*t = (struct tcp){.stream = {&tcp_ops, events, owner}, .poll = poll, .fd = fd};
	poll->data = t;
	buf_init(&t->queue, STREAM_UNSENT_MAX);
	snprintf(t->error_text, sizeof(t->error_text), "no error");
	snprintf(t->description, sizeof(t->description), "tcp");
	tcp_watch(t);
	*ret_stream = &t->stream;
	return 0;
fail:
	free(poll);
	free(t);
	close(fd);
	return r;
}

int tcp_connect(struct loop *l, const struct sockaddr_storage *to, const struct sockaddr_storage *from,
		const struct stream_events *events, void *owner, struct stream **ret_stream)
{
	struct tcp_options o = {.from = from};
	return tcp_connect_with(l, to, &o, events, owner, ret_stream);
}

int tcp_connect_with(struct loop *l, const struct sockaddr_storage *to, const struct tcp_options *o,
		     const struct stream_events *events, void *owner, struct stream **ret_stream)
{
	int one = 1;
	char text[ADDRESS_TEXT_LEN];
	int fd CLEANUP(cleanup_fd) = netns_socket(o->netns, to->ss_family, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return fd;
	if (o->receive_buffer && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &o->receive_buffer, sizeof(o->receive_buffer)) < 0)
		return -errno;
	if (o->from) {
		/* The kernel chooses the port at connect time, so that one source address reaches more than 28,000
		 * connections. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(fd, (const struct sockaddr *)o->from, address_len(o->from)) < 0)
			return -errno;
	}
	if (connect(fd, (const struct sockaddr *)to, address_len(to)) < 0 && errno != EINPROGRESS)
		return -errno;
	int r = tcp_from_fd(l, TAKE_FD(fd), events, owner, ret_stream);
	if (r == 0) {
		struct tcp *t = (struct tcp *)*ret_stream;
		snprintf(t->description, sizeof(t->description), "tcp -> %s", address_text(to, text));
	}
	return r;
}
