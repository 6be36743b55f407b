/*
 * Reads the JSON of peers. Not jansson, which turns numbers into machine types and so refuses some and changes others;
 * here nothing is built, values stay slices of the message.
 */
#include "server-under-test/client/json_scan.h"

#include "server-under-test/defects.h"

struct scan {
	const char *p, *end;
	unsigned depth;
	const char *why;
};

static bool fail(struct scan *scan, const char *why)
{
	if (!scan->why)
		scan->why = why;
	return false;
}

static void skip_blanks(struct scan *scan)
{
	while (scan->p < scan->end && (*scan->p == ' ' || *scan->p == '\t' || *scan->p == '\n' || *scan->p == '\r'))
		scan->p++;
}

static bool take(struct scan *scan, char c)
{
	if (scan->p >= scan->end || *scan->p != c)
		return false;
	scan->p++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits behind \u. */
static bool take_hex(const char **p, const char *end, unsigned *ret)
{
	unsigned value = 0;

	if (end - *p < 4)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		int digit = hex_digit((*p)[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (unsigned)digit;
	}
	*p += 4;
	*ret = value;
	return true;
}

/* What stands behind a backslash. False: malformed, or half of a surrogate pair. */
static bool take_escape(const char **p, const char *end, unsigned *ret)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name;
	unsigned low;

	if (*p >= end)
		return false;
	name = **p ? strchr(names, **p) : NULL;
	if (name) {
		(*p)++;
		*ret = (unsigned char)values[name - names];
		return true;
	}
	if (*(*p)++ != 'u' || !take_hex(p, end, ret) || (*ret >= 0xdc00 && *ret <= 0xdfff))
		return false;
	if (*ret < 0xd800 || *ret > 0xdbff)
		return true;
	if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
		return false;
	*p += 2;
	if (!take_hex(p, end, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static bool scan_string(struct scan *scan)
{
	unsigned code;

	if (!take(scan, '"'))
		return fail(scan, "a string was expected");
	while (scan->p < scan->end) {
		unsigned char c = (unsigned char)*scan->p++;

		if (c == '"')
			return true;
		if (c < 0x20)
			return fail(scan, "a control character in a string is not escaped");
		if (c == '\\' && !take_escape(&scan->p, scan->end, &code))
			return fail(scan, "an escape in a string is not good");
	}
	return fail(scan, "a string does not end");
}

static bool scan_digits(struct scan *scan)
{
	const char *start = scan->p;

	while (scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9')
		scan->p++;
	return scan->p > start || fail(scan, "a number is not good");
}

static bool scan_number(struct scan *scan)
{
	take(scan, '-');
	if (!take(scan, '0') && !scan_digits(scan))
		return false;
	if (take(scan, '.') && !scan_digits(scan))
		return false;
	if (take(scan, 'e') || take(scan, 'E')) {
		if (!take(scan, '+'))
			take(scan, '-');
		return scan_digits(scan);
	}
	return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(scan->end - scan->p) < len || memcmp(scan->p, word, len) != 0)
		return fail(scan, "a value was expected");
	scan->p += len;
	return true;
}

static bool scan_value(struct scan *scan, struct scan_value *ret);

static bool scan_array(struct scan *scan)
{
	struct scan_value value;

	scan->p++;
	skip_blanks(scan);
	if (take(scan, ']'))
		return true;
	for (;;) {
		if (!scan_value(scan, &value))
			return false;
		skip_blanks(scan);
		if (take(scan, ']'))
			return true;
		if (!take(scan, ','))
			return fail(scan, "an array does not go on or end");
	}
}

/* Whether the name, as it was sent with its quotes, is `wanted`. */
static bool name_is(const struct scan_value *name, const char *wanted)
{
	char buffer[32];
	struct text text;

	return json_scan_string(name, buffer, sizeof(buffer), &text) && text_equal(text, wanted);
}

static bool keep_member(struct scan *scan, struct scan_member *members, size_t count, const struct scan_value *name,
			const struct scan_value *value)
{
	for (size_t i = 0; i < count; i++) {
		if (!name_is(name, members[i].name))
			continue;
		if (members[i].value.kind != SCAN_ABSENT)
			return fail(scan, "a name stands twice in an object");
		members[i].value = *value;
	}
	return true;
}

static bool scan_object(struct scan *scan, struct scan_member *members, size_t count)
{
	struct scan_value name = { .kind = SCAN_STRING }, value;

	scan->p++;
	skip_blanks(scan);
	if (take(scan, '}'))
		return true;
	for (;;) {
		skip_blanks(scan);
		name.raw.p = scan->p;
		if (!scan_string(scan))
			return false;
		name.raw.len = (size_t)(scan->p - name.raw.p);
		skip_blanks(scan);
		if (!take(scan, ':'))
			return fail(scan, "a name in an object has no value");
		if (!scan_value(scan, &value) || !keep_member(scan, members, count, &name, &value))
			return false;
		skip_blanks(scan);
		if (take(scan, '}'))
			return true;
		if (!take(scan, ','))
			return fail(scan, "an object does not go on or end");
	}
}

static bool scan_nested(struct scan *scan, bool object)
{
	bool good;

	if (scan->depth >= JSON_SCAN_DEPTH_MAX && !defect(input_deep_nesting_crashes))
		return fail(scan, "too many arrays and objects within each other");
	scan->depth++;
	good = object ? scan_object(scan, NULL, 0) : scan_array(scan);
	scan->depth--;
	return good;
}

static bool scan_any(struct scan *scan, enum scan_kind *ret_kind)
{
	switch (scan->p < scan->end ? *scan->p : '\0') {
	case '{':
		*ret_kind = SCAN_OBJECT;
		return scan_nested(scan, true);
	case '[':
		*ret_kind = SCAN_ARRAY;
		return scan_nested(scan, false);
	case '"':
		*ret_kind = SCAN_STRING;
		return scan_string(scan);
	case 'n':
		*ret_kind = SCAN_NULL;
		return scan_word(scan, "null");
	case 't':
		*ret_kind = SCAN_BOOL;
		return scan_word(scan, "true");
	case 'f':
		*ret_kind = SCAN_BOOL;
		return scan_word(scan, "false");
	case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
		*ret_kind = SCAN_NUMBER;
		return scan_number(scan);
	default:
		return fail(scan, "a value was expected");
	}
}

static bool scan_value(struct scan *scan, struct scan_value *ret)
{
	skip_blanks(scan);
	ret->raw.p = scan->p;
	if (!scan_any(scan, &ret->kind))
		return false;
	ret->raw.len = (size_t)(scan->p - ret->raw.p);
	return true;
}

bool json_scan_object(struct text in, struct scan_member *members, size_t count, const char **ret_why)
{
	struct scan scan = { .p = in.p, .end = in.p + in.len, .depth = 1 };
	bool good;

	skip_blanks(&scan);
	if (scan.p >= scan.end || *scan.p != '{') {
		*ret_why = "not a JSON object";
		return false;
	}
	good = scan_object(&scan, members, count);
	skip_blanks(&scan);
	if (good && scan.p != scan.end)
		good = fail(&scan, "something stands behind the object");
	if (!good)
		*ret_why = scan.why;
	return good;
}

static size_t utf8_put(unsigned code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 63));
		out[2] = (char)(0x80 | (code & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 63));
	out[2] = (char)(0x80 | (code >> 6 & 63));
	out[3] = (char)(0x80 | (code & 63));
	return 4;
}

/* Resolves the escapes of a well-formed string into out, up to max octets; returns what it needs. */
static size_t unescape(struct text raw, char *out, size_t max)
{
	const char *p = raw.p + 1, *end = raw.p + raw.len - 1;
	size_t len = 0;

	while (p < end) {
		char piece[4] = { *p++ };
		size_t piece_len = 1;
		unsigned code = 0;

		if (piece[0] == '\\' && take_escape(&p, end, &code))
			piece_len = utf8_put(code, piece);
		if (len + piece_len <= max)
			memcpy(out + len, piece, piece_len);
		len += piece_len;
	}
	return len;
}

size_t json_scan_string_len(const struct scan_value *value)
{
	return value->kind == SCAN_STRING ? unescape(value->raw, NULL, 0) : SIZE_MAX;
}

bool json_scan_string(const struct scan_value *value, char *buffer, size_t max, struct text *ret)
{
	size_t len;

	if (value->kind != SCAN_STRING)
		return false;
	len = unescape(value->raw, buffer, max);
	if (len > max)
		return false;
	*ret = text_of(buffer, len);
	return true;
}

bool json_scan_seq(const struct scan_value *value, uint64_t *ret)
{
	uint64_t number = 0;

	if (value->kind != SCAN_NUMBER)
		return false;
	for (size_t i = 0; i < value->raw.len; i++) {
		char c = value->raw.p[i];

		if (c < '0' || c > '9' || number > ((uint64_t)INT64_MAX - (uint64_t)(c - '0')) / 10)
			return false;
		number = number * 10 + (uint64_t)(c - '0');
	}
	*ret = number;
	return true;
}

size_t json_scan_compact(struct text raw, char *out)
{
	bool in_string = false;
	size_t len = 0;

	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.p[i];

		if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
			continue;
		out[len++] = c;
		if (c == '"')
			in_string = !in_string;
		else if (in_string && c == '\\')
			out[len++] = raw.p[++i];
	}
	return len;
}
