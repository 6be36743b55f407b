#pragma once
/*
 * The WebSocket clients of one process on one epoll. Whatever goes wrong (a refused handshake, a connection lost, a
 * frame that a server may not send) ends the process with a sentence: a figure from half a load is none.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_OPENING_MAX 128 /* handshakes under way at once: less than any listen queue */
#define POOL_PER_SOURCE 5000 /* connections of one source address: beyond, connect() searches long for a port */

enum peer_state {
	PEER_NONE,
	PEER_CONNECTING,
	PEER_UPGRADING,
	PEER_OPEN,
};

/* One WebSocket client. Kept small: a load of 50,000 of them should weigh on the server, not here. */
struct peer {
	int fd;
	enum peer_state state;
	bool subscribed;
	uint32_t seen; /* messages that came; the owner's */
	uint32_t unsent; /* octets of pool->out that the socket has not taken */
	uint32_t held; /* octets in rest */
	uint8_t *rest; /* an incomplete frame, or response head */
};

struct pool {
	int epoll;
	struct peer *peers;
	unsigned count; /* of peers */
	unsigned started, opened;
	struct sockaddr_in to;
	const char *path; /* request-target */
	uint32_t source; /* the first source address, host order; the next ones follow */
	/* Both may be NULL. The 101 came; a data message came (text or binary, whole frames only). */
	void (*on_open)(struct pool *pool, struct peer *peer);
	void (*on_message)(struct pool *pool, struct peer *peer, const uint8_t *payload, size_t len);
	void *arg;
	uint8_t *out; /* what pool_send_again sends: one masked frame */
	size_t out_len;
};

/* path stays the caller's. source: see above. */
void pool_init(struct pool *pool, unsigned port, const char *path, unsigned count, uint32_t source);
/* Ends all connections with RST, which leaves nothing in TIME_WAIT. */
void pool_fini(struct pool *pool);
/* Waits at most timeout_ms for events and serves them; starts more connections until all are open. */
void pool_turn(struct pool *pool, int timeout_ms);

/* Makes pool->out from a text; every peer then sends it by pool_send_again, which needs the last one to have left. */
void pool_prepare(struct pool *pool, const char *text, size_t len);
void pool_send_again(struct pool *pool, struct peer *peer);
/* Sends a small text at once; a socket that does not take it is a failure. */
void pool_send_text(struct peer *peer, const char *text, size_t len);
