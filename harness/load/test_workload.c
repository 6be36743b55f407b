/* Workloads against the real wsquall-server: in peace, under faults, and when it is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "harness/load/test_rig.h"

static void peace(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, "subscribers=7 publishers=3 channels=3 quiet_channels=1 channels_each=2 rate=300/s open_rate=0/s payload=200B");
	rig_server(&r, 0, NULL, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	rig_run_ms(&r, 500);
	rig_end(&r);
	size_t n = rig_count(&r, EVENT_PUBLISH, EVENT_OK);
	assert_int_equal(n, rig_count(&r, EVENT_PUBLISH, EVENT_INVOKE));
	assert_in_range(n, 10, 200);
	assert_int_equal(rig_count(&r, EVENT_END, EVENT_OK), 10);
	for (size_t i = 0; i < 10; i++) {
		const struct event *end = rig_last(&r, EVENT_END, EVENT_OK, i);
		assert_int_equal(end->code, 1000);
		assert_int_equal(end->by, END_BY_CLIENT);
		assert_true(end->clean);
		assert_non_null(end->id);
		assert_int_equal(end->node, 1);
	}
	assert_int_equal(rig_count(&r, EVENT_SUBSCRIBE, EVENT_OK), 14);
	assert_int_equal(rig_count(&r, EVENT_ERROR, EVENT_INFO), 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
