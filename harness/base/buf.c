/* Growing octets with a maximum; doubles, never past the maximum. One octet is always kept for the NUL of buf_cstr. */
#include "harness/base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

int buf_reserve(struct buf *b, size_t len)
{
	if (len > b->max - b->len)
		return -ENOBUFS;
	size_t need = b->len + len + 1;
	if (need == 0) /* max is SIZE_MAX and all of it is asked for */
		return -ENOMEM;
	if (need <= b->cap)
		return 0;
	size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
	if (cap < 64)
		cap = 64;
	if (cap > b->max && b->max < SIZE_MAX)
		cap = b->max + 1;
	if (cap < need)
		cap = need;
	uint8_t *p = realloc(b->p, cap);
	if (!p)
		return -ENOMEM;
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *p, size_t len)
{
	int r = buf_reserve(b, len);
	if (r < 0)
		return r;
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
	return 0;
}

int buf_append_span(struct buf *b, struct span s)
{
	return buf_append(b, s.p, s.len);
}

int buf_append_u8(struct buf *b, uint8_t octet)
{
	return buf_append(b, &octet, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		return -EINVAL;
	int r = buf_reserve(b, (size_t)len);
	if (r < 0)
		return r;
	vsnprintf((char *)b->p + b->len, (size_t)len + 1, fmt, ap);
	b->len += (size_t)len;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return r;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n < b->len)
		memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
}

const char *buf_cstr(struct buf *b)
{
	if (buf_reserve(b, 0) < 0)
		return "";
	b->p[b->len] = 0;
	return (const char *)b->p;
}
