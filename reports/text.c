/*
 * For a terminal or a log. A reader looks at the end first, so the order is from least to most urgent: skips, warnings,
 * then each failure with all that is needed to act on it, and as the very last line the counts. Without colour it is
 * plain ASCII apart from what the result itself holds.
 */
#include <ctype.h>
#include <stdio.h>

#include "reports/formats.h"
#include "reports/text_part.h"

static void field(struct text *t, const char *label, const char *value)
{
	if (!value || !*value)
		return;
	text_indent(t, TEXT_LABEL_COLUMN);
	text_style(t, "2");
	text_keep(t, buf_printf(t->out, "%-*s", TEXT_VALUE_COLUMN - TEXT_LABEL_COLUMN, label));
	text_style(t, "0");
	text_wrap(t, value, TEXT_VALUE_COLUMN, TEXT_VALUE_COLUMN);
}

/* For what a reader copies: never wrapped. */
static void field_raw(struct text *t, const char *label, const char *value)
{
	struct text wide = *t;
	wide.width = SIZE_MAX / 2;
	field(&wide, label, value);
	t->status = wide.status;
}

/* The same as report_text_item_line(), wrapped instead of cut. */
static void item_line(struct text *t, const struct result_item *item)
{
	enum report_class c = report_class(t->result, item);
	const char *word = text_item_word(c, item);
	struct buf id CLEANUP(buf_fini) = {.max = REPORT_MAX}, sentence CLEANUP(buf_fini) = {.max = REPORT_MAX};
	text_put_styled(t, text_class_style((enum report_class)c), word);
	size_t column = strlen(word) < TEXT_LABEL_COLUMN ? TEXT_LABEL_COLUMN : strlen(word) + 1;
	text_indent(t, column - strlen(word));
	text_keep(t, text_flatten(&id, item->id));
	text_keep(t, text_item_sentence(&sentence, c, item));
	text_keep(t, buf_append_span(t->out, buf_span(&id)));
	column += text_columns(buf_span(&id)) + 1;
	if (sentence.len)
		text_put(t, " ");
	text_wrap(t, buf_cstr(&sentence), column, TEXT_LABEL_COLUMN);
}

static void item_rule(struct text *t, const struct result_item *item)
{
	struct buf rule CLEANUP(buf_fini) = {.max = REPORT_MAX};
	text_keep(t, buf_append_span(&rule, span_str(item->level)));
	if (item->rfc)
		text_keep(t, buf_append(&rule, ", ", 2));
	text_keep(t, report_rfc(&rule, item->rfc));
	for (const char *const *id = item->requirements; *id; id++)
		text_keep(t, buf_printf(&rule, "%s%s", id == item->requirements ? "; " : " ", *id));
	field(t, "rule", buf_cstr(&rule));
}

static void item_block(struct text *t, const struct result_item *item)
{
	enum report_class c = report_class(t->result, item);
	text_put(t, "\n");
	text_style(t, text_class_style((enum report_class)c));
	text_keep(t, buf_printf(t->out, "%-5s", text_item_word(c, item)));
	text_style(t, "0");
	text_put(t, " ");
	text_style(t, "1");
	text_wrap(t, item->id, TEXT_LABEL_COLUMN, TEXT_LABEL_COLUMN);
	text_style(t, "0");
	text_indent(t, TEXT_LABEL_COLUMN);
	text_wrap(t, item->title, TEXT_LABEL_COLUMN, TEXT_LABEL_COLUMN);
	field(t, "seen", item->seen);
	field(t, "required", item->required);
	item_rule(t, item);
	field(t, "note", item->note);
	field(t, "expected", item->expected ? item->known : NULL);
	if (t->o->verbose > 0)
		field(t, "why", item->explain);
	field(t, "fix", item->fix);
	field_raw(t, "replay", item->replay);
	field_raw(t, "transcript", item->evidence);
}

static void head(struct text *t)
{
	const struct result *r = t->result;
	text_style(t, "1");
	text_put(t, "wsquall ");
	text_wrap(t, r->tool, 8, 8);
	text_style(t, "0");
	text_put(t, "\n");
	field(t, "target", r->target_name);
	if (strcmp(r->target_name, r->target_url) != 0)
		field_raw(t, "url", r->target_url);
	field(t, "server", r->target_server);
	field(t, "started", r->started);
	field_raw(t, "command", r->command);
	struct buf seed CLEANUP(buf_fini) = {.max = 32};
	text_keep(t, buf_printf(&seed, "%llu", (unsigned long long)r->seed));
	field(t, "seed", buf_cstr(&seed));
	for (const char *const *note = r->notes; *note; note++)
		field(t, "note", *note);
}

static void group_line(struct text *t, const struct report_group *g, size_t name_width)
{
	struct buf name CLEANUP(buf_fini) = {.max = REPORT_MAX};
	char piece[64];
	text_keep(t, text_flatten(&name, g->name));
	size_t wide = text_columns(buf_span(&name));
	size_t pad = name_width > wide ? name_width - wide : 0;
	text_indent(t, TEXT_LABEL_COLUMN);
	text_keep(t, buf_append_span(t->out, buf_span(&name)));
	text_indent(t, pad);
	int n = snprintf(piece, sizeof(piece), "  %4zu of %zu passed", g->counts[REPORT_CLASS_PASS], g->n);
	text_put(t, piece);
	size_t column = TEXT_LABEL_COLUMN + wide + pad + (size_t)n;
	const char *comma = " ";
	for (int c = 0; c < REPORT_CLASS_PASS; c++) {
		if (g->counts[c] == 0)
			continue;
		n = snprintf(piece, sizeof(piece), "%zu %s", g->counts[c], report_class_label((enum report_class)c));
		text_put(t, comma);
		comma = ",";
		if (column + (size_t)n + 3 > t->width) {
			text_put(t, "\n");
			text_indent(t, TEXT_VALUE_COLUMN);
			column = TEXT_VALUE_COLUMN;
		} else {
			text_put(t, " ");
		}
		text_put_styled(t, text_class_style((enum report_class)c), piece);
		column += (size_t)n + 2;
	}
	text_put(t, "\n");
}

static void group_table(struct text *t)
{
	struct report_groups groups CLEANUP(report_groups_fini) = {0};
	size_t name_width = 8;
	text_keep(t, report_groups_init(&groups, t->result));
	text_put(t, "\n");
	for (size_t i = 0; i < groups.len; i++) {
		size_t wide = text_columns(span_str(groups.items[i].name));
		if (wide > name_width && wide <= 30)
			name_width = wide;
	}
	for (size_t i = 0; i < groups.len; i++)
		group_line(t, &groups.items[i], name_width);
}

static bool same_skip(const struct result_item *a, const struct result_item *b)
{
	return a->verdict == VERDICT_SKIP && b->verdict == VERDICT_SKIP && strcmp(a->seen, b->seen) == 0;
}

/* Skips that give the same reason are one line. */
static void skips(struct text *t)
{
	const struct result_item *items = t->result->items;
	for (size_t i = 0; i < t->result->n_items; i++) {
		struct buf line CLEANUP(buf_fini) = {.max = REPORT_MAX};
		size_t n = 0, before = 0;
		while (before < i && !same_skip(&items[before], &items[i]))
			before++;
		for (size_t j = i; j < t->result->n_items && before == i; j++)
			n += same_skip(&items[j], &items[i]);
		if (n == 0)
			continue;
		text_keep(t, buf_printf(&line, "%zu: %s", n,
					*items[i].seen ? items[i].seen : "the target lacks what is needed"));
		field(t, "skipped", buf_cstr(&line));
	}
}

static void section(struct text *t, enum report_class c, bool blocks)
{
	bool any = false;
	for (size_t i = 0; i < t->result->n_items; i++) {
		const struct result_item *item = &t->result->items[i];
		if (report_class(t->result, item) != c)
			continue;
		if (!any && !blocks)
			text_put(t, "\n");
		any = true;
		if (blocks)
			item_block(t, item);
		else
			item_line(t, item);
	}
}

static void grade(struct text *t)
{
	const struct result *r = t->result;
	text_put(t, "\n");
	if (r->grade) {
		text_put_styled(t, "1", "Grade ");
		text_style(t, r->grade == 'A' ? "1;32" : r->grade == 'F' ? "1;31" : "1;33");
		text_keep(t, buf_printf(t->out, "%c", r->grade));
		text_style(t, "0");
		text_keep(t, buf_printf(t->out, ", score %d of 100\n", r->score));
	}
	for (size_t i = 0; i < r->n_caps; i++) {
		text_keep(t, buf_printf(t->out, "  capped at %s: ", r->caps[i].letter));
		text_wrap(t, r->caps[i].why, 15, 15);
	}
	if (r->abort_reason) {
		text_put_styled(t, "1;31", "Aborted: ");
		text_wrap(t, r->abort_reason, 9, 9);
	}
	if (r->why && r->exit_code) {
		text_keep(t, buf_printf(t->out, "Exit %d: ", r->exit_code));
		text_wrap(t, r->why, 8, 8);
	}
}

static void last_line(struct text *t)
{
	const struct result *r = t->result;
	text_style(t, strcmp(r->verdict, "pass") == 0 ? "1;32" : "1;31");
	for (const char *p = r->verdict; *p; p++)
		text_keep(t, buf_append_u8(t->out, (uint8_t)toupper((unsigned char)*p)));
	text_style(t, "0");
	text_put(t, "  ");
	text_keep(t, report_counts_line(t->out, r));
	text_put(t, " in ");
	text_keep(t, report_duration(t->out, r->duration_ms));
	text_put(t, "\n");
}

int report_text_write(const struct result *r, const struct report_options *o, struct buf *out, struct err *e)
{
	struct text t = {.out = out, .result = r, .o = o, .width = o->width ? o->width : REPORT_WIDTH_DEFAULT};
	if (t.width < REPORT_WIDTH_MIN)
		t.width = REPORT_WIDTH_MIN;
	if (t.width > REPORT_WIDTH_MAX)
		t.width = REPORT_WIDTH_MAX;
	if (o->verbose >= 0) {
		head(&t);
		group_table(&t);
		if (o->verbose > 0)
			section(&t, REPORT_CLASS_PASS, false);
		text_put(&t, "\n");
		skips(&t);
		section(&t, REPORT_CLASS_EXPECTED, false);
		section(&t, REPORT_CLASS_WARN, o->verbose > 0);
		section(&t, REPORT_CLASS_INCONCLUSIVE, false);
		section(&t, REPORT_CLASS_ERROR, false);
		section(&t, REPORT_CLASS_STALE, false);
		section(&t, REPORT_CLASS_FAIL, true);
		grade(&t);
	}
	last_line(&t);
	return report_finish(t.status, "the text report", e);
}
