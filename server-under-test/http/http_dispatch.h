#ifndef SERVER_HTTP_DISPATCH_H
#define SERVER_HTTP_DISPATCH_H

#include "server-under-test/http/door.h"

/* A plain request that was admitted: answers it, or has its handler do so, after its body when it wants one. */
void http_dispatch(struct door *door);

/* The body is complete. */
void http_dispatch_start(struct door *door);

#endif
