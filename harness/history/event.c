/*
 * Names of what can happen, and one table of an event's fields, from which both ways of writing and the one way of
 * reading are made.
 */
#include "harness/history/event.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/rune.h"

static const char *const kinds[] = {
#define EVENT(NAME, name, about) [EVENT_##NAME] = name,
#include "harness/history/events.def"
#undef EVENT
};
static const char *const abouts[] = {
#define EVENT(NAME, name, about) [EVENT_##NAME] = about,
#include "harness/history/events.def"
#undef EVENT
};
static const char *const types[] = {"invoke", "ok", "fail", "info"};
static const char *const ends[] = {"", "client", "server", "network"};
static const char *const recovereds[] = {"", "yes", "no"};

const char *event_kind_name(enum event_kind kind)
{
	return kinds[kind];
}

const char *event_kind_about(enum event_kind kind)
{
	return abouts[kind];
}

const char *event_type_name(enum event_type type)
{
	return types[type];
}

const char *end_by_name(enum end_by by)
{
	return ends[by];
}

/* What a field is in C, and in JSON: TIME microseconds and seconds, WORD an enum and one of its names. */
enum field_type { FIELD_U64, FIELD_U32, FIELD_INT, FIELD_TIME, FIELD_FLAG, FIELD_REAL, FIELD_WORD, FIELD_TEXT };

struct field {
	const char *name;
	size_t offset;
	enum field_type type;
	bool always;               /* written even if it is 0 */
	const char *const *words;  /* FIELD_WORD */
	int n_words;
};

#define FIELD(field_name, member, field_type, ...) \
	{.name = (field_name), .offset = offsetof(struct event, member), .type = (field_type), ##__VA_ARGS__}
#define WORDS(list) .words = (list), .n_words = ARRAY_LEN(list)

static const struct field fields[] = {
	FIELD("n", number, FIELD_U64),
	FIELD("at", at_us, FIELD_TIME, .always = true),
	FIELD("event", kind, FIELD_WORD, WORDS(kinds), .always = true),
	FIELD("type", type, FIELD_WORD, WORDS(types), .always = true),
	FIELD("client", client, FIELD_U32),
	FIELD("connection", connection, FIELD_U32),
	FIELD("node", node, FIELD_U32),
	FIELD("channel", channel, FIELD_U32),
	FIELD("publisher", publisher, FIELD_U32),
	FIELD("index", index, FIELD_U64),
	FIELD("sent", sent_us, FIELD_TIME),
	FIELD("said_channel", said_channel, FIELD_U32),
	FIELD("corrupt", corrupt, FIELD_FLAG),
	FIELD("replay", replay, FIELD_FLAG),
	FIELD("resumes", resumes, FIELD_FLAG),
	FIELD("seq", seq, FIELD_U64),
	FIELD("epoch", epoch, FIELD_U32),
	FIELD("recovered", recovered, FIELD_WORD, WORDS(recovereds)),
	FIELD("code", code, FIELD_INT),
	FIELD("by", by, FIELD_WORD, WORDS(ends)),
	FIELD("clean", clean, FIELD_FLAG),
	FIELD("value", value, FIELD_REAL),
	FIELD("text", text, FIELD_TEXT),
	FIELD("note", note, FIELD_TEXT),
	FIELD("id", id, FIELD_TEXT),
	FIELD("line", line, FIELD_TEXT), /* the last one: whoever shows an event can put it below */
};

/* A field's value, whatever its C type: texts aside. WORD: the index of the word. */
union value {
	uint64_t u;
	int64_t i;
	double real;
};

static union value field_get(const struct field *f, const struct event *e)
{
	const void *p = (const char *)e + f->offset;
	union value v = {0};
	switch (f->type) {
	case FIELD_U32:
		v.u = *(const uint32_t *)p;
		break;
	case FIELD_INT:
		v.i = *(const int *)p;
		break;
	case FIELD_WORD: /* an enum of ours has the size of int */
		v.u = *(const unsigned *)p;
		break;
	case FIELD_FLAG:
		v.u = *(const bool *)p;
		break;
	case FIELD_REAL:
		v.real = *(const double *)p;
		if (!isfinite(v.real))
			v.real = 0;
		break;
	case FIELD_TEXT:
		v.u = *(const char *const *)p != NULL;
		break;
	default: /* JSON integers end at 2^63 - 1 */
		v.u = *(const uint64_t *)p;
		if (v.u > INT64_MAX)
			v.u = INT64_MAX;
	}
	return v;
}

static bool field_is_set(const struct field *f, union value v)
{
	return f->always || (f->type == FIELD_REAL ? v.real != 0 : v.u != 0);
}

/* At most EVENT_TEXT_MAX octets of it, never half a character. */
static struct span field_text(const struct field *f, const struct event *e)
{
	struct span s = span_str(*(const char *const *)((const char *)e + f->offset));
	if (s.len > EVENT_TEXT_MAX)
		for (s.len = EVENT_TEXT_MAX; s.len && (s.p[s.len] & 0xc0) == 0x80;)
			s.len--;
	return s;
}

static json_t *field_to_json(const struct field *f, const struct event *e, union value v)
{
	switch (f->type) {
	case FIELD_TIME:
		return json_real((double)v.u / 1e6);
	case FIELD_REAL:
		return json_real(v.real);
	case FIELD_FLAG:
		return json_true();
	case FIELD_WORD:
		return json_string(f->words[v.u]);
	case FIELD_TEXT:
		return json_text(field_text(f, e));
	case FIELD_INT:
		return json_integer(v.i);
	default:
		return json_integer((json_int_t)v.u);
	}
}

json_t *event_to_json(const struct event *e)
{
	json_t *o = json_object();
	for (size_t i = 0; o && i < ARRAY_LEN(fields); i++) {
		union value v = field_get(&fields[i], e);
		if (field_is_set(&fields[i], v) && json_object_set_new(o, fields[i].name, field_to_json(&fields[i], e, v)) < 0) {
			json_decref(o);
			o = NULL;
		}
	}
	return o;
}

/* Decimal digits of v, at least `least`, into the end of a row of 24; the first one's place. */
static char *digits(char *end, uint64_t v, int least)
{
	do {
		*--end = (char)('0' + v % 10);
		v /= 10;
		least--;
	} while (v || least > 0);
	return end;
}

static int append_number(struct buf *b, uint64_t v)
{
	char row[24], *end = row + sizeof(row), *first = digits(end, v, 1);
	return buf_append(b, first, (size_t)(end - first));
}

static int append_time(struct buf *b, uint64_t us)
{
	char row[48], *end = row + sizeof(row), *first = digits(end, us % 1000000, 6);
	*--first = '.';
	first = digits(first, us / 1000000, 1);
	return buf_append(b, first, (size_t)(end - first));
}

/* As jansson writes it: always with a point or an exponent, so that it is read as a real again. */
static int append_real(struct buf *b, double v)
{
	char row[40];
	int len = snprintf(row, sizeof(row) - 2, "%.17g", v);
	if (!strpbrk(row, ".e")) {
		row[len++] = '.';
		row[len++] = '0';
	}
	return buf_append(b, row, (size_t)len);
}

/* ASCII without what JSON escapes, which nearly every text is, goes as it stands. */
static int append_text(struct buf *b, struct span s)
{
	size_t plain = 0;
	while (plain < s.len && s.p[plain] >= 0x20 && s.p[plain] < 0x7f && s.p[plain] != '"' && s.p[plain] != '\\')
		plain++;
	if (plain < s.len) {
		json_t *text = json_text(s);
		int r = text ? json_append(b, text) : -ENOMEM;
		json_decref(text);
		return r;
	}
	int r = buf_append_u8(b, '"');
	if (r == 0)
		r = buf_append_span(b, s);
	return r ? r : buf_append_u8(b, '"');
}

static int append_field(struct buf *b, const struct field *f, const struct event *e, union value v)
{
	switch (f->type) {
	case FIELD_TIME:
		return append_time(b, v.u);
	case FIELD_REAL:
		return append_real(b, v.real);
	case FIELD_FLAG:
		return buf_append(b, "true", 4);
	case FIELD_WORD:
		return append_text(b, span_str(f->words[v.u]));
	case FIELD_TEXT:
		return append_text(b, field_text(f, e));
	case FIELD_INT:
		return buf_printf(b, "%" PRId64, v.i);
	default:
		return append_number(b, v.u);
	}
}

int event_append(struct buf *b, const struct event *e)
{
	int r = 0;
	char comma = '{';
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(fields); i++) {
		union value v = field_get(&fields[i], e);
		if (!field_is_set(&fields[i], v))
			continue;
		size_t len = strlen(fields[i].name);
		r = buf_reserve(b, len + 4);
		if (r < 0)
			break;
		b->p[b->len++] = (uint8_t)comma;
		b->p[b->len++] = '"';
		memcpy(b->p + b->len, fields[i].name, len);
		b->len += len;
		b->p[b->len++] = '"';
		b->p[b->len++] = ':';
		r = append_field(b, &fields[i], e, v);
		comma = ',';
	}
	return r ? r : buf_append_u8(b, '}');
}

/* Reading ------------------------------------------------------------------------------------------------------ */

static int wrong(const struct field *f, const char *expected, struct err *e)
{
	return err_set(e, EINVAL, "the field %s of an event is not %s", f->name, expected);
}

static int read_integer(const struct field *f, const json_t *value, void *to, struct err *e)
{
	json_int_t least = f->type == FIELD_INT ? INT32_MIN : 0;
	json_int_t most = f->type == FIELD_INT ? INT32_MAX : f->type == FIELD_U32 ? (json_int_t)UINT32_MAX : INT64_MAX;
	json_int_t v = json_integer_value(value);
	if (!json_is_integer(value) || v < least || v > most)
		return wrong(f, "a whole number within its bounds", e);
	if (f->type == FIELD_INT)
		*(int *)to = (int)v;
	else if (f->type == FIELD_U32)
		*(uint32_t *)to = (uint32_t)v;
	else
		*(uint64_t *)to = (uint64_t)v;
	return 0;
}

static int read_word(const struct field *f, const json_t *value, void *to, struct err *e)
{
	const char *word = json_string_value(value);
	for (int i = 0; word && i < f->n_words; i++)
		if (strcmp(word, f->words[i]) == 0) {
			*(unsigned *)to = (unsigned)i;
			return 0;
		}
	return wrong(f, "one of its words", e);
}

static int read_field(const struct field *f, const json_t *value, void *to, struct err *e)
{
	double real = json_number_value(value);
	switch (f->type) {
	case FIELD_TIME:
		if (!json_is_number(value) || real < 0 || real > (double)(INT64_MAX / 1024) / 1e6)
			return wrong(f, "a time in seconds", e);
		*(uint64_t *)to = (uint64_t)llround(real * 1e6);
		return 0;
	case FIELD_REAL:
		if (!json_is_number(value))
			return wrong(f, "a number", e);
		*(double *)to = real;
		return 0;
	case FIELD_FLAG:
		if (!json_is_boolean(value))
			return wrong(f, "true or false", e);
		*(bool *)to = json_is_true(value);
		return 0;
	case FIELD_WORD:
		return read_word(f, value, to, e);
	case FIELD_TEXT:
		if (!json_is_string(value))
			return wrong(f, "a text", e);
		*(const char **)to = json_string_value(value);
		return 0;
	default:
		return read_integer(f, value, to, e);
	}
}

static const struct field *field_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

int event_from_json(const json_t *o, struct event *ret, struct err *e)
{
	struct event event = {0};
	const char *name;
	json_t *value;
	if (!json_is_object(o) || !json_object_get(o, "event") || !json_object_get(o, "type"))
		return err_set(e, EINVAL, "an event is an object with an event and a type");
	json_object_foreach((json_t *)o, name, value) {
		const struct field *f = field_find(name);
		if (!f)
			return err_set(e, EINVAL, "an event has no field %.40s", name);
		int r = read_field(f, value, (char *)&event + f->offset, e);
		if (r < 0)
			return r;
	}
	*ret = event;
	return 0;
}
