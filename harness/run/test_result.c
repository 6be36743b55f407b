/* The gate and the grade against tables written by hand from the rules in result.h; loading against hand-written files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/run/result.h"

static const char *const none[] = {NULL};

static struct result_item item_of(char code)
{
	struct result_item item = {.id = "ping/x",
				   .title = "t",
				   .suite = "conformance",
				   .group = "ping",
				   .kind = "case",
				   .level = "MUST",
				   .requirements = none,
				   .autobahn = none,
				   .seen = "",
				   .required = ""};
	switch (code) {
	case 'p': item.verdict = VERDICT_PASS; break;
	case 's': item.verdict = VERDICT_PASS; item.stale = true; break;
	case 'w': item.verdict = VERDICT_WARN; item.level = "SHOULD"; break;
	case 'v': item.verdict = VERDICT_WARN; item.expected = true; break;
	case 'f': item.verdict = VERDICT_FAIL; break;
	case 'x': item.verdict = VERDICT_FAIL; item.expected = true; item.known = "bug 7"; break;
	case 'u': item.verdict = VERDICT_FAIL; item.group = "utf8/overlong"; break;
	case 'm': item.verdict = VERDICT_FAIL; item.rfc = "6455 5.1"; break;
	case 'o': item.verdict = VERDICT_FAIL; item.group = "utf8ish"; item.level = "SHOULD"; break;
	case 'i': item.verdict = VERDICT_INCONCLUSIVE; break;
	case '-': item.verdict = VERDICT_SKIP; break;
	case 'n': item.verdict = VERDICT_SKIP; item.kind = "check"; break;
	case 'l': item.verdict = VERDICT_FAIL; item.kind = "check"; item.id = "black-hole/delivery.lost"; break;
	case 'b': item.verdict = VERDICT_FAIL; item.kind = "check"; item.id = "black-hole/backpressure.bounded"; break;
	case 'd': item.verdict = VERDICT_FAIL; item.id = "mine/delivery.lost"; break;
	case 'e': item.verdict = VERDICT_ERROR; break;
	default: fail_msg("no such code: %c", code);
	}
	return item;
}

/* Codes of item_of(); a digit repeats the item before it that often in all. */
static struct result result_of(struct result_item *items, const char *codes)
{
	struct result r = {.tool = "1",
			   .target_name = "t",
			   .target_url = "ws://t",
			   .started = "",
			   .command = "",
			   .notes = none,
			   .items = items};
	for (; *codes; codes++) {
		if (*codes < '0' || *codes > '9') {
			items[r.n_items++] = item_of(*codes);
			continue;
		}
		char *end;
		for (long times = strtol(codes, &end, 10); times > 1; times--)
			items[r.n_items] = items[r.n_items - 1], r.n_items++;
		codes = end - 1;
	}
	return r;
}

static void test_gate(void **state)
{
	(void)state;
	static const struct {
		const char *items, *abort_reason, *fail_on;
		bool strict;
		const char *verdict;
		int exit_code;
	} rows[] = {
		{"pp", NULL, NULL, false, "pass", 0},
		{"pw", NULL, NULL, false, "pass", 0},
		{"pw", NULL, NULL, true, "fail", 1},
		{"pw", NULL, "warn", false, "fail", 1},
		{"pw", NULL, "inconclusive,warn", false, "fail", 1},
		{"pw", NULL, "warning", false, "pass", 0},
		{"pv", NULL, "warn", true, "pass", 0},
		{"pf", NULL, NULL, false, "fail", 1},
		{"px", NULL, NULL, true, "pass", 0},
		{"pxf", NULL, NULL, false, "fail", 1},
		{"ps", NULL, NULL, false, "fail", 1},
		{"pi", NULL, NULL, false, "pass", 0},
		{"pi", NULL, "inconclusive", false, "inconclusive", 2},
		{"pfi", NULL, "inconclusive", false, "fail", 1},
		{"i", NULL, NULL, false, "inconclusive", 2},
		{"--", NULL, NULL, false, "inconclusive", 2},
		{"", NULL, NULL, false, "inconclusive", 2},
		{"x", NULL, NULL, false, "pass", 0},
		{"pe", NULL, NULL, false, "inconclusive", 2},
		{"pfe", NULL, NULL, false, "fail", 1},
		{"pe", "gone", NULL, false, "aborted", 69},
		{"fe", "gone", NULL, false, "aborted", 1},
		{"xe", "gone", NULL, false, "aborted", 69},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct result_item items[16];
		struct result r = result_of(items, rows[i].items);
		r.abort_reason = rows[i].abort_reason;
		result_grade(&r, rows[i].strict, rows[i].fail_on);
		if (strcmp(r.verdict, rows[i].verdict) != 0 || r.exit_code != rows[i].exit_code)
			fail_msg("row %zu \"%s\": %s, exit %d", i, rows[i].items, r.verdict, r.exit_code);
		assert_non_null(r.why);
		unsigned sum = 0;
		for (int v = 0; v < VERDICT_COUNT; v++)
			sum += r.counts[v];
		assert_int_equal(sum, r.n_items);
	}
}

static void test_grade(void **state)
{
	(void)state;
	static const struct {
		const char *items, *abort_reason;
		char letter;
		int score;
		size_t n_caps;
		char cap;
	} rows[] = {
		{"p100", NULL, 'A', 100, 0, 0},
		{"p99w", NULL, 'A', 99, 0, 0},        /* (99*3 + 0.5) / 298 = 99.8 */
		{"w2", NULL, 'D', 50, 0, 0},
		{"p99f", NULL, 'B', 99, 1, 'B'},      /* one MUST */
		{"p99x", NULL, 'B', 99, 1, 'B'},      /* what is known does not change the truth */
		{"p99u", NULL, 'C', 99, 2, 'C'},
		{"p99m", NULL, 'C', 99, 2, 'C'},
		{"p99o", NULL, 'A', 99, 0, 0},        /* SHOULD, and only the name looks like the group */
		{"p9f", NULL, 'B', 90, 0, 0},         /* the cap would not lower it */
		{"p3f", NULL, 'C', 75, 0, 0},
		{"p2f", NULL, 'D', 66, 0, 0},
		{"pf2", NULL, 'F', 33, 0, 0},
		{"p4i5", NULL, 'C', 100, 1, 'C'},
		{"p5i5", NULL, 'A', 100, 0, 0},
		{"p99e", "gone", 'D', 100, 1, 'D'},
		{"p99l", NULL, 'C', 99, 2, 'C'},      /* a check that decides what the grade may be */
		{"p99b", NULL, 'B', 99, 1, 'B'},      /* one that does not */
		{"p99d", NULL, 'B', 99, 1, 'B'},      /* a case of that name */
		{"p4n9", NULL, 'A', 100, 0, 0},       /* what is not promised is not undecided */
		{"-3", NULL, 0, 0, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct result_item items[128];
		struct result r = result_of(items, rows[i].items);
		r.abort_reason = rows[i].abort_reason;
		result_grade(&r, false, NULL);
		if (r.grade != rows[i].letter || r.score != rows[i].score || r.n_caps != rows[i].n_caps)
			fail_msg("row %zu \"%s\": %c, score %d, %zu caps", i, rows[i].items, r.grade ? r.grade : '0',
				 r.score, r.n_caps);
		if (rows[i].cap)
			assert_int_equal(r.caps[0].letter[0], rows[i].cap);
	}
}

static void test_names(void **state)
{
	(void)state;
	for (int v = 0; v < VERDICT_COUNT; v++)
		assert_int_equal(verdict_parse(verdict_name(v)), v);
	assert_int_equal(verdict_parse("PASS"), -EINVAL);
	assert_int_equal(verdict_parse(""), -EINVAL);
}

/* --- files --- */

struct dir {
	char path[64], file[80];
	struct arena arena;
};

static int setup(void **state)
{
	struct dir *d = calloc(1, sizeof(*d));
	snprintf(d->path, sizeof(d->path), "/tmp/test_result.XXXXXX");
	if (!mkdtemp(d->path))
		return -1;
	arena_init(&d->arena, 16 << 20);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct dir *d = *state;
	arena_fini(&d->arena);
	unlink(d->file);
	rmdir(d->path);
	free(d);
	return 0;
}

static void write_file(struct dir *d, const char *name, const char *content)
{
	struct err e;
	snprintf(d->file, sizeof(d->file), "%s/%s", d->path, name);
	assert_int_equal(file_write_atomic(d->file, span_str(content), &e), 0);
}

static void assert_same(const struct result *a, const struct result *b)
{
	json_t *left = result_to_json(a), *right = result_to_json(b);
	assert_non_null(left);
	assert_true(json_equal(left, right));
	json_decref(left);
	json_decref(right);
}

static void test_round_trip(void **state)
{
	struct dir *d = *state;
	struct result_item items[16];
	struct result back, r = result_of(items, "pswvfxui-e");
	const char *const words[] = {"6455-5.5-b", "6455-5.5-c", NULL}, *const notes[] = {"TLS verification is off",
											  NULL};
	static const struct result_bar codes[] = {{"1000", 1003, 1002}, {"1006", 0, 7}}, times[] = {{"0.1 s", 1ull << 52, 0}};
	static const struct result_chart charts[] = {
		{"close codes", "seen", "logged", codes, ARRAY_LEN(codes)}, {"away", "clients", NULL, times, ARRAY_LEN(times)},
		{"empty", "", NULL, NULL, 0}};
	struct err e;
	items[4] = (struct result_item){.id = "ping/\xe2\x80\xae<b>",
					.title = "\x01 \xff",
					.suite = "s",
					.group = "g",
					.kind = "scenario",
					.level = "INFO",
					.verdict = VERDICT_FAIL,
					.known = "k",
					.expected = true,
					.rfc = "6455 5.5",
					.requirements = words,
					.autobahn = words,
					.seen = "a\"b\\c",
					.required = "]]>",
					.note = "n",
					.explain = "x",
					.fix = "f",
					.evidence = "transcripts/a.txt",
					.replay = "wsquall replay",
					.charts = charts,
					.n_charts = ARRAY_LEN(charts),
					.cases = words,
					.duration_ms = 1.2345};
	r.notes = notes;
	r.target_server = "nginx";
	r.seed = UINT64_MAX;
	r.duration_ms = 12;
	result_grade(&r, true, NULL);
	json_t *json = result_to_json(&r);
	char *dump = json_dumps(json, 0);
	write_file(d, "result.json", dump);
	assert_int_equal(result_load(d->path, &d->arena, &back, &e), 0);
	items[4].title = "\x01 \xef\xbf\xbd"; /* the one loss: octets that are no UTF-8 */
	assert_same(&r, &back);
	assert_true(back.seed == UINT64_MAX);
	assert_int_equal(back.counts[VERDICT_FAIL], 3);
	assert_string_equal(json_string_value(json_object_get(json, "seed")), "18446744073709551615");
	free(dump);
	json_decref(json);
}

#define PLAN                                                                                                           \
	"{\"event\":\"plan\",\"schema\":\"wsquall.history/"                                                            \
	"1\",\"tool\":\"1\",\"seed\":42,\"target\":{\"name\":\"t\",\"url\":\"ws://t\"},"                               \
	"\"started\":\"s\",\"command\":\"c\",\"cases\":[\"ping/a\",{\"id\":\"ping/"                                    \
	"b\",\"title\":\"B\",\"suite\":\"x\"},\"mask/c\"]}\n"
#define RESULT_A "{\"event\":\"result\",\"id\":\"ping/a\",\"verdict\":\"pass\"}\n"
#define RESULT_C "{\"event\":\"result\",\"id\":\"mask/c\",\"verdict\":\"fail\",\"seen\":\"S\"}\n"

static void test_history_of_a_killed_run(void **state)
{
	struct dir *d = *state;
	struct err e;
	/* cut at every octet of the last line; without its newline it is whole */
	for (size_t cut = 0; cut < strlen(RESULT_A); cut++) {
		char content[1024];
		struct result r;
		snprintf(content, sizeof(content), PLAN RESULT_C "%.*s", (int)cut, RESULT_A);
		write_file(d, "history.jsonl", content);
		if (result_load(d->path, &d->arena, &r, &e) < 0)
			fail_msg("cut %zu: %s", cut, e.text);
		bool whole = cut == strlen(RESULT_A) - 1;
		assert_int_equal(r.n_items, 3);
		assert_string_equal(r.items[0].id, "ping/a");
		assert_int_equal(r.items[0].verdict, whole ? VERDICT_PASS : VERDICT_ERROR);
		assert_string_equal(r.items[0].group, "ping");
		assert_int_equal(r.items[1].verdict, VERDICT_ERROR);
		assert_string_equal(r.items[1].title, "B");
		assert_string_equal(r.items[1].suite, "x");
		assert_int_equal(r.items[2].verdict, VERDICT_FAIL);
		assert_int_equal(r.counts[VERDICT_ERROR], whole ? 1 : 2);
		assert_string_equal(r.verdict, "fail");
		assert_string_equal(r.notes[0], whole ? "The run was cut short: 1 of 3 cases have no result"
						      : "The run was cut short: 2 of 3 cases have no result");
	}
}

static void test_history_whole(void **state)
{
	struct dir *d = *state;
	struct err e;
	struct result r;
	write_file(d, "history.jsonl",
		   PLAN RESULT_A RESULT_C
		   "{\"event\":\"frame\",\"x\":1}\n{\"event\":\"result\",\"id\":\"ping/b\",\"verdict\":\"warn\"}\n"
		   "{\"event\":\"result\",\"id\":\"mask/"
		   "c\",\"verdict\":\"pass\"}\n{\"event\":\"end\",\"duration_ms\":7.5,\"notes\":[\"n\"]}\n");
	assert_int_equal(result_load(d->file, &d->arena, &r, &e), 0);
	assert_int_equal(r.n_items, 3);
	assert_int_equal(r.items[2].verdict, VERDICT_PASS); /* the second word counts */
	assert_string_equal(r.verdict, "pass");
	assert_string_equal(r.notes[0], "n");
	assert_true(r.duration_ms == 7.5);
	assert_int_equal(r.seed, 42);
}

/* What the run writes is what the loader reads. */
static void test_history_events(void **state)
{
	struct dir *d = *state;
	struct err e;
	struct result_item items[16];
	struct result back, r = result_of(items, "pwf");
	struct buf b CLEANUP(buf_fini) = {.max = 1 << 16};
	items[1].id = "ping/y";
	items[2].id = "ping/z";
	r.duration_ms = 3;
	r.abort_reason = "the target stopped answering";
	json_t *events[] = {result_plan_event(&r, true, "warn"), result_item_event(&items[0]),
			    result_item_event(&items[1]), result_item_event(&items[2]), result_end_event(&r)};
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		char *line = json_dumps(events[i], JSON_COMPACT);
		assert_int_equal(buf_printf(&b, "%s\n", line), 0);
		free(line);
		json_decref(events[i]);
	}
	write_file(d, "history.jsonl", buf_cstr(&b));
	assert_int_equal(result_load(d->file, &d->arena, &back, &e), 0);
	result_grade(&r, true, "warn");
	assert_same(&r, &back);
}

static void test_refused(void **state)
{
	struct dir *d = *state;
	static const struct {
		const char *content, *sentence;
	} rows[] = {
		{"", "is not JSON"},
		{"{\"a\":", "is not JSON"},
		{"[]", "is neither a wsquall.result/1 nor a wsquall.history/1"},
		{"{\"schema\":\"wsquall.result/2\"}", "is neither"},
		{"{\"schema\":\"wsquall.result/1\"}", "`target` is missing"},
		{"{\"schema\":\"wsquall.result/1\",\"target\":{}}", "`verdict` is missing"},
		{"{\"schema\":\"wsquall.result/1\",\"target\":{},\"verdict\":\"fine\"}",
		 "`verdict` is not one of its words"},
		{"{\"schema\":\"wsquall.result/1\",\"target\":{},\"verdict\":\"pass\",\"results\":{}}",
		 "`results` is not a list"},
		{"{\"schema\":\"wsquall.result/1\",\"target\":{},\"verdict\":\"pass\",\"results\":[1]}",
		 "results[0]: `id` is missing"},
		{"{\"schema\":\"wsquall.result/"
		 "1\",\"target\":{},\"verdict\":\"pass\",\"results\":[{\"id\":\"a\",\"verdict\":\"ok\"}]}",
		 "`verdict` is not a verdict"},
		{"{\"schema\":\"wsquall.result/1\",\"target\":{},\"verdict\":\"pass\",\"seed\":-1,\"results\":[]}",
		 "`seed` is not"},
		{"{\"schema\":\"wsquall.result/1\",\"target\":{},\"verdict\":\"pass\",\"exit\":1e9,\"results\":[]}",
		 "`exit` is not"},
		{"{\"schema\":\"wsquall.result/1\",\"target\":{\"name\":7},\"verdict\":\"pass\",\"results\":[]}",
		 "`name` is not a string"},
		{"{\"schema\":\"wsquall.result/1\",\"target\":{},\"verdict\":\"pass\",\"results\":[{\"id\":\"a\","
		 "\"verdict\":\"pass\",\"charts\":7}]}", "results[0]: `charts` is not a list"},
		{PLAN "{\"event\":\"res\n" RESULT_A, "line 2 is not JSON"},
		{PLAN "{\"event\":\"result\"}\n", "line 2: `id` is missing"},
		{"{\"event\":\"plan\",\"schema\":\"x\"}", "`schema` is not wsquall.history/1"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = {""};
		struct result r;
		write_file(d, "result.json", rows[i].content);
		int status = result_load(d->file, &d->arena, &r, &e);
		if (status != -EINVAL || !strstr(e.text, rows[i].sentence))
			fail_msg("row %zu: %d, %s", i, status, e.text);
	}
	struct err e;
	struct result r;
	assert_int_equal(result_load("/nowhere/at/all", &d->arena, &r, &e), -ENOENT);
	struct arena small;
	arena_init(&small, 64);
	write_file(d, "result.json", PLAN RESULT_A);
	assert_int_equal(result_load(d->file, &small, &r, &e), -ENOMEM);
	arena_fini(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_grade),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_history_of_a_killed_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_history_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_history_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
