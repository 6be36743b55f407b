/* Editors complete and check our files by JSON Schema; made from the rows, it cannot disagree with the reader. */
#include <errno.h>

#include "harness/base/opt_internal.h"
#include "harness/base/unit.h"

/* Takes `value` whatever happens, so that a missing allocation shows once, at the end. */
static void put(json_t *object, const char *key, json_t *value, bool *failed)
{
	if (!value || json_object_set_new(object, key, value) < 0)
		*failed = true;
}

enum { CALLS_MAX = 1 << 20 };

static json_t *object_schema(const struct opt *table);

static void put_number(const struct opt *o, json_t *schema, bool *failed)
{
	put(schema, "type", json_string("integer"), failed);
	if (o->min || o->max || o->type == OPT_U64)
		put(schema, "minimum", json_integer(o->min), failed);
	if (o->max && o->max != INT64_MAX)
		put(schema, "maximum", json_integer(o->max), failed);
}

static void put_pattern(json_t *schema, const char *pattern, bool *failed)
{
	put(schema, "type", json_string("string"), failed);
	put(schema, "pattern", json_string(pattern), failed);
}

static void put_choices(const struct opt *o, json_t *schema, bool *failed)
{
	json_t *words = json_array();
	for (size_t i = 0; o->choices[i]; i++)
		if (json_array_append_new(words, json_string(o->choices[i])) < 0)
			*failed = true;
	put(schema, "enum", words, failed);
}

static void put_texts(const struct opt *o, json_t *schema, bool *failed)
{
	put(schema, "type", json_string(o->type == OPT_MAP ? "object" : "array"), failed);
	put(schema, o->type == OPT_MAP ? "additionalProperties" : "items", json_pack("{ss}", "type", "string"), failed);
}

/* {"name": {its keys}}, for each; the names alone are words. */
static json_t *call_schema(const struct opt_callees *all)
{
	bool failed = false;
	struct arena a;
	struct opt_callee c;
	json_t *words = json_array(), *properties = json_object();
	arena_init(&a, CALLS_MAX);
	for (size_t i = 0; all->get(i, &c); i++) {
		const struct opt *table = opt_callee_table(all, &c, &a);
		json_t *keys = table ? object_schema(table) : NULL;
		if (keys)
			put(keys, "description", json_string(c.about), &failed);
		put(properties, c.name, keys, &failed);
		if (json_array_append_new(words, json_string(c.name)) < 0)
			failed = true;
	}
	arena_fini(&a);
	json_t *schema = json_pack("{s:[{s:o}, {s:s, s:b, s:i, s:i, s:o}]}", "oneOf", "enum", words, "type", "object",
				   "additionalProperties", 0, "minProperties", 1, "maxProperties", 1, "properties", properties);
	if (!failed)
		return schema;
	json_decref(schema);
	return NULL;
}

static void put_type(const struct opt *o, json_t *schema, bool *failed)
{
	switch (o->type) {
	case OPT_FLAG:
		return put(schema, "type", json_string("boolean"), failed);
	case OPT_STRING:
		return put(schema, "type", json_string("string"), failed);
	case OPT_INT:
	case OPT_U64:
		return put_number(o, schema, failed);
	case OPT_SIZE:
		return put_pattern(schema, UNIT_SIZE_PATTERN, failed);
	case OPT_DURATION:
		return put_pattern(schema, UNIT_DURATION_PATTERN, failed);
	case OPT_MICROS:
		return put_pattern(schema, UNIT_MICROS_PATTERN, failed);
	case OPT_PERCENT:
		return put_pattern(schema, UNIT_PERCENT_PATTERN, failed);
	case OPT_RATE:
		return put_pattern(schema, UNIT_RATE_PATTERN, failed);
	case OPT_ENUM:
		return put_choices(o, schema, failed);
	case OPT_STRINGS:
	case OPT_MAP:
		return put_texts(o, schema, failed);
	case OPT_SECTIONS:
		put(schema, "type", json_string("array"), failed);
		return put(schema, "items", object_schema(o->sub), failed);
	case OPT_CALLS:
		put(schema, "type", json_string("array"), failed);
		return put(schema, "items", call_schema(o->callees), failed);
	case OPT_SECTION:
		break; /* object_schema */
	}
}

static json_t *list_default(const struct opt *o)
{
	json_t *items = json_array();
	struct span rest = span_str(o->def);
	while (items) {
		const uint8_t *comma = o->flags & OPT_COMMAS ? memchr(rest.p, ',', rest.len) : NULL;
		size_t len = comma ? (size_t)(comma - rest.p) : rest.len;
		if (json_array_append_new(items, json_stringn((const char *)rest.p, len)) < 0) {
			json_decref(items);
			return NULL;
		}
		if (!comma)
			break;
		rest = span_sub(rest, len + 1, rest.len);
	}
	return items;
}

static json_t *default_value(const struct opt *o)
{
	switch (o->type) {
	case OPT_FLAG:
		return json_boolean(strcmp(o->def, "true") == 0);
	case OPT_INT:
	case OPT_U64:
		return json_loads(o->def, JSON_DECODE_ANY, NULL);
	case OPT_STRINGS:
		return list_default(o);
	default:
		return json_string(o->def);
	}
}

/* Units have bounds that a pattern cannot say, so a reader is told in words. */
static json_t *description(const struct opt *o)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, ERR_TEXT_MAX);
	buf_printf(&b, "%s", o->help ? o->help : "");
	if (opt_has_unit(o) && (o->min || o->max)) {
		buf_printf(&b, " (");
		opt_bounds(o, &b);
		buf_printf(&b, ")");
	}
	return json_string(buf_cstr(&b));
}

static json_t *row_schema(const struct opt *o)
{
	bool failed = false;
	json_t *schema = o->type == OPT_SECTION ? object_schema(o->sub) : json_object();
	if (!schema)
		return NULL;
	put_type(o, schema, &failed);
	if (o->help)
		put(schema, "description", description(o), &failed);
	bool whole = o->type != OPT_SECTION && o->type != OPT_SECTIONS && o->type != OPT_MAP && o->type != OPT_CALLS;
	if (o->def && whole && !(o->flags & OPT_SECRET))
		put(schema, "default", default_value(o), &failed);
	if (failed) {
		json_decref(schema);
		return NULL;
	}
	return schema;
}

static json_t *object_schema(const struct opt *table)
{
	bool failed = false;
	json_t *schema = json_object(), *properties = json_object(), *required = json_array();
	for (const struct opt *o = table; o->name; o++) {
		if (!opt_is_in(o, OPT_IN_FILE))
			continue;
		put(properties, o->name, row_schema(o), &failed);
		if ((o->flags & OPT_REQUIRED) && json_array_append_new(required, json_string(o->name)) < 0)
			failed = true;
	}
	put(schema, "type", json_string("object"), &failed);
	put(schema, "additionalProperties", json_false(), &failed);
	if (!required)
		failed = true;
	if (json_array_size(required))
		put(schema, "required", json_incref(required), &failed);
	put(schema, "properties", json_incref(properties), &failed);
	json_decref(required);
	json_decref(properties);
	if (failed) {
		json_decref(schema);
		return NULL;
	}
	return schema;
}

json_t *opt_schema(const struct opt *table, const char *title)
{
	bool failed = false;
	json_t *schema = json_object(), *body = object_schema(table);
	put(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"), &failed);
	if (title)
		put(schema, "title", json_string(title), &failed);
	if (!body || json_object_update(schema, body) < 0)
		failed = true;
	json_decref(body);
	if (failed) {
		json_decref(schema);
		return NULL;
	}
	return schema;
}
