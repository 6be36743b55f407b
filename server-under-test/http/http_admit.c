/* The refusals that depend on who asks and on how the server is, after those that depend on the request alone. */
#include "server-under-test/http/http_admit.h"


#include "server-under-test/auth.h"
#include "server-under-test/base/clock.h"
#include "server-under-test/defects.h"
#include "server-under-test/http/http_answer.h"
#include "server-under-test/http/http_params.h"
#include "server-under-test/http/http_route.h"
#include "server-under-test/limits.h"
#include "server-under-test/wire.h"

static void refuse(struct handshake_verdict *v, unsigned status, const char *why)
{
	v->status = status;
	v->why = why;
}

static struct text first_line(const struct field_lines *lines)
{
	return lines->count > 0 ? lines->v[0] : text_of("", 0);
}

/* False: refused. */
static bool check_credentials(const struct server *server, const struct handshake_request *r,
			      struct handshake_verdict *v, struct identity **ret_identity)
{
	char buffer[AUTH_TOKEN_MAX];
	struct text token = auth_credentials(first_line(&r->authorization), v->query, first_line(&r->cookie), buffer);
	char name[HTTP_CHANNEL_BUFFER];
	struct text channel;
	const char *why = "no credentials";

	if (token.len > 0)
		*ret_identity = auth_check(server->auth, token, ev_now(server->loop), &why);
	if (!*ret_identity) {
		if (defect(security_token_after_upgrade) && v->route->websocket)
			return true;
		refuse(v, 401, why);
		return false;
	}
	if (!v->route->websocket && http_param_channel(v->rest, name, &channel) &&
	    !identity_allows(*ret_identity, channel)) {
		refuse(v, 403, "the token does not cover this channel");
		return false;
	}
	return true;
}

/* Why no WebSocket of this route can be served now. NULL: it can. */
static const char *not_served(const struct server *server, const struct http_route *route)
{
	if (server->refusing)
		return "the server is draining";
	if (route->service == &service_ws && !server_store_up(server))
		return "the backplane is away";
	return NULL;
}

static void check_limits(const struct server *server, const char *ip, struct handshake_verdict *v,
			 unsigned *ret_retry_s)
{
	static const struct {
		unsigned status;
		const char *why;
	} refusals[] = {
		[ADMIT_HANDSHAKES] = { 429, "too many handshakes" },
		[ADMIT_PER_ADDRESS] = { 429, "too many connections from this address" },
		[ADMIT_FULL] = { 503, "the server is full" },
	};
	enum admission admission = limits_admit(server->config, ip, clock_monotonic_s(), ret_retry_s);
	const char *why = not_served(server, v->route);

	if (admission != ADMIT_OK) {
		refuse(v, refusals[admission].status, refusals[admission].why);
		if (*ret_retry_s == 0)
			*ret_retry_s = HTTP_RETRY_S;
	} else if (why) {
		limits_release(ip);
		*ret_retry_s = HTTP_RETRY_S;
		refuse(v, 503, why);
	}
}

void http_admit(const struct server *server, const struct handshake_request *r, const char *ip,
		struct handshake_verdict *v, struct identity **ret_identity, unsigned *ret_retry_s)
{
	bool preflight = v->status == 200 && http_method_of(r->method) == HTTP_OPTIONS; /* carries no credentials */

	if (v->route->credentials && server->auth && !preflight && !check_credentials(server, r, v, ret_identity))
		return;
	if (v->status == 101)
		check_limits(server, ip, v, ret_retry_s);
}

unsigned http_body_len(const struct handshake_request *r, size_t max, size_t *ret_len, const char **ret_why)
{
	size_t len = 0;

	if (r->transfer_encoding.count > 0) {
		*ret_why = "no transfer coding is supported: send a Content-Length";
		return 501;
	}
	if (r->content_length.count == 0) {
		*ret_why = "no Content-Length";
		return 411;
	}
	for (size_t i = 0; i < r->content_length.v[0].len; i++) {
		len = len * 10 + (size_t)(r->content_length.v[0].p[i] - '0');
		if (len > max) {
			*ret_why = "the body is larger than the largest message";
			return 413;
		}
	}
	*ret_len = len;
	return 0;
}
