/*
 * Reads the reply of a server whose honesty is the question: every deviation from RFC 9112 is noted as a fault, and
 * reading goes on, so that one report can name all of them.
 */
#include "harness/ws/handshake.h"

#include <errno.h>

#include "harness/base/limits.h"

struct line {
	struct span text; /* without its end */
	bool lf_only;
};

/* Takes one line off *rest; false when there is no LF in it. */
static bool take_line(struct span *rest, struct line *ret_line)
{
	const uint8_t *lf = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
	if (!lf)
		return false;
	struct span text = span_of(rest->p, (size_t)(lf - rest->p));
	bool crlf = text.len && text.p[text.len - 1] == '\r';
	text.len -= crlf;
	*ret_line = (struct line){.text = text, .lf_only = !crlf};
	*rest = span_sub(*rest, (size_t)(lf - rest->p) + 1, rest->len);
	return true;
}

static bool is_control(uint8_t c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_control(s.p[i]))
			return true;
	return false;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9110 5.6.2 */
bool handshake_is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];
		bool alnum = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alnum && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return s.len > 0;
}

/* RFC 9112 4: HTTP-version SP status-code SP [ reason-phrase ]. The line begins with "HTTP/". */
static void parse_status_line(struct span s, struct handshake_reply *r)
{
	size_t i = 5;
	if (s.len >= i + 3 && is_digit(s.p[i]) && s.p[i + 1] == '.' && is_digit(s.p[i + 2]) &&
			(s.len == i + 3 || s.p[i + 3] == ' ')) {
		if (s.p[i] == '1')
			r->version_minor = s.p[i + 2] - '0';
		if (r->version_minor != 1)
			r->faults |= HANDSHAKE_FAULT_VERSION;
		i += 3;
	} else {
		r->faults |= HANDSHAKE_FAULT_STATUS_LINE;
		while (i < s.len && s.p[i] != ' ')
			i++;
	}
	size_t spaces = 0;
	while (i < s.len && s.p[i] == ' ')
		spaces++, i++;
	struct span code = span_sub(s, i, 3);
	bool whole = code.len == 3 && is_digit(code.p[0]) && is_digit(code.p[1]) && is_digit(code.p[2]) &&
		(i + 3 == s.len || !is_digit(s.p[i + 3]));
	if (whole)
		r->status = (code.p[0] - '0') * 100 + (code.p[1] - '0') * 10 + code.p[2] - '0';
	if (spaces != 1 || r->status < 100 || i + 3 >= s.len || s.p[i + 3] != ' ' || has_control(s))
		r->faults |= HANDSHAKE_FAULT_STATUS_LINE;
	r->reason = whole ? span_trim(span_sub(s, i + 3, s.len)) : (struct span){0};
}

/* Appends a field to r->fields, or counts the fault; false when the line gave none. */
static bool parse_field(struct span s, struct handshake_reply *r)
{
	const uint8_t *colon = memchr(s.p, ':', s.len);
	struct span name = span_of(s.p, colon ? (size_t)(colon - s.p) : 0);
	struct span value = span_sub(s, name.len + 1, s.len);
	if (!handshake_is_token(name))
		r->faults |= HANDSHAKE_FAULT_FIELD;
	if (colon && has_control(value))
		r->faults |= HANDSHAKE_FAULT_VALUE;
	name = span_trim(name);
	if (name.len == 0)
		return false;
	if (r->n_fields == HANDSHAKE_FIELDS_MAX) {
		r->faults |= HANDSHAKE_FAULT_TOO_LONG;
		return false;
	}
	r->fields[r->n_fields++] = (struct handshake_field){.name = name, .value = span_trim(value)};
	return true;
}

/* A line that begins with SP or HTAB goes on with the value before it (RFC 9112 5.2). */
static void parse_fold(struct span s, struct handshake_field *previous, struct handshake_reply *r)
{
	r->faults |= HANDSHAKE_FAULT_FOLD;
	if (has_control(s))
		r->faults |= HANDSHAKE_FAULT_VALUE;
	s = span_trim(s);
	if (!previous || s.len == 0)
		return;
	if (previous->value.len == 0)
		previous->value = s;
	else
		previous->value.len = (size_t)(s.p + s.len - previous->value.p);
}

/*
 * Reads one head off *rest; false when its end is not there (then what was read so far is in r). Without r->fields
 * (first pass) the field lines are only counted, in r->n_fields.
 */
static bool parse_head(struct span *rest, struct handshake_reply *r)
{
	struct line line;
	r->status = 0;
	r->version_minor = -1;
	r->reason = (struct span){0};
	r->n_fields = 0;
	bool stored = false;
	for (bool first = true; take_line(rest, &line); first = false) {
		if (line.lf_only)
			r->faults |= HANDSHAKE_FAULT_LINE_END;
		if (first) {
			parse_status_line(line.text, r);
		} else if (line.text.len == 0) {
			return true;
		} else if (!r->fields) {
			r->n_fields++;
		} else if (line.text.p[0] == ' ' || line.text.p[0] == '\t') {
			parse_fold(line.text, stored ? &r->fields[r->n_fields - 1] : NULL, r);
		} else {
			stored = parse_field(line.text, r);
		}
	}
	return false;
}

/*
 * Reads heads up to the first that is not interim; false when more octets are needed. *ret_lines: field lines of the
 * head with the most.
 */
static bool parse_heads(struct span in, struct handshake_reply *r, size_t *ret_lines)
{
	struct span rest = in;
	*ret_lines = 0;
	for (;;) {
		r->size = in.len - rest.len;
		struct span begin = span_sub(rest, 0, 5);
		if (begin.len && memcmp(begin.p, "HTTP/", begin.len) != 0) {
			r->faults |= HANDSHAKE_FAULT_NOT_HTTP | HANDSHAKE_FAULT_STATUS_LINE;
			r->status = 0;
			r->version_minor = -1;
			r->reason = (struct span){0};
			r->n_fields = 0;
			return true;
		}
		bool whole = parse_head(&rest, r);
		if (r->n_fields > *ret_lines)
			*ret_lines = r->n_fields;
		if (!whole)
			return false;
		if (r->status < 100 || r->status > 199 || r->status == 101) {
			r->size = in.len - rest.len;
			return true;
		}
	}
}

int handshake_reply_parse(struct span in, struct arena *a, struct handshake_reply *ret_reply)
{
	if (in.len == 0)
		return 0;
	struct span seen = span_sub(in, 0, HANDSHAKE_REPLY_MAX);
	struct handshake_reply first_pass = {0}, r = {0};
	size_t lines, again;
	bool whole = parse_heads(seen, &first_pass, &lines);
	if (!whole && in.len <= HANDSHAKE_REPLY_MAX)
		return 0;
	if (lines > HANDSHAKE_FIELDS_MAX)
		lines = HANDSHAKE_FIELDS_MAX;
	if (lines) {
		r.fields = arena_alloc(a, lines * sizeof(*r.fields));
		if (!r.fields)
			return -ENOMEM;
	}
	parse_heads(seen, &r, &again);
	if (!whole) {
		r.faults |= HANDSHAKE_FAULT_TOO_LONG | (r.status ? 0 : HANDSHAKE_FAULT_STATUS_LINE);
		r.size = seen.len;
	}
	*ret_reply = r;
	return 1;
}
