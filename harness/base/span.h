#pragma once
/* Borrowed octets: a base and a length, by value. Never owns, may hold NULs, p may be NULL when len is 0. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t len;
};

/* From a string literal; the terminating NUL is not part of it, inner NULs are. */
#define SPAN_LIT(s) ((struct span){(const uint8_t *)(s), sizeof(s) - 1})

static inline struct span span_of(const void *p, size_t len)
{
	return (struct span){p, len};
}

static inline struct span span_str(const char *s)
{
	return (struct span){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* From `at`, at most `len` octets; never past the end. */
static inline struct span span_sub(struct span s, size_t at, size_t len)
{
	if (at > s.len)
		at = s.len;
	if (len > s.len - at)
		len = s.len - at;
	return (struct span){at ? s.p + at : s.p, len};
}

/* Folds only ASCII A-Z with a-z (RFC 6455 2.1). */
bool span_eq_nocase(struct span a, struct span b);
/* Without leading and trailing SP and HTAB. */
struct span span_trim(struct span s);
/* Offset of the first `needle` in s, or -1. An empty needle is found at 0. */
ptrdiff_t span_find(struct span s, struct span needle);
