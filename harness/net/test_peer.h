#pragma once
/* For the tests of this folder: a server in a thread with blocking sockets and OpenSSL's own socket BIO, none of the
 * code under test. It accepts one connection and follows a script; what goes against the script is a sentence in
 * `failure`. */
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

enum peer_do {
	PEER_DONE,          /* closes what is open */
	PEER_HANDSHAKE,     /* TLS */
	PEER_HANDSHAKE_FAILS, /* TLS: the client must break it off */
	PEER_SEND,          /* text, one send or record */
	PEER_SEND_RAW,      /* text, around TLS */
	PEER_KEY_UPDATE,    /* TLS 1.3, asks for one back */
	PEER_CLOSE_NOTIFY,  /* TLS */
	PEER_FIN,
	PEER_RST,
	PEER_TELL,          /* the client's loop runs the actions of "told1", then "told2" ... */
	PEER_EXPECT,        /* exactly text */
	PEER_EXPECT_EACH,   /* TLS: each octet of text in a record of its own */
	PEER_EXPECT_SEGMENTS, /* the octets of text, each in a segment of its own (TCP_INFO); after PEER_EXPECT */
	PEER_EXPECT_EOF,    /* TLS: close_notify, then FIN */
	PEER_EXPECT_FIN,    /* FIN without a look at TLS */
	PEER_EXPECT_RST,
	PEER_EXPECT_FROM,   /* the client's address */
	PEER_EXPECT_SNI,    /* text NULL: none */
	PEER_EXPECT_ALPN,   /* text NULL: none */
};

struct peer_step {
	enum peer_do what;
	const char *text;
};

struct peer {
	const struct peer_step *steps;
	SSL_CTX *ctx; /* NULL: plain TCP */
	uv_async_t *told;
	atomic_int told_count;
	struct sockaddr_storage address;
	int listener, fd;
	SSL *ssl;
	pthread_t thread;
	bool running;
	char failure[256];
};

/* Listens on a free port of `host` ("127.0.0.1", "::1"); -1 and errno when it cannot. Set steps, ctx, told; then
 * peer_start. */
int peer_listen(struct peer *p, const char *host);
void peer_start(struct peer *p);
/* Waits for the thread. `failure` is "" when all went by the script. */
void peer_join(struct peer *p);

/* A socket bound to a free port of 127.0.0.1 that does not listen: connecting to it is refused for sure. */
int peer_refusing(struct sockaddr_storage *ret_address);
