#pragma once
/* A growing array of octets that says its maximum at birth. */
#include <stdarg.h>

#include "harness/base/span.h"

struct buf {
	uint8_t *p;
	size_t len, cap, max;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* also the CLEANUP function; a zeroed struct is fine */
/* 0, -ENOBUFS when it would exceed max (nothing is appended), -ENOMEM. */
int buf_append(struct buf *b, const void *p, size_t len);
int buf_append_span(struct buf *b, struct span s);
int buf_append_u8(struct buf *b, uint8_t octet);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Room for `len` more octets at b->p + b->len; the caller then adds to b->len. */
int buf_reserve(struct buf *b, size_t len);
/* Drops the first n octets (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* NUL-terminated view; "" when empty or without memory. Valid until the next change. */
const char *buf_cstr(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){b->p, b->len};
}
