#ifndef SERVER_HTTP_HANDLERS_H
#define SERVER_HTTP_HANDLERS_H

#include "server-under-test/http/door.h"
#include "server-under-test/hub/hub.h"

/* What answers the plain routes (door.h). */
extern const struct http_handler http_healthz; /* http_pages.c, as the two below */
extern const struct http_handler http_readyz;
extern const struct http_handler http_metrics;
extern const struct http_handler http_publish;
extern const struct http_handler http_sse;
extern const struct http_handler http_poll;

/* http_resume.c: what the two streams of messages, SSE and poll, have in common. */

/* Counts the answer to a subscription that had a `since`. */
void http_resume_count(const struct subscribed *answer);

/* Seconds until the token of the door's client is no longer good, at least 0; without one HTTP_FOREVER_S. */
double http_expiry_s(const struct door *door);
#define HTTP_FOREVER_S 1e9

#endif
