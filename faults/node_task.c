/*
 * Ending and starting a node on the loop. The end of a process that is not our child is seen by its pidfd; a new
 * process of a supervisor by its pidfile; ready by asking.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "faults/node_internal.h"
#include "harness/base/clock.h"

void fault_node_cancel(struct fault_node *n)
{
	watch_stop(&n->end);
	timer_fini(&n->timer);
	ready_wait_stop(&n->waiting);
	free(TAKE_PTR(n->tree));
	n->tree_n = 0;
}

static void finish(struct fault_node *n, int error)
{
	fault_node_cancel(n);
	n->on_done(n->owner, error);
}

static void begin(struct fault_node *n, fault_node_done on_done, void *owner)
{
	fault_node_cancel(n);
	n->on_done = on_done;
	n->owner = owner;
	n->why.text[0] = 0;
}

/* --- stop --- */

static void on_end(void *owner)
{
	struct fault_node *n = owner;
	node_reap(n);
	finish(n, 0);
}

static int kill_tree(struct fault_node *n)
{
	int first = 0;
	n->killed = true;
	for (int i = 0; i < n->tree_n; i++) {
		int r = proc_signal(n->tree[i], SIGKILL);
		if (i == 0)
			first = r;
	}
	return first == -ESRCH ? 0 : first;
}

static void on_late(void *owner)
{
	struct fault_node *n = owner;
	if (n->killed) {
		err_set(&n->why, ETIMEDOUT, "%s did not end within %d s of SIGKILL", n->config.name, NODE_KILL_MS / 1000);
		return finish(n, -ETIMEDOUT);
	}
	/* Workers that were born since are found while their parent still lives. */
	int r = proc_tree(n->was, n->tree, PROC_TREE_MAX);
	if (r > 0)
		n->tree_n = r;
	kill_tree(n);
	if (timer_start(&n->timer, n->loop, NODE_KILL_MS, on_late, n) < 0)
		finish(n, -ENOMEM);
}

static int send_signal(struct fault_node *n, int signal, struct err *e)
{
	int r = signal == SIGKILL ? kill_tree(n) : proc_signal(n->was, signal);
	if (r < 0 && r != -ESRCH)
		return err_set(e, -r, "%s cannot be sent a signal: %s", n->config.name, strerror(-r));
	return 0;
}

int fault_node_stop(struct fault_node *n, int signal, uint64_t grace_ms, fault_node_done on_done, void *owner,
		    struct err *e)
{
	begin(n, on_done, owner);
	n->killed = n->told = false;
	n->tree = calloc(PROC_TREE_MAX, sizeof(*n->tree));
	if (!n->tree)
		return err_set(e, ENOMEM, "out of memory");
	int r = n->tree_n = fault_node_tree(n, n->tree, e);
	if (r < 0)
		goto fail;
	n->was = n->tree[0];
	int fd = proc_open(n->was);
	r = fd < 0 ? fd : watch_start(&n->end, n->loop, fd, false, on_end, n);
	if (r < 0) {
		err_set(e, -r, "%s cannot be watched: %s", n->config.name, strerror(-r));
		goto fail;
	}
	signal = signal ? signal : n->stop_signal;
	uint64_t after = signal == SIGKILL ? NODE_KILL_MS : grace_ms == UINT64_MAX ? n->config.grace_ms : grace_ms;
	r = timer_start(&n->timer, n->loop, after, on_late, n);
	if (r == 0)
		r = send_signal(n, signal, e);
	n->told = r == 0;
	if (r == 0)
		return 0;
fail:
	fault_node_cancel(n);
	return r;
}

/* --- start --- */

static void on_ready(void *owner, int error)
{
	struct fault_node *n = owner;
	if (error)
		err_set(&n->why, -error, "%s is not ready in time: %s", n->config.name, n->config.ready);
	finish(n, error);
}

static void on_early_end(void *owner)
{
	struct fault_node *n = owner;
	node_reap(n);
	err_set(&n->why, ECHILD, "%s ended before it was ready (%s); its log: %s", n->config.name, n->ending,
		n->config.log ? n->config.log : "none");
	finish(n, -ECHILD);
}

static void on_at_once(void *owner)
{
	finish(owner, 0);
}

static int await_ready(struct fault_node *n, uint64_t within_ms, struct err *e)
{
	int r = n->has_ready ? ready_wait_start(&n->waiting, n->loop, &n->ready, within_ms, on_ready, n)
			     : timer_start(&n->timer, n->loop, 0, on_at_once, n);
	return r < 0 ? err_set(e, -r, "out of memory") : 0;
}

/* A new process in the pidfile? */
static void on_look(void *owner)
{
	struct fault_node *n = owner;
	struct proc_id now;
	uint64_t now_us = clock_now_us();
	bool there = proc_from_pidfile(n->config.pidfile, &now) == 0 &&
		     (now.pid != n->was.pid || now.started != n->was.started);
	if (!there && now_us >= n->until_us) {
		err_set(&n->why, ETIMEDOUT, "%s was not started again by its supervisor: %s names no new process",
			n->config.name, n->config.pidfile);
		return finish(n, -ETIMEDOUT);
	}
	int r = there ? await_ready(n, now_us < n->until_us ? (n->until_us - now_us) / 1000 : 0, &n->why)
		      : timer_start(&n->timer, n->loop, NODE_LOOK_MS, on_look, n);
	if (r < 0)
		finish(n, r);
}

static int start_ourselves(struct fault_node *n, uint64_t within_ms, struct err *e)
{
	int r = fault_node_start_now(n, e);
	if (r < 0)
		return r;
	int fd = n->ours.pid ? proc_open(n->ours) : -1;
	if (fd >= 0)
		watch_start(&n->end, n->loop, fd, false, on_early_end, n);
	return await_ready(n, within_ms, e);
}

int fault_node_start(struct fault_node *n, uint64_t within_ms, fault_node_done on_done, void *owner, struct err *e)
{
	begin(n, on_done, owner);
	within_ms = within_ms ? within_ms : n->config.ready_within_ms;
	n->until_us = clock_now_us() + within_ms * 1000;
	int r = fault_node_must_return(n, e);
	if (r == 0 && n->config.start)
		r = start_ourselves(n, within_ms, e);
	else if (r == 0 && timer_start(&n->timer, n->loop, 0, on_look, n) < 0)
		r = err_set(e, ENOMEM, "out of memory");
	if (r < 0)
		fault_node_cancel(n);
	return r;
}

int fault_node_await_ready(struct fault_node *n, uint64_t within_ms, fault_node_done on_done, void *owner,
			   struct err *e)
{
	begin(n, on_done, owner);
	return await_ready(n, within_ms ? within_ms : n->config.ready_within_ms, e);
}

void fault_node_note(struct fault_node *n)
{
	n->told = false;
	if (fault_node_find(n, &n->was, NULL) < 0)
		n->was = (struct proc_id){0};
}

int fault_node_await_return(struct fault_node *n, uint64_t within_ms, fault_node_done on_done, void *owner,
			    struct err *e)
{
	if (!n->config.pidfile)
		return fault_node_await_ready(n, within_ms, on_done, owner, e);
	begin(n, on_done, owner);
	n->until_us = clock_now_us() + (within_ms ? within_ms : n->config.ready_within_ms) * 1000;
	return timer_start(&n->timer, n->loop, 0, on_look, n) < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}
