/*
 * fd_limit: a node may open no more files. accept() fails with EMFILE: those who are connected are served, nobody new
 * is let in, and a server that does not expect it spins on its listening socket or dies of a log file.
 */
#include <sys/resource.h>

#include "faults/rlimit.h"
#include "faults/which.h"

enum { FD_SPARE_MAX = 1 << 20 };

struct fd_limit_options {
	struct opt_strings nodes;
	int64_t spare;
};

struct fd_limit_state {
	struct which which;
	struct rlimit_set sets[FAULT_NODES_MAX];
};

static void stop(struct fault_run *run)
{
	struct fd_limit_state *s = run->state;
	for (size_t i = 0; i < s->which.n; i++)
		rlimit_set_end(&s->sets[i]);
}

static int limit_one(struct fault_run *run, size_t i, struct err *e)
{
	const struct fd_limit_options *o = run->options;
	struct fd_limit_state *s = run->state;
	struct fault_node *node = s->which.nodes[i];
	struct rlimit_set *set = &s->sets[i];
	struct proc_id root;
	int r = fault_node_find(node, &root, e);
	set->guard = run->site->guard;
	set->resource = RLIMIT_NOFILE;
	if (r == 0)
		r = rlimit_set_lower(set, root, proc_descriptor_limit, (uint64_t)o->spare, e);
	if (r == 0 && set->n == 0)
		return err_set(e, ERANGE, "%s may open fewer files than that already", fault_node_name(node));
	if (r == 0)
		fault_tell(run, "node.limited", fault_node_name(node), 0, "pid=%d processes=%zu files=%llu",
			   (int)root.pid, set->n, (unsigned long long)set->list[0].after);
	return r;
}

static int start(struct fault_run *run, struct err *e)
{
	const struct fd_limit_options *o = run->options;
	struct fd_limit_state *s = run->state;
	int r = which_choose(run, &o->nodes, &s->which, e);
	for (size_t i = 0; r == 0 && i < s->which.n; i++)
		r = limit_one(run, i, e);
	if (r < 0)
		stop(run);
	return r;
}

static const struct opt fd_limit_options[] = {
	WHICH_ROW(fd_limit_options, "one"),
	{.name = "spare", .type = OPT_INT, .offset = offsetof(struct fd_limit_options, spare), .def = "0", .min = 0,
	 .max = FD_SPARE_MAX, .help = "descriptors that each process may still open"},
	{0},
};

static const struct fault_action fd_limit_process = {
	.undo = "each process gets its limit back",
	.state_size = sizeof(struct fd_limit_state), .start = start, .stop = stop};

const struct fault fault_fd_limit = {
	.name = "fd_limit",
	.about = "nodes can open no more files and accept no more connections",
	.known_as = "descriptor limits, EMFILE",
	.options = fd_limit_options,
	.options_size = sizeof(struct fd_limit_options),
	.process = &fd_limit_process,
};
