/* The pages for whoever runs the server: a supervisor, a load balancer, Prometheus. */
#include "server-under-test/defects.h"
#include "server-under-test/http/http_answer.h"
#include "server-under-test/http/http_handlers.h"
#include "server-under-test/metrics.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static void healthz(struct door *door)
{
	http_answer(door, 200, HTTP_TEXT, text_from("alive\n"), 0);
}

static void readyz(struct door *door)
{
	const struct server *server = door->doors->server;

	if ((server->draining || server->refusing) && !defect(drain_ready_until_the_end))
		http_answer_refusal(door, 503, "draining", HTTP_RETRY_S);
	else if ((!server_store_up(server) || !metrics_backplane_up()) && /* whichever worker is asked speaks for all */
		 !defect(outage_still_ready))
		http_answer_refusal(door, 503, "the backplane is away", HTTP_RETRY_S);
	else
		http_answer(door, 200, HTTP_TEXT, text_from("ready\n"), 0);
}

static void metrics_page(struct door *door)
{
	struct bytes page = { 0 };

	metrics_render(&page);
	http_answer(door, 200, METRICS_TYPE, text_of((const char *)page.p + page.start, bytes_len(&page)), 0);
	bytes_fini(&page);
}

const struct http_handler http_healthz = { .start = healthz };
const struct http_handler http_readyz = { .start = readyz };
const struct http_handler http_metrics = { .start = metrics_page };
