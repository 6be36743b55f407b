/*
 * The listening socket: accepts in bursts, and where no descriptor is left it stops for a while instead of being called
 * again and again for a client that it cannot take; who waits in the kernel's queue is served later.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/net/address.h"
#include "harness/proxy/relay.h"

static int bind_and_listen(const struct sockaddr_storage *address, int *ret_fd)
{
	int one = 1, zero = 0;
	int fd CLEANUP(cleanup_fd) = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	/* Inherited by those accepted. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)address, address_len(address)) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int proxy_listener_open(struct endpoint *ep, int *ret_fd, struct err *e)
{
	char text[ADDRESS_TEXT_LEN];
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof(bound);
	int fd = -1, r = bind_and_listen(&ep->address, &fd);
	if (r == -EAFNOSUPPORT && !ep->host[0]) { /* every address, and there is no IPv6 */
		struct sockaddr_in *in = (struct sockaddr_in *)&ep->address;
		*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(ep->port)};
		r = bind_and_listen(&ep->address, &fd);
	}
	if (r < 0)
		return err_set(e, -r, "cannot listen on %s: %s", ep->text, strerror(-r));
	getsockname(fd, (struct sockaddr *)&bound, &len);
	ep->address = bound;
	ep->literal = true;
	ep->port = ntohs(((struct sockaddr_in *)&bound)->sin_port); /* at the same place in IPv6 */
	snprintf(ep->text, sizeof(ep->text), "%s", address_text(&bound, text));
	*ret_fd = fd;
	return 0;
}

static bool without_room(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The socket of the next client; -EAGAIN: nobody waits; without_room(); others are of a client that is gone already. */
static int accept_next(struct proxy *p, struct sockaddr_storage *client)
{
	socklen_t len = sizeof(*client);
	if (p->counters.open >= PROXY_CONNECTIONS_MAX)
		return -EMFILE;
	int fd = accept4(p->listener_fd, (struct sockaddr *)client, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* For Linux sees to the descriptor first, that nobody waits also tells that there would be room. */
static void accept_some(struct proxy *p)
{
	for (int i = 0; i < ACCEPT_BURST && !p->paused; i++) {
		struct sockaddr_storage client = {0};
		int fd = accept_next(p, &client);
		if (without_room(-fd)) {
			proxy_listener_pause(p);
			return;
		}
		if (p->full)
			proxy_tell(p, "resume", 0, NULL);
		p->full = false;
		if (fd >= 0)
			relay_start(p, fd, &client);
		else if (fd == -EAGAIN || fd == -EWOULDBLOCK)
			return;
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct proxy *p = poll->data;
	(void)status;
	(void)events;
	if (p->listener == poll)
		accept_some(p);
}

static void on_resume(void *owner, uint64_t now_us)
{
	struct proxy *p = owner;
	(void)now_us;
	p->paused = false;
	uv_poll_start(p->listener, UV_READABLE, on_poll);
	accept_some(p);
}

void proxy_listener_pause(struct proxy *p)
{
	if (p->paused || !p->listener)
		return;
	if (alarm_set(&p->resume, p->set->alarms, clock_now_us() + ACCEPT_PAUSE_MS * 1000, on_resume, p) < 0)
		return; /* then it is called again at once */
	p->paused = true;
	p->counters.accept_pauses++;
	uv_poll_stop(p->listener);
	if (!p->full)
		proxy_tell(p, "pause", 0, NULL);
	p->full = true;
}

int proxy_listener_start(struct proxy *p, int fd, uv_poll_t **ret_poll)
{
	uv_poll_t *poll = malloc(sizeof(*poll));
	int r = poll ? uv_poll_init(&p->set->loop->uv, poll, fd) : -ENOMEM;
	if (r < 0) {
		free(poll);
		close(fd);
		return r;
	}
	poll->data = p;
	uv_poll_start(poll, UV_READABLE, on_poll);
	*ret_poll = poll;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void proxy_listener_stop(struct proxy *p)
{
	if (!p->listener)
		return;
	alarm_clear(&p->resume);
	p->paused = p->full = false;
	uv_close((uv_handle_t *)TAKE_PTR(p->listener), on_closed);
	cleanup_fd(&p->listener_fd);
}
