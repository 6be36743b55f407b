/*
 * One typing mistake should cost a user one reading, not a search of the manual: every unknown name is answered with
 * the nearest known one.
 */
#include "harness/base/near.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { PREFIX_MIN = 3 };

static unsigned char fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned char)(c + 32);
	return c == '_' ? '-' : (unsigned char)c;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

/* Three rows of the usual matrix; both words are at most NEAR_WORD_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NEAR_WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = fold(a[i - 1]) != fold(b[j - 1]);
			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + change);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]) &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		size_t *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_len];
}

static bool starts(const char *word, size_t word_len, const char *beginning, size_t len)
{
	if (len < PREFIX_MIN || len > word_len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (fold(word[i]) != fold(beginning[i]))
			return false;
	return true;
}

const char *near_word(const char *word, const char *const *words, size_t n)
{
	size_t len = strlen(word), best = SIZE_MAX;
	const char *found = NULL;
	if (len == 0 || len > NEAR_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t other = words[i] ? strlen(words[i]) : 0;
		if (other == 0 || other > NEAR_WORD_MAX)
			continue;
		size_t longer = len > other ? len : other;
		size_t limit = longer / 3 ? longer / 3 : 1;
		size_t d = distance(word, len, words[i], other);
		/* Nothing in common is not near, however short the words. */
		bool near = (d <= limit && d < longer) || starts(words[i], other, word, len);
		if (near && d < best) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
