/*
 * libyaml accepts much that a configuration file has no use for and that has hurt others: aliases that multiply, tags,
 * several documents.
 */
#include "harness/base/conf_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "harness/base/rune.h"

struct tree_reader {
	yaml_parser_t *parser;
	const char *name;
	struct arena *arena;
	struct err *e;
};

int conf_fail(struct err *e, const char *name, size_t line, size_t column, const char *fmt, ...)
{
	char sentence[ERR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	return err_set(e, EINVAL, "%s:%zu:%zu: %s", name, line, column, sentence);
}

static int fail_at(struct tree_reader *r, yaml_mark_t mark, const char *sentence)
{
	return conf_fail(r->e, r->name, mark.line + 1, mark.column + 1, "%s", sentence);
}

static int no_memory(struct tree_reader *r)
{
	return err_set(r->e, ENOMEM, "%s: cannot be read: it needs more memory than is allowed", r->name);
}

static int fail_octet(struct err *e, const char *name, size_t line, size_t column, struct span at, uint32_t c)
{
	if (rune_decode(at, &c) == 0)
		return conf_fail(e, name, line, column, "expected UTF-8, not the octet 0x%02x", at.p[0]);
	return conf_fail(e, name, line, column, "expected text, not the control character U+%04X", c);
}

/* libyaml would report these by octet offset, or cut the text there; line and column are what an editor can find. */
static int check_characters(struct span text, const char *name, struct err *e)
{
	size_t line = 1, column = 1;
	for (size_t at = 0; at < text.len;) {
		uint32_t c = 0;
		struct span rest = span_sub(text, at, text.len);
		size_t len = rune_decode(rest, &c);
		bool space = c == '\t' || c == '\n' || c == '\r';
		if (len == 0 || (!space && rune_is_control(c)))
			return fail_octet(e, name, line, column, rest, c);
		at += len;
		column++;
		if (c == '\n' || (c == '\r' && !(rest.len > 1 && rest.p[1] == '\n'))) {
			line++;
			column = 1;
		}
	}
	return 0;
}

static int next_event(struct tree_reader *r, yaml_event_t *event)
{
	if (yaml_parser_parse(r->parser, event))
		return 0;
	if (r->parser->error == YAML_MEMORY_ERROR)
		return no_memory(r);
	yaml_mark_t mark = r->parser->problem_mark;
	return conf_fail(r->e, r->name, mark.line + 1, mark.column + 1, "expected YAML, but %s", r->parser->problem);
}

static const char *refused(const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	case YAML_ALIAS_EVENT:
		return "expected a value, not an alias (*), which is not supported";
	default:
		break;
	}
	if (anchor)
		return "expected a value, not an anchor (&), which is not supported";
	return tag ? "expected a value, not a tag (!), which is not supported" : NULL;
}

static int scalar_fill(struct tree_reader *r, const yaml_event_t *event, struct conf_node *node)
{
	struct span text = span_of(event->data.scalar.value, event->data.scalar.length);
	node->kind = CONF_SCALAR;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (span_find(text, SPAN_LIT("\0")) >= 0)
		return fail_at(r, event->start_mark, "expected text, not the control character U+0000");
	node->text = (const char *)arena_span(r->arena, text).p;
	return node->text ? 0 : no_memory(r);
}

static int children_read(struct tree_reader *r, struct conf_node *parent, size_t depth);

/* The node that begins with `event`, which stays the caller's to delete. */
static int node_read(struct tree_reader *r, const yaml_event_t *event, size_t depth, struct conf_node **ret)
{
	const char *why = refused(event);
	if (why)
		return fail_at(r, event->start_mark, why);
	struct conf_node *node = ARENA_NEW(r->arena, struct conf_node);
	if (!node)
		return no_memory(r);
	node->line = event->start_mark.line + 1;
	node->column = event->start_mark.column + 1;
	*ret = node;
	if (event->type == YAML_SCALAR_EVENT)
		return scalar_fill(r, event, node);
	if (depth >= CONF_DEPTH_MAX)
		return conf_fail(r->e, r->name, node->line, node->column, "expected at most %d levels of nesting",
				 CONF_DEPTH_MAX);
	node->kind = event->type == YAML_MAPPING_START_EVENT ? CONF_MAPPING : CONF_SEQUENCE;
	return children_read(r, node, depth + 1);
}

/* A mapping's events alternate between keys and values; a key waits in *key for its value. */
static int child_add(struct tree_reader *r, struct conf_node *parent, struct conf_node *child,
		     const struct conf_node **key)
{
	if (parent->kind == CONF_MAPPING && !*key) {
		if (child->kind != CONF_SCALAR)
			return conf_fail(r->e, r->name, child->line, child->column, "expected a word as the key");
		if (child->plain && strcmp(child->text, "<<") == 0)
			return conf_fail(r->e, r->name, child->line, child->column,
					 "expected a key, not a merge (<<), which is not supported");
		*key = child;
		return 0;
	}
	child->key = *key;
	*key = NULL;
	return 1;
}

static int children_read(struct tree_reader *r, struct conf_node *parent, size_t depth)
{
	struct conf_node **end = &parent->first;
	const struct conf_node *key = NULL;
	for (size_t entries = 0;;) {
		yaml_event_t event;
		struct conf_node *child = NULL;
		int result = next_event(r, &event);
		if (result < 0)
			return result;
		bool last = event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT;
		result = last ? 0 : node_read(r, &event, depth, &child);
		yaml_event_delete(&event);
		if (last || result < 0)
			return result;
		result = child_add(r, parent, child, &key);
		if (result < 0)
			return result;
		if (result == 0)
			continue;
		*end = child;
		end = &child->next;
		if (++entries > CONF_KEYS_MAX && parent->kind == CONF_MAPPING)
			return conf_fail(r->e, r->name, child->key->line, child->key->column,
					 "expected at most %d keys", CONF_KEYS_MAX);
	}
}

static int document_start(struct tree_reader *r, const yaml_event_t *event)
{
	if (event->type == YAML_STREAM_END_EVENT)
		return conf_fail(r->e, r->name, 1, 1, "expected keys and values, but it is empty");
	if (event->data.document_start.version_directive ||
	    event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
		return fail_at(r, event->start_mark,
			       "expected keys and values, not a directive (%), which is not supported");
	return 0;
}

static int root_check(struct tree_reader *r, const yaml_event_t *event)
{
	if (event->type == YAML_MAPPING_START_EVENT)
		return 0;
	if (event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0)
		return conf_fail(r->e, r->name, 1, 1, "expected keys and values, but it is empty");
	const char *why = refused(event);
	return fail_at(r, event->start_mark, why ? why : "expected keys and values at the top");
}

static int document_end(struct tree_reader *r, const yaml_event_t *event)
{
	if (event->type == YAML_STREAM_END_EVENT)
		return 0;
	return fail_at(r, event->start_mark, "expected the end of the file, not a second document");
}

static int document_read(struct tree_reader *r, struct conf_node **ret)
{
	/* Stream start, document start, root with all its nodes, document end, stream end. */
	for (int i = 0; i < 5; i++) {
		yaml_event_t event;
		int result = next_event(r, &event);
		if (result < 0)
			return result;
		if (i == 1)
			result = document_start(r, &event);
		else if (i == 2)
			result = root_check(r, &event);
		else if (i == 4)
			result = document_end(r, &event);
		if (i == 2 && result == 0)
			result = node_read(r, &event, 0, ret);
		yaml_event_delete(&event);
		if (result < 0)
			return result;
	}
	return 0;
}

int conf_tree_read(struct span text, const char *name, struct arena *a, struct conf_node **ret, struct err *e)
{
	static const struct span byte_order_mark = {(const uint8_t *)"\xef\xbb\xbf", 3};
	if (text.len > CONF_FILE_MAX)
		return err_set(e, EFBIG, "%s: cannot be read: it has more than %d octets", name, CONF_FILE_MAX);
	if (span_eq(span_sub(text, 0, 3), byte_order_mark))
		text = span_sub(text, 3, text.len);
	int r = check_characters(text, name, e);
	if (r < 0)
		return r;
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return err_set(e, ENOMEM, "%s: cannot be read: out of memory", name);
	struct tree_reader reader = {.parser = &parser, .name = name, .arena = a, .e = e};
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text.len ? text.p : (const uint8_t *)"", text.len);
	r = document_read(&reader, ret);
	yaml_parser_delete(&parser);
	return r;
}
