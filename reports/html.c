/*
 * One page that can be mailed, archived and printed: styles inside, no scripts, nothing fetched, and a policy that
 * forbids both should our escaping ever fail. Folding is done by details elements. It opens with the verdict, then what
 * must be fixed, and only then everything else.
 */
#include <ctype.h>

#include "reports/formats.h"
#include "reports/html_css.h"
#include "reports/html_part.h"

static void head(struct html *h)
{
	const struct result *r = h->result;
	html_put(h, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		    "<meta http-equiv=\"Content-Security-Policy\" content="
		    "\"default-src 'none'; style-src 'unsafe-inline'\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta name=\"color-scheme\" content=\"light dark\">\n"
		    "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
	html_text(h, r->target_name);
	html_printf(h, " %s", report_verdict_word(r));
	if (r->grade)
		html_printf(h, ", grade %c", r->grade);
	html_put(h, " - wsquall</title>\n<style>\n");
	for (const char *const *line = html_css; *line; line++) {
		html_put(h, *line);
		html_put(h, "\n");
	}
	html_put(h, "</style>\n</head>\n");
}

static void fact(struct html *h, const char *label, const char *value)
{
	if (!value || !*value)
		return;
	html_printf(h, "<div><dt>%s</dt><dd>", label);
	html_text(h, value);
	html_put(h, "</dd></div>\n");
}

static void facts(struct html *h)
{
	const struct result *r = h->result;
	struct buf took CLEANUP(buf_fini) = {.max = 64}, seed CLEANUP(buf_fini) = {.max = 64};
	report_duration(&took, r->duration_ms);
	buf_printf(&seed, "%llu", (unsigned long long)r->seed);
	html_put(h, "<dl class=\"facts\">\n");
	fact(h, "Started", r->started);
	fact(h, "Took", buf_cstr(&took));
	fact(h, "Seed", buf_cstr(&seed));
	fact(h, "Server says", r->target_server);
	html_put(h, "</dl>\n");
}

static void legend(struct html *h, const size_t counts[REPORT_CLASS_COUNT])
{
	html_put(h, "<ul class=\"legend\">\n");
	for (int c = REPORT_CLASS_COUNT - 1; c >= 0; c--) {
		const char *label = report_class_label((enum report_class)c);
		if (counts[c])
			html_printf(h,
				    "<li class=\"c-%s\"><b aria-hidden=\"true\">%s</b><strong>%zu</strong> %s</li>\n",
				    label, html_sign((enum report_class)c), counts[c], label);
	}
	html_put(h, "</ul>\n");
}

static void remarks(struct html *h)
{
	const struct result *r = h->result;
	if (r->abort_reason) {
		html_put(h, "<p class=\"alert\"><strong>The run was aborted:</strong> ");
		html_text(h, r->abort_reason);
		html_put(h, "</p>\n");
	}
	if (r->n_caps == 0 && !*r->notes)
		return;
	html_put(h, "<ul class=\"remarks\">\n");
	for (size_t i = 0; i < r->n_caps; i++) {
		html_put(h, "<li><strong>Capped at ");
		html_text(h, r->caps[i].letter);
		html_put(h, ":</strong> ");
		html_text(h, r->caps[i].why);
		html_put(h, "</li>\n");
	}
	for (const char *const *note = r->notes; *note; note++) {
		html_put(h, "<li>");
		html_text(h, *note);
		html_put(h, "</li>\n");
	}
	html_put(h, "</ul>\n");
}

static void grade_tile(struct html *h)
{
	const struct result *r = h->result;
	if (!r->grade) {
		html_put(h, "<div class=\"grade\"><span class=\"letter\" aria-label=\"no grade\">&ndash;</span>"
			    "<span>not graded</span></div>\n");
		return;
	}
	html_printf(h,
		    "<div class=\"grade g-%c\"><span class=\"letter\"><span class=\"sr\">Grade </span>%c</span>"
		    "<span>%d of 100</span></div>\n",
		    r->grade, r->grade, r->score);
}

static void hero(struct html *h, const size_t counts[REPORT_CLASS_COUNT])
{
	const struct result *r = h->result;
	struct buf line CLEANUP(buf_fini) = {.max = 1024};
	report_counts_line(&line, r);
	html_put(h, "<header class=\"v-");
	html_attr(h, r->verdict);
	html_put(h,
		 "\">\n<p class=\"brand\"><svg viewBox=\"0 0 32 16\" width=\"32\" height=\"16\" aria-hidden=\"true\">"
		 "<path d=\"M1 11c4-9 7-9 10-3s6 6 9-1 6-6 11-2\" fill=\"none\" stroke=\"currentColor\" "
		 "stroke-width=\"2.5\" stroke-linecap=\"round\"/></svg>"
		 "wsquall <span>");
	html_text(h, r->tool);
	html_put(h, "</span></p>\n<div class=\"top\">\n");
	grade_tile(h);
	html_put(h, "<div class=\"who\"><h1>");
	html_text(h, r->target_name);
	html_printf(h, " <span class=\"verdict\">%s</span></h1>\n", report_verdict_word(r));
	if (strcmp(r->target_name, r->target_url) != 0) {
		html_put(h, "<p class=\"url\">");
		html_text(h, r->target_url);
		html_put(h, "</p>\n");
	}
	if (r->why) {
		html_put(h, "<p class=\"reason\">");
		html_text(h, r->why);
		html_printf(h, " <span class=\"dim\">(exit code %d)</span></p>\n", r->exit_code);
	}
	html_put(h, "</div>\n</div>\n");
	html_bar(h, counts, buf_cstr(&line));
	html_put(h, "\n");
	legend(h, counts);
	remarks(h);
	facts(h);
	html_put(h, "</header>\n");
}

static void section(struct html *h, enum report_class c, size_t n)
{
	bool urgent = c == REPORT_CLASS_FAIL || c == REPORT_CLASS_STALE || c == REPORT_CLASS_ERROR;
	if (n == 0)
		return;
	html_printf(
		h,
		"<section id=\"s-%s\">\n<h2>%s <span class=\"count\">%zu</span></h2>\n<p class=\"about\">%c%s.</p>\n",
		report_class_label(c), report_class_title(c), n, toupper((unsigned char)report_class_about(c)[0]),
		report_class_about(c) + 1);
	for (size_t i = 0; i < h->result->n_items; i++)
		if (report_class(h->result, &h->result->items[i]) == c &&
		    html_case_has_article(h, &h->result->items[i]))
			html_case_article(h, i, urgent);
	html_put(h, "</section>\n");
}

/* Passes that came with a remark. */
static void noted_section(struct html *h)
{
	size_t n = 0;
	for (size_t i = 0; i < h->result->n_items; i++) {
		const struct result_item *item = &h->result->items[i];
		if (report_class(h->result, item) != REPORT_CLASS_PASS || !item->note)
			continue;
		if (n++ == 0)
			html_put(h, "<section id=\"s-noted\">\n<h2>Passed with a remark</h2>\n"
				    "<p class=\"about\">Did what is required, and something else was noticed.</p>\n");
		html_case_article(h, i, false);
	}
	if (n)
		html_put(h, "</section>\n");
}

static void group_card(struct html *h, const struct report_group *g, size_t index)
{
	struct buf label CLEANUP(buf_fini) = {.max = 256};
	const char *comma = "";
	for (int c = 0; c < REPORT_CLASS_COUNT; c++)
		if (g->counts[c]) {
			buf_printf(&label, "%s%zu %s", comma, g->counts[c], report_class_label((enum report_class)c));
			comma = ", ";
		}
	html_printf(h, "<li><a href=\"#g%zu\"><h3>", index);
	html_text(h, g->name);
	html_printf(h, "</h3><p><strong>%zu</strong> of %zu passed</p>", g->counts[REPORT_CLASS_PASS], g->n);
	html_bar(h, g->counts, buf_cstr(&label));
	html_put(h, "<p class=\"mini\">");
	for (int c = 0; c < REPORT_CLASS_PASS; c++)
		if (g->counts[c])
			html_printf(h, "<span class=\"c-%s\"><b aria-hidden=\"true\">%s</b>%zu %s</span> ",
				    report_class_label((enum report_class)c), html_sign((enum report_class)c),
				    g->counts[c], report_class_label((enum report_class)c));
	if (g->counts[REPORT_CLASS_PASS] == g->n)
		html_put(h, "<span class=\"c-pass\"><b aria-hidden=\"true\">\xe2\x9c\x93</b>all</span>");
	html_put(h, "</p></a></li>\n");
}

static bool group_is_urgent(const struct report_group *g)
{
	return g->counts[REPORT_CLASS_FAIL] || g->counts[REPORT_CLASS_STALE] || g->counts[REPORT_CLASS_ERROR];
}

static void group_table(struct html *h, const struct report_group *g, size_t index)
{
	html_printf(h, "<details class=\"group\" id=\"g%zu\"%s><summary><h3>", index,
		    group_is_urgent(g) ? " open" : "");
	html_text(h, g->name);
	html_printf(h, "</h3> <span class=\"dim\">%zu %s, ", g->n, report_noun(h->result, g->n));
	html_text(h, g->suite);
	html_put(h, "</span></summary>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Verdict</th>"
		    "<th scope=\"col\">Case</th><th scope=\"col\">What the target must do</th>"
		    "<th scope=\"col\">Rule</th><th scope=\"col\" class=\"num\">Time</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < h->result->n_items; i++)
		if (report_group_has(g, &h->result->items[i]))
			html_case_row(h, i);
	html_put(h, "</tbody></table></div></details>\n");
}

static void groups(struct html *h)
{
	struct report_groups list CLEANUP(report_groups_fini) = {0};
	int status = report_groups_init(&list, h->result);
	if (h->status == 0)
		h->status = status;
	if (list.len == 0)
		return;
	html_printf(h,
		    "<section id=\"groups\">\n<h2>Groups <span class=\"count\">%zu</span></h2>\n<ul class=\"grid\">\n",
		    list.len);
	for (size_t i = 0; i < list.len; i++)
		group_card(h, &list.items[i], i);
	html_printf(h, "</ul>\n</section>\n<section id=\"all\">\n<h2>All %s <span class=\"count\">%zu</span></h2>\n",
		    report_noun(h->result, 0), h->result->n_items);
	for (size_t i = 0; i < list.len; i++)
		group_table(h, &list.items[i], i);
	html_put(h, "</section>\n");
}

static void foot(struct html *h)
{
	html_put(h, "<footer>\n<h2>How to read this</h2>\n<dl>\n");
	for (int c = REPORT_CLASS_COUNT - 1; c >= 0; c--) {
		html_put(h, "<div><dt>");
		html_badge(h, (enum report_class)c);
		html_printf(h, "</dt><dd>%s</dd></div>\n", report_class_about((enum report_class)c));
	}
	html_put(h, "</dl>\n");
	if (*h->result->command) {
		html_put(h, "<p>This run</p><pre class=\"cmd\" tabindex=\"0\"><code>");
		html_text(h, h->result->command);
		html_put(h, "</code></pre>\n");
	}
	html_put(h, "</footer>\n");
}

int report_html_write(const struct result *r, const struct report_options *o, struct buf *out, struct err *e)
{
	static const enum report_class order[] = {REPORT_CLASS_FAIL, REPORT_CLASS_STALE, REPORT_CLASS_ERROR,
						  REPORT_CLASS_INCONCLUSIVE, REPORT_CLASS_WARN, REPORT_CLASS_EXPECTED};
	struct html h = {.out = out, .result = r, .o = o};
	size_t counts[REPORT_CLASS_COUNT];
	report_class_counts(r, counts);
	head(&h);
	html_put(&h, "<body>\n");
	hero(&h, counts);
	html_put(&h, "<main>\n");
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		section(&h, order[i], counts[order[i]]);
	groups(&h);
	html_stories(&h);
	noted_section(&h);
	html_put(&h, "</main>\n");
	foot(&h);
	html_put(&h, "</body>\n</html>\n");
	return report_finish(h.status, "the HTML report", e);
}
