/* Which row of a table of routes a request asks for. No table is here: the two engines have their own. */
#include "server-under-test/http/http_route.h"

#include <stdio.h>

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{ "GET", HTTP_GET },
	{ "HEAD", HTTP_HEAD },
	{ "POST", HTTP_POST },
	{ "OPTIONS", HTTP_OPTIONS },
};

#define METHOD_COUNT (sizeof(methods) / sizeof(methods[0]))

enum http_method http_method_of(struct text method)
{
	for (size_t i = 0; i < METHOD_COUNT; i++)
		if (text_equal(method, methods[i].name))
			return methods[i].method;
	return HTTP_OTHER;
}

void http_methods_print(unsigned set, char *buffer, size_t max)
{
	size_t len = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < METHOD_COUNT && len < max; i++)
		if (set & methods[i].method)
			len += (size_t)snprintf(buffer + len, max - len, "%s%s", len > 0 ? ", " : "", methods[i].name);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = text_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one character, unescaped, off the front. -1: the escape is broken. */
static int take_char(struct text *t, bool *ret_escaped)
{
	int c = (unsigned char)t->p[0];
	size_t used = 1;

	*ret_escaped = c == '%';
	if (c == '%') {
		int high = t->len > 2 ? hex_value(t->p[1]) : -1;
		int low = t->len > 2 ? hex_value(t->p[2]) : -1;

		if (high < 0 || low < 0)
			return -1;
		c = high * 16 + low;
		used = 3;
	}
	*t = text_of(t->p + used, t->len - used);
	return c;
}

static bool row_matches(const char *name, struct text path, struct text *ret_rest)
{
	bool prefix = name[strlen(name) - 1] == '/';
	bool escaped;

	for (; *name; name++) {
		if (path.len == 0 || take_char(&path, &escaped) != *name || (*name == '/' && escaped))
			return false;
	}
	*ret_rest = path;
	return prefix || path.len == 0;
}

const struct http_route *http_route_find(const struct http_routes *routes, struct text path, struct text *ret_rest)
{
	for (size_t i = 0; i < routes->count; i++)
		if (row_matches(routes->rows[i].path, path, ret_rest))
			return &routes->rows[i];
	return NULL;
}

bool http_unescape(struct text rest, char *buffer, size_t max, struct text *ret)
{
	size_t len = 0;
	bool escaped;

	while (rest.len > 0) {
		int c = take_char(&rest, &escaped);

		if (c < 0 || len == max)
			return false;
		buffer[len++] = (char)c;
	}
	*ret = text_of(buffer, len);
	return true;
}
