/* Sending and closing of one raw socket: copied octets in a queue, spliced ones in a pipe, and a FIN behind both. */
#include "harness/proxy/side.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/base/err.h"

int side_open(struct side *s, struct raw *of, uv_loop_t *loop, int fd)
{
	uv_poll_t *poll = malloc(sizeof(*poll));
	int r = poll ? uv_poll_init(loop, poll, fd) : -ENOMEM;
	if (r < 0) {
		free(poll);
		close(fd);
		return r;
	}
	*s = (struct side){.of = of, .poll = poll, .fd = fd};
	buf_init(&s->out, SIDE_OUT_MAX);
	poll->data = s;
	return 0;
}

void side_watch(struct side *s, int events, uv_poll_cb on_poll)
{
	if (!s->poll || events == s->watched)
		return;
	s->watched = events;
	if (events)
		uv_poll_start(s->poll, events, on_poll);
	else
		uv_poll_stop(s->poll);
}

size_t side_pending(const struct side *s)
{
	return s->send_error ? 0 : s->out.len - s->out_sent + (s->pipe ? s->pipe->held : 0);
}

void side_fail(struct side *s, int error)
{
	s->send_error = -error;
	buf_fini(&s->out);
	s->out_sent = 0;
}

/* Octets taken; -EAGAIN none now; other errors are kept. */
static ssize_t give(struct side *s, const uint8_t *p, size_t len)
{
	ssize_t n;
	do
		n = send(s->fd, p, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
		return -EAGAIN;
	side_fail(s, errno);
	return s->send_error;
}

void side_write(struct side *s, struct span octets)
{
	ssize_t n = 0;
	if (s->send_error || s->shut || !s->poll)
		return;
	if (side_pending(s) == 0)
		n = give(s, octets.p, octets.len);
	if ((size_t)n == octets.len || s->send_error)
		return;
	n = n < 0 ? 0 : n;
	if (s->out_sent > 0) {
		buf_consume(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	int r = buf_append(&s->out, octets.p + n, octets.len - (size_t)n);
	if (r < 0)
		side_fail(s, -r);
}

static void send_fin(struct side *s)
{
	if (!s->shut || s->fin_sent || s->send_error || !s->poll || side_pending(s) > 0)
		return;
	s->fin_sent = true;
	shutdown(s->fd, SHUT_WR); /* fails only on a reset connection, which reading tells */
}

void side_shut(struct side *s)
{
	s->shut = true;
	send_fin(s);
}

static bool flush_pipe(struct side *s, struct pipes *pipes)
{
	bool some = false;
	while (s->pipe && s->pipe->held > 0) {
		ssize_t n = splice(s->pipe->out, NULL, s->fd, NULL, s->pipe->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n > 0) {
			s->pipe->held -= (size_t)n;
			some = true;
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else {
			if (n < 0 && errno != EAGAIN)
				side_fail(s, errno);
			return some;
		}
	}
	pipes_take_back(pipes, TAKE_PTR(s->pipe));
	return some;
}

bool side_flush(struct side *s, struct pipes *pipes)
{
	bool some = s->pipe && flush_pipe(s, pipes);
	while (!s->pipe && !s->send_error && s->out_sent < s->out.len) {
		ssize_t n = give(s, s->out.p + s->out_sent, s->out.len - s->out_sent);
		if (n < 0)
			break;
		s->out_sent += (size_t)n;
		some = true;
	}
	if (s->out.len && s->out_sent == s->out.len) {
		buf_fini(&s->out);
		buf_init(&s->out, SIDE_OUT_MAX);
		s->out_sent = 0;
	}
	send_fin(s);
	return some;
}

ssize_t side_splice(struct side *s, struct side *to, struct pipes *pipes)
{
	ssize_t n;
	if (!to->pipe && !(to->pipe = pipes_lend(pipes)))
		return -EOPNOTSUPP;
	do
		n = splice(s->fd, NULL, to->pipe->in, NULL, PIPE_OCTETS, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		to->pipe->held += (size_t)n;
		side_flush(to, pipes);
		return n;
	}
	int error = n < 0 ? errno : EINVAL;
	pipes_take_back(pipes, TAKE_PTR(to->pipe));
	return error == EINVAL ? -EOPNOTSUPP : -error;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void side_close(struct side *s, struct pipes *pipes, bool rst)
{
	if (!s->poll)
		return;
	if (rst) {
		struct linger now = {.l_onoff = 1, .l_linger = 0};
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	uv_close((uv_handle_t *)TAKE_PTR(s->poll), on_closed);
	cleanup_fd(&s->fd);
	buf_fini(&s->out);
	s->out_sent = 0;
	pipes_take_back(pipes, TAKE_PTR(s->pipe));
	s->lingers = false;
}
