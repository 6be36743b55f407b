/*
 * rolling_restart: one node after the other is told to end, started again and awaited, as every deploy does. Clients of
 * each node must move and come back; at no time is more than one node away, or it is the deploy that broke the service
 * and not the service: before a node is told to end, all others must be ready, and the first that does not come back
 * ends it all.
 */
#include <errno.h>

#include "faults/hooks.h"
#include "faults/outage.h"

enum { ROLLING_TIMEOUT_MAX_MS = 3600000 };

struct rolling_options {
	struct opt_strings nodes;
	int order;
	const char *signal, *hook;
	uint64_t grace_ms, ready_within_ms, stagger_ms, timeout_ms;
};

enum rolling_order { ROLLING_GIVEN, ROLLING_REVERSE, ROLLING_RANDOM };

struct rolling_state {
	struct fault_run *run;
	struct which which;        /* in the order in which they go */
	size_t at, look;           /* the node it is about; the node of the site whose readiness is asked */
	struct fault_node *busy;   /* has a task */
	bool over;
	int promise;
	struct timer timer;
	struct hook_call call;
	struct command_run command;
};

static int check(const void *options, struct err *e)
{
	const struct rolling_options *o = options;
	int signal;
	return o->signal ? fault_signal_parse(o->signal, &signal, e) : 0;
}

static void fail(struct rolling_state *s, const struct fault_node *node, const char *why, int error)
{
	s->over = true;
	fault_tell(s->run, "node.failed", node ? fault_node_name(node) : NULL, 0, "%s", why);
	fault_done(s->run, error);
}

static struct fault_node *current(const struct rolling_state *s)
{
	return s->at < s->which.n ? s->which.nodes[s->at] : NULL;
}

static void others(struct rolling_state *s);

static void on_next(void *owner)
{
	struct rolling_state *s = owner;
	s->look = 0;
	others(s);
}

static void on_back(void *owner, int error)
{
	struct rolling_state *s = owner;
	const struct rolling_options *o = s->run->options;
	struct fault_node *node = current(s);
	s->busy = NULL;
	if (error)
		return fail(s, node, fault_node_why(node), error);
	fault_tell(s->run, "node.ready", fault_node_name(node), 0, "%zu/%zu", s->at + 1, s->which.n);
	if (++s->at == s->which.n)
		return fault_done(s->run, 0);
	if (timer_start(&s->timer, s->run->site->loop, o->stagger_ms, on_next, s) < 0)
		fail(s, NULL, "out of memory", -ENOMEM);
}

static void on_ended(void *owner, int error)
{
	struct rolling_state *s = owner;
	const struct rolling_options *o = s->run->options;
	struct fault_node *node = current(s);
	struct proc_id now;
	struct err e;
	if (error)
		return fail(s, node, fault_node_why(node), error);
	fault_tell(s->run, "node.ended", fault_node_name(node), 0, "%s", fault_node_ending(node));
	int r = fault_node_start(node, o->ready_within_ms, on_back, s, &e);
	if (r < 0)
		return fail(s, node, e.text, r);
	if (s->promise > 0 && fault_node_find(node, &now, NULL) == 0) {
		guard_drop(s->run->site->guard, s->promise);
		s->promise = 0;
		fault_tell(s->run, "node.started", fault_node_name(node), 0, "pid=%d", (int)now.pid);
	}
}

static void on_command(void *owner, const struct command_result *result)
{
	struct rolling_state *s = owner;
	const struct rolling_options *o = s->run->options;
	struct fault_node *node = current(s);
	struct err e;
	hooks_tell(s->run, "hook.restarted", node ? fault_node_name(node) : NULL, result);
	if (result->late || result->status)
		return fail(s, node, "the hook failed", result->late ? -ETIMEDOUT : -ECHILD);
	if (!node)
		return others(s); /* all at once: are they all ready now? */
	s->busy = node;
	int r = fault_node_await_return(node, o->ready_within_ms, on_back, s, &e);
	if (r < 0)
		fail(s, node, e.text, r);
}

static int run_hook(struct rolling_state *s, struct fault_node *node, struct err *e)
{
	const struct rolling_options *o = s->run->options;
	int r = hooks_call(s->run->site, o->hook, s->run->name, "restart", node ? fault_node_name(node) : NULL,
			   o->timeout_ms, &s->call, e);
	if (r == 0 && node)
		fault_node_note(node);
	return r == 0 ? command_start(&s->command, s->run->site->loop, NULL, &s->call.spec, on_command, s, e) : r;
}

static int take_down(struct rolling_state *s, struct fault_node *node, struct err *e)
{
	const struct rolling_options *o = s->run->options;
	struct proc_id id;
	int signal = 0;
	if (o->hook)
		return run_hook(s, node, e);
	s->promise = fault_node_promise(node, s->run->site->guard, e);
	int r = s->promise < 0 ? s->promise : fault_node_find(node, &id, e);
	if (r < 0)
		return r;
	if (o->signal)
		fault_signal_parse(o->signal, &signal, NULL);
	fault_tell(s->run, "node.signal", fault_node_name(node), 0, "pid=%d signal=%s", (int)id.pid,
		   o->signal ? o->signal : "its own");
	s->busy = node;
	r = fault_node_stop(node, signal, o->grace_ms ? o->grace_ms : UINT64_MAX, on_ended, s, e);
	return r;
}

static void on_other(void *owner, int error)
{
	struct rolling_state *s = owner;
	struct fault_node *other = s->busy;
	s->busy = NULL;
	if (error)
		return fail(s, other, fault_node_why(other), error);
	s->look++;
	others(s);
}

/* Each of the site's nodes in turn, but the one that is about to go. */
static void others(struct rolling_state *s)
{
	const struct rolling_options *o = s->run->options;
	struct fault_node *const *all = s->run->site->nodes, *node = current(s);
	struct proc_id id;
	struct err e;
	while (all && all[s->look] && all[s->look] == node)
		s->look++;
	struct fault_node *other = all ? all[s->look] : NULL;
	if (!other && !node)
		return fault_done(s->run, 0);
	if (!other) {
		int r = take_down(s, node, &e);
		return r < 0 ? fail(s, node, e.text, r) : (void)0;
	}
	s->busy = other;
	int r = fault_node_find(other, &id, &e);
	if (r == -ESRCH && !fault_node_config(other)->pidfile)
		r = 0; /* found by `ready` alone */
	if (r == 0)
		r = fault_node_await_ready(other, o->ready_within_ms, on_other, s, &e);
	if (r < 0)
		fail(s, other, e.text, r);
}

static void put_in_order(struct rolling_state *s)
{
	const struct rolling_options *o = s->run->options;
	struct fault_node **nodes = s->which.nodes;
	size_t n = s->which.n;
	for (size_t i = 0; o->order != ROLLING_GIVEN && i + 1 < n; i++) {
		size_t with = o->order == ROLLING_REVERSE ? n - 1 - i : i + rng_below(&s->run->rng, n - i);
		if (o->order == ROLLING_REVERSE && with <= i)
			break;
		struct fault_node *node = nodes[i];
		nodes[i] = nodes[with];
		nodes[with] = node;
	}
}

static void stop(struct fault_run *run)
{
	struct rolling_state *s = run->state;
	timer_fini(&s->timer);
	command_stop(&s->command);
	if (s->busy)
		fault_node_cancel(s->busy);
	if (current(s))
		outage_heal(run, current(s), &s->promise);
}

static int start(struct fault_run *run, struct err *e)
{
	const struct rolling_options *o = run->options;
	struct rolling_state *s = run->state;
	struct hook_call call;
	s->run = run;
	int r = which_choose(run, &o->nodes, &s->which, e);
	for (size_t i = 0; r == 0 && !o->hook && i < s->which.n; i++)
		r = fault_node_must_return(s->which.nodes[i], e);
	if (r == 0 && o->hook)
		r = hooks_call(run->site, o->hook, run->name, "restart", NULL, o->timeout_ms, &call, e);
	if (r < 0)
		return r;
	put_in_order(s);
	return timer_start(&s->timer, run->site->loop, 0, on_next, s) < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

/* On the plane hook the command restarts all, in its own way. */
static int start_hook(struct fault_run *run, struct err *e)
{
	const struct rolling_options *o = run->options;
	struct rolling_state *s = run->state;
	s->run = run;
	if (!o->hook)
		return err_set(e, EINVAL, "hook must name the hook of the target file that restarts the nodes");
	return run_hook(s, NULL, e);
}

static const char *const orders[] = {"given", "reverse", "random", NULL};

static const struct opt rolling_restart_options[] = {
	WHICH_ROW(rolling_options, "all"),
	{.name = "order", .type = OPT_ENUM, .offset = offsetof(struct rolling_options, order), .choices = orders,
	 .help = "in which order: as the target file has them, reversed, or by the seed"},
	{.name = "signal", .type = OPT_STRING, .offset = offsetof(struct rolling_options, signal), .metavar = "SIGNAL",
	 .help = "which signal ends a node; without it: its own"},
	{.name = "grace", .type = OPT_DURATION, .offset = offsetof(struct rolling_options, grace_ms), .max = FAULT_TIME_MAX_MS,
	 .help = "time it has to end before it is killed; without it: its own"},
	{.name = "ready_within", .type = OPT_DURATION, .offset = offsetof(struct rolling_options, ready_within_ms),
	 .max = FAULT_TIME_MAX_MS, .help = "time it has to become ready again; without it: its own"},
	{.name = "stagger", .type = OPT_DURATION, .offset = offsetof(struct rolling_options, stagger_ms), .def = "1s",
	 .max = FAULT_TIME_MAX_MS,
	 .help = "time between a node that is ready and the next one: the load balancer must notice"},
	{.name = "hook", .type = OPT_STRING, .offset = offsetof(struct rolling_options, hook), .metavar = "HOOK",
	 .help = "the hook of the target file that restarts $WSQUALL_NODE, instead of a signal"},
	{.name = "timeout", .type = OPT_DURATION, .offset = offsetof(struct rolling_options, timeout_ms), .def = "30s",
	 .min = 1, .max = ROLLING_TIMEOUT_MAX_MS, .help = "time that the hook has for each node"},
	{0},
};

static const struct fault_action rolling_process = {
	.undo = "a node that is away is started again",
	.state_size = sizeof(struct rolling_state), .start = start, .stop = stop};
static const struct fault_action rolling_hook = {
	.state_size = sizeof(struct rolling_state), .start = start_hook, .stop = stop};

const struct fault fault_rolling_restart = {
	.name = "rolling_restart",
	.about = "nodes are restarted one after the other, never two at once",
	.known_as = "rolling deploys",
	.options = rolling_restart_options,
	.options_size = sizeof(struct rolling_options),
	.check = check,
	.process = &rolling_process,
	.hook = &rolling_hook,
};
