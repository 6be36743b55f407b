/*
 * pause: a node hangs. Nothing of it runs, while its kernel still accepts connections and acknowledges what comes:
 * exactly what a peer sees of a blocked event loop, a garbage collection or a machine that swaps.
 */
#include "faults/pause.h"

#include "faults/freeze.h"

struct pause_state {
	struct fault_run *run;
	struct which which;
	struct freeze freezes[FAULT_NODES_MAX];
	struct timer timer;
	bool stopped;
};

int pause_check(const void *options, struct err *e)
{
	const struct pause_options *o = options;
	if (!o->on_ms != !o->off_ms)
		return err_set(e, EINVAL, "on and off belong together: stopped for `on`, going on for `off`");
	return 0;
}

static int pause_one(struct pause_state *s, size_t i, struct err *e)
{
	struct fault_node *node = s->which.nodes[i];
	struct proc_id root;
	int r = fault_node_find(node, &root, e);
	if (r == 0)
		r = freeze_stop(&s->freezes[i], root, e);
	if (r == 0)
		fault_tell(s->run, "node.paused", fault_node_name(node), 0, "pid=%d processes=%zu", (int)root.pid,
			   s->freezes[i].n);
	return r;
}

static void go_on(struct pause_state *s, size_t i)
{
	bool stopped = s->freezes[i].n > 0;
	freeze_end(&s->freezes[i]);
	if (stopped)
		fault_tell(s->run, "node.continued", fault_node_name(s->which.nodes[i]), 0, NULL);
}

/* Between stalls a node may have gone or have been replaced: whoever is there is stopped. */
static void on_turn(void *owner)
{
	struct pause_state *s = owner;
	const struct pause_options *o = s->run->options;
	struct err e;
	s->stopped = !s->stopped;
	for (size_t i = 0; i < s->which.n; i++) {
		if (!s->stopped)
			go_on(s, i);
		else if (pause_one(s, i, &e) < 0)
			fault_tell(s->run, "node.failed", fault_node_name(s->which.nodes[i]), 0, "%s", e.text);
	}
	timer_start(&s->timer, s->run->site->loop, s->stopped ? o->on_ms : o->off_ms, on_turn, s);
}

static void stop(struct fault_run *run)
{
	struct pause_state *s = run->state;
	timer_fini(&s->timer);
	for (size_t i = 0; i < s->which.n; i++)
		go_on(s, i);
}

static int start(struct fault_run *run, struct err *e)
{
	const struct pause_options *o = run->options;
	struct pause_state *s = run->state;
	s->run = run;
	int r = which_choose(run, &o->nodes, &s->which, e);
	for (size_t i = 0; r == 0 && i < s->which.n; i++) {
		s->freezes[i].guard = run->site->guard;
		r = pause_one(s, i, e);
	}
	s->stopped = true;
	if (r == 0 && o->on_ms)
		r = timer_start(&s->timer, run->site->loop, o->on_ms, on_turn, s);
	if (r < 0)
		stop(run);
	return r;
}

const struct fault_action pause_action = {
	.undo = "each process that was stopped goes on",
	.state_size = sizeof(struct pause_state), .start = start, .stop = stop,
};

static const struct opt pause_options[] = {
	WHICH_ROW(pause_options, "one"),
	PAUSE_PERIOD_ROWS,
	{0},
};

const struct fault fault_pause = {
	.name = "pause",
	.about = "all processes of nodes stand still, and go on at the end",
	.known_as = "event-loop stalls, GC pauses",
	.options = pause_options,
	.options_size = sizeof(struct pause_options),
	.check = pause_check,
	.process = &pause_action,
};
