/* One sentence for the user, and the cleanup functions that every file uses. */
#include "harness/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/rune.h"

/* Half a character at the end of a sentence that did not fit would make all of it no UTF-8. */
static void drop_cut_character(char text[ERR_TEXT_MAX])
{
	size_t end = ERR_TEXT_MAX - 1, bad = rune_first_bad(span_of(text, end));
	if (end - bad <= 3)
		text[bad] = 0;
}

int (err_set)(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		int len = vsnprintf(e->text, sizeof(e->text), fmt, ap);
		va_end(ap);
		if (len >= (int)sizeof(e->text))
			drop_cut_character(e->text);
	}
	return -code;
}

void cleanup_free(void *p)
{
	void **pointer = p;
	free(*pointer);
	*pointer = NULL;
}

void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
