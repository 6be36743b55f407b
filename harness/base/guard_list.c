/*
 * Entries of the guard's list and the lines that they are on disk. Parent, child and doctor read the same lines with
 * the same code, so that what the doctor finds is what the run meant.
 */
#include "harness/base/guard_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

static int put_word(struct buf *b, const char *word)
{
	static const char digits[] = "0123456789abcdef";
	int r = 0;
	for (const uint8_t *p = (const uint8_t *)word; *p && r == 0; p++) {
		if (*p > ' ' && *p < 0x7f && *p != '%')
			r = buf_append_u8(b, *p);
		else
			r = buf_append(b, (char[]){'%', digits[*p >> 4], digits[*p & 15]}, 3);
	}
	return r;
}

int guard_line_add(int id, const char *kind, const char *const *words, struct buf *b)
{
	struct buf line CLEANUP(buf_fini) = {0};
	buf_init(&line, GUARD_ENTRY_MAX);
	int r = buf_printf(&line, "+ %d %s", id, kind);
	size_t n = 0;
	for (; words[n] && r == 0; n++) {
		r = n < GUARD_WORDS_MAX ? buf_append_u8(&line, ' ') : -ENOBUFS;
		r = r < 0 ? r : put_word(&line, words[n]);
	}
	if (r == 0)
		r = buf_append_u8(&line, '\n');
	if (r == -ENOBUFS)
		return -E2BIG;
	return r < 0 ? r : buf_append_span(b, buf_span(&line));
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place: a decoded word is never longer. */
static bool decode_word(char *word)
{
	char *to = word;
	for (const char *p = word; *p; p++, to++) {
		*to = *p;
		if (*p < ' ' || *p > '~')
			return false;
		if (*p != '%')
			continue;
		int high = hex_value(p[1]), low = high < 0 ? -1 : hex_value(p[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to = (char)(high << 4 | low);
		p += 2;
	}
	*to = 0;
	return true;
}

/* A positive number without signs, blanks or leading zeros; 0: none. */
static int read_id(const char *text)
{
	char *end;
	if (text[0] < '1' || text[0] > '9')
		return 0;
	errno = 0;
	long id = strtol(text, &end, 10);
	return *end || errno || id > INT32_MAX ? 0 : (int)id;
}

static bool read_words(struct guard_entry *entry, char *at)
{
	size_t n = 0;
	while (at) {
		char *word = at;
		at = strchr(at, ' ');
		if (at)
			*at++ = 0;
		if (n == GUARD_WORDS_MAX || !decode_word(word))
			return false;
		entry->words[n++] = word;
	}
	return !entry->kind || n >= (size_t)entry->kind->words;
}

static const struct guard_kind *find_kind(const struct guard_kind *const *kinds, const char *name)
{
	for (; *kinds; kinds++)
		if (strcmp((*kinds)->name, name) == 0)
			return *kinds;
	return NULL;
}

/* entry->text is the line. */
static int read_text(const struct guard_kind *const *kinds, struct guard_entry *entry)
{
	char sign = entry->text[0], *id = entry->text + 2;
	if ((sign != '+' && sign != '-') || entry->text[1] != ' ')
		return -EBADMSG;
	char *kind = strchr(id, ' ');
	if (kind)
		*kind++ = 0;
	entry->id = read_id(id);
	if (!entry->id || (sign == '+') != (kind != NULL))
		return -EBADMSG;
	if (sign == '-')
		return 0;
	char *words = strchr(kind, ' ');
	if (words)
		*words++ = 0;
	entry->kind_name = kind;
	entry->kind = find_kind(kinds, kind);
	return *kind && read_words(entry, words) ? 1 : -EBADMSG;
}

int guard_line_read(const struct guard_kind *const *kinds, struct span line, struct guard_entry *ret)
{
	struct guard_entry entry = {0};
	if (line.len < 3 || line.len >= GUARD_ENTRY_MAX || memchr(line.p, 0, line.len))
		return -EBADMSG;
	entry.text = strndup((const char *)line.p, line.len);
	if (!entry.text)
		return -ENOMEM;
	int r = read_text(kinds, &entry);
	if (r <= 0)
		free(TAKE_PTR(entry.text));
	if (r >= 0)
		*ret = entry;
	return r;
}

bool guard_line_next(struct span *rest, struct span *ret_line)
{
	const uint8_t *end = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
	if (!end)
		return false;
	*ret_line = span_of(rest->p, (size_t)(end - rest->p));
	*rest = span_sub(*rest, ret_line->len + 1, rest->len);
	return true;
}

void guard_entry_fini(struct guard_entry *entry)
{
	free(entry->text);
	*entry = (struct guard_entry){0};
}

void guard_entry_describe(const struct guard_entry *entry, struct buf *b)
{
	if (entry->kind)
		entry->kind->describe((char *const *)entry->words, b);
	else
		buf_printf(b, "an undo '%.60s', which this version does not know", entry->kind_name);
}

int guard_entry_undo(struct guard_entry *entry)
{
	if (entry->failed)
		return entry->failed;
	int r = entry->kind ? entry->kind->undo((char *const *)entry->words) : -ENOTSUP;
	entry->failed = r < 0 && entry->kind && entry->kind->once ? r : 0;
	return r;
}

int guard_list_push(struct guard_list *l, struct guard_entry *entry)
{
	if (l->len == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		void *items = realloc(l->items, cap * sizeof(*l->items));
		if (!items) {
			guard_entry_fini(entry);
			return -ENOMEM;
		}
		l->items = items;
		l->cap = cap;
	}
	l->items[l->len++] = *entry;
	*entry = (struct guard_entry){0};
	return 0;
}

struct guard_entry *guard_list_find(const struct guard_list *l, int id)
{
	for (size_t i = l->len; i > 0; i--)
		if (l->items[i - 1].id == id)
			return &l->items[i - 1];
	return NULL;
}

void guard_list_remove(struct guard_list *l, struct guard_entry *entry)
{
	size_t i = (size_t)(entry - l->items);
	guard_entry_fini(entry);
	memmove(entry, entry + 1, (l->len - i - 1) * sizeof(*entry));
	l->len--;
}

size_t guard_list_undo(struct guard_list *l, int tries,
		       void (*on_result)(void *owner, const struct guard_entry *entry, int r), void *owner)
{
	for (int try = 1; try <= tries && l->len; try++) {
		if (try > 1)
			poll(NULL, 0, GUARD_TRY_PAUSE_MS << try);
		for (size_t i = l->len; i > 0; i--) {
			struct guard_entry *entry = &l->items[i - 1];
			int r = guard_entry_undo(entry);
			if (r == 0 || try == tries)
				on_result(owner, entry, r);
			if (r == 0)
				guard_list_remove(l, entry);
		}
	}
	return l->len;
}

void guard_list_fini(struct guard_list *l)
{
	for (size_t i = 0; i < l->len; i++)
		guard_entry_fini(&l->items[i]);
	free(l->items);
	*l = (struct guard_list){0};
}
