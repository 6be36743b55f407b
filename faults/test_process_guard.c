/*
 * The harness is killed with SIGKILL while a fault on processes is in force: the guard heals. A fork of the test is the
 * harness; what is healed is seen from here.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults/test_process_rig.h"
#include "faults/undo.h"
#include "harness/base/clock.h"

enum { ANY = -1 };

struct seen_before {
	struct proc_id id;
	uint64_t files, data;
};

static uint64_t soft(struct proc_id id, int resource)
{
	struct rlimit limit = {0};
	prlimit(id.pid, (__rlimit_resource_t)resource, NULL, &limit);
	return limit.rlim_cur;
}

static bool is_stopped(struct rig *r, const struct seen_before *b)
{
	(void)r;
	return proc_state(b->id) == 'T';
}

static bool goes_on(struct rig *r, const struct seen_before *b)
{
	(void)r;
	return proc_lives(b->id) && proc_state(b->id) != 'T';
}

static bool has_ended(struct rig *r, const struct seen_before *b)
{
	(void)r;
	return !proc_lives(b->id);
}

static int out_of_memory_score(pid_t pid)
{
	char path[64];
	int score = 4711;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%d", &score) != 1)
		score = 4711;
	if (f)
		fclose(f);
	return score;
}

/* Started by the guard, and none of its ways are with it. */
static bool is_another(struct rig *r, const struct seen_before *b)
{
	struct proc_id now;
	return has_ended(r, b) && fault_node_find(r->nodes[0], &now, NULL) == 0 &&
	       out_of_memory_score(now.pid) == out_of_memory_score(getpid());
}

static bool fewer_files(struct rig *r, const struct seen_before *b)
{
	struct proc_id worker;
	if (soft(b->id, RLIMIT_NOFILE) == b->files)
		return false;
	int fd = rig_connect(r, 0);
	assert_int_equal(proc_identify(atoi(rig_ask(fd, "fork")), &worker), 0);
	close(fd);
	return soft(worker, RLIMIT_NOFILE) < b->files;
}

/* With a worker, which was born meanwhile. */
static bool as_many_files(struct rig *r, const struct seen_before *b)
{
	struct proc_id tree[2];
	(void)r;
	return proc_tree(b->id, tree, ARRAY_LEN(tree)) == 2 && soft(tree[0], RLIMIT_NOFILE) == b->files &&
	       soft(tree[1], RLIMIT_NOFILE) == b->files;
}

static bool less_memory(struct rig *r, const struct seen_before *b)
{
	(void)r;
	return soft(b->id, RLIMIT_DATA) < b->data;
}

static bool as_much_memory(struct rig *r, const struct seen_before *b)
{
	(void)r;
	return soft(b->id, RLIMIT_DATA) == b->data;
}

/* In a cgroup of ours, or not. */
static bool is_in_ours(struct rig *r, const struct seen_before *b)
{
	char path[64], line[256] = "";
	bool found = false;
	(void)r;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)b->id.pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		found |= strstr(line, "/wsq-") != NULL;
	if (f)
		fclose(f);
	return found;
}

static bool is_in_its_own(struct rig *r, const struct seen_before *b)
{
	return proc_lives(b->id) && !is_in_ours(r, b);
}

static long behind(struct rig *r)
{
	int fd = rig_connect(r, 0);
	long s = (long)(time(NULL) - atoll(rig_ask(fd, "time")));
	close(fd);
	return s;
}

static bool is_ahead(struct rig *r, const struct seen_before *b)
{
	(void)b;
	return behind(r) < -3000;
}

static bool is_on_time(struct rig *r, const struct seen_before *b)
{
	(void)b;
	return labs(behind(r)) < 300;
}

static bool is_cut(struct rig *r, const struct seen_before *b)
{
	(void)b;
	return access(rig_path(r, "cut"), F_OK) == 0;
}

static bool is_mended(struct rig *r, const struct seen_before *b)
{
	return !is_cut(r, b);
}

static const struct row {
	const char *fault;
	const char *words[4];
	enum rig_kept kept;
	bool (*hurt)(struct rig *r, const struct seen_before *b);
	bool (*healed)(struct rig *r, const struct seen_before *b);
	int only;                  /* enum fault_means that it is about: with or without cgroups; ANY */
} rows[] = {
	{"pause", {NULL}, RIG_STARTED, is_stopped, goes_on, ANY},
	{"backplane_pause", {NULL}, RIG_STARTED, is_stopped, goes_on, ANY},
	{"cpu_limit", {"limit=1%"}, RIG_STARTED, is_stopped, goes_on, FAULT_EMULATED},
	{"memory_limit", {NULL}, RIG_STARTED, less_memory, as_much_memory, FAULT_EMULATED},
	{"cpu_limit", {"limit=1%"}, RIG_STARTED, is_in_ours, is_in_its_own, FAULT_DRIVEN},
	{"memory_limit", {NULL}, RIG_STARTED, is_in_ours, is_in_its_own, FAULT_DRIVEN},
	{"fd_limit", {"spare=2"}, RIG_STARTED, fewer_files, as_many_files, ANY},
	{"clock_step", {NULL}, RIG_CLOCK, is_ahead, is_on_time, ANY},
	{"kill", {NULL}, RIG_STARTED, has_ended, is_another, ANY},
	{"terminate", {"grace=100ms"}, RIG_STUBBORN, has_ended, is_another, ANY},
	{"backplane_kill", {NULL}, RIG_STARTED, has_ended, is_another, ANY},
	{"terminate", {"grace=1h"}, RIG_STARTED, has_ended, is_another, ANY},
	{"hook", {"begin=cut", "end=mend"}, RIG_BY_PID, is_cut, is_mended, ANY},
};

/* The harness: a guard of its own, for its guard ends with it. */
static void harness(struct rig *r, const struct row *row, const struct opt_map *hooks)
{
	struct fault_run *run;
	struct err e = {.text = ""};
	if (guard_start(undo_kinds, &r->site.guard, &e) < 0 || uv_loop_fork(&r->loop.uv) < 0)
		_exit(1);
	r->site.hooks = hooks;
	r->site.hooks_folder = r->folder;
	if (rig_start(r, row->fault, row->words, 0, &run, &e) < 0) {
		print_error("%s\n", e.text);
		_exit(2);
	}
	for (;;) {
		struct timer tick = {0};
		timer_start(&tick, &r->loop, 1000, NULL, NULL);
		uv_run(&r->loop.uv, UV_RUN_ONCE);
		timer_fini(&tick);
	}
}

static void await(struct rig *r, const struct row *row, const struct seen_before *b, pid_t pid, bool healed)
{
	uint64_t until_us = clock_now_us() + RIG_HANG_S * 1000000ull;
	while (!(healed ? row->healed : row->hurt)(r, b)) {
		if (clock_now_us() > until_us || (pid && waitpid(pid, NULL, WNOHANG) == pid))
			fail_msg("%s: not %s", row->fault, healed ? "healed" : "hurt");
		poll(NULL, 0, 5);
	}
}

static void killed_in_the_middle(void **state)
{
	static struct opt_pair commands[] = {{"cut", "touch cut"}, {"mend", "rm cut"}};
	const struct opt_map hooks = {.items = commands, .len = ARRAY_LEN(commands)};
	struct rig *r = *state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct fault_probe probe = {.means = FAULT_DRIVEN};
		if (fault_find(row->fault)->process)
			fault_probe(fault_find(row->fault), FAULT_PROCESS, NULL, &probe);
		if ((row->only != ANY && (int)probe.means != row->only) || probe.means == FAULT_MISSING) {
			print_message("%s: skip, it is %s: %s\n", row->fault, fault_means_name(probe.means), probe.why);
			continue;
		}
		size_t node = rig_add(r, row->kept);
		assert_int_equal(node, 0);
		struct seen_before b = {.id = rig_id(r, 0)};
		b.files = soft(b.id, RLIMIT_NOFILE);
		b.data = soft(b.id, RLIMIT_DATA);
		assert_false(row->hurt(r, &b));
		pid_t pid = fork();
		if (pid == 0)
			harness(r, row, &hooks);
		await(r, row, &b, pid, false);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		await(r, row, &b, 0, true);
		print_message("%s: healed\n", row->fault);
		struct rig *next = NULL;
		rig_teardown((void **)&r);
		assert_int_equal(rig_setup((void **)&next), 0);
		*state = r = next;
	}
}

/* A worker keeps the port: what is started in its place could not listen. */
static void who_does_not_end_is_ended_with_its_workers(void **state)
{
	struct rig *r = *state;
	struct seen_before b = {.id = rig_id(r, rig_add(r, RIG_STUBBORN))};
	struct proc_id worker;
	int fd = rig_connect(r, 0);
	assert_int_equal(proc_identify(atoi(rig_ask(fd, "fork")), &worker), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct guard *g;
		if (guard_start(undo_kinds, &g, NULL) == 0 && fault_node_promise(r->nodes[0], g, NULL) > 0)
			raise(SIGKILL);
		_exit(1);
	}
	int status;
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	const struct row row = {.fault = "terminate", .healed = is_another};
	await(r, &row, &b, 0, true);
	rig_await_end(worker);
	close(fd);
	while ((fd = rig_connect(r, 0)) < 0)
		assert_true(proc_lives(rig_id(r, 0)));
	assert_string_equal(rig_ask(fd, "echo again"), "again");
	close(fd);
}

static bool is_there(struct rig *r, const char *name)
{
	return access(rig_path(r, name), F_OK) == 0;
}

/* A command that begins a fault and all that it started are gone when the one that ends it runs. */
static void a_beginning_does_not_outlast_its_end(void **state)
{
	static struct opt_pair commands[] = {{"cut", "sleep 600 & echo $! > sleep.new; mv sleep.new sleep; wait"},
					     {"mend", "touch mended"}};
	static const struct row row = {.fault = "hook", .words = {"begin=cut", "end=mend", "timeout=5m"}};
	const struct opt_map hooks = {.items = commands, .len = ARRAY_LEN(commands)};
	struct rig *r = *state;
	struct proc_id sleeper;
	uint64_t until_us = clock_now_us() + RIG_HANG_S * 1000000ull;
	pid_t pid = fork();
	if (pid == 0)
		harness(r, &row, &hooks);
	while (!is_there(r, "sleep") && clock_now_us() < until_us)
		poll(NULL, 0, 5);
	assert_int_equal(proc_from_pidfile(rig_path(r, "sleep"), &sleeper), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (!is_there(r, "mended") && clock_now_us() < until_us)
		poll(NULL, 0, 5);
	assert_true(is_there(r, "mended"));
	rig_await_end(sleeper);
}

/* Seven times a command that takes its time, and perhaps does harm when it is repeated. */
static void an_end_that_fails_is_not_repeated(void **state)
{
	static struct opt_pair commands[] = {{"cut", "true"}, {"mend", "echo x >> ended; false"}};
	const struct opt_map hooks = {.items = commands, .len = ARRAY_LEN(commands)};
	struct rig *r = *state;
	struct stat st;
	r->site.hooks = &hooks;
	r->site.hooks_folder = r->folder;
	fault_stop(rig_begin(r, "hook", WORDS("begin=cut", "end=mend")));
	assert_int_equal(rig_count(r, "failed the hook that ends it failed"), 1);
	assert_int_equal(guard_stop(TAKE_PTR(r->guard)), -EBUSY);
	assert_int_equal(stat(rig_path(r, "ended"), &st), 0);
	assert_int_equal(st.st_size, 2);
}

/* Commands and their arguments may hold passwords; doctor and the guard print what an undo does. */
static void an_undo_tells_no_secret(void **state)
{
	static const char *const words[] = {"1", "2", "SECRET", "SECRET", "SECRET", "SECRET", "SECRET", "SECRET", NULL};
	static const struct {
		const char *kind;
		int open[3];           /* words that may be told; 0 at the end */
	} kinds[] = {{"restart", {1, 3}}, {"hook", {4}}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf b CLEANUP(buf_fini) = {0};
		const char *told[ARRAY_LEN(words)];
		const struct guard_kind *const *kind = undo_kinds;
		while (strcmp((*kind)->name, kinds[i].kind) != 0)
			kind++;
		memcpy(told, words, sizeof(told));
		for (const int *open = kinds[i].open; *open; open++)
			told[*open - 1] = "name";
		buf_init(&b, 4096);
		(*kind)->describe((char *const *)(uintptr_t)told, &b);
		assert_non_null(strstr(buf_cstr(&b), "name"));
		assert_null(strstr(buf_cstr(&b), "SECRET"));
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(killed_in_the_middle), TEST(who_does_not_end_is_ended_with_its_workers),
		TEST(a_beginning_does_not_outlast_its_end),
		TEST(an_end_that_fails_is_not_repeated), TEST(an_undo_tells_no_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
