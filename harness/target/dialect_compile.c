/*
 * A dialect's templates, parsed and looked over as a whole: a value that is said and can never be known, or a variable
 * that is kept and never used, is a word that was misspelt.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/limits.h"
#include "harness/base/near.h"
#include "harness/target/dialect_rules.h"

#define BIT(ID) (1ull << NAME_##ID)

struct compiler {
	struct dialect_rules *d;
	struct span text;               /* of the file */
	const char *name;               /* of the file */
	struct arena *arena;
	struct err *e;
	uint64_t said, heard;           /* names, of all templates */
};

/* Of a place in the text: its line and column from 1; columns of ASCII. */
static int fail_at(struct span text, const char *name, size_t at, struct err *e, const char *what)
{
	size_t line = 1, column = 1;
	for (size_t i = 0; i < at; i++) {
		column = text.p[i] == '\n' ? 1 : column + ((text.p[i] & 0xc0) != 0x80);
		line += text.p[i] == '\n';
	}
	return err_set(e, EINVAL, "%s:%zu:%zu: %s", name, line, column, what);
}

static bool is_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Where `word` stands as a whole word followed by `behind` (0: anything), from `at` on; text.len: nowhere. */
static size_t find_word(struct span text, size_t at, const char *word, char behind)
{
	size_t len = strlen(word);
	for (; at + len <= text.len; at++) {
		struct span next = span_sub(text, at + len, 1);
		if (memcmp(text.p + at, word, len) != 0 || (at && is_word(text.p[at - 1])))
			continue;
		if (behind ? next.len && next.p[0] == (uint8_t)behind : !next.len || !is_word(next.p[0]))
			return at;
	}
	return text.len;
}

/* "resume.say": the first `say:` behind the `resume:` that begins a line. The beginning, when it is nowhere. */
static size_t find_key(struct span text, const char *key)
{
	char word[64];
	size_t at = 0;
	for (bool first = true; *key; first = false) {
		size_t len = strcspn(key, ".");
		snprintf(word, sizeof(word), "%.*s", (int)len, key);
		size_t found = find_word(text, at, word, ':');
		while (first && found < text.len && found && text.p[found - 1] != '\n')
			found = find_word(text, found + 1, word, ':');
		if (found >= text.len)
			return at;
		at = found;
		key += len + (key[len] == '.');
	}
	return at;
}

int dialect_fail(struct span text, const char *name, const char *key, struct err *e, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return fail_at(text, name, find_key(text, key), e, what);
}

int dialect_fail_word(struct span text, const char *name, const char *word, struct err *e, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	size_t at = find_word(text, 0, word, 0);
	return fail_at(text, name, at < text.len ? at : 0, e, what);
}

#define FAIL(c, key, ...) dialect_fail((c)->text, (c)->name, key, (c)->e, __VA_ARGS__)

/* The options' `check` has seen the template; what is left to fail is the number of variables, and memory. */
static int parse(struct compiler *c, const char *text, enum template_use use, const char *key,
		 const struct template **ret)
{
	struct err why;
	if (!text)
		return 0;
	int r = template_parse(span_str(text), use, &c->d->names, c->arena, ret, &why);
	if (r < 0)
		return FAIL(c, key, "%s: %s", key, why.text);
	*(use == TEMPLATE_MATCH ? &c->heard : &c->said) |= (*ret)->names;
	return 0;
}

static int say(struct compiler *c, enum dialect_say id, const char *text, enum template_use use, const char *key,
	       uint64_t allowed)
{
	const struct template **t = &c->d->say[id];
	int r = parse(c, text, use, key, t);
	if (r < 0 || !*t)
		return r;
	uint64_t wrong = (*t)->names & ~(allowed | BIT(CLIENT) | BIT(SESSION)) & ((1ull << NAMES_KNOWN) - 1);
	for (size_t name = 0; name < NAMES_KNOWN; name++)
		if (wrong >> name & 1)
			return FAIL(c, key, "%s: $%s is not known when this is said", key,
				    template_name_text(&c->d->names, name));
	return 0;
}

static int hear(struct compiler *c, enum dialect_hear kind, const char *text, const char *key)
{
	struct dialect_rules *d = c->d;
	const struct template *t = NULL;
	int r = parse(c, text, TEMPLATE_MATCH, key, &t);
	if (r < 0 || !t)
		return r;
	if (d->n_rules == DIALECT_RULES_MAX)
		return FAIL(c, key, "%s: expected at most %d patterns in all", key, DIALECT_RULES_MAX);
	d->rules[d->n_rules++] = (struct dialect_rule){kind, t};
	d->hears[kind] = true;
	return 0;
}

static int hear_all(struct compiler *c, enum dialect_hear kind, const struct opt_strings *list, const char *key)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < list->len; i++)
		r = hear(c, kind, list->items[i], key);
	return r;
}

static int headers(struct compiler *c, const struct opt_map *map, const char *key, struct dialect_header *to,
		   size_t *ret_n)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	if (map->len > DIALECT_HEADERS_MAX)
		return FAIL(c, key, "%s: expected at most %d header fields", key, DIALECT_HEADERS_MAX);
	for (size_t i = 0; i < map->len; i++) {
		const char *field = map->items[i].key;
		if (!*field || field[strspn(field, token)])
			return FAIL(c, key, "%s: expected names of header fields", key);
		to[i].name = field;
		int r = parse(c, map->items[i].value, TEMPLATE_LINE, key, &to[i].value);
		if (r < 0)
			return r;
	}
	*ret_n = map->len;
	return 0;
}

static int parse_all(struct compiler *c)
{
	struct dialect_rules *d = c->d;
	const struct dialect_file *f = &d->file;
	int r = 0;
#define SAY(ID, field, key, names) \
	if (r == 0) \
		r = say(c, SAY_##ID, f->field, TEMPLATE_SAY, key, names);
#define LINE(ID, field, key, names) \
	if (r == 0) \
		r = say(c, LINE_##ID, f->field, TEMPLATE_LINE, key, names);
#define HEAR(ID, field, key) \
	if (r == 0) \
		r = hear(c, HEAR_##ID, f->field, key);
#define HEAR_ALL(ID, field, key) \
	if (r == 0) \
		r = hear_all(c, HEAR_##ID, &f->field, key);
#include "harness/target/dialect_patterns.def"
	if (r == 0)
		r = parse(c, f->resume.ok, TEMPLATE_MATCH, "resume.ok", &d->resumed);
	if (r == 0)
		r = parse(c, f->resume.lost, TEMPLATE_MATCH, "resume.lost", &d->lost);
	if (r == 0)
		r = parse(c, f->publish.http.ok, TEMPLATE_MATCH, "publish.http.ok", &d->http_ok);
	if (r == 0)
		r = parse(c, f->publish.http.fail, TEMPLATE_MATCH, "publish.http.fail", &d->http_fail);
	if (r == 0)
		r = headers(c, &f->connect.headers, "connect.headers", d->connect_headers, &d->n_connect_headers);
	if (r == 0)
		r = headers(c, &f->resume.headers, "resume.headers", d->resume_headers, &d->n_resume_headers);
	return r;
}

/* Every variable is given by the file or kept from what is heard, and said somewhere. */
static int check_variables(struct compiler *c)
{
	const struct template_names *names = &c->d->names;
	const struct opt_map *given = &c->d->file.variables;
	if (given->len > TEMPLATE_VARIABLES_MAX)
		return FAIL(c, "variables", "variables: expected at most %d", TEMPLATE_VARIABLES_MAX);
	for (size_t i = 0; i < given->len; i++)
		if (strspn(given->items[i].key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != strlen(given->items[i].key))
			return dialect_fail_word(c->text, c->name, given->items[i].key, c->e,
						 "variables: expected a name in CAPITALS, not \"%s\"", given->items[i].key);
	for (size_t i = 0; i < names->n; i++) {
		const char *word = names->variable[i], *others[TEMPLATE_VARIABLES_MAX];
		uint64_t bit = 1ull << (NAMES_KNOWN + i);
		if (opt_map_get(given, word) || (c->said & c->heard & bit))
			continue;
		for (size_t k = 0; k < names->n; k++)
			others[k] = k == i ? NULL : names->variable[k];
		const char *near = near_word(word, others, names->n);
		const char *why = c->said & bit ? "is said, but neither heard nor among `variables`"
						: "is heard, but never said; $* stands for what is of no interest";
		const char *shown = arena_printf(c->arena, "$%s", word);
		if (near)
			return dialect_fail_word(c->text, c->name, shown ? shown : word, c->e, "$%s %s; did you mean $%s?",
						 word, why, near);
		return dialect_fail_word(c->text, c->name, shown ? shown : word, c->e, "$%s %s", word, why);
	}
	return 0;
}

/* What a delivered message must tell, by how channels are named and where a client stands. */
static int check_deliver(struct compiler *c)
{
	const struct dialect_rules *d = c->d;
	for (size_t i = 0; i < d->n_rules; i++) {
		const struct template *t = d->rules[i].pattern;
		if (d->rules[i].kind != HEAR_DELIVER)
			continue;
		if (!(t->names & BIT(DATA)))
			return FAIL(c, "deliver", "deliver: expected $data in each of them");
		if (d->file.channel_by == DIALECT_CHANNEL_BY_MESSAGE && !(t->names & (BIT(CHANNEL) | BIT(ID))))
			return FAIL(c, "deliver", "deliver: expected $channel, or the $id of its subscription, in each of them");
	}
	if (!d->hears[HEAR_DELIVER])
		return FAIL(c, "dialect", "expected `deliver`: nothing else says how a message comes");
	bool numbered = d->file.cursor.kind == DIALECT_CURSOR_NUMERIC || d->file.cursor.kind == DIALECT_CURSOR_GAPPY;
	if (numbered && !(c->heard & BIT(SEQ)))
		return FAIL(c, "cursor.kind", "cursor.kind: expected $seq in what is heard");
	if (d->file.cursor.kind == DIALECT_CURSOR_OPAQUE && !(c->heard & BIT(CURSOR)))
		return FAIL(c, "cursor.kind", "cursor.kind: expected $cursor in what is heard");
	return 0;
}

static int check_resume(struct compiler *c)
{
	static const char *const words[] = {"nothing", "subscribe", "connect", "query", "header"};
	const struct dialect_rules *d = c->d;
	int by = d->file.resume.by;
	bool say = d->say[SAY_RESUME], query = d->say[LINE_RESUME_QUERY], header = d->n_resume_headers;
	bool wants_say = by == RESUME_BY_SUBSCRIBE || by == RESUME_BY_CONNECT;
	if ((d->resumed && d->resumed->names & BIT(RECOVERED)) || (d->lost && d->lost->names & BIT(RECOVERED)))
		return FAIL(c, "resume", "resume: $recovered is read in `subscribe.ok` or `connect.ok`; `resume.ok` and `resume.lost` "
			    "are for answers that tell it in another way, and match only those");
	if (say != wants_say)
		return FAIL(c, "resume", "resume: expected %s with `by: %s`", wants_say ? "`say`" : "no `say`", words[by]);
	if (query != (by == RESUME_BY_QUERY))
		return FAIL(c, "resume", "resume: expected %s with `by: %s`", query ? "no `query`" : "`query`", words[by]);
	if (header != (by == RESUME_BY_HEADER))
		return FAIL(c, "resume", "resume: expected %s with `by: %s`", header ? "no `headers`" : "`headers`", words[by]);
	return 0;
}

static int check_parts(struct compiler *c)
{
	const struct dialect_rules *d = c->d;
	const struct dialect_file *f = &d->file;
	if ((f->channel_by == DIALECT_CHANNEL_BY_URL) != !!f->url)
		return FAIL(c, "channel_by", "channel_by: `url` goes with `channel_by: url`, and only with that");
	if ((f->transport == DIALECT_ADAPTER) != !!f->adapter.len)
		return FAIL(c, "transport", "transport: `adapter` goes with `transport: adapter`, and only with that");
	if (f->subscribe.then && !f->subscribe.ok)
		return FAIL(c, "subscribe.then", "subscribe.then: expected the answer to it in `subscribe.ok`");
	if (f->connect.after && !f->connect.say)
		return FAIL(c, "connect.after", "connect.after: expected `connect.say`, which waits for it");
	if (f->heartbeat.answer && !f->heartbeat.hear)
		return FAIL(c, "heartbeat", "heartbeat: expected `hear`, which `answer` answers");
	if (!f->heartbeat.say != !f->heartbeat.every_ms)
		return FAIL(c, "heartbeat", "heartbeat: `say` and `every` belong together");
	if (f->publish.say && f->publish.http.target)
		return FAIL(c, "publish", "publish: expected `say` or `http`, not both");
	if (f->publish.subscribed && !f->publish.say)
		return FAIL(c, "publish.subscribed", "publish.subscribed: expected `publish.say`, which it is about");
	if ((f->publish.http.sign != SIGN_NOTHING) != !!f->publish.http.key || !f->publish.http.key != !f->publish.http.secret)
		return FAIL(c, "publish.http", "publish.http: `sign`, `key` and `secret` belong together");
	const struct dialect_code *codes = f->codes.items;
	for (size_t i = 0; i < f->codes.len; i++)
		if (codes[i].to && codes[i].to < codes[i].from)
			return FAIL(c, "codes", "codes: expected `to` not below `from`");
	if (!*f->name || strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(f->name) ||
	    strlen(f->name) > DIALECT_ID_MAX)
		return FAIL(c, "dialect", "dialect: expected a name of small letters, digits, '-', '_', '.', at most %d of them",
			    DIALECT_ID_MAX);
	return 0;
}

int dialect_compile(struct dialect_rules *d, struct span text, const char *name, struct arena *a, struct err *e)
{
	struct compiler c = {.d = d, .text = text, .name = name, .arena = a, .e = e};
	int r = parse_all(&c);
	if (r == 0)
		r = check_parts(&c);
	if (r == 0)
		r = check_resume(&c);
	if (r == 0)
		r = check_deliver(&c);
	if (r == 0)
		r = check_variables(&c);
	return r;
}
