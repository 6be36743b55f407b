#pragma once
/*
 * Pieces of the HTML page: html.c is the page, html_case.c a case, html_chart.c what a scenario was like, html_part.c
 * what all write with.
 */
#include "reports/report.h"

struct html {
	struct buf *out;
	const struct result *result;
	const struct report_options *o;
	size_t evidence_sum; /* octets of transcripts shown so far */
	int status;          /* of the first append that failed; after it nothing is written */
};

/* Markup, as it is. */
void html_put(struct html *h, const char *markup);
void html_printf(struct html *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Text, escaped. What printable.h makes visible is marked up as such. */
void html_text(struct html *h, const char *s);
void html_text_span(struct html *h, struct span s);
/* Text inside a double-quoted attribute. */
void html_attr(struct html *h, const char *s);
/* A sign and the word of the class, so that nothing depends on colour. */
void html_badge(struct html *h, enum report_class c);
const char *html_sign(enum report_class c);
/* A bar of the counts, in the order pass to fail; `label` is what a screen reader says. */
void html_bar(struct html *h, const size_t counts[REPORT_CLASS_COUNT], const char *label);

/* Does the case have an article of its own (id "c<index>")? Everything but passes without a note and skips. */
bool html_case_has_article(const struct html *h, const struct result_item *item);
void html_case_article(struct html *h, size_t index, bool open);
/* A row of the table of its group. */
void html_case_row(struct html *h, size_t index);
/* The section about the scenarios; nothing when there are none. */
void html_stories(struct html *h);
