/* What SSE and poll share: both are subscriptions of a client without WebSockets, which begin where it left off. */
#include "server-under-test/auth.h"
#include "server-under-test/http/http_handlers.h"
#include "server-under-test/metrics.h"

void http_resume_count(const struct subscribed *answer)
{
	if (answer->recovered)
		metrics->resumes_recovered++;
	else
		metrics->resumes_lost++;
}

double http_expiry_s(const struct door *door)
{
	double left_s;

	if (!door->identity)
		return HTTP_FOREVER_S;
	left_s = door->identity->expires_at + AUTH_LEEWAY_S - ev_now(door->doors->server->loop);
	if (left_s > HTTP_FOREVER_S)
		return HTTP_FOREVER_S;
	return left_s > 0 ? left_s : 0;
}
