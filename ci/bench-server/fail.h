#pragma once
/* How the load ends when a figure cannot be had. */

/* Says what failed, on stderr as "load: ...", and ends with status 69. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
