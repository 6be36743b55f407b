/* Measuring and breaking lines. Columns are those of a terminal: wide characters count two, combining ones nothing. */
#include "reports/text_part.h"

#include "reports/printable.h"

void text_keep(struct text *t, int status)
{
	if (t->status == 0)
		t->status = status;
}

void text_put(struct text *t, const char *s)
{
	text_keep(t, buf_append_span(t->out, span_str(s)));
}

void text_style(struct text *t, const char *codes)
{
	if (t->o->color)
		text_keep(t, buf_printf(t->out, "\x1b[%sm", codes));
}

void text_put_styled(struct text *t, const char *codes, const char *s)
{
	text_style(t, codes);
	text_put(t, s);
	text_style(t, "0");
}

void text_indent(struct text *t, size_t n)
{
	text_keep(t, buf_printf(t->out, "%*s", (int)n, ""));
}

int text_flatten(struct buf *b, const char *s)
{
	char unit[PRINTABLE_MAX];
	struct span rest = span_str(s);
	int status = 0;
	for (size_t len; status == 0 && (len = printable_next(&rest, unit));)
		status = *unit == '\n' || *unit == '\t' ? buf_append_u8(b, ' ') : buf_append(b, unit, len);
	return status;
}

size_t text_columns(struct span s)
{
	char unit[PRINTABLE_MAX];
	size_t n = 0;
	for (size_t len; (len = printable_next(&s, unit));)
		n += printable_columns(unit, len);
	return n;
}

struct span text_fitting(struct span s, size_t max)
{
	char unit[PRINTABLE_MAX];
	struct span rest = s;
	size_t taken = 0, n = 0;
	for (size_t len; (len = printable_next(&rest, unit)); taken = s.len - rest.len) {
		n += printable_columns(unit, len);
		if (n > max && taken)
			break;
	}
	return span_sub(s, 0, taken);
}

void text_wrap(struct text *t, const char *s, size_t column, size_t left)
{
	struct buf flat CLEANUP(buf_fini) = {.max = REPORT_MAX};
	text_keep(t, text_flatten(&flat, s));
	struct span rest = buf_span(&flat);
	size_t at = column;
	while (rest.len) {
		const uint8_t *space = memchr(rest.p, ' ', rest.len);
		struct span word = span_sub(rest, 0, space ? (size_t)(space - rest.p) : rest.len);
		rest = span_sub(rest, word.len + 1, rest.len);
		size_t gap = at > left && word.len ? 1 : 0;
		if (at > left && at + gap + text_columns(word) > t->width) {
			text_put(t, "\n");
			text_indent(t, left);
			at = left;
			gap = 0;
		}
		text_indent(t, gap);
		at += gap;
		while (at + text_columns(word) > t->width) {
			struct span part = text_fitting(word, t->width > at ? t->width - at : 1);
			if (part.len == word.len)
				break;
			text_keep(t, buf_append_span(t->out, part));
			text_put(t, "\n");
			text_indent(t, left);
			at = left;
			word = span_sub(word, part.len, word.len);
		}
		text_keep(t, buf_append_span(t->out, word));
		at += text_columns(word);
	}
	text_put(t, "\n");
}

