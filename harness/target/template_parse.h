#pragma once
/* The parts of a parsed template; template*.c alone look into them. */
#include "harness/target/template.h"

enum { PART_LITERAL = -1, PART_ANYTHING = -2 };

struct template_part {
	int name;                       /* enum template_name, a variable, or one of the above */
	bool optional;
	struct span literal;
};

enum template_node_kind {
	NODE_NULL, NODE_TRUE, NODE_FALSE, NODE_INTEGER,
	NODE_TEXT,                      /* a string of parts; none: the empty string */
	NODE_HOLE,                      /* "$name", "$*" */
	NODE_OBJECT, NODE_ARRAY,        /* of first and next */
	NODE_JSON, NODE_EACH,           /* {"$json": first}, {"$each": first} */
};

struct template_node {
	enum template_node_kind kind;
	const char *key;                /* as a member */
	const struct template_node *first, *next;
	json_int_t integer;
	const struct template_part *parts;
	size_t n_parts;
	int name;                       /* HOLE: as of a part */
	bool optional;
};

enum template_name_kind { KIND_TEXT, KIND_NUMBER, KIND_TRUTH, KIND_ANY };
enum template_name_kind template_name_kind(int name);
/* The longest value. */
size_t template_name_octets(int name);

struct template_parser {
	struct template *t;
	struct template_names *names;
	struct arena *arena;
	enum template_use use;
	bool anything;                  /* it has a $* */
	struct err *e;
};

int template_no_memory(struct template_parser *p);
int template_parse_parts(struct template_parser *p, struct span text, struct template_part **ret, size_t *ret_n);
/* `at`: where the JSON stands in the template. */
int template_parse_json(struct template_parser *p, struct span text, size_t at);

/*
 * Matches text from its beginning. opens 0: all of it; else up to that character, which JSON begins with; the octets
 * that were matched go to ret_used.
 */
bool template_match_parts(const struct template_part *parts, size_t n, struct span text, char opens,
			  struct template_values *values, size_t *ret_used);
int template_say_parts(const struct template_part *parts, size_t n, const struct template_values *values,
		       enum template_into into, struct buf *b);
