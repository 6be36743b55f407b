/* Writes messages from templates. */
#include <stdio.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/rune.h"
#include "harness/target/template_parse.h"

static int say_node(const struct template_node *node, const struct template_values *values, struct buf *b);

void template_set_text(struct template_values *values, size_t name, struct span text)
{
	values->set |= 1ull << name;
	values->v[name] = (struct template_value){.kind = VALUE_TEXT, .text = text};
}

void template_set_number(struct template_values *values, size_t name, uint64_t number)
{
	values->set |= 1ull << name;
	values->v[name] = (struct template_value){.kind = VALUE_NUMBER, .number = number};
}

int template_value_text(const struct template_value *value, struct buf *b)
{
	switch (value->kind) {
	case VALUE_NUMBER:
		return buf_printf(b, "%llu", (unsigned long long)value->number);
	case VALUE_TRUTH:
		return buf_printf(b, "%s", value->number ? "true" : "false");
	case VALUE_JSON:
		return value->json ? json_append(b, value->json) : buf_append_span(b, value->text);
	case VALUE_TEXT:
		break;
	}
	return buf_append_span(b, value->text);
}

/* Unreserved characters of RFC 3986 2.3 stay. */
static int append_encoded(struct buf *b, struct span text)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     (c && strchr("-._~", c));
		const uint8_t code[3] = {'%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
		int r = plain ? buf_append_u8(b, c) : buf_append(b, code, sizeof(code));
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_header(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.p[i] < ' ' && text.p[i] != '\t') || text.p[i] == 0x7f)
			return -EILSEQ;
	return 0;
}

static int say_value(const struct template_value *value, enum template_into into, struct buf *b)
{
	struct buf text CLEANUP(buf_fini) = {0};
	if (into == TEMPLATE_INTO_TEXT || (into == TEMPLATE_INTO_URL && value->plain))
		return template_value_text(value, b);
	buf_init(&text, b->max);
	int r = template_value_text(value, &text);
	if (r == 0 && into == TEMPLATE_INTO_URL)
		return append_encoded(b, buf_span(&text));
	if (r == 0)
		r = check_header(buf_span(&text));
	return r == 0 ? buf_append_span(b, buf_span(&text)) : r;
}

int template_say_parts(const struct template_part *parts, size_t n, const struct template_values *values,
		       enum template_into into, struct buf *b)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (parts[i].name == PART_LITERAL)
			r = buf_append_span(b, parts[i].literal);
		else if (template_has(values, (size_t)parts[i].name))
			r = say_value(&values->v[parts[i].name], into, b);
		else if (!parts[i].optional)
			r = -ENOENT;
	}
	return r;
}

static int append_string(struct buf *b, struct span text)
{
	if (rune_first_bad(text) != text.len)
		return -EILSEQ;
	int r = buf_append_u8(b, '"');
	for (size_t i = 0, from = 0; r == 0 && i <= text.len; i++) {
		bool escape = i < text.len && (text.p[i] < ' ' || text.p[i] == '"' || text.p[i] == '\\');
		if (!escape && i < text.len)
			continue;
		r = buf_append(b, text.p + from, i - from);
		from = i + 1;
		if (r == 0 && escape)
			r = text.p[i] < ' ' ? buf_printf(b, "\\u%04x", text.p[i]) : buf_printf(b, "\\%c", text.p[i]);
	}
	return r == 0 ? buf_append_u8(b, '"') : r;
}

static int say_hole(const struct template_node *node, const struct template_values *values, struct buf *b)
{
	if (!template_has(values, (size_t)node->name))
		return -ENOENT;
	const struct template_value *value = &values->v[node->name];
	if (value->kind == VALUE_TEXT)
		return append_string(b, value->text);
	return template_value_text(value, b);
}

static bool is_absent(const struct template_node *node, const struct template_values *values)
{
	return node->kind == NODE_HOLE && node->optional && !template_has(values, (size_t)node->name);
}

static int say_list(const struct template_node *node, const struct template_values *values, struct buf *b)
{
	bool object = node->kind == NODE_OBJECT;
	const char *between = "";
	int r = buf_append_u8(b, object ? '{' : '[');
	for (const struct template_node *item = node->first; r == 0 && item; item = item->next) {
		if (is_absent(item, values))
			continue;
		r = buf_append(b, between, strlen(between));
		between = ",";
		if (r == 0 && object)
			r = append_string(b, span_str(item->key));
		if (r == 0 && object)
			r = buf_append_u8(b, ':');
		if (r == 0)
			r = say_node(item, values, b);
	}
	return r == 0 ? buf_append_u8(b, object ? '}' : ']') : r;
}

/* A string made elsewhere first: of parts, or of JSON. */
static int say_string(const struct template_node *node, const struct template_values *values, struct buf *b)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, b->max);
	int r = node->kind == NODE_JSON
			? say_node(node->first, values, &text)
			: template_say_parts(node->parts, node->n_parts, values, TEMPLATE_INTO_TEXT, &text);
	return r == 0 ? append_string(b, buf_span(&text)) : r;
}

static int say_node(const struct template_node *node, const struct template_values *values, struct buf *b)
{
	switch (node->kind) {
	case NODE_NULL:
		return buf_append(b, "null", 4);
	case NODE_TRUE:
		return buf_append(b, "true", 4);
	case NODE_FALSE:
		return buf_append(b, "false", 5);
	case NODE_INTEGER:
		return buf_printf(b, "%lld", (long long)node->integer);
	case NODE_HOLE:
		return say_hole(node, values, b);
	case NODE_OBJECT:
	case NODE_ARRAY:
		return say_list(node, values, b);
	case NODE_TEXT:
	case NODE_JSON:
	case NODE_EACH:
		break;
	}
	return say_string(node, values, b);
}

int template_say(const struct template *t, const struct template_values *values, enum template_into into,
		 struct buf *b)
{
	int r = template_say_parts(t->parts, t->n_parts, values, into, b);
	return r == 0 && t->json ? say_node(t->json, values, b) : r;
}
