/*
 * memory_limit: a node gets only so much more memory. By cgroup the kernel takes back what it can and then kills
 * (memory.max, no swap); where there is none, RLIMIT_DATA makes the allocation fail, which is what a server without
 * overcommit meets: close to it, and not the same.
 */
#include <stdio.h>
#include <sys/resource.h>

#include "faults/cgroup.h"
#include "faults/rlimit.h"
#include "faults/which.h"

#define MEMORY_HEADROOM_MAX (INT64_C(1) << 40)

struct memory_limit_options {
	struct opt_strings nodes;
	uint64_t headroom;
};

struct memory_limit_one {
	struct cgroup group;
	struct rlimit_set set;
};

struct memory_limit_state {
	struct which which;
	struct memory_limit_one ones[FAULT_NODES_MAX];
};

static void probe(const struct fault_site *site, struct fault_probe *ret)
{
	struct err e;
	(void)site;
	ret->means = cgroup_probe("memory", &e) == 0 ? FAULT_DRIVEN : FAULT_EMULATED;
	if (ret->means == FAULT_DRIVEN)
		snprintf(ret->why, sizeof(ret->why), "cgroup version 2, memory.max");
	else
		snprintf(ret->why, sizeof(ret->why), "RLIMIT_DATA: allocations fail, nobody is killed; for %.380s", e.text);
}

static int data_limit(struct proc_id id, uint64_t headroom, uint64_t *ret_limit)
{
	uint64_t octets;
	int r = proc_data_octets(id, &octets);
	if (r == 0)
		*ret_limit = octets + headroom;
	return r;
}

static int limit_by_group(struct fault_run *run, struct memory_limit_one *one, const char *name, struct proc_id root,
			  struct err *e)
{
	const struct memory_limit_options *o = run->options;
	char value[32];
	snprintf(value, sizeof(value), "%llu", (unsigned long long)o->headroom);
	int r = cgroup_make(&one->group, run->site->guard, "memory", name, root, e);
	if (r == 0)
		r = cgroup_set(&one->group, "memory.max", value, e);
	if (r == 0)
		cgroup_set(&one->group, "memory.swap.max", "0", NULL); /* there is none without swap accounting */
	return r == 0 ? cgroup_take(&one->group, root, e) : r;
}

static int limit_one(struct fault_run *run, size_t i, bool grouped, struct err *e)
{
	const struct memory_limit_options *o = run->options;
	struct memory_limit_state *s = run->state;
	struct memory_limit_one *one = &s->ones[i];
	const char *name = fault_node_name(s->which.nodes[i]);
	struct proc_id root;
	int r = fault_node_find(s->which.nodes[i], &root, e);
	one->set.guard = run->site->guard;
	one->set.resource = RLIMIT_DATA;
	if (r == 0)
		r = grouped ? limit_by_group(run, one, name, root, e)
			    : rlimit_set_lower(&one->set, root, data_limit, o->headroom, e);
	if (r == 0 && !grouped && one->set.n == 0)
		return err_set(e, ERANGE, "%s may take less memory than that already", name);
	if (r == 0)
		fault_tell(run, "node.limited", name, 0, "pid=%d headroom=%llu by=%s", (int)root.pid,
			   (unsigned long long)o->headroom, grouped ? "cgroup" : "RLIMIT_DATA");
	return r;
}

static void stop(struct fault_run *run)
{
	struct memory_limit_state *s = run->state;
	for (size_t i = 0; i < s->which.n; i++) {
		rlimit_set_end(&s->ones[i].set);
		cgroup_end(&s->ones[i].group);
	}
}

static int start(struct fault_run *run, struct err *e)
{
	const struct memory_limit_options *o = run->options;
	struct memory_limit_state *s = run->state;
	bool grouped = cgroup_probe("memory", NULL) == 0;
	int r = which_choose(run, &o->nodes, &s->which, e);
	for (size_t i = 0; r == 0 && i < s->which.n; i++)
		r = limit_one(run, i, grouped, e);
	if (r < 0)
		stop(run);
	return r;
}

static const struct opt memory_limit_options[] = {
	WHICH_ROW(memory_limit_options, "one"),
	{.name = "headroom", .type = OPT_SIZE, .offset = offsetof(struct memory_limit_options, headroom), .def = "16MiB",
	 .min = 4096, .max = MEMORY_HEADROOM_MAX,
	 .help = "what each node may still take (without cgroups: each of its processes)"},
	{0},
};

static const struct fault_action memory_limit_process = {
	.undo = "its processes go back to their control group, or get their limit back",
	.state_size = sizeof(struct memory_limit_state), .probe = probe, .start = start, .stop = stop};

const struct fault fault_memory_limit = {
	.name = "memory_limit",
	.about = "nodes get only so much more memory",
	.known_as = "memory limits of containers, OOM",
	.options = memory_limit_options,
	.options_size = sizeof(struct memory_limit_options),
	.process = &memory_limit_process,
};
