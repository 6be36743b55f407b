/*
 * The engine on libwebsockets and its libev plug-in. The library's default loop is poll(), which collapses with many
 * idle connections, so a start without the plug-in is refused. The listening socket is ours, and every connection comes
 * through a door that has read and judged the request: the library gets a clean one of ours to answer with 101.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "server-under-test/defects.h"
#include "server-under-test/lws/lws_engine.h"
#include "server-under-test/lws/lws_plugin.h"

#define REQUEST_MAX 640
#define OFFER "wsquall" /* the subprotocol of our request, by which the library finds its row */
#define ROW_ECHO 0
#define ROW_WS 1

/*
 * The library has read LWS_RX_SMALL octets at most, and would read on in the next turn. A turn can be long: with
 * thousands of subscribers a publisher would be held to a handful of messages each, and each sent on its own.
 */
static void read_on(struct wire *wire, struct ev_loop *loop)
{
	int left = 0;

	if (wire->service == &service_echo || wire->closing || !wire->reading)
		return;
	if (wire->engine->more_reads < LWS_MORE_READS && ioctl(wire->readable.fd, FIONREAD, &left) == 0 && left > 0) {
		wire->engine->more_reads++;
		ev_feed_fd_event(loop, wire->readable.fd, EV_READ);
	}
}

/*
 * After the library has read. It sends Pongs when it is told that the socket is writable, and tells nobody of a Ping:
 * so it is told now, if it asked for that, lest the answer to a later message overtakes the Pong.
 */
static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct wire *wire = io->data;

	(void)events;
	lws_wire_library_failed(wire);
	if (!wire->blocked)
		ev_feed_fd_event(loop, io->fd, EV_WRITE);
	read_on(wire, loop);
	lws_input_watch(wire); /* the last thing: it may end the connection */
}

static struct wire *wire_new(struct lws_engine *engine)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	if (!wire)
		abort();
	wire->engine = engine;
	ev_init(&wire->readable, on_readable);
	ev_set_priority(&wire->readable, -1);
	wire->readable.data = wire;
	wire->next = engine->wires;
	if (wire->next)
		wire->next->prev = wire;
	engine->wires = wire;
	return wire;
}

static struct wire *wire_of(struct lws *wsi)
{
	struct lws_engine *engine = lws_context_user(lws_get_context(wsi));
	struct wire *wire = lws_get_opaque_user_data(wsi);

	if (!wire && engine && engine->adopting) {
		wire = engine->adopting;
		engine->adopting = NULL;
		wire->wsi = wsi;
		lws_set_opaque_user_data(wsi, wire);
	}
	return wire;
}

/*
 * The library insists on a subprotocol that it knows, and puts the name of its row into the 101, or no field when that
 * is empty. So the rows are renamed: the one whose buffer has the wanted size is the only one that matches the request,
 * and then it bears the name that the client shall see.
 */
static int find_row(struct wire *wire)
{
	unsigned row = wire->service == &service_echo ? ROW_ECHO : ROW_WS;

	snprintf(wire->engine->names[row], LOG_TEXT_MAX, "%s", OFFER);
	snprintf(wire->engine->names[!row], LOG_TEXT_MAX, "%s", "(none)");
	return 0;
}

static int found_row(struct wire *wire)
{
	const char *name = wire->info.subprotocol ? wire->info.subprotocol : "";

	for (unsigned row = 0; row < 2; row++)
		snprintf(wire->engine->names[row], LOG_TEXT_MAX, "%s", name);
	return 0;
}

static int add_headers(struct wire *wire, struct lws_process_html_args *args)
{
	unsigned char **p = (unsigned char **)&args->p;
	const char *id = wire->info.id;

	return lws_add_http_header_by_name(wire->wsi, (const unsigned char *)"X-Wsquall-Conn:", (const unsigned char *)id,
					   (int)strlen(id), p, *p + args->max_len);
}

static int writeable(struct wire *wire)
{
	if (wire->ending || lws_wire_library_failed(wire))
		return -1;
	lws_output_writeable(wire);
	return 0;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct wire *wire;

	if (!wsi || reason == LWS_CALLBACK_WSI_CREATE) /* after which the library clears its opaque pointer */
		return 0;
	wire = wire_of(wsi);
	if (!wire)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return -1; /* it always asks for an upgrade */
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return find_row(wire);
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return found_row(wire);
	case LWS_CALLBACK_ADD_HEADERS:
		return add_headers(wire, in);
	case LWS_CALLBACK_ESTABLISHED:
		return lws_wire_opened(wire);
	case LWS_CALLBACK_RECEIVE:
		return lws_input_receive(wire, in, len);
	case LWS_CALLBACK_RECEIVE_PONG:
		if (!wire->closing)
			wire->service->pong(wire);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return writeable(wire);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return lws_wire_peer_close(wire, in, len);
	case LWS_CALLBACK_TIMER:
		return lws_wire_timed_out(wire);
	case LWS_CALLBACK_CLOSED:
		lws_wire_over(wire);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		lws_wire_over(wire);
		lws_set_opaque_user_data(wsi, NULL);
		lws_wire_free(wire);
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

/* Row 0 takes what concerns no WebSocket; its name is not a token, so nobody can offer it. */
static const struct lws_protocols *protocols_of(struct lws_engine *engine)
{
	static struct lws_protocols protocols[4];

	protocols[0] = (struct lws_protocols){ .name = "(row)", .callback = callback };
	protocols[1 + ROW_ECHO] = (struct lws_protocols){ .name = engine->names[ROW_ECHO], .rx_buffer_size = LWS_RX_LARGE };
	protocols[1 + ROW_WS] = (struct lws_protocols){ .name = engine->names[ROW_WS], .rx_buffer_size = LWS_RX_SMALL };
	for (unsigned i = 0; i < 3; i++) {
		protocols[i].callback = callback;
		protocols[i].tx_packet_size = LWS_WRITE_MAX;
	}
	return protocols;
}

static int context_make(struct lws_engine *engine, struct err *err)
{
	const struct config *config = engine->server->config;
	/* Heartbeats are the service's. The library's cost a walk over all connections each time one is set. */
	static const lws_retry_bo_t no_heartbeat = { .secs_since_valid_hangup = 0 };
	void *loops[1] = { engine->server->loop };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = protocols_of(engine),
		.extensions = lws_deflate_extensions,
		.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_NO_LWS_SYSTEM_STATES,
		.foreign_loops = loops,
		.gid = (int)-1,
		.uid = (int)-1,
		.max_http_header_data = 1024,
		.pt_serv_buf_size = LWS_RX_LARGE + LWS_PRE,
		.timeout_secs = (unsigned)(config->handshake_timeout_s + 0.999),
		.timeout_secs_ah_idle = (unsigned)(config->handshake_timeout_s + 0.999),
		.keepalive_timeout = 5,
		.retry_and_idle_policy = &no_heartbeat,
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
	engine->vhost = lws_create_vhost(engine->context, &info);
	if (!engine->vhost) {
		err_set(err, "libwebsockets cannot make its vhost");
		return -ENOMEM;
	}
	return 0;
}

static void engine_lws_stop(struct server *server)
{
	struct lws_engine *engine = server->engine_data;

	ev_timer_stop(server->loop, &engine->tick);
	doors_fini(&engine->doors);
	server->doors = NULL;
	if (engine->context)
		lws_context_destroy(engine->context);
	while (engine->wires) {
		lws_wire_over(engine->wires);
		lws_wire_free(engine->wires);
	}
	lws_linger_stop_all(engine);
	lws_input_fini(engine);
	lws_output_fini(engine);
	free(engine);
	server->engine_data = NULL;
}

/* The request that the library answers. The path, the Origin and the rest are no business of its. */
static void write_request(struct bytes *out, const struct handshake_verdict *verdict)
{
	char head[REQUEST_MAX], extensions_field[LWS_EXTENSIONS_MAX] = "";
	int len;

	if (verdict->deflate.accepted)
		lws_deflate_offer(extensions_field, &verdict->deflate);
	len = snprintf(head, sizeof(head),
			   "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\nSec-WebSocket-Protocol: %s\r\n%s\r\n",
			   (int)verdict->key.len, verdict->key.p, OFFER,
			   extensions_field);

	bytes_append(out, head, (size_t)len);
}

/*
 * The library takes the socket. When it cannot, it closes it; wire is freed by WSI_DESTROY or, if it never got that
 * far, here.
 */
static void adopt(struct wire *wire, int fd, struct bytes *head)
{
	struct lws_engine *engine = wire->engine;
	struct lws *wsi;

	engine->adopting = wire;
	wsi = lws_adopt_socket_vhost_readbuf(engine->vhost, fd, (const char *)head->p + head->start, bytes_len(head));
	if (wsi)
		wire_of(wsi);
	else if (engine->adopting)
		lws_wire_free(wire);
	engine->adopting = NULL;
}

/* Of the request-target. */
static struct text path_of(const struct handshake_verdict *verdict)
{
	if (defect(log_token) && verdict->query.len > 0)
		return text_of(verdict->path.p, (size_t)(verdict->query.p + verdict->query.len - verdict->path.p));
	return verdict->path;
}

static void on_door_open(struct doors *doors, const struct door_opening *opening)
{
	const struct handshake_request *request = opening->request;
	const struct handshake_verdict *verdict = opening->verdict;
	struct wire *wire = wire_new(doors->server->engine_data);
	struct bytes head = { 0 };

	wire->service = opening->service ? opening->service : &service_echo;
	wire->deflate = verdict->deflate.accepted && (!verdict->deflate.server_max_window_bits ||
						    verdict->deflate.server_max_window_bits == FRAME_DEFLATE_BITS);
	wire->inflate = verdict->deflate.accepted;
	wire->start = calloc(1, sizeof(*wire->start));
	if (!wire->start)
		abort();
	wire->start->identity = opening->identity;
	wire->start->query = text_copy(verdict->query);
	wire->start->cookie = text_copy(request->cookie.count > 0 ? request->cookie.v[0] : text_of("", 0));
	wire->info = *opening->info;
	*opening->info = (struct conn_info){ 0 };
	conn_info_set(&wire->info.path, path_of(verdict));
	conn_info_set(&wire->info.subprotocol, verdict->subprotocol);
	if (request->origin.count > 0)
		conn_info_set(&wire->info.origin, request->origin.v[0]);
	write_request(&head, verdict);
	adopt(wire, opening->fd, &head);
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
	server->doors = &engine->doors;
	server->engine_data = engine;
	ev_timer_init(&engine->tick, on_tick, LWS_TICK_S, LWS_TICK_S);
	engine->tick.data = engine;
	lws_output_init(engine);
	lws_input_init(engine);
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

	doors_open(&engine->doors, fd, ip);
}

static unsigned engine_lws_open_count(struct server *server)
{
	struct lws_engine *engine = server->engine_data;

	return engine->websockets;
}

static unsigned engine_lws_close_some(struct server *server, unsigned count, unsigned code)
{
	struct lws_engine *engine = server->engine_data;
	const char *reason = code == 1012 ? "service restart" : "going away";
	unsigned closed = 0;

	for (struct wire *wire = engine->wires; wire && closed < count; wire = wire->next) {
		if (defect(drain_drops_queued) && !wire->end)
			lws_output_drop(wire);
		closed += wire_close(wire, code, reason);
	}
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
