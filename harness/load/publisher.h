#pragma once
/*
 * What one client publishes: each message once, with the outcome that is true.
 *
 *	ok    the target's answer came
 *	fail  the target refused it, or it was certainly never sent
 *	info  the connection ended, or answer_ms passed, before the answer; or the target itself does not know
 *
 * Where the workload is keyed, a message without a known outcome is sent again with the same key: on the next
 * connection, or on this one after PUBLISHER_AGAIN_MS, the oldest first and nothing new in between, so that what is
 * sent keeps its order. It is not sent again once a later message of its channel was confirmed (it would come behind
 * that one), nor more than PUBLISHER_TRIES_MAX times: then it stays unknown. The outcome's note says how often it was
 * sent.
 *
 * A dialect whose publishes are not answered: that the session sent a message says nothing about it. It is ok when some
 * subscriber is given it, which proves that the target had taken it; until then, and for good once answer_ms has passed
 * or the connection has ended, it is unknown. So a message that such a target loses for everybody is never counted as
 * lost, which nobody could prove; one that it loses for some is.
 */
#include "harness/load/client.h"

enum {
	PUBLISHER_WAITING_MAX = SESSION_PENDING_MAX / 2, /* messages of one publisher without an outcome */
	PUBLISHER_UNSENT_MAX = 1 << 20, /* octets in its connection from which on it does not publish */
	PUBLISHER_REQUESTS_MAX = 4,  /* by HTTP: the same; what waits here would look as if the target were slow */
	PUBLISHER_AGAIN_MS = 1000,
	PUBLISHER_TRIES_MAX = 100,
	PUBLISHER_LOOK_MS = 10,    /* how late a passed answer_ms may be noticed */
};

struct publisher;
struct http_request;

/* -ENOMEM. */
int publisher_new(struct client *c, struct publisher **ret_publisher);
/* Tells nothing. NULL is fine. */
void publisher_free(struct publisher *p);
/* Publishes the next message: on the channels in turn. False: it cannot now, its turn passes. */
bool publisher_turn(struct publisher *p);
/* Its connection may be used; is over; will never come back: what has no outcome stays unknown. */
void publisher_up(struct publisher *p);
void publisher_down(struct publisher *p);
void publisher_stop(struct publisher *p);
/* From the session. */
void publisher_answer(struct publisher *p, const struct session_news *n);
void publisher_http(struct publisher *p, uint64_t op, const struct http_request *q);
/* Some subscriber was given a message that has no outcome yet. */
void publisher_seen(struct publisher *p, uint32_t channel, uint64_t index, uint64_t seq);
