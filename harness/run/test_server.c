/* The scripted server of the tests: plain blocking calls, so that what the tests compare with is not our own code. */
#include "harness/run/test_server.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, PAYLOAD_MAX = 1 << 21 };

struct talk {
	struct server *server;
	int slot, fd;
	char accept[64];
	char head[HEAD_MAX];
	uint8_t first, *payload;
	size_t len;
};

static bool read_all(int fd, void *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = recv(fd, (char *)to + at, len - at, 0);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool say(struct talk *t, const void *octets, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(t->fd, (const char *)octets + at, len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* RFC 6455 4.2.2: base64 of SHA-1 of key and GUID. */
static void make_accept(struct talk *t)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const char *key = strcasestr(t->head, "\r\nSec-WebSocket-Key:");
	char text[128];
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	key = key ? key + 20 : "";
	key += strspn(key, " ");
	snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(key, "\r "), key, guid);
	EVP_Digest(text, strlen(text), sum, &len, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)t->accept, sum, (int)len);
}

static bool read_request(struct talk *t)
{
	size_t at = 0;
	while (at < HEAD_MAX - 1) {
		if (!read_all(t->fd, t->head + at, 1))
			return false;
		t->head[++at] = 0;
		if (at >= 4 && memcmp(t->head + at - 4, "\r\n\r\n", 4) == 0) {
			make_accept(t);
			return true;
		}
	}
	return false;
}

static bool open_101(struct talk *t, const char *more)
{
	char reply[1024];
	if (!read_request(t))
		return false;
	int n = snprintf(reply, sizeof(reply), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			 "Sec-WebSocket-Accept: %s\r\n%s\r\n", t->accept, more ? more : "");
	return say(t, reply, (size_t)n);
}

static bool read_frame(struct talk *t)
{
	uint8_t head[2], more[8], key[4] = {0};
	if (!read_all(t->fd, head, 2))
		return false;
	t->first = head[0];
	t->len = head[1] & 127;
	size_t extra = t->len == 126 ? 2 : t->len == 127 ? 8 : 0;
	if (!read_all(t->fd, more, extra))
		return false;
	if (extra)
		t->len = 0;
	for (size_t i = 0; i < extra; i++)
		t->len = t->len << 8 | more[i];
	if (t->len > PAYLOAD_MAX || (head[1] & 128 && !read_all(t->fd, key, 4)) || !read_all(t->fd, t->payload, t->len))
		return false;
	for (size_t i = 0; i < t->len; i++)
		t->payload[i] ^= key[i % 4];
	return true;
}

static bool back(struct talk *t, uint8_t first)
{
	uint8_t head[10] = {first, (uint8_t)t->len};
	size_t n = 2;
	if (t->len > 125) {
		head[1] = t->len > 65535 ? 127 : 126;
		n = t->len > 65535 ? 10 : 4;
		for (size_t i = 2; i < n; i++)
			head[i] = (uint8_t)(t->len >> 8 * (n - 1 - i));
	}
	return say(t, head, n) && say(t, t->payload, t->len);
}

static bool fill(struct talk *t, size_t len)
{
	char octets[4096];
	memset(octets, 'x', sizeof(octets));
	for (size_t n; len; len -= n) {
		n = len < sizeof(octets) ? len : sizeof(octets);
		if (!say(t, octets, n))
			return false;
	}
	return true;
}

static void reset(int fd)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void drain(struct talk *t)
{
	char octets[4096];
	while (recv(t->fd, octets, sizeof(octets), 0) > 0)
		;
}

/* One script; false: the connection is over. */
static bool play(struct talk *t, const struct act *a)
{
	for (bool ok = true; a->kind != ACT_END; a++) {
		switch (a->kind) {
		case ACT_OPEN: ok = open_101(t, a->text); break;
		case ACT_ASKED: ok = read_request(t); break;
		case ACT_GET:
			do
				ok = read_frame(t);
			while (ok && t->first != a->first);
			break;
		case ACT_SAY: ok = say(t, a->text, a->len); break;
		case ACT_FILL: ok = fill(t, a->len); break;
		case ACT_BACK: ok = back(t, a->first); break;
		case ACT_ACCEPT: ok = say(t, t->accept, strlen(t->accept)); break;
		case ACT_RST: reset(t->fd); return false;
		case ACT_FIN:
			shutdown(t->fd, SHUT_WR);
			drain(t);
			return false;
		case ACT_HANG:
			drain(t);
			return false;
		case ACT_END: break;
		}
		if (!ok)
			return false;
	}
	return true;
}

/* Under the lock. */
static void cut_all(struct server *s)
{
	for (int i = 0; i < s->n_threads; i++)
		if (s->fds[i] >= 0)
			shutdown(s->fds[i], SHUT_RDWR);
}

static void die(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->deaths++;
	s->dead = !s->reborn;
	if (s->dead)
		shutdown(s->listener, SHUT_RDWR);
	cut_all(s);
	pthread_mutex_unlock(&s->lock);
}

static bool poisoned(struct talk *t)
{
	struct server *s = t->server;
	if (!s->poison || t->first != 0x81 || t->len != strlen(s->poison) || memcmp(t->payload, s->poison, t->len) != 0)
		return false;
	if (s->late && s->deaths) {
		s->dying = true;
		return false;
	}
	if (s->guest && !s->deaths) {
		s->dying = true;
		drain(t);
		return true;
	}
	die(s);
	return true;
}

static void behave(struct talk *t)
{
	while (read_frame(t)) {
		if (poisoned(t))
			return;
		if (t->first == 0x81 || t->first == 0x82)
			back(t, t->first);
		else if (t->first == 0x89)
			back(t, 0x8a);
		else if (t->first == 0x88) {
			back(t, 0x88);
			shutdown(t->fd, SHUT_WR);
		}
	}
}

/* Before the last connection is answered: who connects after it meets nobody. */
static void die_late(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->dying = false;
	s->dead = true;
	s->deaths++;
	shutdown(s->listener, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
}

static void die_with_guest(struct server *s)
{
	while (!s->dying && !s->dead)
		usleep(1000);
	s->dying = false;
	die(s);
}

static void *talk_main(void *arg)
{
	struct talk *t = arg;
	struct server *s = t->server;
	if (s->guest && t->slot == s->guest && !s->deaths)
		die_with_guest(s);
	else if (s->dying && !s->guest)
		die_late(s);
	const struct act *script = s->then && t->slot > 0 ? s->then : s->script;
	if (play(t, script))
		behave(t);
	pthread_mutex_lock(&s->lock);
	s->fds[t->slot] = -1;
	close(t->fd);
	pthread_mutex_unlock(&s->lock);
	free(t->payload);
	free(t);
	return NULL;
}

static void *accept_main(void *arg)
{
	struct server *s = arg;
	int one = 1, fd;
	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		struct talk *t = calloc(1, sizeof(*t));
		assert(t && s->n_threads < SERVER_CONNECTIONS_MAX);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		t->payload = malloc(PAYLOAD_MAX);
		assert(t->payload);
		t->server = s;
		t->fd = fd;
		t->slot = s->n_threads;
		s->count++;
		pthread_mutex_lock(&s->lock);
		if (s->brief)
			cut_all(s);
		s->fds[s->n_threads] = fd;
		assert(pthread_create(&s->threads[s->n_threads], NULL, talk_main, t) == 0);
		s->n_threads++;
		if (s->dead)
			shutdown(fd, SHUT_RDWR);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

void server_start(struct server *s)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int one = 1;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(s->listener >= 0);
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	int r = bind(s->listener, (struct sockaddr *)&in, len);
	assert(r == 0);
	r = listen(s->listener, 256);
	assert(r == 0);
	getsockname(s->listener, (struct sockaddr *)&in, &len);
	s->port = ntohs(in.sin_port);
	s->n_threads = 0;
	s->dead = false;
	pthread_mutex_init(&s->lock, NULL);
	r = pthread_create(&s->acceptor, NULL, accept_main, s);
	assert(r == 0);
}

void server_stop(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->dead = true;
	shutdown(s->listener, SHUT_RDWR);
	cut_all(s);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->acceptor, NULL);
	for (int i = 0; i < s->n_threads; i++)
		pthread_join(s->threads[i], NULL);
	close(s->listener);
	pthread_mutex_destroy(&s->lock);
}
