#ifndef SERVER_HTTP_PARAMS_H
#define SERVER_HTTP_PARAMS_H

#include "server-under-test/http/handshake.h"
#include "server-under-test/hub/hub.h"

#define HTTP_CHANNEL_BUFFER CHANNEL_NAME_MAX
#define HTTP_WAIT_DEFAULT_S 25
#define HTTP_WAIT_MAX_S 60

/* What requests say beside the path. Nothing is kept: handlers read again what the faults below have checked. */

/* The channel that the rest of a path names; *ret points into buffer. False when that is no name. */
bool http_param_channel(struct text rest, char buffer[HTTP_CHANNEL_BUFFER], struct text *ret);

/* EPOCH:SEQ, as in Last-Event-ID and since. */
bool http_position_parse(struct text text, struct position *ret);

enum http_param {
	HTTP_PARAM_ABSENT,
	HTTP_PARAM_OK,
	HTTP_PARAM_BAD,
};

/* The field Last-Event-ID, or without it ?lastEventId=, which polyfills of EventSource send. */
enum http_param http_param_last_event(const struct handshake_request *request, struct text query, struct position *ret);
enum http_param http_param_since(struct text query, struct position *ret);
/* ?wait= in whole seconds; above HTTP_WAIT_MAX_S it is that. Absent: *ret is the default. */
enum http_param http_param_wait(struct text query, unsigned *ret_s);

/* For the table of routes: what is malformed, NULL for nothing. */
const char *http_fault_ws(const struct handshake_request *request, struct text rest, struct text query);
const char *http_fault_publish(const struct handshake_request *request, struct text rest, struct text query);
const char *http_fault_sse(const struct handshake_request *request, struct text rest, struct text query);
const char *http_fault_poll(const struct handshake_request *request, struct text rest, struct text query);

#endif
