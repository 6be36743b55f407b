/* Octets in an undo entry. */
#include "harness/net/hex.h"

#include <errno.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

const char *hex_write(const void *octets, size_t len, char *text)
{
	const uint8_t *p = octets;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	memcpy(text + 2 * len, len ? "" : "-", len ? 1 : 2);
	return text;
}

int hex_read(const char *text, uint8_t *to, size_t max, size_t *ret_len)
{
	size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text);
	if (len % 2 || len / 2 > max || (len && strspn(text, digits) != len))
		return -EINVAL;
	for (size_t i = 0; i < len; i += 2)
		to[i / 2] = (uint8_t)((strchr(digits, text[i]) - digits) << 4 | (strchr(digits, text[i + 1]) - digits));
	*ret_len = len / 2;
	return 0;
}
