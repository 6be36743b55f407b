/* The one thing about a text that needs memory. */
#include "server-under-test/base/text.h"

#include <stdlib.h>

char *text_copy(struct text text)
{
	char *copy = malloc(text.len + 1);

	if (!copy)
		abort();
	if (text.len > 0)
		memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	return copy;
}
