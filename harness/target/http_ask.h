#pragma once
/*
 * One HTTP request and its answer, on the loop: a page of metrics, a health check. A connection of its own each time,
 * closed afterwards; no redirect is followed. What answers may be anything: head, body and time are limited.
 */
#include "harness/net/dial.h"
#include "harness/target/url.h"
#include "harness/ws/handshake.h"

enum {
	HTTP_ASK_MS = 5000,            /* default deadline of a whole answer */
	HTTP_ASK_BODY_MAX = 8 << 20,   /* default limit of its body */
	HTTP_ASK_HEAD_MAX = 16 << 10,  /* octets of a request's head */
};

/* Whom to ask: taken apart and resolved once. */
struct http_place {
	struct url url;                /* tls: https */
	struct dial_addresses addresses;
};
/* http:// or https://. Blocks while it resolves. -EINVAL, -EHOSTUNREACH with a sentence. Strings live in the arena. */
int http_place_parse(const char *url, struct arena *a, struct http_place *ret_place, struct err *e);

/* Borrowed until the answer; NULL, 0: not told. */
struct http_question {
	const struct http_place *place;
	const char *target;            /* path and query, in place of the URL's */
	const char *method;            /* NULL: GET */
	const char *type;              /* Content-Type of the body */
	struct span body;
	const struct handshake_field *fields; /* more of them, as they are */
	size_t n_fields;
	struct tls_context *tls;       /* https needs one */
	const char *server_name;       /* NULL: the URL's host */
	const char *source;            /* local address */
	uint32_t deadline_ms;
	size_t body_max;
};

/* Lives during the callback. */
struct http_got {
	int error;                     /* negative errno: no (whole) answer; -ETIMEDOUT, -ECONNREFUSED, -EPROTO, -EFBIG, ... */
	const char *why;               /* one phrase about it */
	int status;                    /* 0: no head came */
	struct handshake_reply head;
	struct span body;              /* what came of it, also with an error */
};

struct http_ask;

/* on_done comes once, from the loop, never from inside. -EINVAL, -ENOMEM, -EMFILE, ...: it could not even begin. */
int http_ask_new(struct loop *l, const struct http_question *q, void (*on_done)(void *owner, const struct http_got *got),
		 void *owner, struct http_ask **ret_ask);
/* NULL is fine; safe in on_done. on_done is not called any more. */
void http_ask_free(struct http_ask *a);
