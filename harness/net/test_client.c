/* The side of the tests that uses the code under test: writes down what a stream tells. */
#include "harness/net/test_client.h"

#include <poll.h>
#include <stdio.h>

enum { GUARD_MS = 10000, TURNS_AFTER = 4, TURNS_UNTIL_IDLE = 50 };

static void client_act(struct client *c, const char *on)
{
	for (const struct client_act *a = c->acts; a && a->what != CLIENT_NOTHING; a++) {
		if (strcmp(a->on, on) != 0 || !c->stream)
			continue;
		switch (a->what) {
		case CLIENT_NOTHING:
			break;
		case CLIENT_WRITE:
			stream_write(c->stream, span_str(a->text));
			break;
		case CLIENT_WRITE_EACH:
			for (const char *at = a->text; *at; at++)
				stream_write(c->stream, span_of(at, 1));
			break;
		case CLIENT_SHUTDOWN:
			stream_shutdown(c->stream);
			break;
		case CLIENT_RESET:
			stream_reset(c->stream);
			break;
		case CLIENT_PAUSE:
		case CLIENT_RESUME:
			stream_pause(c->stream, a->what == CLIENT_PAUSE);
			break;
		case CLIENT_FREE:
			stream_free(TAKE_PTR(c->stream));
			break;
		}
	}
}

static void client_log(struct client *c, const char *word, const char *detail)
{
	buf_printf(&c->log, "%s%s%s", c->log.len ? " " : "", word, detail);
	c->in_data = false;
	loop_stop(&c->loop); /* back to client_run, which compares */
}

static void on_open(void *owner)
{
	struct client *c = owner;
	snprintf(c->description, sizeof(c->description), "%s", stream_describe(c->stream));
	client_log(c, "open", "");
	client_act(c, "open");
}

static void on_data(void *owner, struct span data)
{
	struct client *c = owner;
	if (!c->in_data)
		client_log(c, "data:", "");
	c->in_data = true;
	buf_append_span(&c->log, data);
	loop_stop(&c->loop);
	client_act(c, "data");
}

static void on_eof(void *owner, bool clean)
{
	client_log(owner, "eof:", clean ? "clean" : "cut");
	client_act(owner, "eof");
}

static void on_error(void *owner, int error)
{
	struct client *c = owner;
	snprintf(c->error_text, sizeof(c->error_text), "%s", stream_error_text(c->stream));
	client_log(c, "error:", strerrorname_np(-error));
	client_act(c, "error");
}

const struct stream_events client_events = {on_open, on_data, on_eof, on_error};

static void on_told(uv_async_t *async)
{
	struct client *c = async->data;
	while (c->told_seen < atomic_load(&c->peer->told_count)) {
		char name[16];
		snprintf(name, sizeof(name), "told%d", ++c->told_seen);
		client_log(c, name, "");
		client_act(c, name);
	}
}

static void on_guard(void *owner)
{
	struct client *c = owner;
	c->timed_out = true;
}

void client_init(struct client *c, struct peer *peer, const struct client_act *acts)
{
	*c = (struct client){.acts = acts, .peer = peer};
	loop_init(&c->loop);
	buf_init(&c->log, 1 << 16);
	uv_async_init(&c->loop.uv, &c->told, on_told);
	c->told.data = c;
	if (peer)
		peer->told = &c->told;
}

const char *client_run(struct client *c, const char *expected)
{
	timer_start(&c->guard, &c->loop, GUARD_MS, on_guard, c);
	while (strcmp(buf_cstr(&c->log), expected) != 0 && !c->timed_out)
		uv_run(&c->loop.uv, UV_RUN_ONCE);
	for (int i = 0; i < TURNS_AFTER; i++)
		uv_run(&c->loop.uv, UV_RUN_NOWAIT);
	return buf_cstr(&c->log);
}

bool client_is_idle(struct client *c)
{
	struct pollfd loop = {.fd = uv_backend_fd(&c->loop.uv), .events = POLLIN};
	int turns = 0;
	do
		uv_run(&c->loop.uv, UV_RUN_NOWAIT);
	while (poll(&loop, 1, 0) != 0 && ++turns < TURNS_UNTIL_IDLE);
	return turns < TURNS_UNTIL_IDLE;
}

void client_fini(struct client *c)
{
	stream_free(TAKE_PTR(c->stream));
	timer_fini(&c->guard);
	uv_close((uv_handle_t *)&c->told, NULL);
	loop_fini(&c->loop);
	buf_fini(&c->log);
}
