/*
 * The strict HTTP/1.1 request head parser of both engines. A fault is found at the first octet that cannot be right,
 * so that garbage without a line end is refused too.
 */
#include "server-under-test/http/http_head.h"

#include <stdlib.h>

#include "server-under-test/defects.h"
#include "server-under-test/http/handshake_rules.h"

void http_parser_init(struct http_parser *parser, size_t head_max)
{
	*parser = (struct http_parser){ .capacity = head_max };
	parser->head = malloc(head_max);
	if (!parser->head)
		abort();
}

void http_parser_fini(struct http_parser *parser)
{
	free(parser->head);
	parser->head = NULL;
}

static enum http_progress bad(struct http_parser *parser, unsigned status, const char *why)
{
	parser->status = status;
	parser->why = why;
	return HTTP_BAD;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* HTTP-version = "HTTP/" DIGIT "." DIGIT (RFC 9112 2.3) */
static enum http_progress parse_version(struct http_parser *parser, struct text t)
{
	if (t.len != 8 || memcmp(t.p, "HTTP/", 5) != 0 || !is_digit(t.p[5]) || t.p[6] != '.' || !is_digit(t.p[7]))
		return bad(parser, 400, "the request line does not end in an HTTP version");
	if (t.p[5] != '1')
		return bad(parser, 505, "only HTTP/1 is spoken");
	parser->request.minor = (unsigned)(t.p[7] - '0');
	return HTTP_MORE;
}

/* request-line = method SP request-target SP HTTP-version (RFC 9112 3) */
static enum http_progress parse_request_line(struct http_parser *parser, struct text line)
{
	const char *first = memchr(line.p, ' ', line.len);
	const char *last = first;

	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] == ' ')
			last = line.p + i;
	if (!first || first == last)
		return bad(parser, 400, "the request line has not three parts");
	parser->request.method = text_of(line.p, (size_t)(first - line.p));
	parser->request.target = text_of(first + 1, (size_t)(last - first) - 1);
	if (memchr(parser->request.target.p, ' ', parser->request.target.len))
		return bad(parser, 400, "the request line has more than three parts");
	parser->started = true;
	return parse_version(parser, text_of(last + 1, line.len - (size_t)(last - line.p) - 1));
}

static struct field_lines *field_of(struct handshake_request *r, struct text name)
{
	const struct {
		const char *name;
		struct field_lines *lines;
		bool application; /* no field of the opening handshake */
	} known[] = {
		{ "Host", &r->host },
		{ "Upgrade", &r->upgrade },
		{ "Connection", &r->connection },
		{ "Sec-WebSocket-Key", &r->key },
		{ "Sec-WebSocket-Version", &r->version },
		{ "Sec-WebSocket-Protocol", &r->protocol },
		{ "Sec-WebSocket-Extensions", &r->extensions },
		{ "Origin", &r->origin },
		{ "Content-Length", &r->content_length },
		{ "Transfer-Encoding", &r->transfer_encoding },
		{ "Authorization", &r->authorization, true },
		{ "Cookie", &r->cookie, true },
		{ "Last-Event-ID", &r->last_event_id, true },
		{ "X-Forwarded-For", &r->forwarded_for, true },
		{ "Expect", &r->expect, true },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].application && defect(header_unknown_refused))
			continue;
		if (defect(header_name_case_sensitive) ? text_equal(name, known[i].name) : text_equal_nocase(name, known[i].name))
			return known[i].lines;
	}
	return NULL;
}

static enum http_progress parse_field(struct http_parser *parser, struct text line)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct text name = text_of(line.p, colon ? (size_t)(colon - line.p) : line.len);
	struct field_lines *lines;

	if (!colon && defect(header_without_colon_ignored))
		return HTTP_MORE;
	if (defect(header_blank_before_colon))
		name = text_trim(name);
	if (!colon || !rule_token(name))
		return bad(parser, 400, "a header field has no proper name");
	if (++parser->fields > (defect(header_few_fields) ? 24 : HTTP_FIELDS_MAX))
		return bad(parser, 431, "too many header fields");
	lines = field_of(&parser->request, name);
	if (defect(header_unknown_refused) && !lines && !text_equal_nocase(name, "User-Agent"))
		return bad(parser, 400, "unknown header field");
	if (defect(header_order_fixed) && parser->fields == 1 && lines != &parser->request.host)
		return bad(parser, 400, "the first header field is not Host");
	if (!lines)
		return HTTP_MORE;
	field_lines_add(lines, text_of(colon + 1, line.len - (size_t)(colon + 1 - line.p)));
	if (defect(key_end_untrimmed) && lines == &parser->request.key)
		lines->v[lines->count - 1].len = line.len - (size_t)(lines->v[lines->count - 1].p - line.p);
	if (lines->overflow)
		return bad(parser, 400, "a header field is repeated too often");
	return HTTP_MORE;
}

static enum http_progress parse_line(struct http_parser *parser, struct text line)
{
	if (!parser->started) {
		if (line.len == 0) /* RFC 9112 2.2: an empty line before the request line is skipped */
			return HTTP_MORE;
		return parse_request_line(parser, line);
	}
	if (line.len == 0)
		return HTTP_DONE;
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return bad(parser, 400, "a folded header field");
	return parse_field(parser, line);
}

/* Control characters, bare CR and LF, and a method that cannot be one, each at its octet. */
static const char *octet_fault(const struct http_parser *parser, char c)
{
	char before = parser->len > 0 ? parser->head[parser->len - 1] : '\0';
	const char *line = parser->head + parser->line;
	size_t line_len = parser->len - parser->line;

	if (before == '\r' && c != '\n' && !defect(header_bare_cr_accepted))
		return "a CR without LF";
	if (c == '\n' && before != '\r')
		return "a line end without CR";
	if (((unsigned char)c < 0x20 && c != '\r' && c != '\n' && c != '\t') || c == 0x7f)
		return defect(header_control_accepted) ? NULL : "a control character";
	if (parser->started || c == '\r' || c == '\n' || (line_len > 0 && (c == ' ' || memchr(line, ' ', line_len))))
		return NULL;
	return rule_tchar(c) ? NULL : "the request does not begin with a method";
}

enum http_progress http_parser_feed(struct http_parser *parser, const uint8_t *data, size_t len, size_t *ret_used)
{
	for (size_t i = 0; i < len; i++) {
		char c = (char)data[i];
		const char *fault = octet_fault(parser, c);
		enum http_progress progress;

		*ret_used = i + 1;
		if (fault)
			return bad(parser, 400, fault);
		if (parser->len == parser->capacity)
			return bad(parser, 431, "the request head is too large");
		parser->head[parser->len++] = c;
		if (c != '\n')
			continue;
		progress = parse_line(parser, text_of(parser->head + parser->line, parser->len - parser->line - 2));
		parser->line = parser->len;
		if (progress != HTTP_MORE)
			return progress;
	}
	if (defect(request_needs_one_read))
		return bad(parser, 400, "the request is not complete");
	return HTTP_MORE;
}
