/* Timers: order, moving, and being finished from everywhere. */
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>

#include "harness/net/loop.h"

struct box {
	struct loop *loop;
	struct timer a, b;
	char log[32];
};

static void fire_a(void *owner)
{
	strncat(((struct box *)owner)->log, "a", 2);
}

static void fire_b(void *owner)
{
	struct box *box = owner;
	strncat(box->log, "b", 2);
	timer_fini(&box->b); /* its own */
}

static void fire_b_and_move_a(void *owner)
{
	struct box *box = owner;
	strncat(box->log, "B", 2);
	timer_stop(&box->a);
	timer_start(&box->b, box->loop, 0, fire_b, box);
}

static void test_order(void **state)
{
	(void)state;
	struct loop l;
	struct box box = {.loop = &l};
	assert_int_equal(loop_init(&l), 0);
	timer_start(&box.a, &l, 20, fire_a, &box);
	timer_start(&box.b, &l, 0, fire_b, &box);
	assert_string_equal(box.log, ""); /* never inside the call */
	loop_run(&l);
	assert_string_equal(box.log, "ba");
	timer_start(&box.a, &l, 3600 * 1000, fire_a, &box);
	timer_start(&box.a, &l, 0, fire_a, &box); /* moved, not added */
	loop_run(&l);
	assert_string_equal(box.log, "baa");
	timer_start(&box.a, &l, 3600 * 1000, fire_a, &box);
	timer_start(&box.b, &l, 0, fire_b_and_move_a, &box);
	loop_run(&l);
	assert_string_equal(box.log, "baaBb");
	timer_fini(&box.a);
	timer_fini(&box.a);
	timer_fini(&box.b);
	timer_stop(&box.b);
	loop_fini(&l);
}

static void test_process(void **state)
{
	(void)state;
	struct loop l;
	struct sigaction pipe_action;
	struct rlimit limit;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(sigaction(SIGPIPE, NULL, &pipe_action), 0);
	assert_true(pipe_action.sa_handler == SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur == limit.rlim_max);
	loop_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_process)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
