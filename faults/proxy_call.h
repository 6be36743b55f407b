#pragma once
/*
 * One request to the HTTP API of a proxy (wsquall proxy or Toxiproxy), blocking: the guard has no loop. PROXY_CALL_MS
 * for connecting to each address of its name, and for the rest.
 */
#include "harness/base/buf.h"
#include "harness/base/err.h"

enum { PROXY_CALL_MS = 2000, PROXY_CALL_MAX = 2048, PROXY_ANSWER_MAX = 1 << 20 };

/*
 * api: "http://HOST:PORT"; path begins with '/'; body may be NULL. Returns the status (200 ...), -ECONNREFUSED, ...
 * with a sentence. ret_answer, unless NULL, holds the body of the answer, which with its head has PROXY_ANSWER_MAX
 * octets at most; the caller does buf_fini, on failure there is nothing to free.
 */
int proxy_call(const char *api, const char *method, const char *path, const char *body, struct buf *ret_answer,
	       struct err *e);
