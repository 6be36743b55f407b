/*
 * A timeout that was misspelt and silently ignored is found in production; so every key and value is either understood
 * or refused, at its place.
 */
#include "harness/base/conf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/conf_tree.h"
#include "harness/base/escape.h"
#include "harness/base/file.h"
#include "harness/base/opt_internal.h"
#include "harness/base/rune.h"

enum { VARIABLE_MAX = 128, SENTENCE_MAX = 4096 };

struct conf_reader {
	const char *name;
	struct arena *arena;
	struct err *e;
};

static int no_memory(struct conf_reader *r)
{
	return err_set(r->e, ENOMEM, "%s: cannot be read: it needs more memory than is allowed", r->name);
}

/* Passes a sentence of opt.h on, with its place and key; -ENOMEM stays what it is. */
static int fail_value(struct conf_reader *r, const struct conf_node *node, const char *key, int code, const char *why)
{
	struct buf shown CLEANUP(buf_fini) = {0};
	if (code == -ENOMEM)
		return no_memory(r);
	return conf_fail(r->e, r->name, node->line, node->column, "%s: %s", escape_word(&shown, key), why);
}

static const char *kind_word(const struct conf_node *node)
{
	if (node->kind == CONF_SEQUENCE)
		return "a list";
	if (node->kind == CONF_MAPPING)
		return "a mapping";
	return node->plain && *node->text == 0 ? "nothing" : "a single value";
}

static int fail_kind(struct conf_reader *r, const struct opt *o, const struct conf_node *node)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, SENTENCE_MAX);
	buf_printf(&b, "expected ");
	opt_expected(o, &b);
	buf_printf(&b, ", not %s", kind_word(node));
	return fail_value(r, node, o->name, -EINVAL, buf_cstr(&b));
}

static size_t variable_len(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
	return *name >= '0' && *name <= '9' ? 0 : len;
}

/* The value of the variable whose name begins at `name`, behind "${"; its length in *ret_len. */
static const char *variable(struct conf_reader *r, const struct opt *o, const struct conf_node *node, const char *name,
			    size_t *ret_len)
{
	char copy[VARIABLE_MAX];
	size_t len = variable_len(name);
	if (len == 0 || len >= sizeof(copy) || name[len] != '}') {
		fail_value(r, node, o->name, -EINVAL,
			   "expected ${NAME} with the name of an environment variable ($${ stands for ${ itself)");
		return NULL;
	}
	memcpy(copy, name, len);
	copy[len] = 0;
	*ret_len = len;
	const char *value = getenv(copy);
	struct span octets = span_str(value);
	if (value && rune_first_bad(octets) == octets.len)
		return value;
	struct buf why CLEANUP(buf_fini) = {0};
	buf_init(&why, ERR_TEXT_MAX);
	buf_printf(&why, "the environment variable %s %s", copy, value ? "is not UTF-8" : "is not set");
	fail_value(r, node, o->name, -EINVAL, buf_cstr(&why));
	return NULL;
}

/* Appends the text with its variables replaced. 1 when there were some, 0, or negative with the sentence. */
static int substitute(struct conf_reader *r, const struct opt *o, const struct conf_node *node, struct buf *out)
{
	int found = 0, result = 0;
	for (const char *at = node->text; *at && result == 0;) {
		size_t len = 0;
		if (strncmp(at, "$${", 3) == 0) {
			result = buf_append(out, "${", 2);
			at += 3;
		} else if (strncmp(at, "${", 2) == 0) {
			const char *value = variable(r, o, node, at + 2, &len);
			if (!value)
				return -EINVAL;
			result = buf_append(out, value, strlen(value));
			found = 1;
			at += 2 + len + 1;
		} else {
			result = buf_append_u8(out, (uint8_t)*at++);
		}
	}
	if (result == -ENOBUFS)
		return fail_value(r, node, o->name, -EINVAL, "the text with its environment variables is too long");
	return result < 0 ? no_memory(r) : found;
}

/* `node` must be a text: not a list, nor a plain word that other YAML readers would not take for one. */
static int check_text(struct conf_reader *r, const struct opt *o, const struct conf_node *node)
{
	if (node->kind != CONF_SCALAR)
		return fail_value(r, node, o->name, -EINVAL,
				  node->kind == CONF_SEQUENCE ? "expected text, not a list"
							      : "expected text, not a mapping");
	const char *type = node->plain ? conf_plain_type(node->text) : NULL;
	if (!type)
		return 0;
	struct buf why CLEANUP(buf_fini) = {0};
	buf_init(&why, ERR_TEXT_MAX);
	buf_printf(&why, "expected text, not %s; text that looks like this needs quotes", type);
	return fail_value(r, node, o->name, -EINVAL, buf_cstr(&why));
}

/* A text of OPT_STRING, an item of OPT_STRINGS, or with `key` a value of OPT_MAP. */
static int read_text(struct conf_reader *r, const struct opt *o, const struct conf_node *node, const char *key,
		     void *to)
{
	struct buf text CLEANUP(buf_fini) = {0};
	struct err why = {.text = ""};
	struct opt row = *o;
	buf_init(&text, CONF_FILE_MAX);
	int result = check_text(r, o, node);
	if (result == 0)
		result = substitute(r, o, node, &text);
	if (result < 0)
		return result;
	if (result > 0) /* what came from the environment is a secret */
		row.flags |= OPT_SECRET;
	const char *value = buf_cstr(&text);
	result = key ? opt_map_put(&row, to, key, value, r->arena, &why) : opt_set(&row, to, value, r->arena, &why);
	return result < 0 ? fail_value(r, node, o->name, result, why.text) : 0;
}

static int read_scalar(struct conf_reader *r, const struct opt *o, const struct conf_node *node, void *to)
{
	struct err why = {.text = ""};
	bool bare = o->type == OPT_FLAG || o->type == OPT_INT || o->type == OPT_U64;
	if (node->kind != CONF_SCALAR || (node->plain && *node->text == 0))
		return fail_kind(r, o, node);
	if (bare && !node->plain) {
		struct buf b CLEANUP(buf_fini) = {0};
		buf_init(&b, SENTENCE_MAX);
		buf_printf(&b, "expected ");
		opt_expected(o, &b);
		buf_printf(&b, ", without quotes");
		return fail_value(r, node, o->name, -EINVAL, buf_cstr(&b));
	}
	int result = opt_set(o, to, node->text, r->arena, &why);
	return result < 0 ? fail_value(r, node, o->name, result, why.text) : 0;
}

static int read_strings(struct conf_reader *r, const struct opt *o, const struct conf_node *node, void *to)
{
	if (node->kind != CONF_SEQUENCE)
		return fail_kind(r, o, node);
	for (const struct conf_node *item = node->first; item; item = item->next) {
		int result = read_text(r, o, item, NULL, to);
		if (result < 0)
			return result;
	}
	return 0;
}

static int fail_twice(struct conf_reader *r, const struct conf_node *key, size_t line)
{
	struct buf shown CLEANUP(buf_fini) = {0};
	return conf_fail(r->e, r->name, key->line, key->column,
			 "expected each key once, but \"%s\" is already in line %zu", escape_word(&shown, key->text), line);
}

static int read_map(struct conf_reader *r, const struct opt *o, const struct conf_node *node, void *to)
{
	if (node->kind != CONF_MAPPING)
		return fail_kind(r, o, node);
	const struct opt_map *map = (const struct opt_map *)((char *)to + o->offset);
	for (const struct conf_node *item = node->first; item; item = item->next) {
		if (opt_map_get(map, item->key->text)) {
			const struct conf_node *first = node->first;
			while (strcmp(first->key->text, item->key->text) != 0)
				first = first->next;
			return fail_twice(r, item->key, first->key->line);
		}
		int result = read_text(r, o, item, item->key->text, to);
		if (result < 0)
			return result;
	}
	return 0;
}

static int read_section(struct conf_reader *r, const struct opt *table, const struct conf_node *node, void *to);
static int check_required(struct conf_reader *r, const struct opt *table, const struct conf_node *node,
			  const size_t *lines);

static int read_sections(struct conf_reader *r, const struct opt *o, const struct conf_node *node, void *to)
{
	if (node->kind != CONF_SEQUENCE)
		return fail_kind(r, o, node);
	for (const struct conf_node *item = node->first; item; item = item->next) {
		if (item->kind != CONF_MAPPING)
			return fail_value(r, item, o->name, -EINVAL, "expected a mapping in each item of this list");
		void *part = opt_sections_add(o, to, r->arena);
		int result = part ? read_section(r, o->sub, item, part) : no_memory(r);
		if (result < 0)
			return result;
	}
	return 0;
}

/* `name`, or `{name: {key: value}}`. */
static int read_call(struct conf_reader *r, const struct opt *o, const struct conf_node *item, void *to)
{
	static const char shape[] = "expected a name, or one name with its keys, as in `name: {key: value}`";
	const struct conf_node *keys = item->kind == CONF_MAPPING ? item->first : NULL;
	const struct conf_node *name = keys ? keys->key : item;
	struct opt_call *call;
	const struct opt *table;
	struct err why = {.text = ""};
	if (name->kind != CONF_SCALAR || (keys && (keys->next || keys->kind != CONF_MAPPING)))
		return fail_value(r, item, o->name, -EINVAL, shape);
	int result = opt_calls_add(o, to, name->text, r->arena, &call, &table, &why);
	if (result < 0)
		return fail_value(r, name, o->name, result, why.text);
	call->line = name->line;
	if (keys)
		result = read_section(r, table, keys, call->options);
	else
		result = check_required(r, table, item, (const size_t[OPT_ROWS_MAX]){0});
	if (result == 0 && call->callee.check && call->callee.check(call->options, &why) < 0)
		return fail_value(r, name, call->callee.name, -EINVAL, why.text);
	return result;
}

static int read_calls(struct conf_reader *r, const struct opt *o, const struct conf_node *node, void *to)
{
	int result = node->kind == CONF_SEQUENCE ? 0 : fail_kind(r, o, node);
	for (const struct conf_node *item = node->first; result == 0 && item; item = item->next)
		result = read_call(r, o, item, to);
	return result;
}

static int read_row(struct conf_reader *r, const struct opt *o, const struct conf_node *node, void *to)
{
	opt_clear(o, to);
	switch (o->type) {
	case OPT_STRING:
		return read_text(r, o, node, NULL, to);
	case OPT_STRINGS:
		return read_strings(r, o, node, to);
	case OPT_MAP:
		return read_map(r, o, node, to);
	case OPT_SECTION:
		if (node->kind != CONF_MAPPING)
			return fail_kind(r, o, node);
		return read_section(r, o->sub, node, (char *)to + o->offset);
	case OPT_SECTIONS:
		return read_sections(r, o, node, to);
	case OPT_CALLS:
		return read_calls(r, o, node, to);
	default:
		return read_scalar(r, o, node, to);
	}
}

static int check_required(struct conf_reader *r, const struct opt *table, const struct conf_node *node,
			  const size_t *lines)
{
	for (const struct opt *o = table; o->name; o++)
		if ((o->flags & OPT_REQUIRED) && opt_is_in(o, OPT_IN_FILE) && !lines[o - table])
			return conf_fail(r->e, r->name, node->line, node->column,
					 "expected the key \"%s\", which is required and missing", o->name);
	return 0;
}

static int read_section(struct conf_reader *r, const struct opt *table, const struct conf_node *node, void *to)
{
	size_t lines[OPT_ROWS_MAX] = {0}; /* where each row was given */
	for (const struct conf_node *item = node->first; item; item = item->next) {
		struct err why;
		const struct opt *o = opt_find(table, item->key->text, OPT_IN_FILE);
		if (!o) {
			opt_unknown(table, item->key->text, OPT_IN_FILE, &why);
			return conf_fail(r->e, r->name, item->key->line, item->key->column, "%s", why.text);
		}
		assert(o - table < OPT_ROWS_MAX);
		if (lines[o - table])
			return fail_twice(r, item->key, lines[o - table]);
		lines[o - table] = item->key->line;
		int result = read_row(r, o, item, to);
		if (result < 0)
			return result;
		opt_mark_seen(o, to);
	}
	return check_required(r, table, node, lines);
}

int conf_read_text(struct span text, const char *name, const struct opt *table, void *to, struct arena *a,
		   struct err *e)
{
	struct arena trees;
	struct conf_node *root = NULL;
	struct conf_reader r = {.name = name, .arena = a, .e = e};
	arena_init(&trees, CONF_TREE_MAX);
	int result = conf_tree_read(text, name, &trees, &root, e);
	if (result == 0)
		result = read_section(&r, table, root, to);
	arena_fini(&trees);
	return result;
}

int conf_read_file(const char *path, const struct opt *table, void *to, struct arena *a, struct err *e)
{
	struct buf text CLEANUP(buf_fini) = {0};
	int r = file_read(path, CONF_FILE_MAX, &text, e);
	return r < 0 ? r : conf_read_text(buf_span(&text), path, table, to, a, e);
}
