/*
 * Recognises messages by templates. The message is a hostile peer's: its JSON is looked over before memory is spent on
 * it, and parsed once for all templates.
 */
#include <stdio.h>
#include <string.h>

#include "harness/target/template_parse.h"

static bool match_node(const struct template_node *node, const json_t *json, struct template_values *values);

/* Its depth and how many values it has are within bounds, whatever else it is. */
static bool is_bounded(struct span text)
{
	size_t depth = 0, values = 1;
	bool string = false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		if (string) {
			i += c == '\\';
			string = c != '"';
			continue;
		}
		string = c == '"';
		values += c == ',' || c == '[' || c == '{';
		if (c == '[' || c == '{')
			depth++;
		else if ((c == ']' || c == '}') && depth)
			depth--;
		if (depth > TEMPLATE_INPUT_DEPTH_MAX || values > TEMPLATE_INPUT_VALUES_MAX)
			return false;
	}
	return true;
}

static json_t *parse(struct span text)
{
	if (!text.len || !is_bounded(text))
		return NULL;
	return json_loadb((const char *)text.p, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

void template_input_init(struct template_input *in, struct span text)
{
	*in = (struct template_input){.text = text};
}

void template_input_fini(struct template_input *in)
{
	json_decref(in->json);
	in->json = NULL;
}

static const json_t *input_json(struct template_input *in, size_t at)
{
	if (in->tried && in->json_at == at)
		return in->json;
	json_decref(in->json);
	in->json = parse(span_sub(in->text, at, in->text.len));
	in->json_at = at;
	in->tried = true;
	return in->json;
}

void template_values_init(struct template_values *values)
{
	values->set = 0;
	values->given = NULL;
	values->n_kept = 0;
	values->each = NULL;
}

void template_values_fini(struct template_values *values)
{
	while (values->n_kept)
		json_decref(values->kept[--values->n_kept]);
	values->set = 0;
	values->each = NULL;
}

/* Decimal; 19 digits at most, so that it fits. */
static bool read_number(struct span text, uint64_t *ret)
{
	uint64_t number = 0;
	if (!text.len || text.len > 19)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text.p[i] - '0');
	}
	*ret = number;
	return true;
}

/* The value that a name stands for; p NULL: it is not given. */
static struct span given(int name, const struct template_values *values)
{
	bool is = name >= NAMES_KNOWN && values->given && template_has(values->given, (size_t)name);
	struct span none = {0}, text = is ? values->given->v[name].text : none;
	return is && !text.p ? SPAN_LIT("") : text;
}

static bool take_text(int name, struct span text, struct template_values *values)
{
	struct template_value *v = &values->v[name];
	struct span only = given(name, values);
	if (text.len > template_name_octets(name) || (only.p && !span_eq(only, text)))
		return false;
	v->plain = false;
	v->json = NULL;
	v->text = text;
	switch (template_name_kind(name)) {
	case KIND_NUMBER:
		v->kind = VALUE_NUMBER;
		if (!read_number(text, &v->number))
			return false;
		break;
	case KIND_TRUTH:
		v->kind = VALUE_TRUTH;
		v->number = span_eq(text, SPAN_LIT("true"));
		if (!v->number && !span_eq(text, SPAN_LIT("false")))
			return false;
		break;
	case KIND_TEXT:
	case KIND_ANY:
		v->kind = VALUE_TEXT;
		break;
	}
	values->set |= 1ull << name;
	return true;
}

static bool take_integer(int name, json_int_t number, struct template_values *values)
{
	struct template_value *v = &values->v[name];
	enum template_name_kind kind = template_name_kind(name);
	if (kind == KIND_TRUTH || (kind == KIND_NUMBER && number < 0) || given(name, values).p)
		return false;
	v->plain = false;
	v->json = NULL;
	v->kind = kind == KIND_TEXT ? VALUE_TEXT : kind == KIND_NUMBER ? VALUE_NUMBER : VALUE_JSON;
	v->number = (uint64_t)number;
	int len = snprintf(v->digits, sizeof(v->digits), "%lld", (long long)number);
	v->text = span_of(v->digits, (size_t)len);
	values->set |= 1ull << name;
	return true;
}

/* A value of JSON; a hole takes any of its name's kind. */
static bool take_json(int name, const json_t *json, struct template_values *values)
{
	struct template_value *v = &values->v[name];
	enum template_name_kind kind = template_name_kind(name);
	if (json_is_string(json))
		return kind != KIND_TRUTH &&
		       take_text(name, span_of(json_string_value(json), json_string_length(json)), values);
	if (json_is_integer(json))
		return take_integer(name, json_integer_value(json), values);
	if ((kind != KIND_ANY && !(kind == KIND_TRUTH && json_is_boolean(json))) || given(name, values).p)
		return false;
	*v = (struct template_value){.kind = kind == KIND_ANY ? VALUE_JSON : VALUE_TRUTH, .json = json,
				     .number = json_is_true(json)};
	values->set |= 1ull << name;
	return true;
}

/* The octets that the hole parts[i] takes of a text. */
static size_t hole_len(const struct template_part *parts, size_t n, size_t i, struct span text, char opens,
		       const struct template_values *values)
{
	const struct template_part *next = i + 1 < n ? &parts[i + 1] : NULL;
	struct span only = given(parts[i].name, values);
	size_t len = 0;
	if (only.p)
		return only.len < text.len ? only.len : text.len;
	if (parts[i].name >= 0 && template_name_kind(parts[i].name) == KIND_NUMBER) {
		while (len < text.len && text.p[len] >= '0' && text.p[len] <= '9')
			len++;
		return len;
	}
	struct span needle = next ? next->literal : opens ? span_of(&opens, 1) : span_of(NULL, 0);
	if (next && next->name != PART_LITERAL)
		needle = given(next->name, values);
	ptrdiff_t found = needle.len ? span_find(text, needle) : -1;
	return found < 0 ? text.len : (size_t)found;
}

bool template_match_parts(const struct template_part *parts, size_t n, struct span text, char opens,
			  struct template_values *values, size_t *ret_used)
{
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		struct span rest = span_sub(text, at, text.len);
		struct span literal = parts[i].literal;
		if (parts[i].name == PART_LITERAL) {
			if (!span_eq(span_sub(rest, 0, literal.len), literal))
				return false;
			at += literal.len;
			continue;
		}
		size_t len = hole_len(parts, n, i, rest, opens, values);
		if (parts[i].name >= 0 && len && !take_text(parts[i].name, span_sub(rest, 0, len), values))
			return false;
		if (!len && !parts[i].optional && !given(parts[i].name, values).p)
			return false;
		at += len;
	}
	*ret_used = at;
	return opens || at == text.len;
}

static bool match_string(const struct template_node *node, const json_t *json, struct template_values *values)
{
	size_t used;
	return json_is_string(json) &&
	       template_match_parts(node->parts, node->n_parts,
				    span_of(json_string_value(json), json_string_length(json)), 0, values, &used);
}

static bool match_object(const struct template_node *node, const json_t *json, struct template_values *values)
{
	if (!json_is_object(json) || (!node->first && json_object_size(json)))
		return false;
	for (const struct template_node *item = node->first; item; item = item->next) {
		const json_t *member = json_object_get(json, item->key);
		if (item->optional && (!member || json_is_null(member)))
			continue;
		if (!member || !match_node(item, member, values))
			return false;
	}
	return true;
}

static bool match_array(const struct template_node *node, const json_t *json, struct template_values *values)
{
	size_t i = 0;
	if (!json_is_array(json) || (!node->first && json_array_size(json)))
		return false;
	for (const struct template_node *item = node->first; item; item = item->next, i++) {
		const json_t *element = json_array_get(json, i);
		if (item->optional && (!element || json_is_null(element)))
			continue;
		if (!element || !match_node(item, element, values))
			return false;
	}
	return true;
}

static bool match_inner(const struct template_node *node, const json_t *json, struct template_values *values)
{
	if (!json_is_string(json) || values->n_kept == TEMPLATE_KEPT_MAX)
		return false;
	json_t *inner = parse(span_of(json_string_value(json), json_string_length(json)));
	if (!inner)
		return false;
	values->kept[values->n_kept++] = inner;
	return match_node(node->first, inner, values);
}

static bool match_node(const struct template_node *node, const json_t *json, struct template_values *values)
{
	switch (node->kind) {
	case NODE_NULL:
		return json_is_null(json);
	case NODE_TRUE:
		return json_is_true(json);
	case NODE_FALSE:
		return json_is_false(json);
	case NODE_INTEGER:
		return json_is_integer(json) && json_integer_value(json) == node->integer;
	case NODE_TEXT:
		return match_string(node, json, values);
	case NODE_HOLE:
		return node->name == PART_ANYTHING || take_json(node->name, json, values);
	case NODE_OBJECT:
		return match_object(node, json, values);
	case NODE_ARRAY:
		return match_array(node, json, values);
	case NODE_JSON:
		return match_inner(node, json, values);
	case NODE_EACH:
		values->each = json_is_array(json) ? json : NULL;
		return values->each != NULL;
	}
	return false;
}

bool template_match(const struct template *t, struct template_input *in, struct template_values *values)
{
	size_t at = 0;
	template_values_fini(values);
	if (!template_match_parts(t->parts, t->n_parts, in->text, t->opens, values, &at))
		return false;
	if (!t->json)
		return true;
	const json_t *json = input_json(in, at);
	return json && match_node(t->json, json, values);
}

size_t template_each_len(const struct template *t, const struct template_values *values)
{
	return t->each && values->each ? json_array_size(values->each) : 0;
}

bool template_each(const struct template *t, size_t i, const struct template_values *values,
		   struct template_values *element)
{
	template_values_fini(element);
	for (size_t name = 0; name < TEMPLATE_NAMES_MAX; name++)
		if (template_has(values, name))
			element->v[name] = values->v[name];
	element->set = values->set;
	element->given = values->given;
	return match_node(t->each, json_array_get(values->each, i), element);
}
