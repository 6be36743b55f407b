/* The tables, and what the set makes of findings: outcomes, evidence, what is counted and what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "harness/check/story.h"

static void every_row_says_everything(void **state)
{
	(void)state;
	for (size_t i = 0; i < check_rows_len; i++) {
		const struct check_row *r = &check_rows[i];
		assert_ptr_equal(check_row_find(r->id), r); /* an id is there once */
		assert_true(strcmp(r->level, "MUST") == 0 || strcmp(r->level, "SHOULD") == 0);
		const char *const texts[] = {r->title, r->required, r->source, r->why, r->fix};
		for (size_t t = 0; t < ARRAY_LEN(texts); t++)
			if (!texts[t] || strlen(texts[t]) < 4)
				fail_msg("%s says too little", r->id);
	}
	assert_null(check_row_find("no.such"));
}

static void every_checker_is_whole_and_no_check_is_decided_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < checkers_len; i++) {
		assert_ptr_equal(checker_find(checkers[i]->name), checkers[i]);
		assert_true(checkers[i]->about && checkers[i]->options && checkers[i]->event && checkers[i]->checks[0]);
		for (size_t c = 0; checkers[i]->checks[c]; c++) {
			const char *id = checkers[i]->checks[c];
			size_t n = 0;
			assert_non_null(check_row_find(id));
			for (size_t j = 0; j < checkers_len; j++)
				for (size_t d = 0; checkers[j]->checks[d]; d++)
					n += strcmp(checkers[j]->checks[d], id) == 0;
			assert_int_equal(n, 1);
		}
	}
	assert_null(checker_find("no_such"));
}

/* A checker of our own: each line of the log says what it shall do. */
static const char ODD[] = "delivery.lost", EVEN[] = "order.total";
static const char *const puppet_checks[] = {EVEN, ODD, NULL};
static struct check_moment *kept;

static void puppet_event(struct check_run *run, const struct event *e)
{
	const char *what = e->kind == EVENT_ERROR ? e->text : "";
	if (strcmp(what, "fail") == 0)
		check_fail(run, ODD, e, "it is %s", e->note ? e->note : "bad");
	if (strcmp(what, "warn") == 0)
		check_warn(run, ODD, e, "it is odd");
	if (strcmp(what, "unknown") == 0)
		check_unknown(run, ODD, "because of %s", e->note);
	if (strcmp(what, "skip") == 0)
		check_skip(run, ODD, "not promised");
	if (strcmp(what, "sample") == 0)
		check_samples(run, ODD, 1);
	if (strcmp(what, "note") == 0)
		check_note(run, ODD, "%s", e->note);
	if (strcmp(what, "moment") == 0)
		kept = check_moment(run, e, e->client, 3);
	if (strcmp(what, "then") == 0)
		check_fail_then(run, ODD, kept, e, 1, 3, "it was the moment");
}

static const struct opt no_options[] = {{0}};
static const struct checker puppet = {
	.name = "puppet", .about = "does what it is told", .checks = puppet_checks, .options = no_options,
	.event = puppet_event,
};

static void feed(void *owner, const struct event *e)
{
	check_set_event(owner, e);
}

/* The result of ODD; the other one comes behind it, as the table has it. */
static const struct check_result *result_of(struct check_set **ret_set, const char *story)
{
	static const struct contract contract;
	const struct check_result *results;
	size_t n;
	assert_int_equal(check_set_new(&contract, ret_set, NULL), 0);
	assert_int_equal(check_set_add(*ret_set, &puppet, NULL, NULL), 0);
	story_tell(story, feed, *ret_set);
	check_set_end(*ret_set, &results, &n);
	assert_int_equal(n, 2);
	assert_string_equal(results[0].row->id, ODD);
	assert_string_equal(results[1].row->id, EVEN);
	assert_int_equal(results[1].outcome, CHECK_INCONCLUSIVE);
	assert_string_equal(results[1].note, "it was never put to the test");
	return &results[0];
}

static const struct {
	const char *story;
	enum check_outcome outcome;
	const char *note;
} outcomes[] = {
	{"error text=sample", CHECK_PASS, NULL},
	{"error text=note note=one;error text=sample;error text=note note=two", CHECK_PASS, "two"},
	{"error text=warn", CHECK_WARN, NULL},
	{"error text=unknown note=this;error text=sample;error text=unknown note=that", CHECK_INCONCLUSIVE, "because of this"},
	{"error text=unknown note=this;error text=warn", CHECK_INCONCLUSIVE, "because of this"},
	{"error text=unknown note=this;error text=fail", CHECK_FAIL, NULL},
	{"error text=skip;error text=sample;error text=unknown note=x", CHECK_SKIP, "not promised"},
	{"error text=skip;error text=fail", CHECK_FAIL, NULL},
};

/* What only a log can show is skipped where none is read. */
static void no_log(void **state)
{
	static const struct contract contract;
	const struct check_result *results;
	struct check_set *set;
	size_t n, skipped = 0;
	(void)state;
	assert_int_equal(check_set_new(&contract, &set, NULL), 0);
	check_set_no_log(set);
	assert_int_equal(check_set_add(set, checker_find("close_codes"), NULL, NULL), 0);
	assert_int_equal(check_set_add(set, checker_find("backpressure"), NULL, NULL), 0);
	story_tell("c1 up;c1 end code=1000 by=client clean", feed, set);
	check_set_end(set, &results, &n);
	for (size_t i = 0; i < n; i++)
		skipped += results[i].outcome == CHECK_SKIP && strcmp(results[i].note, CHECK_NO_LOG) == 0;
	assert_int_equal(skipped, 3); /* close.logged.server, close.logged.client, backpressure.policy */
	check_set_free(set);
}

#define TOLD "c1 up;fault terminate;node n1 value=0;"
/* What a node says when it ends is the target's to state. */
static void goodbyes(void **state)
{
	static const char *codes[] = {"4200", "4201"};
	static const struct {
		size_t n;
		const char *story;
		enum check_outcome outcome;
		const char *said;
	} rows[] = {
		{0, TOLD "c1 end code=1012 by=server clean", CHECK_PASS, NULL},
		{0, TOLD "c1 end code=4200 by=server clean", CHECK_FAIL, "client 1 was closed with 4200 instead of 1001 or 1012"},
		{1, TOLD "c1 end code=4200 by=server clean", CHECK_PASS, NULL},
		{2, TOLD "c1 end code=4201 by=server clean", CHECK_PASS, NULL},
		{1, TOLD "c1 end code=4201 by=server clean", CHECK_FAIL, "client 1 was closed with 4201 instead of 4200"},
		{2, TOLD "c1 end code=1001 by=server clean", CHECK_FAIL, "client 1 was closed with 1001 instead of 4200 or 4201"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct contract contract = {.goodbyes = {.items = codes, .len = rows[i].n}};
		const struct check_result *results;
		struct check_set *set;
		size_t n;
		assert_int_equal(check_set_new(&contract, &set, NULL), 0);
		assert_int_equal(check_set_add(set, checker_find("restart"), NULL, NULL), 0);
		story_tell(rows[i].story, feed, set);
		check_set_end(set, &results, &n);
		assert_string_equal(results[0].row->id, "restart.drain");
		assert_int_equal(results[0].outcome, rows[i].outcome);
		if (rows[i].said)
			assert_string_equal(results[0].findings[0].seen, rows[i].said);
		check_set_free(set);
	}
}

static void outcomes_have_their_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		struct check_set *set;
		const struct check_result *r = result_of(&set, outcomes[i].story);
		assert_int_equal(r->outcome, outcomes[i].outcome);
		if (outcomes[i].note)
			assert_string_equal(r->note, outcomes[i].note);
		check_set_free(set);
	}
}

static void all_findings_are_counted_and_the_first_are_kept(void **state)
{
	(void)state;
	struct check_set *set;
	const struct check_result *r =
		result_of(&set, "c1 error text=fail note=one;c1 error text=warn;c1 error text=fail;c1 error text=fail;"
				"c1 error text=fail;c1 error text=fail;c1 error text=fail;c1 error text=fail;"
				"c1 error text=fail;c1 error text=fail");
	assert_int_equal(r->violations, 10);
	assert_int_equal(check_set_violations(set), 10);
	assert_int_equal(r->n_findings, CHECK_FINDINGS_MAX);
	assert_string_equal(r->findings[0].seen, "it is one");
	assert_true(r->findings[1].warn && !r->findings[0].warn);
	assert_true(r->findings[0].client == 1 && r->findings[0].at_us == 1000);
	check_set_free(set);
}

static void a_finding_shows_its_client_its_faults_and_its_log(void **state)
{
	(void)state;
	struct check_set *set;
	const struct check_result *r =
		result_of(&set, "log id=x text=before;c2 up id=y;c1 up id=x;fault storm;fault rain;healed storm;c2 ack ch1 =1;"
				"log id=x text=during;log id=y text=other;c1 error text=fail;log id=x text=after;log id=y text=other");
	const struct check_finding *f = &r->findings[0];
	static const char *const expected[] = {"before", "connect", "during", "fail", "after", NULL};
	for (size_t i = 0; expected[i]; i++)
		if (!f->evidence[i] || !strstr(f->evidence[i], expected[i]))
			fail_msg("line %zu is not \"%s\" but %s", i, expected[i], f->evidence[i] ? f->evidence[i] : "missing");
	assert_null(f->evidence[5]);
	assert_string_equal(f->faults[0], "rain");
	assert_null(f->faults[1]);
	check_set_free(set);
}

static void a_ring_keeps_the_last_events(void **state)
{
	(void)state;
	struct check_set *set;
	char story[2048] = "";
	for (int i = 0; i < CHECK_RING + 5; i++)
		snprintf(story + strlen(story), sizeof(story) - strlen(story), "c1 ack ch1 =%d;", i + 1);
	snprintf(story + strlen(story), sizeof(story) - strlen(story), "c1 error text=fail");
	const struct check_result *r = result_of(&set, story);
	assert_non_null(strstr(r->findings[0].evidence[0], "\"seq\":7}"));
	assert_non_null(r->findings[0].evidence[CHECK_RING - 1]);
	assert_null(r->findings[0].evidence[CHECK_RING]);
	check_set_free(set);
}

static void a_moment_shows_what_was(void **state)
{
	(void)state;
	struct check_set *set;
	const struct check_result *r =
		result_of(&set, "c1 ack ch1 =5;fault storm;c1 error text=moment;healed storm;c1 ack ch1 =6;c1 error text=then");
	const struct check_finding *f = &r->findings[0];
	assert_non_null(strstr(f->evidence[0], "\"seq\":5"));
	assert_non_null(strstr(f->evidence[1], "moment"));
	assert_null(f->evidence[2]);
	assert_string_equal(f->faults[0], "storm");
	assert_true(f->client == 1 && f->channel == 3 && f->at_us == 3000);
	check_set_free(set);
}

static void a_checker_is_added_once(void **state)
{
	(void)state;
	static const struct contract contract;
	struct check_set *set;
	struct err e;
	assert_int_equal(check_set_new(&contract, &set, &e), 0);
	assert_int_equal(check_set_add(set, &puppet, NULL, &e), 0);
	assert_int_equal(check_set_add(set, &puppet, NULL, &e), -EEXIST);
	assert_string_equal(e.text, "the checker puppet is named twice");
	check_set_free(set);
	check_set_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_says_everything), cmocka_unit_test(every_checker_is_whole_and_no_check_is_decided_twice),
		cmocka_unit_test(outcomes_have_their_order), cmocka_unit_test(no_log), cmocka_unit_test(goodbyes),
		cmocka_unit_test(all_findings_are_counted_and_the_first_are_kept),
		cmocka_unit_test(a_finding_shows_its_client_its_faults_and_its_log), cmocka_unit_test(a_ring_keeps_the_last_events),
		cmocka_unit_test(a_moment_shows_what_was), cmocka_unit_test(a_checker_is_added_once),
	};
	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
