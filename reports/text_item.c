/* One line for a case: while a run goes on, and in the lists of the report. */
#include "reports/text_part.h"

static const char *const styles[REPORT_CLASS_COUNT] = {
	[REPORT_CLASS_FAIL] = "1;31",  [REPORT_CLASS_STALE] = "1;31",
	[REPORT_CLASS_ERROR] = "1;35", [REPORT_CLASS_INCONCLUSIVE] = "1;36",
	[REPORT_CLASS_WARN] = "33",    [REPORT_CLASS_EXPECTED] = "2",
	[REPORT_CLASS_SKIP] = "2",     [REPORT_CLASS_PASS] = "32",
};

const char *text_class_style(enum report_class c)
{
	return styles[c];
}

const char *text_item_word(enum report_class c, const struct result_item *item)
{
	static const char *const words[REPORT_CLASS_COUNT] = {"FAIL", "STALE", "ERROR", "INCONCLUSIVE",
							      "warn", "fail", "skip", "pass"};
	return c == REPORT_CLASS_EXPECTED ? verdict_name(item->verdict) : words[c];
}

static void part(struct text *t, const char *separator, const char *before, const char *s, const char *after)
{
	text_put(t, t->out->len ? separator : "");
	text_put(t, before);
	text_keep(t, text_flatten(t->out, s));
	text_put(t, after);
}

int text_item_sentence(struct buf *b, enum report_class c, const struct result_item *item)
{
	struct text t = {.out = b};
	part(&t, "", "", item->seen, "");
	if (*item->required && c != REPORT_CLASS_PASS && c != REPORT_CLASS_SKIP)
		part(&t, " ", "(required: ", item->required, ")");
	if (item->note)
		part(&t, "; ", "", item->note, "");
	if (c == REPORT_CLASS_EXPECTED)
		part(&t, "; ", "known: ", item->known ? item->known : "without a reason", "");
	if (c == REPORT_CLASS_STALE)
		part(&t, "; ", "a known deviation that passes", "", "");
	return t.status;
}

int report_text_item_line(const struct result *r, const struct result_item *item, const struct report_options *o,
			  struct buf *out)
{
	enum report_class c = report_class(r, item);
	const char *word = text_item_word(c, item);
	struct buf rest CLEANUP(buf_fini) = {.max = REPORT_MAX}, sentence CLEANUP(buf_fini) = {.max = REPORT_MAX};
	struct text t = {.out = &rest, .result = r, .o = o};
	text_indent(&t, strlen(word) < TEXT_LABEL_COLUMN ? TEXT_LABEL_COLUMN - strlen(word) : 1);
	text_keep(&t, text_flatten(&rest, item->id));
	text_keep(&t, text_item_sentence(&sentence, c, item));
	text_put(&t, sentence.len ? "  " : "");
	text_keep(&t, buf_append_span(&rest, buf_span(&sentence)));

	size_t room = o->width > strlen(word) ? o->width - strlen(word) : 0;
	struct span shown = buf_span(&rest);
	bool cut = o->width && text_columns(shown) > room;
	if (cut)
		shown = room > 3 ? text_fitting(shown, room - 3) : (struct span){0};
	t.out = out;
	text_put_styled(&t, text_class_style(c), word);
	text_keep(&t, buf_append_span(out, shown));
	text_put(&t, cut ? "..." : "");
	return t.status;
}
