/*
 * Which of the names on a page of metrics is what: by what they are called, for nothing else is known. What is certain
 * is filled in, what may be is proposed in a comment, and what was not found is named there.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/glob.h"
#include "harness/init.h"
#include "harness/target/metrics_text.h"

enum { NAME_OCTETS = 128 };         /* of a name, of a label or of its value, with the NUL */

static const char *const keys[INIT_METRIC_KEYS] = {
#define KEY(key) [INIT_METRIC_##key] = #key,
	INIT_METRIC_LIST(KEY)
#undef KEY
};

static const struct usual {
	enum init_metric key;
	bool sure;
	const char *pattern;
} usual[] = {
#define USUAL(key, sure, pattern) {INIT_METRIC_##key, sure, pattern},
#include "harness/init_metrics.def"
#undef USUAL
};

/* Of the runtime or of a request, or a part of a histogram: none of them counts connections or octets that wait. */
static bool is_other(enum init_metric key, const char *name)
{
	static const char *const never[] = {"process_", "nodejs_", "go_", "python_", "http_request"};
	static const char *const of_gauges[] = {"_total", "_bucket", "_sum", "_count", "_created", "seconds", "messages"};
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (strstr(name, never[i]))
			return true;
	for (size_t i = 0; (key == INIT_METRIC_connections || key == INIT_METRIC_queue) && i < ARRAY_LEN(of_gauges); i++)
		if (strstr(name, of_gauges[i]))
			return true;
	bool octets = strstr(name, "bytes"), bound = strstr(name, "max") || strstr(name, "limit");
	return bound || (octets && key != INIT_METRIC_queue);
}

static void add(struct init *in, enum init_metric key, bool sure, const char *selector)
{
	struct init_names *n = &in->found.metrics[key];
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->names[i], selector) == 0) {
			n->sure[i] |= sure;
			return;
		}
	if (n->n < INIT_NAMES_MAX) {
		n->sure[n->n] = sure;
		n->names[n->n++] = arena_strdup(&in->arena, selector);
	}
}

/* What the target file is to say: the name, with its label where that is what makes it the right one. */
static const char *selector_of(struct init *in, enum init_metric key, const char *name, const char *label,
			       const char *value)
{
	if (key == INIT_METRIC_latency)
		return arena_printf(&in->arena, "%.*s", (int)(strlen(name) - strlen("_count")), name);
	if (key == INIT_METRIC_closes || !label[0])
		return name;
	return arena_printf(&in->arena, "%s{%s=\"%s\"}", name, label, value);
}

static void try_all(struct init *in, const char *name, const char *label, const char *value)
{
	char text[3 * NAME_OCTETS];
	bool known[INIT_METRIC_KEYS] = {false};
	snprintf(text, sizeof(text), label[0] ? "%s=%s=%s" : "%s", name, label, value);
	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		const struct usual *u = &usual[i];
		struct metrics_selector parsed;
		if (known[u->key] || is_other(u->key, name) || (strchr(u->pattern, '=') != NULL) != (label[0] != 0) ||
		    !glob_match(u->pattern, text))
			continue;
		const char *selector = selector_of(in, u->key, name, label, value);
		known[u->key] = true;
		if (selector && metrics_selector_parse(selector, &in->arena, &parsed, NULL) == 0)
			add(in, u->key, u->sure, selector);
	}
}

/* The text of it; false: too long, or with a character that would have to be escaped or matches as a pattern does. */
static bool plain(struct span s, char *text)
{
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("_:. -/", s.p[i]) && !isalnum(s.p[i]))
			return false;
	return snprintf(text, NAME_OCTETS, "%.*s", (int)s.len, (const char *)s.p) < NAME_OCTETS;
}

void init_metrics_read(struct init *in, struct span page)
{
	struct metrics_sample s;
	char name[NAME_OCTETS], label[NAME_OCTETS], value[NAME_OCTETS];
	for (size_t at = 0; metrics_text_next(page, &at, &s, NULL);) {
		if (!plain(s.name, name))
			continue;
		try_all(in, name, "", "");
		for (size_t i = 0; i < s.n; i++)
			if (plain(s.labels[i].name, label) && plain(s.labels[i].value, value))
				try_all(in, name, label, value);
	}
}

void init_metrics_write(struct init *in, struct buf *b)
{
	const char *none = "";
	for (enum init_metric key = 0; key < INIT_METRIC_KEYS; key++) {
		const struct init_names *n = &in->found.metrics[key];
		size_t chosen = 0;
		while (chosen < n->n && !n->sure[chosen])
			chosen++;
		bool sure = chosen < n->n, guess = !sure && n->n && key == INIT_METRIC_connections;
		if (sure || guess)
			buf_printf(b, "  %s: %s%s\n", keys[key], init_quoted(in, n->names[sure ? chosen : 0]),
				   sure ? "" : "   # to judge by its name");
		for (size_t i = 0; i < n->n; i++)
			if (i != chosen && !(guess && i == 0))
				buf_printf(b, "  # %s%s: %s   # by its name\n", sure || guess ? "or " : "", keys[key],
					   init_quoted(in, n->names[i]));
		if (!n->n)
			none = arena_printf(&in->arena, "%s%s%s", none, none[0] ? ", " : "", keys[key]);
	}
	if (none && none[0])
		buf_printf(b, "  # No name looked like these, which docs/target-file.md explains: %s\n", none);
}
