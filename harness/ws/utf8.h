#pragma once
/* Incremental UTF-8 validation, RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. Fast on ASCII. */
#include <stdbool.h>

#include "harness/base/span.h"

struct utf8 {
	uint32_t state;    /* 0: between characters */
	uint64_t position; /* octets accepted so far; after a failure: offset of the first bad octet in the whole text */
};

static inline void utf8_init(struct utf8 *u) { *u = (struct utf8){0}; }
/*
 * False at the first octet that no valid text can have here; u->position is its offset then, and u must be
 * initialised anew.
 */
bool utf8_feed(struct utf8 *u, struct span s);
/* May the text end here? */
static inline bool utf8_complete(const struct utf8 *u) { return u->state == 0; }
/*
 * The whole of s at once; on failure *ret_bad (may be NULL) is the offset of the first bad octet, or s.len when it
 * ends too early.
 */
bool utf8_valid(struct span s, size_t *ret_bad);

/*
 * The variants that this processor can run, best first, for tests and the benchmark. prefix returns the length of
 * some valid beginning that ends between characters; all variants of utf8_feed_with must give the same answers. s.p
 * must not be NULL there.
 */
struct utf8_variant {
	const char *name;
	size_t (*prefix)(const uint8_t *p, size_t len);
};
const struct utf8_variant *utf8_variants(size_t *ret_n);
bool utf8_feed_with(const struct utf8_variant *v, struct utf8 *u, struct span s);
