#pragma once
/*
 * Publishing by HTTP/1.1: requests of one client, one after another on one connection that is kept open, so that they
 * arrive in their order. A request that was sent and not answered when the connection ends is not repeated: nobody
 * knows whether it was done.
 */
#include "harness/load/line.h"

enum {
	HTTP_WAITING_MAX = 4096,   /* requests of one client */
	HTTP_BODY_MAX = 1 << 20,   /* octets of an answer's body */
	HTTP_WAITING_OCTETS_MAX = 32 << 20, /* of requests that wait */
};

struct http_request {
	const char *method, *target; /* target: relative to the way's http_target; from the root with a '/' */
	const char *type;          /* of the body; NULL: none */
	struct span body;
};

/* status 0: no answer came; sent: the request was, at least in part. why: one phrase then. */
struct http_answer {
	uint64_t op;
	int status;
	struct span body;
	bool sent;
	const char *why;
};

/* Everything is borrowed and outlives the requests. */
struct http_options {
	struct line_options line;  /* its number: of the first connection */
	uint64_t number_step;      /* to that of the next one */
	const struct opt_map *headers; /* the target's own; may be NULL */
};

struct http;

/* Dials with the first request. on_answer: from the loop only, once for each. -ENOMEM. */
int http_new(const struct http_options *o, void (*on_answer)(void *owner, const struct http_answer *a), void *owner,
	     struct http **ret_http);
/* Answers nothing any more. NULL is fine; not from inside on_answer. */
void http_free(struct http *h);
/* -ENOBUFS: too much waits already, or the request is too large; -ENOMEM; what dialling gave. */
int http_ask(struct http *h, uint64_t op, const struct http_request *q);
/* Requests without an answer yet. */
size_t http_waiting(const struct http *h);
/* Nobody waits for it any more. True: it was not sent, and never will be. False: it was, and its connection is given
 * up; or there is none of that number. */
bool http_forget(struct http *h, uint64_t op);
