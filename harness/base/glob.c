/* fnmatch(3) is not used: its time is exponential in the number of stars, and its answer depends on the locale. */
#include "harness/base/glob.h"

#include <stddef.h>
#include <string.h>

/* The end of the set that begins after '[', or NULL when it is never closed. */
static const char *set_end(const char *p)
{
	if (*p == '!' || *p == '^')
		p++;
	if (*p == ']')
		p++;
	return strchr(p, ']');
}

static bool set_has(const char *p, const char *end, unsigned char c)
{
	bool negated = *p == '!' || *p == '^', found = false;
	if (negated)
		p++;
	while (p < end) {
		unsigned char from = (unsigned char)*p++, to = from;
		if (p + 1 < end && *p == '-') {
			to = (unsigned char)p[1];
			p += 2;
		}
		found |= from <= c && c <= to;
	}
	return found != negated;
}

/* Matches one octet with the element at *p (not a star) and moves *p behind it. */
static bool match_one(const char **p, unsigned char c)
{
	const char *at = *p, *end;
	if (*at == '?') {
		*p = at + 1;
		return true;
	}
	if (*at == '[' && (end = set_end(at + 1))) {
		*p = end + 1;
		return set_has(at + 1, end, c);
	}
	if (*at == '\\' && at[1])
		at++;
	*p = at + 1;
	return (unsigned char)*at == c;
}

bool glob_match(const char *pattern, const char *text)
{
	/* Going back to the last star is enough: what an earlier star could still take, the last one can take too. */
	const char *star = NULL, *star_text = NULL;
	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			star_text = text;
			continue;
		}
		if (*pattern && match_one(&pattern, (unsigned char)*text)) {
			text++;
			continue;
		}
		if (!star)
			return false;
		pattern = star;
		text = ++star_text;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == 0;
}
