/*
 * The grammars of the opening handshake. Deliberate bugs of the same kind as servers in the field have them stand
 * beside each rule.
 */
#include "server-under-test/http/handshake_rules.h"

#include "server-under-test/defects.h"

bool rule_tchar(char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool rule_token(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!rule_tchar(t.p[i]))
			return false;
	return t.len > 0;
}

/* Index of the first comma outside quotes, or the length. An unterminated quote swallows the rest. */
static size_t element_len(struct text rest)
{
	bool quoted = false;

	for (size_t i = 0; i < rest.len; i++) {
		if (quoted && rest.p[i] == '\\')
			i++;
		else if (rest.p[i] == '"')
			quoted = !quoted;
		else if (rest.p[i] == ',' && !quoted)
			return i;
	}
	return rest.len;
}

bool rule_list_next(struct text *rest, struct text *ret_element)
{
	while (rest->len > 0) {
		size_t len = element_len(*rest);
		struct text element = text_of(rest->p, len);

		if (!defect(list_needs_single_space))
			element = text_trim(element);
		else if (element.len > 0 && element.p[0] == ' ')
			element = text_of(element.p + 1, element.len - 1);
		len += len < rest->len;
		*rest = text_of(rest->p + len, rest->len - len);
		if (element.len > 0) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

static bool list_of(struct text list, bool (*is_element)(struct text))
{
	struct text element;
	bool any = false;

	while (rule_list_next(&list, &element)) {
		if (!is_element(element))
			return false;
		any = true;
	}
	return any;
}

bool rule_token_list(struct text list)
{
	return list_of(list, rule_token);
}

static bool upgrade_element(struct text t)
{
	const char *slash = memchr(t.p, '/', t.len);
	size_t name_len = slash ? (size_t)(slash - t.p) : t.len;

	if (!rule_token(text_of(t.p, name_len)))
		return false;
	return !slash || rule_token(text_of(slash + 1, t.len - name_len - 1));
}

bool rule_upgrade_list(struct text list)
{
	return list_of(list, upgrade_element);
}

/* Takes a token off the front and the blanks after it. */
static bool take_token(struct text *t)
{
	size_t len = 0;

	while (len < t->len && rule_tchar(t->p[len]))
		len++;
	if (len == 0)
		return false;
	*t = text_trim(text_of(t->p + len, t->len - len));
	return true;
}

/* A quoted-string whose content, unescaped, is a token. */
static bool take_quoted_token(struct text *t)
{
	size_t i = 1;
	size_t content = 0;

	for (; i < t->len && t->p[i] != '"'; i++, content++) {
		if (t->p[i] == '\\' && ++i == t->len)
			return false;
		if (!rule_tchar(t->p[i]))
			return false;
	}
	if (i >= t->len || content == 0)
		return false;
	*t = text_trim(text_of(t->p + i + 1, t->len - i - 1));
	return true;
}

static bool take_char(struct text *t, char c)
{
	if (t->len == 0 || t->p[0] != c)
		return false;
	*t = text_trim(text_of(t->p + 1, t->len - 1));
	return true;
}

static bool extension_element(struct text t)
{
	if (!take_token(&t))
		return false;
	while (t.len > 0) {
		if (!take_char(&t, ';') || !take_token(&t))
			return false;
		if (take_char(&t, '=') && !(t.len > 0 && t.p[0] == '"' ? take_quoted_token(&t) : take_token(&t)))
			return false;
	}
	return true;
}

bool rule_extension_list(struct text list)
{
	return list_of(list, extension_element);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (text_lower(c) >= 'a' && text_lower(c) <= 'f');
}

/* Percent escapes are whole and every other character is printable ASCII outside `not_allowed`. */
static bool uri_chars(struct text t, const char *not_allowed)
{
	for (size_t i = 0; i < t.len; i++) {
		if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || strchr(not_allowed, t.p[i]))
			return false;
		if (t.p[i] == '%' && (i + 2 >= t.len || !is_hex(t.p[i + 1]) || !is_hex(t.p[i + 2])))
			return false;
	}
	return true;
}

static bool digits(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	return true;
}

bool rule_host(struct text host)
{
	const char *colon;

	if (host.len > 0 && host.p[0] == '[') {
		const char *bracket = memchr(host.p, ']', host.len);
		size_t len = bracket ? (size_t)(bracket - host.p) + 1 : 0;

		if (len < 4 || !uri_chars(text_of(host.p + 1, len - 2), "\"<>\\^`{}|#/?@[]"))
			return false;
		host = text_of(host.p + len, host.len - len);
		return host.len == 0 || (host.p[0] == ':' && digits(text_of(host.p + 1, host.len - 1)));
	}
	colon = host.len > 0 ? memchr(host.p, ':', host.len) : NULL;
	if (colon) {
		size_t len = (size_t)(colon - host.p);

		if (!digits(text_of(colon + 1, host.len - len - 1)))
			return false;
		host.len = len;
	}
	return host.len > 0 && uri_chars(host, "\"<>\\^`{}|#/?@[]");
}

/* Takes "http://authority" off the front. */
static bool take_authority(struct text *target)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (unsigned i = 0; i < 2; i++) {
		size_t len = strlen(schemes[i]);
		size_t end = len;

		if (target->len <= len || !text_equal_nocase(text_of(target->p, len), schemes[i]))
			continue;
		while (end < target->len && target->p[end] != '/' && target->p[end] != '?' && target->p[end] != '#')
			end++;
		if (!rule_host(text_of(target->p + len, end - len)))
			return false;
		*target = text_of(target->p + end, target->len - end);
		return true;
	}
	return false;
}

bool rule_target(struct text target, struct text *ret_path, struct text *ret_query)
{
	const char *mark;

	if (target.len == 0)
		return false;
	if (target.p[0] != '/' && (defect(target_absolute_refused) || !take_authority(&target)))
		return false;
	if (defect(target_fragment_stripped) && target.len > 0 && memchr(target.p, '#', target.len))
		target.len = (size_t)((const char *)memchr(target.p, '#', target.len) - target.p);
	if (!uri_chars(target, "\"<>\\^`{}|#"))
		return false;
	mark = target.len > 0 ? memchr(target.p, '?', target.len) : NULL;
	*ret_query = mark ? text_of(mark + 1, target.len - (size_t)(mark - target.p) - 1) : text_of("", 0);
	*ret_path = text_of(target.p, mark ? (size_t)(mark - target.p) : target.len);
	if (ret_path->len == 0) /* http://host and http://host?query */
		*ret_path = text_from("/");
	return true;
}

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool rule_key(struct text key)
{
	if (defect(key_length_unchecked))
		return key.len > 0;
	if (key.len != 24 || key.p[22] != '=' || key.p[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++)
		if (!is_base64(key.p[i]))
			return false;
	return true;
}

bool rule_version_number(struct text version)
{
	unsigned number = 0;

	if (version.len == 0 || version.len > 3 || !digits(version) || (version.len > 1 && version.p[0] == '0'))
		return false;
	for (size_t i = 0; i < version.len; i++)
		number = number * 10 + (unsigned)(version.p[i] - '0');
	return number <= 255;
}
