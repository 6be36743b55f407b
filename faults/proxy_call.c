/* backplane_partition works through a proxy that stands before the broker already; this is how it is told. */
#include "faults/proxy_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/net/ready.h"

enum { READ_MAX = 4096 };

static int open_socket(const struct sockaddr_storage *to)
{
	const struct timeval patience = {.tv_sec = PROXY_CALL_MS / 1000, .tv_usec = PROXY_CALL_MS % 1000 * 1000};
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)to, ready_address_len(to)) == 0)
		return fd;
	int r = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	close(fd);
	return r;
}

static int open_any(const struct dial_addresses *at)
{
	int r = -EHOSTUNREACH;
	for (size_t i = 0; i < at->n && r < 0; i++)
		r = open_socket(&at->list[i]);
	return r;
}

/* Until its end, which HTTP/1.0 says by closing. */
static int read_answer(int fd, struct buf *to)
{
	uint64_t until_us = clock_now_us() + PROXY_CALL_MS * 1000;
	for (;;) {
		int r = buf_reserve(to, READ_MAX);
		if (r < 0)
			return r;
		ssize_t n = recv(fd, to->p + to->len, READ_MAX, 0);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		to->len += n > 0 ? (size_t)n : 0;
		if (clock_now_us() > until_us)
			return -ETIMEDOUT;
	}
}

/* "HTTP/1.1 200 ...", fields, an empty line, the body. Leaves the body. */
static int take_head(struct buf *answer)
{
	const char *text = buf_cstr(answer), *end = strstr(text, "\r\n\r\n");
	int status = strncmp(text, "HTTP/1.", 7) == 0 && answer->len > 12 ? atoi(text + 9) : 0;
	if (!end || status < 100 || status > 999)
		return -EPROTO;
	buf_consume(answer, (size_t)(end + 4 - text));
	return status;
}

static int ask(const struct ready *to, struct span request, struct buf *answer)
{
	int fd CLEANUP(cleanup_fd) = open_any(&to->at);
	if (fd < 0)
		return TAKE_FD(fd);
	if (send(fd, request.p, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
		return -errno;
	int r = read_answer(fd, answer);
	return r < 0 ? r : take_head(answer);
}

int proxy_call(const char *api, const char *method, const char *path, const char *body, struct buf *ret_answer,
	       struct err *e)
{
	struct ready to;
	char request[PROXY_CALL_MAX];
	struct buf answer CLEANUP(buf_fini) = {0};
	int r = ready_parse(api, &to, e);
	if (r < 0)
		return r;
	if (strncmp(api, "http://", 7) != 0)
		return err_set(e, EINVAL, "expected http://HOST:PORT as the address of a proxy's API, not '%.100s'", api);
	int len = snprintf(request, sizeof(request),
			   "%s %s HTTP/1.0\r\nHost: %.*s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
			   "\r\n%s", method, path, (int)strcspn(api + 7, "/"), api + 7, body ? strlen(body) : 0,
			   body ? body : "");
	if (len >= (int)sizeof(request))
		return err_set(e, E2BIG, "the request to %.100s is too long", api);
	buf_init(&answer, PROXY_ANSWER_MAX);
	r = ask(&to, span_of(request, (size_t)len), &answer);
	if (r < 0)
		return err_set(e, -r, "the proxy's API at %.100s does not answer: %s", api, strerror(-r));
	if (ret_answer) {
		*ret_answer = answer;
		answer = (struct buf){0};
	}
	return r;
}
