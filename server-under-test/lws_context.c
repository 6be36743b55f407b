/*
 * The engine on libwebsockets and its libev plug-in. The library's default loop is poll(), which collapses with many
 * idle connections, so a start without the plug-in is refused. The listening socket is ours; plain sockets come
 * through a door that reads the request, TLS ones are the library's from the start.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server-under-test/lws_engine.h"
#include "server-under-test/lws_plugin.h"
#include "server-under-test/reply.h"

static struct lws_conn *conn_new(struct lws_engine *engine)
{
	struct lws_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		abort();
	conn->engine = engine;
	conn->queue_end = &conn->queue;
	conn->next = engine->conns;
	if (conn->next)
		conn->next->prev = conn;
	engine->conns = conn;
	return conn;
}

static void conn_free(struct lws_conn *conn)
{
	if (!conn)
		return;
	lws_echo_fini(conn);
	conn_info_fini(&conn->info);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		conn->engine->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	free(conn);
}

static struct lws_conn *conn_of(struct lws *wsi)
{
	struct lws_engine *engine = lws_context_user(lws_get_context(wsi));
	struct lws_conn *conn = lws_get_opaque_user_data(wsi);

	if (!conn && engine && engine->adopting) {
		conn = engine->adopting;
		engine->adopting = NULL;
		conn->wsi = wsi;
		lws_set_opaque_user_data(wsi, conn);
	}
	return conn;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct lws_conn *conn;

	if (!wsi || reason == LWS_CALLBACK_WSI_CREATE) /* after which the library clears its opaque pointer */
		return 0;
	conn = conn_of(wsi);
	if (!conn)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return lws_gate_http(conn);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return lws_gate_confirm(conn);
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return lws_gate_filter(conn);
	case LWS_CALLBACK_ADD_HEADERS:
		return lws_gate_add_headers(conn, in);
	case LWS_CALLBACK_ESTABLISHED:
		return lws_echo_established(conn);
	case LWS_CALLBACK_RECEIVE:
		return lws_echo_receive(conn, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return lws_echo_writeable(conn);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return lws_echo_peer_close(conn, in, len);
	case LWS_CALLBACK_TIMER:
		return -1; /* our Close was not answered in time */
	case LWS_CALLBACK_CLOSED:
		lws_echo_closed(conn);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		lws_echo_closed(conn);
		lws_set_opaque_user_data(wsi, NULL);
		conn_free(conn);
		return 0;
	default:
		return lws_callback_http_dummy(wsi, reason, user, in, len);
	}
}

/* On a loop that is not its own the library looks at its timeouts only when a socket has something to do. */
static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct lws_engine *engine = timer->data;

	(void)loop;
	(void)events;
	lws_cancel_service(engine->context);
}

/* Row 0 takes plain HTTP and clients without an offer; its name is not a token, so nobody can offer it. */
static const struct lws_protocols *protocols_of(struct lws_engine *engine)
{
	static struct lws_protocols protocols[3];

	protocols[0] = (struct lws_protocols){ .name = "(none)", .callback = callback };
	protocols[1] = (struct lws_protocols){ .name = engine->wildcard, .callback = callback };
	return protocols;
}

static int context_make(struct lws_engine *engine, struct err *err)
{
	const struct config *config = engine->server->config;
	void *loops[1] = { engine->server->loop };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = protocols_of(engine),
		.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_NO_LWS_SYSTEM_STATES,
		.foreign_loops = loops,
		.gid = (int)-1,
		.uid = (int)-1,
		.max_http_header_data = 16 * 1024,
		.pt_serv_buf_size = 64 * 1024,
		.timeout_secs = (unsigned)(config->handshake_timeout_s + 0.999),
		.timeout_secs_ah_idle = (unsigned)(config->handshake_timeout_s + 0.999),
		.keepalive_timeout = 5,
		.vhost_name = "default",
		.server_string = "wsquall-server",
		.user = engine,
	};

	lws_set_log_level(0, NULL);
	engine->context = lws_create_context(&info);
	if (!engine->context || !lws_plugin_loaded()) {
		err_set(err, "libwebsockets cannot use its libev loop: install its plug-in (Debian: libwebsockets-evlib-ev)");
		return -ENOENT;
	}
	if (config->tls_cert) {
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
		info.ssl_cert_filepath = config->tls_cert;
		info.ssl_private_key_filepath = config->tls_key;
		info.alpn = "http/1.1";
	}
	engine->vhost = lws_create_vhost(engine->context, &info);
	if (!engine->vhost) {
		err_set(err, "cannot use the certificate %s with the key %s", config->tls_cert ? config->tls_cert : "(none)",
			config->tls_key ? config->tls_key : "(none)");
		return -EINVAL;
	}
	return 0;
}

static void engine_lws_stop(struct server *server)
{
	struct lws_engine *engine = server->engine_data;

	ev_timer_stop(server->loop, &engine->tick);
	doors_fini(&engine->doors);
	if (engine->context)
		lws_context_destroy(engine->context);
	while (engine->conns)
		conn_free(engine->conns);
	free(engine);
	server->engine_data = NULL;
}

/*
 * The library takes the socket. When it cannot, it closes it; conn is freed by WSI_DESTROY or, if it never got that
 * far, here.
 */
static void adopt(struct lws_conn *conn, int fd, struct bytes *head)
{
	struct lws_engine *engine = conn->engine;
	struct lws *wsi;

	engine->adopting = conn;
	if (head)
		wsi = lws_adopt_socket_vhost_readbuf(engine->vhost, fd, (const char *)head->p + head->start, bytes_len(head));
	else
		wsi = lws_adopt_socket_vhost(engine->vhost, fd);
	if (wsi)
		conn_of(wsi);
	else if (engine->adopting)
		conn_free(conn);
	engine->adopting = NULL;
}

static void on_door_open(struct doors *doors, const struct door_opening *opening)
{
	const struct handshake_request *request = opening->request;
	const struct handshake_verdict *verdict = opening->verdict;
	struct lws_engine *engine = doors->server->engine_data;
	struct lws_conn *conn = conn_new(engine);
	struct bytes head = { 0 };

	conn->info = *opening->info;
	conn->vetted = true;
	conn_info_set(&conn->info.path, verdict->path);
	conn_info_set(&conn->info.subprotocol, verdict->subprotocol);
	if (request->origin.count > 0)
		conn_info_set(&conn->info.origin, request->origin.v[0]);
	reply_request(&head, verdict);
	adopt(conn, opening->fd, &head);
	bytes_fini(&head);
}

static int engine_lws_start(struct server *server, struct err *err)
{
	struct lws_engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		abort();
	engine->server = server;
	engine->doors = (struct doors){ .server = server, .on_open = on_door_open };
	server->engine_data = engine;
	ev_timer_init(&engine->tick, on_tick, LWS_TICK_S, LWS_TICK_S);
	engine->tick.data = engine;
	r = context_make(engine, err);
	if (r < 0) {
		engine_lws_stop(server);
		return r;
	}
	ev_timer_start(server->loop, &engine->tick);
	return 0;
}

static void engine_lws_on_accept(struct server *server, int fd, const char *ip)
{
	struct lws_engine *engine = server->engine_data;
	struct lws_conn *conn;

	if (!server->config->tls_cert) {
		doors_open(&engine->doors, fd, ip);
		return;
	}
	conn = conn_new(engine);
	conn_info_init(&conn->info, server->log, ip);
	adopt(conn, fd, NULL);
}

static unsigned engine_lws_open_count(struct server *server)
{
	struct lws_engine *engine = server->engine_data;

	return engine->websockets;
}

static unsigned engine_lws_close_some(struct server *server, unsigned count, unsigned code)
{
	struct lws_engine *engine = server->engine_data;
	unsigned closed = 0;

	for (struct lws_conn *conn = engine->conns; conn && closed < count; conn = conn->next)
		closed += lws_echo_close(conn, code);
	return closed;
}

const struct engine engine_lws = {
	.name = "lws",
	.start = engine_lws_start,
	.on_accept = engine_lws_on_accept,
	.open_count = engine_lws_open_count,
	.close_some = engine_lws_close_some,
	.stop = engine_lws_stop,
};
