#pragma once
/* Pieces of the text report: text.c is the report, text_item.c the line of a case, text_part.c what both write with. */
#include "reports/report.h"

enum { TEXT_LABEL_COLUMN = 6, TEXT_VALUE_COLUMN = 18 };

struct text {
	struct buf *out;
	const struct result *result;
	const struct report_options *o;
	size_t width;
	int status; /* of the first append that failed */
};

/* Notes a status; the first failure stays. */
void text_keep(struct text *t, int status);
void text_put(struct text *t, const char *s);
/* ANSI codes ("1;31"), "0" ends them; nothing without colour. */
void text_style(struct text *t, const char *codes);
void text_put_styled(struct text *t, const char *codes, const char *s);
void text_indent(struct text *t, size_t n);
/* Appends s made printable (printable.h), in one line. 0, -ENOBUFS, -ENOMEM. */
int text_flatten(struct buf *b, const char *s);
/* Columns of printable text. */
size_t text_columns(struct span s);
/* The beginning of s that fits into `max` columns, at least one character. */
struct span text_fitting(struct span s, size_t max);
/* The words of s from column `column` on, later lines indented to `left`; ends with a newline. A word wider than a line
 * is broken. */
void text_wrap(struct text *t, const char *s, size_t column, size_t left);

/* The codes of a class, and its word: capitals when it counts against the run. */
const char *text_class_style(enum report_class c);
const char *text_item_word(enum report_class c, const struct result_item *item);
/* What is said about a case in one line, after its id; may be empty. 0, -ENOBUFS, -ENOMEM. */
int text_item_sentence(struct buf *b, enum report_class c, const struct result_item *item);
