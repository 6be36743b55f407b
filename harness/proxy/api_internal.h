#pragma once
/* What the files of api.h share among themselves; nobody else includes this. */
#include "harness/proxy/api.h"
#include "harness/proxy/api_admit.h"
#include "harness/proxy/api_path.h"
#include "harness/proxy/http.h"
#include "harness/proxy/metrics.h"

enum {
	API_CALL_MEMORY_MAX = 16 << 20, /* octets that one request may take beside its JSON */
	API_DEPTH_MAX = 64,             /* nesting of a body */
};

struct api {
	struct loop *loop;
	struct proxies *proxies;
	struct event_log *log;
	struct metrics *metrics;
	struct http_server *server;
	struct api_door door;
	char *token;
};

/* One request. What its route names is there: `proxy` where the path has one, `toxic`, `body`. */
struct api_call {
	struct api *api;
	struct arena arena;
	struct api_path path;
	struct proxy *proxy;
	struct toxic *toxic;
	uint64_t connection;
	json_t *body;
	struct http_answer *answer;
};

/* One request, whole: http.h. */
void api_on_request(void *owner, const struct http_request *q, struct http_answer *a);

/* The answer is an error: {"error": sentence, "status": status}. */
void api_fail(struct api_call *c, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* That object, for an answer that has more in it. A new reference, NULL without memory. */
json_t *api_error(unsigned status, const char *sentence);
/* The same for a negative errno of plan.h, proxy.h, toxics.h: 400, 409 or 503. */
void api_refuse(struct api_call *c, int error, const struct err *e);
unsigned api_status_of(int error);
/* The answer is this value, which is taken over; NULL is 500. */
void api_answer(struct api_call *c, unsigned status, json_t *value);

/* Tells what the API changed. */
void api_tell_proxy(struct api *api, const char *event, struct proxy *p);
void api_tell_toxic(struct api *api, const char *event, struct proxy *p, const struct toxic *t);

/* The handlers of the routes. */
void api_list_proxies(struct api_call *c);
void api_create_proxy(struct api_call *c);
void api_populate(struct api_call *c);
void api_show_proxy(struct api_call *c);
void api_change_proxy(struct api_call *c);
void api_delete_proxy(struct api_call *c);
void api_reset(struct api_call *c);
void api_list_toxics(struct api_call *c);
void api_create_toxic(struct api_call *c);
void api_show_toxic(struct api_call *c);
void api_change_toxic(struct api_call *c);
void api_delete_toxic(struct api_call *c);
void api_list_connections(struct api_call *c);
void api_show_connection(struct api_call *c);
void api_kill_connection(struct api_call *c);
void api_show_routes(struct api_call *c);
void api_show_version(struct api_call *c);
void api_show_metrics(struct api_call *c);
void api_show_events(struct api_call *c);
void api_show_faults(struct api_call *c);
