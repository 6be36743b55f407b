/*
 * A connection to Redis on our loop. hiredis only parses and formats here: its own asynchronous part asserts on what a
 * server sends, blocks in name resolution, and takes a published message for the answer to a PING on a connection that
 * has subscriptions.
 */
#include "server-under-test/store/store_redis_link.h"
#include "server-under-test/store/store_redis_reply.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "server-under-test/base/clock.h"

#define READ_SIZE (64u * 1024)
#define READS_EACH_TURN 16

struct waiting {
	struct link link;
	redis_reply_fn fn;
	void *arg;
};

static void waiting_answer(struct waiting *waiting, const struct redisReply *reply)
{
	redis_reply_fn fn = waiting->fn;
	void *arg = waiting->arg;

	list_remove(&waiting->link);
	free(waiting);
	fn(arg, reply);
}

static void link_connected(struct redis_link *link)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
		link->ops->failed(link);
		return;
	}
	link->connected = true;
	link->silent = 0;
	ev_io_start(link->loop, &link->reading);
	link->ops->opened(link);
}

static void link_write(struct redis_link *link)
{
	while (bytes_len(&link->out)) {
		ssize_t n = send(link->fd, link->out.p + link->out.start, bytes_len(&link->out), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			link->ops->failed(link);
			return;
		}
		bytes_consume(&link->out, (size_t)n);
	}
	ev_io_stop(link->loop, &link->writing);
}

static void on_writable(struct ev_loop *loop, ev_io *io, int events)
{
	struct redis_link *link = io->data;

	(void)loop;
	(void)events;
	if (link->connected)
		link_write(link);
	else
		link_connected(link);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	(void)events;
	ev_prepare_stop(loop, prepare);
	link_write(prepare->data);
}

static bool is_text(const struct redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING;
}

/* ["message", channel, payload] is the only thing that comes unasked; anything else answers the oldest command. */
static bool is_published(const struct redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && is_text(reply->element[0]) &&
	       strcmp(reply->element[0]->str, "message") == 0 && is_text(reply->element[1]) && is_text(reply->element[2]);
}

/* false: the link has been closed meanwhile, or failed. */
static bool link_reply(struct redis_link *link, struct redisReader *reader, const struct redisReply *reply)
{
	if (is_published(reply)) {
		link->ops->published(link, text_of(reply->element[1]->str, reply->element[1]->len),
				     text_of(reply->element[2]->str, reply->element[2]->len));
	} else if (list_empty(&link->waiting)) {
		link->ops->failed(link); /* it says why it ends, or talks nonsense */
		return false;
	} else {
		waiting_answer(LIST_ENTRY(link->waiting.next, struct waiting, link), reply);
	}
	return link->reader == reader;
}

/* false: the link must not be touched any more. */
static bool link_parse(struct redis_link *link, const char *data, size_t len)
{
	struct redisReader *reader = link->reader;

	if (redisReaderFeed(reader, data, len) != REDIS_OK) {
		link->ops->failed(link);
		return false;
	}
	for (;;) {
		void *reply = NULL;
		bool go_on;

		if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
			link->ops->failed(link);
			return false;
		}
		if (!reply)
			return true;
		go_on = link_reply(link, reader, reply);
		freeReplyObject(reply);
		if (!go_on)
			return false;
	}
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct redis_link *link = io->data;
	char buffer[READ_SIZE];

	(void)loop;
	(void)events;
	for (int i = 0; i < READS_EACH_TURN; i++) {
		ssize_t n = recv(link->fd, buffer, sizeof(buffer), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			link->ops->failed(link);
			return;
		}
		link->silent = 0;
		if (!link_parse(link, buffer, (size_t)n) || (size_t)n < sizeof(buffer))
			return;
	}
}

void redis_link_init(struct redis_link *link, struct ev_loop *loop, const struct redis_link_ops *ops, void *arg)
{
	*link = (struct redis_link){ .loop = loop, .ops = ops, .arg = arg, .fd = -1 };
	list_init(&link->waiting);
	ev_init(&link->reading, on_readable);
	ev_init(&link->writing, on_writable);
	link->reading.data = link;
	link->writing.data = link;
	ev_prepare_init(&link->flushing, on_prepare);
	ev_set_priority(&link->flushing, 1); /* before the engine's */
	link->flushing.data = link;
}

int redis_link_open(struct redis_link *link, const struct sockaddr *address, socklen_t address_len)
{
	int one = 1;

	assert(link->fd < 0);
	link->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return -errno;
	if (address->sa_family != AF_UNIX)
		setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	link->connected = false;
	link->silent = 0;
	link->reader = redisReaderCreate();
	if (!link->reader)
		abort();
	ev_io_set(&link->reading, link->fd, EV_READ);
	ev_io_set(&link->writing, link->fd, EV_WRITE);
	if (connect(link->fd, address, address_len) < 0 && errno != EINPROGRESS) {
		int r = -errno;

		redis_link_close(link);
		return r;
	}
	ev_io_start(link->loop, &link->writing);
	return 0;
}

void redis_link_close(struct redis_link *link)
{
	if (link->fd < 0)
		return;
	ev_io_stop(link->loop, &link->reading);
	ev_io_stop(link->loop, &link->writing);
	ev_prepare_stop(link->loop, &link->flushing);
	close(link->fd);
	link->fd = -1;
	link->connected = false;
	bytes_fini(&link->out);
	redisReaderFree(link->reader);
	link->reader = NULL;
	while (!list_empty(&link->waiting))
		waiting_answer(LIST_ENTRY(link->waiting.next, struct waiting, link), NULL);
}

void redis_link_send_raw(struct redis_link *link, redis_reply_fn fn, void *arg, const char *command, size_t len)
{
	struct waiting *waiting = malloc(sizeof(*waiting));

	assert(link->connected);
	if (!waiting)
		abort();
	*waiting = (struct waiting){ .fn = fn, .arg = arg };
	if (list_empty(&link->waiting))
		link->silent = 0;
	list_append(&link->waiting, &waiting->link);
	bytes_append(&link->out, command, len);
	ev_io_start(link->loop, &link->writing); /* for what the socket does not take, or what comes after the flush */
	ev_prepare_start(link->loop, &link->flushing);
}

void redis_link_send(struct redis_link *link, redis_reply_fn fn, void *arg, int count, const struct text *words)
{
	size_t len;
	char *command = redis_command(count, words, &len);

	redis_link_send_raw(link, fn, arg, command, len);
	free(command);
}

void redis_link_finish(struct redis_link *link, double timeout_s)
{
	double deadline_s = clock_monotonic_s() + timeout_s;

	while (link->connected && !list_empty(&link->waiting)) {
		struct pollfd fd = { .fd = link->fd, .events = POLLIN | (bytes_len(&link->out) ? POLLOUT : 0) };
		double left_s = deadline_s - clock_monotonic_s();

		if (left_s <= 0 || poll(&fd, 1, (int)(left_s * 1000) + 1) < 0)
			return;
		if (fd.revents & POLLOUT)
			on_writable(link->loop, &link->writing, EV_WRITE);
		if (link->connected && (fd.revents & ~POLLOUT))
			on_readable(link->loop, &link->reading, EV_READ);
	}
}

unsigned redis_link_tick(struct redis_link *link)
{
	if (link->fd < 0 || (link->connected && list_empty(&link->waiting)))
		link->silent = 0;
	else
		link->silent++;
	return link->silent;
}
