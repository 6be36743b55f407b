/*
 * The naive engine: a small echo server by hand on libev and sockets. With no defect on it follows RFC 6455 to the
 * letter, so that every conformance case can pass somewhere; and it is the one place where wire-level bugs are
 * switched on.
 */
#include <stdlib.h>

#include "server-under-test/naive/naive_conn.h"

static int naive_start(struct server *server, struct err *err)
{
	struct naive_engine *engine = calloc(1, sizeof(*engine));

	(void)err;
	if (!engine)
		abort();
	engine->server = server;
	server->engine_data = engine;
	return 0;
}

static void naive_on_accept(struct server *server, int fd, const char *ip)
{
	naive_conn_new(server->engine_data, fd, ip);
}

static unsigned naive_open_count(struct server *server)
{
	struct naive_engine *engine = server->engine_data;

	return engine->websockets;
}

static unsigned naive_close_some(struct server *server, unsigned count, unsigned code)
{
	struct naive_engine *engine = server->engine_data;
	unsigned closed = 0;

	for (struct naive_conn *conn = engine->conns; conn && closed < count; conn = conn->next)
		closed += naive_conn_close(conn, code);
	return closed;
}

static void naive_stop(struct server *server)
{
	struct naive_engine *engine = server->engine_data;

	while (engine->conns)
		naive_conn_free(engine->conns);
	free(engine);
}

const struct engine engine_naive = {
	.name = "naive",
	.start = naive_start,
	.on_accept = naive_on_accept,
	.open_count = naive_open_count,
	.close_some = naive_close_some,
	.stop = naive_stop,
};
