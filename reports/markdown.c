/*
 * A summary for a job page or a pull request. Job summaries above 1 MiB are dropped whole, so rows are added only while
 * they fit, and what was left out is counted. Everything that Markdown or HTML would act on is escaped, mentions and
 * links too: a server must not write to a reviewer.
 */
#include "reports/formats.h"
#include "reports/printable.h"

enum {
	MD_CELL_MAX = 400,       /* octets of one cell; longer text is cut */
	MD_ROOM = 4096,          /* kept free for the lines that say what was left out, and the end */
};

struct md {
	struct buf *out;
	const struct result *result;
	size_t max;              /* of out->len for rows */
	int status;
};

static void put(struct md *m, const char *s)
{
	if (m->status == 0)
		m->status = buf_append_span(m->out, span_str(s));
}

/* `next` follows it: a link that nobody wrote begins with :// or www. */
static void put_ascii(struct md *m, char c, struct span next)
{
	bool link = (c == ':' && next.len > 1 && next.p[0] == '/' && next.p[1] == '/') ||
		    ((c == 'w' || c == 'W') && next.len > 2 && span_eq_nocase(span_sub(next, 0, 3), SPAN_LIT("ww.")));
	if (m->status < 0)
		return;
	if (c == '\n' || c == '\t')
		m->status = buf_append_u8(m->out, ' ');
	else if (link || strchr("<>&@|\\", c))
		m->status = buf_printf(m->out, "&#%d;", c);
	else if (strchr("`*_[]~$#", c))
		m->status = buf_printf(m->out, "\\%c", c);
	else
		m->status = buf_append_u8(m->out, (uint8_t)c);
}

/* Escaped, in one line, at most MD_CELL_MAX octets before escaping. */
static void text(struct md *m, const char *s)
{
	char unit[PRINTABLE_MAX];
	struct span rest = span_str(s);
	size_t whole = rest.len;
	for (size_t len; m->status == 0 && (len = printable_next(&rest, unit));) {
		if (whole - rest.len > MD_CELL_MAX) {
			put(m, " ...");
			return;
		}
		if ((uint8_t)*unit >= 0x80) {
			m->status = buf_append(m->out, unit, len);
			continue;
		}
		/* a visible escape (\x1b) is several ASCII letters: each for itself */
		for (size_t i = 0; i < len; i++)
			put_ascii(m, unit[i], len == 1 ? rest : (struct span){0});
	}
}

static void row_start(struct md *m, const struct result_item *item)
{
	put(m, "| ");
	text(m, item->id);
	put(m, " | ");
	text(m, *item->seen ? item->seen : item->title);
	if (item->note) {
		put(m, "; ");
		text(m, item->note);
	}
}

static void failure_row(struct md *m, const struct result_item *item)
{
	row_start(m, item);
	put(m, " | ");
	text(m, item->required);
	put(m, " | ");
	text(m, item->level);
	put(m, item->rfc ? ", " : "");
	struct buf rfc CLEANUP(buf_fini) = {.max = MD_ROOM};
	report_rfc(&rfc, item->rfc);
	text(m, buf_cstr(&rfc));
	put(m, " | ");
	text(m, item->fix ? item->fix : "");
	put(m, " |\n");
}

static void known_row(struct md *m, const struct result_item *item)
{
	row_start(m, item);
	put(m, " | ");
	text(m, item->known ? item->known : "");
	put(m, " |\n");
}

static void short_row(struct md *m, const struct result_item *item)
{
	row_start(m, item);
	put(m, " |\n");
}

static const struct md_section {
	enum report_class class;
	bool folded;
	const char *head, *rule;
	void (*row)(struct md *m, const struct result_item *item);
} sections[] = {
	{REPORT_CLASS_FAIL, false, "| case | seen | required | rule | fix |", "|---|---|---|---|---|", failure_row},
	{REPORT_CLASS_STALE, false, "| case | seen | the reason why it is known |", "|---|---|---|", known_row},
	{REPORT_CLASS_ERROR, false, "| case | what happened |", "|---|---|", short_row},
	{REPORT_CLASS_INCONCLUSIVE, false, "| case | what happened |", "|---|---|", short_row},
	{REPORT_CLASS_WARN, true, "| case | seen | required | rule | fix |", "|---|---|---|---|---|", failure_row},
	{REPORT_CLASS_EXPECTED, true, "| case | seen | the reason why it is known |", "|---|---|---|", known_row},
	{REPORT_CLASS_SKIP, true, "| case | why |", "|---|---|", short_row},
};

/* Rows until the room is used up; the rest is counted. */
static void rows(struct md *m, const struct md_section *s)
{
	const struct result *r = m->result;
	size_t left_out = 0;
	for (size_t i = 0; i < r->n_items && m->status == 0; i++) {
		if (report_class(r, &r->items[i]) != s->class)
			continue;
		size_t before = m->out->len;
		if (left_out == 0)
			s->row(m, &r->items[i]);
		if (left_out || m->out->len > m->max) {
			m->out->len = before;
			left_out++;
		}
	}
	if (left_out && m->status == 0)
		m->status = buf_printf(m->out, "\n%zu more left out here; they are in report.html and result.json.\n",
				       left_out);
}

static void section(struct md *m, const struct md_section *s, size_t n)
{
	if (n == 0 || m->status < 0)
		return;
	if (s->folded)
		m->status = buf_printf(m->out, "\n<details><summary>%s (%zu)</summary>\n\n",
				       report_class_title(s->class), n);
	else
		m->status = buf_printf(m->out, "\n## %s (%zu)\n\n", report_class_title(s->class), n);
	put(m, s->head);
	put(m, "\n");
	put(m, s->rule);
	put(m, "\n");
	rows(m, s);
	if (s->folded)
		put(m, "\n</details>\n");
}

static void head(struct md *m)
{
	const struct result *r = m->result;
	bool pass = strcmp(r->verdict, "pass") == 0;
	if (pass)
		put(m, "# \xe2\x9c\x85 ");
	else if (strcmp(r->verdict, "inconclusive") == 0)
		put(m, "# \xe2\x9a\xa0\xef\xb8\x8f ");
	else
		put(m, "# \xe2\x9d\x8c ");
	text(m, r->target_name);
	put(m, ": ");
	put(m, report_verdict_word(r));
	if (r->grade && m->status == 0)
		m->status = buf_printf(m->out, ", grade %c (%d of 100)", r->grade, r->score);
	put(m, "\n\n");
	if (m->status == 0)
		m->status = report_counts_line(m->out, r);
	put(m, " in ");
	if (m->status == 0)
		m->status = report_duration(m->out, r->duration_ms);
	put(m, ".\n\n");
	if (r->why && !pass) {
		put(m, "Why: ");
		text(m, r->why);
		put(m, "\n\n");
	}
	if (r->abort_reason) {
		put(m, "**Aborted:** ");
		text(m, r->abort_reason);
		put(m, "\n\n");
	}
	for (size_t i = 0; i < r->n_caps; i++) {
		put(m, "- capped at ");
		text(m, r->caps[i].letter);
		put(m, ": ");
		text(m, r->caps[i].why);
		put(m, "\n");
	}
	for (size_t i = 0; r->notes[i] && m->out->len < m->max; i++) {
		put(m, "- ");
		text(m, r->notes[i]);
		put(m, "\n");
	}
}

static void foot(struct md *m)
{
	const struct result *r = m->result;
	put(m, "\n<sub>wsquall ");
	text(m, r->tool);
	put(m, ", target ");
	text(m, r->target_url);
	if (r->target_server) {
		put(m, " (");
		text(m, r->target_server);
		put(m, ")");
	}
	if (m->status == 0)
		m->status = buf_printf(m->out, ", seed %llu, started ", (unsigned long long)r->seed);
	text(m, r->started);
	put(m, "</sub>\n");
}

int report_markdown_write(const struct result *r, const struct report_options *o, struct buf *out, struct err *e)
{
	(void)o;
	size_t counts[REPORT_CLASS_COUNT];
	/* The foot holds five texts, each at most MD_CELL_MAX octets, and each octet may become an escape of six. */
	enum { FOOT_MAX = 5 * 6 * MD_CELL_MAX };
	struct md m = {.out = out, .result = r, .max = out->len + SUMMARY_MAX - MD_ROOM - FOOT_MAX};
	report_class_counts(r, counts);
	head(&m);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		section(&m, &sections[i], counts[sections[i].class]);
	foot(&m);
	return report_finish(m.status, "the Markdown summary", e);
}
