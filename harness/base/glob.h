#pragma once
/* Patterns for names: case ids, scenario names, fault names. */
#include <stdbool.h>

/*
 * True when the whole text matches the whole pattern, octet by octet, case kept.
 *	*      any octets, none and '/' included
 *	?      one octet
 *	[a-z]  one octet of the set; [!a-z] or [^a-z] one that is not; a ']' that comes first is a member
 *	[      without a ']' behind it: itself
 *	\c     the octet c itself; a backslash at the end is itself
 * Time is at most pattern length times text length, whatever the pattern.
 */
bool glob_match(const char *pattern, const char *text);
