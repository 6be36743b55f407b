/*
 * One serving process, from its log to its drain: the only one, or a worker. A worker is told what to do through a pipe
 * and ignores signals, because a terminal or a service manager signals every process of a group, and what the parent
 * hands on would then arrive as a second signal, which means "at once".
 */
#include "server-under-test/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server-under-test/auth.h"
#include "server-under-test/drain.h"
#include "server-under-test/hub/hub.h"
#include "server-under-test/limits.h"
#include "server-under-test/metrics.h"
#include "server-under-test/store/store.h"
#include "server-under-test/tls.h"

static const int signums[] = { SIGTERM, SIGUSR2, SIGINT, SIGHUP };
#define SIGNUMS (sizeof(signums) / sizeof(signums[0]))

struct process {
	struct server server;
	struct log log;
	struct drain drain;
	const struct worker_place *place; /* NULL: the only process */
	bool redis; /* there is a backplane that can be away */
	bool told_down; /* the log's last word */
	struct hub_watch watch;
	ev_timer late; /* the store has not come up since the start */
	ev_signal signals[SIGNUMS];
	ev_io control;
};

int complain(int exit_code, const struct err *err)
{
	fprintf(stderr, "wsquall-server: %s\n", err->text);
	return exit_code;
}

bool server_store_up(const struct server *server)
{
	return !server->hub || hub_up(server->hub);
}

static void on_plain(void *arg, int fd, const char *ip)
{
	struct server *server = arg;

	server->engine->on_accept(server, fd, ip);
}

static void on_accept(void *arg, int fd, const char *ip)
{
	struct server *server = arg;

	if (server->tls)
		tls_accept(server->tls, fd, ip, on_plain, server);
	else
		on_plain(server, fd, ip);
}

static void reload(struct process *process)
{
	struct err err = { "" };

	if (process->server.tls)
		log_tls_reload(&process->log, tls_reload(process->server.tls, &err) < 0 ? err.text : NULL);
}

static void begin_drain(struct process *process, unsigned code)
{
	struct server *server = &process->server;
	unsigned connections = server->engine->open_count(server);

	if (drain_begin(&process->drain, code) && !process->place)
		log_server_drain(&process->log, code, connections);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct process *process = watcher->data;

	(void)loop;
	(void)events;
	if (watcher->signum == SIGHUP)
		reload(process);
	else
		begin_drain(process, watcher->signum == SIGUSR2 ? 1012 : 1001);
}

static void on_control(struct ev_loop *loop, ev_io *io, int events)
{
	struct process *process = io->data;
	char order;
	ssize_t n;

	(void)events;
	while ((n = read(io->fd, &order, 1)) == 1) {
		if (order == CONTROL_RELOAD)
			reload(process);
		else
			begin_drain(process, order == CONTROL_RESTART ? 1012 : 1001);
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		ev_break(loop, EVBREAK_ALL); /* nobody is there to end us later */
}

static void control_start(struct process *process)
{
	struct ev_loop *loop = process->server.loop;

	for (size_t i = 0; i < SIGNUMS && !process->place; i++) {
		ev_signal_init(&process->signals[i], on_signal, signums[i]);
		process->signals[i].data = process;
		ev_signal_start(loop, &process->signals[i]);
	}
	if (process->place) {
		ev_io_init(&process->control, on_control, process->place->control_fd, EV_READ);
		process->control.data = process;
		ev_io_start(loop, &process->control);
	}
}

static void control_stop(struct process *process)
{
	for (size_t i = 0; i < SIGNUMS && !process->place; i++)
		ev_signal_stop(process->server.loop, &process->signals[i]);
	if (process->place) {
		ev_io_stop(process->server.loop, &process->control);
		close(process->place->control_fd);
	}
}

/* A change, or at the start's end that it is still away. Without a backplane nothing is told. */
static void tell_backplane(struct process *process, bool up)
{
	metrics->backplane_up = up;
	ev_timer_stop(process->server.loop, &process->late);
	if (!process->redis || (!up && process->told_down))
		return;
	process->told_down = !up;
	log_backplane(&process->log, up);
}

static void on_store(struct hub_watch *watch, bool up)
{
	tell_backplane((struct process *)((char *)watch - offsetof(struct process, watch)), up);
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell_backplane(timer->data, false);
}

/* The naive engine has no /ws, and so no use for a hub. */
static int store_start(struct process *process, struct err *err)
{
	struct server *server = &process->server;
	const struct config *config = server->config;

	metrics->backplane_up = server->engine == &engine_naive;
	if (server->engine == &engine_naive)
		return 0;
	process->redis = strcmp(config->store, "redis") == 0;
	server->hub = hub_new(server->loop, config);
	process->watch.up = on_store;
	hub_watch_add(server->hub, &process->watch);
	if (process->redis)
		ev_timer_start(server->loop, &process->late);
	return hub_start(server->hub, process->redis ? &store_redis : &store_memory, err);
}

static int parts_start(struct process *process, struct err *err)
{
	struct server *server = &process->server;
	const struct config *config = server->config;
	int r = auth_open(&server->auth, config, err);

	if (r == 0)
		r = store_start(process, err);
	if (r == 0)
		r = server->engine->start(server, err);
	if (r < 0) {
		server->engine = NULL; /* it is not running */
		return r;
	}
	return config->tls_cert ? tls_start(&server->tls, server->loop, config, err) : 0;
}

/* Whatever was started. Whoever holds something of the hub's goes before it. */
static void parts_stop(struct process *process)
{
	struct server *server = &process->server;

	tls_stop(server->tls);
	if (server->engine)
		server->engine->stop(server);
	ev_timer_stop(server->loop, &process->late);
	if (server->hub)
		hub_watch_remove(server->hub, &process->watch);
	hub_free(server->hub);
	auth_close(server->auth);
}

static void tell_ready(struct process *process)
{
	const struct config *config = process->server.config;

	if (!process->place) {
		log_server_ready(&process->log, process->server.listener.port, config->tls_cert != NULL, 1);
		return;
	}
	if (write(process->place->ready_fd, "", 1) < 0) /* the parent is gone, which the control pipe tells, too */
		ev_break(process->server.loop, EVBREAK_ALL);
	close(process->place->ready_fd);
}

static int serve(struct process *process)
{
	struct server *server = &process->server;
	struct err err;
	int r = parts_start(process, &err);

	if (r < 0)
		return complain(r == -EINVAL ? EXIT_USAGE : EXIT_SOFTWARE, &err);
	drain_init(&process->drain, server);
	control_start(process);
	listener_watch(&server->listener, server->loop);
	tell_ready(process);
	ev_run(server->loop, 0);
	control_stop(process);
	drain_fini(&process->drain);
	return 0;
}

int process_run(const struct config *config, const struct listener *listener, const struct worker_place *place)
{
	struct process process = { .place = place };
	struct server *server = &process.server;
	unsigned index = place ? place->index : 0;
	struct err err;
	int r;

	server->config = config;
	server->log = &process.log;
	server->engine = strcmp(config->engine, "naive") == 0 ? &engine_naive : &engine_lws;
	server->listener = *listener;
	server->listener.on_accept = on_accept;
	server->listener.arg = server;
	if (log_open(&process.log, config->log, config->node, &err) < 0)
		return complain(EXIT_USAGE, &err);
	metrics_use(index);
	limits_use(index);
	server->loop = ev_loop_new(EVFLAG_AUTO);
	if (!server->loop) {
		err_set(&err, "cannot make an event loop");
		r = complain(EXIT_SOFTWARE, &err);
	} else {
		ev_timer_init(&process.late, on_late, config->redis_timeout_s, 0.);
		process.late.data = &process;
		r = serve(&process);
		parts_stop(&process);
	}
	listener_stop(&server->listener);
	if (server->loop)
		ev_loop_destroy(server->loop);
	log_close(&process.log);
	return r;
}
