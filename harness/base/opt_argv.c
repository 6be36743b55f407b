/*
 * The command line by table: getopt_long would need every option a second time, in its own shape, and cannot name the
 * nearest known one.
 */
#include <assert.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/base/opt_internal.h"
#include "harness/base/rune.h"

struct reader {
	const struct opt *table;
	int argc, at; /* at is behind the argument being read */
	char *const *argv;
	void *to;
	struct arena *arena;
	struct err *e;
	bool given[OPT_ROWS_MAX];
	bool stopped;
	struct opt_strings positional;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory for the command line");
}

/* Puts "--name: " in front of the sentence `why`. */
static int fail(struct reader *r, const struct opt *o, int code, const char *why)
{
	struct buf name CLEANUP(buf_fini) = {0};
	buf_init(&name, ERR_TEXT_MAX);
	opt_print_name(&name, o->name, OPT_ON_COMMAND_LINE);
	return err_set(r->e, code, "--%s: %s", buf_cstr(&name), why);
}

static int take(struct reader *r, const struct opt *o, const char *text)
{
	struct err why;
	size_t row = (size_t)(o - r->table);
	if (!r->given[row])
		opt_clear(o, r->to);
	int result = opt_set_commas(o, r->to, text, r->arena, &why);
	if (result < 0)
		return fail(r, o, -result, why.text);
	r->given[row] = true;
	opt_mark_seen(o, r->to);
	if (o->type == OPT_FLAG && (o->flags & OPT_STOP))
		r->stopped = true;
	return 0;
}

static int take_next(struct reader *r, const struct opt *o)
{
	struct buf why CLEANUP(buf_fini) = {0};
	if (r->at < r->argc)
		return take(r, o, r->argv[r->at++]);
	buf_init(&why, ERR_TEXT_MAX);
	buf_printf(&why, "expected ");
	if (o->type == OPT_MAP)
		buf_printf(&why, "key=value");
	else if (o->type == OPT_STRINGS)
		buf_printf(&why, "text");
	else
		opt_expected(o, &why);
	buf_printf(&why, " behind it");
	return fail(r, o, EINVAL, buf_cstr(&why));
}

static int read_long(struct reader *r, const char *arg)
{
	size_t len = strcspn(arg, "=");
	const char *value = arg[len] ? arg + len + 1 : NULL;
	struct span copy = arena_span(r->arena, span_of(arg, len));
	const char *name = (const char *)copy.p;
	if (!name)
		return no_memory(r->e);
	const struct opt *o = opt_find(r->table, name, OPT_ON_COMMAND_LINE);
	if (!o && strncmp(name, "no-", 3) == 0) {
		o = opt_find(r->table, name + 3, OPT_ON_COMMAND_LINE);
		if (o && o->type == OPT_FLAG)
			return value ? fail(r, o, EINVAL, "expected no value behind --no-") : take(r, o, "false");
		o = NULL;
	}
	if (!o)
		return opt_unknown(r->table, name, OPT_ON_COMMAND_LINE, r->e);
	if (value)
		return take(r, o, value);
	return o->type == OPT_FLAG ? take(r, o, "true") : take_next(r, o);
}

static const struct opt *find_letter(const struct opt *table, char letter)
{
	for (const struct opt *o = table; o->name; o++)
		if (o->letter == letter && opt_is_in(o, OPT_ON_COMMAND_LINE))
			return o;
	return NULL;
}

static int unknown_letter(struct reader *r, const char *at)
{
	struct buf shown CLEANUP(buf_fini) = {0};
	uint32_t c;
	size_t len = rune_decode(span_str(at), &c);
	buf_init(&shown, ERR_TEXT_MAX);
	escape_text(&shown, span_of(at, len ? len : 1));
	return err_set(r->e, EINVAL, "unknown option -%s; --help lists the known ones", buf_cstr(&shown));
}

/* The letters behind one dash: flags, then at most one that takes what is left, or the next argument. */
static int read_letters(struct reader *r, const char *letters)
{
	for (const char *at = letters; *at; at++) {
		const struct opt *o = find_letter(r->table, *at);
		if (!o)
			return unknown_letter(r, at);
		if (o->type != OPT_FLAG)
			return at[1] ? take(r, o, at + 1) : take_next(r, o);
		int result = take(r, o, "true");
		if (result < 0 || r->stopped)
			return result;
	}
	return 0;
}

static int read_positional(struct reader *r, char *arg)
{
	void *items = r->positional.items;
	const char **item = opt_grow(&items, &r->positional.len, &r->positional.cap, sizeof(*item), r->arena);
	r->positional.items = items;
	if (!item)
		return no_memory(r->e);
	*item = arg;
	return 0;
}

static bool has_value(const struct opt *o, const void *to)
{
	const void *p = (const char *)to + o->offset;
	if (o->seen && *(const bool *)((const char *)to + o->seen - 1))
		return true;
	if (o->type == OPT_STRING)
		return *(const char *const *)p != NULL;
	if (o->type == OPT_STRINGS)
		return ((const struct opt_strings *)p)->len > 0;
	return o->type == OPT_MAP && ((const struct opt_map *)p)->len > 0;
}

static int check_required(struct reader *r)
{
	for (const struct opt *o = r->table; o->name; o++) {
		bool required = (o->flags & OPT_REQUIRED) && opt_is_in(o, OPT_ON_COMMAND_LINE);
		if (required && !r->given[o - r->table] && !has_value(o, r->to))
			return fail(r, o, EINVAL, "is required and missing");
	}
	return 0;
}

static int read_all(struct reader *r)
{
	bool only_positional = false;
	while (r->at < r->argc && !r->stopped) {
		char *arg = r->argv[r->at++];
		int result;
		if (only_positional || arg[0] != '-' || arg[1] == 0)
			result = read_positional(r, arg);
		else if (arg[1] != '-')
			result = read_letters(r, arg + 1);
		else if (arg[2])
			result = read_long(r, arg + 2);
		else
			result = 0, only_positional = true;
		if (result < 0)
			return result;
	}
	return r->stopped ? 0 : check_required(r);
}

int opt_parse_argv(const struct opt *table, int argc, char *const *argv, void *to, struct arena *a,
		   struct opt_strings *ret_positional, struct err *e)
{
	struct reader r = {.table = table, .argc = argc, .argv = argv, .to = to, .arena = a, .e = e};
	size_t rows = 0;
	while (table[rows].name)
		rows++;
	assert(rows <= OPT_ROWS_MAX);
	int result = read_all(&r);
	if (result < 0)
		return result;
	*ret_positional = r.positional;
	return 0;
}
