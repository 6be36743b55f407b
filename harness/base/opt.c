/* What a row means, in words and as defaults; opt_set.c turns texts into fields. */
#include "harness/base/opt_internal.h"

#include <assert.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/base/near.h"
#include "harness/base/unit.h"

enum { SHOWN_MAX = 60, SENTENCE_MAX = 4096 };

static void *field(const struct opt *o, void *to)
{
	return (char *)to + o->offset;
}

static const char *bounds_word(const struct opt *o)
{
	switch (o->type) {
	case OPT_SIZE:
		return "a size";
	case OPT_DURATION:
	case OPT_MICROS:
		return "a duration";
	case OPT_RATE:
		return "a rate";
	default:
		return "a whole number";
	}
}

static int print_quantity(const struct opt *o, uint64_t value, struct buf *b)
{
	switch (o->type) {
	case OPT_SIZE:
		return unit_size_print(b, value);
	case OPT_DURATION:
		return unit_duration_print(b, value);
	case OPT_MICROS:
		return unit_micros_print(b, value);
	case OPT_RATE:
		return unit_rate_print(b, (double)value);
	case OPT_U64:
		return buf_printf(b, "%llu", (unsigned long long)value);
	default:
		return buf_printf(b, "%lld", (long long)value);
	}
}

int opt_bounds(const struct opt *o, struct buf *b)
{
	int r = 0;
	if (o->min == 0 && o->max == 0)
		return 0;
	if (o->max == INT64_MAX) {
		r = buf_printf(b, "at least ");
		return r < 0 ? r : print_quantity(o, (uint64_t)o->min, b);
	}
	if (o->min == o->max)
		return print_quantity(o, (uint64_t)o->min, b);
	r = print_quantity(o, (uint64_t)o->min, b);
	if (r == 0)
		r = buf_printf(b, " to ");
	return r < 0 ? r : print_quantity(o, (uint64_t)o->max, b);
}

/* Fills e with what the unit parser expects; an empty text is never right. */
bool opt_has_unit(const struct opt *o)
{
	return o->type == OPT_SIZE || o->type == OPT_DURATION || o->type == OPT_MICROS || o->type == OPT_RATE ||
	       o->type == OPT_PERCENT;
}

static void unit_sentence(const struct opt *o, struct err *e)
{
	uint64_t whole;
	double rate;
	if (o->type == OPT_SIZE)
		unit_size_parse((struct span){0}, &whole, e);
	else if (o->type == OPT_DURATION)
		unit_duration_parse((struct span){0}, &whole, e);
	else if (o->type == OPT_MICROS)
		unit_micros_parse((struct span){0}, &whole, e);
	else if (o->type == OPT_PERCENT)
		unit_percent_parse((struct span){0}, &rate, e);
	else
		unit_rate_parse((struct span){0}, &rate, e);
}

static int expected_number(const struct opt *o, struct buf *b)
{
	struct err e;
	int r = buf_printf(b, "%s", bounds_word(o));
	if (opt_has_unit(o)) {
		unit_sentence(o, &e);
		b->len -= strlen(bounds_word(o));
		r = buf_printf(b, "%s", e.text + strlen("expected "));
	}
	if (r < 0 || (o->min == 0 && o->max == 0))
		return r;
	r = buf_printf(b, o->type == OPT_INT || o->type == OPT_U64 ? ", " : ", and ");
	return r < 0 ? r : opt_bounds(o, b);
}

int opt_words(const struct opt *o, struct buf *b, const char *between)
{
	int r = 0;
	for (size_t i = 0; r == 0 && o->choices[i]; i++)
		r = buf_printf(b, "%s%s", i ? between : "", o->choices[i]);
	return r;
}

int opt_expected(const struct opt *o, struct buf *b)
{
	static const char *const words[] = {
		[OPT_FLAG] = "true or false",
		[OPT_STRING] = "text",
		[OPT_STRINGS] = "a list of texts",
		[OPT_MAP] = "a mapping of names to texts",
		[OPT_SECTION] = "a mapping",
		[OPT_SECTIONS] = "a list of mappings",
		[OPT_CALLS] = "a list of names, each alone or with its own keys",
	};
	if (o->type == OPT_ENUM) {
		int r = buf_printf(b, "one of ");
		return r < 0 ? r : opt_words(o, b, ", ");
	}
	if (o->type < ARRAY_LEN(words) && words[o->type])
		return buf_printf(b, "%s", words[o->type]);
	return expected_number(o, b);
}

void opt_clear(const struct opt *o, void *to)
{
	void *p = field(o, to);
	if (o->type == OPT_STRINGS)
		*(struct opt_strings *)p = (struct opt_strings){0};
	else if (o->type == OPT_MAP)
		*(struct opt_map *)p = (struct opt_map){0};
	else if (o->type == OPT_SECTIONS)
		*(struct opt_sections *)p = (struct opt_sections){0};
	else if (o->type == OPT_CALLS)
		*(struct opt_calls *)p = (struct opt_calls){0};
}

void opt_mark_seen(const struct opt *o, void *to)
{
	if (o->seen)
		*(bool *)((char *)to + o->seen - 1) = true;
}

static void zero(const struct opt *o, void *to)
{
	static const size_t sizes[] = {
		[OPT_FLAG] = sizeof(bool),
		[OPT_STRING] = sizeof(char *),
		[OPT_INT] = sizeof(int64_t),
		[OPT_U64] = sizeof(uint64_t),
		[OPT_SIZE] = sizeof(uint64_t),
		[OPT_DURATION] = sizeof(uint64_t),
		[OPT_MICROS] = sizeof(uint64_t),
		[OPT_RATE] = sizeof(double),
		[OPT_PERCENT] = sizeof(double),
		[OPT_ENUM] = sizeof(int),
		[OPT_STRINGS] = sizeof(struct opt_strings),
		[OPT_MAP] = sizeof(struct opt_map),
		[OPT_SECTION] = 0,
		[OPT_SECTIONS] = sizeof(struct opt_sections),
		[OPT_CALLS] = sizeof(struct opt_calls),
	};
	memset(field(o, to), 0, sizes[o->type]);
	if (o->seen)
		*(bool *)((char *)to + o->seen - 1) = false;
}

int opt_defaults(const struct opt *table, void *to, struct arena *a)
{
	for (const struct opt *o = table; o->name; o++) {
		zero(o, to);
		int r = 0;
		if (o->type == OPT_SECTION)
			r = opt_defaults(o->sub, field(o, to), a);
		else if (o->def)
			r = opt_set_commas(o, to, o->def, a, NULL);
		if (r == -ENOMEM)
			return r;
		assert(r == 0 && "a row refuses its own default");
	}
	return 0;
}

void *opt_sections_add(const struct opt *o, void *to, struct arena *a)
{
	struct opt_sections *list = field(o, to);
	void *item = opt_grow(&list->items, &list->len, &list->cap, o->item_size, a);
	if (item && opt_defaults(o->sub, item, a) < 0) {
		list->len--;
		return NULL;
	}
	return item;
}

const char *opt_map_get(const struct opt_map *m, const char *key)
{
	for (size_t i = 0; i < m->len; i++)
		if (strcmp(m->items[i].key, key) == 0)
			return m->items[i].value;
	return NULL;
}

bool opt_is_in(const struct opt *o, enum opt_place place)
{
	if (place == OPT_IN_FILE)
		return !(o->flags & OPT_CLI_ONLY);
	return !(o->flags & OPT_FILE_ONLY) && o->type < OPT_SECTION;
}

static bool same_name(const char *row, const char *name, enum opt_place place)
{
	for (; *row && *name; row++, name++)
		if (*name != (place == OPT_ON_COMMAND_LINE && *row == '_' ? '-' : *row))
			return false;
	return *row == *name;
}

const struct opt *opt_find(const struct opt *table, const char *name, enum opt_place place)
{
	for (const struct opt *o = table; o->name; o++)
		if (opt_is_in(o, place) && same_name(o->name, name, place))
			return o;
	return NULL;
}

int opt_print_name(struct buf *b, const char *name, enum opt_place place)
{
	int r = 0;
	for (; r == 0 && *name; name++)
		r = buf_append_u8(b, (uint8_t)(place == OPT_ON_COMMAND_LINE && *name == '_' ? '-' : *name));
	return r;
}

/* The names of the rows in this place; how many. */
static size_t known_names(const struct opt *table, enum opt_place place, const char **names)
{
	size_t n = 0;
	for (const struct opt *o = table; o->name; o++) {
		assert(n < OPT_ROWS_MAX);
		if (opt_is_in(o, place))
			names[n++] = o->name;
	}
	return n;
}

static bool is_flag(const struct opt *table, const char *row_name)
{
	while (table->name != row_name)
		table++;
	return table->type == OPT_FLAG;
}

/* The rest of the sentence for a name that nothing is near to. */
static void print_known(const char *const *names, size_t n, enum opt_place place, struct buf *b)
{
	if (place == OPT_ON_COMMAND_LINE) {
		buf_printf(b, "; --help lists the known ones");
		return;
	}
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%s", i ? ", " : "; known here: ", names[i]);
}

int opt_unknown(const struct opt *table, const char *name, enum opt_place place, struct err *e)
{
	const char *names[OPT_ROWS_MAX], *no = "";
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, SENTENCE_MAX);
	bool cli = place == OPT_ON_COMMAND_LINE;
	buf_printf(&b, cli ? "unknown option --" : "unknown key \"");
	escape_text_max(&b, span_str(name), SHOWN_MAX);
	size_t n = known_names(table, place, names);
	const char *near = near_word(name, names, n);
	if (!near && cli && strncmp(name, "no-", 3) == 0) {
		near = near_word(name + 3, names, n);
		no = near && is_flag(table, near) ? "no-" : "";
	}
	buf_printf(&b, cli ? "" : "\"");
	if (near) {
		buf_printf(&b, cli ? ", did you mean --%s" : ", did you mean \"%s", no);
		opt_print_name(&b, near, place);
		buf_printf(&b, cli ? "?" : "\"?");
	} else {
		print_known(names, n, place, &b);
	}
	return err_set(e, EINVAL, "%s", buf_cstr(&b));
}
