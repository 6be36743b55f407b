/* Bodies are read into a plan first, so that a plan with one mistake changes nothing. */
#include "harness/proxy/plan.h"

#include <assert.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/base/near.h"
#include "harness/base/unit.h"

enum { DURATION_MAX_MS = 30 * 24 * 3600 * 1000LL };

const struct opt plan_tls_table[] = {
	{.name = "terminate", .type = OPT_FLAG, .offset = offsetof(struct proxy_tls, terminate), .def = "true",
	 .help = "be the TLS server towards the client, so that toxics can read frames"},
	{.name = "certificate", .type = OPT_STRING, .offset = offsetof(struct proxy_tls, certificate), .metavar = "FILE",
	 .help = "PEM certificate chain shown to the client; none: one made at start, self-signed, for localhost"},
	{.name = "key", .type = OPT_STRING, .offset = offsetof(struct proxy_tls, key), .metavar = "FILE",
	 .help = "PEM key of the certificate"},
	{.name = "upstream", .type = OPT_FLAG, .offset = offsetof(struct proxy_tls, upstream), .def = "true",
	 .help = "speak TLS to the upstream"},
	{.name = "upstream_ca", .type = OPT_STRING, .offset = offsetof(struct proxy_tls, upstream_ca),
	 .metavar = "FILE", .help = "PEM file of the authorities that the upstream is verified by; none: the system's"},
	{.name = "upstream_insecure", .type = OPT_FLAG, .offset = offsetof(struct proxy_tls, upstream_insecure),
	 .def = "false", .help = "do not verify the upstream"},
	{.name = "upstream_name", .type = OPT_STRING, .offset = offsetof(struct proxy_tls, upstream_name),
	 .metavar = "NAME", .help = "name sent to and verified of the upstream; none: the host of its address"},
	{.name = "alpn", .type = OPT_STRING, .offset = offsetof(struct proxy_tls, alpn), .metavar = "PROTOCOL",
	 .help = "application protocol offered and accepted, such as http/1.1"},
	{0},
};

/* Values of known keys --------------------------------------------------------------------------------------------- */

static const json_t *value_of(const json_t *body, const char *key)
{
	const json_t *value = json_object_get(body, key);
	return json_is_null(value) ? NULL : value;
}

static int want(const char *key, const char *what, struct err *e)
{
	return err_set(e, EINVAL, "bad request body: %s: expected %s", key, what);
}

static int read_text(const json_t *body, const char *key, const char **ret, struct err *e)
{
	const json_t *value = value_of(body, key);
	if (value && !json_is_string(value))
		return want(key, "text", e);
	if (value)
		*ret = json_string_value(value);
	return 0;
}

static int read_bool(const json_t *body, const char *key, bool *ret, struct err *e)
{
	const json_t *value = value_of(body, key);
	if (value && !json_is_boolean(value))
		return want(key, "true or false", e);
	if (value)
		*ret = json_is_true(value);
	return 0;
}

static int read_duration(const json_t *body, const char *key, uint64_t *ret_ms, struct err *e)
{
	static const char wanted[] = "a duration such as \"5s\", or a number of milliseconds, up to 30 days";
	const json_t *value = value_of(body, key);
	uint64_t ms = 0;
	if (!value)
		return 0;
	if (json_is_string(value) && unit_duration_parse(span_str(json_string_value(value)), &ms, NULL) < 0)
		return want(key, wanted, e);
	if (!json_is_string(value) && (!json_is_integer(value) || json_integer_value(value) < 0))
		return want(key, wanted, e);
	if (json_is_integer(value))
		ms = (uint64_t)json_integer_value(value);
	if (ms > DURATION_MAX_MS)
		return want(key, wanted, e);
	*ret_ms = ms;
	return 0;
}

/* Toxics ----------------------------------------------------------------------------------------------------------- */

static const struct fault *find_type(const char *type, struct err *e)
{
	const struct fault *f = fault_find(type);
	const char *names[256];
	size_t n = 0;
	struct buf shown CLEANUP(buf_fini) = {0};
	if (f && f->stream)
		return f;
	for (size_t i = 0; i < faults_len && n < ARRAY_LEN(names); i++)
		if (faults[i]->stream)
			names[n++] = faults[i]->name;
	const char *near = near_word(type, names, n);
	escape_word(&shown, type);
	if (f)
		err_set(e, EINVAL, "invalid toxic type: %s is a fault, but none of streams", f->name);
	else if (near)
		err_set(e, EINVAL, "invalid toxic type: \"%s\", did you mean \"%s\"?", buf_cstr(&shown), near);
	else
		err_set(e, EINVAL, "invalid toxic type: \"%s\"; GET /faults tells which there are", buf_cstr(&shown));
	return NULL;
}

static int read_streams(const json_t *body, struct plan_toxic *t, struct err *e)
{
	const char *word = NULL;
	int r = read_text(body, "stream", &word, e);
	if (r < 0 || !word)
		return r;
	for (unsigned streams = STREAM_UP; streams <= STREAM_BOTH; streams++)
		if (strcasecmp(word, streams_name(streams)) == 0) {
			t->spec.streams = streams;
			return 0;
		}
	return err_set(e, EINVAL, "stream was invalid, can be either upstream or downstream, or both");
}

static int read_toxicity(const json_t *body, struct plan_toxic *t, struct err *e)
{
	const json_t *value = value_of(body, "toxicity");
	double share = json_number_value(value);
	if (!value)
		return 0;
	if (json_is_string(value) && unit_percent_parse(span_str(json_string_value(value)), &share, NULL) < 0)
		return want("toxicity", "a number from 0 to 1, or text such as \"50%\"", e);
	if ((!json_is_number(value) && !json_is_string(value)) || !(share >= 0 && share <= 1))
		return want("toxicity", "a number from 0 to 1", e);
	t->spec.toxicity = share;
	return 0;
}

static int fill(const void *from, const struct fault *f, void *options, struct arena *a, struct err *e)
{
	struct err why = {.text = ""};
	int r = options_from_json(f->options, from, options, a, &why);
	return r < 0 ? err_set(e, -r, "bad request body: attributes: %s", why.text) : 0;
}

static int read_common(const json_t *body, struct plan_toxic *t, struct err *e)
{
	if (!json_is_object(body))
		return err_set(e, EINVAL, "bad request body: expected an object that describes a toxic");
	const json_t *attributes = value_of(body, "attributes");
	if (attributes && !json_is_object(attributes))
		return want("attributes", "an object", e);
	t->attributes = (json_t *)attributes;
	int r = read_streams(body, t, e);
	if (r == 0)
		r = read_toxicity(body, t, e);
	if (r == 0)
		r = read_duration(body, "duration", &t->spec.duration_ms, e);
	return r;
}

int plan_read_toxic(const json_t *body, struct plan_toxic *ret, struct err *e)
{
	struct plan_toxic t = {.spec = {.toxicity = 1, .fill = fill}};
	const char *name = NULL, *type = NULL;
	int r = read_common(body, &t, e);
	if (r == 0)
		r = read_text(body, "name", &name, e);
	if (r == 0)
		r = read_text(body, "type", &type, e);
	if (r < 0)
		return r;
	if (!type || !type[0])
		return err_set(e, EINVAL, "missing required field: type");
	t.spec.name = name && name[0] ? name : NULL;
	t.spec.fault = find_type(type, e);
	t.spec.from = t.attributes;
	if (!t.spec.fault)
		return -EINVAL;
	*ret = t;
	return 0;
}

int plan_read_toxic_change(const struct toxic *old, const json_t *body, struct plan_toxic *ret, struct err *e)
{
	struct plan_toxic t = {.spec = {.fault = old->fault, .name = old->name, .toxicity = old->toxicity, .fill = fill}};
	int r = read_common(body, &t, e);
	if (r < 0)
		return r;
	json_t *whole = options_to_json(old->fault->options, old->fault->options_size, old->options, OPTIONS_ALL), *value;
	const char *key;
	json_object_foreach(t.attributes, key, value)
		if (!json_is_null(value))
			json_object_set(whole, key, value);
	t.attributes = whole;
	t.spec.from = whole;
	t.made = true;
	if (!whole)
		return err_set(e, ENOMEM, "out of memory");
	*ret = t;
	return 0;
}

void plan_toxic_fini(struct plan_toxic *t)
{
	if (t->made)
		json_decref(t->attributes);
	*t = (struct plan_toxic){0};
}

json_t *plan_show_toxic(const struct toxic *t, uint64_t now_us)
{
	json_t *attributes = options_to_json(t->fault->options, t->fault->options_size, t->options, OPTIONS_TOLD);
	json_t *o = json_pack("{s:o, s:s, s:s, s:s, s:o}", "attributes", attributes, "name", t->name, "type",
			      t->fault->name, "stream", streams_name(t->streams), "toxicity",
			      options_number(t->toxicity));
	if (o && t->ends_us != UINT64_MAX) {
		uint64_t left_us = t->ends_us > now_us ? t->ends_us - now_us : 0;
		json_object_set_new(o, "remaining_ms", json_integer((json_int_t)((left_us + 999) / 1000)));
	}
	return o;
}

/* Proxies ---------------------------------------------------------------------------------------------------------- */

static int read_toxics(const json_t *body, struct arena *a, struct plan_proxy *p, struct err *e)
{
	const json_t *list = value_of(body, "toxics");
	if (!list)
		return 0;
	if (!json_is_array(list))
		return want("toxics", "a list", e);
	size_t n = json_array_size(list);
	if (n > TOXICS_MAX)
		return err_set(e, EINVAL, "bad request body: toxics: expected at most %d", TOXICS_MAX);
	p->toxics = arena_alloc(a, (n + 1) * sizeof(*p->toxics));
	if (!p->toxics)
		return err_set(e, ENOMEM, "out of memory for the request");
	for (; p->n_toxics < n; p->n_toxics++) {
		struct err why = {.text = ""};
		int r = plan_read_toxic(json_array_get(list, p->n_toxics), &p->toxics[p->n_toxics], &why);
		if (r < 0)
			return err_set(e, -r, "%s, at toxic %zu", why.text, p->n_toxics + 1);
	}
	p->toxics_given = true;
	return 0;
}

static int read_tls(const json_t *body, struct arena *a, struct plan_proxy *p, struct err *e)
{
	const json_t *tls = value_of(body, "tls");
	struct err why = {.text = ""};
	if (!tls)
		return 0;
	int r = opt_defaults(plan_tls_table, &p->tls, a);
	if (r == 0)
		r = options_from_json(plan_tls_table, tls, &p->tls, a, &why);
	if (r < 0)
		return err_set(e, -r, "bad request body: tls: %s", why.text);
	p->o.tls = &p->tls;
	return 0;
}

static int read_connect_timeout(const json_t *body, struct proxy_options *o, struct err *e)
{
	uint64_t timeout_ms = 0;
	int r = read_duration(body, "connect_timeout", &timeout_ms, e);
	o->connect_timeout_ms = timeout_ms < UINT32_MAX ? (uint32_t)timeout_ms : UINT32_MAX;
	return r;
}

int plan_read_proxy_change(const struct proxy *old, const json_t *body, struct arena *a, struct err *e)
{
	struct plan_proxy wanted = {.o.name = proxy_name(old)};
	int r = read_connect_timeout(body, &wanted.o, e);
	if (r == 0)
		r = read_tls(body, a, &wanted, e);
	return r < 0 ? r : plan_check_kept(&wanted, old, e);
}

int plan_read_proxy(const json_t *body, const char *where, struct arena *a, struct plan_proxy *ret, struct err *e)
{
	*ret = (struct plan_proxy){.o.enabled = true};
	struct proxy_options *o = &ret->o;
	if (!json_is_object(body))
		return err_set(e, EINVAL, "bad request body: expected an object that describes a proxy%s", where);
	int r = read_text(body, "name", &o->name, e);
	if (r == 0)
		r = read_text(body, "listen", &o->listen, e);
	if (r == 0)
		r = read_text(body, "upstream", &o->upstream, e);
	if (r == 0)
		r = read_bool(body, "enabled", &o->enabled, e);
	if (r == 0)
		r = read_connect_timeout(body, o, e);
	if (r < 0)
		return r;
	if (!o->name || !o->name[0])
		return err_set(e, EINVAL, "missing required field: name%s", where);
	if (!o->upstream || !o->upstream[0])
		return err_set(e, EINVAL, "missing required field: upstream%s", where);
	if (!o->listen || !o->listen[0])
		o->listen = "127.0.0.1:0";
	r = read_tls(body, a, ret, e);
	return r < 0 ? r : read_toxics(body, a, ret, e);
}

static int check_names(const struct plan *p, size_t i, struct err *e)
{
	struct buf shown CLEANUP(buf_fini) = {0};
	escape_word(&shown, p->proxies[i].o.name);
	for (size_t k = 0; k < i; k++) {
		assert(p->proxies[k].o.name && p->proxies[i].o.name);
		if (strcmp(p->proxies[k].o.name, p->proxies[i].o.name) == 0)
			return err_set(e, EINVAL, "duplicate proxy name \"%s\" at proxy %zu", buf_cstr(&shown), i + 1);
	}
	return 0;
}

int plan_read(const json_t *body, struct arena *a, struct plan *ret, struct err *e)
{
	struct plan p = {0};
	size_t n = json_array_size(body);
	if (!json_is_array(body))
		return err_set(e, EINVAL, "bad request body: expected a list of proxies");
	if (n > PLAN_PROXIES_MAX)
		return err_set(e, EINVAL, "bad request body: expected at most %d proxies", PLAN_PROXIES_MAX);
	p.proxies = arena_alloc(a, (n + 1) * sizeof(*p.proxies));
	if (!p.proxies)
		return err_set(e, ENOMEM, "out of memory for the request");
	for (; p.n < n; p.n++) {
		char where[40];
		snprintf(where, sizeof(where), " at proxy %zu", p.n + 1);
		int r = plan_read_proxy(json_array_get(body, p.n), where, a, &p.proxies[p.n], e);
		if (r == 0)
			r = check_names(&p, p.n, e);
		if (r < 0)
			return r;
	}
	*ret = p;
	return 0;
}

json_t *plan_show_tls(const struct proxy_tls *tls)
{
	return options_to_json(plan_tls_table, sizeof(*tls), tls, OPTIONS_ALL);
}

json_t *plan_show_proxy(struct proxy *p, uint64_t now_us)
{
	json_t *list = json_array();
	for (const struct toxic *t = proxy_toxics(p)->first; t; t = t->next)
		json_array_append_new(list, plan_show_toxic(t, now_us));
	json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", proxy_name(p), "listen", proxy_listen(p), "upstream",
			      proxy_upstream(p), "enabled", proxy_enabled(p), "toxics", list);
	if (o && proxy_tls(p))
		json_object_set_new(o, "tls", plan_show_tls(proxy_tls(p)));
	return o;
}
