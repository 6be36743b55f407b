#pragma once
/*
 * The stand-alone proxy: its proxies, their event log and metrics, and the HTTP API over them, which answers
 * Toxiproxy's (github.com/Shopify/toxiproxy, v2.12.0: api.go, proxy_collection.go, toxic_collection.go) and ours beside
 * it; the table of routes is in api.c. A request that is refused has changed nothing. docs/proxy.md is for its users.
 */
#include "harness/proxy/event_log.h"
#include "harness/proxy/plan.h"

/* What GET /version tells: the version of Toxiproxy whose API this is. */
#define API_TOXIPROXY_VERSION "2.12.0"

struct api;

struct api_options {
	struct loop *loop;
	uint64_t seed;
	struct event_log *log;     /* outlives the API */
};

/* No proxy yet, and nothing listens. -ENOMEM, ... with a sentence. */
int api_new(const struct api_options *o, struct api **ret_api, struct err *e);
/* Deletes the proxies. NULL is fine. The loop must run until closed handles are gone. */
void api_free(struct api *api);
size_t api_proxies_count(const struct api *api);

enum api_apply_how {
	API_CREATE,                /* -EEXIST for a proxy that there is */
	API_POPULATE,              /* as Toxiproxy's /populate: what is the same already is left alone with its toxics (but
				      when the plan has toxics), what differs is replaced */
};
/* All or nothing; on failure what there was listens as before. Errors as proxy_new and toxics_add. */
int api_apply(struct api *api, const struct plan *plan, enum api_apply_how how, struct err *e);
/* All proxies as the API shows them: a new reference, NULL without memory. */
json_t *api_show(const struct api *api);

struct api_listen {
	const char *host;
	uint16_t port;
	const char *token;         /* NULL: none; then the address must be one of loopback. Copied */
	uint32_t request_ms;       /* 0: HTTP_REQUEST_MS */
};
/* -EPERM: not a loopback address, and no token; else as http_server_new. With a sentence. */
int api_listen(struct api *api, const struct api_listen *l, struct err *e);
const char *api_address(const struct api *api);
uint16_t api_port(const struct api *api);
