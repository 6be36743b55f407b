#pragma once
/*
 * One character of UTF-8 at a time, for text that is shown or stored. The incremental validator of messages is
 * harness/ws/utf8.h.
 */
#include "harness/base/span.h"

/*
 * Octets (1 to 4) of the well-formed UTF-8 character at the beginning of s, its code point in ret; 0, and ret
 * untouched, when there is none: s is empty, or its first octets are ill-formed or cut short. Well-formed is RFC 3629:
 * shortest form, no surrogates, at most U+10FFFF.
 */
size_t rune_decode(struct span s, uint32_t *ret);

/* The offset of the first octet that belongs to no well-formed character; s.len when all is well. */
size_t rune_first_bad(struct span s);

/*
 * True for what changes the terminal or deceives the reader instead of showing itself: C0, DEL, C1, line and paragraph
 * separators, bidirectional controls, invisible characters (zero width space, word joiner, BOM, tags, interlinear
 * marks), noncharacters. The joiners U+200C and U+200D are not: scripts and emoji need them.
 */
bool rune_is_control(uint32_t c);
