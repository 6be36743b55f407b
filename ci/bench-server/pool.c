/*
 * WebSocket clients on a plain epoll loop, RFC 6455 as far as a load generator needs it. One shared read buffer; a
 * client owns memory only while an incomplete frame waits. All mask with the same key: servers unmask anyway.
 */
#include "ci/bench-server/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ci/bench-server/fail.h"

#define READ_SIZE (256u * 1024)
#define FRAME_MAX (64u * 1024 * 1024)
#define HEAD_MAX 8192 /* octets of a response head */
#define EVENTS_MAX 512
#define ACCEPT_KEY "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" /* RFC 6455 1.3 */

enum { OP_CONTINUATION, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };

static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
static uint8_t buffer[READ_SIZE];

void pool_init(struct pool *pool, unsigned port, const char *path, unsigned count, uint32_t source)
{
	*pool = (struct pool){ .count = count, .path = path, .source = source };
	pool->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	pool->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pool->epoll = epoll_create1(EPOLL_CLOEXEC);
	pool->peers = calloc(count, sizeof(*pool->peers));
	if (pool->epoll < 0 || !pool->peers)
		fail("no memory for %u connections", count);
}

void pool_fini(struct pool *pool)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	for (unsigned i = 0; i < pool->count; i++) {
		struct peer *peer = &pool->peers[i];

		if (peer->state == PEER_NONE)
			continue;
		setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(peer->fd);
		free(peer->rest);
	}
	free(pool->peers);
	free(pool->out);
	close(pool->epoll);
	*pool = (struct pool){ .epoll = -1 };
}

static void watch(struct pool *pool, struct peer *peer, int what, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = peer };

	if (epoll_ctl(pool->epoll, what, peer->fd, &event) < 0)
		fail("epoll_ctl: %s", strerror(errno));
}

static void peer_start(struct pool *pool, struct peer *peer)
{
	unsigned index = (unsigned)(peer - pool->peers);
	struct sockaddr_in from = { .sin_family = AF_INET };
	int on = 1;

	from.sin_addr.s_addr = htonl(pool->source + index / POOL_PER_SOURCE);
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (peer->fd < 0)
		fail("connection %u: %s", index, strerror(errno));
	setsockopt(peer->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(peer->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		fail("connection %u: bind: %s", index, strerror(errno));
	if (connect(peer->fd, (struct sockaddr *)&pool->to, sizeof(pool->to)) < 0 && errno != EINPROGRESS)
		fail("connection %u: connect: %s", index, strerror(errno));
	peer->state = PEER_CONNECTING;
	watch(pool, peer, EPOLL_CTL_ADD, EPOLLOUT);
}

static void peer_request(struct pool *pool, struct peer *peer)
{
	char head[1024];
	int error = 0, len;
	socklen_t size = sizeof(error);

	getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
		fail("connection %u: %s", (unsigned)(peer - pool->peers), strerror(error));
	len = snprintf(head, sizeof(head),
		       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		       pool->path, ntohs(pool->to.sin_port));
	if (len >= (int)sizeof(head) || send(peer->fd, head, (size_t)len, MSG_NOSIGNAL) != len)
		fail("connection %u: the request does not leave", (unsigned)(peer - pool->peers));
	peer->state = PEER_UPGRADING;
	watch(pool, peer, EPOLL_CTL_MOD, EPOLLIN);
}

/* Octets of the response head, 0 when it is not complete. */
static size_t peer_response(struct pool *pool, struct peer *peer, const uint8_t *data, size_t len)
{
	const uint8_t *end = memmem(data, len, "\r\n\r\n", 4);

	if (!end && len < HEAD_MAX)
		return 0;
	if (len < 12 || memcmp(data, "HTTP/1.1 101", 12) != 0 || !memmem(data, len, ACCEPT_KEY, strlen(ACCEPT_KEY)))
		fail("connection %u was refused: %.*s", (unsigned)(peer - pool->peers), (int)(len < 60 ? len : 60),
		     (const char *)data);
	peer->state = PEER_OPEN;
	pool->opened++;
	if (pool->on_open)
		pool->on_open(pool, peer);
	return (size_t)(end - data) + 4;
}

static size_t frame_make(uint8_t *out, uint8_t opcode, const char *text, size_t len)
{
	size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;

	out[0] = 0x80 | opcode;
	out[1] = 0x80 | (uint8_t)(head == 2 ? len : head == 4 ? 126 : 127);
	for (size_t i = 2; i < head; i++)
		out[i] = (uint8_t)(len >> (8 * (head - 1 - i)));
	memcpy(out + head, mask, 4);
	head += 4;
	for (size_t i = 0; i < len; i++)
		out[head + i] = (uint8_t)text[i] ^ mask[i % 4];
	return head + len;
}

static void small_frame(struct peer *peer, uint8_t opcode, const char *text, size_t len)
{
	uint8_t frame[1024];
	size_t n;

	if (len > sizeof(frame) - 14)
		fail("a text of %zu octets is not small", len);
	n = frame_make(frame, opcode, text, len);
	if (send(peer->fd, frame, n, MSG_NOSIGNAL) != (ssize_t)n)
		fail("the server does not take a message: %s", strerror(errno));
}

void pool_send_text(struct peer *peer, const char *text, size_t len)
{
	small_frame(peer, OP_TEXT, text, len);
}

void pool_prepare(struct pool *pool, const char *text, size_t len)
{
	free(pool->out);
	pool->out = malloc(len + 14);
	if (!pool->out)
		fail("no memory for a message of %zu octets", len);
	pool->out_len = frame_make(pool->out, OP_TEXT, text, len);
}

static void peer_flush(struct pool *pool, struct peer *peer)
{
	ssize_t n = send(peer->fd, pool->out + pool->out_len - peer->unsent, peer->unsent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		fail("connection %u: send: %s", (unsigned)(peer - pool->peers), strerror(errno));
	if (n > 0)
		peer->unsent -= (uint32_t)n;
}

void pool_send_again(struct pool *pool, struct peer *peer)
{
	peer->unsent = (uint32_t)pool->out_len;
	peer_flush(pool, peer);
	if (peer->unsent > 0)
		watch(pool, peer, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

/* Octets of the frame at data, 0 when it is not complete. */
static size_t peer_frame(struct pool *pool, struct peer *peer, const uint8_t *data, size_t len)
{
	size_t head = 2, payload;

	if (len < head)
		return 0;
	payload = data[1];
	if (payload >= 126) {
		head = payload == 126 ? 4 : 10;
		if (len < head)
			return 0;
		payload = 0;
		for (size_t i = 2; i < head; i++)
			payload = payload << 8 | data[i];
	}
	if (payload > FRAME_MAX || (data[1] & 0x80))
		fail("connection %u: a frame that no server may send", (unsigned)(peer - pool->peers));
	if (len < head + payload)
		return 0;
	if (data[0] == (0x80 | OP_PING))
		small_frame(peer, OP_PONG, (const char *)data + head, payload);
	else if (data[0] == (0x80 | OP_TEXT) && pool->on_message)
		pool->on_message(pool, peer, data + head, payload);
	else if (data[0] != (0x80 | OP_TEXT) && data[0] != (0x80 | OP_PONG))
		fail("connection %u: a frame that begins with %02x, status %d", (unsigned)(peer - pool->peers), data[0],
		     payload >= 2 ? data[head] << 8 | data[head + 1] : 0);
	return head + payload;
}

static void peer_keep(struct peer *peer, const uint8_t *data, size_t len)
{
	uint8_t *old = peer->rest;

	peer->rest = NULL;
	peer->held = (uint32_t)len;
	if (len > 0) {
		peer->rest = malloc(len);
		if (!peer->rest)
			fail("no memory for %zu octets", len);
		memcpy(peer->rest, data, len);
	}
	free(old); /* data may lie in it */
}

static void peer_take(struct pool *pool, struct peer *peer, const uint8_t *data, size_t len)
{
	size_t used = 0, n;

	do {
		n = peer->state == PEER_OPEN ? peer_frame(pool, peer, data + used, len - used) :
					       peer_response(pool, peer, data + used, len - used);
		used += n;
	} while (n > 0 && used < len);
	if (used < len || peer->held > 0)
		peer_keep(peer, data + used, len - used);
}

static void peer_read(struct pool *pool, struct peer *peer)
{
	ssize_t n = recv(peer->fd, buffer, sizeof(buffer), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		fail("connection %u was lost: %s", (unsigned)(peer - pool->peers), n ? strerror(errno) : "end of stream");
	if (peer->held == 0) {
		peer_take(pool, peer, buffer, (size_t)n);
		return;
	}
	peer->rest = realloc(peer->rest, peer->held + (size_t)n);
	if (!peer->rest)
		fail("no memory for %zd octets", n);
	memcpy(peer->rest + peer->held, buffer, (size_t)n);
	peer_take(pool, peer, peer->rest, peer->held + (size_t)n);
}

static void peer_event(struct pool *pool, struct peer *peer, uint32_t events)
{
	if (peer->state == PEER_CONNECTING) {
		peer_request(pool, peer);
		return;
	}
	if ((events & EPOLLOUT) && peer->unsent > 0) {
		peer_flush(pool, peer);
		if (peer->unsent == 0)
			watch(pool, peer, EPOLL_CTL_MOD, EPOLLIN);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		peer_read(pool, peer);
}

void pool_turn(struct pool *pool, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n;

	while (pool->started < pool->count && pool->started - pool->opened < POOL_OPENING_MAX)
		peer_start(pool, &pool->peers[pool->started++]);
	n = epoll_wait(pool->epoll, events, EVENTS_MAX, timeout_ms);
	for (int i = 0; i < n; i++)
		peer_event(pool, events[i].data.ptr, events[i].events);
}
