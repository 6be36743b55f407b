/* The sentence a failing start leaves for the user. Everything after the start is reported by the log instead. */
#include "server-under-test/base/err.h"

#include <stdarg.h>
#include <stdio.h>

void err_set(struct err *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
}
