/*
 * cpu_limit: a node gets only a share of a processor. It still does everything, late: heartbeats are missed, queues
 * grow. By cgroup (cpu.max); where there is none all its processes are stopped and continued in turn, ten times a
 * second, which a client cannot tell from a quota that is used up.
 */
#include "faults/cgroup.h"
#include "faults/freeze.h"
#include "faults/which.h"

#include <stdio.h>

enum { CPU_PERIOD_MS = 100 };

struct cpu_limit_options {
	struct opt_strings nodes;
	double limit;
};

struct cpu_limit_one {
	struct cgroup group;
	struct freeze freeze;
};

struct cpu_limit_state {
	struct fault_run *run;
	struct which which;
	struct cpu_limit_one ones[FAULT_NODES_MAX];
	struct timer timer;
	bool running;
};

static int check(const void *options, struct err *e)
{
	const struct cpu_limit_options *o = options;
	if (o->limit < 0.01 || o->limit > 1)
		return err_set(e, EINVAL, "limit must be 1%% to 100%% of one processor");
	return 0;
}

static void probe(const struct fault_site *site, struct fault_probe *ret)
{
	struct err e;
	(void)site;
	ret->means = cgroup_probe("cpu", &e) == 0 ? FAULT_DRIVEN : FAULT_EMULATED;
	if (ret->means == FAULT_DRIVEN)
		snprintf(ret->why, sizeof(ret->why), "cgroup version 2, cpu.max");
	else
		snprintf(ret->why, sizeof(ret->why), "SIGSTOP and SIGCONT in turn, for %.380s", e.text);
}

static int limit_by_group(struct cpu_limit_state *s, size_t i, struct proc_id root, struct err *e)
{
	const struct cpu_limit_options *o = s->run->options;
	struct cgroup *group = &s->ones[i].group;
	char value[48];
	snprintf(value, sizeof(value), "%d %d", (int)(o->limit * CPU_PERIOD_MS * 1000), CPU_PERIOD_MS * 1000);
	int r = cgroup_make(group, s->run->site->guard, "cpu", fault_node_name(s->which.nodes[i]), root, e);
	if (r == 0)
		r = cgroup_set(group, "cpu.max", value, e);
	return r == 0 ? cgroup_take(group, root, e) : r;
}

/* A whole processor needs none. */
static bool by_turns(const struct cpu_limit_state *s)
{
	const struct cpu_limit_options *o = s->run->options;
	return o->limit < 1;
}

static void on_turn(void *owner);

static int next_turn(struct cpu_limit_state *s)
{
	const struct cpu_limit_options *o = s->run->options;
	uint64_t runs_ms = (uint64_t)(o->limit * CPU_PERIOD_MS + 0.5);
	return timer_start(&s->timer, s->run->site->loop, s->running ? runs_ms : CPU_PERIOD_MS - runs_ms, on_turn, s);
}

/* A node that has gone or was replaced is met again in the next period; one that cannot be stopped is not limited. */
static void on_turn(void *owner)
{
	struct cpu_limit_state *s = owner;
	struct proc_id root;
	struct err e;
	int r = 0;
	s->running = !s->running;
	for (size_t i = 0; i < s->which.n && r == 0; i++) {
		if (s->running)
			freeze_go(&s->ones[i].freeze);
		else if (fault_node_find(s->which.nodes[i], &root, NULL) == 0)
			r = freeze_stop(&s->ones[i].freeze, root, &e);
		if (r < 0 && r != -ESRCH)
			fault_tell(s->run, "node.failed", fault_node_name(s->which.nodes[i]), 0, "%s", e.text);
		r = r == -ESRCH ? 0 : r;
	}
	if (r == 0)
		r = next_turn(s);
	if (r < 0)
		fault_done(s->run, r);
}

static void stop(struct fault_run *run)
{
	struct cpu_limit_state *s = run->state;
	timer_fini(&s->timer);
	for (size_t i = 0; i < s->which.n; i++) {
		freeze_end(&s->ones[i].freeze);
		cgroup_end(&s->ones[i].group);
	}
}

/* By turns: it begins with one in which it is stopped. */
static int limit_one(struct cpu_limit_state *s, size_t i, bool grouped, struct err *e)
{
	struct fault_node *node = s->which.nodes[i];
	struct proc_id root;
	int r = fault_node_find(node, &root, e);
	s->ones[i].freeze.guard = s->run->site->guard;
	if (r == 0 && grouped)
		r = limit_by_group(s, i, root, e);
	else if (r == 0 && by_turns(s))
		r = freeze_stop(&s->ones[i].freeze, root, e);
	if (r == 0)
		fault_tell(s->run, "node.limited", fault_node_name(node), 0, "pid=%d by=%s", (int)root.pid,
			   grouped ? "cgroup" : "turns");
	return r;
}

static int start(struct fault_run *run, struct err *e)
{
	const struct cpu_limit_options *o = run->options;
	struct cpu_limit_state *s = run->state;
	bool grouped = cgroup_probe("cpu", NULL) == 0;
	s->run = run;
	int r = which_choose(run, &o->nodes, &s->which, e);
	for (size_t i = 0; r == 0 && i < s->which.n; i++)
		r = limit_one(s, i, grouped, e);
	if (r == 0 && !grouped && by_turns(s) && next_turn(s) < 0)
		r = err_set(e, ENOMEM, "out of memory");
	if (r < 0)
		stop(run);
	return r;
}

static const struct opt cpu_limit_options[] = {
	WHICH_ROW(cpu_limit_options, "one"),
	{.name = "limit", .type = OPT_PERCENT, .offset = offsetof(struct cpu_limit_options, limit), .def = "10%",
	 .help = "share of one processor, 1% to 100%"},
	{0},
};

static const struct fault_action cpu_limit_process = {
	.undo = "its processes go back to their control group, or go on",
	.state_size = sizeof(struct cpu_limit_state), .probe = probe, .start = start, .stop = stop};

const struct fault fault_cpu_limit = {
	.name = "cpu_limit",
	.about = "nodes get only a share of a processor",
	.known_as = "CPU quotas of containers, noisy neighbours",
	.options = cpu_limit_options,
	.options_size = sizeof(struct cpu_limit_options),
	.check = check,
	.process = &cpu_limit_process,
};
