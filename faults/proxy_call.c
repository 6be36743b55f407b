/* backplane_partition works through a proxy that stands before the broker already; this is how it is told. */
#include "faults/proxy_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "harness/net/ready.h"

static int open_socket(const struct ready *to)
{
	const struct timeval patience = {.tv_sec = PROXY_CALL_MS / 1000, .tv_usec = PROXY_CALL_MS % 1000 * 1000};
	int fd = socket(to->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, &to->address.any, to->address_len) == 0)
		return fd;
	int r = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	close(fd);
	return r;
}

/* "HTTP/1.1 200 ..." */
static int read_status(int fd)
{
	char head[16] = "";
	for (size_t got = 0; got < 12;) {
		ssize_t n = recv(fd, head + got, 12 - got, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
		got += (size_t)n;
	}
	int status = strncmp(head, "HTTP/1.", 7) == 0 ? atoi(head + 9) : 0;
	return status >= 100 && status <= 999 ? status : -EPROTO;
}

int proxy_call(const char *api, const char *method, const char *path, const char *body, struct err *e)
{
	struct ready to;
	char request[PROXY_CALL_MAX];
	int r = ready_parse(api, &to, e);
	if (r < 0)
		return r;
	if (strncmp(api, "http://", 7) != 0)
		return err_set(e, EINVAL, "expected http://HOST:PORT as the address of a proxy's API, not '%.100s'", api);
	int len = snprintf(request, sizeof(request),
			   "%s %s HTTP/1.1\r\nHost: %.*s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
			   "Connection: close\r\n\r\n%s", method, path, (int)strcspn(api + 7, "/"), api + 7,
			   body ? strlen(body) : 0, body ? body : "");
	if (len >= (int)sizeof(request))
		return err_set(e, E2BIG, "the request to %.100s is too long", api);
	int fd CLEANUP(cleanup_fd) = open_socket(&to);
	r = fd < 0 ? TAKE_FD(fd) : 0;
	if (r == 0 && send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		r = -errno;
	if (r == 0)
		r = read_status(fd);
	return r < 0 ? err_set(e, -r, "the proxy's API at %.100s does not answer: %s", api, strerror(-r)) : r;
}
