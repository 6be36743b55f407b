#pragma once
/* What a proxy answers by itself in place of the server behind it: a complete HTTP/1.1 reply. */
#include "harness/base/buf.h"

enum { HTTP_ANSWER_TEXT_MAX = 8192 };

/*
 * "HTTP/1.1 502 Bad Gateway" with Server, Content-Type, Content-Length, Connection: close and a small page. location:
 * of a redirect, or NULL; retry_after_s: 0 none. -ENOBUFS, -ENOMEM.
 */
int http_answer_write(struct buf *b, int status, const char *location, uint64_t retry_after_s);
/* "Bad Gateway"; "Status" for one that is in no list. */
const char *http_answer_phrase(int status);
