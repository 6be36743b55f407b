/*
 * The table of everything that can be asked of the server. To add a route, write its handler (door.h) or its service
 * (wire.h), and a row.
 */
#include "server-under-test/config/config.h"
#include "server-under-test/http/http_handlers.h"
#include "server-under-test/http/http_params.h"
#include "server-under-test/http/http_route.h"
#include "server-under-test/wire.h"

static char ws_subprotocol[] = "wsquall.v1";
static const struct config_list ws_subprotocols = { .items = { ws_subprotocol }, .count = 1 };

static const struct http_route rows[] = {
	{
		.path = "/echo",
		.methods = HTTP_GET | HTTP_HEAD,
		.websocket = true,
		.origin = ORIGIN_LISTED_IF_ASKED, /* the conformance suite tests the lists here */
		.service = &service_echo,
	},
	{
		.path = "/ws",
		.methods = HTTP_GET | HTTP_HEAD,
		.websocket = true,
		.origin = ORIGIN_LISTED,
		.credentials = true,
		.subprotocols = &ws_subprotocols,
		.service = &service_ws,
		.fault = http_fault_ws,
	},
	{ .path = "/healthz", .methods = HTTP_GET | HTTP_HEAD, .handler = &http_healthz },
	{ .path = "/readyz", .methods = HTTP_GET | HTTP_HEAD, .handler = &http_readyz },
	{ .path = "/metrics", .methods = HTTP_GET | HTTP_HEAD, .handler = &http_metrics },
	{
		.path = "/publish/",
		.methods = HTTP_POST | HTTP_OPTIONS,
		.origin = ORIGIN_LISTED,
		.credentials = true,
		.api = true,
		.handler = &http_publish,
		.fault = http_fault_publish,
	},
	{
		.path = "/sse/",
		.methods = HTTP_GET | HTTP_HEAD | HTTP_OPTIONS,
		.origin = ORIGIN_LISTED,
		.credentials = true,
		.api = true,
		.handler = &http_sse,
		.fault = http_fault_sse,
	},
	{
		.path = "/poll/",
		.methods = HTTP_GET | HTTP_HEAD | HTTP_OPTIONS,
		.origin = ORIGIN_LISTED,
		.credentials = true,
		.api = true,
		.handler = &http_poll,
		.fault = http_fault_poll,
	},
};

const struct http_routes http_routes = { rows, sizeof(rows) / sizeof(rows[0]) };
