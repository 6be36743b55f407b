/*
 * Nearly every line of a JSON log is a flat object of plain values. Such a line is read here in one pass, without memory; anything
 * else (an escape, a nested value, a fraction, an octet outside printable ASCII, an error) is left to the real parser,
 * which also decides what is JSON at all.
 */
#include "harness/target/log_rules.h"

enum { INTEGER_DIGITS_MAX = 18 };  /* within 63 bits */

static void skip_blanks(struct span s, size_t *at)
{
	while (*at < s.len && (s.p[*at] == ' ' || s.p[*at] == '\t' || s.p[*at] == '\r' || s.p[*at] == '\n'))
		++*at;
}

static bool take(struct span s, size_t *at, char octet)
{
	if (*at == s.len || s.p[*at] != (uint8_t)octet)
		return false;
	++*at;
	return true;
}

static bool take_string(struct span s, size_t *at, struct span *ret)
{
	if (!take(s, at, '"'))
		return false;
	size_t from = *at;
	while (*at < s.len && s.p[*at] >= ' ' && s.p[*at] < 0x7f && s.p[*at] != '"' && s.p[*at] != '\\')
		++*at;
	*ret = span_sub(s, from, *at - from);
	return take(s, at, '"');
}

static bool take_word(struct span s, size_t *at, struct span word)
{
	if (!span_eq(span_sub(s, *at, word.len), word))
		return false;
	*at += word.len;
	return true;
}

/* No sign of zero, no zeros in front. */
static bool take_integer(struct span s, size_t *at, struct span *ret)
{
	size_t from = *at, first;
	bool negative = take(s, at, '-');
	first = *at;
	while (*at < s.len && s.p[*at] >= '0' && s.p[*at] <= '9')
		++*at;
	size_t digits = *at - first;
	if (digits == 0 || digits > INTEGER_DIGITS_MAX || (s.p[first] == '0' && (digits > 1 || negative)))
		return false;
	*ret = span_sub(s, from, *at - from);
	return *at < s.len && s.p[*at] != '.' && s.p[*at] != 'e' && s.p[*at] != 'E';
}

static bool take_value(struct span s, size_t *at, struct span *ret)
{
	size_t from = *at;
	if (*at < s.len && s.p[*at] == '"')
		return take_string(s, at, ret);
	*ret = span_of(NULL, 0);
	if (take_word(s, at, SPAN_LIT("null")))
		return true;
	if (!take_word(s, at, SPAN_LIT("true")) && !take_word(s, at, SPAN_LIT("false")))
		return take_integer(s, at, ret);
	*ret = span_sub(s, from, *at - from);
	return true;
}

/* The last of several members with one name is the one. */
static void keep(const struct log_rules *r, struct span key, struct span value, struct span values[LOG_PLACES])
{
	for (size_t i = 0; i < LOG_PLACES; i++) {
		const struct log_place *p = &r->places[i];
		if (p->told && p->n == 1 && span_eq(key, span_str(p->steps[0])))
			values[i] = value;
	}
}

bool log_flat_read(const struct log_rules *r, struct span line, struct span values[LOG_PLACES])
{
	struct span key, value;
	size_t at = 0;
	skip_blanks(line, &at);
	if (!take(line, &at, '{'))
		return false;
	do {
		skip_blanks(line, &at);
		if (!take_string(line, &at, &key))
			return false;
		skip_blanks(line, &at);
		if (!take(line, &at, ':'))
			return false;
		skip_blanks(line, &at);
		if (!take_value(line, &at, &value))
			return false;
		keep(r, key, value, values);
		skip_blanks(line, &at);
	} while (take(line, &at, ','));
	if (!take(line, &at, '}'))
		return false;
	skip_blanks(line, &at);
	return at == line.len;
}
