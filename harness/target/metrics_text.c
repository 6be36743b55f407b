/* A page of metrics is read line by line; what a line holds after its value (a time, an exemplar) is passed over. */
#include "harness/target/metrics_text.h"

#include <stdlib.h>

enum { NUMBER_MAX = 64, SELECTOR_MAX = 1024 };

struct cursor {
	struct span s;
	size_t at;
};

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->s.len && blank(c->s.p[c->at]))
		c->at++;
}

static bool take(struct cursor *c, char octet)
{
	if (c->at == c->s.len || c->s.p[c->at] != (uint8_t)octet)
		return false;
	c->at++;
	return true;
}

/* [a-zA-Z_:][a-zA-Z0-9_:]*, and dots, which newer exporters use. */
static bool take_name(struct cursor *c, struct span *ret)
{
	size_t from = c->at;
	for (; c->at < c->s.len; c->at++) {
		uint8_t o = c->s.p[c->at];
		bool letter = (o >= 'a' && o <= 'z') || (o >= 'A' && o <= 'Z') || o == '_' || o == ':';
		if (!letter && (c->at == from || !((o >= '0' && o <= '9') || o == '.')))
			break;
	}
	*ret = span_sub(c->s, from, c->at - from);
	return ret->len > 0;
}

/* What is between quotation marks, left escaped. */
static bool take_quoted(struct cursor *c, struct span *ret)
{
	if (!take(c, '"'))
		return false;
	size_t from = c->at;
	for (; c->at < c->s.len && c->s.p[c->at] != '"'; c->at++)
		c->at += c->s.p[c->at] == '\\';
	if (c->at >= c->s.len)
		return false;
	*ret = span_sub(c->s, from, c->at++ - from);
	return true;
}

static bool take_number(struct cursor *c, double *ret)
{
	char text[NUMBER_MAX], *end;
	size_t len = 0;
	for (; c->at < c->s.len && !blank(c->s.p[c->at]); c->at++) {
		if (len == sizeof(text) - 1)
			return false;
		text[len++] = (char)c->s.p[c->at];
	}
	text[len] = 0;
	if (len == 0 || strlen(text) != len || strpbrk(text, "xX(")) /* strtod knows more than the format */
		return false;
	*ret = strtod(text, &end);
	return *end == 0;
}

static bool take_labels(struct cursor *c, struct metrics_sample *s)
{
	if (!take(c, '{'))
		return true;
	for (;;) {
		skip_blanks(c);
		if (take(c, '}'))
			return true;
		if (s->n == METRICS_LABELS_MAX)
			return false;
		struct metrics_label *l = &s->labels[s->n++];
		if (!take_name(c, &l->name))
			return false;
		skip_blanks(c);
		if (!take(c, '='))
			return false;
		skip_blanks(c);
		if (!take_quoted(c, &l->value))
			return false;
		skip_blanks(c);
		if (!take(c, ',') && (c->at == c->s.len || c->s.p[c->at] != '}'))
			return false;
	}
}

static bool read_sample(struct span line, struct metrics_sample *ret)
{
	struct cursor c = {.s = line};
	ret->n = 0;
	skip_blanks(&c);
	if (!take_name(&c, &ret->name))
		return false;
	skip_blanks(&c);
	if (!take_labels(&c, ret))
		return false;
	skip_blanks(&c);
	return take_number(&c, &ret->value);
}

/* "\\", "\"" and "\n" of a value as it is written, against one as it is meant. */
static bool value_is(struct span written, struct span meant)
{
	size_t k = 0;
	for (size_t i = 0; i < written.len; i++, k++) {
		uint8_t o = written.p[i];
		if (o == '\\' && i + 1 < written.len)
			o = written.p[++i] == 'n' ? '\n' : written.p[i];
		if (k >= meant.len || meant.p[k] != o)
			return false;
	}
	return k == meant.len;
}

static bool matches(const struct metrics_selector *q, const struct metrics_sample *s)
{
	if (!span_eq(q->name, s->name))
		return false;
	for (size_t i = 0; i < q->n; i++) {
		bool is = q->labels[i].value.len == 0;
		for (size_t k = 0; k < s->n; k++)
			if (span_eq(s->labels[k].name, q->labels[i].label))
				is = value_is(s->labels[k].value, q->labels[i].value);
		if (is == q->labels[i].differs)
			return false;
	}
	return true;
}

/* The next line without its end; false at the end of the page. */
static bool next_line(struct span page, size_t *at, struct span *ret)
{
	if (*at >= page.len)
		return false;
	const uint8_t *end = memchr(page.p + *at, '\n', page.len - *at);
	size_t len = end ? (size_t)(end - page.p) - *at : page.len - *at;
	*ret = span_sub(page, *at, len);
	*at += len + 1;
	if (ret->len && ret->p[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

bool metrics_text_next(struct span page, size_t *at, struct metrics_sample *ret, uint64_t *ret_bad)
{
	struct span line;
	while (next_line(page, at, &line)) {
		struct span text = span_trim(line);
		if (span_eq(text, SPAN_LIT("# EOF")))
			*at = page.len;
		else if (text.len && text.p[0] != '#' && read_sample(text, ret))
			return true;
		else if (text.len && text.p[0] != '#' && ret_bad)
			++*ret_bad;
	}
	return false;
}

uint64_t metrics_text_sum(struct span page, const struct metrics_selector *selectors, size_t n,
			  struct metrics_found *ret_found, uint64_t *ret_bad)
{
	uint64_t samples = 0, bad = 0;
	struct metrics_sample s;
	for (size_t i = 0; i < n; i++)
		ret_found[i] = (struct metrics_found){0};
	for (size_t at = 0; metrics_text_next(page, &at, &s, &bad); samples++)
		for (size_t i = 0; i < n; i++)
			if (matches(&selectors[i], &s)) {
				ret_found[i].sum += s.value;
				ret_found[i].samples++;
			}
	if (ret_bad)
		*ret_bad = bad;
	return samples;
}

/* --- selectors --- */

static int refuse(const char *text, struct err *e)
{
	return err_set(e, EINVAL, "expected NAME or NAME{LABEL=\"VALUE\"}, not '%.100s'", text);
}

static bool take_matcher(struct cursor *c, struct arena *a, struct metrics_selector *q)
{
	struct span value;
	if (q->n == METRICS_SELECTOR_LABELS_MAX)
		return false;
	skip_blanks(c);
	if (!take_name(c, &q->labels[q->n].label))
		return false;
	skip_blanks(c);
	q->labels[q->n].differs = take(c, '!');
	if (!take(c, '='))
		return false;
	skip_blanks(c);
	if (!take_quoted(c, &value))
		return false;
	uint8_t *to = arena_alloc(a, value.len + 1);
	size_t len = 0;
	if (!to)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		uint8_t o = value.p[i];
		if (o == '\\' && i + 1 < value.len)
			o = value.p[++i] == 'n' ? '\n' : value.p[i];
		to[len++] = o;
	}
	q->labels[q->n++].value = span_of(to, len);
	skip_blanks(c);
	return true;
}

/* Behind the '{', up to and with the '}'. */
static bool take_matchers(struct cursor *c, struct arena *a, struct metrics_selector *q)
{
	for (;;) {
		skip_blanks(c);
		if (take(c, '}'))
			return true;
		if (!take_matcher(c, a, q) || (!take(c, ',') && (c->at == c->s.len || c->s.p[c->at] != '}')))
			return false;
	}
}

int metrics_selector_parse(const char *text, struct arena *a, struct metrics_selector *ret, struct err *e)
{
	struct metrics_selector q = {.n = 0};
	struct cursor c = {.s = arena_span(a, span_str(text))};
	if (!c.s.p || c.s.len > SELECTOR_MAX || !take_name(&c, &q.name))
		return refuse(text, e);
	skip_blanks(&c);
	if (take(&c, '{') && !take_matchers(&c, a, &q))
		return refuse(text, e);
	skip_blanks(&c);
	if (c.at != c.s.len)
		return refuse(text, e);
	*ret = q;
	return 0;
}
