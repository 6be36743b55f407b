/* Names nobody can guess, and numbers nobody can foresee. */
#include "server-under-test/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define RANDOM_MAX 256 /* octets that getrandom(2) gives without being interrupted */

void random_fill(void *place, size_t len)
{
	if (len > RANDOM_MAX || getrandom(place, len, 0) != (ssize_t)len)
		abort();
}

void random_hex(char *text, size_t bytes)
{
	unsigned char random[RANDOM_MAX];

	random_fill(random, bytes);
	for (size_t i = 0; i < bytes; i++)
		snprintf(text + 2 * i, 3, "%02x", random[i]);
}
