/*
 * The HTTP end of a connection, in front of libwebsockets. The library's own header parser hangs on some requests (a
 * long unknown field, a NUL), takes others it must refuse ("get", no HTTP version) and refuses some it must take (an
 * absolute request-target), and it has no timeout of its own for a slow head. So the head is read here and the
 * library gets a clean one. The watchers are the only place that frees a door, so that handlers can be called from
 * anywhere.
 */
#include "server-under-test/http/door.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server-under-test/auth.h"
#include "server-under-test/defects.h"
#include "server-under-test/http/http_admit.h"
#include "server-under-test/http/http_answer.h"
#include "server-under-test/http/http_dispatch.h"
#include "server-under-test/http/http_route.h"
#include "server-under-test/metrics.h"

#define DOOR_DISCARDS_EACH_TURN 16 /* reads of what nobody wants */

static struct ev_loop *loop_of(const struct door *door)
{
	return door->doors->server->loop;
}

static const struct http_handler *handler_of(const struct door *door)
{
	return door->verdict.status == 200 ? door->verdict.route->handler : NULL;
}

void door_drop(struct door *door)
{
	const struct http_handler *handler = handler_of(door);

	if (door->state && handler && handler->gone)
		handler->gone(door);
	ev_io_stop(loop_of(door), &door->io);
	ev_timer_stop(loop_of(door), &door->deadline);
	if (door->fd >= 0) {
		close(door->fd);
		conn_info_fini(&door->info);
	}
	identity_free(door->identity);
	http_parser_fini(&door->parser);
	bytes_fini(&door->out);
	bytes_fini(&door->body);
	door->doors->plain -= door->counted;
	door->doors->bodies -= door->body_len;
	if (door->prev)
		door->prev->next = door->next;
	else
		door->doors->first = door->next;
	if (door->next)
		door->next->prev = door->prev;
	free(door);
}

static void watch(struct door *door, int events)
{
	struct ev_loop *loop = loop_of(door);

	if (ev_is_active(&door->io) && (door->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, &door->io);
	ev_io_set(&door->io, door->fd, events);
	if (events)
		ev_io_start(loop, &door->io);
}

static void set_deadline(struct door *door, double seconds)
{
	ev_timer_stop(loop_of(door), &door->deadline);
	ev_timer_set(&door->deadline, seconds, 0.);
	ev_timer_start(loop_of(door), &door->deadline);
}

void door_answer(struct door *door)
{
	door->phase = DOOR_ANSWER;
	watch(door, EV_WRITE);
	set_deadline(door, DOOR_SEND_S);
}

void door_hold(struct door *door, bool needs_peer)
{
	door->phase = DOOR_HELD;
	ev_timer_stop(loop_of(door), &door->deadline);
	watch(door, needs_peer ? EV_READ : 0);
}

void door_stream(struct door *door)
{
	door->phase = DOOR_STREAM;
	ev_timer_stop(loop_of(door), &door->deadline);
	watch(door, EV_READ | EV_WRITE);
}

bool door_flush(struct door *door)
{
	while (bytes_len(&door->out) > 0) {
		ssize_t n = send(door->fd, door->out.p + door->out.start, bytes_len(&door->out), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		bytes_consume(&door->out, (size_t)n);
	}
	return true;
}

static void refuse(struct door *door, unsigned retry_s)
{
	const struct handshake_verdict *v = &door->verdict;

	if (v->upgrade_attempt) {
		log_refused(door->doors->server->log, &door->info, v->status, v->why);
		metrics->refused[v->status]++;
	}
	http_answer_refusal(door, v->status, v->why, retry_s);
}

static void open_websocket(struct door *door)
{
	struct doors *doors = door->doors;
	const struct handshake_verdict *v = &door->verdict;
	const struct handshake_request *r = &door->parser.request;
	struct door_opening opening = {
		.fd = door->fd,
		.info = &door->info,
		.identity = door->identity,
		.service = v->route->service,
		.request = r,
		.verdict = v,
	};

	conn_info_set(&door->info.path, v->path);
	conn_info_set(&door->info.subprotocol, v->subprotocol);
	if (r->origin.count > 0)
		conn_info_set(&door->info.origin, r->origin.v[0]);
	ev_io_stop(loop_of(door), &door->io); /* before anybody else watches fd */
	door->fd = -1;
	door->identity = NULL;
	doors->on_open(doors, &opening);
	door_drop(door);
}

static void door_decide(struct door *door, enum http_progress progress)
{
	struct server *server = door->doors->server;
	const struct handshake_request *r = &door->parser.request;
	struct handshake_verdict *v = &door->verdict;
	char peer[LOG_IP_MAX];
	unsigned retry_s = 0;

	if (progress == HTTP_BAD) {
		v->status = door->parser.status;
		v->why = door->parser.why;
		v->upgrade_attempt = true;
		refuse(door, 0);
		return;
	}
	memcpy(peer, door->info.ip, sizeof(peer));
	trusted_proxies_client(&door->doors->proxies, peer, &r->forwarded_for, door->info.ip);
	*v = handshake_judge_routes(r, server->config, &http_routes);
	if (v->status == 101 || v->status == 200)
		http_admit(server, r, door->info.ip, v, &door->identity, &retry_s);
	if (door->identity)
		conn_info_set(&door->info.user, text_from(door->identity->subject));
	if (v->status == 101)
		open_websocket(door);
	else if (v->status == 200)
		http_dispatch(door);
	else
		refuse(door, retry_s);
}

/* Only the head is taken off the socket: the frames behind it are for whoever gets the socket. */
static void read_head(struct door *door)
{
	uint8_t data[4096];
	size_t used = 0;
	enum http_progress progress;
	ssize_t n = recv(door->fd, data, sizeof(data), MSG_PEEK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		door_drop(door);
		return;
	}
	progress = http_parser_feed(&door->parser, data, (size_t)n, &used);
	n = recv(door->fd, data, used, 0);
	if (n != (ssize_t)used)
		door_drop(door);
	else if (progress != HTTP_MORE)
		door_decide(door, progress);
}

static void read_body(struct door *door)
{
	uint8_t data[16 * 1024];
	size_t missing = door->body_len - bytes_len(&door->body);
	ssize_t n = recv(door->fd, data, missing < sizeof(data) ? missing : sizeof(data), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		door_drop(door);
		return;
	}
	bytes_append(&door->body, data, (size_t)n);
	if (bytes_len(&door->body) == door->body_len)
		http_dispatch_start(door);
}

/* False: the peer has ended, the door is gone. */
static bool discard(struct door *door)
{
	uint8_t data[4096];

	for (int i = 0; i < DOOR_DISCARDS_EACH_TURN; i++) {
		ssize_t n = recv(door->fd, data, sizeof(data), 0);

		if (n > 0)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		door_drop(door);
		return false;
	}
	return true;
}

static void send_answer(struct door *door)
{
	if (!door_flush(door)) {
		door_drop(door);
		return;
	}
	if (bytes_len(&door->out) > 0)
		return;
	shutdown(door->fd, SHUT_WR);
	door->phase = DOOR_LINGER;
	watch(door, EV_READ);
	set_deadline(door, DOOR_LINGER_S);
}

static void send_stream(struct door *door)
{
	const struct http_handler *handler = handler_of(door);

	if (!door_flush(door)) {
		door_drop(door);
		return;
	}
	if (bytes_len(&door->out) > 0)
		return;
	watch(door, EV_READ);
	if (handler->room)
		handler->room(door);
}

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
	struct door *door = io->data;

	(void)loop;
	switch (door->phase) {
	case DOOR_HEAD:
		read_head(door);
		break;
	case DOOR_BODY:
		read_body(door);
		break;
	case DOOR_STREAM:
		if ((events & EV_READ) && !discard(door))
			break;
		if (events & EV_WRITE)
			send_stream(door);
		break;
	case DOOR_ANSWER:
		send_answer(door);
		break;
	case DOOR_HELD:
	case DOOR_LINGER:
		discard(door);
		break;
	}
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct door *door = timer->data;
	bool begun = door->parser.len > 0;

	(void)loop;
	(void)events;
	if (door->phase == DOOR_BODY || (door->phase == DOOR_HEAD && begun)) {
		door->verdict.upgrade_attempt = door->phase == DOOR_HEAD;
		door->verdict.status = 408;
		door->verdict.why = "the request did not come in time";
		refuse(door, 0);
	} else {
		door_drop(door);
	}
}

/* An eighth of the descriptors at most, so that the WebSockets keep theirs. */
static unsigned plain_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 8 >= DOOR_PLAIN_MAX)
		return DOOR_PLAIN_MAX;
	return (unsigned)(limit.rlim_cur / 8);
}

/* A bad entry of trusted_proxies is nobody that is trusted; that it is bad was for the start to tell. */
static void doors_start(struct doors *doors)
{
	struct err err;

	doors->started = true;
	doors->plain_max = plain_max();
	trusted_proxies_parse(&doors->proxies, &doors->server->config->trusted_proxies, &err);
}

void doors_open(struct doors *doors, int fd, const char *ip)
{
	const struct config *config = doors->server->config;
	struct door *door = calloc(1, sizeof(*door));

	if (!door)
		abort();
	if (!doors->started)
		doors_start(doors);
	door->doors = doors;
	door->fd = fd;
	door->next = doors->first;
	if (door->next)
		door->next->prev = door;
	doors->first = door;
	conn_info_init(&door->info, doors->server->log, ip);
	http_parser_init(&door->parser, config->header_max);
	ev_io_init(&door->io, on_event, fd, EV_READ);
	door->io.data = door;
	ev_timer_init(&door->deadline, on_deadline, config->handshake_timeout_s, 0.);
	door->deadline.data = door;
	ev_io_start(doors->server->loop, &door->io);
	if (!defect(limit_handshake_time_ignored))
		ev_timer_start(doors->server->loop, &door->deadline);
}

void doors_drain(struct doors *doors)
{
	for (struct door *door = doors->first; door; door = door->next) {
		const struct http_handler *handler = handler_of(door);

		if ((door->phase == DOOR_HELD || door->phase == DOOR_STREAM) && handler->drain)
			handler->drain(door);
	}
}

unsigned doors_busy(const struct doors *doors)
{
	unsigned busy = 0;

	for (const struct door *door = doors->first; door; door = door->next)
		busy += door->phase != DOOR_HEAD && door->phase != DOOR_LINGER;
	return busy;
}

void doors_fini(struct doors *doors)
{
	while (doors->first)
		door_drop(doors->first);
}
