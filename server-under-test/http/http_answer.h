#ifndef SERVER_HTTP_ANSWER_H
#define SERVER_HTTP_ANSWER_H

#include "server-under-test/http/door.h"

#define HTTP_RETRY_S 1 /* Retry-After of a 503 */

#define HTTP_JSON "application/json"
#define HTTP_TEXT "text/plain; charset=utf-8"

/*
 * The answers of a door. Each is queued with the fields that belong to its route and status (CORS, Allow, ...) and
 * sent when the loop comes to it; nothing is freed here. A HEAD gets no body.
 */
void http_answer(struct door *door, unsigned status, const char *type, struct text body, unsigned retry_s);

/* An error: a JSON object where the route is for programs, else a line of text. retry_s 0: no Retry-After. */
void http_answer_refusal(struct door *door, unsigned status, const char *why, unsigned retry_s);

/* To an OPTIONS: what a script of another origin may do (the CORS protocol of the Fetch standard). */
void http_answer_preflight(struct door *door);

/* The head of an answer without a length, which lasts until the connection ends. It is only appended to out. */
void http_answer_head(struct door *door, const char *type);

#endif
