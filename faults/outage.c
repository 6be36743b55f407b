/* One state machine a node: told to end, ended, away, starting, back. Nodes do not wait for each other. */
#include "faults/outage.h"

#include <signal.h>
#include <string.h>

#include "faults/undo.h"

enum outage_step { OUTAGE_ENDING, OUTAGE_AWAY, OUTAGE_STARTING, OUTAGE_BACK };

struct outage_one {
	struct fault_run *run;
	struct fault_node *node;
	enum outage_step step;
	struct timer timer;
	int promise;
};

struct outage_state {
	struct outage_one ones[FAULT_NODES_MAX];
	size_t n, open;            /* open: has not reached its end yet */
	int error;                 /* of the first that failed */
};

int outage_check(const void *options, struct err *e)
{
	const struct outage_options *o = options;
	int signal;
	int r = o->signal ? fault_signal_parse(o->signal, &signal, e) : 0;
	if (r == 0 && o->restart_after_ms && !o->restart)
		return err_set(e, EINVAL, "restart_after says when it is started again, restart=false that it never is");
	return r;
}

/* The last thing that is done for a node: the run may be gone afterwards. */
static void reach_end(struct outage_one *one, int error)
{
	struct fault_run *run = one->run;
	struct outage_state *s = run->state;
	one->step = OUTAGE_BACK;
	if (error) {
		fault_tell(run, "node.failed", fault_node_name(one->node), 0, "%s", fault_node_why(one->node));
		s->error = s->error ? s->error : error;
	}
	if (--s->open == 0)
		fault_done(run, s->error);
}

static void promise_kept(struct outage_one *one)
{
	if (one->promise <= 0)
		return;
	guard_drop(one->run->site->guard, one->promise);
	one->promise = 0;
}

static void on_started(void *owner, int error)
{
	struct outage_one *one = owner;
	if (error == 0)
		fault_tell(one->run, "node.ready", fault_node_name(one->node), 0, NULL);
	reach_end(one, error);
}

static void start_again(void *owner)
{
	struct outage_one *one = owner;
	const struct outage_options *o = one->run->options;
	struct proc_id now;
	struct err e;
	one->step = OUTAGE_STARTING;
	int r = fault_node_start(one->node, o->ready_within_ms, on_started, one, &e);
	if (r < 0) {
		fault_tell(one->run, "node.failed", fault_node_name(one->node), 0, "%s", e.text);
		return reach_end(one, r);
	}
	if (one->promise && fault_node_find(one->node, &now, NULL) == 0) {
		promise_kept(one);
		fault_tell(one->run, "node.started", fault_node_name(one->node), 0, "pid=%d", (int)now.pid);
	}
}

static void on_ended(void *owner, int error)
{
	struct outage_one *one = owner;
	const struct outage_options *o = one->run->options;
	if (error)
		return reach_end(one, error);
	one->step = OUTAGE_AWAY;
	fault_tell(one->run, "node.ended", fault_node_name(one->node), 0, "%s", fault_node_ending(one->node));
	if (!o->restart)
		return reach_end(one, 0);
	if (!fault_node_config(one->node)->start)
		return start_again(one); /* its supervisor does, when it likes */
	if (o->restart_after_ms &&
	    timer_start(&one->timer, one->run->site->loop, o->restart_after_ms, start_again, one) < 0)
		reach_end(one, -ENOMEM);
}

static int begin_one(struct outage_one *one, struct err *e)
{
	const struct outage_options *o = one->run->options;
	struct proc_id id;
	int signal = 0, r = fault_node_find(one->node, &id, e);
	if (r < 0)
		return r;
	if (o->restart) {
		one->promise = fault_node_promise(one->node, one->run->site->guard, e);
		if (one->promise < 0)
			return one->promise;
	}
	if (o->signal)
		fault_signal_parse(o->signal, &signal, NULL);
	fault_tell(one->run, "node.signal", fault_node_name(one->node), 0, "pid=%d signal=%s", (int)id.pid,
		   o->signal ? o->signal : "its own");
	r = fault_node_stop(one->node, signal, o->grace_ms ? o->grace_ms : UINT64_MAX, on_ended, one, e);
	if (r < 0)
		promise_kept(one); /* it was not told to end */
	return r;
}

/* What was told to end, but has not, is ended now: only then can it be started. While it lives the promise holds. */
void outage_heal(struct fault_run *run, struct fault_node *node, int *promise)
{
	struct err e;
	fault_node_cancel(node);
	if (*promise <= 0)
		return;
	int r = fault_node_end_now(node, &e);
	if (r == 0)
		r = fault_node_start_now(node, &e);
	if (r < 0) {
		fault_tell(run, "node.failed", fault_node_name(node), 0, "%s", e.text);
		return; /* the guard tries again */
	}
	guard_drop(run->site->guard, *promise);
	*promise = 0;
	fault_tell(run, "node.started", fault_node_name(node), 0, NULL);
}

static void stop(struct fault_run *run)
{
	struct outage_state *s = run->state;
	for (size_t i = 0; i < s->n; i++) {
		timer_fini(&s->ones[i].timer);
		outage_heal(run, s->ones[i].node, &s->ones[i].promise);
	}
	s->n = 0;
}

static int start(struct fault_run *run, struct err *e)
{
	const struct outage_options *o = run->options;
	struct outage_state *s = run->state;
	struct which which;
	int r = which_choose(run, &o->nodes, &which, e);
	for (size_t i = 0; r == 0 && o->restart && i < which.n; i++)
		r = fault_node_must_return(which.nodes[i], e);
	s->open = r == 0 ? which.n : 0;
	for (size_t i = 0; r == 0 && i < which.n; i++) {
		s->ones[s->n++] = (struct outage_one){.run = run, .node = which.nodes[i]};
		r = begin_one(&s->ones[i], e);
	}
	if (r < 0)
		stop(run);
	return r;
}

const struct fault_action outage_action = {
	.undo = "nodes with a start command are started again; others stay ended",
	.state_size = sizeof(struct outage_state), .start = start, .stop = stop,
};
