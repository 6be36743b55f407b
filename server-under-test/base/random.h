#ifndef SERVER_RANDOM_H
#define SERVER_RANDOM_H

#include <stddef.h>

/* From the kernel, fit for secrets. That it has none to give ends the process. len at most 256. */
void random_fill(void *place, size_t len);

/* `bytes` of it as 2 * bytes hex digits and a NUL. bytes at most 256. */
void random_hex(char *text, size_t bytes);

#endif
