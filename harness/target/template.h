#pragma once
/*
 * Templates of messages: one language to say them and to recognise them.
 *
 *	{"type":"subscribe","id":"$id","channel":"$channel"}
 *	42$id?["message","$channel","$data","$cursor?"]
 *	id: $cursor\ncontent-type: $*\n\n$data
 *
 * A template is text; $name stands for a value, $$ is $. Lower-case names are those of template_names.def; names in
 * CAPITALS are variables, which a dialect file gives or which are kept from what the server said.
 *
 * From the first { or [ on it is JSON (not in a TEMPLATE_LINE). There
 *	"$name"          holds any JSON value of the name's kind; a text is said as a string, a number as a number
 *	"$name?"         may be absent (or null), as the value of a member or at the end of an array
 *	"member?": T     the same for any T that is heard
 *	"a$name:b"       text around a value: a string made of both
 *	"$*"             matches anything
 *	{"$json": T}     is a string that holds the JSON T
 *	{"$each": T}     is an array each of whose elements is matched with T on its own (template_each); once a template
 *	{}, []           match an empty object, an empty array
 * Members that a template does not name are ignored, and so are elements behind its last one.
 *
 * Outside of JSON, a value reaches to where the next piece of the template's text is first found, or the JSON begins; a
 * number takes digits alone. $name is at least one octet, $name? and $* may be empty. Two values may not touch, unless
 * the first is a number and the second is not, or one is a variable.
 *
 * A variable that was given (template_values.given) matches its value alone.
 *
 * What is matched comes from a hostile peer: JSON deeper than TEMPLATE_INPUT_DEPTH_MAX or with more than
 * TEMPLATE_INPUT_VALUES_MAX values, and whatever is no JSON, does not match. Nothing is copied: values point into the
 * input.
 */
#include <jansson.h>

#include "harness/base/arena.h"
#include "harness/base/buf.h"
#include "harness/base/err.h"

enum template_name {
#define NAME(ID, name, kind, octets, about) NAME_##ID,
#include "harness/target/template_names.def"
#undef NAME
	NAMES_KNOWN,
};

enum {
	TEMPLATE_VARIABLES_MAX = 16,
	TEMPLATE_NAMES_MAX = NAMES_KNOWN + TEMPLATE_VARIABLES_MAX,
	TEMPLATE_DEPTH_MAX = 16,        /* of the JSON in a template */
	TEMPLATE_INPUT_DEPTH_MAX = 128, /* of the JSON in a message */
	TEMPLATE_INPUT_VALUES_MAX = 1 << 18,
	TEMPLATE_KEPT_MAX = 4,          /* {"$json": } that one match opens */
};

/* The variables of one dialect; a name is NAMES_KNOWN plus its index. Grows while its templates are parsed. */
struct template_names {
	const char *variable[TEMPLATE_VARIABLES_MAX];
	size_t n;
};
/* "channel", "TOKEN". */
const char *template_name_text(const struct template_names *names, size_t name);
const char *template_name_about(enum template_name name);

enum template_use {
	TEMPLATE_SAY,                   /* a message that is said: no $*, no {"$each": } */
	TEMPLATE_MATCH,
	TEMPLATE_LINE,                  /* said as part of a URL or as a header's value: no JSON; ? is itself */
};

struct template_part;
struct template_node;

struct template {
	const struct template_part *parts; /* text; in order */
	size_t n_parts;
	const struct template_node *json;  /* or NULL */
	uint64_t names, needs;             /* bits by name: all that it speaks of; those that may not be absent */
	const struct template_node *each;  /* T of {"$each": T}, or NULL */
	char opens;                        /* what the JSON begins with */
};

/*
 * Everything is kept in the arena; new variables go to `names`. -EINVAL with a sentence that says what was expected,
 * and at which character; -ENOMEM.
 */
int template_parse(struct span text, enum template_use use, struct template_names *names, struct arena *a,
		   const struct template **ret_template, struct err *e);
/* For `check` of an option row: the sentence of template_parse. */
int template_check_say(const char *text, struct err *e);
int template_check_match(const char *text, struct err *e);
int template_check_line(const char *text, struct err *e);

enum template_value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_TRUTH, VALUE_JSON };

struct template_value {
	enum template_value_kind kind;
	bool plain;                     /* in a URL: put in as it is; else percent-encoded */
	struct span text;               /* TEXT; JSON: as it is written, where `json` is NULL */
	uint64_t number;                /* NUMBER; TRUTH: 0 or 1 */
	const json_t *json;             /* JSON that was matched */
	char digits[24];                /* where `text` of a matched number is */
};

struct template_values {
	uint64_t set;                   /* bits by name */
	const struct template_values *given; /* of a match: variables that stand for their value; or NULL. TEXT only */
	struct template_value v[TEMPLATE_NAMES_MAX];
	json_t *kept[TEMPLATE_KEPT_MAX]; /* what {"$json": } opened, until the next match with these values */
	size_t n_kept;
	const json_t *each;             /* the array of {"$each": } */
};

static inline bool template_has(const struct template_values *values, size_t name)
{
	return values->set >> name & 1;
}

/* One message, with what was found out about it for all the templates that it is matched with. */
struct template_input {
	struct span text;
	size_t json_at;                 /* where `json` begins */
	json_t *json;                   /* NULL: none there */
	bool tried;
};
void template_input_init(struct template_input *in, struct span text);
void template_input_fini(struct template_input *in);
/* values: set up by template_values_init; their `set` is what this match found. They live as long as the input. */
bool template_match(const struct template *t, struct template_input *in, struct template_values *values);
/* Element i of {"$each": } of the last match, over what the message itself said. False: it does not match. */
size_t template_each_len(const struct template *t, const struct template_values *values);
bool template_each(const struct template *t, size_t i, const struct template_values *values,
		   struct template_values *element);
/* Without `given`. */
void template_values_init(struct template_values *values);
void template_values_fini(struct template_values *values);

/* TEXT: as it is. URL: values percent-encoded. HEADER: control characters are refused. */
enum template_into { TEMPLATE_INTO_TEXT, TEMPLATE_INTO_URL, TEMPLATE_INTO_HEADER };
/* Appends. -ENOENT: a value it needs is not set; -EILSEQ: not UTF-8, or not for a header; -ENOBUFS, -ENOMEM. */
int template_say(const struct template *t, const struct template_values *values, enum template_into into,
		 struct buf *b);

void template_set_text(struct template_values *values, size_t name, struct span text);
void template_set_number(struct template_values *values, size_t name, uint64_t number);
/* The JSON of a value as text: a string's content, else its JSON in one line. 0, -ENOBUFS, -ENOMEM. */
int template_value_text(const struct template_value *value, struct buf *b);
