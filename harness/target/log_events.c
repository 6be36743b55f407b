/* Where lines of a file become events that checkers join with what the clients saw. */
#include "harness/target/log_events.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/target/log_tail.h"
#include "harness/target/secrets.h"

struct log_events {
	struct log_events_options o;
	struct log_rules *rules;
	struct log_tail *tail;
	uint32_t nodes[LOG_TAIL_FILES_MAX]; /* whose log each file is; 0: nobody's alone */
	size_t n;
	struct arena arena;
	struct secrets secrets;    /* of the target file: not to be shown */
	uint64_t others;
	struct log_events_state state;
};

static uint32_t node_by_name(const struct target *t, const char *name)
{
	const struct target_node *nodes = t->nodes.items;
	for (size_t i = 0; *name && i < t->nodes.len; i++)
		if (strcmp(nodes[i].name, name) == 0)
			return (uint32_t)i + 1;
	return 0;
}

/* The line as a report may show it, in *shown. */
static const char *show(const struct log_events *l, struct span line, struct buf *shown)
{
	uint8_t text[LOG_EVENTS_SHOWN_MAX];
	size_t len = line.len < sizeof(text) ? line.len : sizeof(text);
	memcpy(text, line.p, len);
	secrets_hide(&l->secrets, text, len, len < line.len);
	buf_init(shown, LOG_EVENTS_SHOWN_MAX * 4 + 64);
	escape_text_max(shown, span_of(text, len), LOG_EVENTS_SHOWN_MAX);
	if (len < line.len)
		buf_printf(shown, "... (%zu more octets)", line.len - len);
	return buf_cstr(shown);
}

static void add_shown(struct log_events *l, struct event *e, struct span line)
{
	struct buf shown CLEANUP(buf_fini) = {0};
	e->note = show(l, line, &shown);
	history_add(l->o.history, e);
}

static void on_bad(struct log_events *l, struct event *e, struct span line)
{
	if (++l->state.bad > LOG_EVENTS_BAD_MAX) {
		l->state.untold++;
		return;
	}
	e->type = EVENT_FAIL;
	add_shown(l, e, line);
}

static enum end_by by_of(const char *initiator)
{
	for (int by = END_BY_CLIENT; by <= END_BY_NETWORK; by++)
		if (strcmp(initiator, end_by_name((enum end_by)by)) == 0)
			return (enum end_by)by;
	return END_BY_NOBODY;
}

static void on_line(void *owner, size_t file, struct span line, bool cut)
{
	struct log_events *l = owner;
	struct event e = {.kind = EVENT_LOG, .type = EVENT_OK, .at_us = l->o.now_us(l->o.owner), .node = l->nodes[file]};
	struct log_entry entry;
	if (line.len == 0)
		return;
	l->state.lines++;
	if (cut || !log_line_parse(l->rules, line, &entry))
		return on_bad(l, &e, line);
	l->state.words[entry.word]++;
	l->state.joined += entry.connection[0] != 0;
	if (entry.word == LOG_WORD_OTHER && ++l->others > LOG_EVENTS_OTHER_MAX) {
		l->state.untold++;
		return;
	}
	uint32_t node = node_by_name(l->o.target, entry.node);
	e.node = node ? node : e.node;
	e.id = entry.connection[0] ? entry.connection : NULL;
	e.code = entry.code;
	e.by = by_of(entry.initiator);
	e.value = entry.time_s > 0 ? entry.time_s - l->o.start_s : 0;
	if (!entry.event[0])
		return add_shown(l, &e, line);
	e.text = entry.word ? log_word_name(entry.word) : entry.event;
	e.note = entry.reason[0] ? entry.reason : NULL;
	struct buf shown CLEANUP(buf_fini) = {0};
	e.line = show(l, line, &shown);
	history_add(l->o.history, &e);
}

/* The files, each once, and whose they are. */
static int find_files(struct log_events *l, const char **paths, struct err *e)
{
	const struct target *t = l->o.target;
	const struct target_node *nodes = t->nodes.items;
	bool told = t->logs.files.len > 0;
	size_t all = told ? t->logs.files.len : t->nodes.len, n = 0;
	for (size_t i = 0; i < all; i++) {
		const char *path = told ? t->logs.files.items[i] : nodes[i].log;
		size_t at = 0;
		while (path && at < n && strcmp(paths[at], path) != 0)
			at++;
		if (!path)
			continue;
		if (at == LOG_TAIL_FILES_MAX)
			return err_set(e, E2BIG, "more than %d logs", LOG_TAIL_FILES_MAX);
		if (at == n)
			paths[n++] = path;
	}
	l->n = n;
	for (size_t i = 0; i < n; i++) {
		uint32_t writers = 0;
		for (size_t k = 0; k < t->nodes.len; k++)
			if (nodes[k].log && strcmp(nodes[k].log, paths[i]) == 0) {
				l->nodes[i] = (uint32_t)k + 1;
				writers++;
			}
		if (writers > 1) /* only the lines can tell */
			l->nodes[i] = 0;
	}
	return 0;
}

int log_events_new(const struct log_events_options *o, struct log_events **ret, struct err *e)
{
	static const struct log_tail_events events = {.on_line = on_line};
	const char *paths[LOG_TAIL_FILES_MAX];
	struct log_events *l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(e, ENOMEM, "no memory for logs");
	l->o = *o;
	arena_init(&l->arena, LOG_EVENTS_SECRETS_MAX);
	int r = secrets_of(o->target, &l->arena, &l->secrets);
	if (r < 0)
		err_set(e, ENOMEM, "no memory for logs");
	if (r == 0)
		r = find_files(l, paths, e);
	if (r == 0)
		r = log_rules_new(&o->target->logs, &l->rules, e);
	if (r == 0)
		r = log_tail_new(o->loop, paths, l->n, &events, l, &l->tail, e);
	if (r < 0)
		log_events_free(l);
	else
		*ret = l;
	return r;
}

void log_events_free(struct log_events *l)
{
	if (!l)
		return;
	log_tail_free(l->tail);
	log_rules_free(l->rules);
	arena_fini(&l->arena);
	free(l);
}

void log_events_catch_up(struct log_events *l)
{
	log_tail_catch_up(l->tail);
}

void log_events_finish(struct log_events *l)
{
	log_tail_finish(l->tail);
}

void log_events_state(const struct log_events *l, struct log_events_state *ret)
{
	*ret = l->state;
}
