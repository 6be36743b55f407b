#pragma once
/*
 * One proxied connection: the client that was accepted, the upstream that is opened for it, and the chain of toxics
 * between. There are two kinds: of raw sockets (relay_raw.c) and of TLS that is ended here (relay_tls.c). This is what
 * they have in common: number, place in the list, chain, alarm, the end.
 *
 * Life: relay_start; opening; relay_opened (the chain begins); data; relay_end: then it has left its proxy and only
 * delivers what it holds, as long as PROXY_LINGER_MS; relay_gone: freed as soon as no callback of it is on the stack.
 */
#include "harness/net/address.h"
#include "harness/proxy/proxy_internal.h"

enum { CHUNK = STREAM_READ_CHUNK }; /* octets read at once from a raw socket */

struct relay;

struct relay_ops {
	size_t size;               /* of the struct that begins with struct relay */
	/* Takes the client's socket, also on failure. */
	int (*start)(struct relay *r, int fd);
	/* The upstream's addresses are known: connect. NULL addresses: they did not resolve. */
	void (*resolved)(struct relay *r, const struct dial_addresses *addresses);
	/* Octets and the FIN to the receiver of d. What fails is found in settle. */
	void (*out)(struct relay *r, enum direction d, struct span octets);
	void (*out_eof)(struct relay *r, enum direction d);
	/* The chain has ended it by FIN. True: what it passed is held elsewhere, settle ends it after that. NULL: never. */
	bool (*drain)(struct relay *r);
	/* The chain has said something: look what is to be read, written and waited for. */
	void (*settle)(struct relay *r);
	/* Both sides are ended, by FIN or RST. Afterwards, relay_gone() when nothing of them is left. */
	void (*end)(struct relay *r, enum stream_end how);
	/* Everything goes now, with whatever the kernel says; then relay_gone(). */
	void (*abort)(struct relay *r);
	/* The alarm while opening or lingering. */
	void (*on_alarm)(struct relay *r);
	/* Gives back what the kind owns; NULL: nothing. */
	void (*fini)(struct relay *r);
};
extern const struct relay_ops relay_raw, relay_tls;

struct resolving;

struct relay {
	const struct relay_ops *ops;
	struct proxies *set;
	struct proxy *proxy;       /* NULL: has ended */
	struct relay *next, **link; /* of the proxy, or of set->ending */
	struct relay *unsettled_next;
	struct chain *chain;       /* NULL until open */
	struct resolving *resolving;
	struct alarm alarm;
	uint64_t number, opened_us, octets[DIRECTIONS];
	enum stream_end end_how;   /* what the chain wished; valid with end_wished */
	unsigned busy;             /* relay_enter() without relay_leave() */
	unsigned half;             /* STREAM_* bits whose FIN came */
	enum direction first_fin;  /* the first of them */
	bool end_wished, unsettled, silent, gone;
	char client[ADDRESS_TEXT_LEN], upstream[ADDRESS_TEXT_LEN];
};

/* A client came. Takes fd. */
void relay_start(struct proxy *p, int fd, const struct sockaddr_storage *client);
/* Both sides are there; upstream as text. -ENOMEM. */
int relay_opened(struct relay *r);
/* Octets, or the FIN, from the sender of d, through the chain. */
void relay_data(struct relay *r, enum direction d, struct span octets);
void relay_eof(struct relay *r, enum direction d);
/* Octets went from side to side another way, which only an idle chain allows: count them. */
void relay_passed(struct relay *r, enum direction d, size_t octets);
/* Around every callback that may do anything to r: at the end what the chain wished is done. r may be gone after. */
void relay_enter(struct relay *r);
void relay_leave(struct relay *r);
/* For what chains say: something is to be looked at, or ended, once no chain is on the stack any more. */
void relay_note(struct relay *r);
void relay_wish_end(struct relay *r, enum stream_end how);
/* Ends it: tells the event, takes it out of the list. by, how: words of the event. Does nothing when it has ended. */
void relay_end(struct relay *r, enum stream_end end, const char *by, const char *how);
/* `by` of an end that the sender of d has met with this errno: "client", "server"; "proxy" for want of memory. */
const char *relay_blame(enum direction d, int error);
/* Nothing of it is open any more. */
void relay_gone(struct relay *r);
void relay_set_alarm(struct relay *r, uint64_t after_ms);
enum proxy_connection_state relay_state(const struct relay *r);
/* Those whose chain spoke during a change of toxics. */
void relays_settle(struct proxy *p);
