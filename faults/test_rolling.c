/*
 * rolling_restart and hook: the order, that never two nodes are away at once as a client sees it, that the first node
 * which does not come back ends it, and that a command which ends a hook always runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/test_process_rig.h"
#include "harness/base/clock.h"

/* Asked at each event: how many nodes accept and answer. */
static struct {
	size_t least, asked;
	uint64_t ready_us, shortest_us; /* from a node that is ready to the next one that goes */
} up;

static void count_up(struct rig *r, const struct fault_event *event)
{
	size_t n = 0;
	if (!event->node)
		return;
	if (strcmp(event->what, "node.signal") == 0 && up.ready_us && clock_now_us() - up.ready_us < up.shortest_us)
		up.shortest_us = clock_now_us() - up.ready_us;
	for (size_t i = 0; i < r->n; i++) {
		int fd = rig_connect(r, i);
		n += fd >= 0 && strcmp(rig_ask(fd, "echo up"), "up") == 0;
		if (fd >= 0)
			close(fd);
	}
	up.asked++;
	if (n < up.least)
		up.least = n;
	up.ready_us = strcmp(event->what, "node.ready") == 0 ? clock_now_us() : 0;
}

/* "a b c ": the nodes in the order of this event. */
static const char *order_of(const struct rig *r, const char *what)
{
	static char order[64];
	size_t used = 0;
	for (const char *line = r->log; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, what, strlen(what)) == 0)
			used += (size_t)snprintf(order + used, sizeof(order) - used, "%c ", line[strlen(what) + 1]);
	order[used] = 0;
	return order;
}

static void start_three(struct rig *r, const enum rig_kept kept[3], struct proc_id *ret_ids)
{
	for (size_t i = 0; i < 3; i++)
		ret_ids[rig_add(r, kept[i])] = rig_id(r, i);
	up.least = 3;
	up.asked = 0;
	up.ready_us = 0;
	up.shortest_us = UINT64_MAX;
}

static void one_after_the_other(void **state)
{
	struct rig *r = *state;
	static const struct {
		const char *option, *order;
	} rows[] = {{"order=given", "a b c "}, {"order=reverse", "c b a "}, {"nodes=b,a", "b a "}};
	static const enum rig_kept kept[3] = {RIG_STARTED, RIG_KEPT, RIG_CLOCK};
	struct proc_id before[3];
	start_three(r, kept, before);
	r->on_event = count_up;
	for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
		for (size_t i = 0; i < 3; i++)
			before[i] = rig_id(r, i);
		r->log[0] = 0;
		up.ready_us = 0;
		struct fault_run *run = rig_begin(r, "rolling_restart", WORDS("stagger=200ms", rows[row].option));
		rig_until_done(r);
		assert_int_equal(r->error, 0);
		fault_stop(run);
		assert_string_equal(order_of(r, "node.signal"), rows[row].order);
		assert_string_equal(order_of(r, "node.ready"), rows[row].order);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(proc_lives(before[i]), strchr(rows[row].order, "abc"[i]) == NULL);
	}
	assert_int_equal(up.least, 2);
	assert_true(up.asked > 20);
	assert_true(up.shortest_us != UINT64_MAX && up.shortest_us >= 190000); /* clients were asked in between */
}

/* The seed decides, and nothing else. */
static void by_chance(void **state)
{
	struct rig *r = *state;
	static const enum rig_kept kept[3] = {RIG_STARTED, RIG_STARTED, RIG_STARTED};
	struct proc_id before[3];
	char first[16] = "";
	unsigned different = 0;
	start_three(r, kept, before);
	for (unsigned round = 0; round < 6; round++) {
		r->log[0] = 0;
		r->site.seed = round < 2 ? 7 : 7 + round;
		struct fault_run *run = rig_begin(r, "rolling_restart", WORDS("stagger=0ms", "order=random"));
		rig_until_done(r);
		assert_int_equal(r->error, 0);
		fault_stop(run);
		const char *order = order_of(r, "node.signal");
		assert_int_equal(strlen(order), 6);
		if (round == 0)
			snprintf(first, sizeof(first), "%s", order);
		if (round == 1)
			assert_string_equal(order, first);
		different += strcmp(order, first) != 0;
	}
	assert_true(different > 0);
}

/* b ends as it is started: c is not touched, and what is away is started once more at the end. */
static void the_first_that_fails_ends_it(void **state)
{
	struct rig *r = *state;
	static const enum rig_kept kept[3] = {RIG_STARTED, RIG_STARTED, RIG_STARTED};
	struct proc_id before[3];
	start_three(r, kept, before);
	struct fault_node_config config = *fault_node_config(r->nodes[1]);
	struct fault_node *b = r->nodes[1], *broken[] = {r->nodes[0], NULL, r->nodes[2], NULL};
	config.start = WORDS("/bin/sh", "-c", "exit 3");
	assert_int_equal(fault_node_new(&r->loop, &config, &broken[1], NULL), 0);
	r->site.nodes = broken;
	struct fault_run *run = rig_begin(r, "rolling_restart", WORDS("stagger=0ms"));
	rig_until_done(r);
	assert_int_equal(r->error, -ECHILD);
	assert_string_equal(order_of(r, "node.failed"), "b ");
	assert_false(proc_lives(before[0]) || proc_lives(before[1]));
	assert_true(proc_lives(before[2]));
	fault_stop(run);
	assert_true(proc_lives(before[2]));
	/* While it is away, nobody else is taken down. */
	r->log[0] = 0;
	run = rig_begin(r, "rolling_restart", WORDS("nodes=a", "ready_within=200ms"));
	rig_until_done(r);
	assert_true(r->error < 0);
	assert_int_equal(rig_count(r, "node.signal"), 0);
	assert_string_equal(order_of(r, "node.failed"), "b ");
	fault_stop(run);
	fault_node_free(broken[1]);
	r->nodes[1] = b;
	r->site.nodes = r->nodes;
}

/* Stopped while b is away: b comes back, c is not touched. */
static bool b_has_ended(struct rig *r)
{
	return rig_count(r, "node.signal b") == 1;
}

static void stopped_in_the_middle(void **state)
{
	struct rig *r = *state;
	static const enum rig_kept kept[3] = {RIG_STARTED, RIG_STUBBORN, RIG_STARTED};
	struct proc_id before[3];
	start_three(r, kept, before);
	struct fault_run *run = rig_begin(r, "rolling_restart", WORDS("stagger=0ms", "grace=1h"));
	rig_until(r, b_has_ended);
	fault_stop(run);
	assert_false(proc_lives(before[0]) || proc_lives(before[1]));
	assert_true(proc_lives(before[2]) && proc_lives(rig_id(r, 1)));
}

/* --- hooks --- */

static void add_hook(struct rig *r, const char *name, const char *command)
{
	static const struct opt row = {.name = "hooks", .type = OPT_MAP};
	struct opt_map *hooks = &r->hooks;
	assert_int_equal(opt_map_put(&row, hooks, name, command, &r->arena, NULL), 0);
	r->site.hooks = hooks;
	r->site.hooks_folder = r->folder;
}

/* The owner's own command, here the end of a process that a supervisor starts again. */
static void restarted_by_a_hook(void **state)
{
	struct rig *r = *state;
	static const enum rig_kept kept[3] = {RIG_KEPT, RIG_KEPT, RIG_KEPT};
	struct proc_id before[3];
	start_three(r, kept, before);
	r->on_event = count_up;
	add_hook(r, "restart", "echo \"$WSQUALL_FAULT $WSQUALL_PHASE $WSQUALL_NODE\"; kill -9 $(cat $WSQUALL_NODE.pid)");
	struct fault_run *run = rig_begin(r, "rolling_restart", WORDS("stagger=0ms", "hook=restart"));
	rig_until_done(r);
	assert_int_equal(r->error, 0);
	fault_stop(run);
	assert_string_equal(order_of(r, "node.ready"), "a b c ");
	assert_int_equal(rig_count(r, "hook.restarted b status=0 output=rolling_restart restart b\\x0a"), 1);
	for (size_t i = 0; i < 3; i++)
		assert_false(proc_lives(before[i]));
	assert_true(up.least >= 2);
}

static void begun_and_ended(void **state)
{
	struct rig *r = *state;
	add_hook(r, "cut", "echo cutting >&2; touch cut");
	add_hook(r, "mend", "rm cut; echo $WSQUALL_PHASE");
	struct fault_run *run = rig_begin(r, "hook", WORDS("begin=cut", "end=mend"));
	while (rig_count(r, "hook.begun") == 0)
		uv_run(&r->loop.uv, UV_RUN_ONCE);
	assert_int_equal(rig_count(r, "hook.begun status=0 output=cutting\\x0a"), 1);
	assert_int_equal(access(rig_path(r, "cut"), F_OK), 0);
	fault_stop(run);
	assert_int_equal(rig_count(r, "hook.ended status=0 output=end\\x0a"), 1);
	assert_int_equal(access(rig_path(r, "cut"), F_OK), -1);
}

static void hooks_that_fail(void **state)
{
	struct rig *r = *state;
	struct fault_run *run;
	struct err e;
	assert_int_equal(rig_start(r, "hook", WORDS("begin=x"), 0, &run, &e), -EINVAL);
	assert_string_equal(e.text, "there is no hook 'x': the target file has no `hooks`");
	add_hook(r, "partition", "exit 3");
	add_hook(r, "hang", "trap '' TERM; sleep 1000");
	add_hook(r, "chatter", "head -c 100000 /dev/zero");
	assert_int_equal(rig_start(r, "hook", WORDS("begin=partiton"), 0, &run, &e), -EINVAL);
	assert_string_equal(e.text, "there is no hook 'partiton', did you mean 'partition'?");
	assert_int_equal(rig_start(r, "hook", WORDS("begin=hang", "end=mend"), 0, &run, &e), -EINVAL);
	assert_int_equal(rig_start(r, "hook", WORDS("timeout=5s"), 0, &run, &e), -EINVAL);
	static const struct {
		const char *begin, *timeout, *line;
		int error;
	} rows[] = {
		{"begin=partition", "timeout=1h", "hook.begun status=3 output=", -ECHILD},
		{"begin=hang", "timeout=100ms", "hook.begun status=137 late output=", -ETIMEDOUT},
		{"begin=chatter", "timeout=1h", "hook.begun status=0 output=\\x00", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run = rig_begin(r, "hook", WORDS(rows[i].begin, rows[i].timeout));
		rig_until_done(r);
		assert_int_equal(r->error, rows[i].error);
		assert_true(rig_count(r, rows[i].line) >= 1);
		fault_stop(run);
	}
}

/* Stopped while it begins: cut off, and ended all the same. */
static void ended_in_the_beginning(void **state)
{
	struct rig *r = *state;
	add_hook(r, "begin", "touch began; sleep 1000");
	add_hook(r, "end", "touch ended");
	struct fault_run *run = rig_begin(r, "hook", WORDS("begin=begin", "end=end"));
	while (access(rig_path(r, "began"), F_OK) < 0)
		assert_int_equal(rig_count(r, "hook.begun"), 0);
	fault_stop(run);
	assert_int_equal(access(rig_path(r, "ended"), F_OK), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_after_the_other), TEST(by_chance), TEST(the_first_that_fails_ends_it), TEST(stopped_in_the_middle),
		TEST(restarted_by_a_hook), TEST(begun_and_ended), TEST(hooks_that_fail), TEST(ended_in_the_beginning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
