#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed text, not NUL-terminated; p may be NULL when len is 0. */
struct text {
	const char *p;
	size_t len;
};

static inline struct text text_of(const char *p, size_t len)
{
	return (struct text){ p, len };
}

static inline struct text text_from(const char *string)
{
	return (struct text){ string, strlen(string) };
}

static inline bool text_equal(struct text a, const char *b)
{
	return a.len == strlen(b) && (a.len == 0 || memcmp(a.p, b, a.len) == 0);
}

static inline char text_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* FNV-1a: for what nobody gains by making it collide. */
static inline uint32_t text_hash(struct text text)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * 16777619u;
	return hash;
}

/* Folds A-Z only, as RFC 6455 2.1 defines it. */
static inline bool text_equal_nocase(struct text a, const char *b)
{
	size_t len = strlen(b);

	if (a.len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text_lower(a.p[i]) != text_lower(b[i]))
			return false;
	return true;
}

/* Without the blanks (SP, HT) at both ends. */
static inline struct text text_trim(struct text t)
{
	while (t.len && (t.p[0] == ' ' || t.p[0] == '\t'))
		t = text_of(t.p + 1, t.len - 1);
	while (t.len && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
		t.len--;
	return t;
}

char *text_copy(struct text text); /* NUL-terminated, the caller frees it; out of memory ends the process */

#endif
