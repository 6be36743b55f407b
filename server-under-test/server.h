#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <ev.h>
#include <stdbool.h>

#include "server-under-test/config/config.h"
#include "server-under-test/base/err.h"
#include "server-under-test/listener.h"
#include "server-under-test/log.h"

struct auth;
struct doors;
struct hub;
struct server;
struct tls;

/* A way to speak WebSocket on accepted sockets. One instance per server, its state behind server->engine_data. */
struct engine {
	const char *name;
	/* Before the first connection. 0, or negative errno with the sentence in err. */
	int (*start)(struct server *server, struct err *err);
	/* Takes over fd. ip is borrowed for the call. */
	void (*on_accept)(struct server *server, int fd, const char *ip);
	/* WebSockets that are not over yet, the closing ones included. */
	unsigned (*open_count)(struct server *server);
	/* Sends a Close to at most `count` WebSockets that have none yet; returns how many. */
	unsigned (*close_some)(struct server *server, unsigned count, unsigned code);
	/* Drops every connection and frees the state. */
	void (*stop)(struct server *server);
};

extern const struct engine engine_lws;
extern const struct engine engine_naive;

struct server {
	struct ev_loop *loop;
	const struct config *config;
	struct log *log;
	const struct engine *engine;
	void *engine_data;
	struct listener listener;
	struct hub *hub;
	struct auth *auth; /* NULL: no credentials are needed */
	struct tls *tls; /* NULL: plain */
	struct doors *doors; /* the engine's, for plain HTTP; NULL: it has none */
	bool draining; /* readyz is 503; from the signal on */
	bool refusing; /* upgrades get 503, streams end; from the end of the notice on */
};

/* Whether /ws can be served: there is no backplane, or it answers. */
bool server_store_up(const struct server *server);

#endif
