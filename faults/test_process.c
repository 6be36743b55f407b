/*
 * Faults that end or stop processes, on victims of this test: what a client and /proc see while the fault is in force,
 * and that all is as before afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "faults/test_process_rig.h"
#include "harness/base/clock.h"

enum { FILES_AT_START = 200 };     /* of this program: its loop raises them */

static const enum rig_kept keepings[] = {RIG_STARTED, RIG_KEPT};

static void assert_new_process(struct rig *r, size_t node, struct proc_id before)
{
	struct proc_id now = rig_id(r, node);
	assert_false(proc_lives(before));
	assert_true(now.pid != before.pid || now.started != before.started);
	int fd = rig_connect(r, node);
	assert_string_equal(rig_ask(fd, "echo again"), "again");
	close(fd);
}

/* By us or by its supervisor, it comes back as another process. */
static void killed_and_back(void **state)
{
	struct rig *r = *state;
	for (size_t i = 0; i < ARRAY_LEN(keepings); i++) {
		size_t node = rig_add(r, keepings[i]);
		const char *which = fault_node_name(r->nodes[node]);
		char nodes[16], line[32];
		struct proc_id before = rig_id(r, node);
		int fd = rig_connect(r, node);
		uint64_t since_us = clock_now_us();
		assert_string_equal(rig_ask(fd, "echo x"), "x");
		snprintf(nodes, sizeof(nodes), "nodes=%s", which);
		struct fault_run *run = rig_begin(r, "kill", WORDS(nodes, "restart_after=200ms"));
		assert_string_equal(rig_hear(fd), ""); /* the end, not an answer */
		rig_until_done(r);
		assert_int_equal(r->error, 0);
		if (keepings[i] == RIG_STARTED)
			assert_true(clock_now_us() - since_us >= 200000);
		snprintf(line, sizeof(line), "node.ready %s", which);
		assert_int_equal(rig_count(r, line), 1);
		assert_new_process(r, node, before);
		fault_stop(run);
		close(fd);
	}
	assert_int_equal(rig_count(r, "node.ended a signal=9"), 1); /* of the other the status is its supervisor's */
}

/* Neither our descriptors nor the limits that we have raised for ourselves. */
static void a_started_node_has_nothing_of_ours(void **state)
{
	struct rig *r = *state;
	struct rlimit limit;
	int ends[2];
	assert_int_equal(pipe(ends), 0); /* not closed by exec */
	size_t node = rig_add(r, RIG_STARTED);
	close(ends[1]);
	struct pollfd end = {.fd = ends[0], .events = POLLIN};
	assert_int_equal(poll(&end, 1, 0), 1);
	close(ends[0]);
	assert_int_equal(prlimit(rig_id(r, node).pid, RLIMIT_NOFILE, NULL, &limit), 0);
	assert_int_equal(limit.rlim_cur, FILES_AT_START);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

/* Without restart_after it is away until the fault is over. */
static void killed_until_the_end(void **state)
{
	struct rig *r = *state;
	size_t node = rig_add(r, RIG_STARTED);
	struct proc_id before = rig_id(r, node);
	struct proc_id worker;
	int fd = rig_connect(r, node);
	assert_int_equal(proc_identify(atoi(rig_ask(fd, "fork")), &worker), 0);
	struct fault_run *run = rig_begin(r, "kill", WORDS(NULL));
	assert_string_equal(rig_hear(fd), "");
	while (rig_count(r, "node.ended") == 0)
		uv_run(&r->loop.uv, UV_RUN_ONCE);
	rig_await_end(worker);
	assert_int_equal(rig_connect(r, node), -1);
	assert_int_equal(rig_count(r, "node.started"), 0);
	fault_stop(run);
	assert_int_equal(rig_count(r, "node.started a"), 1);
	int again;
	while ((again = rig_connect(r, node)) < 0)
		assert_true(proc_lives(rig_id(r, node)));
	assert_string_equal(rig_ask(again, "echo y"), "y");
	assert_new_process(r, node, before);
	close(again);
	close(fd);
}

static void killed_for_good(void **state)
{
	struct rig *r = *state;
	struct fault_run *run;
	struct err e;
	size_t node = rig_add(r, RIG_BY_PID);
	struct proc_id id = rig_id(r, node);
	assert_int_equal(rig_start(r, "kill", WORDS(NULL), 0, &run, &e), -EINVAL);
	assert_string_equal(e.text, "a cannot be started again: tell its `start`, or the `pidfile` that its supervisor "
				    "writes");
	assert_true(proc_lives(id));
	assert_int_equal(rig_start(r, "kill", WORDS("restart=false", "restart_after=1s"), 0, &run, &e), -EINVAL);
	assert_int_equal(rig_start(r, "kill", WORDS("signal=STOP"), 0, &run, &e), -EINVAL);
	assert_int_equal(rig_start(r, "kill", WORDS("nodes=b"), 0, &run, &e), -EINVAL);
	assert_true(proc_lives(id));
	run = rig_begin(r, "kill", WORDS("restart=false"));
	rig_until_done(r);
	assert_int_equal(r->error, 0);
	fault_stop(run);
	assert_false(proc_lives(id));
	assert_int_equal(rig_connect(r, node), -1);
	assert_int_equal(rig_count(r, "node.started"), 0);
}

/* Who does not listen to SIGTERM is killed when the grace is over, and not before. */
static void terminated(void **state)
{
	struct rig *r = *state;
	static const struct {
		enum rig_kept kept;
		const char *ending;
		uint64_t least_us;
	} rows[] = {{RIG_STARTED, "node.ended a signal=15", 0}, {RIG_STUBBORN, "node.ended b signal=9", 300000}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t node = rig_add(r, rows[i].kept);
		struct proc_id before = rig_id(r, node);
		uint64_t since_us = clock_now_us();
		struct fault_run *run = rig_begin(r, "terminate", WORDS(i ? "nodes=b" : "nodes=a", i ? "grace=300ms" : "grace=60s",
									"restart_after=1ms"));
		rig_until_done(r);
		assert_int_equal(r->error, 0);
		assert_true(clock_now_us() - since_us >= rows[i].least_us);
		assert_int_equal(rig_count(r, rows[i].ending), 1);
		fault_stop(run);
		assert_new_process(r, node, before);
	}
}

/* Healed in the middle of the grace: it is ended, for it was told to, and started. */
static void terminated_and_healed_early(void **state)
{
	struct rig *r = *state;
	size_t node = rig_add(r, RIG_STUBBORN);
	struct proc_id before = rig_id(r, node);
	struct fault_run *run = rig_begin(r, "terminate", WORDS("grace=1h"));
	assert_true(proc_lives(before));
	fault_stop(run);
	assert_false(proc_lives(before));
	assert_int_equal(rig_count(r, "node.started a"), 1);
	assert_true(rig_id(r, node).pid != before.pid);
}

static void paused(void **state)
{
	struct rig *r = *state;
	char octet;
	size_t node = rig_add(r, RIG_STARTED);
	int fd = rig_connect(r, node);
	struct proc_id id = rig_id(r, node), worker;
	assert_int_equal(proc_identify(atoi(rig_ask(fd, "fork")), &worker), 0);
	struct fault_run *run = rig_begin(r, "pause", WORDS(NULL));
	while (proc_state(id) != 'T' || proc_state(worker) != 'T')
		assert_true(proc_lives(id) && proc_lives(worker));
	rig_say(fd, "echo late");
	int during = rig_connect(r, node); /* by the kernel, which goes on */
	assert_true(during >= 0);
	rig_say(during, "echo later");
	assert_int_equal(recv(fd, &octet, 1, MSG_DONTWAIT), -1);
	assert_true(proc_state(id) == 'T' && proc_state(worker) == 'T');
	fault_stop(run);
	assert_string_equal(rig_hear(fd), "late");
	assert_string_equal(rig_hear(during), "later");
	assert_true(proc_lives(id) && proc_state(id) != 'T' && proc_state(worker) != 'T');
	assert_int_equal(rig_count(r, "node.paused a"), 1);
	close(fd);
	close(during);
}

static bool three_stalls(struct rig *r)
{
	return rig_count(r, "node.paused") == 3;
}

static void paused_again_and_again(void **state)
{
	struct rig *r = *state;
	struct fault_run *run;
	struct err e;
	size_t node = rig_add(r, RIG_BY_PID);
	int fd = rig_connect(r, node);
	uint64_t since_us = clock_now_us();
	assert_int_equal(rig_start(r, "pause", WORDS("on=1s"), 0, &run, &e), -EINVAL);
	run = rig_begin(r, "pause", WORDS("on=50ms", "off=50ms"));
	rig_until(r, three_stalls);
	assert_true(clock_now_us() - since_us >= 200000);
	assert_int_equal(rig_count(r, "node.continued"), 2);
	fault_stop(run);
	assert_string_equal(rig_ask(fd, "echo on"), "on");
	close(fd);
}

/* Who was stopped by somebody else before stays so. */
static void a_stop_of_others_stays(void **state)
{
	struct rig *r = *state;
	size_t node = rig_add(r, RIG_BY_PID);
	struct proc_id id = rig_id(r, node);
	assert_int_equal(proc_signal(id, SIGSTOP), 0);
	while (proc_state(id) != 'T')
		assert_true(proc_lives(id));
	fault_stop(rig_begin(r, "pause", WORDS(NULL)));
	int fd = rig_connect(r, node);
	assert_int_equal(proc_state(id), 'T');
	assert_int_equal(proc_signal(id, SIGCONT), 0);
	assert_string_equal(rig_ask(fd, "echo x"), "x");
	close(fd);
}

/* A number that another process has now, by a pidfile that is older than that process, or by its start time. */
static void a_used_number_is_never_hurt(void **state)
{
	struct rig *r = *state;
	static const char *const hurtful[] = {"kill", "terminate", "pause", "fd_limit", "memory_limit", "cpu_limit"};
	struct fault_run *run;
	struct err e;
	size_t node = rig_add(r, RIG_BY_PID);
	struct proc_id id = rig_id(r, node), other = {id.pid, id.started - 1};
	assert_int_equal(proc_signal(other, SIGKILL), -ESRCH);
	assert_int_equal(proc_open(other), -ESRCH);
	assert_false(proc_lives(other));
	const char *pidfile = rig_path(r, "stale.pid");
	FILE *f = fopen(pidfile, "w");
	fprintf(f, "%d\n", (int)id.pid);
	fclose(f);
	const struct timespec long_ago[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
	assert_int_equal(utimensat(AT_FDCWD, pidfile, long_ago, 0), 0);
	const struct fault_node_config config = {.name = "stale", .pidfile = pidfile};
	struct fault_node *stale[2] = {NULL};
	assert_int_equal(fault_node_new(&r->loop, &config, &stale[0], &e), 0);
	r->site.nodes = stale;
	for (size_t i = 0; i < ARRAY_LEN(hurtful); i++) {
		assert_int_equal(rig_start(r, hurtful[i], WORDS(NULL), 0, &run, &e), -ESRCH);
		assert_non_null(strstr(e.text, "names a process that is gone"));
	}
	r->site.nodes = r->nodes;
	fault_node_free(stale[0]);
	int fd = rig_connect(r, node);
	assert_string_equal(rig_ask(fd, "echo well"), "well");
	close(fd);
}

/* The same seed, the same choice; all is all. */
static void which_nodes(void **state)
{
	struct rig *r = *state;
	char first[64] = "";
	for (size_t i = 0; i < RIG_NODES_MAX; i++)
		rig_add(r, RIG_BY_PID);
	for (unsigned round = 0; round < 3; round++) {
		r->log[0] = 0;
		fault_stop(rig_begin(r, "pause", WORDS("nodes=random")));
		const char *at = strstr(r->log, "node.paused ");
		assert_non_null(at);
		if (round == 0)
			snprintf(first, sizeof(first), "%.13s", at);
		assert_memory_equal(at, first, 13);
		assert_int_equal(rig_count(r, "node.paused"), 1);
	}
	r->log[0] = 0;
	fault_stop(rig_begin(r, "pause", WORDS("nodes=all")));
	assert_int_equal(rig_count(r, "node.paused"), RIG_NODES_MAX);
	fault_stop(rig_begin(r, "pause", WORDS("nodes=c")));
	assert_int_equal(rig_count(r, "node.paused c"), 2);
	r->site.nodes = NULL;
	struct fault_run *run;
	struct err e;
	assert_int_equal(rig_start(r, "pause", WORDS(NULL), 0, &run, &e), -EINVAL);
	assert_string_equal(e.text, "no process of the target is known: its file has no `nodes`");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = FILES_AT_START;
	setrlimit(RLIMIT_NOFILE, &files);
	const struct CMUnitTest tests[] = {
		TEST(killed_and_back), TEST(a_started_node_has_nothing_of_ours),
		TEST(killed_until_the_end), TEST(killed_for_good), TEST(terminated),
		TEST(terminated_and_healed_early), TEST(paused), TEST(paused_again_and_again), TEST(a_stop_of_others_stays),
		TEST(a_used_number_is_never_hurt), TEST(which_nodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
