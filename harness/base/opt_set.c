/*
 * Turns one text into one field of an options struct; the command line, the YAML reader and the defaults all end here.
 */
#include "harness/base/opt_internal.h"

#include <assert.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/base/unit.h"

enum { SHOWN_MAX = 60, SENTENCE_MAX = 4096 };

static void *field(const struct opt *o, void *to)
{
	return (char *)to + o->offset;
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory for the values of options");
}

/* `sentence` says what was expected; what was there is added where it may be seen. */
static int refuse(const struct opt *o, const char *sentence, const char *text, struct err *e)
{
	struct buf shown CLEANUP(buf_fini) = {0};
	if (o->flags & OPT_SECRET)
		return err_set(e, EINVAL, "%s", sentence);
	buf_init(&shown, SENTENCE_MAX);
	escape_text_max(&shown, span_str(text), SHOWN_MAX);
	return err_set(e, EINVAL, "%s, not \"%s\"", sentence, buf_cstr(&shown));
}

static int refuse_type(const struct opt *o, const char *text, struct err *e)
{
	struct buf sentence CLEANUP(buf_fini) = {0};
	buf_init(&sentence, SENTENCE_MAX);
	buf_printf(&sentence, "expected ");
	opt_expected(o, &sentence);
	return refuse(o, buf_cstr(&sentence), text, e);
}

/* Decimal without plus sign, leading zeros or anything around it. */
static int digits_parse(const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	if (*text == 0 || (*text == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++)
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return -EINVAL;
	*ret = value;
	return 0;
}

static int set_int(const struct opt *o, int64_t *to, const char *text, struct err *e)
{
	bool negative = *text == '-';
	uint64_t value;
	if (digits_parse(text + negative, &value) < 0 || value > (uint64_t)INT64_MAX + negative)
		return refuse_type(o, text, e);
	int64_t whole = negative ? (int64_t)(0 - value) : (int64_t)value;
	if ((o->min || o->max) && (whole < o->min || whole > o->max))
		return refuse_type(o, text, e);
	*to = whole;
	return 0;
}

static bool in_bounds(const struct opt *o, uint64_t value)
{
	if (o->min == 0 && o->max == 0)
		return true;
	return value >= (uint64_t)o->min && (o->max == INT64_MAX || value <= (uint64_t)o->max);
}

static int set_whole(const struct opt *o, uint64_t *to, const char *text, struct err *e)
{
	struct err why = {.text = ""};
	uint64_t value = 0;
	int r;
	if (o->type == OPT_SIZE)
		r = unit_size_parse(span_str(text), &value, &why);
	else if (o->type == OPT_DURATION)
		r = unit_duration_parse(span_str(text), &value, &why);
	else if (o->type == OPT_MICROS)
		r = unit_micros_parse(span_str(text), &value, &why);
	else
		r = digits_parse(text, &value);
	if (r < 0 && why.text[0])
		return refuse(o, why.text, text, e);
	if (r < 0 || !in_bounds(o, value))
		return refuse_type(o, text, e);
	*to = value;
	return 0;
}

static int set_share(const struct opt *o, double *to, const char *text, struct err *e)
{
	struct err why;
	double value;
	if ((o->type == OPT_RATE ? unit_rate_parse : unit_percent_parse)(span_str(text), &value, &why) < 0)
		return refuse(o, why.text, text, e);
	if ((o->min || o->max) && (value < (double)o->min || value > (double)o->max))
		return refuse_type(o, text, e);
	*to = value;
	return 0;
}

static int set_enum(const struct opt *o, int *to, const char *text, struct err *e)
{
	for (int i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], text) == 0) {
			*to = i;
			return 0;
		}
	}
	return refuse_type(o, text, e);
}

static int copy_checked(const struct opt *o, const char *text, struct arena *a, const char **ret, struct err *e)
{
	struct err why = {.text = ""};
	int r = o->check ? o->check(text, &why) : 0;
	if (r < 0)
		return refuse(o, why.text, text, e);
	char *copy = arena_strdup(a, text);
	if (!copy)
		return no_memory(e);
	*ret = copy;
	return 0;
}

void *opt_grow(void **items, size_t *len, size_t *cap, size_t item_size, struct arena *a)
{
	if (*len >= *cap) {
		size_t more = *cap ? *cap * 2 : 4;
		void *bigger = more > SIZE_MAX / item_size ? NULL : arena_alloc(a, more * item_size);
		if (!bigger)
			return NULL;
		if (*len)
			memcpy(bigger, *items, *len * item_size);
		*items = bigger;
		*cap = more;
	}
	return (char *)*items + (*len)++ * item_size;
}

static int append(const struct opt *o, struct opt_strings *list, const char *text, struct arena *a, struct err *e)
{
	const char *copy;
	void *items = list->items;
	int r = copy_checked(o, text, a, &copy, e);
	if (r < 0)
		return r;
	const char **item = opt_grow(&items, &list->len, &list->cap, sizeof(*item), a);
	list->items = items;
	if (!item)
		return no_memory(e);
	*item = copy;
	return 0;
}

int opt_map_put(const struct opt *o, void *to, const char *key, const char *value, struct arena *a, struct err *e)
{
	struct opt_map *map = field(o, to);
	void *items = map->items;
	const char *copy;
	if (opt_map_get(map, key))
		return refuse(o, "expected each name once", key, e);
	int r = copy_checked(o, value, a, &copy, e);
	if (r < 0)
		return r;
	char *name = arena_strdup(a, key);
	struct opt_pair *pair = name ? opt_grow(&items, &map->len, &map->cap, sizeof(*pair), a) : NULL;
	map->items = items;
	if (!pair)
		return no_memory(e);
	*pair = (struct opt_pair){name, copy};
	return 0;
}

static int put_text(const struct opt *o, void *to, const char *text, struct arena *a, struct err *e)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text)
		return refuse(o, "expected key=value", text, e);
	struct span key = arena_span(a, span_of(text, (size_t)(equals - text)));
	return key.p ? opt_map_put(o, to, (const char *)key.p, equals + 1, a, e) : no_memory(e);
}

static int set_flag(const struct opt *o, bool *to, const char *text, struct err *e)
{
	bool yes = strcmp(text, "true") == 0;
	if (!yes && strcmp(text, "false") != 0)
		return refuse_type(o, text, e);
	*to = yes;
	return 0;
}

int opt_set(const struct opt *o, void *to, const char *text, struct arena *a, struct err *e)
{
	void *p = field(o, to);
	switch (o->type) {
	case OPT_FLAG:
		return set_flag(o, p, text, e);
	case OPT_STRING:
		return copy_checked(o, text, a, p, e);
	case OPT_INT:
		return set_int(o, p, text, e);
	case OPT_U64:
	case OPT_SIZE:
	case OPT_DURATION:
	case OPT_MICROS:
		return set_whole(o, p, text, e);
	case OPT_RATE:
	case OPT_PERCENT:
		return set_share(o, p, text, e);
	case OPT_ENUM:
		return set_enum(o, p, text, e);
	case OPT_STRINGS:
		return append(o, p, text, a, e);
	case OPT_MAP:
		return put_text(o, to, text, a, e);
	case OPT_SECTION:
	case OPT_SECTIONS:
	case OPT_CALLS:
		break;
	}
	assert(!"a section has no text");
	return -EINVAL;
}

int opt_set_commas(const struct opt *o, void *to, const char *text, struct arena *a, struct err *e)
{
	if (o->type != OPT_STRINGS || !(o->flags & OPT_COMMAS))
		return opt_set(o, to, text, a, e);
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		if (len == 0)
			return refuse(o, "expected words with one comma between two", text, e);
		struct span word = arena_span(a, span_of(at, len));
		int r = word.p ? opt_set(o, to, (const char *)word.p, a, e) : no_memory(e);
		if (r < 0)
			return r;
		at += len;
		if (*at == 0)
			return 0;
	}
}
