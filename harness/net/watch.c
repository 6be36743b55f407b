/*
 * Process faults and those who look at a target wait for ends of processes, connects, output of commands, changes of
 * files. libuv keeps a handle until its close callback, so it lies on the heap, as in a timer of loop.h.
 */
#include "harness/net/watch.h"

#include <stdlib.h>
#include <unistd.h>

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct watch *w = handle->data;
	(void)status;
	(void)events;
	w->on_ready(w->owner);
}

static void on_close(uv_handle_t *handle)
{
	free(handle);
}

int watch_start(struct watch *w, struct loop *l, int fd, bool writable, void (*on_ready)(void *owner), void *owner)
{
	watch_stop(w);
	uv_poll_t *handle = malloc(sizeof(*handle));
	int r = handle ? uv_poll_init(&l->uv, handle, fd) : -ENOMEM;
	if (r < 0) {
		free(handle);
		close(fd);
		return r;
	}
	*w = (struct watch){handle, fd, on_ready, owner};
	handle->data = w;
	r = watch_turn(w, writable);
	if (r < 0)
		watch_stop(w);
	return r;
}

int watch_turn(struct watch *w, bool writable)
{
	return uv_poll_start(w->handle, writable ? UV_WRITABLE : UV_READABLE, on_poll);
}

void watch_stop(struct watch *w)
{
	uv_poll_t *handle = TAKE_PTR(w->handle);
	if (!handle)
		return;
	uv_poll_stop(handle);
	uv_close((uv_handle_t *)handle, on_close);
	close(w->fd);
	w->fd = -1;
}
