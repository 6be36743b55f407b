/* Test Anything Protocol 14. The smallest format, and the one to copy: an item is a line, and what there is to say
 * about it a YAML block. */
#include "reports/formats.h"
#include "reports/printable.h"

struct tap {
	struct buf *out;
	int status;
};

static void put(struct tap *t, const char *s)
{
	if (t->status == 0)
		t->status = buf_append_span(t->out, span_str(s));
}

/* In a description or directive: one line; a backslash and the hash that would begin a directive are escaped. */
static void describe(struct tap *t, const char *s)
{
	char unit[PRINTABLE_MAX];
	struct span rest = span_str(s);
	for (size_t len; t->status == 0 && (len = printable_next(&rest, unit));) {
		if (*unit == '#' || *unit == '\\')
			put(t, "\\");
		if (*unit == '\n' || *unit == '\t')
			*unit = ' ';
		t->status = t->status < 0 ? t->status : buf_append(t->out, unit, len);
	}
}

/* A YAML double-quoted scalar. */
static void entry(struct tap *t, const char *key, const char *value)
{
	char unit[PRINTABLE_MAX];
	if (!value || !*value)
		return;
	put(t, "  ");
	put(t, key);
	put(t, ": \"");
	struct span rest = span_str(value);
	for (size_t len; t->status == 0 && (len = printable_next(&rest, unit));) {
		if (*unit == '\n' || *unit == '\t') {
			put(t, *unit == '\n' ? "\\n" : "\\t");
			continue;
		}
		if (*unit == '"' || *unit == '\\')
			put(t, "\\");
		t->status = t->status < 0 ? t->status : buf_append(t->out, unit, len);
	}
	put(t, "\"\n");
}

static void diagnostics(struct tap *t, const struct result *r, const struct result_item *item)
{
	enum report_class c = report_class(r, item);
	if (c == REPORT_CLASS_SKIP || (c == REPORT_CLASS_PASS && !item->note))
		return;
	put(t, "  ---\n");
	entry(t, "verdict", verdict_name(item->verdict));
	entry(t, "level", item->level);
	entry(t, "rfc", item->rfc);
	entry(t, "seen", item->seen);
	entry(t, "required", item->required);
	entry(t, "note", item->note);
	entry(t, "expected", item->expected ? item->known ? item->known : "a known deviation" : NULL);
	entry(t, "stale", item->stale ? report_class_about(REPORT_CLASS_STALE) : NULL);
	if (c != REPORT_CLASS_PASS)
		entry(t, "fix", item->fix);
	entry(t, "replay", item->replay);
	entry(t, "transcript", item->evidence);
	put(t, "  ...\n");
}

static void test_line(struct tap *t, const struct result *r, const struct result_item *item, size_t number)
{
	enum report_class c = report_class(r, item);
	bool expected_fail = c == REPORT_CLASS_EXPECTED && item->verdict == VERDICT_FAIL;
	bool ok = c == REPORT_CLASS_PASS || c == REPORT_CLASS_WARN || c == REPORT_CLASS_SKIP ||
		  (c == REPORT_CLASS_EXPECTED && !expected_fail);
	if (t->status == 0)
		t->status = buf_printf(t->out, "%s %zu - ", ok ? "ok" : "not ok", number);
	describe(t, item->id);
	if (strcmp(item->title, item->id) != 0) {
		put(t, ": ");
		describe(t, item->title);
	}
	if (c == REPORT_CLASS_SKIP) {
		put(t, " # SKIP ");
		describe(t, item->seen);
	} else if (expected_fail) {
		put(t, " # TODO expected: ");
		describe(t, item->known ? item->known : "a known deviation");
	}
	put(t, "\n");
	diagnostics(t, r, item);
}

static void comment(struct tap *t, const char *label, const char *value)
{
	put(t, "# ");
	put(t, label);
	describe(t, value);
	put(t, "\n");
}

int report_tap_write(const struct result *r, const struct report_options *o, struct buf *out, struct err *e)
{
	(void)o;
	struct tap t = {.out = out};
	t.status = buf_printf(out, "TAP version 14\n1..%zu\n", r->n_items);
	comment(&t, "wsquall ", r->tool);
	comment(&t, "target ", r->target_name);
	comment(&t, "url ", r->target_url);
	for (size_t i = 0; i < r->n_items; i++)
		test_line(&t, r, &r->items[i], i + 1);
	put(&t, "# ");
	if (t.status == 0)
		t.status = report_counts_line(out, r);
	put(&t, "\n");
	if (r->abort_reason) {
		put(&t, "Bail out! ");
		describe(&t, r->abort_reason);
		put(&t, "\n");
	}
	return report_finish(t.status, "the TAP report", e);
}
