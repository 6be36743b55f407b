/* How a dialogue is stepped and its words are weighed; and that each row is about a check. Nothing connects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "harness/readiness/dialogue.h"

struct state {
	unsigned entered, round;
	bool ready, was_late;
};

static struct loop loop;
static struct target target;
static struct site site = {.loop = &loop, .target = &target, .seed = 1};
static struct readiness readiness = {.site = &site};
static unsigned done;

static void on_done(void *owner, struct dialogue *d)
{
	(void)owner;
	(void)d;
	done++;
}

static struct dialogue *begin(const struct dialogue_row *row)
{
	struct dialogue *d;
	done = 0;
	assert_int_equal(dialogue_new(&readiness, row, on_done, NULL, &d), 0);
	dialogue_start(d);
	return d;
}

/* Goes on where it was left, once for each thing that happens. */
static void talk_waits(struct dialogue *d)
{
	struct state *s = d->state;
	s->entered++;
	TALK_BEGIN(d);
	TALK_AWAIT(d, 60000, s->ready);
	s->was_late = d->late;
	for (s->round = 0; s->round < 3; s->round++)
		TALK_AWAIT(d, 60000, s->entered > 3 + s->round);
	dialogue_pass(d, "three rounds");
	TALK_END(d);
}

static void test_steps(void **unused)
{
	static const struct dialogue_row row = {.check = "test", .state_size = sizeof(struct state), .talk = talk_waits};
	struct dialogue *d = begin(&row);
	struct state *s = d->state;
	dialogue_step(d);
	dialogue_step(d);
	assert_int_equal(s->round, 0);
	s->ready = true;
	for (unsigned i = 0; i < 3; i++) {
		dialogue_step(d);
		assert_int_equal(done, 0);
	}
	dialogue_step(d);
	assert_int_equal(done, 1);
	assert_false(s->was_late);
	assert_int_equal(d->verdict, VERDICT_PASS);
	dialogue_step(d);
	assert_int_equal(done, 1);
	dialogue_free(d);
	loop_run(&loop);
	(void)unused;
}

/* What never holds ends by its time. */
static void talk_late(struct dialogue *d)
{
	TALK_BEGIN(d);
	TALK_AWAIT(d, 1, false);
	if (d->late)
		dialogue_fail(d, "it did not come");
	TALK_PAUSE(d, 1);
	TALK_STOP(d);
	TALK_END(d);
}

static void test_late(void **unused)
{
	static const struct dialogue_row row = {.check = "test", .talk = talk_late};
	struct dialogue *d = begin(&row);
	loop_run(&loop);
	assert_int_equal(done, 1);
	assert_int_equal(d->verdict, VERDICT_FAIL);
	assert_string_equal(d->seen, "it did not come");
	dialogue_free(d);
	loop_run(&loop);
	(void)unused;
}

enum word { PASS, UNKNOWN, WARN, FAIL, TIMED, END };
static const enum word *words;

static void talk_words(struct dialogue *d)
{
	static void (*const say[])(struct dialogue *d, const char *seen, ...) = {
		dialogue_pass, dialogue_unknown, dialogue_warn, dialogue_fail, dialogue_fail_timed};
	TALK_BEGIN(d);
	for (unsigned i = 0; words[i] != END; i++)
		say[words[i]](d, "word %u", i);
	TALK_END(d);
}

static void test_words(void **unused)
{
	static const struct {
		enum word words[4];
		enum verdict verdict;
		const char *seen;
		uint64_t lag_us;
	} rows[] = {
		{{END}, VERDICT_INCONCLUSIVE, "it could not be decided", 0},
		{{PASS, PASS, END}, VERDICT_PASS, "word 0", 0},
		{{PASS, UNKNOWN, END}, VERDICT_INCONCLUSIVE, "word 1", 0},
		{{UNKNOWN, PASS, END}, VERDICT_INCONCLUSIVE, "word 0", 0},
		{{UNKNOWN, WARN, PASS, END}, VERDICT_WARN, "word 1", 0},
		{{WARN, FAIL, FAIL, END}, VERDICT_FAIL, "word 1", 0},
		{{TIMED, END}, VERDICT_FAIL, "word 0", 0},
		{{TIMED, END}, VERDICT_INCONCLUSIVE, "word 0", 900000},
		{{TIMED, FAIL, END}, VERDICT_FAIL, "word 1", 900000},
	};
	static const struct dialogue_row row = {.check = "test", .talk = talk_words};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dialogue *d = begin(&row);
		words = rows[i].words;
		readiness.lag_us = rows[i].lag_us;
		dialogue_step(d);
		assert_int_equal(done, 1);
		assert_int_equal(d->verdict, rows[i].verdict);
		assert_string_equal(d->seen, rows[i].seen);
		dialogue_free(d);
		readiness.lag_us = 0;
	}
	loop_run(&loop);
	(void)unused;
}

static void test_rows(void **unused)
{
	static const struct dialect no_dialect = {.transport = DIALECT_SSE};
	for (size_t i = 0; i < dialogue_rows_len; i++) {
		const struct dialogue_row *row = dialogue_rows[i];
		assert_non_null(check_row_find(row->check));
		assert_ptr_equal(dialogue_row_find(row->check), row);
		assert_non_null(row->about);
		/* Nothing told: all that needs something says what. */
		site.dialect = NULL;
		assert_int_equal(dialogue_lacks(row, &site) != NULL, row->needs != 0);
		site.dialect = &no_dialect;
		assert_non_null(dialogue_lacks(row, &site));
	}
	site.dialect = NULL;
	(void)unused;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_rows),
	};
	if (loop_init(&loop) < 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	loop_fini(&loop);
	return failed;
}
