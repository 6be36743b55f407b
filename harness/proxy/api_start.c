/* The API's beginning and end, and what it tells the event log. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/proxy/api_internal.h"

static void on_event(void *owner, struct proxy *p, const struct fault_event *event)
{
	struct api *api = owner;
	event_log_tell_fault(api->log, event);
	if (event->fault)
		metrics_count_toxic(api->metrics, p, event);
}

int api_new(const struct api_options *o, struct api **ret_api, struct err *e)
{
	struct api *api = calloc(1, sizeof(*api));
	if (!api || metrics_new(&api->metrics) < 0) {
		free(api);
		return err_set(e, ENOMEM, "out of memory");
	}
	api->loop = o->loop;
	api->log = o->log;
	struct proxies_options set = {.loop = o->loop, .seed = o->seed, .on_event = on_event, .owner = api};
	int r = proxies_new(&set, &api->proxies, e);
	if (r < 0) {
		api_free(api);
		return r;
	}
	*ret_api = api;
	return 0;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	http_server_free(api->server);
	proxies_free(api->proxies);
	metrics_free(api->metrics);
	free(api->token);
	free(api);
}

size_t api_proxies_count(const struct api *api)
{
	return proxies_count(api->proxies);
}

json_t *api_show(const struct api *api)
{
	json_t *all = json_object();
	uint64_t now_us = clock_now_us();
	for (struct proxy *p = proxies_next(api->proxies, NULL); p; p = proxies_next(api->proxies, p))
		json_object_set_new_nocheck(all, proxy_name(p), plan_show_proxy(p, now_us));
	return all;
}

int api_listen(struct api *api, const struct api_listen *l, struct err *e)
{
	struct http_options o = {.loop = api->loop, .host = l->host, .port = l->port, .request_ms = l->request_ms,
				 .local_only = !l->token, .on_request = api_on_request, .owner = api};
	int r = http_server_new(&o, &api->server, e);
	if (r == -EPERM && !l->token)
		return err_set(e, EPERM, "an API on %s can be reached from other machines, so it needs a token: give one by "
					 "--token-file or WSQUALL_PROXY_TOKEN, or listen on 127.0.0.1", l->host);
	if (r < 0)
		return r;
	api->door.local = http_server_is_local(api->server);
	api->token = l->token ? strdup(l->token) : NULL;
	api->door.token = api->token;
	return l->token && !api->token ? err_set(e, ENOMEM, "out of memory") : 0;
}

const char *api_address(const struct api *api)
{
	return http_server_address(api->server);
}

uint16_t api_port(const struct api *api)
{
	return http_server_port(api->server);
}

/* Telling ---------------------------------------------------------------------------------------------------------- */

static void set(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

static json_t *event_of(const char *event, struct proxy *p)
{
	return json_pack("{s:s, s:s}", "event", event, "proxy", proxy_name(p));
}

void api_tell_proxy(struct api *api, const char *event, struct proxy *p)
{
	json_t *o = event_of(event, p);
	if (event_log_has_times(api->log))
		set(o, "listen", json_string(proxy_listen(p)));
	set(o, "upstream", json_string(proxy_upstream(p)));
	set(o, "enabled", json_boolean(proxy_enabled(p)));
	event_log_tell(api->log, o);
}

void api_tell_toxic(struct api *api, const char *event, struct proxy *p, const struct toxic *t)
{
	json_t *o = event_of(event, p);
	const struct fault *f = t->fault;
	set(o, "toxic", json_string(t->name));
	set(o, "type", json_string(f->name));
	set(o, "stream", json_string(streams_name(t->streams)));
	set(o, "toxicity", options_number(t->toxicity));
	set(o, "attributes", options_to_json(f->options, f->options_size, t->options, OPTIONS_TOLD));
	event_log_tell(api->log, o);
}
