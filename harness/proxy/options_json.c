/*
 * Every value goes through opt_set() as the text that a user would have written, so that bounds and sentences are those
 * of files and command lines.
 */
#include "harness/proxy/options_json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/unit.h"

enum { TEXT_MAX = 4096, DEFAULTS_MAX = 64 << 10 };
#define WHOLE_MAX 9.0e15 /* up to here a double holds whole numbers exactly */

/* Reading ---------------------------------------------------------------------------------------------------------- */

static int refuse(const struct opt *o, struct err *e, const char *instead)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, TEXT_MAX);
	opt_expected(o, &b);
	return err_set(e, EINVAL, "expected %s, not %s", buf_cstr(&b), instead);
}

static const char *kind(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list", [JSON_STRING] = "text", [JSON_INTEGER] = "a number",
		[JSON_REAL] = "a number", [JSON_TRUE] = "true", [JSON_FALSE] = "false", [JSON_NULL] = "null",
	};
	return names[json_typeof(value)];
}

/* The number times `bare` as a whole one. false: it is none, or beyond what can be counted. */
static bool to_whole(const json_t *value, int64_t bare, int64_t *ret)
{
	if (json_is_integer(value))
		return !__builtin_mul_overflow((int64_t)json_integer_value(value), bare, ret);
	double product = json_real_value(value) * (double)bare, whole = nearbyint(product);
	if (!(fabs(product) <= WHOLE_MAX) || fabs(product - whole) > 1e-12 * fabs(product))
		return false;
	*ret = (int64_t)whole;
	return true;
}

static int print_unit(const struct opt *o, uint64_t value, struct buf *b)
{
	if (o->type == OPT_SIZE)
		return unit_size_print(b, value);
	return o->type == OPT_MICROS ? unit_micros_print(b, value) : unit_duration_print(b, value);
}

static int set_number(const struct opt *o, const json_t *value, void *to, struct arena *a, struct err *e)
{
	struct buf b CLEANUP(buf_fini) = {0};
	bool unit = o->type == OPT_SIZE || o->type == OPT_MICROS || o->type == OPT_DURATION;
	int64_t whole;
	buf_init(&b, TEXT_MAX);
	if (o->type == OPT_PERCENT) {
		double share = json_number_value(value);
		if (!(share >= 0 && share <= 1))
			return err_set(e, EINVAL, "expected a share from 0 to 1, or text such as \"1%%\", not %g", share);
		unit_percent_print(&b, share);
		return opt_set(o, to, buf_cstr(&b), a, e);
	}
	if (unit && !o->bare)
		return refuse(o, e, "a number without a unit");
	if (!unit && o->type != OPT_INT && o->type != OPT_U64)
		return refuse(o, e, "a number");
	if (!to_whole(value, unit ? o->bare : 1, &whole)) {
		buf_printf(&b, "%.17g", json_number_value(value));
		return refuse(o, e, buf_cstr(&b));
	}
	if (whole < 0 && o->type != OPT_INT)
		return err_set(e, EINVAL, "expected no negative number, not %g", json_number_value(value));
	if (unit)
		print_unit(o, (uint64_t)whole, &b);
	else
		buf_printf(&b, "%lld", (long long)whole);
	return opt_set(o, to, buf_cstr(&b), a, e);
}

static int set_list(const struct opt *o, const json_t *value, void *to, struct arena *a, struct err *e)
{
	size_t i;
	json_t *item;
	opt_clear(o, to);
	if (json_is_string(value))
		return opt_set(o, to, json_string_value(value), a, e);
	json_array_foreach(value, i, item) {
		int r = json_is_string(item) ? opt_set(o, to, json_string_value(item), a, e)
					     : err_set(e, EINVAL, "expected texts in the list, not %s", kind(item));
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_map(const struct opt *o, json_t *value, void *to, struct arena *a, struct err *e)
{
	const char *key;
	json_t *item;
	opt_clear(o, to);
	json_object_foreach(value, key, item) {
		int r = json_is_string(item) ? opt_map_put(o, to, key, json_string_value(item), a, e)
					     : err_set(e, EINVAL, "expected text in each value, not %s", kind(item));
		if (r < 0)
			return r;
	}
	return 0;
}

static int set(const struct opt *o, json_t *value, void *to, struct arena *a, struct err *e)
{
	bool counts = o->type == OPT_INT || o->type == OPT_U64;
	switch (json_typeof(value)) {
	case JSON_INTEGER:
	case JSON_REAL:
		return set_number(o, value, to, a, e);
	case JSON_STRING:
		if (o->type == OPT_STRINGS)
			return set_list(o, value, to, a, e);
		if (counts || o->type == OPT_MAP)
			return refuse(o, e, "text");
		return opt_set(o, to, json_string_value(value), a, e);
	case JSON_TRUE:
	case JSON_FALSE:
		return o->type == OPT_FLAG ? opt_set(o, to, kind(value), a, e) : refuse(o, e, kind(value));
	case JSON_ARRAY:
		return o->type == OPT_STRINGS ? set_list(o, value, to, a, e) : refuse(o, e, kind(value));
	case JSON_OBJECT:
		return o->type == OPT_MAP ? set_map(o, value, to, a, e) : refuse(o, e, kind(value));
	case JSON_NULL:
		break;
	}
	return 0;
}

static int set_key(const struct opt *table, const char *key, json_t *value, void *to, struct arena *a, struct err *e)
{
	const struct opt *o = opt_find(table, key, OPT_IN_FILE);
	struct err why = {.text = ""};
	if (!o)
		return opt_unknown(table, key, OPT_IN_FILE, e);
	int r = set(o, value, to, a, &why);
	if (r < 0)
		return err_set(e, -r, "%s: %s", o->name, why.text);
	if (!json_is_null(value))
		opt_mark_seen(o, to);
	return 0;
}

static int check_required(const struct opt *table, const json_t *object, struct err *e)
{
	for (const struct opt *o = table; o->name; o++) {
		const json_t *value = json_object_get(object, o->name);
		if ((o->flags & OPT_REQUIRED) && (!value || json_is_null(value)))
			return err_set(e, EINVAL, "expected the key \"%s\", which is required and missing", o->name);
	}
	return 0;
}

int options_from_json(const struct opt *table, const json_t *object, void *to, struct arena *a, struct err *e)
{
	const char *key;
	json_t *value, *keys = (json_t *)object; /* jansson's iterator wants one that it could change */
	if (object && !json_is_null(object) && !json_is_object(object))
		return err_set(e, EINVAL, "expected an object, not %s", kind(object));
	json_object_foreach(keys, key, value) {
		int r = set_key(table, key, value, to, a, e);
		if (r < 0)
			return r;
	}
	return check_required(table, object, e);
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

json_t *options_number(double value)
{
	if (value == nearbyint(value) && fabs(value) <= WHOLE_MAX)
		return json_integer((json_int_t)value);
	return json_real(value);
}

static json_t *unit_value(const struct opt *o, uint64_t value)
{
	struct buf b CLEANUP(buf_fini) = {0};
	uint64_t one = (uint64_t)o->bare;
	if (one && value % one == 0 && value / one <= INT64_MAX)
		return json_integer((json_int_t)(value / one));
	if (one && (double)value <= WHOLE_MAX)
		return options_number((double)value / (double)one);
	buf_init(&b, TEXT_MAX);
	print_unit(o, value, &b);
	return json_string(buf_cstr(&b));
}

static json_t *list_value(const struct opt_strings *list)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->len; i++)
		json_array_append_new(array, json_text(span_str(list->items[i])));
	return array;
}

static json_t *map_value(const struct opt_map *map)
{
	json_t *object = json_object();
	for (size_t i = 0; i < map->len; i++)
		json_object_set_new(object, map->items[i].key, json_text(span_str(map->items[i].value)));
	return object;
}

static json_t *rate_value(double rate)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, TEXT_MAX);
	unit_rate_print(&b, rate);
	return json_string(buf_cstr(&b));
}

/* NULL: it has none, or there is no memory. */
static json_t *value_of(const struct opt *o, const void *from)
{
	const void *p = (const char *)from + o->offset;
	switch (o->type) {
	case OPT_FLAG:
		return json_boolean(*(const bool *)p);
	case OPT_STRING:
		return *(const char *const *)p ? json_text(span_str(*(const char *const *)p)) : NULL;
	case OPT_INT:
		return json_integer(*(const int64_t *)p);
	case OPT_U64:
		assert(*(const uint64_t *)p <= INT64_MAX); /* by the bounds of its row */
		return json_integer((json_int_t)*(const uint64_t *)p);
	case OPT_SIZE:
	case OPT_MICROS:
	case OPT_DURATION:
		return unit_value(o, *(const uint64_t *)p);
	case OPT_RATE:
		return rate_value(*(const double *)p);
	case OPT_PERCENT:
		return options_number(*(const double *)p);
	case OPT_ENUM:
		return json_string(o->choices[*(const int *)p]);
	case OPT_STRINGS:
		return list_value(p);
	case OPT_MAP:
		return map_value(p);
	case OPT_SECTION:
	case OPT_SECTIONS:
	case OPT_CALLS:
		break;
	}
	return NULL;
}

/* A text, truth or list that is as it is when nobody says anything. */
static bool is_silent(const struct opt *o, const void *defaults, const json_t *value)
{
	if (json_is_number(value))
		return false;
	json_t *usual = value_of(o, defaults);
	bool same = usual && json_equal(usual, value);
	json_decref(usual);
	return same;
}

json_t *options_to_json(const struct opt *table, size_t size, const void *from, enum options_shown shown)
{
	struct arena a;
	arena_init(&a, size + DEFAULTS_MAX);
	void *defaults = shown == OPTIONS_TOLD ? arena_alloc(&a, size + 1) : NULL;
	if (defaults && opt_defaults(table, defaults, &a) < 0)
		defaults = NULL;
	json_t *object = json_object();
	for (const struct opt *o = table; object && o->name; o++) {
		json_t *value = value_of(o, from);
		if (value && defaults && is_silent(o, defaults, value))
			json_decref(value);
		else if (value)
			json_object_set_new(object, o->name, value);
	}
	arena_fini(&a);
	return object;
}

int options_json_print(struct buf *b, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;
	int r = text ? buf_append(b, text, strlen(text)) : -ENOMEM;
	free(text);
	return r;
}
