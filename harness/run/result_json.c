/*
 * A result as JSON and as the lines of a history. The members' names are written here once for writing and in
 * result_load.c once for reading; the test of the round trip holds the two together.
 */
#include <math.h>
#include <stdio.h>

#include "harness/base/json.h"
#include "harness/run/result_charts.h"

/* NULL is left out. */
static void put_text(json_t *o, int *r, const char *key, const char *text)
{
	if (text)
		json_put(o, r, key, json_text(span_str(text)));
}

static json_t *milliseconds(double ms)
{
	double rounded = isfinite(ms) && ms > 0 && ms < 1e15 ? round(ms * 1000) / 1000 : 0;
	return rounded == floor(rounded) ? json_integer((json_int_t)rounded) : json_real(rounded);
}

static json_t *texts(const char *const *list)
{
	json_t *array = json_array();
	int r = 0;
	for (; list && *list; list++)
		json_add(array, &r, json_text(span_str(*list)));
	return json_finish(array, r);
}

/* What the case row says, before anything has run. */
static void put_identity(json_t *o, int *r, const struct result_item *item)
{
	put_text(o, r, "id", item->id);
	put_text(o, r, "title", item->title);
	put_text(o, r, "kind", item->kind);
	put_text(o, r, "suite", item->suite);
	put_text(o, r, "group", item->group);
	put_text(o, r, "level", item->level);
	put_text(o, r, "rfc", item->rfc);
}

static void put_item(json_t *o, int *r, const struct result_item *item)
{
	put_identity(o, r, item);
	json_put(o, r, "verdict", json_string(verdict_name(item->verdict)));
	json_put(o, r, "expected", json_boolean(item->expected));
	put_text(o, r, "known", item->known);
	if (item->stale)
		json_put(o, r, "stale", json_true());
	json_put(o, r, "requirements", texts(item->requirements));
	json_put(o, r, "autobahn", texts(item->autobahn));
	put_text(o, r, "seen", item->seen);
	put_text(o, r, "required", item->required);
	put_text(o, r, "note", item->note);
	put_text(o, r, "explain", item->explain);
	put_text(o, r, "fix", item->fix);
	put_text(o, r, "evidence", item->evidence);
	put_text(o, r, "replay", item->replay);
	if (item->cases && *item->cases)
		json_put(o, r, "cases", texts(item->cases));
	json_put(o, r, "duration_ms", milliseconds(item->duration_ms));
	if (item->n_charts)
		json_put(o, r, "charts", result_charts_to_json(item));
}

json_t *result_item_to_json(const struct result_item *item)
{
	int r = 0;
	json_t *o = json_object();
	put_item(o, &r, item);
	return json_finish(o, r);
}

static json_t *seed_to_json(uint64_t seed)
{
	char digits[24];
	if (seed < 1ull << 53)
		return json_integer((json_int_t)seed);
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)seed);
	return json_string(digits);
}

/* What result.json and the plan begin with. */
static void put_head(json_t *o, int *r, const struct result *result)
{
	put_text(o, r, "tool", result->tool);
	json_put(o, r, "seed", seed_to_json(result->seed));
	json_t *target = json_object();
	put_text(target, r, "name", result->target_name);
	put_text(target, r, "url", result->target_url);
	put_text(target, r, "server", result->target_server);
	json_put(o, r, "target", target);
	put_text(o, r, "started", result->started);
	put_text(o, r, "command", result->command);
}

static json_t *grade_to_json(const struct result *result)
{
	if (!result->grade)
		return json_null();
	int r = 0;
	json_t *o = json_object();
	json_put(o, &r, "letter", json_stringn(&result->grade, 1));
	json_put(o, &r, "score", json_integer(result->score));
	json_t *caps = json_array();
	for (size_t i = 0; i < result->n_caps; i++)
		json_add(caps, &r, json_pack("{s:s,s:s}", "letter", result->caps[i].letter, "why", result->caps[i].why));
	json_put(o, &r, "caps", caps);
	return json_finish(o, r);
}

static json_t *counts_to_json(const struct result *result)
{
	int r = 0;
	json_t *o = json_object();
	for (int v = 0; v < VERDICT_COUNT; v++)
		json_put(o, &r, verdict_name(v), json_integer(result->counts[v]));
	json_put(o, &r, "expected", json_integer(result->expected));
	json_put(o, &r, "stale", json_integer(result->stale));
	return json_finish(o, r);
}

static json_t *items_to_json(const struct result *result)
{
	json_t *array = json_array();
	int r = 0;
	for (size_t i = 0; i < result->n_items; i++)
		json_add(array, &r, result_item_to_json(&result->items[i]));
	return json_finish(array, r);
}

json_t *result_to_json(const struct result *result)
{
	int r = 0;
	json_t *o = json_object();
	json_put(o, &r, "schema", json_string(RESULT_SCHEMA));
	put_head(o, &r, result);
	json_put(o, &r, "duration_ms", milliseconds(result->duration_ms));
	put_text(o, &r, "verdict", result->verdict);
	put_text(o, &r, "why", result->why);
	json_put(o, &r, "strict", json_boolean(result->strict));
	json_put(o, &r, "exit", json_integer(result->exit_code));
	put_text(o, &r, "abort_reason", result->abort_reason);
	json_put(o, &r, "grade", grade_to_json(result));
	json_put(o, &r, "counts", counts_to_json(result));
	json_put(o, &r, "notes", texts(result->notes));
	json_put(o, &r, "results", items_to_json(result));
	return json_finish(o, r);
}

/* --- history --- */

static json_t *event_new(const char *name, int *r)
{
	json_t *o = json_object();
	json_put(o, r, "event", json_string(name));
	return o;
}

json_t *result_plan_event(const struct result *result, bool strict, const char *fail_on)
{
	int r = 0;
	json_t *o = event_new("plan", &r);
	json_put(o, &r, "schema", json_string(HISTORY_SCHEMA));
	put_head(o, &r, result);
	json_put(o, &r, "strict", json_boolean(strict));
	put_text(o, &r, "fail_on", fail_on);
	json_t *cases = json_array();
	for (size_t i = 0; i < result->n_items; i++) {
		json_t *item = json_object();
		put_identity(item, &r, &result->items[i]);
		json_add(cases, &r, item);
	}
	json_put(o, &r, "cases", cases);
	return json_finish(o, r);
}

json_t *result_item_event(const struct result_item *item)
{
	int r = 0;
	json_t *o = event_new("result", &r);
	put_item(o, &r, item);
	return json_finish(o, r);
}

json_t *result_end_event(const struct result *result)
{
	int r = 0;
	json_t *o = event_new("end", &r);
	json_put(o, &r, "duration_ms", milliseconds(result->duration_ms));
	put_text(o, &r, "abort_reason", result->abort_reason);
	json_put(o, &r, "notes", texts(result->notes));
	return json_finish(o, r);
}
