/*
 * libuv's loop behind four calls, and one-shot timers whose handle lives on the heap: uv keeps a handle until its close
 * callback, which comes a turn later than the moment the owner wants its memory back. Facts of the process that every
 * connection needs are set here.
 */
#include "harness/net/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>

static struct rlimit files_before;
static bool files_raised;

/* Hundreds of connections at once do not fit the usual soft limit of 1024 files. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	if (!files_raised)
		files_before = limit;
	limit.rlim_cur = limit.rlim_max;
	files_raised = setrlimit(RLIMIT_NOFILE, &limit) == 0 || files_raised;
}

void loop_release(void)
{
	signal(SIGPIPE, SIG_DFL);
	if (files_raised)
		setrlimit(RLIMIT_NOFILE, &files_before);
}

int loop_init(struct loop *l)
{
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	return uv_loop_init(&l->uv);
}

static void assert_closing(uv_handle_t *handle, void *unused)
{
	(void)unused;
	(void)handle;
	assert(uv_is_closing(handle) && "a timer or stream outlives its loop");
}

void loop_fini(struct loop *l)
{
	while (uv_loop_close(&l->uv) == UV_EBUSY) {
		uv_walk(&l->uv, assert_closing, NULL);
		uv_run(&l->uv, UV_RUN_ONCE);
	}
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

static void timer_on_uv(uv_timer_t *handle)
{
	struct timer *t = handle->data;
	t->on_fire(t->owner);
}

int timer_start(struct timer *t, struct loop *l, uint64_t after_ms, void (*on_fire)(void *owner), void *owner)
{
	if (!t->handle) {
		uv_timer_t *handle = malloc(sizeof(*handle));
		if (!handle)
			return -ENOMEM;
		uv_timer_init(&l->uv, handle);
		t->handle = handle;
	}
	t->handle->data = t;
	t->on_fire = on_fire;
	t->owner = owner;
	uv_update_time(&l->uv);
	return uv_timer_start(t->handle, timer_on_uv, after_ms, 0);
}

void timer_stop(struct timer *t)
{
	if (t->handle)
		uv_timer_stop(t->handle);
}

static void timer_on_close(uv_handle_t *handle)
{
	free(handle);
}

void timer_fini(struct timer *t)
{
	uv_timer_t *handle = TAKE_PTR(t->handle);
	if (handle)
		uv_close((uv_handle_t *)handle, timer_on_close);
}
