/* What all formats share: the table, how a case is classed, groups, and the few phrases that must read the same
 * everywhere. */
#include "reports/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "reports/formats.h"

const struct report_format report_formats[] = {
#define FORMAT(ident, format_name, file_name, sentence) \
	{.name = format_name, .file = file_name, .about = sentence, .write = report_##ident##_write},
#include "reports/formats.def"
#undef FORMAT
};
const size_t report_formats_len = ARRAY_LEN(report_formats);

const struct report_format *report_format_find(const char *name)
{
	for (size_t i = 0; i < report_formats_len; i++)
		if (strcmp(report_formats[i].name, name) == 0)
			return &report_formats[i];
	return NULL;
}

int report_write_file(const struct report_format *f, const struct result *r, const struct report_options *o,
		      const char *dir, struct err *e)
{
	struct buf out CLEANUP(buf_fini) = {.max = REPORT_MAX};
	int status = f->write(r, o, &out, e);
	if (status < 0)
		return status;
	char *path CLEANUP(cleanup_free) = NULL;
	if (asprintf(&path, "%s/%s", dir, f->file) < 0) {
		path = NULL;
		return err_set(e, ENOMEM, "out of memory");
	}
	return file_write_atomic(path, buf_span(&out), e);
}

/* --- classes --- */

static const struct {
	const char *label, *title, *about;
} classes[] = {
#define REPORT_CLASS_ROW(NAME, label_text, title_text, about_text) {label_text, title_text, about_text},
	REPORT_CLASSES(REPORT_CLASS_ROW)
#undef REPORT_CLASS_ROW
};

enum report_class report_class(const struct result *r, const struct result_item *item)
{
	bool deviates = item->verdict == VERDICT_FAIL || item->verdict == VERDICT_WARN;
	if (item->stale)
		return REPORT_CLASS_STALE;
	if (deviates && item->expected)
		return REPORT_CLASS_EXPECTED;
	switch (item->verdict) {
	case VERDICT_PASS:
		return REPORT_CLASS_PASS;
	case VERDICT_WARN:
		return r->strict ? REPORT_CLASS_FAIL : REPORT_CLASS_WARN;
	case VERDICT_FAIL:
		return REPORT_CLASS_FAIL;
	case VERDICT_INCONCLUSIVE:
		return REPORT_CLASS_INCONCLUSIVE;
	case VERDICT_SKIP:
		return REPORT_CLASS_SKIP;
	default:
		return REPORT_CLASS_ERROR;
	}
}

const char *report_class_label(enum report_class c)
{
	return classes[c].label;
}

const char *report_class_title(enum report_class c)
{
	return classes[c].title;
}

const char *report_class_about(enum report_class c)
{
	return classes[c].about;
}

void report_class_counts(const struct result *r, size_t ret_counts[REPORT_CLASS_COUNT])
{
	memset(ret_counts, 0, REPORT_CLASS_COUNT * sizeof(*ret_counts));
	for (size_t i = 0; i < r->n_items; i++)
		ret_counts[report_class(r, &r->items[i])]++;
}

/* --- groups --- */

bool report_group_has(const struct report_group *g, const struct result_item *item)
{
	return strcmp(g->name, item->group) == 0 && strcmp(g->suite, item->suite) == 0;
}

static struct report_group *find_group(struct report_groups *g, size_t *cap, const struct result_item *item)
{
	for (size_t i = g->len; i > 0; i--)
		if (report_group_has(&g->items[i - 1], item))
			return &g->items[i - 1];
	if (g->len == *cap) {
		*cap = *cap ? *cap * 2 : 32;
		struct report_group *more = reallocarray(g->items, *cap, sizeof(*more));
		if (!more)
			return NULL;
		g->items = more;
	}
	g->items[g->len] = (struct report_group){.suite = item->suite, .name = item->group};
	return &g->items[g->len++];
}

int report_groups_init(struct report_groups *g, const struct result *r)
{
	size_t cap = 0;
	*g = (struct report_groups){0};
	for (size_t i = 0; i < r->n_items; i++) {
		struct report_group *group = find_group(g, &cap, &r->items[i]);
		if (!group) {
			report_groups_fini(g);
			return -ENOMEM;
		}
		group->n++;
		group->counts[report_class(r, &r->items[i])]++;
		group->duration_ms += r->items[i].duration_ms;
	}
	return 0;
}

void report_groups_fini(struct report_groups *g)
{
	free(g->items);
	*g = (struct report_groups){0};
}

/* --- phrases --- */

const char *report_noun(const struct result *r, size_t n)
{
	for (size_t i = 0; i < r->n_items; i++)
		if (r->items[i].kind && strcmp(r->items[i].kind, "case") != 0)
			return n == 1 ? "check" : "checks";
	return n == 1 ? "case" : "cases";
}

int report_counts_line(struct buf *out, const struct result *r)
{
	static const struct {
		enum report_class class;
		const char *one, *many;
	} rows[] = {
		{REPORT_CLASS_PASS, "passed", "passed"},
		{REPORT_CLASS_WARN, "warned", "warned"},
		{REPORT_CLASS_FAIL, "failed", "failed"},
		{REPORT_CLASS_EXPECTED, "known deviation", "known deviations"},
		{REPORT_CLASS_STALE, "known deviation gone", "known deviations gone"},
		{REPORT_CLASS_INCONCLUSIVE, "inconclusive", "inconclusive"},
		{REPORT_CLASS_SKIP, "skipped", "skipped"},
		{REPORT_CLASS_ERROR, "error", "errors"},
	};
	size_t counts[REPORT_CLASS_COUNT];
	const char *comma = ": ";
	report_class_counts(r, counts);
	int status = buf_printf(out, "%zu %s", r->n_items, report_noun(r, r->n_items));
	for (size_t i = 0; i < ARRAY_LEN(rows) && status == 0; i++) {
		size_t n = counts[rows[i].class];
		if (n == 0)
			continue;
		status = buf_printf(out, "%s%zu %s", comma, n, n == 1 ? rows[i].one : rows[i].many);
		comma = ", ";
	}
	return status;
}

int report_duration(struct buf *out, double ms)
{
	if (ms < 10)
		return buf_printf(out, "%.1f ms", ms);
	if (ms < 999.5)
		return buf_printf(out, "%.0f ms", ms);
	if (ms < 59995)
		return buf_printf(out, "%.2f s", ms / 1000);
	return buf_printf(out, "%.0f min %d s", (double)(int64_t)(ms / 60000), (int)((int64_t)(ms / 1000) % 60));
}

int report_rfc(struct buf *out, const char *rfc)
{
	if (!rfc)
		return 0;
	size_t number = strcspn(rfc, " ");
	return rfc[number] ? buf_printf(out, "RFC %.*s, section %s", (int)number, rfc, rfc + number + 1)
			   : buf_printf(out, "RFC %s", rfc);
}

const char *report_verdict_word(const struct result *r)
{
	static const char *const words[][2] = {
		{"pass", "passed"}, {"fail", "failed"}, {"inconclusive", "undecided"}, {"aborted", "aborted"}};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(r->verdict, words[i][0]) == 0)
			return words[i][1];
	return r->verdict;
}

enum { EVIDENCE_FILE_MAX = 4 * TRANSCRIPT_MAX };

/* A result.json may come from anywhere: only plain names below the folder are opened. */
static bool stays_inside(const char *evidence)
{
	if (*evidence == '/' || *evidence == 0)
		return false;
	for (const char *p = evidence; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == 0))
			return false;
	}
	return true;
}

int report_evidence(struct buf *out, const char *dir, const char *evidence, size_t max)
{
	if (!dir || !evidence || !stays_inside(evidence))
		return -ENOENT;
	char *path CLEANUP(cleanup_free) = NULL;
	if (asprintf(&path, "%s/%s", dir, evidence) < 0) {
		path = NULL;
		return -ENOENT;
	}
	struct buf content CLEANUP(buf_fini) = {0};
	if (file_read(path, EVIDENCE_FILE_MAX, &content, NULL) < 0)
		return -ENOENT;
	int status = buf_append_span(out, span_sub(buf_span(&content), 0, max));
	return status < 0 ? status : content.len > max;
}

int report_finish(int status, const char *what, struct err *e)
{
	if (status >= 0)
		return 0;
	return err_set(e, -status, "%s cannot be written: %s", what,
		       status == -ENOBUFS ? "it would be too large" : "out of memory");
}
