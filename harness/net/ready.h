#pragma once
/*
 * Whether a process of the target serves. Asked again and again on the loop until it does or the time is over:
 *	http://HOST:PORT/PATH       GET answers 200
 *	tcp://HOST:PORT             it accepts a connection
 *	unix:///PATH                likewise
 *	redis://HOST:PORT, redis+unix:///PATH   PING is answered +PONG (a Redis that loads its data accepts, too)
 * What is there may be anything: at most READY_REPLY_MAX octets of it are read.
 */
#include "harness/base/err.h"
#include "harness/net/dial.h"
#include "harness/net/watch.h"

enum {
	READY_EVERY_MS = 50,       /* between two attempts */
	READY_TRY_MS = 2000,       /* of one attempt at one address */
	READY_REPLY_MAX = 64,
	READY_ASK_MAX = 1024,
	READY_HOST_MAX = 256,
};

struct ready {
	struct dial_addresses at;  /* of a name: each is tried; or one of a file */
	char ask[READY_ASK_MAX];   /* to send; "": accepting is enough */
	const char *answer;        /* how the reply must begin; of HTTP the status, at its place */
};

/* Resolves a name (blocking). -EINVAL, -EHOSTUNREACH with a sentence. */
int ready_parse(const char *text, struct ready *ret_ready, struct err *e);
/* Octets of an address of these. */
socklen_t ready_address_len(const struct sockaddr_storage *address);

/* Zero it before the first start. */
struct ready_wait {
	struct loop *loop;
	const struct ready *ready;
	struct watch watch;
	struct timer next, try;
	uint64_t until_us;
	char reply[READY_REPLY_MAX];
	size_t got, sent;
	size_t turn;               /* which address is tried */
	size_t refusals;           /* addresses at which nobody listened when they were last tried */
	bool broken;               /* a connection to one of them ended without an answer */
	void (*on_done)(void *owner, int error);
	void *owner;
};

/*
 * on_done once, from the loop: 0, or -ETIMEDOUT after within_ms (0: one attempt at each address). ready outlives the
 * wait. -ENOMEM.
 */
int ready_wait_start(struct ready_wait *w, struct loop *l, const struct ready *ready, uint64_t within_ms,
		     void (*on_done)(void *owner, int error), void *owner);
/* From on_done: when they were last tried nobody listened at any of the addresses. */
bool ready_wait_refused(const struct ready_wait *w);
/* From on_done: one of them took the connection and ended it without an answer, as a port does that is being closed. */
bool ready_wait_broken(const struct ready_wait *w);
/* Safe on a zeroed one, also from on_done. */
void ready_wait_stop(struct ready_wait *w);
