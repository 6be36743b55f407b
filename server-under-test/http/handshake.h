#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include <stdbool.h>

#include "server-under-test/config/config.h"
#include "server-under-test/base/text.h"

struct http_route;
struct http_routes;

#define HANDSHAKE_FIELD_LINES_MAX 16 /* lines of one field that are looked at; more is a 400 */
#define HANDSHAKE_ACCEPT_LEN 28

/* The lines of one header field in the order they came, each trimmed. */
struct field_lines {
	struct text v[HANDSHAKE_FIELD_LINES_MAX];
	unsigned count;
	bool overflow;
};

/* What the opening handshake is judged by, whoever parsed the request. All texts are borrowed. */
struct handshake_request {
	struct text method;
	struct text target;
	unsigned minor; /* of HTTP/1.minor */
	struct field_lines host, upgrade, connection, key, version, protocol, extensions, origin;
	struct field_lines content_length, transfer_encoding;
	struct field_lines authorization, cookie, last_event_id, forwarded_for, expect;
};

/* What is agreed of permessage-deflate (RFC 7692 7.1). */
struct deflate_answer {
	bool accepted;
	bool server_no_context_takeover; /* asked for, so the answer repeats it */
	unsigned server_max_window_bits; /* likewise; 0: not asked for */
};

/* status 101: open the WebSocket; 200: answer the plain HTTP resource; anything else: refuse with it. */
struct handshake_verdict {
	unsigned status;
	const char *why; /* for people, static; one short sentence without a line end */
	const struct http_route *route; /* NULL: none, or not yet known */
	struct text rest; /* of the path, behind the route's prefix */
	bool version_field; /* the refusal carries Sec-WebSocket-Version: 13 */
	bool upgrade_attempt; /* a refusal counts as ws.refused */
	bool origin_allowed; /* there is one Origin, and the lists let it in */
	bool close_at_once; /* status 101, but Close 1008 follows: only a deliberate bug does this */
	struct text path; /* without the query */
	struct text key; /* status 101: the text to hash */
	struct text query; /* without the ? */
	struct text subprotocol; /* status 101: chosen from the offer, len 0 for none */
	struct deflate_answer deflate; /* status 101: to an offer of permessage-deflate that the engine can honour */
};

/*
 * Decides a request whose head was well-formed by a table of routes (RFC 6455 4.2.1 and 4.2.2; the order of refusals
 * is 400, 404, 405, 426, 403).
 */
struct handshake_verdict handshake_judge_routes(const struct handshake_request *request, const struct config *config,
						const struct http_routes *routes);

/* The same for a server that has /echo and /healthz only. refusing: upgrades get 503 (drain). */
struct handshake_verdict handshake_judge(const struct handshake_request *request, const struct config *config,
					 bool refusing);

/* Adds a trimmed line to a field. */
void field_lines_add(struct field_lines *lines, struct text value);

/* Sec-WebSocket-Accept of a key text (RFC 6455 4.2.2 step 5.4), NUL-terminated. */
void handshake_accept(struct text key, char accept[HANDSHAKE_ACCEPT_LEN + 1]);

#endif
