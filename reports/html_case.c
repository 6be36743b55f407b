/* One case on the HTML page: an article with all that is known when there is something to say, and a row in the table
 * of its group. */
#include "reports/html_part.h"

bool html_case_has_article(const struct html *h, const struct result_item *item)
{
	enum report_class c = report_class(h->result, item);
	return c != REPORT_CLASS_SKIP && (c != REPORT_CLASS_PASS || item->note);
}

static void entry(struct html *h, const char *label, const char *value)
{
	if (!value || !*value)
		return;
	html_printf(h, "<dt>%s</dt><dd>", label);
	html_text(h, value);
	html_put(h, "</dd>\n");
}

static void id_list(struct html *h, const char *label, const char *const *ids)
{
	if (!*ids)
		return;
	html_printf(h, "<dt>%s</dt><dd class=\"ids\">", label);
	for (; *ids; ids++) {
		html_put(h, "<code>");
		html_text(h, *ids);
		html_put(h, ids[1] ? "</code> " : "</code>");
	}
	html_put(h, "</dd>\n");
}

static void rule(struct html *h, const struct result_item *item)
{
	struct buf rfc CLEANUP(buf_fini) = {.max = REPORT_MAX};
	report_rfc(&rfc, item->rfc);
	html_put(h, "<p class=\"rule\"><b>");
	html_text(h, item->level);
	html_put(h, "</b>");
	if (rfc.len) {
		html_put(h, " by ");
		html_text_span(h, buf_span(&rfc));
	}
	html_put(h, "</p>");
}

static void comparison(struct html *h, const struct result_item *item)
{
	html_put(h, "<div class=\"pair\"><div class=\"seen\"><h4>Seen</h4><p>");
	html_text(h, *item->seen ? item->seen : "nothing was recorded");
	html_put(h, "</p></div><div class=\"want\"><h4>Required</h4><p>");
	html_text(h, *item->required ? item->required : item->title);
	html_put(h, "</p>");
	rule(h, item);
	html_put(h, "</div></div>\n");
}

static void transcript(struct html *h, const struct result_item *item)
{
	if (!item->evidence)
		return;
	struct buf content CLEANUP(buf_fini) = {.max = REPORT_EVIDENCE_MAX};
	int shown = -ENOENT;
	if (h->evidence_sum + REPORT_EVIDENCE_MAX <= REPORT_EVIDENCE_SUM_MAX)
		shown = report_evidence(&content, h->o->dir, item->evidence, REPORT_EVIDENCE_MAX);
	if (shown < 0 || content.len == 0) {
		html_put(h, "<p class=\"file\">Transcript: <code>");
		html_text(h, item->evidence);
		html_put(h, "</code></p>\n");
		return;
	}
	h->evidence_sum += content.len;
	html_put(h, "<details class=\"transcript\"><summary>Transcript <code>");
	html_text(h, item->evidence);
	html_put(h, "</code></summary>\n<pre tabindex=\"0\">");
	html_text_span(h, buf_span(&content));
	html_put(h, shown > 0 ? "\n<em>The rest is in the file.</em></pre></details>\n" : "</pre></details>\n");
}

static void facts(struct html *h, const struct result_item *item)
{
	html_put(h, "<dl>\n");
	entry(h, "Also noticed", item->note);
	entry(h, "Why it matters", item->explain);
	entry(h, "How to fix it", item->fix);
	if (item->expected || item->stale)
		entry(h, "Known deviation", item->known ? item->known : "without a reason");
	id_list(h, "Requirements", item->requirements);
	id_list(h, "Autobahn cases", item->autobahn);
	html_put(h, "</dl>\n");
	if (item->replay) {
		html_put(h, "<p class=\"replay\">Run it again</p><pre class=\"cmd\" tabindex=\"0\"><code>");
		html_text(h, item->replay);
		html_put(h, "</code></pre>\n");
	}
}

void html_case_article(struct html *h, size_t index, bool open)
{
	const struct result_item *item = &h->result->items[index];
	enum report_class c = report_class(h->result, item);
	html_printf(h, "<article class=\"case c-%s\" id=\"c%zu\"><details%s><summary>", report_class_label(c), index,
		    open ? " open" : "");
	html_badge(h, c);
	html_put(h, "<div class=\"head\"><h3>");
	html_text(h, item->id);
	html_put(h, "</h3><p>");
	html_text(h, item->title);
	html_put(h, "</p></div></summary>\n<div class=\"body\">");
	comparison(h, item);
	facts(h, item);
	transcript(h, item);
	html_put(h, "</div></details></article>\n");
}

void html_case_row(struct html *h, size_t index)
{
	const struct result_item *item = &h->result->items[index];
	enum report_class c = report_class(h->result, item);
	html_put(h, "<tr><td>");
	html_badge(h, c);
	html_put(h, "</td><th scope=\"row\">");
	if (html_case_has_article(h, item))
		html_printf(h, "<a href=\"#c%zu\">", index);
	html_text(h, item->id);
	html_put(h, html_case_has_article(h, item) ? "</a></th><td>" : "</th><td>");
	html_text(h, item->title);
	if (c != REPORT_CLASS_PASS && *item->seen) {
		html_put(h, "<br><span class=\"dim\">");
		html_text(h, item->seen);
		html_put(h, "</span>");
	}
	html_put(h, "</td><td>");
	if (item->rfc) {
		html_put(h, "RFC ");
		html_text(h, item->rfc);
	}
	html_put(h, "</td><td class=\"num\">");
	struct buf time CLEANUP(buf_fini) = {.max = 64};
	report_duration(&time, item->duration_ms);
	html_text_span(h, buf_span(&time));
	html_put(h, "</td></tr>\n");
}
