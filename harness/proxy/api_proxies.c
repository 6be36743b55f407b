/* The routes of proxies and of their connections. */
#include <stdio.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/proxy/api_internal.h"

void api_list_proxies(struct api_call *c)
{
	api_answer(c, 200, api_show(c->api));
}

void api_show_proxy(struct api_call *c)
{
	api_answer(c, 200, plan_show_proxy(c->proxy, clock_now_us()));
}

void api_create_proxy(struct api_call *c)
{
	struct plan_proxy wanted;
	struct plan plan = {.proxies = &wanted, .n = 1};
	struct err e;
	int r = plan_read_proxy(c->body, "", &c->arena, &wanted, &e);
	if (r == 0)
		r = api_apply(c->api, &plan, API_CREATE, &e);
	if (r < 0)
		api_refuse(c, r, &e);
	else
		api_answer(c, 201, plan_show_proxy(proxies_find(c->api->proxies, wanted.o.name), clock_now_us()));
}

/* As Toxiproxy: the error, if there is one, and the proxies that are there now. */
void api_populate(struct api_call *c)
{
	struct plan plan;
	struct err e;
	json_t *list = json_array();
	int r = plan_read(c->body, &c->arena, &plan, &e);
	if (r == 0)
		r = api_apply(c->api, &plan, API_POPULATE, &e);
	if (r < 0) {
		json_t *refusal = api_error(api_status_of(r), e.text);
		json_object_set_new(refusal, "proxies", list);
		api_answer(c, api_status_of(r), refusal);
		return;
	}
	for (size_t i = 0; i < plan.n; i++)
		json_array_append_new(list, plan_show_proxy(proxies_find(c->api->proxies, plan.proxies[i].o.name),
							    clock_now_us()));
	api_answer(c, 201, json_pack("{s:o}", "proxies", list));
}

static int read_change(struct api_call *c, const char **listen, const char **upstream, bool *enabled, struct err *e)
{
	const json_t *values[] = {json_object_get(c->body, "listen"), json_object_get(c->body, "upstream"),
				  json_object_get(c->body, "enabled")};
	if (!json_is_object(c->body))
		return err_set(e, EINVAL, "bad request body: expected an object that changes a proxy");
	for (size_t i = 0; i < 2; i++)
		if (values[i] && !json_is_null(values[i]) && !json_is_string(values[i]))
			return err_set(e, EINVAL, "bad request body: %s: expected text", i ? "upstream" : "listen");
	if (values[2] && !json_is_null(values[2]) && !json_is_boolean(values[2]))
		return err_set(e, EINVAL, "bad request body: enabled: expected true or false");
	*listen = json_string_value(values[0]);
	*upstream = json_string_value(values[1]);
	if (json_is_boolean(values[2]))
		*enabled = json_is_true(values[2]);
	return 0;
}

/* Toxiproxy ignores the toxics of this body, and its clients send back those that they got. */
void api_change_proxy(struct api_call *c)
{
	const char *listen = NULL, *upstream = NULL;
	bool enabled = proxy_enabled(c->proxy);
	struct err e;
	int r = read_change(c, &listen, &upstream, &enabled, &e);
	if (r == 0)
		r = plan_read_proxy_change(c->proxy, c->body, &c->arena, &e);
	if (r == 0)
		r = proxy_change(c->proxy, listen, upstream, enabled, &e);
	if (r < 0) {
		api_refuse(c, r, &e);
		return;
	}
	api_tell_proxy(c->api, "proxy.change", c->proxy);
	api_show_proxy(c);
}

void api_delete_proxy(struct api_call *c)
{
	api_tell_proxy(c->api, "proxy.remove", c->proxy);
	proxy_free(c->proxy);
	metrics_forget(c->api->metrics, c->proxy);
	c->answer->status = 204;
}

/* Enables every proxy and removes all toxics. All or nothing: a port that is taken meanwhile leaves all as it was. */
void api_reset(struct api_call *c)
{
	struct proxy *p;
	struct err e;
	int r = 0;
	static struct proxy *enabled[PROXIES_MAX];
	size_t n = 0;
	for (p = proxies_next(c->api->proxies, NULL); p && r == 0; p = proxies_next(c->api->proxies, p))
		if (!proxy_enabled(p)) {
			r = proxy_enable(p, &e);
			if (r == 0)
				enabled[n++] = p;
		}
	if (r < 0) {
		while (n)
			proxy_disable(enabled[--n]);
		api_refuse(c, r, &e);
		return;
	}
	for (p = proxies_next(c->api->proxies, NULL); p; p = proxies_next(c->api->proxies, p))
		proxy_toxics_clear(p);
	event_log_tell(c->api->log, json_pack("{s:s}", "event", "reset"));
	c->answer->status = 204;
}

/* Connections ------------------------------------------------------------------------------------------------------ */

static json_t *show_connection(const struct proxy_connection *k)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:I}", "number", (json_int_t)k->number, "client", k->client,
			 "upstream", k->upstream, "state", proxy_connection_state_name(k->state), "age_ms",
			 (json_int_t)((clock_now_us() - k->opened_us) / 1000), "upstream_bytes",
			 (json_int_t)k->octets[UPSTREAM], "downstream_bytes", (json_int_t)k->octets[DOWNSTREAM]);
}

static void append_connection(void *owner, const struct proxy_connection *k)
{
	json_array_append_new(owner, show_connection(k));
}

void api_list_connections(struct api_call *c)
{
	json_t *list = json_array();
	proxy_connections(c->proxy, append_connection, list);
	api_answer(c, 200, list);
}

static void fail_gone(struct api_call *c)
{
	api_fail(c, 404, "connection not found: %llu is not open on this proxy", (unsigned long long)c->connection);
}

static void take_connection(void *owner, const struct proxy_connection *k)
{
	*(json_t **)owner = show_connection(k);
}

void api_show_connection(struct api_call *c)
{
	json_t *found = NULL;
	if (proxy_connection_find(c->proxy, c->connection, take_connection, &found))
		api_answer(c, 200, found);
	else
		fail_gone(c);
}

void api_kill_connection(struct api_call *c)
{
	const char *how = NULL;
	struct err e;
	if (api_query_get(c->path.query, "how", &c->arena, &how, &e) < 0) {
		api_fail(c, 400, "%s", e.text);
		return;
	}
	if (how && strcmp(how, "rst") != 0 && strcmp(how, "fin") != 0) {
		api_fail(c, 400, "how: expected rst or fin");
		return;
	}
	bool rst = !how || strcmp(how, "rst") == 0;
	if (proxy_kill(c->proxy, c->connection, rst, &e) < 0) {
		fail_gone(c);
		return;
	}
	event_log_tell(c->api->log, json_pack("{s:s, s:s, s:I, s:s}", "event", "connection.kill", "proxy",
					      proxy_name(c->proxy), "connection", (json_int_t)c->connection, "detail",
					      rst ? "how=rst" : "how=fin"));
	c->answer->status = 204;
}
