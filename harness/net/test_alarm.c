/* Alarms: by time, then by the order of setting; moved, cleared and set again from everywhere; never too early. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "harness/base/clock.h"
#include "harness/base/rng.h"
#include "harness/net/alarm.h"

enum { MANY = 5000 };

struct fixture {
	struct loop loop;
	struct alarms *alarms;
	struct box {
		struct alarm alarm;
		struct fixture *of;
		char letter;
		uint64_t fired_us;
	} a, b, c;
	char log[64];
};

static void note(struct box *box)
{
	size_t len = strlen(box->of->log);
	snprintf(box->of->log + len, sizeof(box->of->log) - len, "%c", box->letter);
}

static void on_fire(void *owner, uint64_t now_us)
{
	struct box *box = owner;
	assert_true(now_us >= box->alarm.at_us);
	box->fired_us = now_us;
	note(box);
}

static void set(struct box *box, uint64_t at_us)
{
	assert_int_equal(alarm_set(&box->alarm, box->of->alarms, at_us, on_fire, box), 0);
}

static int setup(void **state)
{
	static struct fixture f;
	f = (struct fixture){.a = {.of = &f, .letter = 'a'}, .b = {.of = &f, .letter = 'b'}, .c = {.of = &f, .letter = 'c'}};
	assert_int_equal(loop_init(&f.loop), 0);
	assert_int_equal(alarms_new(&f.loop, &f.alarms), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	alarms_free(f->alarms);
	loop_fini(&f->loop);
	return 0;
}

static void test_order(void **state)
{
	struct fixture *f = *state;
	uint64_t now = clock_now_us();
	set(&f->a, now + 3000);
	set(&f->b, now + 1000);
	set(&f->c, now + 2000);
	loop_run(&f->loop);
	assert_string_equal(f->log, "bca");
	assert_true(f->a.fired_us >= now + 3000 && f->b.fired_us >= now + 1000 && f->c.fired_us >= now + 2000);
	set(&f->c, 5);
	set(&f->b, 7);
	set(&f->a, 5);
	assert_string_equal(f->log, "bca"); /* never from inside */
	loop_run(&f->loop);
	assert_string_equal(f->log, "bcacba"); /* what has passed already goes by the order of setting */
	set(&f->b, now + 1);
	set(&f->a, 0);
	loop_run(&f->loop);
	assert_string_equal(f->log, "bcacbaba");
}

static void test_moved(void **state)
{
	struct fixture *f = *state;
	uint64_t now = clock_now_us();
	set(&f->a, now + 3600 * 1000000ull);
	set(&f->b, now + 1000);
	set(&f->a, now + 500);
	set(&f->c, now + 10);
	alarm_clear(&f->c.alarm);
	alarm_clear(&f->c.alarm);
	loop_run(&f->loop);
	assert_string_equal(f->log, "ab");
	set(&f->a, clock_now_us() + 1000000ull * 3600);
	set(&f->a, UINT64_MAX);
	set(&f->b, 0);
	loop_run(&f->loop); /* nothing keeps the loop but what is set */
	assert_string_equal(f->log, "abb");
}

static void fire_and_set_again(void *owner, uint64_t now_us)
{
	struct box *box = owner;
	struct fixture *f = box->of;
	(void)now_us;
	note(box);
	if (strlen(f->log) < 8)
		assert_int_equal(alarm_set(&box->alarm, f->alarms, 0, fire_and_set_again, box), 0);
}

/* One that always wants to be next lets the others come too. */
static void test_again(void **state)
{
	struct fixture *f = *state;
	uint64_t now = clock_now_us();
	assert_int_equal(alarm_set(&f->a.alarm, f->alarms, 0, fire_and_set_again, &f->a), 0);
	assert_int_equal(alarm_set(&f->b.alarm, f->alarms, now, fire_and_set_again, &f->b), 0);
	loop_run(&f->loop);
	assert_string_equal(f->log, "ababababa");
}

static void fire_and_clear_others(void *owner, uint64_t now_us)
{
	struct box *box = owner;
	(void)now_us;
	note(box);
	alarm_clear(&box->of->b.alarm);
	alarm_clear(&box->alarm);
	set(&box->of->c, clock_now_us() + 100);
}

static void test_from_inside(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(alarm_set(&f->a.alarm, f->alarms, 1, fire_and_clear_others, &f->a), 0);
	set(&f->b, 2);
	loop_run(&f->loop);
	assert_string_equal(f->log, "ac");
}

static struct crowd {
	struct alarm alarms[MANY];
	uint64_t last_us, fired;
} crowd;

static void on_one(void *owner, uint64_t now_us)
{
	struct alarm *a = owner;
	assert_true(now_us >= a->at_us);
	assert_true(a->at_us >= crowd.last_us);
	crowd.last_us = a->at_us;
	crowd.fired++;
}

/* Thousands, moved and cleared at random: the rest comes in order. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	struct rng rng;
	uint64_t start = clock_now_us();
	size_t left = MANY;
	rng_init(&rng, 1, "alarms");
	crowd = (struct crowd){0};
	for (size_t i = 0; i < 3 * MANY; i++) {
		struct alarm *a = &crowd.alarms[i % MANY];
		assert_int_equal(alarm_set(a, f->alarms, start + rng_below(&rng, 20000), on_one, a), 0);
	}
	for (size_t i = 0; i < MANY; i += 3, left--)
		alarm_clear(&crowd.alarms[i]);
	loop_run(&f->loop);
	assert_int_equal(crowd.fired, left);
}

static void test_slack(void **state)
{
	(void)state;
	assert_int_equal(prctl(PR_GET_TIMERSLACK), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slack, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
