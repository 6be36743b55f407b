/* The target's addresses, dialect, contract, nodes: what every scenario needs of it. */
#include "harness/scenario/site.h"

#include <string.h>

#include "harness/scenario/care.h"

enum { QUICK_MS = 10000 }; /* a heartbeat's interval and timeout together whose effect a scenario can wait for */

/* Who the clients are: a header field, a parameter of the URL, or a variable of the dialect. */
static int add_pair(struct opt_map *map, const char *key, const char *value, struct arena *a)
{
	struct opt_pair *items = arena_alloc(a, (map->len + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	if (map->len)
		memcpy(items, map->items, map->len * sizeof(*items));
	items[map->len] = (struct opt_pair){key, value};
	*map = (struct opt_map){.items = items, .len = map->len + 1, .cap = map->len + 1};
	return 0;
}

static int find_credential(struct site *s)
{
	const struct target_credentials *c = &s->target->credentials;
	s->headers = s->target->headers;
	s->variables = s->target->variables;
	if (!c->valid || c->query)
		return 0;
	if (c->variable)
		return add_pair(&s->variables, c->variable, c->valid, s->arena);
	return add_pair(&s->headers, c->header ? c->header : "Authorization", c->valid, s->arena);
}

const char *site_with_credential(const struct site *s, struct arena *a, const char *target)
{
	const struct target_credentials *c = &s->target->credentials;
	if (!c->valid || !c->query)
		return target;
	return arena_printf(a, "%s%c%s=%s", target, strchr(target, '?') ? '&' : '?', c->query, c->valid);
}

static int find_way(struct site *s, const struct url *url, struct dial_addresses *addresses, uint32_t node,
		    struct err *e)
{
	struct target *t = s->target;
	int r = s->dry ? 0 : dial_resolve(url->host, url->port, addresses, e);
	if (r < 0)
		return r;
	s->ways[s->n_ways++] = (struct workload_way){
		.addresses = addresses, .tls = url->tls ? s->tls : NULL, .host = url->host_field,
		.target = site_with_credential(s, s->arena, url->target),
		.server_name = t->tls.server_name ? t->tls.server_name : url->host, .http_target = "/", .node = node,
	};
	return 0;
}

static int find_ways(struct site *s, struct err *e)
{
	const struct target_node *nodes = s->target->nodes.items;
	int r = find_way(s, &s->target->url, &s->door, 0, e);
	for (size_t i = 0; r == 0 && i < s->target->nodes.len; i++) {
		struct url url;
		if (!nodes[i].url)
			continue;
		r = url_parse(nodes[i].url, s->arena, &url, e);
		if (r == 0)
			r = find_way(s, &url, &s->node_addresses[i], (uint32_t)i + 1, e);
	}
	return r;
}

static int find_dialect(struct site *s, struct err *e)
{
	if (!s->target->dialect) {
		s->contract = s->target->contract;
		return 0;
	}
	int r = dialect_load(s->target->dialect, s->target->folder, s->arena, &s->dialect, e);
	if (r < 0)
		return r;
	s->contract = s->dialect->contract;
	contract_merge(&s->contract, &s->target->contract);
	return 0;
}

/* The scenario's variables replace the target's. */
static int add_variables(struct site *s, const struct opt_map *more, struct opt_map *variables)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < more->len; i++) {
		size_t k = 0;
		while (k < variables->len && strcmp(variables->items[k].key, more->items[i].key) != 0)
			k++;
		r = add_pair(variables, more->items[i].key, more->items[i].value, s->arena);
		if (r == 0 && k < variables->len - 1)
			variables->items[k] = variables->items[--variables->len];
	}
	return r;
}

/* Those for this dialect: one whose name ends in '?' is for dialects that have it. */
static int find_variables(struct site *s, const struct dialect *d, const struct opt_map *all, struct opt_map *ret)
{
	int r = 0;
	*ret = (struct opt_map){0};
	for (size_t i = 0; r == 0 && i < all->len; i++) {
		const char *name = all->items[i].key, *mark = strchr(name, '?');
		if (mark && !mark[1])
			name = arena_printf(s->arena, "%.*s", (int)(mark - name), name);
		if (!name)
			return -ENOMEM;
		if (name == all->items[i].key || opt_map_get(dialect_variables(d), name))
			r = add_pair(ret, name, all->items[i].value, s->arena);
	}
	return r;
}

int site_speech(struct site *s, const struct scenario *scenario, struct site_speech *ret, struct err *e)
{
	*ret = (struct site_speech){.dialect = s->dialect, .contract = s->contract, .variables = s->variables};
	int r = 0;
	if (scenario->variant) {
		r = dialect_load_variant(s->target->dialect, s->dialect, scenario->variant, s->target->folder, s->arena,
					 &ret->dialect, e);
		if (r < 0)
			return r;
		ret->contract = ret->dialect->contract;
		contract_merge(&ret->contract, &s->target->contract);
	}
	struct opt_map variables;
	if (find_variables(s, ret->dialect, &scenario->variables, &variables) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (variables.len)
		r = dialect_variables_check(ret->dialect, &variables, e);
	return r < 0 ? r : add_variables(s, &variables, &ret->variables);
}

int site_init(struct site *s, struct err *e)
{
	struct target *t = s->target;
	int r = alarms_new(s->loop, &s->alarms);
	if (r < 0)
		return err_set(e, -r, "no timers: %s", strerror(-r));
	r = find_dialect(s, e);
	if (r == 0 && find_credential(s) < 0)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = find_ways(s, e);
	if (r == 0)
		r = run_nodes_init(&s->nodes, s->loop, t, e);
	s->peers = (struct fault_peers){
		.addresses = &s->door, .tls = s->ways[0].tls, .server_name = s->ways[0].server_name, .host = s->ways[0].host,
		.path = s->ways[0].target, .headers = &s->headers,
		.subprotocol = t->subprotocols.len ? t->subprotocols.items[0] : NULL,
	};
	return r;
}

void site_fini(struct site *s)
{
	run_nodes_fini(&s->nodes);
	alarms_free(s->alarms);
	s->alarms = NULL;
}

/* Whether anybody is there -------------------------------------------------------------------------------------- */

struct reach {
	struct loop *loop;
	bool over;
	int error;
};

static void reach_over(struct reach *r, int error)
{
	r->over = true;
	r->error = error;
	loop_stop(r->loop);
}

static void on_reach_open(void *owner)
{
	reach_over(owner, 0);
}

static void on_reach_data(void *owner, struct span data)
{
	(void)owner;
	(void)data;
}

static void on_reach_eof(void *owner, bool clean)
{
	(void)owner;
	(void)clean;
}

static void on_reach_error(void *owner, int error)
{
	reach_over(owner, error);
}

int site_reach(struct site *s, struct err *e)
{
	static const struct stream_events events = {
		.on_open = on_reach_open, .on_data = on_reach_data, .on_eof = on_reach_eof, .on_error = on_reach_error};
	const struct dial_options o = {.addresses = &s->door, .source = s->target->source, .tls = s->ways[0].tls,
				       .server_name = s->ways[0].server_name};
	struct reach r = {.loop = s->loop};
	struct stream *stream = NULL;
	int error = dial(s->loop, &o, &events, &r, &stream);
	while (error == 0 && !r.over)
		loop_run(s->loop);
	error = error < 0 ? error : r.error;
	if (error < 0)
		err_set(e, -error, "%s cannot be tested: %s", s->target->url.text,
			stream && error == -EPROTO ? stream_error_text(stream) : strerror(-error));
	stream_free(stream);
	return error;
}

void site_fault_site(struct site *s, struct fault_site *ret)
{
	*ret = (struct fault_site){.loop = s->loop, .guard = s->guard, .seed = s->seed, .peers = &s->peers};
	run_nodes_site(&s->nodes, s->target, ret);
}

uint32_t site_node_number(const struct site *s, const char *name)
{
	const struct target_node *nodes = s->target->nodes.items;
	for (size_t i = 0; name && i < s->target->nodes.len; i++)
		if (strcmp(nodes[i].name, name) == 0)
			return (uint32_t)i + 1;
	const struct target_node *brokers = s->target->backplane.items;
	for (size_t i = 0; name && i < s->target->backplane.len; i++)
		if (strcmp(brokers[i].name, name) == 0)
			return (uint32_t)(s->target->nodes.len + i) + 1;
	return 0;
}

/* What is missing ---------------------------------------------------------------------------------------------- */

static bool can_restart(const struct site *s)
{
	const struct target_node *nodes = s->target->nodes.items;
	for (size_t i = 0; i < s->target->nodes.len; i++)
		if (nodes[i].start.len || nodes[i].pidfile)
			return true;
	return false;
}

static bool node_metrics(const struct target *t)
{
	const struct target_node *nodes = t->nodes.items;
	for (size_t i = 0; i < t->nodes.len; i++)
		if (nodes[i].metrics)
			return true;
	return false;
}

enum need {
#define NEED(NAME, name, why) NEEDS_##NAME,
#include "harness/scenario/needs.def"
#undef NEED
};

static bool has(const struct site *s, enum need need)
{
	const struct target *t = s->target;
	switch (need) {
	case NEEDS_DIALECT:
		return s->dialect;
	case NEEDS_PUBLISH:
		return s->dialect->can_publish;
	case NEEDS_PUBLISH_AHEAD:
		return s->dialect->can_publish && !s->dialect->publish_by_http;
	case NEEDS_RESUME:
		return s->contract.resumes;
	case NEEDS_TELLS_RECOVERED:
		return s->contract.tells_recovered;
	case NEEDS_KEYED:
		return s->contract.idempotent;
	case NEEDS_NODES:
		return t->nodes.len > 0;
	case NEEDS_TWO_NODES:
		return t->nodes.len > 1;
	case NEEDS_RESTART:
		return can_restart(s);
	case NEEDS_BACKPLANE:
		return t->backplane.len > 0;
	case NEEDS_LOGS:
		return target_has_logs(t);
	case NEEDS_REASONS:
		return target_has_logs(t) && t->logs.reason;
	case NEEDS_METRICS:
		return t->metrics.url || node_metrics(t);
	case NEEDS_PONGS_ONLY:
		return s->contract.pongs_only;
	case NEEDS_MAX_MESSAGE:
		return s->contract.max_message > 0;
	case NEEDS_WINDOW:
		return s->contract.window > 0;
	case NEEDS_HEARTBEAT:
		return s->contract.heartbeat_ms > 0;
	case NEEDS_QUICK_HEARTBEAT:
		return s->contract.heartbeat_ms > 0 && s->contract.heartbeat_timeout_ms > 0 &&
		       s->contract.heartbeat_ms + s->contract.heartbeat_timeout_ms <= QUICK_MS;
	}
	return false;
}

static const struct {
	const char *name, *why;
} needs[] = {
#define NEED(NAME, name, why) [NEEDS_##NAME] = {name, why},
#include "harness/scenario/needs.def"
#undef NEED
};

static const char *lacks_fault(struct site *s, const struct opt_call *call)
{
	struct fault_site site;
	struct fault_probe probe;
	enum fault_plane plane = scenario_plane_of(call);
	if (plane == FAULT_STREAM)
		return NULL;
	if (!s->may_touch && plane != FAULT_PEER)
		return "this run may touch nothing outside its own connections";
	site_fault_site(s, &site);
	fault_probe(scenario_fault_of(call), plane, &site, &probe);
	if (probe.means != FAULT_MISSING)
		return NULL;
	return arena_printf(s->arena, "%s is not possible here: %s", call->callee.name, probe.why);
}

const char *site_lacks(struct site *s, const struct scenario *scenario)
{
	const struct scenario_phase *p = scenario->phases.items;
	if (!s->dialect)
		return needs[NEEDS_DIALECT].why;
	for (size_t n = 0; n < ARRAY_LEN(needs); n++)
		for (size_t i = 0; i < scenario->needs.len; i++)
			if (strcmp(needs[n].name, scenario->needs.items[i]) == 0 && !has(s, (enum need)n))
				return needs[n].why;
	struct site_speech speech;
	struct err e;
	if (site_speech(s, scenario, &speech, &e) < 0)
		return arena_strdup(s->arena, e.text);
	if (scenario->workload.publishers && !s->dialect->can_publish)
		return needs[NEEDS_PUBLISH].why;
	if (scenario->workload.channels_each > 1 && speech.dialect->channel_by == DIALECT_CHANNEL_BY_URL)
		return "its clients are on several channels each, and in the dialect of the target a connection has one";
	for (size_t i = 0; i < scenario->phases.len; i++)
		for (size_t k = 0; k < p[i].faults.len; k++) {
			const char *why = lacks_fault(s, &p[i].faults.items[k]);
			if (why)
				return why;
		}
	return care_forbids(s, scenario);
}
