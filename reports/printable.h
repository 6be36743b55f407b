#pragma once
/* Text of a result, one character at a time, without anything that acts on a terminal, deceives a reader or that XML
 * cannot carry. */
#include "harness/base/span.h"

enum { PRINTABLE_MAX = 16 };

/*
 * Takes the next character off *s: `unit` gets it as UTF-8 (not terminated), the length is returned; 0 at the end.
 * Newline and tab are given as they are. Any other control, bidirectional or invisible character comes as \x1b or
 * \u{202e}, an octet that is not UTF-8 as \xff.
 */
size_t printable_next(struct span *s, char unit[PRINTABLE_MAX]);

/* Columns of one unit on a terminal: 0 (combining), 1, 2 (wide); escapes count their letters. */
size_t printable_columns(const char *unit, size_t len);
