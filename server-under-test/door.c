/*
 * The opening handshake in front of libwebsockets. The library's own header parser hangs on some requests (a long
 * unknown field, a NUL), takes others it must refuse ("get", no HTTP version) and refuses some it must take (an
 * absolute request-target), and it has no timeout of its own for a slow head. So the head is read here and the
 * library gets a clean one.
 */
#include "server-under-test/door.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server-under-test/reply.h"

static struct ev_loop *loop_of(const struct door *door)
{
	return door->doors->server->loop;
}

/* Frees the door; the socket is closed unless it was handed on (fd -1). */
static void door_free(struct door *door)
{
	ev_io_stop(loop_of(door), &door->io);
	ev_timer_stop(loop_of(door), &door->deadline);
	if (door->fd >= 0)
		close(door->fd);
	http_parser_fini(&door->parser);
	bytes_fini(&door->out);
	if (door->prev)
		door->prev->next = door->next;
	else
		door->doors->first = door->next;
	if (door->next)
		door->next->prev = door->prev;
	free(door);
}

static void watch(struct door *door, int events, double deadline_s)
{
	struct ev_loop *loop = loop_of(door);

	ev_io_stop(loop, &door->io);
	ev_io_set(&door->io, door->fd, events);
	ev_io_start(loop, &door->io);
	ev_timer_stop(loop, &door->deadline);
	ev_timer_set(&door->deadline, deadline_s, 0.);
	ev_timer_start(loop, &door->deadline);
}

/* Sends the answer, then FIN; then octets are discarded until the peer's FIN, so that no RST destroys the answer. */
static void door_send(struct door *door)
{
	while (bytes_len(&door->out) > 0) {
		ssize_t n = send(door->fd, door->out.p + door->out.start, bytes_len(&door->out), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			door_free(door);
			return;
		}
		bytes_consume(&door->out, (size_t)n);
	}
	shutdown(door->fd, SHUT_WR);
	door->ended = true;
	watch(door, EV_READ, DOOR_LINGER_S);
}

static void door_answer(struct door *door, const struct handshake_verdict *verdict)
{
	if (verdict->upgrade_attempt)
		log_refused(door->doors->server->log, &door->info, verdict->status, verdict->why);
	reply_refuse(&door->out, verdict, &door->parser.request, door->info.id);
	door->answered = true;
	watch(door, EV_WRITE, DOOR_LINGER_S);
	door_send(door);
}

static void door_decide(struct door *door, enum http_progress progress)
{
	struct doors *doors = door->doors;
	struct handshake_verdict verdict = { .upgrade_attempt = true };
	int fd = door->fd;

	if (progress == HTTP_BAD) {
		verdict.status = door->parser.status;
		verdict.why = door->parser.why;
	} else {
		verdict = handshake_judge(&door->parser.request, doors->server->config, doors->server->refusing);
	}
	if (verdict.status != 101) {
		door_answer(door, &verdict);
		return;
	}
	ev_io_stop(loop_of(door), &door->io); /* before anybody else watches fd */
	door->fd = -1;
	doors->on_open(doors, &(struct door_opening){ .fd = fd, .info = &door->info, .request = &door->parser.request, .verdict = &verdict });
	door_free(door);
}

/* Only the head is taken off the socket: the frames behind it are for whoever gets the socket. */
static void door_read(struct door *door)
{
	uint8_t data[4096];
	size_t used = 0;
	enum http_progress progress;
	ssize_t n = recv(door->fd, data, sizeof(data), MSG_PEEK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		door_free(door);
		return;
	}
	progress = http_parser_feed(&door->parser, data, (size_t)n, &used);
	n = recv(door->fd, data, used, 0);
	if (n != (ssize_t)used)
		door_free(door);
	else if (progress != HTTP_MORE)
		door_decide(door, progress);
}

static void door_discard(struct door *door)
{
	uint8_t data[4096];
	ssize_t n = recv(door->fd, data, sizeof(data), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		door_free(door);
}

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
	struct door *door = io->data;

	(void)loop;
	(void)events;
	if (door->ended)
		door_discard(door);
	else if (door->answered)
		door_send(door);
	else
		door_read(door);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct door *door = timer->data;
	struct handshake_verdict verdict = {
		.status = 408,
		.why = "the request did not come in time",
		.upgrade_attempt = true,
	};

	(void)loop;
	(void)events;
	if (door->answered || door->parser.len == 0)
		door_free(door);
	else
		door_answer(door, &verdict);
}

void doors_open(struct doors *doors, int fd, const char *ip)
{
	const struct config *config = doors->server->config;
	struct door *door = calloc(1, sizeof(*door));

	if (!door)
		abort();
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
	ev_timer_start(doors->server->loop, &door->deadline);
}

void doors_fini(struct doors *doors)
{
	while (doors->first)
		door_free(doors->first);
}
