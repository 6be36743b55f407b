/* Escaping in one place. Markup is written by us as literals, the rest goes through html_text() or html_attr(). */
#include "reports/html_part.h"

#include "reports/printable.h"

void html_put(struct html *h, const char *markup)
{
	if (h->status == 0)
		h->status = buf_append_span(h->out, span_str(markup));
}

void html_printf(struct html *h, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (h->status == 0)
		h->status = buf_vprintf(h->out, fmt, ap);
	va_end(ap);
}

static void escaped(struct html *h, char c)
{
	switch (c) {
	case '&': html_put(h, "&amp;"); break;
	case '<': html_put(h, "&lt;"); break;
	case '>': html_put(h, "&gt;"); break;
	case '"': html_put(h, "&quot;"); break;
	case '\'': html_put(h, "&#39;"); break;
	default:
		if (h->status == 0)
			h->status = buf_append_u8(h->out, (uint8_t)c);
	}
}

static void text(struct html *h, struct span s, bool markup)
{
	char unit[PRINTABLE_MAX];
	for (size_t len; h->status == 0 && (len = printable_next(&s, unit));) {
		bool visible = len > 1 && *unit == '\\';
		if (len == 1) {
			escaped(h, *unit);
			continue;
		}
		if (visible && markup)
			html_put(h, "<i class=\"esc\">");
		if (h->status == 0)
			h->status = buf_append(h->out, unit, len);
		if (visible && markup)
			html_put(h, "</i>");
	}
}

void html_text(struct html *h, const char *s)
{
	text(h, span_str(s), true);
}

void html_text_span(struct html *h, struct span s)
{
	text(h, s, true);
}

void html_attr(struct html *h, const char *s)
{
	text(h, span_str(s), false);
}

const char *html_sign(enum report_class c)
{
	static const char *const signs[REPORT_CLASS_COUNT] = {
		[REPORT_CLASS_FAIL] = "\xe2\x9c\x97",   /* ballot x */
		[REPORT_CLASS_STALE] = "\xe2\x86\xba",  /* circle arrow */
		[REPORT_CLASS_ERROR] = "\xe2\x9a\xa0",  /* warning triangle */
		[REPORT_CLASS_INCONCLUSIVE] = "?",
		[REPORT_CLASS_WARN] = "!",
		[REPORT_CLASS_EXPECTED] = "\xe2\x89\x88", /* almost equal */
		[REPORT_CLASS_SKIP] = "\xe2\x80\x93",   /* dash */
		[REPORT_CLASS_PASS] = "\xe2\x9c\x93",   /* check mark */
	};
	return signs[c];
}

void html_badge(struct html *h, enum report_class c)
{
	html_printf(h, "<span class=\"badge c-%s\"><b aria-hidden=\"true\">%s</b>%s</span>", report_class_label(c),
		    html_sign(c), report_class_label(c));
}

void html_bar(struct html *h, const size_t counts[REPORT_CLASS_COUNT], const char *label)
{
	html_put(h, "<div class=\"bar\" role=\"img\" aria-label=\"");
	html_attr(h, label);
	html_put(h, "\">");
	for (int c = REPORT_CLASS_COUNT - 1; c >= 0; c--)
		if (counts[c])
			html_printf(h, "<i class=\"c-%s\" style=\"flex-grow:%zu\"></i>",
				    report_class_label((enum report_class)c), counts[c]);
	html_put(h, "</div>");
}
