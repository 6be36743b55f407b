#pragma once
/* "Did you mean": the known word that a mistyped one most likely stands for. */
#include <stddef.h>

/* Words longer than this are compared with nothing. */
enum { NEAR_WORD_MAX = 64 };

/*
 * The element of words[0..n) nearest to `word`, or NULL when none is near. Distance: Damerau-Levenshtein with adjacent
 * swaps (optimal string alignment), ASCII letters folded, '-' and '_' the same. Near is: at most a third of the longer
 * word's length (at least 1) apart, or `word` (3 octets or more) is the beginning of it. The smallest distance wins,
 * then the earliest in the list. NULL elements are passed over.
 */
const char *near_word(const char *word, const char *const *words, size_t n);
