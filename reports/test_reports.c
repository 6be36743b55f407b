/*
 * Every format against a file that a person has read, octet for octet, and what all formats share: files, limits, an
 * empty result. WSQ_GOLDEN_UPDATE=1 writes the golden files anew: read the difference before keeping it.
 */
#include <unistd.h>

#include "harness/base/file.h"
#include "reports/test_fixture.h"

static void compare(struct fixture *f, const char *file)
{
	char path[600];
	struct err e = {""};
	struct buf expected CLEANUP(buf_fini) = {0};
	snprintf(path, sizeof(path), "%s/%s", golden, file);
	if (getenv("WSQ_GOLDEN_UPDATE")) {
		if (file_write_atomic(path, buf_span(&f->out), &e) < 0)
			fail_msg("%s", e.text);
		return;
	}
	if (file_read(path, REPORT_MAX, &expected, &e) < 0)
		fail_msg("%s", e.text);
	size_t at = 0, line = 1;
	while (at < expected.len && at < f->out.len && expected.p[at] == f->out.p[at])
		line += expected.p[at++] == '\n';
	if (at < expected.len || at < f->out.len)
		fail_msg("%s differs in line %zu: %.80s", file, line,
			 at < f->out.len ? buf_cstr(&f->out) + at : "(ends early)");
}

static void test_golden(void **state)
{
	struct fixture *f = *state;
	const struct report_options plain = {.dir = golden}, wide = {.width = 120, .color = true, .verbose = 1},
				    quiet = {.verbose = -1};
	static const char *const files[][2] = {{"text", "report.txt"},	   {"json", "result.json"},
					       {"junit", "junit.xml"},	   {"html", "report.html"},
					       {"markdown", "summary.md"}, {"tap", "results.tap"}};
	assert_int_equal(report_formats_len, ARRAY_LEN(files));
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		render(f, files[i][0], &plain);
		compare(f, files[i][1]);
	}
	render(f, "text", &wide);
	compare(f, "report-120-color-verbose.txt");
	render(f, "text", &quiet);
	compare(f, "report-quiet.txt");
}

/* The JSON report says what was loaded: read back it is the same result. */
static void test_json_round_trip(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {0};
	render(f, "json", &o);
	char path[600];
	snprintf(path, sizeof(path), "%s/input.json", golden);
	json_t *before = json_load_file(path, 0, NULL),
	       *after = json_loadb((const char *)f->out.p, f->out.len, 0, NULL);
	assert_non_null(before);
	assert_non_null(after);
	assert_true(json_equal(json_object_get(before, "results"), json_object_get(after, "results")));
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

static void test_evidence_stays_inside(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int status;
	} rows[] = {
		{"transcripts/mask-unmasked.txt", 0},
		{"transcripts/none.txt", -ENOENT},
		{"../golden/input.json", -ENOENT},
		{"transcripts/../input.json", -ENOENT},
		{"/etc/hostname", -ENOENT},
		{"", -ENOENT},
		{"transcripts", -ENOENT},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out CLEANUP(buf_fini) = {.max = 4096};
		int status = report_evidence(&out, golden, rows[i].path, 4096);
		if (status != rows[i].status)
			fail_msg("%s: %d", rows[i].path, status);
	}
	struct buf out CLEANUP(buf_fini) = {.max = 4096};
	assert_int_equal(report_evidence(&out, golden, "transcripts/mask-unmasked.txt", 10), 1);
	assert_int_equal(out.len, 10);
	assert_int_equal(report_evidence(&out, NULL, "transcripts/mask-unmasked.txt", 10), -ENOENT);
}

static void test_write_file(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/test_reports.XXXXXX", path[128];
	struct report_options o = {0};
	struct err e = {""};
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < report_formats_len; i++) {
		const struct report_format *format = &report_formats[i];
		struct buf content CLEANUP(buf_fini) = {0};
		assert_ptr_equal(report_format_find(format->name), format);
		if (report_write_file(format, &f->result, &o, dir, &e) < 0)
			fail_msg("%s", e.text);
		snprintf(path, sizeof(path), "%s/%s", dir, format->file);
		assert_int_equal(file_read(path, REPORT_MAX, &content, &e), 0);
		render(f, format->name, &o);
		assert_true(span_eq(buf_span(&content), buf_span(&f->out)));
		unlink(path);
	}
	rmdir(dir);
	assert_int_equal(report_write_file(&report_formats[0], &f->result, &o, dir, &e), -ENOENT);
	assert_null(report_format_find("pdf"));
}

/* A report that does not fit says so, whatever the format. */
static void test_too_large(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {0};
	for (size_t i = 0; i < report_formats_len; i++) {
		struct buf out CLEANUP(buf_fini) = {.max = 300};
		struct err e = {""};
		assert_int_equal(report_formats[i].write(&f->result, &o, &out, &e), -ENOBUFS);
		assert_non_null(strstr(e.text, "too large"));
	}
}

/* Nothing ran, nobody is named: every format still writes something. */
static void test_empty_result(void **state)
{
	struct fixture *f = *state;
	struct report_options o = {0};
	f->result = (struct result){.tool = "",
				    .target_name = "",
				    .target_url = "",
				    .started = "",
				    .command = "",
				    .notes = none,
				    .abort_reason = "gone"};
	result_grade(&f->result, false, NULL);
	for (size_t i = 0; i < report_formats_len; i++) {
		render(f, report_formats[i].name, &o);
		assert_true(f->out.len > 10);
	}
}

int main(void)
{
	find_golden();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json_round_trip, setup, teardown),
		cmocka_unit_test(test_evidence_stays_inside),
		cmocka_unit_test_setup_teardown(test_write_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_result, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
