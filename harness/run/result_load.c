/*
 * Reads back what result_json.c writes. The file may be anybody's: every member is checked for its type, numbers for
 * their range, and one clear sentence says what is wrong. A history of a killed run is completed from its plan, so that
 * no case is ever missing silently.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/file.h"
#include "harness/run/result_charts.h"

struct loader {
	struct arena *arena;
	struct err *err;
	const char *path;
	char where[64];            /* "results[3]", "line 7", "" for the top */
	int r;                     /* first failure; everything after it does nothing */
};

static void fail(struct loader *l, const char *key, const char *what)
{
	if (l->r == 0)
		l->r = err_set(l->err, EINVAL, "%s: %s%s`%s` %s", l->path, l->where, *l->where ? ": " : "", key, what);
}

static void *keep(struct loader *l, void *p)
{
	if (!p && l->r == 0)
		l->r = err_set(l->err, ENOMEM, "%s: the result is too large to load", l->path);
	return p;
}

/* NULL when it is missing or null. */
static const char *text(struct loader *l, const json_t *o, const char *key)
{
	json_t *value = json_object_get(o, key);
	if (l->r < 0 || !value || json_is_null(value))
		return NULL;
	if (!json_is_string(value)) {
		fail(l, key, "is not a string");
		return NULL;
	}
	return keep(l, arena_strdup(l->arena, json_string_value(value)));
}

static const char *text_or(struct loader *l, const json_t *o, const char *key, const char *otherwise)
{
	const char *value = text(l, o, key);
	return value ? value : otherwise;
}

static const char *text_required(struct loader *l, const json_t *o, const char *key)
{
	const char *value = text(l, o, key);
	if (!value)
		fail(l, key, "is missing");
	return value ? value : "";
}

static bool flag(struct loader *l, const json_t *o, const char *key)
{
	json_t *value = json_object_get(o, key);
	if (value && !json_is_boolean(value))
		fail(l, key, "is neither true nor false");
	return json_is_true(value);
}

static double number(struct loader *l, const json_t *o, const char *key, double max)
{
	json_t *value = json_object_get(o, key);
	if (!value)
		return 0;
	double n = json_number_value(value);
	if (!json_is_number(value) || !(n >= 0 && n <= max)) {
		fail(l, key, "is not a number in its range");
		return 0;
	}
	return n;
}

static uint64_t seed(struct loader *l, const json_t *o)
{
	json_t *value = json_object_get(o, "seed");
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		return (uint64_t)json_integer_value(value);
	const char *digits = json_string_value(value);
	char *end = NULL;
	errno = 0;
	uint64_t n = digits && *digits >= '0' && *digits <= '9' ? strtoull(digits, &end, 10) : 0;
	if (value && (!end || *end || errno))
		fail(l, "seed", "is not a number in its range");
	return n;
}

static const char *const *texts(struct loader *l, const json_t *o, const char *key)
{
	static const char *const none[] = {NULL};
	json_t *array = json_object_get(o, key), *value;
	size_t i;
	if (!array)
		return none;
	const char **list = keep(l, arena_alloc(l->arena, (json_array_size(array) + 1) * sizeof(*list)));
	if (!json_is_array(array))
		fail(l, key, "is not a list");
	if (l->r < 0)
		return none;
	json_array_foreach(array, i, value) {
		if (!json_is_string(value)) {
			fail(l, key, "holds something that is not a string");
			return none;
		}
		list[i] = keep(l, arena_strdup(l->arena, json_string_value(value)));
	}
	return list;
}

static const char *choice(struct loader *l, const json_t *o, const char *key, const char *const *words,
			  const char *otherwise)
{
	const char *value = text(l, o, key);
	if (!value)
		return otherwise;
	for (; *words; words++)
		if (strcmp(*words, value) == 0)
			return *words;
	fail(l, key, "is not one of its words");
	return otherwise;
}

/* "ping" of "ping/payload-126", for files that do not say it. */
static const char *group_of(struct loader *l, const char *id)
{
	const char *group = keep(l, arena_printf(l->arena, "%.*s", (int)strcspn(id, "/"), id));
	return group ? group : "";
}

static void load_identity(struct loader *l, const json_t *o, struct result_item *item)
{
	static const char *const levels[] = {"MUST", "SHOULD", "INFO", NULL};
	static const char *const kinds[] = {"case", "check", "scenario", NULL};
	static const char *const none[] = {NULL};
	item->id = text_required(l, o, "id");
	item->title = text_or(l, o, "title", item->id);
	item->kind = choice(l, o, "kind", kinds, "case");
	item->suite = text_or(l, o, "suite", "conformance");
	item->group = text(l, o, "group");
	if (!item->group)
		item->group = group_of(l, item->id);
	item->level = choice(l, o, "level", levels, "MUST");
	item->rfc = text(l, o, "rfc");
	item->requirements = item->autobahn = none;
	item->seen = item->required = "";
}

static void load_charts(struct loader *l, const json_t *o, struct result_item *item)
{
	const char *key, *what;
	int r = l->r < 0 ? 0 : result_charts_load(json_object_get(o, "charts"), l->arena, item, &key, &what);
	if (r == -EINVAL)
		fail(l, key, what);
	else if (r < 0)
		keep(l, NULL);
}

static void load_item(struct loader *l, const json_t *o, struct result_item *item)
{
	load_identity(l, o, item);
	const char *verdict = text_required(l, o, "verdict");
	int v = l->r < 0 ? 0 : verdict_parse(verdict);
	if (v < 0)
		fail(l, "verdict", "is not a verdict");
	else
		item->verdict = (enum verdict)v;
	item->expected = flag(l, o, "expected");
	item->known = text(l, o, "known");
	item->stale = flag(l, o, "stale");
	item->requirements = texts(l, o, "requirements");
	item->autobahn = texts(l, o, "autobahn");
	item->cases = json_object_get(o, "cases") ? texts(l, o, "cases") : NULL;
	item->seen = text_or(l, o, "seen", "");
	item->required = text_or(l, o, "required", "");
	item->note = text(l, o, "note");
	item->explain = text(l, o, "explain");
	item->fix = text(l, o, "fix");
	item->evidence = text(l, o, "evidence");
	item->replay = text(l, o, "replay");
	item->duration_ms = number(l, o, "duration_ms", 1e15);
	load_charts(l, o, item);
}

static void load_head(struct loader *l, const json_t *o, struct result *r)
{
	r->tool = text_or(l, o, "tool", "");
	r->seed = seed(l, o);
	json_t *target = json_object_get(o, "target");
	if (!json_is_object(target))
		fail(l, "target", "is missing");
	r->target_url = text_or(l, target, "url", "");
	r->target_name = text_or(l, target, "name", r->target_url);
	r->target_server = text(l, target, "server");
	r->started = text_or(l, o, "started", "");
	r->command = text_or(l, o, "command", "");
}

static void load_grade(struct loader *l, const json_t *o, struct result *r)
{
	static const char *const letters[] = {"A", "B", "C", "D", "E", "F", NULL};
	json_t *grade = json_object_get(o, "grade"), *caps = json_object_get(grade, "caps"), *cap;
	size_t i;
	if (!json_is_object(grade))
		return;
	r->grade = choice(l, grade, "letter", letters, "F")[0];
	r->score = (int)number(l, grade, "score", 100);
	json_array_foreach(caps, i, cap) {
		if (r->n_caps == RESULT_CAPS_MAX)
			break;
		r->caps[r->n_caps++] =
			(struct result_cap){choice(l, cap, "letter", letters, "F"), text_required(l, cap, "why")};
	}
}

static void load_result(struct loader *l, const json_t *o, struct result *r)
{
	static const char *const verdicts[] = {"pass", "fail", "inconclusive", "aborted", NULL};
	json_t *items = json_object_get(o, "results"), *item;
	size_t i;
	load_head(l, o, r);
	r->duration_ms = number(l, o, "duration_ms", 1e15);
	r->verdict = choice(l, o, "verdict", verdicts, NULL);
	if (!r->verdict)
		fail(l, "verdict", "is missing");
	r->why = text(l, o, "why");
	r->strict = flag(l, o, "strict");
	r->exit_code = (int)number(l, o, "exit", 255);
	r->abort_reason = text(l, o, "abort_reason");
	load_grade(l, o, r);
	r->notes = texts(l, o, "notes");
	if (!json_is_array(items))
		fail(l, "results", "is not a list");
	r->items = l->r < 0 ? NULL : keep(l, arena_alloc(l->arena, (json_array_size(items) + 1) * sizeof(*r->items)));
	json_array_foreach(items, i, item) {
		if (l->r < 0)
			return;
		snprintf(l->where, sizeof(l->where), "results[%zu]", i);
		load_item(l, item, &r->items[r->n_items++]);
		r->counts[r->items[i].verdict]++;
		r->expected += r->items[i].expected;
		r->stale += r->items[i].stale;
	}
}

/* --- history --- */

struct history {
	json_t *plan, *end;
	/* id -> its event, or its row of the plan as long as there is none; planned ones first, in their order */
	json_t *results;
	unsigned line;
};

static void take_event(struct loader *l, struct history *h, json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "event"));
	const char *id = json_string_value(json_object_get(event, "id"));
	if (!name)
		fail(l, "event", "is missing");
	else if (strcmp(name, "result") == 0 && !id)
		fail(l, "id", "is missing");
	else if (strcmp(name, "result") == 0)
		json_object_set(h->results, id, event);
	else if (strcmp(name, "end") == 0 && !h->end)
		h->end = json_incref(event);
	/* Other events are somebody else's (frames, faults, log lines). */
}

static json_t *id_only(const char *id)
{
	return json_pack("{s:s}", "id", id);
}

static void take_plan(struct loader *l, struct history *h)
{
	json_t *cases = json_object_get(h->plan, "cases"), *planned;
	size_t i;
	const char *schema = json_string_value(json_object_get(h->plan, "schema"));
	if (!schema || strcmp(schema, HISTORY_SCHEMA) != 0)
		fail(l, "schema", "is not " HISTORY_SCHEMA);
	if (!json_is_array(cases))
		fail(l, "cases", "is not a list");
	json_array_foreach(cases, i, planned) {
		bool row = json_is_object(planned);
		const char *id = json_string_value(row ? json_object_get(planned, "id") : planned);
		if (!id)
			fail(l, "cases", "holds something that has no id");
		else
			json_object_set_new(h->results, id, row ? json_incref(planned) : id_only(id));
	}
}

/* Every line after the plan. The last one may be cut. */
static void read_events(struct loader *l, struct history *h, struct span rest)
{
	while (rest.len && l->r == 0) {
		const uint8_t *nl = memchr(rest.p, '\n', rest.len);
		size_t len = nl ? (size_t)(nl - rest.p) : rest.len;
		struct span line = span_trim(span_sub(rest, 0, len));
		rest = span_sub(rest, len + 1, rest.len);
		snprintf(l->where, sizeof(l->where), "line %u", ++h->line);
		json_t *event = line.len ? json_loadb((const char *)line.p, line.len, 0, NULL) : NULL;
		if (event)
			take_event(l, h, event);
		else if (line.len && rest.len)
			l->r = err_set(l->err, EINVAL, "%s: %s is not JSON", l->path, l->where);
		json_decref(event);
	}
}

static void load_missing(struct loader *l, const json_t *planned, struct result_item *item)
{
	load_identity(l, planned, item);
	item->verdict = VERDICT_ERROR;
	item->seen = "no result: the run ended before this case was decided";
}

static void load_history(struct loader *l, const struct history *h, struct result *r)
{
	const char *id;
	json_t *event;
	unsigned missing = 0;
	static const char cut_short[] = "The run was cut short: %u of %zu cases have no result";
	*l->where = 0;
	load_head(l, h->plan, r);
	r->duration_ms = number(l, h->end, "duration_ms", 1e15);
	r->abort_reason = text(l, h->end, "abort_reason");
	r->items = keep(l, arena_alloc(l->arena, (json_object_size(h->results) + 1) * sizeof(*r->items)));
	json_object_foreach(h->results, id, event) {
		if (l->r < 0)
			return;
		snprintf(l->where, sizeof(l->where), "%.60s", id);
		if (!json_object_get(event, "event")) {
			load_missing(l, event, &r->items[r->n_items++]);
			missing++;
		} else {
			load_item(l, event, &r->items[r->n_items++]);
		}
	}
	r->notes = texts(l, h->end, "notes");
	if (!h->end && l->r == 0) {
		const char **notes = keep(l, arena_alloc(l->arena, 2 * sizeof(*notes)));
		if (notes)
			notes[0] = keep(l, arena_printf(l->arena, cut_short, missing, r->n_items));
		r->notes = notes;
	}
	bool strict = flag(l, h->plan, "strict");
	const char *fail_on = text(l, h->plan, "fail_on");
	if (l->r == 0)
		result_grade(r, strict, fail_on);
}

/* --- which of the two --- */

static void parse_history(struct loader *l, json_t *plan, struct span rest, struct result *r)
{
	struct history h = {.plan = plan, .results = json_object(), .line = 1};
	take_plan(l, &h);
	read_events(l, &h, rest);
	if (l->r == 0)
		load_history(l, &h, r);
	json_decref(h.results);
	json_decref(h.end);
}

static void parse(struct loader *l, struct span content, struct result *r)
{
	const uint8_t *nl = content.len ? memchr(content.p, '\n', content.len) : NULL;
	size_t first = nl ? (size_t)(nl - content.p) : content.len;
	json_error_t error;
	json_t *o = json_loadb((const char *)content.p, first, 0, &error);
	const char *event = json_string_value(json_object_get(o, "event"));
	if (event && strcmp(event, "plan") == 0) {
		parse_history(l, o, span_sub(content, first + 1, content.len), r);
		json_decref(o);
		return;
	}
	json_decref(o);
	o = json_loadb((const char *)content.p, content.len, 0, &error);
	const char *schema = json_string_value(json_object_get(o, "schema"));
	if (!o)
		l->r = err_set(l->err, EINVAL, "%s: line %d: is not JSON: %s", l->path, error.line, error.text);
	else if (!schema || strcmp(schema, RESULT_SCHEMA) != 0)
		l->r = err_set(l->err, EINVAL, "%s: is neither a " RESULT_SCHEMA " nor a " HISTORY_SCHEMA, l->path);
	else
		load_result(l, o, r);
	json_decref(o);
}

int result_load(const char *path, struct arena *a, struct result *ret_result, struct err *e)
{
	struct loader l = {.arena = a, .err = e, .path = path};
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		l.path = arena_printf(a, "%s/result.json", path);
		if (l.path && stat(l.path, &st) < 0)
			l.path = arena_printf(a, "%s/history.jsonl", path);
		if (!l.path)
			return err_set(e, ENOMEM, "%s: the name is too long", path);
	}
	struct buf content CLEANUP(buf_fini) = {0};
	int r = file_read(l.path, RESULT_FILE_MAX, &content, e);
	if (r < 0)
		return r;
	struct result result = {0};
	parse(&l, buf_span(&content), &result);
	if (l.r == 0)
		*ret_result = result;
	return l.r;
}
