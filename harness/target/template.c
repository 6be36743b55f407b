/*
 * Parses templates. A dialect file is written by hand by somebody who has a protocol to learn, so that a mistake is told
 * with its place and the word that was probably meant.
 */
#include "harness/target/template.h"

#include <string.h>

#include "harness/base/limits.h"
#include "harness/base/near.h"
#include "harness/target/session.h"
#include "harness/target/template_parse.h"

static const struct {
	const char *name;
	enum template_name_kind kind;
	size_t octets;
	const char *about;
} known[] = {
#define NAME(ID, name, kind, octets, about) {name, KIND_##kind, octets, about},
#include "harness/target/template_names.def"
#undef NAME
};

_Static_assert(TEMPLATE_NAMES_MAX <= 64, "names are bits of a 64-bit number");

const char *template_name_text(const struct template_names *names, size_t name)
{
	return name < NAMES_KNOWN ? known[name].name : names->variable[name - NAMES_KNOWN];
}

const char *template_name_about(enum template_name name)
{
	return known[name].about;
}

enum template_name_kind template_name_kind(int name)
{
	return name < NAMES_KNOWN ? known[name].kind : KIND_ANY;
}

size_t template_name_octets(int name)
{
	return name < NAMES_KNOWN ? known[name].octets : SESSION_CURSOR_MAX;
}

int template_no_memory(struct template_parser *p)
{
	return err_set(p->e, ENOMEM, "a template needs more memory than is allowed");
}

static const char lower[] = "abcdefghijklmnopqrstuvwxyz_";
static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

static size_t letters(struct span s, const char *of)
{
	size_t n = 0;
	while (n < s.len && s.p[n] && strchr(of, s.p[n]))
		n++;
	return n;
}

static int variable(struct template_parser *p, struct span word)
{
	struct template_names *names = p->names;
	for (size_t i = 0; i < names->n; i++)
		if (span_eq(span_str(names->variable[i]), word))
			return NAMES_KNOWN + (int)i;
	if (names->n == TEMPLATE_VARIABLES_MAX)
		return err_set(p->e, EINVAL, "expected at most %d variables", TEMPLATE_VARIABLES_MAX);
	struct span copy = arena_span(p->arena, word);
	if (!copy.p)
		return template_no_memory(p);
	names->variable[names->n] = (const char *)copy.p;
	return NAMES_KNOWN + (int)names->n++;
}

static int unknown_name(struct template_parser *p, struct span word)
{
	const char *words[NAMES_KNOWN];
	char text[NEAR_WORD_MAX + 1] = "";
	memcpy(text, word.p, word.len < NEAR_WORD_MAX ? word.len : NEAR_WORD_MAX);
	for (size_t i = 0; i < NAMES_KNOWN; i++)
		words[i] = known[i].name;
	const char *near = near_word(text, words, NAMES_KNOWN);
	if (near)
		return err_set(p->e, EINVAL, "unknown value $%s, did you mean $%s?", text, near);
	return err_set(p->e, EINVAL,
		       "unknown value $%s; a variable of your own is written in CAPITALS, and the values are: channel, id, "
		       "seq, newest, epoch, cursor, data, key, recovered, session, code, reason, client", text);
}

/* What stands behind a '$' that is no "$$": its name, and the octets it takes. */
static int parse_name(struct template_parser *p, struct span at, struct template_part *ret, size_t *ret_len)
{
	size_t len = letters(at, lower);
	if (at.len && at.p[0] == '*') {
		*ret = (struct template_part){.name = PART_ANYTHING, .optional = true};
		*ret_len = 1;
		p->anything = true;
		return 0;
	}
	int name = -1;
	if (len) {
		for (size_t i = 0; i < NAMES_KNOWN; i++)
			if (span_eq(span_str(known[i].name), span_sub(at, 0, len)))
				name = (int)i;
		if (name < 0)
			return unknown_name(p, span_sub(at, 0, len));
	} else {
		len = letters(at, upper);
		if (len == 0 || at.p[0] < 'A')
			return err_set(p->e, EINVAL, "expected a name behind $ ($$ stands for $ itself)");
		name = variable(p, span_sub(at, 0, len));
		if (name < 0)
			return name;
	}
	bool optional = p->use != TEMPLATE_LINE && len < at.len && at.p[len] == '?';
	*ret = (struct template_part){.name = name, .optional = optional};
	*ret_len = len + optional;
	p->t->names |= 1ull << name;
	if (!optional)
		p->t->needs |= 1ull << name;
	return 0;
}

/* The literal text at the beginning, with $$ replaced. */
static int parse_literal(struct template_parser *p, struct span text, struct template_part *ret, size_t *ret_len)
{
	uint8_t *copy = arena_alloc(p->arena, text.len + 1);
	size_t len = 0, at = 0;
	if (!copy)
		return template_no_memory(p);
	while (at < text.len && (text.p[at] != '$' || (at + 1 < text.len && text.p[at + 1] == '$'))) {
		at += text.p[at] == '$';
		copy[len++] = text.p[at++];
	}
	*ret = (struct template_part){.name = PART_LITERAL, .literal = span_of(copy, len)};
	*ret_len = at;
	return 0;
}

/* Where would the first one end? */
static bool touches(const struct template_part *before, const struct template_part *part)
{
	if (before->name == PART_LITERAL || part->name == PART_LITERAL)
		return false;
	if (before->name >= NAMES_KNOWN || part->name >= NAMES_KNOWN)
		return false;
	bool digits = before->name >= 0 && template_name_kind(before->name) == KIND_NUMBER;
	return !digits || (part->name >= 0 && template_name_kind(part->name) == KIND_NUMBER);
}

int template_parse_parts(struct template_parser *p, struct span text, struct template_part **ret, size_t *ret_n)
{
	size_t n = 0, most = 1;
	for (size_t i = 0; i < text.len; i++)
		most += 2 * (text.p[i] == '$');
	struct template_part *parts = arena_alloc(p->arena, most * sizeof(*parts));
	if (!parts)
		return template_no_memory(p);
	for (size_t at = 0, len = 0; at < text.len; at += len) {
		struct span rest = span_sub(text, at, text.len);
		bool hole = rest.p[0] == '$' && !(rest.len > 1 && rest.p[1] == '$');
		int r = hole ? parse_name(p, span_sub(rest, 1, rest.len), &parts[n], &len)
			     : parse_literal(p, rest, &parts[n], &len);
		if (r < 0)
			return r;
		len += hole;
		if (p->use == TEMPLATE_MATCH && n && touches(&parts[n - 1], &parts[n]))
			return err_set(p->e, EINVAL, "expected text between two values that are side by side");
		n++;
	}
	*ret = parts;
	*ret_n = n;
	return 0;
}

static int check_use(struct template_parser *p)
{
	if (p->use != TEMPLATE_MATCH && p->anything)
		return err_set(p->e, EINVAL, "expected a message to say; $* is for what is heard");
	if (p->use != TEMPLATE_MATCH && p->t->each)
		return err_set(p->e, EINVAL, "expected a message to say; {\"$each\": } is for what is heard");
	return 0;
}

int template_parse(struct span text, enum template_use use, struct template_names *names, struct arena *a,
		   const struct template **ret_template, struct err *e)
{
	struct template_parser p = {.names = names, .arena = a, .use = use, .e = e};
	size_t json = 0;
	struct template_part *parts = NULL;
	p.t = ARENA_NEW(a, struct template);
	if (!p.t)
		return template_no_memory(&p);
	while (json < text.len && (use == TEMPLATE_LINE || (text.p[json] != '{' && text.p[json] != '[')))
		json++;
	int r = template_parse_parts(&p, span_sub(text, 0, json), &parts, &p.t->n_parts);
	p.t->parts = parts;
	if (r == 0 && json < text.len) {
		p.t->opens = (char)text.p[json];
		r = template_parse_json(&p, span_sub(text, json, text.len), json);
	}
	if (r == 0)
		r = check_use(&p);
	if (r == 0)
		*ret_template = p.t;
	return r;
}

enum { CHECK_ARENA_MAX = 16 << 20 };

static int check(const char *text, enum template_use use, struct err *e)
{
	struct template_names names = {0};
	const struct template *t;
	struct arena a;
	arena_init(&a, CHECK_ARENA_MAX);
	int r = template_parse(span_str(text), use, &names, &a, &t, e);
	arena_fini(&a);
	return r;
}

int template_check_say(const char *text, struct err *e)
{
	return check(text, TEMPLATE_SAY, e);
}

int template_check_match(const char *text, struct err *e)
{
	return check(text, TEMPLATE_MATCH, e);
}

int template_check_line(const char *text, struct err *e)
{
	return check(text, TEMPLATE_LINE, e);
}
