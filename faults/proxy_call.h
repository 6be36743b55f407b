#pragma once
/*
 * One request to the HTTP API of a proxy (wsquall proxy or Toxiproxy), blocking: the guard has no loop. At most
 * PROXY_CALL_MS for each of connecting, sending and receiving; of the answer only the status counts.
 */
#include "harness/base/err.h"

enum { PROXY_CALL_MS = 2000, PROXY_CALL_MAX = 2048 };

/*
 * api: "http://HOST:PORT"; path begins with '/'; body may be NULL. Returns the status (200 ...), -ECONNREFUSED, ...
 * with a sentence.
 */
int proxy_call(const char *api, const char *method, const char *path, const char *body, struct err *e);
