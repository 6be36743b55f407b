/*
 * A restarted node counts as back when it serves, not when it runs: the difference is what a rolling deploy
 * gets wrong.
 */
#include "harness/net/ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/net/address.h"

enum ready_way { WAY_HTTP, WAY_TCP, WAY_UNIX, WAY_REDIS, WAY_REDIS_UNIX };

static const struct {
	const char *start;
	bool file;
	const char *ask, *answer;
} ways[] = {
	[WAY_HTTP] = {"http://", false, NULL, "200"},
	[WAY_TCP] = {"tcp://", false, "", ""},
	[WAY_UNIX] = {"unix://", true, "", ""},
	[WAY_REDIS] = {"redis://", false, "PING\r\n", "+PONG"},
	[WAY_REDIS_UNIX] = {"redis+unix://", true, "PING\r\n", "+PONG"},
};

static int refuse(const char *text, struct err *e)
{
	return err_set(e, EINVAL,
		       "expected http://HOST:PORT/PATH, tcp://HOST:PORT, unix:///PATH, redis://HOST:PORT or "
		       "redis+unix:///PATH as `ready`, not '%.200s'", text);
}

socklen_t ready_address_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_UNIX ? sizeof(struct sockaddr_un) : address_len(address);
}

/* HOST:PORT, then a path or the end. IPv6 literals stand in brackets. */
static int parse_host(struct ready *ready, const char *at, bool http, const char *text, struct err *e)
{
	char host[READY_HOST_MAX];
	size_t len = *at == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":/");
	unsigned port = 80, digits = 0;
	if (len == 0 || len >= sizeof(host) || strnlen(at, len) < len || text[strcspn(text, " \t\r\n")])
		return refuse(text, e);
	snprintf(host, sizeof(host), "%.*s", (int)len, at);
	const char *rest = at + len;
	if (*rest == ':')
		for (port = 0, rest++; *rest >= '0' && *rest <= '9' && digits < 6; rest++, digits++)
			port = port * 10 + (unsigned)(*rest - '0');
	else
		digits = http;
	if (digits == 0 || port == 0 || port > 65535 || (*rest && (*rest != '/' || !http)))
		return refuse(text, e);
	if (http && snprintf(ready->ask, sizeof(ready->ask),
			     "GET %s HTTP/1.1\r\nHost: %s:%u\r\nConnection: close\r\n\r\n", *rest ? rest : "/", host,
			     port) >= (int)sizeof(ready->ask))
		return refuse(text, e);
	return dial_resolve(host, (uint16_t)port, &ready->at, e);
}

static int parse_path(struct ready *ready, const char *at, const char *text, struct err *e)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ready->at.list[0];
	if (*at != '/' || strlen(at) >= sizeof(un->sun_path))
		return refuse(text, e);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, at, strlen(at) + 1);
	ready->at.n = 1;
	return 0;
}

int ready_parse(const char *text, struct ready *ret_ready, struct err *e)
{
	struct ready ready = {.at.n = 0};
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		size_t len = strlen(ways[i].start);
		if (strncmp(text, ways[i].start, len) != 0)
			continue;
		ready.answer = ways[i].answer;
		if (ways[i].ask)
			snprintf(ready.ask, sizeof(ready.ask), "%s", ways[i].ask);
		int r = ways[i].file ? parse_path(&ready, text + len, text, e)
				     : parse_host(&ready, text + len, i == WAY_HTTP, text, e);
		if (r == 0)
			*ret_ready = ready;
		return r;
	}
	return refuse(text, e);
}

/* --- one attempt after the other --- */

static void attempt(void *owner);

static void finish(struct ready_wait *w, int error)
{
	ready_wait_stop(w);
	w->on_done(w->owner, error);
}

/* This attempt has failed. */
static void again(void *owner)
{
	struct ready_wait *w = owner;
	watch_stop(&w->watch);
	timer_stop(&w->try);
	w->turn = (w->turn + 1) % w->ready->at.n;
	if (w->turn)
		return attempt(w);
	if (clock_now_us() >= w->until_us)
		return finish(w, -ETIMEDOUT);
	if (timer_start(&w->next, w->loop, READY_EVERY_MS, attempt, w) < 0)
		finish(w, -ENOMEM);
}

/* This connection did not come about. */
static void failed(struct ready_wait *w, int error)
{
	w->refusals += error == ECONNREFUSED;
	again(w);
}

static void broke(struct ready_wait *w)
{
	w->broken = w->broken || w->got == 0;
	again(w);
}

/* "HTTP/1.1 200 ..." or the answer itself. 1: it is ready, 0: not yet known, -1: it is not. */
static int judge(const struct ready_wait *w)
{
	size_t at = w->ready->ask[0] == 'G' ? sizeof("HTTP/1.1 ") - 1 : 0, len = strlen(w->ready->answer);
	if (w->got < at + len)
		return 0;
	if (at && strncmp(w->reply, "HTTP/1.", 7) != 0)
		return -1;
	return strncmp(w->reply + at, w->ready->answer, len) == 0 ? 1 : -1;
}

static void on_reply(void *owner)
{
	struct ready_wait *w = owner;
	ssize_t n = recv(w->watch.fd, w->reply + w->got, sizeof(w->reply) - 1 - w->got, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		return broke(w);
	w->got += (size_t)n;
	w->reply[w->got] = 0;
	int is = judge(w);
	if (is > 0)
		finish(w, 0);
	else if (is < 0 || w->got == sizeof(w->reply) - 1)
		again(w);
}

static void on_connected(void *owner)
{
	struct ready_wait *w = owner;
	int error = 0;
	socklen_t len = sizeof(error);
	getsockopt(w->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		return failed(w, error);
	size_t ask = strlen(w->ready->ask);
	if (ask == 0)
		return finish(w, 0);
	ssize_t n = send(w->watch.fd, w->ready->ask + w->sent, ask - w->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return broke(w);
	w->sent += n > 0 ? (size_t)n : 0;
	if (w->sent < ask)
		return;
	w->watch.on_ready = on_reply;
	if (watch_turn(&w->watch, false) < 0)
		again(w);
}

static void attempt(void *owner)
{
	struct ready_wait *w = owner;
	w->got = w->sent = 0;
	w->refusals = w->turn ? w->refusals : 0;
	w->broken = w->turn && w->broken;
	const struct sockaddr_storage *to = &w->ready->at.list[w->turn];
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return again(w);
	if (connect(fd, (const struct sockaddr *)to, ready_address_len(to)) < 0 && errno != EINPROGRESS) {
		int error = errno;
		close(fd);
		return failed(w, error);
	}
	if (watch_start(&w->watch, w->loop, fd, true, on_connected, w) < 0 ||
	    timer_start(&w->try, w->loop, READY_TRY_MS, again, w) < 0)
		finish(w, -ENOMEM);
}

int ready_wait_start(struct ready_wait *w, struct loop *l, const struct ready *ready, uint64_t within_ms,
		     void (*on_done)(void *owner, int error), void *owner)
{
	ready_wait_stop(w);
	*w = (struct ready_wait){.loop = l, .ready = ready, .until_us = clock_now_us() + within_ms * 1000,
				 .on_done = on_done, .owner = owner};
	return timer_start(&w->next, l, 0, attempt, w);
}

bool ready_wait_refused(const struct ready_wait *w)
{
	return w->refusals == w->ready->at.n;
}

bool ready_wait_broken(const struct ready_wait *w)
{
	return w->broken;
}

void ready_wait_stop(struct ready_wait *w)
{
	watch_stop(&w->watch);
	timer_fini(&w->next);
	timer_fini(&w->try);
}
