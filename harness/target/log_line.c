/* Lines of logs. The target writes them and its clients choose much of what is in them, so nothing in them is believed. */
#include "harness/target/log_line.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/target/log_rules.h"

enum { CODE_MAX = 4999 };          /* RFC 6455 7.4.2 */

/* A value as text, without a terminating NUL. */
struct log_values {
	struct span at[LOG_PLACES];
	char numbers[LOG_PLACES][32];
};

/* --- JSON --- */

static const json_t *step_into(const json_t *v, const char *step)
{
	char *end;
	if (json_is_object(v))
		return json_object_get(v, step);
	if (!json_is_array(v) || step[0] < '0' || step[0] > '9' || (step[0] == '0' && step[1]))
		return NULL;
	unsigned long i = strtoul(step, &end, 10);
	return *end ? NULL : json_array_get(v, i);
}

static void take_json(const json_t *v, struct log_values *values, size_t at)
{
	char *number = values->numbers[at];
	int n = 0;
	if (json_is_string(v))
		values->at[at] = span_of(json_string_value(v), json_string_length(v));
	else if (json_is_integer(v))
		n = snprintf(number, sizeof(values->numbers[at]), "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		n = snprintf(number, sizeof(values->numbers[at]), "%.17g", json_real_value(v));
	else if (json_is_boolean(v))
		n = snprintf(number, sizeof(values->numbers[at]), "%s", json_is_true(v) ? "true" : "false");
	if (n > 0)
		values->at[at] = span_of(number, (size_t)n);
}

/* The values point into the document, which the caller drops. */
static json_t *read_json(const struct log_rules *r, struct span line, struct log_values *values)
{
	json_t *document = json_loadb((const char *)line.p, line.len, JSON_ALLOW_NUL, NULL);
	if (!document) /* an integer above 63 bits is JSON all the same */
		document = json_loadb((const char *)line.p, line.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	for (size_t i = 0; document && i < LOG_PLACES; i++) {
		const json_t *v = r->places[i].told ? document : NULL;
		for (size_t s = 0; v && s < r->places[i].n; s++)
			v = step_into(v, r->places[i].steps[s]);
		take_json(v, values, i);
	}
	return document;
}

/* --- logfmt --- */

static size_t skip(struct span s, size_t at, bool blanks)
{
	while (at < s.len && (s.p[at] == ' ' || s.p[at] == '\t') == blanks)
		at++;
	return at;
}

/* A quoted value from behind its quotation mark, unescaped into `to`; where it ends, 0 when it does not. */
static size_t read_quoted(struct span s, size_t at, struct buf *to)
{
	static const char plain[] = "nrt", meant[] = "\n\r\t";
	for (; at < s.len && s.p[at] != '"'; at++) {
		uint8_t c = s.p[at];
		if (c == '\\' && at + 1 < s.len) {
			const char *known = strchr(plain, s.p[++at]);
			c = known && *known ? (uint8_t)meant[known - plain] : s.p[at];
		}
		if (to->len < LOG_VALUE_MAX)
			buf_append_u8(to, c);
	}
	return at < s.len ? at + 1 : 0;
}

static void keep_pair(const struct log_rules *r, struct span key, struct span value, struct log_values *values,
		      struct buf *kept)
{
	for (size_t i = 0; i < LOG_PLACES; i++) {
		const struct log_place *p = &r->places[i];
		if (!p->told || values->at[i].p || !span_eq(key, span_str(p->steps[0])))
			continue;
		value = span_sub(value, 0, LOG_VALUE_MAX);
		size_t at = kept->len;
		if (buf_append_span(kept, value) == 0)
			values->at[i] = span_of(kept->p + at, value.len);
	}
}

static bool read_logfmt(const struct log_rules *r, struct span line, struct log_values *values, struct buf *kept)
{
	struct buf quoted CLEANUP(buf_fini) = {0};
	bool pair = false;
	buf_init(&quoted, LOG_VALUE_MAX);
	if (buf_reserve(kept, LOG_PLACES * LOG_VALUE_MAX) < 0) /* spans into it must not move */
		return false;
	for (size_t at = skip(line, 0, true); at < line.len; at = skip(line, at, true)) {
		size_t end = skip(line, at, false);
		const uint8_t *sign = memchr(line.p + at, '=', end - at);
		struct span key = span_sub(line, at, sign ? (size_t)(sign - line.p) - at : end - at), value = SPAN_LIT("true");
		if (sign) {
			size_t from = at + key.len + 1;
			pair |= key.len > 0;
			value = span_sub(line, from, end - from);
			if (value.len && value.p[0] == '"') {
				buf_consume(&quoted, quoted.len);
				end = read_quoted(line, from + 1, &quoted);
				if (end == 0)
					return false;
				value = buf_span(&quoted);
			}
		}
		keep_pair(r, key, value, values, kept);
		at = end;
	}
	return pair;
}

/* --- regex --- */

static bool read_regex(const struct log_rules *r, struct span line, struct log_values *values)
{
	regmatch_t groups[LOG_GROUPS_MAX];
	char text[LOG_REGEX_MAX + 1]; /* a NUL behind it: some regexec look for one, whatever REG_STARTEND says */
	if (line.len > LOG_REGEX_MAX)
		return false;
	if (line.len)
		memcpy(text, line.p, line.len);
	text[line.len] = 0;
	groups[0] = (regmatch_t){.rm_so = 0, .rm_eo = (regoff_t)line.len};
	if (regexec(&r->regex, text, LOG_GROUPS_MAX, groups, REG_STARTEND) != 0)
		return false;
	for (size_t i = 0; i < LOG_PLACES; i++) {
		const regmatch_t *g = &groups[r->places[i].group];
		if (r->places[i].told && g->rm_so >= 0)
			values->at[i] = span_sub(line, (size_t)g->rm_so, (size_t)(g->rm_eo - g->rm_so));
	}
	return true;
}

/* --- an entry --- */

static void put(char *to, struct span value)
{
	size_t len = value.len < LOG_VALUE_MAX - 1 ? value.len : LOG_VALUE_MAX - 1;
	if (len)
		memcpy(to, value.p, len);
	to[len] = 0;
}

static int read_code(struct span value)
{
	int code = 0;
	if (value.len == 0 || value.len > 4)
		return 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return 0;
		code = code * 10 + (value.p[i] - '0');
	}
	return code <= CODE_MAX ? code : 0;
}

static enum log_word word_of(const struct log_rules *r, const char *event)
{
	for (size_t w = 1; w < LOG_WORDS && *event; w++)
		for (size_t i = 0; i < r->words[w].len; i++)
			if (strcmp(r->words[w].items[i], event) == 0)
				return (enum log_word)w;
	return LOG_WORD_OTHER;
}

bool log_line_parse(const struct log_rules *r, struct span line, struct log_entry *ret_entry)
{
	struct log_values values = {.at = {{0}}};
	struct buf kept CLEANUP(buf_fini) = {0};
	json_t *document = NULL;
	bool is = false;
	if (line.len > LOG_LINE_MAX)
		return false;
	buf_init(&kept, 2 * LOG_PLACES * LOG_VALUE_MAX);
	if (r->format == LOG_JSON) {
		is = log_flat_read(r, line, values.at);
		if (!is) {
			values = (struct log_values){.at = {{0}}};
			is = (document = read_json(r, line, &values)) != NULL;
		}
	} else {
		is = r->format == LOG_LOGFMT ? read_logfmt(r, line, &values, &kept) : read_regex(r, line, &values);
	}
	if (is) {
		struct log_entry *e = ret_entry;
		put(e->event, values.at[LOG_AT_EVENT]);
		put(e->connection, values.at[LOG_AT_CONNECTION]);
		put(e->reason, values.at[LOG_AT_REASON]);
		put(e->level, values.at[LOG_AT_LEVEL]);
		put(e->node, values.at[LOG_AT_NODE]);
		put(e->address, values.at[LOG_AT_ADDRESS]);
		put(e->initiator, values.at[LOG_AT_INITIATOR]);
		e->code = read_code(values.at[LOG_AT_CODE]);
		e->time_s = log_time_parse(values.at[LOG_AT_TIME]);
		e->word = word_of(r, e->event);
	}
	json_decref(document);
	return is;
}
