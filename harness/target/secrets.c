/* Transcripts go into reports, and reports go to people and places that tokens must not reach. */
#include "harness/target/secrets.h"

#include <string.h>

static int add(struct secrets *s, struct arena *a, const char *header, const char *value)
{
	if (!value || !value[0])
		return 0;
	size_t len = strlen(value), before = 0;
	const char *text;
	if (len >= SECRET_LONG) {
		text = arena_strdup(a, value);
	} else if (header) {
		text = arena_printf(a, "\n%s: %s\r", header, value);
		before = strlen(header) + 3;
	} else {
		return 0;
	}
	if (!text)
		return -ENOMEM;
	s->list[s->n++] = (struct secret){span_str(text), before, len};
	return 0;
}

int secrets_of(const struct target *t, struct arena *a, struct secrets *ret)
{
	const struct target_credentials *c = &t->credentials;
	const char *const credentials[] = {c->valid, c->expired, c->wrong, c->expiring};
	const char *field = c->query || c->variable ? NULL : c->header ? c->header : "Authorization";
	struct secrets s = {.n = 0};
	s.list = arena_alloc(a, (t->headers.len + t->variables.len + ARRAY_LEN(credentials) + 1) * sizeof(*s.list));
	int r = s.list ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < t->headers.len; i++)
		r = add(&s, a, t->headers.items[i].key, t->headers.items[i].value);
	for (size_t i = 0; r == 0 && i < t->variables.len; i++)
		r = add(&s, a, NULL, t->variables.items[i].value);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(credentials); i++)
		r = add(&s, a, field, credentials[i]);
	if (r == 0)
		r = add(&s, a, NULL, c->renewal);
	if (r == 0)
		*ret = s;
	return r;
}

static void hide_all(const struct secret *secret, uint8_t *p, size_t len)
{
	ptrdiff_t found;
	for (size_t at = 0; (found = span_find(span_of(p + at, len - at), secret->text)) >= 0; at += (size_t)found + 1)
		memset(p + at + (size_t)found + secret->from, '*', secret->len);
}

/* The record ends within it. */
static void hide_tail(const struct secret *secret, uint8_t *p, size_t len)
{
	size_t most = secret->text.len - 1 < len ? secret->text.len - 1 : len;
	for (size_t part = most; part >= secret->from + SECRET_PART; part--)
		if (memcmp(p + len - part, secret->text.p, part) == 0) {
			memset(p + len - part + secret->from, '*', part - secret->from);
			return;
		}
}

void secrets_hide(const struct secrets *s, uint8_t *p, size_t len, bool cut)
{
	for (size_t i = 0; s && p && i < s->n; i++) {
		hide_all(&s->list[i], p, len);
		if (cut)
			hide_tail(&s->list[i], p, len);
	}
}
