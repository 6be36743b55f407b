/*
 * What golden files cannot show: parsers that are not ours accept the output and find the right counts, hostile text
 * stays text, limits hold.
 */
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "reports/printable.h"
#include "reports/test_fixture.h"

static void test_printable(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"abc\\", "abc\\"},
		{"\x1b[0m\r", "\\x1b[0m\\x0d"},
		{"\n\t", "\n\t"},
		{"\xe2\x80\xae", "\\u{202e}"},
		{"\xc2\x85", "\\u{85}"},
		{"\xe2\x80\x8b\xef\xbb\xbf", "\\u{200b}\\u{feff}"},
		{"\xff\xc0\xaf\xed\xa0\x80", "\\xff\\xc0\\xaf\\xed\\xa0\\x80"},
		{"\xe6\x97\xa5\xf0\x9f\xa7\xaa", "\xe6\x97\xa5\xf0\x9f\xa7\xaa"},
		{"\xef\xbf\xbe", "\\u{fffe}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char unit[PRINTABLE_MAX];
		struct buf all CLEANUP(buf_fini) = {.max = 128};
		struct span s = span_str(rows[i].in);
		for (size_t len; (len = printable_next(&s, unit));)
			assert_int_equal(buf_append(&all, unit, len), 0);
		assert_string_equal(buf_cstr(&all), rows[i].out);
	}
	assert_int_equal(printable_columns("\xe6\x97\xa5", 3), 2);
	assert_int_equal(printable_columns("\xcc\x81", 2), 0);
	assert_int_equal(printable_columns("\xc3\xa4", 2), 1);
	assert_int_equal(printable_columns("\\x1b", 4), 4);
}

static void test_item_line(void **state)
{
	(void)state;
	struct result r = {.notes = none};
	struct result_item item = {.id = "ping/payload-126",
				   .title = "t",
				   .suite = "s",
				   .group = "ping",
				   .kind = "case",
				   .level = "MUST",
				   .verdict = VERDICT_FAIL,
				   .seen = "Close 1000",
				   .required = "fail 1002",
				   .requirements = none,
				   .autobahn = none};
	static const struct {
		enum verdict verdict;
		bool expected, stale;
		unsigned width;
		bool color;
		const char *line;
	} rows[] = {
		{VERDICT_FAIL, false, false, 0, false, "FAIL  ping/payload-126  Close 1000 (required: fail 1002)"},
		{VERDICT_FAIL, false, false, 56, false, "FAIL  ping/payload-126  Close 1000 (required: fail 1002)"},
		{VERDICT_FAIL, false, false, 40, false, "FAIL  ping/payload-126  Close 1000 (r..."},
		{VERDICT_FAIL, true, false, 0, false,
		 "fail  ping/payload-126  Close 1000 (required: fail 1002); known: bug 7"},
		{VERDICT_WARN, true, false, 0, false,
		 "warn  ping/payload-126  Close 1000 (required: fail 1002); known: bug 7"},
		{VERDICT_PASS, false, true, 0, false,
		 "STALE ping/payload-126  Close 1000 (required: fail 1002); a known deviation that passes"},
		{VERDICT_PASS, false, false, 0, false, "pass  ping/payload-126  Close 1000"},
		{VERDICT_PASS, false, false, 0, true, "\x1b[32mpass\x1b[0m  ping/payload-126  Close 1000"},
		{VERDICT_SKIP, false, false, 0, false, "skip  ping/payload-126  Close 1000"},
		{VERDICT_ERROR, false, false, 0, false, "ERROR ping/payload-126  Close 1000 (required: fail 1002)"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out CLEANUP(buf_fini) = {.max = 4096};
		struct report_options o = {.width = rows[i].width, .color = rows[i].color};
		item.verdict = rows[i].verdict;
		item.expected = rows[i].expected;
		item.stale = rows[i].stale;
		item.known = rows[i].expected ? "bug 7" : NULL;
		assert_int_equal(report_text_item_line(&r, &item, &o, &out), 0);
		assert_string_equal(buf_cstr(&out), rows[i].line);
	}
}

static void test_text_fits_and_adds_up(void **state)
{
	struct fixture *f = *state;
	for (unsigned width = 40; width <= 120; width += 40) {
		struct report_options o = {.width = width};
		render(f, "text", &o);
		const char *text = buf_cstr(&f->out);
		assert_null(strchr(text, '\x1b'));
		assert_non_null(strstr(text, "\nFAIL  20 cases: 8 passed, 2 warned, 2 failed, 2 known deviations, 1 "
					     "known deviation gone, "
					     "1 inconclusive, 3 skipped, 1 error in 1.83 s\n"));
		assert_int_equal(text[f->out.len - 1], '\n');
		/* commands and paths are never wrapped, nor is the last line */
		for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
			size_t len = strcspn(line, "\n");
			static const char *const raw[] = {"      replay ", "      transcript ", "      command ",
							  "      url ", "FAIL  20 cases"};
			bool may = false;
			for (size_t i = 0; i < ARRAY_LEN(raw); i++)
				may |= strncmp(line, raw[i], strlen(raw[i])) == 0;
			struct span whole = span_of(line, len);
			size_t wide = 0;
			char unit[PRINTABLE_MAX];
			for (size_t n; (n = printable_next(&whole, unit));)
				wide += printable_columns(unit, n);
			if (!may && wide > width)
				fail_msg("width %u: %.*s", width, (int)len, line);
		}
	}
}

/* --- read back by libxml2 --- */

static size_t xpath_count(xmlDocPtr doc, const char *path)
{
	xmlXPathContextPtr context = xmlXPathNewContext(doc);
	xmlXPathObjectPtr found = xmlXPathEvalExpression(BAD_CAST path, context);
	assert_non_null(found);
	size_t n = found->type == XPATH_NUMBER ? (size_t)found->floatval
		   : found->nodesetval	       ? (size_t)found->nodesetval->nodeNr
					       : 0;
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(context);
	return n;
}

static void test_junit_is_read_back(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {0};
	render(f, "junit", &o);
	xmlDocPtr doc = xmlReadMemory((const char *)f->out.p, (int)f->out.len, "junit.xml", NULL, XML_PARSE_NONET);
	assert_non_null(doc);
	static const struct {
		const char *path;
		size_t n;
	} rows[] = {
		{"//testcase", 20},
		{"//testcase[@name and starts-with(@classname, 'wsquall.conformance.') and @time]", 20},
		{"//failure", 3}, /* two fails and the known deviation that is gone */
		{"//failure[@type='stale']", 1},
		{"//error", 2}, /* inconclusive, error */
		{"//skipped[@message]", 3},
		{"//testcase[failure or error or skipped]", 8}, /* never two of them */
		{"//testcase[system-out]", 6}, /* two warns, two expected, two passes with a note */
		{"//testcase[system-out and (failure or error or skipped)]", 0},
		{"sum(//testsuite/@tests)", 20},
		{"sum(//testsuite/@failures)", 3},
		{"sum(//testsuite/@errors)", 2},
		{"sum(//testsuite/@skipped)", 3},
		{"number(/testsuites/@tests)", 20},
		{"number(/testsuites/@failures)", 3},
		{"//testcase[@name='ping/payload-126']/failure[contains(@message, '<script>alert(1)</script> ]]> --> "
		 "\\x1b[31mred')]",
		 1},
		{"//testcase[@name='ping/payload-126']/failure[contains(., '\\u{202e}gnp.exe \\x01\\x7f')]", 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (xpath_count(doc, rows[i].path) != rows[i].n)
			fail_msg("%s: %zu", rows[i].path, xpath_count(doc, rows[i].path));
	xmlFreeDoc(doc);
}

static void test_strict_turns_warns_into_failures(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {0};
	result_grade(&f->result, true, NULL);
	render(f, "junit", &o);
	xmlDocPtr doc = xmlReadMemory((const char *)f->out.p, (int)f->out.len, "junit.xml", NULL, XML_PARSE_NONET);
	assert_int_equal(xpath_count(doc, "//failure"), 5);
	xmlFreeDoc(doc);
	render(f, "tap", &o);
	assert_non_null(strstr(buf_cstr(&f->out), "\nnot ok 2 - handshake/version-12"));
}

static void silent(void *context, const char *message, ...)
{
	(void)context;
	(void)message;
}

static void test_html_keeps_text_as_text(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {.dir = golden};
	render(f, "html", &o);
	const char *page = buf_cstr(&f->out);
	static const char *const forbidden[] = {"<script",     "<img",	 "<b>*.",   "<b>long",	    "onerror=alert(1)>",
						"\x1b",	       "\x01",	 "\x7f",    "\xe2\x80\xae", "\xff",
						"javascript:", "src=\"", "@import", "url("};
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		if (strstr(page, forbidden[i]))
			fail_msg("the page holds %s", forbidden[i]);
	assert_int_equal(strlen(page), f->out.len);
	xmlSetGenericErrorFunc(NULL, silent);
	htmlDocPtr doc =
		htmlReadMemory(page, (int)f->out.len, "report.html", "utf-8", HTML_PARSE_NONET | HTML_PARSE_NOERROR);
	assert_non_null(doc);
	static const struct {
		const char *path;
		size_t n;
	} rows[] = {
		{"//script | //img | //iframe | //object | //link | //base | //form | //input", 0},
		{"//@*[starts-with(name(), 'on')]", 0},
		{"//@href[not(starts-with(., '#'))]", 0},
		{"//meta[@http-equiv='Content-Security-Policy' and @content=\"default-src 'none'; style-src "
		 "'unsafe-inline'\"]",
		 1},
		{"//h1", 1},
		{"//table/tbody/tr", 20},
		{"//article", 11}, /* all but 6 plain passes and 3 skips */
		{"//section[@id='s-fail']/article/details[@open]", 2},
		{"//pre[contains(., '<script>alert(2)</script> \\x1b[2J \\xff\\xfe raw')]", 1},
		{"//div[@class='seen']/p[contains(., '<script>alert(1)</script> ]]> --> \\x1b[31mred\\x1b[0m "
		 "\\u{202e}gnp.exe \\x01\\x7f')]",
		 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (xpath_count(doc, rows[i].path) != rows[i].n)
			fail_msg("%s: %zu", rows[i].path, xpath_count(doc, rows[i].path));
	/* every link leads somewhere */
	xmlXPathContextPtr context = xmlXPathNewContext(doc);
	xmlXPathObjectPtr links = xmlXPathEvalExpression(BAD_CAST "//a/@href", context);
	for (int i = 0; i < links->nodesetval->nodeNr; i++) {
		char path[64];
		xmlChar *href = xmlNodeGetContent(links->nodesetval->nodeTab[i]);
		snprintf(path, sizeof(path), "//*[@id='%s']", (const char *)href + 1);
		assert_int_equal(xpath_count(doc, path), 1);
		xmlFree(href);
	}
	xmlXPathFreeObject(links);
	xmlXPathFreeContext(context);
	xmlFreeDoc(doc);
}

static void test_tap_lines(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {0};
	render(f, "tap", &o);
	unsigned ok = 0, not_ok = 0, skip = 0, todo = 0;
	for (const char *line = buf_cstr(&f->out); *line; line = strchr(line, '\n') + 1) {
		struct span whole = span_of(line, strcspn(line, "\n"));
		ok += strncmp(line, "ok ", 3) == 0;
		not_ok += strncmp(line, "not ok ", 7) == 0;
		skip += span_find(whole, SPAN_LIT(" # SKIP ")) >= 0;
		todo += span_find(whole, SPAN_LIT(" # TODO ")) >= 0;
	}
	assert_int_equal(ok, 14);
	assert_int_equal(not_ok, 6); /* two fails, one expected, stale, inconclusive, error */
	assert_int_equal(skip, 3);
	assert_int_equal(todo, 1);
}

static void test_markdown_stays_under_its_limit(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {0};
	enum { N = 20000 };
	static char hostile[2000];
	memset(hostile, '<', sizeof(hostile) - 1);
	struct result_item *items = calloc(N, sizeof(*items));
	struct result r = f->result;
	for (size_t i = 0; i < N; i++) {
		items[i] = f->result.items[8];
		items[i].seen = items[i].required = hostile;
		items[i].verdict = (enum verdict)(i % VERDICT_COUNT);
	}
	f->result.items = items;
	f->result.n_items = N;
	f->result.target_name = f->result.target_url = f->result.target_server = f->result.started = hostile;
	render(f, "markdown", &o);
	assert_true(f->out.len < SUMMARY_MAX);
	assert_true(f->out.len > SUMMARY_MAX / 2);
	const char *text = buf_cstr(&f->out);
	assert_non_null(strstr(text, " more left out here; they are in report.html and result.json."));
	assert_non_null(strstr(text, "</sub>\n"));
	/* what is shown and what is left out adds up */
	size_t rows = 0, left_out = 0;
	for (const char *p = text; (p = strstr(p, "\n| ping")); p++)
		rows++;
	for (const char *p = text; (p = strstr(p, " more left out")); p++) {
		const char *digits = p;
		while (digits[-1] >= '0' && digits[-1] <= '9')
			digits--;
		left_out += strtoul(digits, NULL, 10);
	}
	assert_int_equal(rows + left_out, N - (N + VERDICT_COUNT - 1) / VERDICT_COUNT); /* all but the passes */
	free(items);
	f->result = r;
}

static void test_markdown_escapes(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {0};
	render(f, "markdown", &o);
	const char *text = buf_cstr(&f->out);
	static const char *const forbidden[] = {"<script", "<img", "<b>",	   "http://", "@octocat",
						" www.",   "\x1b", "\xe2\x80\xae", " *star*", " [link]"};
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		if (strstr(text, forbidden[i]))
			fail_msg("the summary holds %s", forbidden[i]);
	assert_non_null(strstr(
		text,
		"reason: &#124; \\`pipe\\` \\*star\\* \\_under\\_ \\[link\\](http&#58;//evil.example) &#64;octocat"));
	/* a table's row has as many cells as its head: no text breaks out of its cell */
	const char *row = strstr(text, "\n| ping/payload-126 ");
	assert_non_null(row);
	size_t pipes = 0;
	for (row++; *row != '\n'; row++)
		pipes += *row == '|';
	assert_int_equal(pipes, 6);
}

/* Labels are text; a bar is as long as its value is to the highest of its chart. */
static void test_html_charts(void **state)
{
	struct fixture *f = *state;
	static const struct result_bar codes[] = {{"1000", 10, 0}, {"<b>1006", 5, 20}}, times[] = {{"1 s", 0, 0}};
	static const struct result_chart charts[] = {{"codes & <ends>", "seen", "logged", codes, 2},
						     {"away", "clients", NULL, times, 1}};
	render(f, "html", &(struct report_options){0});
	assert_null(strstr(buf_cstr(&f->out), "id=\"stories\""));
	f->result.items[3].charts = charts;
	f->result.items[3].n_charts = ARRAY_LEN(charts);
	render(f, "html", &(struct report_options){0});
	const char *text = buf_cstr(&f->out);
	static const char *const wanted[] = {
		"<h2>What happened <span class=\"count\">1</span></h2>", "<caption>codes &amp; &lt;ends&gt;</caption>",
		"<th scope=\"col\">seen</th><th scope=\"col\">logged</th>",
		"<th scope=\"row\">1000</th><td class=\"one\"><i style=\"width:35.0%\"></i>10</td>"
		"<td class=\"two\"><i style=\"width:0.0%\"></i>0</td>",
		"<th scope=\"row\">&lt;b&gt;1006</th><td class=\"one\"><i style=\"width:17.5%\"></i>5</td>"
		"<td class=\"two\"><i style=\"width:70.0%\"></i>20</td>",
		"<th scope=\"row\">1 s</th><td class=\"one\"><i style=\"width:0.0%\"></i>0</td></tr>",
	};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (!strstr(text, wanted[i]))
			fail_msg("the page lacks %s", wanted[i]);
}

int main(void)
{
	find_golden();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_item_line),
		cmocka_unit_test_setup_teardown(test_text_fits_and_adds_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_junit_is_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strict_turns_warns_into_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_html_keeps_text_as_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_html_charts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tap_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_markdown_stays_under_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_markdown_escapes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
