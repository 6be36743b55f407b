/*
 * Faults that take something away from a process: processor time, memory, descriptors, the right time. Each is measured
 * by what the victim can still do, and it can do all again afterwards. The same tests run where cgroups drive the
 * limits and where they are emulated; each says which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "faults/test_process_rig.h"
#include "harness/base/clock.h"

static bool driven(const struct rig *r, const char *fault)
{
	struct fault_probe probe;
	fault_probe(fault_find(fault), FAULT_PROCESS, &r->site, &probe);
	assert_int_not_equal(probe.means, FAULT_MISSING);
	print_message("%s: %s, %s\n", fault, fault_means_name(probe.means), probe.why);
	return probe.means == FAULT_DRIVEN;
}

/* --- cpu_limit --- */

enum { CPU_WORK_MS = 300, CPU_SHARE_PERCENT = 20 };

static long cpu_ms(struct proc_id id)
{
	clockid_t clock;
	struct timespec used = {0};
	if (clock_getcpuclockid(id.pid, &clock) == 0)
		clock_gettime(clock, &used);
	return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static struct {
	struct proc_id id;
	long until_ms;
	int fd;
} work;

static bool has_answered(struct rig *r)
{
	struct pollfd answer = {.fd = work.fd, .events = POLLIN};
	(void)r;
	return poll(&answer, 1, 0) == 1;
}

static bool work_is_done(struct rig *r)
{
	(void)r;
	return cpu_ms(work.id) >= work.until_ms;
}

/* Time that the victim needs for an amount of work: however busy the machine is, it is never too short. */
static void a_share_of_a_processor(void **state)
{
	struct rig *r = *state;
	size_t node = rig_add(r, RIG_BY_PID);
	int fd = rig_connect(r, node);
	driven(r, "cpu_limit");
	work.id = rig_id(r, node);
	assert_string_equal(rig_ask(fd, "burn"), "ok");
	struct fault_run *run = rig_begin(r, "cpu_limit", WORDS("limit=20%"));
	work.until_ms = cpu_ms(work.id) + CPU_WORK_MS;
	uint64_t since_us = clock_now_us();
	rig_until(r, work_is_done);
	uint64_t took_ms = (clock_now_us() - since_us) / 1000;
	print_message("%d ms of processor time at %d %% took %d ms\n", CPU_WORK_MS, CPU_SHARE_PERCENT, (int)took_ms);
	assert_true(took_ms >= CPU_WORK_MS * 100 / CPU_SHARE_PERCENT / 2);
	/* While we wait the loop must run: where the limit is emulated, it is what lets the victim run. */
	rig_say(fd, "echo slow");
	work.fd = fd;
	rig_until(r, has_answered);
	assert_string_equal(rig_hear(fd), "slow");
	fault_stop(run);
	assert_int_not_equal(proc_state(work.id), 'T');
	work.until_ms = cpu_ms(work.id) + CPU_WORK_MS;
	rig_until(r, work_is_done);
	close(fd);
}

static void cpu_shares_are_checked(void **state)
{
	struct rig *r = *state;
	struct fault_run *run;
	struct err e;
	rig_add(r, RIG_BY_PID);
	assert_int_equal(rig_start(r, "cpu_limit", WORDS("limit=0.1%"), 0, &run, &e), -EINVAL);
	assert_string_equal(e.text, "limit must be 1% to 100% of one processor");
	fault_stop(rig_begin(r, "cpu_limit", WORDS("limit=100%")));
}

/* --- memory_limit --- */

static void so_much_more_memory(void **state)
{
	struct rig *r = *state;
	size_t node = rig_add(r, RIG_STARTED);
	struct proc_id id = rig_id(r, node);
	bool grouped = driven(r, "memory_limit");
	int fd = rig_connect(r, node);
	assert_string_equal(rig_ask(fd, "alloc 64"), "ok");
	struct fault_run *run = rig_begin(r, "memory_limit", WORDS("headroom=16MiB"));
	assert_string_equal(rig_ask(fd, "alloc 4"), "ok");
	if (grouped) {
		assert_string_equal(rig_ask(fd, "alloc 64"), ""); /* killed */
		fault_stop(run);
		assert_false(proc_lives(id));
	} else {
		assert_string_equal(rig_ask(fd, "alloc 64"), "ENOMEM");
		assert_string_equal(rig_ask(fd, "echo lives"), "lives");
		fault_stop(run);
		assert_string_equal(rig_ask(fd, "alloc 64"), "ok");
	}
	close(fd);
}

/* --- fd_limit --- */

static uint64_t soft_files(struct proc_id id)
{
	struct rlimit limit;
	assert_int_equal(prlimit(id.pid, RLIMIT_NOFILE, NULL, &limit), 0);
	return limit.rlim_cur;
}

static void no_more_descriptors(void **state)
{
	struct rig *r = *state;
	size_t node = rig_add(r, RIG_STARTED);
	struct proc_id id = rig_id(r, node), before, born;
	int first = rig_connect(r, node);
	assert_int_equal(proc_identify(atoi(rig_ask(first, "fork")), &before), 0);
	uint64_t files = soft_files(id);
	struct fault_run *run = rig_begin(r, "fd_limit", WORDS("spare=1"));
	assert_true(soft_files(id) < files && soft_files(before) < files);
	int second = rig_connect(r, node);
	assert_string_equal(rig_ask(second, "echo the last"), "the last");
	int third = rig_connect(r, node); /* by the kernel; accept() fails with EMFILE */
	rig_say(third, "echo at last");
	while (atoi(rig_ask(first, "emfile")) == 0)
		;
	assert_string_equal(rig_ask(second, "echo still"), "still");
	assert_int_equal(proc_identify(atoi(rig_ask(first, "fork")), &born), 0);
	assert_true(soft_files(born) < files);
	fault_stop(run);
	assert_string_equal(rig_hear(third), "at last");
	assert_int_equal(soft_files(id), files);
	assert_int_equal(soft_files(before), files);
	assert_int_equal(soft_files(born), files);
	close(first);
	close(second);
	close(third);
}

/* Each would take what the other made for how it was. Here as of another run: guard_claims. */
static void two_faults_on_one_process_are_refused(void **state)
{
	static const struct {
		const char *first, *second;
		const char *words[2];
	} rows[] = {{"fd_limit", "fd_limit", {"spare=5", "spare=2"}}, {"pause", "pause", {NULL}},
		    {"memory_limit", "memory_limit", {"headroom=32MiB", "headroom=16MiB"}}};
	struct rig *r = *state;
	struct fault_run *second;
	struct err e;
	struct proc_id id = rig_id(r, rig_add(r, RIG_BY_PID));
	uint64_t before = soft_files(id);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool grouped = strcmp(rows[i].first, "memory_limit") == 0 && driven(r, "memory_limit");
		struct fault_run *run = rig_begin(r, rows[i].first, WORDS(rows[i].words[0]));
		if (!grouped) {
			assert_int_equal(rig_start(r, rows[i].second, WORDS(rows[i].words[1]), 0, &second, &e), -EBUSY);
			assert_non_null(strstr(e.text, "another fault is at it already"));
		}
		fault_stop(run);
		assert_true(proc_lives(id) && proc_state(id) != 'T');
		assert_int_equal(soft_files(id), before);
	}
}

static bool is_in_ours(struct proc_id id, char *ret_path, size_t len)
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)id.pid);
	FILE *f = fopen(path, "r");
	bool found = false;
	while (f && !found && fgets(line, sizeof(line), f)) {
		char *group = strstr(line, "/" GUARD_NAMES);
		found = group != NULL;
		if (found)
			snprintf(ret_path, len, "/sys/fs/cgroup%.*s", (int)strcspn(group, "\n"), group);
	}
	if (f)
		fclose(f);
	return found;
}

static bool says(const char *group, const char *file, const char *wanted)
{
	char path[512], line[64] = "";
	snprintf(path, sizeof(path), "%s/%s", group, file);
	FILE *f = fopen(path, "r");
	bool is = f && fgets(line, sizeof(line), f) && strncmp(line, wanted, strlen(wanted)) == 0;
	if (f)
		fclose(f);
	return is;
}

/* One group for both, in whichever order they end; back where it was after the last. Only where cgroups drive them. */
static void two_limits_share_a_group(void **state)
{
	struct rig *r = *state;
	struct fault_run *second;
	struct err e;
	struct proc_id id = rig_id(r, rig_add(r, RIG_BY_PID));
	char group[256], again[256];
	if (!driven(r, "cpu_limit") || !driven(r, "memory_limit"))
		skip();
	for (int order = 0; order < 2; order++) {
		struct fault_run *runs[] = {rig_begin(r, "cpu_limit", WORDS("limit=20%")), NULL};
		assert_true(is_in_ours(id, group, sizeof(group)));
		runs[1] = rig_begin(r, "memory_limit", WORDS("headroom=64MiB"));
		assert_true(is_in_ours(id, again, sizeof(again)));
		assert_string_equal(group, again);
		assert_true(says(group, "cpu.max", "20000 ") && says(group, "memory.max", "67108864"));
		assert_int_equal(rig_start(r, "cpu_limit", WORDS("limit=50%"), 0, &second, &e), -EBUSY);
		assert_true(says(group, "cpu.max", "20000 "));
		fault_stop(runs[order]);
		assert_true(is_in_ours(id, again, sizeof(again)));
		assert_true(says(group, "cpu.max", order ? "20000 " : "max"));
		assert_true(says(group, "memory.max", order ? "max" : "67108864"));
		fault_stop(runs[!order]);
		assert_false(is_in_ours(id, again, sizeof(again)));
		assert_int_equal(access(group, F_OK), -1);
	}
}

/* An error is never "limited". */
static void what_cannot_be_limited_is_told(void **state)
{
	struct rig *r = *state;
	struct fault_run *run;
	struct err e;
	struct proc_id id = rig_id(r, rig_add(r, RIG_BY_PID));
	kill(guard_pid(r->guard), SIGKILL);
	assert_int_equal(rig_start(r, "cpu_limit", WORDS(NULL), 0, &run, &e), -EPIPE);
	assert_int_equal(rig_count(r, "node.limited"), 0);
	assert_int_not_equal(proc_state(id), 'T');
	if (driven(r, "memory_limit"))
		return;
	struct rlimit data = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
	assert_int_equal(prlimit(id.pid, RLIMIT_DATA, &data, NULL), 0);
	assert_int_equal(rig_start(r, "memory_limit", WORDS(NULL), 0, &run, &e), -ERANGE);
	assert_int_equal(rig_count(r, "node.limited"), 0);
}

/* Its owner has set another limit meanwhile: that is his. */
static void a_limit_of_others_stays(void **state)
{
	struct rig *r = *state;
	size_t node = rig_add(r, RIG_BY_PID);
	struct proc_id id = rig_id(r, node);
	struct fault_run *run = rig_begin(r, "fd_limit", WORDS(NULL));
	struct rlimit limit;
	assert_int_equal(prlimit(id.pid, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = 77;
	assert_int_equal(prlimit(id.pid, RLIMIT_NOFILE, &limit, NULL), 0);
	fault_stop(run);
	assert_int_equal(soft_files(id), 77);
}

/* --- clock_step --- */

static long behind(int fd)
{
	return (long)(time(NULL) - atoll(rig_ask(fd, "time")));
}

static void the_clock_jumps(void **state)
{
	struct rig *r = *state;
	static const struct {
		const char *direction;
		long behind_s;
	} rows[] = {{"direction=forward", -3600}, {"direction=back", 3600}};
	if (!launch_faketime()) {
		print_message("skip: libfaketime is not installed\n");
		skip();
	}
	size_t node = rig_add(r, RIG_CLOCK);
	int fd = rig_connect(r, node);
	assert_in_range(labs(behind(fd)), 0, 300);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault_run *run = rig_begin(r, "clock_step", WORDS("by=1h", rows[i].direction));
		assert_in_range(labs(behind(fd) - rows[i].behind_s), 0, 300);
		fault_stop(run);
		assert_in_range(labs(behind(fd)), 0, 300);
	}
	/* Two add up, and end one after the other. */
	struct fault_run *one = rig_begin(r, "clock_step", WORDS("by=1h")), *two = rig_begin(r, "clock_step", WORDS("by=2h"));
	assert_in_range(labs(behind(fd) + 3 * 3600), 0, 300);
	fault_stop(two);
	assert_in_range(labs(behind(fd) + 3600), 0, 300);
	fault_stop(one);
	assert_in_range(labs(behind(fd)), 0, 300);
	close(fd);
}

/* It stays its owner's: the same file, and no link is followed to another's. */
static void the_clock_is_written_in_place(void **state)
{
	struct rig *r = *state;
	struct fault_run *run;
	struct stat before, after;
	struct err e = {.text = ""};
	if (!launch_faketime())
		skip();
	const char *path = fault_node_clock(r->nodes[rig_add(r, RIG_CLOCK)]), *other = rig_path(r, "other");
	assert_int_equal(stat(path, &before), 0);
	run = rig_begin(r, "clock_step", WORDS("by=1h"));
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino && after.st_size == (off_t)strlen("+3600.000\n"));
	fault_stop(run);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(rig_start(r, "clock_step", WORDS("by=1h"), 0, &run, &e), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(other, path), 0);
}

static void a_clock_that_cannot_jump(void **state)
{
	struct rig *r = *state;
	struct fault_run *run;
	struct err e = {.text = ""};
	rig_add(r, RIG_BY_PID);
	assert_int_equal(rig_start(r, "clock_step", WORDS(NULL), 0, &run, &e), -ENOTSUP);
	print_message("%s\n", e.text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_share_of_a_processor), TEST(cpu_shares_are_checked), TEST(so_much_more_memory), TEST(no_more_descriptors),
		TEST(a_limit_of_others_stays), TEST(two_faults_on_one_process_are_refused),
		TEST(two_limits_share_a_group),
		TEST(what_cannot_be_limited_is_told), TEST(the_clock_jumps),
		TEST(the_clock_is_written_in_place), TEST(a_clock_that_cannot_jump),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
