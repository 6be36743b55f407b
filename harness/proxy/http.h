#pragma once
/*
 * A small HTTP/1.1 server on our loop, for the proxy's API: libmicrohttpd reads and writes, its epoll descriptor is one
 * of ours, nothing runs on another thread. A request is handed over whole, and answered at once. What a client sends is
 * bounded by the limits below; malformed requests and heads that are too large are answered by libmicrohttpd itself
 * (400, 413, 414, 431, 501, 505).
 */
#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/net/loop.h"

enum http_limit {
	HTTP_BODY_MAX = 1 << 20,       /* octets of a request's body; more is answered with 413 */
	HTTP_BODY_DROP_MAX = 4 << 20,  /* octets of a body that are read and dropped before its end is not awaited */
	HTTP_HEAD_MAX = 32 << 10,      /* octets of request line and header fields, and of what lies beside them */
	HTTP_CONNECTIONS_MAX = 256,    /* at once; who comes then waits in the kernel's queue */
	HTTP_REQUEST_MS = 60000,       /* a connection that finishes no request for this long is closed */
	HTTP_ANSWER_MAX = 256 << 20,   /* octets of an answer's body */
};

struct http_request {
	const char *method;            /* as sent */
	const char *target;            /* as sent, percent signs and query included: "/proxies/a%20b?how=rst" */
	const char *host, *user_agent, *authorization, *origin, *sec_fetch_site; /* NULL: not sent */
	struct span body;
	bool too_large;                /* the body is: it was dropped */
};

struct http_answer {
	unsigned status;
	const char *content_type;      /* NULL: none is sent */
	char allow[64];                /* the methods of a 405, or "" */
	const char *challenge;         /* WWW-Authenticate of a 401, or NULL; a literal */
	struct buf body;               /* HTTP_ANSWER_MAX */
};

struct http_options {
	struct loop *loop;
	const char *host;              /* a name or a literal, without brackets */
	uint16_t port;                 /* 0: a free one */
	bool local_only;               /* refuse another address than one of loopback (127.0.0.0/8, ::1) with -EPERM */
	uint32_t request_ms;           /* 0: HTTP_REQUEST_MS */
	/* Fills the answer, which is empty with status 500. */
	void (*on_request)(void *owner, const struct http_request *q, struct http_answer *a);
	void *owner;
};

struct http_server;

/* Listens. -EHOSTUNREACH, -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENOMEM, ... with a sentence. */
int http_server_new(const struct http_options *o, struct http_server **ret_server, struct err *e);
/* Ends all connections. NULL is fine. Not from inside on_request. The loop must run until closed handles are gone. */
void http_server_free(struct http_server *s);
/* "127.0.0.1:8474", with the port that was really bound. */
const char *http_server_address(const struct http_server *s);
uint16_t http_server_port(const struct http_server *s);
/* It listens on a loopback address, and so can be reached from this machine alone. */
bool http_server_is_local(const struct http_server *s);
