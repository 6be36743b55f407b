/*
 * Plain requests on their way from the door to their handlers. What costs memory or lasts is bounded here: the pages
 * for supervisors are not, for they are asked for most when everything else is full.
 */
#include "server-under-test/http/http_dispatch.h"

#include "server-under-test/http/http_admit.h"
#include "server-under-test/http/http_answer.h"
#include "server-under-test/http/http_route.h"

/* A client that waits for it before it sends the body may go on (RFC 9110 10.1.1). */
static void tell_to_continue(struct door *door)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct handshake_request *r = &door->parser.request;

	if (r->expect.count == 0 || !text_equal_nocase(r->expect.v[0], "100-continue") || r->minor == 0)
		return;
	bytes_append(&door->out, go_on, sizeof(go_on) - 1);
	door_flush(door); /* what stays, and whether the socket is of use, shows with the answer */
}

/* False: refused. */
static bool expect_body(struct door *door)
{
	struct doors *doors = door->doors;
	const char *why = "too many requests with bodies at once";
	size_t max = doors->server->config->message_max + DOOR_BODY_OVERHEAD;
	size_t len = 0;
	unsigned status = http_body_len(&door->parser.request, max, &len, &why);

	if (status == 0 && doors->bodies + len > DOOR_BODIES_MAX)
		status = 503;
	if (status != 0) {
		http_answer_refusal(door, status, why, HTTP_RETRY_S);
		return false;
	}
	door->body_len = len;
	doors->bodies += len;
	door->phase = DOOR_BODY; /* what is left of the deadline is for it too */
	if (len > 0)
		tell_to_continue(door);
	return true;
}

void http_dispatch_start(struct door *door)
{
	const struct http_handler *handler = door->verdict.route->handler;

	door_hold(door, handler->needs_peer);
	handler->start(door);
}

void http_dispatch(struct door *door)
{
	struct doors *doors = door->doors;

	if (door->verdict.route->api) {
		if (doors->plain >= doors->plain_max) {
			http_answer_refusal(door, 503, "too many plain requests at once", HTTP_RETRY_S);
			return;
		}
		door->counted = true;
		doors->plain++;
	}
	if (http_method_of(door->parser.request.method) == HTTP_OPTIONS)
		http_answer_preflight(door);
	else if (!door->verdict.route->handler->body || (expect_body(door) && door->body_len == 0))
		http_dispatch_start(door);
}
