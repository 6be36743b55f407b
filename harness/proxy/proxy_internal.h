#pragma once
/* Between the files of this folder that carry octets: what a set, a proxy and one connection are made of. */
#include "harness/net/dial.h"
#include "harness/proxy/proxy.h"

struct pipes;                      /* pipes.h */
struct relay;                      /* relay.h */
struct credentials;                /* credentials.h */

enum {
	ACCEPT_BURST = 64,         /* connections accepted in one turn of the loop */
	ACCEPT_PAUSE_MS = 50,      /* without descriptors: when to try again */
	LISTEN_BACKLOG = 4096,
};

struct proxies {
	struct loop *loop;
	uint64_t seed;
	void (*on_event)(void *owner, struct proxy *p, const struct fault_event *event);
	void *owner;
	struct alarms *alarms;
	struct pipes *pipes;
	uint8_t *chunk;            /* CHUNK octets, for one read of whichever connection; nothing in it outlives a callback */
	struct proxy *first;
	size_t n;
	struct relay *ending;      /* ended, and still delivering */
};

/* "host:port" taken apart. */
struct endpoint {
	char text[PROXY_ADDRESS_MAX];
	char host[PROXY_ADDRESS_MAX]; /* without brackets; "" every address */
	uint16_t port;
	bool literal;              /* `address` is it; no name to resolve */
	struct sockaddr_storage address;
};

struct proxy {
	struct proxies *set;
	struct proxy *next;
	char name[PROXY_NAME_MAX + 1];
	struct endpoint listen, upstream;
	uint32_t connect_timeout_ms;
	struct credentials *credentials; /* NULL: TLS passes */

	uv_poll_t *listener;       /* NULL: disabled; on the heap, it outlives this by a turn */
	int listener_fd;
	bool paused;               /* until `resume` */
	bool full;                 /* there was no room when it was last tried, and "pause" is told */
	struct alarm resume;

	struct toxics toxics;
	struct alarm expiry;
	uint64_t numbered;         /* connections so far */
	struct relay *relays, **relays_end; /* in the order of accepting */
	struct relay *unsettled;   /* whose chain has said something during a change of toxics */
	struct proxy_counters counters;
};

/* endpoint.c ------------------------------------------------------------------------------------------------------- */

/* what: "listen", "upstream", for the sentence. -EINVAL. An empty host is fine for "listen" only. */
int endpoint_parse(const char *text, const char *what, struct endpoint *ret, struct err *e);
/* Fills `address` of one that is not literal; waits for the resolver. -EHOSTUNREACH. */
int endpoint_resolve(struct endpoint *ep, struct err *e);

/* listener.c ------------------------------------------------------------------------------------------------------- */

/* A socket that listens on ep; ep gets the address that was really bound. */
int proxy_listener_open(struct endpoint *ep, int *ret_fd, struct err *e);
/* Begins to watch fd, which it takes also on failure, for the caller to put into p. Negative errno. */
int proxy_listener_start(struct proxy *p, int fd, uv_poll_t **ret_poll);
void proxy_listener_stop(struct proxy *p);
/* No descriptor is left for what was accepted: wait before accepting more. */
void proxy_listener_pause(struct proxy *p);

/* proxy.c ---------------------------------------------------------------------------------------------------------- */

/* connection 0: of the proxy itself. */
void proxy_tell(struct proxy *p, const char *what, uint64_t connection, const char *detail);
