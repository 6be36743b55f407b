#pragma once
/*
 * Proxies: each listens on an address, opens a connection to its upstream for every client that comes, and carries
 * octets and endings between the two: a FIN becomes a FIN (half-closed connections stay half open), a RST a RST. The
 * toxics of a proxy (faults/toxics.h) act on all its connections at once. Everything happens on the thread of one
 * loop; nothing here waits, but for the name in a listening address, which is resolved when it is set.
 *
 * A function that fails has changed nothing, and err has the sentence. Nothing of this header may be called from inside
 * on_event.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults/toxics.h"
#include "harness/base/err.h"
#include "harness/net/alarm.h"
#include "harness/net/loop.h"

enum {
	PROXIES_MAX = 1024,            /* proxies of one set */
	PROXY_NAME_MAX = 128,          /* octets of a proxy's name; any octet but controls and '/' */
	PROXY_ADDRESS_MAX = 300,       /* octets of "host:port", NUL included */
	PROXY_CONNECTIONS_MAX = 50000, /* of one proxy; who comes then waits in the kernel's queue */
	PROXY_LINGER_MS = 2000,        /* how long an ended connection may take in all to deliver and to see the other FIN */
};

struct proxies;
struct proxy;

struct proxies_options {
	struct loop *loop;
	uint64_t seed;
	/*
	 * What happens on the connections of proxy p; may be NULL. Toxics tell theirs, and "expire" (connection 0) when
	 * their duration is over; a connection tells, with fault NULL:
	 *	"open"   a client came (detail NULL)
	 *	"end"    once for each "open": detail "by=client how=fin upstream=1234 downstream=5678", the octets
	 *		 passed on each way. by: client, server, toxic, user, proxy (out of descriptors or memory).
	 *		 how: fin, rst; refused, unreachable, unresolved, timeout (the upstream did not open: the
	 *		 client gets a RST); tls (a handshake or a record was wrong); kill (proxy_kill); stop (the proxy was
	 *		 disabled, changed or deleted); error
	 * and the proxy, with connection 0: "listen" and "stop" (detail NULL), "pause" (no descriptors left to accept
	 * with, or PROXY_CONNECTIONS_MAX) and, when there is room again, "resume". No time, no client address in them:
	 * the same seed and traffic give the same events. node is the proxy's name.
	 */
	void (*on_event)(void *owner, struct proxy *p, const struct fault_event *event);
	void *owner;
};

/* -ENOMEM, ... */
int proxies_new(const struct proxies_options *o, struct proxies **ret_set, struct err *e);
/* Deletes what is left. NULL is fine. The loop must run (loop_fini does) until the closed handles are gone. */
void proxies_free(struct proxies *set);
size_t proxies_count(const struct proxies *set);
/* In the order of making: the first (p NULL) or the one after p; NULL at the end. */
struct proxy *proxies_next(const struct proxies *set, const struct proxy *p);
struct proxy *proxies_find(const struct proxies *set, const char *name);
/* New connections draw from this seed; those that are open keep theirs. */
void proxies_set_seed(struct proxies *set, uint64_t seed);
/* What toxics and alarms of this set count in: clock_now_us(). */
struct alarms *proxies_alarms(struct proxies *set);

/* TLS ended here, so that toxics can read frames. Without it TLS passes as octets like any others. */
struct proxy_tls {
	bool terminate;            /* towards the client: we are the server */
	const char *certificate;   /* PEM chain; NULL (with key): one made now, self-signed, for localhost and the loopback
				      addresses */
	const char *key;           /* PEM */
	bool upstream;             /* we speak TLS to the upstream; only with terminate */
	const char *upstream_ca;   /* PEM; NULL: the system's store */
	bool upstream_insecure;    /* do not verify */
	const char *upstream_name; /* SNI and the name to verify; NULL: the upstream's host */
	const char *alpn;          /* one protocol for both sides; NULL: none */
};

struct proxy_options {
	const char *name;
	const char *listen;        /* "host:port", "[::1]:port", ":port" (every address); port 0: a free one */
	const char *upstream;      /* "host:port"; names are resolved anew for every connection, not in here */
	bool enabled;
	const struct proxy_tls *tls; /* NULL: passes */
	uint32_t connect_timeout_ms; /* 0: CONNECT_TIMEOUT_MS */
};

/*
 * Everything is copied. -EEXIST: the name is taken; -EINVAL: a bad name, address or certificate; -EADDRINUSE,
 * -EADDRNOTAVAIL, -EACCES: cannot listen there; -EHOSTUNREACH: the name in `listen` does not resolve; -ENOENT: no such
 * file; -ENOSPC: PROXIES_MAX; -EMFILE; -ENOMEM.
 */
int proxy_new(struct proxies *set, const struct proxy_options *o, struct proxy **ret_proxy, struct err *e);
/* Stops listening and ends its connections (as proxy_disable). NULL is fine. */
void proxy_free(struct proxy *p);
/* What proxy_new would say of these, without making anything: the addresses, names and files, not the listening. */
int proxy_check(const struct proxy_options *o, struct err *e);

const char *proxy_name(const struct proxy *p);
/* As given; once it has listened, with the numbers that were really bound: "127.0.0.1:43211", "[::]:43211". */
const char *proxy_listen(const struct proxy *p);
const char *proxy_upstream(const struct proxy *p);
bool proxy_enabled(const struct proxy *p);
/* The TLS that is ended here; NULL: none is. */
const struct proxy_tls *proxy_tls(const struct proxy *p);
uint32_t proxy_connect_timeout_ms(const struct proxy *p);

/* Listens (again, on the same port). Does nothing when it does. Errors as proxy_new. */
int proxy_enable(struct proxy *p, struct err *e);
/* Stops listening and ends its connections with FIN: what lies here undelivered is tried for PROXY_LINGER_MS, then
 * a RST tells that it is lost. */
void proxy_disable(struct proxy *p);
/*
 * Listens there, goes there, is enabled or not, all or nothing; NULL, NULL and proxy_enabled(p) change nothing. When an
 * address really changes, open connections are ended as proxy_disable does.
 */
int proxy_change(struct proxy *p, const char *listen, const char *upstream, bool enabled, struct err *e);

/* What a proxy was before it was moved. */
struct proxy_was {
	char listen[PROXY_ADDRESS_MAX], upstream[PROXY_ADDRESS_MAX];
	bool enabled;
	bool moved;                /* an address is another one now */
};
/*
 * proxy_change in two steps, for several proxies at once: after proxy_move p listens there (or not at all), and nothing
 * has been done to its open connections. 1: an address is another one now; 0: none is. proxy_moved or proxy_move_back
 * comes next, before the loop turns. Should somebody else have taken the old address meanwhile, the way back ends in a
 * disabled proxy, which is told.
 */
int proxy_move(struct proxy *p, const char *listen, const char *upstream, bool enabled, struct proxy_was *ret_was,
	       struct err *e);
void proxy_moved(struct proxy *p, const struct proxy_was *was);
void proxy_move_back(struct proxy *p, const struct proxy_was *was);

/*
 * Toxics. Read the set with proxy_toxics(p)->first and toxics_find(); change it only through these, which know the time
 * and see to durations. Errors as in toxics.h.
 */
struct toxics *proxy_toxics(struct proxy *p);
int proxy_toxic_add(struct proxy *p, const struct toxic_spec *spec, struct toxic **ret_toxic, struct err *e);
int proxy_toxic_update(struct proxy *p, struct toxic *toxic, const struct toxic_spec *spec, struct err *e);
void proxy_toxic_remove(struct proxy *p, struct toxic *toxic);
void proxy_toxics_clear(struct proxy *p);

enum proxy_connection_state {
	CONNECTION_OPENING,        /* the upstream (or a TLS handshake) is not open yet */
	CONNECTION_OPEN,
	CONNECTION_HALF,           /* one side has sent its FIN, and it was passed on */
	CONNECTION_SILENT,         /* a toxic let both sides go on unheard */
};
const char *proxy_connection_state_name(enum proxy_connection_state state); /* "opening" ... */

struct proxy_connection {
	uint64_t number;           /* from 1, in the order of accepting */
	const char *client;        /* "127.0.0.1:5000"; valid during the call */
	const char *upstream;      /* "" until it is known */
	uint64_t opened_us;        /* of clock_now_us() */
	uint64_t octets[DIRECTIONS]; /* passed on to the other side, which may still have to take some of them */
	enum proxy_connection_state state;
};

/* In the order of accepting. visit changes nothing of this set. */
void proxy_connections(const struct proxy *p, void (*visit)(void *owner, const struct proxy_connection *c),
		       void *owner);
bool proxy_connection_find(const struct proxy *p, uint64_t number,
			   void (*visit)(void *owner, const struct proxy_connection *c), void *owner);
/* Ends one on both sides, with RST or FIN (then as proxy_disable). -ENOENT: there is none of that number (any more). */
int proxy_kill(struct proxy *p, uint64_t number, bool rst, struct err *e);

/* Since proxy_new; they only grow, but for open. */
struct proxy_counters {
	uint64_t accepted;
	uint64_t open;             /* now */
	uint64_t failed;           /* the upstream did not open */
	uint64_t ended_fin, ended_rst, ended_toxic, ended_user, ended_other;
	uint64_t received[DIRECTIONS]; /* octets read from the sender of a direction */
	uint64_t sent[DIRECTIONS]; /* octets passed on to its receiver; less what toxics drop or hold, or more */
	uint64_t accept_pauses;    /* how often there was no room to accept, one try after the other */
};
void proxy_count(const struct proxy *p, struct proxy_counters *ret_counters);
