/* The end of a connection that failed: our FIN is out, what the peer had on its way is read and thrown away. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <errno.h>

#include "server-under-test/lws/lws_engine.h"

struct lws_linger {
	struct lws_linger *next, *prev;
	struct lws_engine *engine;
	int fd;
	ev_io io;
	ev_timer deadline;
};

static void linger_free(struct lws_linger *linger)
{
	struct ev_loop *loop = linger->engine->server->loop;

	ev_io_stop(loop, &linger->io);
	ev_timer_stop(loop, &linger->deadline);
	close(linger->fd);
	if (linger->prev)
		linger->prev->next = linger->next;
	else
		linger->engine->lingering = linger->next;
	if (linger->next)
		linger->next->prev = linger->prev;
	free(linger);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	static uint8_t data[64 * 1024];
	ssize_t n = recv(io->fd, data, sizeof(data), 0);

	(void)loop;
	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		linger_free(io->data);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	linger_free(timer->data);
}

void lws_linger_start(struct lws_engine *engine, int fd)
{
	struct lws_linger *linger;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return; /* no descriptor left: the RST must be risked */
	linger = calloc(1, sizeof(*linger));
	if (!linger)
		abort();
	linger->engine = engine;
	linger->fd = copy;
	linger->next = engine->lingering;
	if (linger->next)
		linger->next->prev = linger;
	engine->lingering = linger;
	ev_io_init(&linger->io, on_readable, copy, EV_READ);
	linger->io.data = linger;
	ev_io_start(engine->server->loop, &linger->io);
	ev_timer_init(&linger->deadline, on_deadline, LWS_LINGER_S, 0.);
	linger->deadline.data = linger;
	ev_timer_start(engine->server->loop, &linger->deadline);
}

void lws_linger_stop_all(struct lws_engine *engine)
{
	while (engine->lingering)
		linger_free(engine->lingering);
}
