/* The JSON part of a template: an ordinary JSON text whose strings mean something. */
#include <assert.h>
#include <string.h>

#include "harness/target/template_parse.h"

static int parse_value(struct template_parser *p, json_t *value, int depth, struct template_node **ret);

static struct template_node *new_node(struct template_parser *p, enum template_node_kind kind)
{
	struct template_node *node = ARENA_NEW(p->arena, struct template_node);
	if (node)
		node->kind = kind;
	else
		template_no_memory(p);
	return node;
}

static int parse_string(struct template_parser *p, json_t *value, struct template_node **ret)
{
	struct template_node *node = new_node(p, NODE_TEXT);
	struct template_part *parts = NULL;
	struct span text = span_of(json_string_value(value), json_string_length(value));
	int r = node ? template_parse_parts(p, text, &parts, &node->n_parts) : -ENOMEM;
	if (r < 0)
		return r;
	node->parts = parts;
	if (node->n_parts == 1 && parts[0].name != PART_LITERAL) {
		node->kind = NODE_HOLE;
		node->name = parts[0].name;
		node->optional = parts[0].optional && parts[0].name != PART_ANYTHING;
	}
	*ret = node;
	return 0;
}

/* An optional one may only be the last of an array: what would stand behind it could not be told from it. */
static int parse_array(struct template_parser *p, json_t *value, int depth, struct template_node **ret)
{
	struct template_node *node = new_node(p, NODE_ARRAY), *item = NULL;
	if (!node)
		return -ENOMEM;
	const struct template_node **last = &node->first;
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (item && item->optional)
			return err_set(p->e, EINVAL, "expected what may be absent at the end of an array only");
		int r = parse_value(p, json_array_get(value, i), depth + 1, &item);
		if (r < 0)
			return r;
		assert(item);
		*last = item;
		last = &item->next;
	}
	*ret = node;
	return 0;
}

static int parse_member(struct template_parser *p, const char *key, json_t *value, int depth,
			struct template_node **ret)
{
	if (*key == '$')
		return err_set(p->e, EINVAL, "expected a name without $; {\"$json\": } and {\"$each\": } stand alone");
	size_t len = strlen(key);
	bool optional = len && key[len - 1] == '?';
	uint64_t needs = p->t->needs;
	int r = parse_value(p, value, depth + 1, ret);
	if (r < 0)
		return r;
	if (optional && p->use != TEMPLATE_MATCH && (*ret)->kind != NODE_HOLE)
		return err_set(p->e, EINVAL, "expected \"%.*s?\" in what is heard only", (int)(len - 1), key);
	if (optional) {
		(*ret)->optional = true;
		p->t->needs = needs;
	}
	(*ret)->key = arena_printf(p->arena, "%.*s", (int)(len - optional), key);
	return (*ret)->key ? 0 : template_no_memory(p);
}

static int parse_wrapped(struct template_parser *p, enum template_node_kind kind, json_t *value, int depth,
			 struct template_node **ret)
{
	struct template_node *node = new_node(p, kind), *inner = NULL;
	uint64_t needs = p->t->needs;
	int r = node ? parse_value(p, value, depth + 1, &inner) : -ENOMEM;
	if (r < 0)
		return r;
	node->first = inner;
	if (kind == NODE_EACH) {
		if (p->t->each)
			return err_set(p->e, EINVAL, "expected {\"$each\": } once");
		p->t->each = inner;
		p->t->needs = needs; /* it may be empty */
	}
	*ret = node;
	return 0;
}

static int parse_object(struct template_parser *p, json_t *value, int depth, struct template_node **ret)
{
	static const struct {
		const char *key;
		enum template_node_kind kind;
	} words[] = {{"$json", NODE_JSON}, {"$each", NODE_EACH}};
	const char *key;
	json_t *member;
	for (size_t i = 0; json_object_size(value) == 1 && i < ARRAY_LEN(words); i++)
		if ((member = json_object_get(value, words[i].key)))
			return parse_wrapped(p, words[i].kind, member, depth, ret);
	struct template_node *node = new_node(p, NODE_OBJECT), *item;
	const struct template_node **last = node ? &node->first : NULL;
	if (!node)
		return -ENOMEM;
	json_object_foreach(value, key, member) {
		int r = parse_member(p, key, member, depth, &item);
		if (r < 0)
			return r;
		*last = item;
		last = &item->next;
	}
	*ret = node;
	return 0;
}

static int parse_value(struct template_parser *p, json_t *value, int depth, struct template_node **ret)
{
	static const enum template_node_kind kinds[] = {
		[JSON_NULL] = NODE_NULL, [JSON_TRUE] = NODE_TRUE, [JSON_FALSE] = NODE_FALSE, [JSON_INTEGER] = NODE_INTEGER,
	};
	if (depth > TEMPLATE_DEPTH_MAX)
		return err_set(p->e, EINVAL, "expected JSON of at most %d levels", TEMPLATE_DEPTH_MAX);
	switch (json_typeof(value)) {
	case JSON_STRING:
		return parse_string(p, value, ret);
	case JSON_ARRAY:
		return parse_array(p, value, depth, ret);
	case JSON_OBJECT:
		return parse_object(p, value, depth, ret);
	case JSON_REAL:
		return err_set(p->e, EINVAL, "expected a whole number");
	default:
		*ret = new_node(p, kinds[json_typeof(value)]);
		if (!*ret)
			return -ENOMEM;
		(*ret)->integer = json_integer_value(value);
		return 0;
	}
}

int template_parse_json(struct template_parser *p, struct span text, size_t at)
{
	json_error_t why;
	struct template_node *root = NULL;
	json_t *value = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, &why);
	if (!value)
		return err_set(p->e, EINVAL, "expected JSON: %s, at character %zu of the template", why.text,
			       at + (size_t)(why.position > 0 ? why.position : 1));
	int r = parse_value(p, value, 1, &root);
	json_decref(value);
	if (r == 0)
		p->t->json = root;
	return r;
}
