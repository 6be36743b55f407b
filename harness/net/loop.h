#pragma once
/* The event loop (libuv) and its timers. One loop, one thread. */
#include <uv.h>

#include "harness/base/err.h"

struct loop {
	uv_loop_t uv;
};

/* Also, for the whole process: SIGPIPE is ignored, and the soft limit of open files is raised to the hard one. Negative
 * errno. */
int loop_init(struct loop *l);
/* In a child between fork and exec, which is none of ours any more: takes both back. Safe there. */
void loop_release(void);
/* Runs what is left of closing handles, then frees; asserts that nothing else is alive. */
void loop_fini(struct loop *l);
/* Until no active handle is left or loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* One-shot timer for the caller's struct. Zero it before the first start; starting again moves it; after timer_fini the
 * memory may go (timers never live inside uv's own memory longer than the call: the handle is heap-kept and closed
 * asynchronously). */
struct timer {
	uv_timer_t *handle;
	void (*on_fire)(void *owner);
	void *owner;
};

/* Counts from now, not from the start of the loop's turn; 0 fires on the next turn, never inside the call. -ENOMEM. */
int timer_start(struct timer *t, struct loop *l, uint64_t after_ms, void (*on_fire)(void *owner), void *owner);
void timer_stop(struct timer *t);
void timer_fini(struct timer *t); /* stops; safe on a zeroed or finished timer; may be called from on_fire */
