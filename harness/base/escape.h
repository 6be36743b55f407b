#pragma once
/*
 * Hostile octets made printable. What comes out holds no octet that a terminal acts on, no line break and nothing that
 * reorders or hides text, and says exactly what went in: every input has its own output.
 */
#include "harness/base/buf.h"

/*
 * Appends s: well-formed printable UTF-8 as it is; the backslash as \\; an octet below U+0080 that is a control
 * character, and each octet that is not part of a well-formed character, as \xNN; any other character for which
 * rune_is_control holds as \u{N...} (lower case hex, no zeros in front). At most 4 times as long as s. 0, or -ENOBUFS
 * or -ENOMEM with part of it appended.
 */
int escape_text(struct buf *b, struct span s);

/*
 * The same for at most the first `max` octets of s (never half a character), followed by "... (N more octets)" when
 * some are left out.
 */
int escape_text_max(struct buf *b, struct span s, size_t max);

/*
 * What a sentence shows of a word that somebody gave: escape_text_max of its first ESCAPE_WORD_MAX octets. b, which has
 * not been initialised, holds it; buf_fini is the caller's.
 */
enum { ESCAPE_WORD_MAX = 60 };
const char *escape_word(struct buf *b, const char *word);

/* Appends two lower case hex digits an octet, a space between octets: "81 05 48". Nothing for an empty span. */
int escape_hex(struct buf *b, struct span s);
