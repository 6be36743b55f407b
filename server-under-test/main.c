/* wsquall-server: the reference server, and with --engine naive the server whose bugs can be switched on. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "server-under-test/defects.h"
#include "server-under-test/drain.h"
#include "server-under-test/server.h"

#define EXIT_USAGE 64
#define EXIT_UNAVAILABLE 69
#define EXIT_SOFTWARE 70

static void on_accept(void *arg, int fd, const char *ip)
{
	struct server *server = arg;

	server->engine->on_accept(server, fd, ip);
}

static int complain(int exit_code, const struct err *err)
{
	fprintf(stderr, "wsquall-server: %s\n", err->text);
	return exit_code;
}

static int serve(struct server *server, struct err *err)
{
	const struct config *config = server->config;
	struct drain drain;
	int r;

	server->listener.on_accept = on_accept;
	server->listener.arg = server;
	r = listener_start(&server->listener, server->loop, config->bind, (unsigned)config->port, err);
	if (r < 0)
		return complain(r == -EINVAL ? EXIT_USAGE : EXIT_UNAVAILABLE, err);
	drain_init(&drain, server);
	log_server_ready(server->log, server->listener.port, config->tls_cert != NULL);
	ev_run(server->loop, 0);
	drain_fini(&drain);
	listener_stop(&server->listener);
	return 0;
}

static int run(const struct config *config, struct err *err)
{
	struct log log;
	struct server server = { .config = config, .log = &log, .listener.fd = -1 };
	int r;

	for (unsigned i = 0; i < config->defects.count; i++)
		if (defects_enable(config->defects.items[i], err) < 0)
			return complain(EXIT_USAGE, err);
	server.engine = strcmp(config->engine, "naive") == 0 ? &engine_naive : &engine_lws;
	if (log_open(&log, config->log, config->node, err) < 0)
		return complain(EXIT_USAGE, err);
	signal(SIGPIPE, SIG_IGN);
	server.loop = ev_loop_new(EVFLAG_AUTO);
	if (!server.loop) {
		err_set(err, "cannot make an event loop");
		r = complain(EXIT_SOFTWARE, err);
	} else if ((r = server.engine->start(&server, err)) < 0) {
		r = complain(r == -EINVAL ? EXIT_USAGE : EXIT_SOFTWARE, err);
	} else {
		r = serve(&server, err);
		server.engine->stop(&server);
	}
	if (server.loop)
		ev_loop_destroy(server.loop);
	log_close(&log);
	return r;
}

int main(int argc, char **argv)
{
	struct config config;
	struct err err;
	enum config_command command;
	int r = config_parse(&config, argc, argv, &command, &err);

	if (r < 0)
		r = complain(EXIT_USAGE, &err);
	else if (command == CONFIG_HELP)
		config_print_help();
	else if (command == CONFIG_VERSION)
		puts("wsquall-server " WSQUALL_VERSION);
	else if (command == CONFIG_LIST_DEFECTS)
		r = defects_print() < 0 ? EXIT_SOFTWARE : 0;
	else
		r = run(&config, &err);
	config_fini(&config);
	return r;
}
