/* The scripted server of the tests: plain blocking calls, so that what the tests compare with is not our own code. */
#include "harness/net/test_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PEER_PATIENCE_S = 10 };

__attribute__((format(printf, 2, 3))) static bool peer_says(struct peer *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(p->failure, sizeof(p->failure), fmt, ap);
	va_end(ap);
	return false;
}

int peer_listen(struct peer *p, const char *host)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&p->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&p->address;
	socklen_t len = sizeof(p->address);
	struct timeval patience = {.tv_sec = PEER_PATIENCE_S};
	*p = (struct peer){.fd = -1};
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
	} else {
		in->sin_family = AF_INET;
		inet_pton(AF_INET, host, &in->sin_addr);
	}
	p->listener = socket(p->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->listener < 0)
		return -1;
	setsockopt(p->listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	len = p->address.ss_family == AF_INET ? sizeof(*in) : sizeof(*in6);
	if (bind(p->listener, (struct sockaddr *)&p->address, len) < 0 ||
	    listen(p->listener, 16) < 0 || getsockname(p->listener, (struct sockaddr *)&p->address, &len) < 0) {
		int error = errno;
		close(p->listener);
		errno = error;
		return -1;
	}
	return 0;
}

static bool peer_receive(struct peer *p, const char *text)
{
	char got[256] = {0};
	size_t len = strlen(text), at = 0;
	while (at < len) {
		ssize_t n = p->ssl ? SSL_read(p->ssl, got + at, (int)(len - at)) : recv(p->fd, got + at, len - at, 0);
		if (n <= 0)
			return peer_says(p, "expected '%s', got '%s', then %s", text, got, n == 0 ? "FIN" : strerror(errno));
		at += (size_t)n;
	}
	return memcmp(got, text, len) == 0 ? true : peer_says(p, "expected '%s', got '%s'", text, got);
}

static bool peer_receive_records(struct peer *p, const char *text)
{
	for (const char *at = text; *at; at++) {
		char got[64] = {0};
		int n = SSL_read(p->ssl, got, sizeof(got) - 1);
		if (n != 1 || got[0] != *at)
			return peer_says(p, "expected the record '%c', got '%s' (%d)", *at, got, n);
	}
	return true;
}

/* netinet's struct ends early; linux/tcp.h has more, but the two headers cannot meet in one file. */
struct tcp_info_more {
	struct tcp_info info;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in;
};

static bool peer_check_segments(struct peer *p, const char *text)
{
	struct tcp_info_more more = {0};
	socklen_t len = sizeof(more);
	getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, &more, &len);
	/* More than one each: a retransmission on a busy machine. Fewer: octets were held back and joined. */
	return more.data_segs_in >= strlen(text) ? true : peer_says(p, "%u data segments for '%s'", more.data_segs_in, text);
}

static bool peer_expect_end(struct peer *p, enum peer_do what)
{
	char octet;
	if (p->ssl && what == PEER_EXPECT_EOF) {
		int n = SSL_read(p->ssl, &octet, 1);
		if (n > 0 || SSL_get_error(p->ssl, n) != SSL_ERROR_ZERO_RETURN)
			return peer_says(p, "expected close_notify, got %d", n);
	}
	ssize_t n = recv(p->fd, &octet, 1, 0);
	if (what == PEER_EXPECT_RST)
		return n < 0 && errno == ECONNRESET ? true : peer_says(p, "expected RST, got %zd, %s", n, strerror(errno));
	return n == 0 ? true : peer_says(p, "expected FIN, got %zd, %s", n, strerror(errno));
}

static bool peer_expect_from(struct peer *p, const char *text)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	char host[INET6_ADDRSTRLEN] = "?";
	getpeername(p->fd, (struct sockaddr *)&from, &len);
	if (from.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, host, sizeof(host));
	return strcmp(host, text) == 0 ? true : peer_says(p, "connection from %s", host);
}

static bool peer_same(struct peer *p, const char *what, const char *want, const char *got)
{
	if (want == got || (want && got && strcmp(want, got) == 0))
		return true;
	return peer_says(p, "%s is %s", what, got ? got : "missing");
}

static bool peer_expect_alpn(struct peer *p, const char *text)
{
	const unsigned char *name;
	unsigned len;
	char got[256];
	SSL_get0_alpn_selected(p->ssl, &name, &len);
	snprintf(got, sizeof(got), "%.*s", (int)len, len ? (const char *)name : "");
	return peer_same(p, "ALPN", text, len ? got : NULL);
}

static bool peer_handshake(struct peer *p, bool must_fail)
{
	p->ssl = SSL_new(p->ctx);
	SSL_set_fd(p->ssl, p->fd);
	int r = SSL_accept(p->ssl);
	/* With TLS 1.3 the server is done before the client has judged the certificate. */
	if (must_fail) {
		char octet;
		return r == 1 && SSL_read(p->ssl, &octet, 1) > 0 ? peer_says(p, "the handshake did not fail") : true;
	}
	return r == 1 ? true : peer_says(p, "TLS handshake failed");
}

static void peer_reset(struct peer *p)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(p->fd);
	p->fd = -1;
}

static bool peer_send(struct peer *p, const char *text, bool raw)
{
	size_t len = strlen(text);
	ssize_t n = p->ssl && !raw ? SSL_write(p->ssl, text, (int)len) : send(p->fd, text, len, MSG_NOSIGNAL);
	return n == (ssize_t)len ? true : peer_says(p, "cannot send '%s'", text);
}

static bool peer_step(struct peer *p, const struct peer_step *s)
{
	switch (s->what) {
	case PEER_DONE:
		return true;
	case PEER_HANDSHAKE:
	case PEER_HANDSHAKE_FAILS:
		return peer_handshake(p, s->what == PEER_HANDSHAKE_FAILS);
	case PEER_SEND:
	case PEER_SEND_RAW:
		return peer_send(p, s->text, s->what == PEER_SEND_RAW);
	case PEER_KEY_UPDATE:
		return SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED) == 1 ? true : peer_says(p, "no KeyUpdate");
	case PEER_CLOSE_NOTIFY:
		return SSL_shutdown(p->ssl) >= 0 ? true : peer_says(p, "no close_notify");
	case PEER_FIN:
		return shutdown(p->fd, SHUT_WR) == 0 ? true : peer_says(p, "no FIN");
	case PEER_RST:
		peer_reset(p);
		return true;
	case PEER_TELL:
		atomic_fetch_add(&p->told_count, 1);
		uv_async_send(p->told);
		return true;
	case PEER_EXPECT:
		return peer_receive(p, s->text);
	case PEER_EXPECT_EACH:
		return peer_receive_records(p, s->text);
	case PEER_EXPECT_SEGMENTS:
		return peer_check_segments(p, s->text);
	case PEER_EXPECT_EOF:
	case PEER_EXPECT_FIN:
	case PEER_EXPECT_RST:
		return peer_expect_end(p, s->what);
	case PEER_EXPECT_FROM:
		return peer_expect_from(p, s->text);
	case PEER_EXPECT_SNI:
		return peer_same(p, "SNI", s->text, SSL_get_servername(p->ssl, TLSEXT_NAMETYPE_host_name));
	case PEER_EXPECT_ALPN:
		return peer_expect_alpn(p, s->text);
	}
	return peer_says(p, "unknown step");
}

static void *peer_main(void *arg)
{
	struct peer *p = arg;
	struct timeval patience = {.tv_sec = PEER_PATIENCE_S};
	int zero = 0, one = 1;
	p->fd = accept(p->listener, NULL, NULL);
	if (p->fd < 0) {
		peer_says(p, "nobody connected: %s", strerror(errno));
		return NULL;
	}
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	/* Acknowledge late, so that a client without TCP_NODELAY would hold small writes back. */
	setsockopt(p->fd, IPPROTO_TCP, TCP_QUICKACK, &zero, sizeof(zero));
	/* Without it a record waits behind an unacknowledged one, and a RST then destroys it on our side already. */
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (const struct peer_step *s = p->steps; peer_step(p, s) && s->what != PEER_DONE; s++)
		;
	SSL_free(p->ssl);
	if (p->fd >= 0)
		close(p->fd);
	return NULL;
}

void peer_start(struct peer *p)
{
	p->running = pthread_create(&p->thread, NULL, peer_main, p) == 0;
	if (!p->running)
		peer_says(p, "no thread");
}

void peer_join(struct peer *p)
{
	if (p->running)
		pthread_join(p->thread, NULL);
	close(p->listener);
}

int peer_refusing(struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
	socklen_t len = sizeof(*in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*ret_address = (struct sockaddr_storage){0};
	*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd >= 0 && bind(fd, (struct sockaddr *)in, sizeof(*in)) == 0)
		getsockname(fd, (struct sockaddr *)in, &len);
	return fd;
}
