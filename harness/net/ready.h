#pragma once
/*
 * Whether a process of the target serves. Asked again and again on the loop until it does or the time is over:
 *	http://HOST:PORT/PATH       GET answers 200
 *	tcp://HOST:PORT             it accepts a connection
 *	unix:///PATH                likewise
 *	redis://HOST:PORT, redis+unix:///PATH   PING is answered +PONG (a Redis that loads its data accepts, too)
 * What is there may be anything: at most READY_REPLY_MAX octets of it are read.
 */
#include <netinet/in.h>
#include <sys/un.h>

#include "harness/net/watch.h"
#include "harness/base/err.h"

enum {
	READY_EVERY_MS = 50,       /* between two attempts */
	READY_TRY_MS = 2000,       /* of one attempt */
	READY_REPLY_MAX = 64,
	READY_ASK_MAX = 1024,
	READY_HOST_MAX = 256,
};

struct ready {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} address;
	socklen_t address_len;
	char ask[READY_ASK_MAX];   /* to send; "": accepting is enough */
	const char *answer;        /* how the reply must begin; of HTTP the status, at its place */
};

/* Resolves a name (blocking). -EINVAL, -EHOSTUNREACH with a sentence. */
int ready_parse(const char *text, struct ready *ret_ready, struct err *e);

/* Zero it before the first start. */
struct ready_wait {
	struct loop *loop;
	const struct ready *ready;
	struct watch watch;
	struct timer next, try;
	uint64_t until_us;
	char reply[READY_REPLY_MAX];
	size_t got, sent;
	void (*on_done)(void *owner, int error);
	void *owner;
};

/* on_done once, from the loop: 0, or -ETIMEDOUT after within_ms (0: one attempt). ready outlives the wait. -ENOMEM. */
int ready_wait_start(struct ready_wait *w, struct loop *l, const struct ready *ready, uint64_t within_ms,
		     void (*on_done)(void *owner, int error), void *owner);
/* Safe on a zeroed one, also from on_done. */
void ready_wait_stop(struct ready_wait *w);
