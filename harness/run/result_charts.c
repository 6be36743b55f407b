/* [{"title": "Close codes", "values": ["seen", "logged"], "bars": [["1000", 3, 3], ["1006", 2, 0]]}, ...] */
#include "harness/run/result_charts.h"

#include "harness/base/json.h"

/* Writing -------------------------------------------------------------------------------------------------------- */

static json_t *bar_to_json(const struct result_chart *c, const struct result_bar *b)
{
	json_t *array = json_array();
	int r = 0;
	json_add(array, &r, json_text(span_str(b->label)));
	json_add(array, &r, json_integer((json_int_t)b->n));
	if (c->m_name)
		json_add(array, &r, json_integer((json_int_t)b->m));
	return json_finish(array, r);
}

static json_t *chart_to_json(const struct result_chart *c)
{
	json_t *o = json_object(), *values = json_array(), *bars = json_array();
	int r = 0;
	json_add(values, &r, json_text(span_str(c->n_name)));
	if (c->m_name)
		json_add(values, &r, json_text(span_str(c->m_name)));
	for (size_t i = 0; i < c->n_bars; i++)
		json_add(bars, &r, bar_to_json(c, &c->bars[i]));
	json_put(o, &r, "title", json_text(span_str(c->title)));
	json_put(o, &r, "values", values);
	json_put(o, &r, "bars", bars);
	return json_finish(o, r);
}

json_t *result_charts_to_json(const struct result_item *item)
{
	json_t *array = json_array();
	int r = 0;
	for (size_t i = 0; i < item->n_charts; i++)
		json_add(array, &r, chart_to_json(&item->charts[i]));
	return json_finish(array, r);
}

/* Reading -------------------------------------------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	const char *key, *what;
};

static int wrong(struct reader *rd, const char *key, const char *what)
{
	rd->key = key;
	rd->what = what;
	return -EINVAL;
}

static int read_text(struct reader *rd, const json_t *value, const char *key, const char **ret)
{
	if (!json_is_string(value))
		return wrong(rd, key, "is missing, or no string");
	*ret = arena_strdup(rd->arena, json_string_value(value));
	return *ret ? 0 : -ENOMEM;
}

/* The numbers of a bar, as many as the chart has values. */
static int read_bar(struct reader *rd, const json_t *o, size_t values, struct result_bar *ret)
{
	uint64_t n[2] = {0};
	if (!json_is_array(o) || json_array_size(o) != 1 + values)
		return wrong(rd, "bars", "holds something that is no bar");
	for (size_t i = 0; i < values; i++) {
		const json_t *value = json_array_get(o, 1 + i);
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return wrong(rd, "bars", "holds something that is no bar");
		n[i] = (uint64_t)json_integer_value(value);
	}
	ret->n = n[0];
	ret->m = n[1];
	return read_text(rd, json_array_get(o, 0), "bars", &ret->label);
}

static int read_bars(struct reader *rd, const json_t *array, size_t values, struct result_chart *ret)
{
	size_t n = json_array_size(array);
	if (!json_is_array(array) || n > RESULT_BARS_MAX)
		return wrong(rd, "bars", "is not a list, or a very long one");
	struct result_bar *bars = arena_alloc(rd->arena, (n + 1) * sizeof(*bars));
	int r = bars ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_bar(rd, json_array_get(array, i), values, &bars[i]);
	ret->bars = bars;
	ret->n_bars = n;
	return r;
}

static int read_chart(struct reader *rd, const json_t *o, struct result_chart *ret)
{
	const json_t *values = json_object_get(o, "values");
	size_t n = json_array_size(values);
	int r = read_text(rd, json_object_get(o, "title"), "title", &ret->title);
	if (r == 0 && (n < 1 || n > 2))
		r = wrong(rd, "values", "is not a list of one or two");
	if (r == 0)
		r = read_text(rd, json_array_get(values, 0), "values", &ret->n_name);
	if (r == 0 && n > 1)
		r = read_text(rd, json_array_get(values, 1), "values", &ret->m_name);
	return r < 0 ? r : read_bars(rd, json_object_get(o, "bars"), n, ret);
}

int result_charts_load(const json_t *array, struct arena *a, struct result_item *item, const char **ret_key,
		       const char **ret_what)
{
	struct reader rd = {.arena = a, .key = "charts", .what = ""};
	size_t n = json_array_size(array);
	int r = 0;
	if (!array)
		return 0;
	if (!json_is_array(array) || n > RESULT_CHARTS_MAX)
		r = wrong(&rd, "charts", "is not a list, or a very long one");
	struct result_chart *charts = r < 0 ? NULL : arena_alloc(a, (n + 1) * sizeof(*charts));
	if (r == 0 && !charts)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		charts[i] = (struct result_chart){0};
		r = read_chart(&rd, json_array_get(array, i), &charts[i]);
	}
	*ret_key = rd.key;
	*ret_what = rd.what;
	item->charts = r == 0 ? charts : NULL;
	item->n_charts = r == 0 ? n : 0;
	return r;
}
