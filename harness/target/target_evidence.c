/* The part of a target file about evidence (logs, metrics), credentials, and how much may be hurt. */
#include <string.h>
#include <strings.h>

#include "harness/target/metrics_text.h"
#include "harness/target/target.h"
#include "harness/ws/handshake.h"

#define ROW(T, field_name, field, opt_type, help_text, ...) \
	{.name = field_name, .type = opt_type, .offset = offsetof(struct T, field), .help = help_text, ##__VA_ARGS__}

enum { EVERY_MIN_MS = 100, EVERY_MAX_MS = 3600000 };

const struct opt target_credentials_table[] = {
	ROW(target_credentials, "header", header, OPT_STRING,
	    "header field of the request that carries one; Authorization when no other place is told"),
	ROW(target_credentials, "query", query, OPT_STRING, "parameter of the URL that carries one"),
	ROW(target_credentials, "variable", variable, OPT_STRING, "variable of the dialect that carries one"),
	ROW(target_credentials, "valid", valid, OPT_STRING, "one that is good during the whole run", .flags = OPT_SECRET),
	ROW(target_credentials, "expired", expired, OPT_STRING, "one that was good once", .flags = OPT_SECRET),
	ROW(target_credentials, "wrong", wrong, OPT_STRING, "one that never was good, such as one with a spoilt signature",
	    .flags = OPT_SECRET),
	ROW(target_credentials, "expiring", expiring, OPT_STRING, "one that ends during the run", .flags = OPT_SECRET),
	ROW(target_credentials, "expiring_within", expiring_within_ms, OPT_DURATION,
	    "so long after the run began it has ended, and what was opened with it", .min = 1, .max = INT64_MAX),
	ROW(target_credentials, "renewal", renewal, OPT_STRING,
	    "text message by which a connection that was opened with it stays open, as an application would send it",
	    .flags = OPT_SECRET),
	ROW(target_credentials, "anonymous", anonymous, OPT_FLAG, "a client without one is let in, too"),
	{0},
};

const struct opt target_peak_table[] = {
	ROW(target_peak, "connections", connections, OPT_U64, "connections at once", .min = 1, .max = INT64_MAX),
	ROW(target_peak, "publish_rate", publish_rate, OPT_RATE, "messages published, over all clients"),
	{0},
};

static const struct opt words_table[] = {
#define LOG_WORD(word, about) ROW(target_logs, #word, words[LOG_WORD_##word], OPT_STRINGS, about),
#include "harness/target/log_words.def"
#undef LOG_WORD
	{0},
};

static const char *const formats[] = {"json", "logfmt", "regex", NULL};

const struct opt target_logs_table[] = {
	ROW(target_logs, "files", files, OPT_STRINGS, "files that are read as they grow; without it: the `log` of each node"),
	ROW(target_logs, "format", format, OPT_ENUM, "what one line is", .choices = formats),
	ROW(target_logs, "pattern", pattern, OPT_STRING,
	    "of regex: a POSIX extended expression; the keys below name its groups, (?<name>...), or count them"),
	ROW(target_logs, "event", event, OPT_STRING,
	    "where the line says what happened: JSON pointer (/event), key of logfmt, or group"),
	ROW(target_logs, "connection", connection, OPT_STRING, "where it names the connection, as `id_header` does"),
	ROW(target_logs, "code", code, OPT_STRING, "where the close code is"),
	ROW(target_logs, "reason", reason, OPT_STRING, "where the reason of the close is"),
	ROW(target_logs, "level", level, OPT_STRING, "where the severity is"),
	ROW(target_logs, "time", time, OPT_STRING, "where the line's own time is: RFC 3339, or a number since 1970"),
	ROW(target_logs, "address", address, OPT_STRING, "where the client's address is, as the server believes it"),
	ROW(target_logs, "initiator", initiator, OPT_STRING, "where it says who ended the connection: client, server or network"),
	ROW(target_logs, "node", node, OPT_STRING, "where the node's name is, when several write to one file"),
	{.name = "words", .type = OPT_SECTION, .offset = 0, .sub = words_table,
	 .help = "the log's own words for what wsquall wants to know"},
	{0},
};

const struct opt target_metrics_table[] = {
	ROW(target_metrics, "url", url, OPT_STRING, "http:// or https:// URL of a page in the Prometheus text format; "
	    "nodes may have their own"),
	ROW(target_metrics, "every", every_ms, OPT_DURATION, "time between two looks", .def = "1s", .min = EVERY_MIN_MS, .max = EVERY_MAX_MS),
#define METRIC(key, text, selector, about) \
	ROW(target_metrics, #key, names[TARGET_METRIC_##key], OPT_STRING, "NAME or NAME{LABEL=\"VALUE\"}: " about, \
	    .def = sizeof(selector) > 1 ? selector : NULL),
#include "harness/target/metrics.def"
#undef METRIC
	ROW(target_metrics, "closes", closes, OPT_STRING, "NAME of a counter of connections that ended, by close code"),
	ROW(target_metrics, "closes_label", closes_label, OPT_STRING, "its label that holds the code", .def = "code"),
	ROW(target_metrics, "latency", latency, OPT_STRING,
	    "NAME of a histogram or summary of how long a message takes: NAME_sum, NAME_count; in seconds, but for names "
	    "that end in _milliseconds or _ms, _microseconds or _us, _nanoseconds or _ns"),
	ROW(target_metrics, "also", also, OPT_MAP, "more that is worth to be kept: a name of yours, and NAME or NAME{LABEL=\"VALUE\"}"),
	{0},
};

static const struct opt abort_if_table[] = {
	ROW(target_abort_if, "connections_lost", connections_lost, OPT_PERCENT, "of the connections that were up: so many are gone"),
	ROW(target_abort_if, "for", for_ms, OPT_DURATION, "for so long without a break", .def = "30s", .max = 3600000),
	{0},
};

const struct opt target_guard_table[] = {
	ROW(target_guard, "abort_if", abort_if, OPT_SECTION, "when a run stops and heals at once", .sub = abort_if_table),
	ROW(target_guard, "max_affected", max_affected, OPT_PERCENT, "most of the nodes that faults may hit at once"),
	ROW(target_guard, "never_between", never_between, OPT_STRINGS,
	    "local times between which nothing is hurt: [\"Fri 16:00\", \"Mon 08:00\"] is from the first to the second; "
	    "\"22:00-06:00\" is every night"),
	{0},
};

const struct opt target_front_table[] = {
	ROW(target_front, "idle", idle_ms, OPT_DURATION, "it ends a connection on which nothing moves for so long", .max = INT64_MAX),
	ROW(target_front, "lifetime", lifetime_ms, OPT_DURATION, "it ends every connection after this", .max = INT64_MAX),
	ROW(target_front, "cookie", cookie, OPT_STRING, "name of the cookie by which a client comes back to the same node"),
	ROW(target_front, "forwards", forwards, OPT_FLAG, "it tells the client's address in X-Forwarded-For"),
	{0},
};

static const struct opt poll_table[] = {
	ROW(target_poll, "first", first, OPT_STRING, "path of a poll without a position, with {channel}: /poll/{channel}?wait=0"),
	ROW(target_poll, "next", next, OPT_STRING, "path of a poll behind a position, with {channel} and {since}"),
	ROW(target_poll, "since", since, OPT_STRING,
	    "the position, made of what the last answer holds at JSON pointers: \"{/epoch}:{/seq}\""),
	ROW(target_poll, "messages", messages, OPT_STRING, "JSON pointer of the list of messages in an answer", .def = "/messages"),
	ROW(target_poll, "data", data, OPT_STRING, "JSON pointer of the data in one of them", .def = "/data"),
	{0},
};

const struct opt target_fallback_table[] = {
	ROW(target_fallback, "sse", sse, OPT_STRING, "a dialect of event streams at the same address: a built-in one, or a path"),
	ROW(target_fallback, "poll", poll, OPT_SECTION, "long polling", .sub = poll_table),
	{0},
};

const struct opt target_restart_table[] = {
	ROW(target_restart, "close_codes", close_codes, OPT_STRINGS,
	    "close codes that clients may see, in quotation marks; without it 1001 and 1012"),
	{0},
};

const char *target_metric_text(enum target_metric metric)
{
	static const char *const texts[TARGET_METRICS] = {
#define METRIC(key, text, selector, about) [TARGET_METRIC_##key] = text,
#include "harness/target/metrics.def"
#undef METRIC
	};
	return texts[metric];
}

bool target_has_logs(const struct target *t)
{
	const struct target_node *nodes = t->nodes.items;
	if (!t->logs.event)
		return false;
	for (size_t i = 0; i < t->nodes.len; i++)
		if (nodes[i].log)
			return true;
	return t->logs.files.len > 0;
}

static int check_credentials(const struct target_credentials *c, struct err *e)
{
	int places = !!c->header + !!c->query + !!c->variable;
	if (places > 1)
		return err_set(e, EINVAL, "credentials: `header`, `query` and `variable` exclude each other");
	if (!c->expiring != !c->expiring_within_ms)
		return err_set(e, EINVAL, "credentials: `expiring` and `expiring_within` need each other");
	if (c->renewal && !c->expiring)
		return err_set(e, EINVAL, "credentials: `renewal` needs `expiring`, which it renews");
	if (places && !c->valid && !c->expired && !c->wrong && !c->expiring)
		return err_set(e, EINVAL, "credentials: there is a place for them, but none is told");
	if (c->header && !handshake_is_token(span_str(c->header)))
		return err_set(e, EINVAL, "credentials: header: expected the name of a header field");
	const char *const values[] = {c->valid, c->expired, c->wrong, c->expiring};
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		for (const char *at = values[i]; at && *at; at++)
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				return err_set(e, EINVAL, "credentials: one holds a line break or another control character");
	return 0;
}

static int check_logs(const struct target *t, struct err *e)
{
	struct log_rules *rules;
	const struct target_logs *l = &t->logs;
	int r = log_rules_new(l, &rules, e);
	if (r < 0)
		return r;
	log_rules_free(rules);
	bool word = false;
	for (size_t w = 0; w < LOG_WORDS; w++)
		word |= l->words[w].len > 0;
	bool told = l->files.len || l->connection || l->code || l->reason || l->level || l->time || l->node || l->pattern || l->address || l->initiator ||
		    word;
	if (told && !l->event)
		return err_set(e, EINVAL, "logs: where does a line say what happened? Tell `event`");
	if (l->event && !target_has_logs(t))
		return err_set(e, EINVAL, "logs: which files? Tell `files`, or the `log` of each node");
	return 0;
}

static bool is_http(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static int check_metrics(const struct target *t, struct err *e)
{
	const struct target_metrics *m = &t->metrics;
	const struct target_node *nodes = t->nodes.items;
	struct metrics_selector selector;
	struct arena scratch;
	struct err why;
	int r = 0;
	if (m->url && !is_http(m->url))
		return err_set(e, EINVAL, "metrics: url: expected an http:// or https:// URL");
	for (size_t i = 0; i < t->nodes.len; i++)
		if (nodes[i].metrics && !is_http(nodes[i].metrics))
			return err_set(e, EINVAL, "nodes: %s: metrics: expected an http:// or https:// URL", nodes[i].name);
	arena_init(&scratch, 1 << 20);
	for (size_t i = 0; r == 0 && i < TARGET_METRICS; i++)
		if (m->names[i] && metrics_selector_parse(m->names[i], &scratch, &selector, &why) < 0)
			r = err_set(e, EINVAL, "metrics: %s", why.text);
	for (size_t i = 0; r == 0 && i < m->also.len; i++)
		if (metrics_selector_parse(m->also.items[i].value, &scratch, &selector, &why) < 0)
			r = err_set(e, EINVAL, "metrics: also: %s", why.text);
	arena_fini(&scratch);
	return r;
}

/* What a name is that comes without labels. */
static int check_name(const char *key, const char *name, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:";
	if (!name || (*name && !name[strspn(name, letters)]))
		return 0;
	return err_set(e, EINVAL, "metrics: %s: expected a name alone, not '%.60s'", key, name);
}

static int check_poll(const struct target_poll *p, struct err *e)
{
	if (!p->first && !p->next && !p->since)
		return 0;
	if (!p->first || !p->next || !p->since)
		return err_set(e, EINVAL, "fallback: poll: `first`, `next` and `since` need each other");
	if (p->first[0] != '/' || p->next[0] != '/')
		return err_set(e, EINVAL, "fallback: poll: `first` and `next` are paths, which begin with a slash");
	if (!strstr(p->first, "{channel}") || !strstr(p->next, "{channel}") || !strstr(p->next, "{since}"))
		return err_set(e, EINVAL, "fallback: poll: `first` holds {channel}, `next` holds {channel} and {since}");
	if (p->messages[0] && p->messages[0] != '/')
		return err_set(e, EINVAL, "fallback: poll: messages: expected a JSON pointer, which begins with a slash");
	if (p->data[0] && p->data[0] != '/')
		return err_set(e, EINVAL, "fallback: poll: data: expected a JSON pointer, which begins with a slash");
	return 0;
}

static int check_codes(const struct opt_strings *codes, struct err *e)
{
	for (size_t i = 0; i < codes->len; i++) {
		const char *code = codes->items[i];
		if (strlen(code) != 4 || code[strspn(code, "0123456789")] || code[0] < '1' || code[0] > '4')
			return err_set(e, EINVAL, "restart: close_codes: expected codes from 1000 to 4999, not '%.40s'", code);
	}
	return 0;
}

int target_evidence_check(struct target *t, struct err *e)
{
	struct err why;
	int r = check_credentials(&t->credentials, e);
	if (r == 0)
		r = check_logs(t, e);
	if (r == 0)
		r = check_metrics(t, e);
	if (r == 0 && t->id_header && !handshake_is_token(span_str(t->id_header)))
		r = err_set(e, EINVAL, "id_header: expected the name of a header field");
	if (r == 0)
		r = check_name("closes", t->metrics.closes, e);
	if (r == 0)
		r = check_name("closes_label", t->metrics.closes_label, e);
	if (r == 0)
		r = check_name("latency", t->metrics.latency, e);
	if (r == 0)
		r = check_poll(&t->fallback.poll, e);
	if (r == 0)
		r = check_codes(&t->restart.close_codes, e);
	if (r == 0 && hours_parse(&t->guard.never_between, &t->guard.never, &why) < 0)
		r = err_set(e, EINVAL, "guard: never_between: %s", why.text);
	return r;
}

int target_evidence_resolve(struct target *t, struct arena *a)
{
	for (size_t i = 0; i < t->logs.files.len; i++) {
		const char **file = &t->logs.files.items[i];
		if (**file != '/')
			*file = arena_printf(a, "%s/%s", t->folder, *file);
		if (!*file)
			return -ENOMEM;
	}
	return 0;
}
