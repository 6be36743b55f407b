#pragma once
/*
 * For the tests of this folder: a server on the test's own loop that says exactly what it is told, right or wrong. Each
 * connection reads a request head, answers with `reply` ("$ACCEPT" becomes the right Accept value), then says `says`
 * octet by octet or at once, and does what `then` says. What it was sent behind the head is kept.
 */
#include "harness/base/buf.h"
#include "harness/net/loop.h"
#include "harness/net/stream.h"

enum far_then { FAR_STAY, FAR_FIN, FAR_RST, FAR_FIN_AFTER_CLOSE /* once a Close frame came */ };

struct far {
	struct loop *loop;
	uint16_t port;
	const char *reply;
	struct span says;
	bool octets;               /* one write for each octet of the reply and of what it says */
	enum far_then then;
	struct buf head, got;      /* of the newest connection */
	bool ended;                /* it was ended by the client */

	/* internal */
	int listener;
	uv_poll_t poll;
	struct stream *stream;
	bool replied, closing;
};

/* The reply of a good server. */
extern const char far_good[];

/* Set reply, says, octets, then; listens on a free port. */
void far_start(struct far *f, struct loop *l);
void far_stop(struct far *f);
/* Says more. */
void far_say(struct far *f, struct span octets);
