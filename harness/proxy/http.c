/*
 * libmicrohttpd in the mode that it calls external epoll: its epoll descriptor is polled by our loop, and one timer
 * does what it asks for by MHD_get_timeout(). Its own idle timeout counts silence alone, so that a client could keep a
 * connection by an octet now and then; here a connection has a time in which it must finish a request.
 */
#include "harness/proxy/http.h"

#include <assert.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/net/address.h"
#include "harness/net/dial.h"

struct http_server {
	struct http_options o;
	struct MHD_Daemon *daemon;
	uv_poll_t *poll;
	struct timer timer;
	uint32_t request_ms;
	char address[ADDRESS_TEXT_LEN];
	uint16_t port;
	bool local;
};

/* One request, from its first line to its answer. */
struct exchange {
	char *target;
	struct buf body;
	size_t dropped;
	bool begun, too_large;
};

/* One connection. */
struct visitor {
	struct http_server *server;
	struct timer deadline;
	int fd;
};

/* One request ------------------------------------------------------------------------------------------------------ */

static void *on_target(void *owner, const char *target, struct MHD_Connection *connection)
{
	struct exchange *x = calloc(1, sizeof(*x));
	(void)owner;
	(void)connection;
	if (!x)
		return NULL;
	x->target = strdup(target);
	buf_init(&x->body, HTTP_BODY_MAX);
	return x;
}

static void free_exchange(struct exchange *x)
{
	if (!x)
		return;
	free(x->target);
	buf_fini(&x->body);
	free(x);
}

/* Percent signs are read by who knows where one segment ends. */
static size_t leave_escaped(void *owner, struct MHD_Connection *connection, char *text)
{
	(void)owner;
	(void)connection;
	return strlen(text);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct http_answer *a)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(a->body.len, a->body.p, MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	if (a->content_type)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->content_type);
	if (a->allow[0])
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, a->allow);
	if (a->challenge)
		MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, a->challenge);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	enum MHD_Result sent = MHD_queue_response(connection, a->status, r);
	MHD_destroy_response(r);
	return sent;
}

static enum MHD_Result answer(struct http_server *s, struct MHD_Connection *connection, const struct exchange *x,
			      const char *method)
{
	struct http_request q = {
		.method = method, .target = x->target, .body = buf_span(&x->body), .too_large = x->too_large,
		.host = header(connection, MHD_HTTP_HEADER_HOST),
		.user_agent = header(connection, MHD_HTTP_HEADER_USER_AGENT),
		.authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION),
		.origin = header(connection, MHD_HTTP_HEADER_ORIGIN),
		.sec_fetch_site = header(connection, "Sec-Fetch-Site"),
	};
	struct http_answer a = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR};
	buf_init(&a.body, HTTP_ANSWER_MAX);
	s->o.on_request(s->o.owner, &q, &a);
	enum MHD_Result sent = send_answer(connection, &a);
	buf_fini(&a.body);
	return sent;
}

static uint64_t told_length(struct MHD_Connection *connection)
{
	const char *length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
	return length ? strtoull(length, NULL, 10) : 0;
}

static enum MHD_Result take(struct exchange *x, const char *octets, size_t *len)
{
	size_t n = *len;
	*len = 0;
	if (!x->too_large && buf_append(&x->body, octets, n) == 0)
		return MHD_YES;
	x->too_large = true;
	x->dropped += n;
	buf_fini(&x->body);
	return x->dropped <= HTTP_BODY_DROP_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_access(void *owner, struct MHD_Connection *connection, const char *path, const char *method,
				 const char *version, const char *octets, size_t *len, void **context)
{
	struct exchange *x = *context;
	(void)path;
	(void)version;
	if (!x || !x->target)
		return MHD_NO;
	if (x->begun)
		return *len ? take(x, octets, len) : answer(owner, connection, x, method);
	x->begun = true;
	x->too_large = told_length(connection) > HTTP_BODY_MAX;
	/* Before the body comes; then the connection is not kept. A shorter one is dropped first, so that who sends it
	 * is there to read the answer. */
	return told_length(connection) > HTTP_BODY_DROP_MAX ? answer(owner, connection, x, method) : MHD_YES;
}

/* One connection --------------------------------------------------------------------------------------------------- */

static void on_deadline(void *owner)
{
	struct visitor *v = owner;
	shutdown(v->fd, SHUT_RDWR); /* libmicrohttpd sees the end and cleans up */
}

static void await_request(struct visitor *v)
{
	timer_start(&v->deadline, v->server->o.loop, v->server->request_ms, on_deadline, v);
}

static void on_completed(void *owner, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	(void)owner;
	(void)code;
	free_exchange(*context);
	*context = NULL;
	if (info && info->socket_context)
		await_request(info->socket_context);
}

static void on_connection(void *owner, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		struct visitor *v = calloc(1, sizeof(*v));
		if (!v || !info) {
			free(v);
			return;
		}
		v->server = owner;
		v->fd = info->connect_fd;
		*context = v;
		await_request(v);
	} else if (*context) {
		struct visitor *v = *context;
		timer_fini(&v->deadline);
		free(v);
		*context = NULL;
	}
}

/* The loop --------------------------------------------------------------------------------------------------------- */

static void turn(void *owner)
{
	struct http_server *s = owner;
	MHD_UNSIGNED_LONG_LONG wait_ms;
	MHD_run(s->daemon);
	if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
		timer_start(&s->timer, s->o.loop, wait_ms, turn, s);
	else
		timer_stop(&s->timer);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	turn(poll->data);
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static int poll_daemon(struct http_server *s)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	uv_poll_t *poll = malloc(sizeof(*poll));
	if (!poll || !info) {
		free(poll);
		return -ENOMEM;
	}
	int r = uv_poll_init(&s->o.loop->uv, poll, info->epoll_fd);
	if (r < 0) {
		free(poll);
		return r;
	}
	poll->data = s;
	s->poll = poll;
	return uv_poll_start(poll, UV_READABLE, on_poll);
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static int listen_on(const struct sockaddr_storage *address)
{
	int fd CLEANUP(cleanup_fd) = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)address, address_len(address)) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static bool is_loopback(const struct sockaddr_storage *at)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)at;
	const struct sockaddr_in *four = (const struct sockaddr_in *)at;
	if (at->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
	return at->ss_family == AF_INET && ntohl(four->sin_addr.s_addr) >> 24 == 127;
}

static void read_address(struct http_server *s, int fd)
{
	struct sockaddr_storage at = {0};
	socklen_t len = sizeof(at);
	getsockname(fd, (struct sockaddr *)&at, &len);
	address_text(&at, s->address);
	s->local = is_loopback(&at);
	s->port = (uint16_t)strtoul(strrchr(s->address, ':') + 1, NULL, 10);
}

static int start_daemon(struct http_server *s, int fd)
{
	s->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_access, s,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEAD_MAX,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, 0u,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_END);
	return s->daemon ? 0 : -ENOMEM;
}

int http_server_new(const struct http_options *o, struct http_server **ret_server, struct err *e)
{
	struct dial_addresses addresses;
	int r = dial_resolve(o->host, o->port, &addresses, e);
	if (r < 0)
		return r;
	if (o->local_only && !is_loopback(&addresses.list[0]))
		return err_set(e, EPERM, "%s is not an address of this machine alone", o->host);
	int fd = listen_on(&addresses.list[0]);
	if (fd < 0)
		return err_set(e, -fd, "the API cannot listen on %s port %u: %s", o->host, o->port, strerror(-fd));
	struct http_server *s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return err_set(e, ENOMEM, "out of memory");
	}
	s->o = *o;
	s->request_ms = o->request_ms ? o->request_ms : HTTP_REQUEST_MS;
	read_address(s, fd);
	r = start_daemon(s, fd);
	if (r < 0)
		close(fd);
	if (r == 0)
		r = poll_daemon(s);
	if (r < 0) {
		http_server_free(s);
		return err_set(e, -r, "the API cannot be started: %s", strerror(-r));
	}
	turn(s);
	*ret_server = s;
	return 0;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	if (s->poll) {
		uv_poll_stop(s->poll);
		uv_close((uv_handle_t *)s->poll, free_handle);
	}
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	timer_fini(&s->timer);
	free(s);
}

const char *http_server_address(const struct http_server *s)
{
	return s->address;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

bool http_server_is_local(const struct http_server *s)
{
	return s->local;
}
