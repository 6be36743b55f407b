/*
 * JUnit XML. Its readers know three ways of not passing and people act on them differently, so they are kept apart:
 * failure is a verdict against the target (and a known deviation gone, which also fails the run), error is a case
 * without a verdict, skipped a capability that the target lacks. Warnings and known deviations pass, with
 * system-out. libxml2 does the escaping; characters that XML 1.0 cannot carry are spelt out before.
 */
#include <libxml/xmlwriter.h>
#include <stdio.h>

#include "reports/formats.h"
#include "reports/printable.h"

struct junit {
	xmlTextWriterPtr w;
	const struct result *result;
	int status;
};

static void keep(struct junit *j, int written)
{
	if (written < 0 && j->status == 0)
		j->status = -ENOMEM;
}

static int clean(struct buf *b, const char *s)
{
	char unit[PRINTABLE_MAX];
	struct span rest = span_str(s);
	int status = 0;
	for (size_t len; status == 0 && (len = printable_next(&rest, unit));)
		status = buf_append(b, unit, len);
	return status;
}

static void attribute(struct junit *j, const char *name, const char *value)
{
	struct buf b CLEANUP(buf_fini) = {.max = REPORT_MAX};
	if (clean(&b, value) < 0)
		j->status = -ENOMEM;
	keep(j, xmlTextWriterWriteAttribute(j->w, BAD_CAST name, BAD_CAST buf_cstr(&b)));
}

static void attribute_count(struct junit *j, const char *name, size_t n)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%zu", n);
	attribute(j, name, digits);
}

static void attribute_seconds(struct junit *j, const char *name, double ms)
{
	char digits[40];
	snprintf(digits, sizeof(digits), "%.3f", ms >= 0 && ms < 1e15 ? ms / 1000 : 0);
	attribute(j, name, digits);
}

static void open_element(struct junit *j, const char *name)
{
	keep(j, xmlTextWriterStartElement(j->w, BAD_CAST name));
}

static void close_element(struct junit *j)
{
	keep(j, xmlTextWriterEndElement(j->w));
}

static void content(struct junit *j, struct buf *b)
{
	struct buf cleaned CLEANUP(buf_fini) = {.max = REPORT_MAX};
	if (clean(&cleaned, buf_cstr(b)) < 0)
		j->status = -ENOMEM;
	keep(j, xmlTextWriterWriteString(j->w, BAD_CAST buf_cstr(&cleaned)));
}

static void line(struct buf *b, const char *label, const char *value)
{
	if (value && *value)
		buf_printf(b, "%s: %s\n", label, value);
}

static void details(struct junit *j, const struct result_item *item)
{
	struct buf b CLEANUP(buf_fini) = {.max = REPORT_MAX};
	enum report_class c = report_class(j->result, item);
	buf_printf(&b, "\n%s\n", item->title);
	line(&b, "seen", item->seen);
	line(&b, "required", item->required);
	line(&b, "level", item->level);
	if (item->rfc) {
		buf_printf(&b, "rule: ");
		report_rfc(&b, item->rfc);
		buf_printf(&b, "\n");
	}
	line(&b, "note", item->note);
	if (c == REPORT_CLASS_EXPECTED)
		line(&b, "expected", item->known ? item->known : "a known deviation");
	line(&b, "why", item->explain);
	line(&b, "fix", item->fix);
	line(&b, "replay", item->replay);
	line(&b, "transcript", item->evidence);
	content(j, &b);
}

static void problem(struct junit *j, const struct result_item *item, const char *element, const char *type)
{
	struct buf message CLEANUP(buf_fini) = {.max = REPORT_MAX};
	if (item->stale)
		buf_printf(&message, "%s", report_class_about(REPORT_CLASS_STALE));
	else
		buf_printf(&message, "%s%s%s%s", item->seen, *item->required ? " (required: " : "", item->required,
			   *item->required ? ")" : "");
	open_element(j, element);
	attribute(j, "message", buf_cstr(&message));
	attribute(j, "type", type);
	details(j, item);
	close_element(j);
}

static void outcome(struct junit *j, const struct result_item *item)
{
	switch (report_class(j->result, item)) {
	case REPORT_CLASS_FAIL:
		problem(j, item, "failure", item->level);
		break;
	case REPORT_CLASS_STALE:
		problem(j, item, "failure", "stale");
		break;
	case REPORT_CLASS_ERROR:
	case REPORT_CLASS_INCONCLUSIVE:
		problem(j, item, "error", verdict_name(item->verdict));
		break;
	case REPORT_CLASS_SKIP:
		open_element(j, "skipped");
		attribute(j, "message", *item->seen ? item->seen : report_class_about(REPORT_CLASS_SKIP));
		close_element(j);
		break;
	default:
		if (item->verdict == VERDICT_PASS && !item->note)
			break;
		open_element(j, "system-out");
		keep(j, xmlTextWriterWriteFormatString(j->w, "%s", report_class_label(report_class(j->result, item))));
		details(j, item);
		close_element(j);
	}
}

static void class_name(struct junit *j, const char *suite, const char *group)
{
	struct buf b CLEANUP(buf_fini) = {.max = REPORT_MAX};
	if (buf_printf(&b, "wsquall.%s.%s", suite, group) < 0)
		j->status = -ENOMEM;
	attribute(j, "classname", buf_cstr(&b));
}

static void test_case(struct junit *j, const struct result_item *item)
{
	open_element(j, "testcase");
	attribute(j, "name", item->id);
	class_name(j, item->suite, item->group);
	attribute_seconds(j, "time", item->duration_ms);
	outcome(j, item);
	close_element(j);
}

static void totals(struct junit *j, const size_t counts[REPORT_CLASS_COUNT], size_t n)
{
	attribute_count(j, "tests", n);
	attribute_count(j, "failures", counts[REPORT_CLASS_FAIL] + counts[REPORT_CLASS_STALE]);
	attribute_count(j, "errors", counts[REPORT_CLASS_ERROR] + counts[REPORT_CLASS_INCONCLUSIVE]);
	attribute_count(j, "skipped", counts[REPORT_CLASS_SKIP]);
}

static void property(struct junit *j, const char *name, const char *value)
{
	if (!value)
		return;
	open_element(j, "property");
	attribute(j, "name", name);
	attribute(j, "value", value);
	close_element(j);
}

static void properties(struct junit *j)
{
	const struct result *r = j->result;
	char seed[24], grade[2] = {r->grade, 0};
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r->seed);
	open_element(j, "properties");
	property(j, "tool", r->tool);
	property(j, "target", r->target_url);
	property(j, "server", r->target_server);
	property(j, "seed", seed);
	property(j, "verdict", r->verdict);
	property(j, "grade", r->grade ? grade : NULL);
	property(j, "abort_reason", r->abort_reason);
	close_element(j);
}

static void test_suite(struct junit *j, const struct report_group *g)
{
	struct buf name CLEANUP(buf_fini) = {.max = REPORT_MAX};
	if (buf_printf(&name, "%s.%s", g->suite, g->name) < 0)
		j->status = -ENOMEM;
	open_element(j, "testsuite");
	attribute(j, "name", buf_cstr(&name));
	totals(j, g->counts, g->n);
	attribute_seconds(j, "time", g->duration_ms);
	attribute(j, "timestamp", j->result->started);
	properties(j);
	for (size_t i = 0; i < j->result->n_items && j->status == 0; i++)
		if (report_group_has(g, &j->result->items[i]))
			test_case(j, &j->result->items[i]);
	close_element(j);
}

static void document(struct junit *j, const struct report_groups *groups)
{
	size_t counts[REPORT_CLASS_COUNT];
	report_class_counts(j->result, counts);
	keep(j, xmlTextWriterSetIndent(j->w, 1));
	keep(j, xmlTextWriterStartDocument(j->w, NULL, "UTF-8", NULL));
	open_element(j, "testsuites");
	attribute(j, "name", j->result->target_name);
	totals(j, counts, j->result->n_items);
	attribute_seconds(j, "time", j->result->duration_ms);
	for (size_t i = 0; i < groups->len; i++)
		test_suite(j, &groups->items[i]);
	close_element(j);
	keep(j, xmlTextWriterEndDocument(j->w));
}

int report_junit_write(const struct result *r, const struct report_options *o, struct buf *out, struct err *e)
{
	(void)o;
	struct report_groups groups CLEANUP(report_groups_fini) = {0};
	struct junit j = {.result = r, .status = report_groups_init(&groups, r)};
	xmlBufferPtr xml = xmlBufferCreate();
	j.w = xml ? xmlNewTextWriterMemory(xml, 0) : NULL;
	if (!j.w)
		j.status = -ENOMEM;
	if (j.status == 0)
		document(&j, &groups);
	xmlFreeTextWriter(j.w);
	if (j.status == 0)
		j.status = buf_append(out, xmlBufferContent(xml), (size_t)xmlBufferLength(xml));
	xmlBufferFree(xml);
	return report_finish(j.status, "the JUnit report", e);
}
