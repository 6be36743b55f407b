/*
 * The table of a file has a section for each fault of the stream plane, with the fault's own option rows below it, so
 * that a misspelt option is refused at its line. It is made at the first use, because the rows lie in other files.
 */
#include "harness/proxy/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "faults/fault.h"
#include "harness/base/conf.h"
#include "harness/base/escape.h"
#include "harness/base/file.h"
#include "harness/proxy/http.h"
#include "harness/proxy/options_json.h"
#include "harness/proxy/plan.h"

enum { FAULTS_MAX = 128, ALIGN = 16, DURATION_MAX_MS = 24 * 3600 * 1000 };
enum { STREAM_USUAL };
static const char *const streams[] = {[STREAM_USUAL] = "usual", "upstream", "downstream", "both", NULL};

/* One item of `toxics`. Behind it lie the options of every fault; `given` says which were written. */
struct config_toxic {
	const char *name;
	int stream;
	bool given[FAULTS_MAX];
	double toxicity;
	uint64_t duration_ms;
};

struct config_proxy {
	const char *name, *listen, *upstream;
	bool enabled, tls_given;
	struct proxy_tls tls;
	uint64_t connect_timeout_ms;
	struct opt_sections toxics;
};

/* Tables ----------------------------------------------------------------------------------------------------------- */

enum { TOXIC_OWN_ROWS = 4 };
static struct opt toxic_table[TOXIC_OWN_ROWS + FAULTS_MAX + 1] = {
	{.name = "name", .type = OPT_STRING, .offset = offsetof(struct config_toxic, name),
	 .help = "none: the fault and its stream, such as latency_downstream"},
	{.name = "stream", .type = OPT_ENUM, .choices = streams, .offset = offsetof(struct config_toxic, stream),
	 .def = "usual", .help = "upstream is from client to server; usual: what the fault has of its own"},
	{.name = "toxicity", .type = OPT_PERCENT, .offset = offsetof(struct config_toxic, toxicity), .def = "100%",
	 .help = "share of the connections that it is put on"},
	{.name = "duration", .type = OPT_DURATION, .offset = offsetof(struct config_toxic, duration_ms), .def = "0ms",
	 .help = "removed after this long; 0ms: never"},
};

static struct opt proxy_table[] = {
	{.name = "name", .type = OPT_STRING, .flags = OPT_REQUIRED, .offset = offsetof(struct config_proxy, name),
	 .help = "its name in the API"},
	{.name = "listen", .type = OPT_STRING, .offset = offsetof(struct config_proxy, listen), .def = "127.0.0.1:0",
	 .metavar = "HOST:PORT", .help = "where clients come; port 0: a free one"},
	{.name = "upstream", .type = OPT_STRING, .flags = OPT_REQUIRED, .metavar = "HOST:PORT",
	 .offset = offsetof(struct config_proxy, upstream), .help = "where connections go"},
	{.name = "enabled", .type = OPT_FLAG, .offset = offsetof(struct config_proxy, enabled), .def = "true",
	 .help = "listen from the start"},
	{.name = "connect_timeout", .type = OPT_DURATION, .offset = offsetof(struct config_proxy, connect_timeout_ms),
	 .def = "5s", .min = 1, .max = DURATION_MAX_MS, .help = "time for the upstream to open"},
	{.name = "tls", .type = OPT_SECTION, .offset = offsetof(struct config_proxy, tls), .sub = plan_tls_table,
	 .seen = OPT_SEEN(struct config_proxy, tls_given), .help = "end TLS here; without it TLS passes as it is"},
	{.name = "toxics", .type = OPT_SECTIONS, .offset = offsetof(struct config_proxy, toxics), .sub = toxic_table,
	 .help = "faults on its connections, in this order"},
	{0},
};

#define ROWS(...) \
	{.name = "config", .letter = 'c', .type = OPT_STRING, .flags = OPT_CLI_ONLY, .metavar = "FILE", \
	 .offset = offsetof(struct config, config), \
	 .help = "read proxies and options from a YAML file, or Toxiproxy's JSON"}, \
	{.name = "proxy", .letter = 'p', .type = OPT_MAP, .flags = OPT_CLI_ONLY, .metavar = "NAME=LISTEN=UPSTREAM", \
	 .offset = offsetof(struct config, proxy), \
	 .help = "a proxy from the start, such as ws=127.0.0.1:8666=127.0.0.1:9000"}, \
	{.name = "listen_api", .letter = 'l', .type = OPT_STRING, .offset = offsetof(struct config, listen_api), \
	 .def = "127.0.0.1:8474", .metavar = "HOST:PORT", \
	 .help = "where the HTTP API listens; beyond loopback it needs a token; port 0: a free one"}, \
	{.name = "token_file", .type = OPT_STRING, .offset = offsetof(struct config, token_file), .metavar = "FILE", \
	 .help = "the API wants the token of this file; else the one in WSQUALL_PROXY_TOKEN, if it is set"}, \
	{.name = "api_timeout", .type = OPT_DURATION, .offset = offsetof(struct config, api_timeout_ms), .def = "60s", \
	 .min = 1, .max = DURATION_MAX_MS, \
	 .help = "a connection to the API that finishes no request for this long is closed"}, \
	{.name = "seed", .letter = 's', .type = OPT_U64, .offset = offsetof(struct config, seed), .metavar = "N", \
	 .seen = OPT_SEEN(struct config, seed_given), \
	 .help = "where all that is random comes from; without it a new one, which is told"}, \
	{.name = "event_log", .letter = 'e', .type = OPT_STRING, .offset = offsetof(struct config, event_log), \
	 .metavar = "FILE", .help = "write what happens as JSON lines; - is standard output"}, \
	{.name = "event_times", .type = OPT_FLAG, .offset = offsetof(struct config, event_times), .def = "true", \
	 .help = "tell times and ports; without them the same seed and traffic give the same log"}, \
	{.name = "check_config", .type = OPT_FLAG, .flags = OPT_CLI_ONLY, \
	 .offset = offsetof(struct config, check_config), .help = "print what would run, as JSON, and end"}, \
	__VA_ARGS__ \
	{.name = "help", .letter = 'h', .type = OPT_FLAG, .flags = OPT_STOP | OPT_CLI_ONLY, \
	 .offset = offsetof(struct config, help), .help = "this text"}, \
	{0}

const struct opt config_command_table[] = {ROWS()};
static const struct opt whole_table[] = {
	ROWS({.name = "proxies", .type = OPT_SECTIONS, .flags = OPT_FILE_ONLY, .offset = offsetof(struct config, proxies),
	      .sub = proxy_table, .item_size = sizeof(struct config_proxy), .help = "the proxies"}, )};

/* Where the options of fault i lie in an item, and, for i == faults_len, its size. */
static size_t place(size_t i)
{
	size_t at = (sizeof(struct config_toxic) + ALIGN - 1) / ALIGN * ALIGN;
	for (size_t k = 0; k < i; k++)
		at += (faults[k]->options_size + ALIGN - 1) / ALIGN * ALIGN;
	return at;
}

const struct opt *config_table(void)
{
	struct opt *row = &toxic_table[TOXIC_OWN_ROWS];
	assert(faults_len <= FAULTS_MAX);
	for (size_t i = 0; i < faults_len; i++)
		if (faults[i]->stream)
			*row++ = (struct opt){.name = faults[i]->name, .type = OPT_SECTION, .offset = place(i),
					      .sub = faults[i]->options, .help = faults[i]->about,
					      .seen = offsetof(struct config_toxic, given) + i + 1};
	*row = (struct opt){0};
	for (struct opt *o = proxy_table; o->name; o++)
		if (o->sub == toxic_table)
			o->item_size = place(faults_len);
	return whole_table;
}

/* As JSON ---------------------------------------------------------------------------------------------------------- */

static int find_fault(const struct config_toxic *t, const char *proxy, size_t *ret, struct err *e)
{
	size_t found = faults_len;
	for (size_t i = 0; i < faults_len; i++) {
		if (!t->given[i])
			continue;
		if (found < faults_len)
			return err_set(e, EINVAL, "a toxic of proxy %s is both %s and %s: expected one fault in each item",
				       proxy, faults[found]->name, faults[i]->name);
		found = i;
	}
	if (found == faults_len)
		return err_set(e, EINVAL, "a toxic of proxy %s has no fault: expected one, such as latency: {latency: 100ms}",
			       proxy);
	*ret = found;
	return 0;
}

static json_t *show_toxic(const struct config_toxic *t, const struct fault *f, const void *options)
{
	json_t *o = json_pack("{s:s, s:o, s:o}", "type", f->name, "toxicity", options_number(t->toxicity), "attributes",
			      options_to_json(f->options, f->options_size, options, OPTIONS_ALL));
	if (t->name)
		json_object_set_new(o, "name", json_string(t->name));
	if (t->stream != STREAM_USUAL)
		json_object_set_new(o, "stream", json_string(streams[t->stream]));
	if (t->duration_ms)
		json_object_set_new(o, "duration", json_integer((json_int_t)t->duration_ms));
	return o;
}

static int add_toxics(const struct config_proxy *p, json_t *to, struct err *e)
{
	json_t *list = json_array();
	json_object_set_new(to, "toxics", list);
	for (size_t i = 0; i < p->toxics.len; i++) {
		const char *item = (const char *)p->toxics.items + i * place(faults_len);
		const struct config_toxic *t = (const struct config_toxic *)item;
		size_t n = 0;
		int r = find_fault(t, p->name, &n, e);
		if (r < 0)
			return r;
		json_array_append_new(list, show_toxic(t, faults[n], item + place(n)));
	}
	return 0;
}

static int add_proxies(const struct config *c, json_t *list, struct err *e)
{
	for (size_t i = 0; i < c->proxies.len; i++) {
		const struct config_proxy *p = (const struct config_proxy *)c->proxies.items + i;
		json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:I}", "name", p->name, "listen", p->listen, "upstream",
				      p->upstream, "enabled", p->enabled, "connect_timeout",
				      (json_int_t)p->connect_timeout_ms);
		if (p->tls_given)
			json_object_set_new(o, "tls", options_to_json(plan_tls_table, sizeof(p->tls), &p->tls, OPTIONS_ALL));
		json_array_append_new(list, o);
		int r = add_toxics(p, o, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Of the command line: they follow those of the file, or replace them by name. */
static int add_words(const struct config *c, json_t *list, struct err *e)
{
	for (size_t i = 0; i < c->proxy.len; i++) {
		const struct opt_pair *pair = &c->proxy.items[i];
		const char *equals = strchr(pair->value, '=');
		if (!equals || equals == pair->value || !equals[1])
			return err_set(e, EINVAL, "--proxy: expected NAME=LISTEN=UPSTREAM, such as "
						  "ws=127.0.0.1:8666=127.0.0.1:9000");
		json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "name", pair->key, "listen",
						      json_stringn(pair->value, (size_t)(equals - pair->value)),
						      "upstream", equals + 1));
	}
	return 0;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

static bool is_json(struct span text)
{
	size_t at = 0;
	while (at < text.len && strchr(" \t\r\n", text.p[at]))
		at++;
	return at < text.len && text.p[at] == '[';
}

static int read_json(struct span text, const char *path, json_t **list, struct err *e)
{
	json_error_t error;
	json_t *read = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, &error);
	if (!read)
		return err_set(e, EINVAL, "%s:%d:%d: %s", path, error.line, error.column, error.text);
	json_decref(*list);
	*list = read;
	return 0;
}

static int read_file(const char *path, struct config *c, struct arena *a, json_t **list, struct err *e)
{
	struct buf text CLEANUP(buf_fini) = {0};
	int r = file_read(path, CONF_FILE_MAX, &text, e);
	if (r < 0)
		return r;
	if (is_json(buf_span(&text)))
		return read_json(buf_span(&text), path, list, e);
	struct err why;
	r = conf_read_text(buf_span(&text), path, config_table(), c, a, e);
	if (r == 0 && (r = add_proxies(c, *list, &why)) < 0)
		err_set(e, -r, "%s: %s", path, why.text);
	return r;
}

int config_read(int argc, char *const *argv, struct arena *a, struct config *ret, struct opt_strings *ret_words,
		json_t **ret_proxies, struct err *e)
{
	struct config c = {0};
	json_t *list = json_array();
	const struct opt *table = config_table();
	int r = opt_defaults(table, &c, a);
	if (r < 0)
		err_set(e, ENOMEM, "out of memory for the options");
	else /* what file, if any */
		r = opt_parse_argv(table, argc, argv, &c, a, ret_words, e);
	if (r == 0 && !c.help && c.config) {
		const char *path = c.config;
		opt_defaults(table, &c, a);
		r = read_file(path, &c, a, &list, e);
		if (r == 0)
			r = opt_parse_argv(table, argc, argv, &c, a, ret_words, e);
	}
	if (r == 0)
		r = add_words(&c, list, e);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	*ret = c;
	*ret_proxies = list;
	return 0;
}

int config_split_address(const char *text, char *host, size_t size, uint16_t *ret_port, struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool bracket = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	char *end = NULL;
	unsigned long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
	if (!end || *end || port > UINT16_MAX || len >= size || (!bracket && memchr(text, ':', len))) {
		struct buf shown CLEANUP(buf_fini) = {0};
		return err_set(e, EINVAL, "expected HOST:PORT, such as 127.0.0.1:8474 or [::1]:8474, not \"%s\"",
			       escape_word(&shown, text));
	}
	snprintf(host, size, "%.*s", (int)(len - 2 * bracket), text + bracket);
	if (!host[0])
		snprintf(host, size, "0.0.0.0");
	*ret_port = (uint16_t)port;
	return 0;
}
