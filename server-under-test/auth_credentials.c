/* Where a request carries its credentials: a field, the query or a cookie. Nothing here is trusted or judged. */
#include "server-under-test/auth.h"

/* The part of text up to `separator`; text becomes what follows it. */
static struct text part_take(struct text *text, char separator)
{
	const char *end = text->len > 0 ? memchr(text->p, separator, text->len) : NULL;
	struct text part = end ? text_of(text->p, (size_t)(end - text->p)) : *text;

	*text = end ? text_of(end + 1, text->len - part.len - 1) : text_of(NULL, 0);
	return part;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = text_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False when it does not fit, or a % is not followed by two hex digits. */
static bool percent_decode(struct text value, char *buffer, size_t max, struct text *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c == '%') {
			int high = value.len - i > 2 ? hex_value(value.p[i + 1]) : -1;
			int low = value.len - i > 2 ? hex_value(value.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (len == max)
			return false;
		buffer[len++] = c;
	}
	*ret = text_of(buffer, len);
	return true;
}

bool query_value(struct text query, const char *name, char *buffer, size_t max, struct text *ret)
{
	while (query.len > 0) {
		struct text value = part_take(&query, '&');
		struct text key = part_take(&value, '=');

		if (!text_equal(key, name))
			continue;
		if (!percent_decode(value, buffer, max, ret))
			*ret = value;
		return true;
	}
	return false;
}

bool cookie_value(struct text cookie, const char *name, struct text *ret)
{
	while (cookie.len > 0) {
		struct text value = part_take(&cookie, ';');
		struct text key = part_take(&value, '=');

		if (!text_equal(text_trim(key), name))
			continue;
		value = text_trim(value);
		if (value.len >= 2 && value.p[0] == '"' && value.p[value.len - 1] == '"')
			value = text_of(value.p + 1, value.len - 2);
		*ret = value;
		return true;
	}
	return false;
}

struct text auth_credentials(struct text authorization, struct text query, struct text cookie,
			     char buffer[AUTH_TOKEN_MAX])
{
	struct text token = text_trim(authorization);
	struct text scheme = part_take(&token, ' ');

	token = text_trim(token);
	if (text_equal_nocase(scheme, "Bearer") && token.len > 0)
		return token;
	if (query_value(query, "token", buffer, AUTH_TOKEN_MAX, &token) && token.len > 0)
		return token;
	if (cookie_value(cookie, "wsquall_token", &token))
		return token;
	return text_of(NULL, 0);
}
