/* POSIX expressions have no names for groups, and people should not have to count parentheses. */
#include "harness/target/log_rules.h"

static int refuse(const char *what, struct err *e)
{
	return err_set(e, EINVAL, "logs: pattern: %s; it is a POSIX extended expression, and a group may have a name as in "
			       "(?<code>[0-9]+)", what);
}

/* The end of a bracket expression that begins at `at`: behind its ']'. */
static const char *skip_bracket(const char *at)
{
	at++;
	if (*at == '^')
		at++;
	if (*at == ']')
		at++;
	for (; *at && *at != ']'; at++) {
		if (*at != '[' || !strchr(":.=", at[1]) || !at[1])
			continue;
		const char end[] = {at[1], ']', 0}, *close = strstr(at + 2, end);
		at = close ? close + 1 : at;
	}
	return *at ? at + 1 : at;
}

static bool is_name(const char *at, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	return len > 0 && len < LOG_VALUE_MAX && (*at < '0' || *at > '9') && strspn(at, letters) >= len;
}

/* `at` is behind "(?"; the octet behind the name's '>', NULL for what is no name. */
static const char *read_name(const char *at, struct arena *a, const char **ret_name)
{
	const char *end = *at == '<' ? strchr(at, '>') : NULL;
	if (!end || !is_name(at + 1, (size_t)(end - at - 1)))
		return NULL;
	*ret_name = arena_printf(a, "%.*s", (int)(end - at - 1), at + 1);
	return end + 1;
}

int log_pattern_plain(const char *pattern, struct arena *a, const char **ret_plain, const char *names[LOG_GROUPS_MAX],
		      size_t *ret_groups, struct err *e)
{
	char *plain = arena_strdup(a, pattern), *to = plain;
	size_t groups = 0;
	if (!plain)
		return -ENOMEM;
	for (const char *at = pattern; *at;) {
		const char *from = at, *name = NULL;
		if (*at == '\\' && at[1] >= '1' && at[1] <= '9')
			return refuse("\\1 and the like are not possible", e);
		at = *at == '[' ? skip_bracket(at) : *at == '\\' && at[1] ? at + 2 : at + 1;
		bool group = *from == '(';
		if (group && ++groups >= LOG_GROUPS_MAX)
			return refuse("it has too many groups", e);
		memcpy(to, from, (size_t)(at - from));
		to += at - from;
		if (!group || *at != '?')
			continue;
		at = read_name(at + 1, a, &name);
		if (!at)
			return refuse("behind (? there is no <name>", e);
		names[groups] = name;
	}
	*to = 0;
	*ret_plain = plain;
	*ret_groups = groups;
	return 0;
}
