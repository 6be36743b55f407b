/*
 * The configuration file: YAML whose nested mappings spell the dotted keys. The document is read as a tree of nodes, so
 * that every complaint knows its line and column; an alias is the same node again, so nothing is expanded.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "server-under-test/config/config_options.h"

#define FILE_BYTES_MAX (1024 * 1024)
#define SHOWN_MAX 60 /* bytes of a value in a complaint */

struct reader {
	struct config *config;
	const char *path;
	yaml_document_t document;
	bool *seen;
	size_t lines[OPTIONS_MAX]; /* where a seen one stands */
	struct err *err;
};

__attribute__((format(printf, 3, 4)))
static int complain(struct reader *reader, yaml_mark_t mark, const char *format, ...)
{
	char text[sizeof(reader->err->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	err_set(reader->err, "%s:%zu:%zu: %s", reader->path, mark.line + 1, mark.column + 1, text);
	return -EINVAL;
}

static const char *scalar(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* "key:", "key: ~" and "key: null" leave the option as it was. */
static bool is_null(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (*scalar(node) == '\0' || strcmp(scalar(node), "~") == 0 || strcmp(scalar(node), "null") == 0);
}

static int complain_value(struct reader *reader, const struct option *option, const yaml_node_t *node)
{
	static const char *const types[] = {
		[YAML_SCALAR_NODE] = "a text", [YAML_SEQUENCE_NODE] = "a list", [YAML_MAPPING_NODE] = "a mapping",
	};
	char expected[256];

	option_expectation(option, expected, sizeof(expected));
	if (node->type == YAML_SCALAR_NODE)
		return complain(reader, node->start_mark, "\"%s\" cannot be \"%.*s\"; it takes %s", option->key, SHOWN_MAX,
				scalar(node), expected);
	return complain(reader, node->start_mark, "\"%s\" cannot be %s; it takes %s", option->key, types[node->type],
			expected);
}

static int read_list(struct reader *reader, const struct option *option, const yaml_node_t *node)
{
	struct config_list *list = option_field(option, reader->config);
	yaml_node_item_t *item = node->data.sequence.items.start;

	option_list_clear(list);
	for (; item < node->data.sequence.items.top; item++) {
		const yaml_node_t *entry = yaml_document_get_node(&reader->document, *item);

		if (entry->type != YAML_SCALAR_NODE || strlen(scalar(entry)) != entry->data.scalar.length ||
		    option_list_add(list, scalar(entry), entry->data.scalar.length) < 0)
			return complain_value(reader, option, entry->type == YAML_SCALAR_NODE ? entry : node);
	}
	return 0;
}

static int read_option(struct reader *reader, const struct option *option, const yaml_node_t *key,
		       const yaml_node_t *node)
{
	size_t i = (size_t)(option - config_options);
	const char *value;

	if (reader->seen[i])
		return complain(reader, key->start_mark, "\"%s\" stands here again; it is in line %zu already", option->key,
				reader->lines[i]);
	reader->seen[i] = true;
	reader->lines[i] = key->start_mark.line + 1;
	if (is_null(node))
		return 0;
	if (option->kind == OPTION_LIST && node->type == YAML_SEQUENCE_NODE)
		return read_list(reader, option, node);
	if (option->kind == OPTION_LIST || node->type != YAML_SCALAR_NODE ||
	    strlen(scalar(node)) != node->data.scalar.length)
		return complain_value(reader, option, node);
	value = config_keep(reader->config, scalar(node), node->data.scalar.length);
	return option_set(option, reader->config, value) < 0 ? complain_value(reader, option, node) : 0;
}

/* Do keys begin with name and a dot? */
static bool is_group(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < config_option_count; i++)
		if (strncmp(config_options[i].key, name, len) == 0 && config_options[i].key[len] == '.')
			return true;
	return false;
}

static int complain_key(struct reader *reader, const char *name, const yaml_node_t *key)
{
	const struct option *nearest = option_nearest(text_from(name));

	if (is_group(name))
		return complain(reader, key->start_mark, "\"%s\" cannot be a value or a list; it takes a mapping", name);
	if (!nearest)
		return complain(reader, key->start_mark, "there is no option \"%.*s\" (--help lists them)", SHOWN_MAX, name);
	return complain(reader, key->start_mark, "there is no option \"%.*s\"; the nearest is \"%s\"", SHOWN_MAX, name,
			nearest->key);
}

/* prefix: the keys above, joined by dots. Ends, for a name is never longer than the longest key. */
static int read_mapping(struct reader *reader, const char *prefix, const yaml_node_t *mapping)
{
	yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;

	for (; pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(&reader->document, pair->key);
		const yaml_node_t *node = yaml_document_get_node(&reader->document, pair->value);
		char name[2 * OPTION_NAME_MAX];
		const struct option *option;
		int r;

		if (key->type != YAML_SCALAR_NODE || strlen(scalar(key)) != key->data.scalar.length)
			return complain(reader, key->start_mark, "a key must be a text");
		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", scalar(key));
		option = option_by_key(text_from(name));
		if (is_group(name) && (node->type == YAML_MAPPING_NODE || (!option && is_null(node))))
			r = is_null(node) ? 0 : read_mapping(reader, name, node);
		else if (option)
			r = read_option(reader, option, key, node);
		else
			r = complain_key(reader, name, key);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_document(struct reader *reader, yaml_parser_t *parser)
{
	yaml_node_t *root;

	if (!yaml_parser_load(parser, &reader->document)) {
		reader->document = (yaml_document_t){ 0 };
		return complain(reader, parser->problem_mark, "this is no YAML: %s",
				parser->problem ? parser->problem : "out of memory");
	}
	root = yaml_document_get_root_node(&reader->document);
	if (!root || is_null(root)) /* no options are options, too */
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return complain(reader, root->start_mark, "a configuration is a mapping (key: value)");
	return read_mapping(reader, "", root);
}

static int check_end(struct reader *reader, yaml_parser_t *parser)
{
	yaml_document_t second;
	yaml_node_t *root;
	int r;

	if (!yaml_parser_load(parser, &second))
		return complain(reader, parser->problem_mark, "this is no YAML: %s", parser->problem);
	root = yaml_document_get_root_node(&second);
	r = root ? complain(reader, second.start_mark, "a configuration is one document, and here begins a second") : 0;
	yaml_document_delete(&second);
	return r;
}

static int read_text(struct reader *reader, const unsigned char *text, size_t len)
{
	yaml_parser_t parser;
	int r;

	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, text, len);
	r = read_document(reader, &parser);
	if (r == 0 && yaml_document_get_root_node(&reader->document))
		r = check_end(reader, &parser);
	yaml_document_delete(&reader->document);
	yaml_parser_delete(&parser);
	return r;
}

int config_file_read(struct config *config, const char *path, bool *seen, struct err *err)
{
	struct reader reader = { .config = config, .path = path, .seen = seen, .err = err };
	unsigned char *text = malloc(FILE_BYTES_MAX + 1);
	FILE *file = fopen(path, "re");
	int r = file ? 0 : -errno;
	size_t len = 0;

	if (!text)
		abort();
	if (file) {
		errno = 0;
		len = fread(text, 1, FILE_BYTES_MAX + 1, file);
		r = ferror(file) ? -errno : len > FILE_BYTES_MAX ? -EFBIG : 0;
		fclose(file);
	}
	if (r < 0) {
		err_set(err, "cannot read the configuration %s: %s", path, strerror(-r));
		r = -EINVAL;
	} else {
		r = read_text(&reader, text, len);
	}
	free(text);
	return r;
}
