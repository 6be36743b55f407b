#ifndef SERVER_HTTP_ROUTE_H
#define SERVER_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "server-under-test/base/text.h"

struct config_list;
struct handshake_request;
struct http_handler;
struct service;

enum http_method {
	HTTP_OTHER = 0,
	HTTP_GET = 1,
	HTTP_HEAD = 2,
	HTTP_POST = 4,
	HTTP_OPTIONS = 8,
};

enum origin_rule {
	ORIGIN_ANY,
	ORIGIN_LISTED, /* config->origins and config->origins_denied apply */
	ORIGIN_LISTED_IF_ASKED, /* when config->origins_echo says so */
};

/* One thing that can be asked for. */
struct http_route {
	const char *path; /* one that ends in / is a prefix: what follows it names a channel */
	unsigned methods; /* enum http_method, or-ed */
	bool websocket; /* it is opened with an upgrade; without one it is refused with 426 */
	enum origin_rule origin;
	bool credentials; /* needed once a key is configured */
	bool api; /* plain HTTP for programs: errors are JSON objects, CORS applies, their number is bounded */
	const struct config_list *subprotocols; /* known there; NULL: those of config->subprotocols */
	const struct service *service; /* behind a WebSocket */
	const struct http_handler *handler; /* behind plain HTTP */
	/* What is malformed about the request for this route, a 400; NULL: nothing. rest is what follows a prefix. */
	const char *(*fault)(const struct handshake_request *request, struct text rest, struct text query);
};

struct http_routes {
	const struct http_route *rows;
	size_t count;
};

/* Every route of the server (http_routes.c). The naive engine has its own two. */
extern const struct http_routes http_routes;

/*
 * The row of a path, whose escapes are undone ("/%65cho", RFC 3986 6.2.2.2) except that %2F is not the / of a row.
 * NULL: none. *ret_rest: what follows a prefix, as it came.
 */
const struct http_route *http_route_find(const struct http_routes *routes, struct text path, struct text *ret_rest);

enum http_method http_method_of(struct text method); /* exact, as RFC 9110 9.1 has it */

/* The field Allow: names of the methods, with commas. NUL-terminated, cut at max. */
void http_methods_print(unsigned methods, char *buffer, size_t max);

/*
 * Undoes the escapes of the rest of a path. False when it is longer than max or has a broken escape; *ret points into
 * buffer.
 */
bool http_unescape(struct text rest, char *buffer, size_t max, struct text *ret);

#endif
