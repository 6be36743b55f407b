/* --help, the catalogue in markdown and the entries of a man page: three views of the same rows. */
#include <string.h>

#include "harness/base/opt_internal.h"

enum {
	HELP_COLUMN = 30,
	HELP_WIDTH = 100,
	DOC_MAX = 1 << 20,
	ROW_MAX = 64 << 10,
	METAVAR_CHOICES_MAX = 24,
	DEPTH_MAX = CONF_DEPTH_MAX
};

static const char *default_metavar(const struct opt *o)
{
	static const char *const words[] = {
		[OPT_STRING] = "TEXT",       [OPT_INT] = "N",     [OPT_U64] = "N",     [OPT_SIZE] = "SIZE",
		[OPT_DURATION] = "DURATION", [OPT_RATE] = "RATE", [OPT_ENUM] = "WORD", [OPT_STRINGS] = "TEXT",
		[OPT_MAP] = "KEY=VALUE",     [OPT_MICROS] = "DURATION", [OPT_PERCENT] = "PERCENT",
	};
	return words[o->type];
}

/* TEXT, a|b|c where that is short, LIST where commas split. */
static void print_metavar(const struct opt *o, struct buf *b)
{
	size_t before = b->len;
	if (o->metavar) {
		buf_printf(b, "%s", o->metavar);
		return;
	}
	if (o->type == OPT_ENUM) {
		opt_words(o, b, "|");
		if (b->len - before <= METAVAR_CHOICES_MAX)
			return;
		b->len = before;
	}
	buf_printf(b, "%s", o->flags & OPT_COMMAS ? "LIST" : default_metavar(o));
}

static void next_detail(struct buf *b, bool *first)
{
	buf_printf(b, !*first ? "; " : b->len ? " (" : "(");
	*first = false;
}

/* What the row says beyond its help line: "(one of a, b; 1 to 1024; default 64; required)". */
static void print_details(const struct opt *o, enum opt_place place, struct buf *b)
{
	bool first = true, list = o->type == OPT_STRINGS || o->type == OPT_MAP;
	if (o->flags & OPT_REQUIRED) {
		next_detail(b, &first);
		buf_printf(b, "required");
	}
	if (o->type == OPT_ENUM) {
		next_detail(b, &first);
		buf_printf(b, "one of ");
		opt_words(o, b, ", ");
	}
	if (o->min || o->max) {
		next_detail(b, &first);
		opt_bounds(o, b);
	}
	if (list && place == OPT_ON_COMMAND_LINE) {
		next_detail(b, &first);
		buf_printf(b, o->flags & OPT_COMMAS ? "repeatable, or split by commas" : "repeatable");
	}
	if (o->def && !(o->flags & OPT_SECRET) && !(o->type == OPT_FLAG && strcmp(o->def, "false") == 0)) {
		next_detail(b, &first);
		buf_printf(b, "default %s", o->def);
	}
	buf_printf(b, first ? "" : ")");
}

static bool is_on(const struct opt *o)
{
	return o->type == OPT_FLAG && o->def && strcmp(o->def, "true") == 0;
}

/* "-j, --jobs N"; a flag that is on by default is shown by what turns it off. */
static void print_usage(const struct opt *o, struct buf *b)
{
	if (o->letter)
		buf_printf(b, "-%c, ", o->letter);
	buf_printf(b, is_on(o) ? "--no-" : "--");
	opt_print_name(b, o->name, OPT_ON_COMMAND_LINE);
	if (o->type == OPT_FLAG)
		return;
	buf_printf(b, " ");
	print_metavar(o, b);
}

/* Words of `text` from column `column` on, broken before HELP_WIDTH, each line indented to HELP_COLUMN. */
static void wrap(const char *text, size_t column, struct buf *b)
{
	bool fresh = true;
	while (*text) {
		size_t len = strcspn(text, " ");
		if (!fresh && column + 1 + len > HELP_WIDTH) {
			buf_printf(b, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
			fresh = true;
		}
		buf_printf(b, "%s%.*s", fresh ? "" : " ", (int)len, text);
		column += len + !fresh;
		fresh = false;
		text += len;
		text += strspn(text, " ");
	}
}

/* "latency=DURATION" */
static void print_pair(const struct opt *o, struct buf *b)
{
	buf_printf(b, "%s=", o->name);
	if (o->type == OPT_FLAG)
		buf_printf(b, "true|false");
	else
		print_metavar(o, b);
}

static void help_row(const struct opt *o, enum opt_place place, struct buf *out)
{
	struct buf left CLEANUP(buf_fini) = {0}, right CLEANUP(buf_fini) = {0};
	buf_init(&left, DOC_MAX);
	buf_init(&right, DOC_MAX);
	buf_printf(&left, o->letter && place == OPT_ON_COMMAND_LINE ? "  " : "      ");
	(place == OPT_ON_COMMAND_LINE ? print_usage : print_pair)(o, &left);
	buf_printf(&right, "%s", o->help ? o->help : "");
	print_details(o, place, &right);
	buf_append_span(out, buf_span(&left));
	if (left.len + 2 > HELP_COLUMN)
		buf_printf(out, "\n%*s", HELP_COLUMN, "");
	else
		buf_printf(out, "%*s", (int)(HELP_COLUMN - left.len), "");
	wrap(buf_cstr(&right), HELP_COLUMN, out);
	buf_printf(out, "\n");
}

/*
 * Rows are printed without looking at each result; a row that did not fit shows here, by too little room for another.
 */
static int deliver(struct buf *whole, struct buf *to)
{
	if (whole->len > DOC_MAX - ROW_MAX)
		return -ENOBUFS;
	return buf_append_span(to, buf_span(whole));
}

static int print_help(const struct opt *table, enum opt_place place, struct buf *b)
{
	struct buf whole CLEANUP(buf_fini) = {0};
	buf_init(&whole, DOC_MAX);
	for (const struct opt *o = table; o->name; o++)
		if (opt_is_in(o, place))
			help_row(o, place, &whole);
	return deliver(&whole, b);
}

int opt_help(const struct opt *table, struct buf *b)
{
	return print_help(table, OPT_ON_COMMAND_LINE, b);
}

int opt_help_keys(const struct opt *table, struct buf *b)
{
	return print_help(table, OPT_IN_FILE, b);
}

/* In a table cell a bar would end it, and a tag would be one. */
static void print_cell(const char *text, struct buf *b)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_printf(b, "\\|");
		else if (*text == '<')
			buf_printf(b, "&lt;");
		else
			buf_append_u8(b, (uint8_t)*text);
	}
}

static const char *const file_types[] = {
	[OPT_FLAG] = "true, false",    [OPT_STRING] = "text",     [OPT_INT] = "whole number",
	[OPT_U64] = "whole number",    [OPT_SIZE] = "size",       [OPT_DURATION] = "duration",
	[OPT_RATE] = "rate",           [OPT_ENUM] = "word",       [OPT_STRINGS] = "list",
	[OPT_MICROS] = "duration",     [OPT_PERCENT] = "percent",
	[OPT_MAP] = "names and texts", [OPT_SECTION] = "section", [OPT_SECTIONS] = "list of sections",
	[OPT_CALLS] = "list of names",
};

typedef void row_printer(const struct opt *o, const char *path, enum opt_place place, struct buf *b);

static void walk(const struct opt *table, const char *prefix, enum opt_place place, row_printer *print, int depth,
		 struct buf *b)
{
	for (const struct opt *o = table; o->name; o++) {
		struct buf path CLEANUP(buf_fini) = {0};
		if (!opt_is_in(o, place))
			continue;
		buf_init(&path, ERR_TEXT_MAX);
		buf_printf(&path, "%s%s", prefix, o->name);
		print(o, buf_cstr(&path), place, b);
		bool part = o->type == OPT_SECTION || o->type == OPT_SECTIONS;
		buf_printf(&path, o->type == OPT_SECTIONS ? "[]." : ".");
		if (part && depth < DEPTH_MAX)
			walk(o->sub, buf_cstr(&path), place, print, depth + 1, b);
	}
}

/* Appends what the row is called in this place, and behind it what it takes. */
static void print_subject(const struct opt *o, const char *path, enum opt_place place, struct buf *b)
{
	if (place == OPT_ON_COMMAND_LINE)
		print_usage(o, b);
	else
		buf_printf(b, "%s", path);
}

static void markdown_row(const struct opt *o, const char *path, enum opt_place place, struct buf *b)
{
	struct buf cell CLEANUP(buf_fini) = {0};
	buf_init(&cell, DOC_MAX);
	buf_printf(b, "| `");
	print_subject(o, path, place, &cell);
	print_cell(buf_cstr(&cell), b);
	buf_printf(b, "` | ");
	if (place == OPT_IN_FILE)
		buf_printf(b, "%s | ", file_types[o->type]);
	cell.len = 0;
	buf_printf(&cell, "%s", o->help ? o->help : "");
	print_details(o, place, &cell);
	print_cell(buf_cstr(&cell), b);
	buf_printf(b, " |\n");
}

int opt_markdown(const struct opt *table, enum opt_place place, struct buf *b)
{
	struct buf whole CLEANUP(buf_fini) = {0};
	buf_init(&whole, DOC_MAX);
	buf_printf(&whole, place == OPT_IN_FILE ? "| key | value | meaning |\n|---|---|---|\n"
						: "| option | meaning |\n|---|---|\n");
	walk(table, "", place, markdown_row, 1, &whole);
	return deliver(&whole, b);
}

/* A dash is a minus in roff, a backslash its escape, and a dot or quote that begins a line a request. */
static void print_roff(const char *text, struct buf *b)
{
	if (*text == '.' || *text == '\'')
		buf_printf(b, "\\&");
	for (; *text; text++) {
		if (*text == '-')
			buf_printf(b, "\\-");
		else if (*text == '\\')
			buf_printf(b, "\\e");
		else
			buf_append_u8(b, (uint8_t)*text);
	}
}

static void man_row(const struct opt *o, const char *path, enum opt_place place, struct buf *b)
{
	struct buf text CLEANUP(buf_fini) = {0};
	buf_init(&text, DOC_MAX);
	print_subject(o, path, place, &text);
	buf_printf(b, ".TP\n\\fB");
	print_roff(buf_cstr(&text), b);
	buf_printf(b, "\\fR\n");
	text.len = 0;
	buf_printf(&text, "%s", o->help ? o->help : "");
	print_details(o, place, &text);
	print_roff(buf_cstr(&text), b);
	buf_printf(b, "\n");
}

int opt_man(const struct opt *table, enum opt_place place, struct buf *b)
{
	struct buf whole CLEANUP(buf_fini) = {0};
	buf_init(&whole, DOC_MAX);
	walk(table, "", place, man_row, 1, &whole);
	return deliver(&whole, b);
}
