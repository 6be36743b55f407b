#pragma once
/* Octets as the words of an undo entry: lower case hex digits, "-" for none. */
#include <stddef.h>
#include <stdint.h>

/* text has 2 * len + 1 octets, and at least 2. Returns text. */
const char *hex_write(const void *octets, size_t len, char *text);
/* -EINVAL for what is no hex, or more than max octets. */
int hex_read(const char *text, uint8_t *to, size_t max, size_t *ret_len);
