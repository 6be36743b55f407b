#ifndef SERVER_HTTP_ADMIT_H
#define SERVER_HTTP_ADMIT_H

#include "server-under-test/http/handshake.h"
#include "server-under-test/server.h"

struct identity;

/*
 * What stands between a request that was judged good (101 or 200) and its service: credentials (401), a channel the
 * credentials do not cover (403), for a WebSocket the limits (429, 503) and whether it is served at all now (503). The
 * verdict takes the refusal. On 101 the limits have counted it in. *ret_identity is the caller's, also on a refusal;
 * *ret_retry_s: for Retry-After.
 */
void http_admit(const struct server *server, const struct handshake_request *request, const char *ip,
		struct handshake_verdict *verdict, struct identity **ret_identity, unsigned *ret_retry_s);

/* Length of the body. 0, or the status to refuse with and the sentence: 411, 413, 501. */
unsigned http_body_len(const struct handshake_request *request, size_t max, size_t *ret_len, const char **ret_why);

#endif
