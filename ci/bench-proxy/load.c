/*
 * What ci/bench proxy puts on both sides of a proxy: a server that echoes or swallows, and clients that measure.
 *
 *	load serve                        prints "ready ECHO SINK", the two ports; runs until killed
 *	load rtt PORT COUNT SIZE GAP      round trips, each GAP microseconds after the last: p50, p99 in microseconds
 *	load bulk PORT OCTETS             writes of 64 KiB one way, until the sink has all of them: octets a second
 *	load many PORT CONNECTIONS COUNT SIZE  round trips at once on all connections: round trips a second
 *	load idle PORT CONNECTIONS SIZE   a round trip on each, then waits for the end of its input
 *
 * Each prints one line of JSON. Not part of the program; exit status 1 and a sentence on any trouble.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 << 10, EVENTS = 512, SINK_CHUNK = 1 << 20, SIZE_MAX_OCTETS = 4096 };

static void fail(const char *what) __attribute__((noreturn));
static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void no_delay(int fd)
{
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* The server ------------------------------------------------------------------------------------------------------- */

static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0)
		fail("listen");
	getsockname(fd, (struct sockaddr *)&address, &len);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void watch(int epoll, int fd, uint32_t kind)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)kind << 32 | (uint32_t)fd};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		fail("epoll_ctl");
}

enum { ECHO_LISTENER, SINK_LISTENER, ECHO, SINK };

static void serve_one(int fd, uint32_t kind)
{
	static char chunk[PIECE];
	ssize_t n = kind == SINK ? recv(fd, NULL, SINK_CHUNK, MSG_TRUNC) : recv(fd, chunk, sizeof(chunk), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		close(fd);
	else if (kind == ECHO && send(fd, chunk, (size_t)n, MSG_NOSIGNAL) != n)
		close(fd); /* clients wait for each answer: it always fits */
}

static void serve(void)
{
	uint16_t echo_port, sink_port;
	int epoll = epoll_create1(0), echo = listen_somewhere(&echo_port), sink = listen_somewhere(&sink_port);
	watch(epoll, echo, ECHO_LISTENER);
	watch(epoll, sink, SINK_LISTENER);
	printf("ready %u %u\n", (unsigned)echo_port, (unsigned)sink_port);
	fflush(stdout);
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)events[i].data.u64;
			uint32_t kind = (uint32_t)(events[i].data.u64 >> 32);
			if (kind >= ECHO) {
				serve_one(fd, kind);
				continue;
			}
			for (int one; (one = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
				no_delay(one);
				watch(epoll, one, kind + ECHO);
			}
		}
	}
}

/* The clients ------------------------------------------------------------------------------------------------------ */

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect");
	no_delay(fd);
	return fd;
}

static void round_trip(int fd, size_t size)
{
	static char octets[SIZE_MAX_OCTETS];
	if (send(fd, octets, size, MSG_NOSIGNAL) != (ssize_t)size)
		fail("send");
	for (size_t got = 0; got < size;) {
		ssize_t n = recv(fd, octets, size - got, 0);
		if (n <= 0)
			fail("recv");
		got += (size_t)n;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void rtt(uint16_t port, size_t count, size_t size, uint64_t gap_us)
{
	struct timespec gap = {.tv_sec = (time_t)(gap_us / 1000000), .tv_nsec = (long)(gap_us % 1000000 * 1000)};
	int fd = connect_to(port);
	uint64_t *took = calloc(count, sizeof(*took));
	if (!took)
		fail("memory");
	for (size_t i = 0; i < count / 10; i++)
		round_trip(fd, size);
	for (size_t i = 0; i < count; i++) {
		if (gap_us)
			nanosleep(&gap, NULL);
		uint64_t start = now_ns();
		round_trip(fd, size);
		took[i] = now_ns() - start;
	}
	qsort(took, count, sizeof(*took), compare);
	printf("{\"p50_us\": %.3f, \"p99_us\": %.3f}\n", (double)took[count / 2] / 1e3, (double)took[count * 99 / 100] / 1e3);
	free(took);
	close(fd);
}

static void bulk(uint16_t port, uint64_t octets)
{
	static char piece[PIECE];
	char end;
	int fd = connect_to(port);
	uint64_t start = now_ns();
	for (uint64_t sent = 0; sent < octets;) {
		ssize_t n = send(fd, piece, PIECE, MSG_NOSIGNAL);
		if (n <= 0)
			fail("send");
		sent += (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	if (recv(fd, &end, 1, 0) != 0)
		fail("the sink did not close");
	printf("{\"octets_s\": %.0f}\n", (double)octets * 1e9 / (double)(now_ns() - start));
	close(fd);
}

static void may_have_many_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void many(uint16_t port, size_t connections, size_t count, size_t size)
{
	static char octets[SIZE_MAX_OCTETS];
	int epoll = epoll_create1(0);
	for (size_t i = 0; i < connections; i++) {
		int fd = connect_to(port);
		round_trip(fd, size);
		watch(epoll, fd, 0);
		if (send(fd, octets, size, MSG_NOSIGNAL) != (ssize_t)size)
			fail("send");
	}
	uint64_t start = now_ns();
	for (size_t done = 0; done < count;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)events[i].data.u64;
			if (recv(fd, octets, size, 0) != (ssize_t)size)
				fail("recv");
			if (send(fd, octets, size, MSG_NOSIGNAL) != (ssize_t)size)
				fail("send");
			done++;
		}
	}
	printf("{\"trips_s\": %.0f}\n", (double)count * 1e9 / (double)(now_ns() - start));
}

static void idle(uint16_t port, size_t connections, size_t size)
{
	char end;
	for (size_t i = 0; i < connections; i++)
		round_trip(connect_to(port), size);
	printf("{\"open\": %zu}\n", connections);
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	uint64_t n[4] = {0};
	const char *mode = argc > 1 ? argv[1] : "";
	for (int i = 2; i < argc && i < 6; i++)
		n[i - 2] = strtoull(argv[i], NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	may_have_many_files();
	if (strcmp(mode, "serve") == 0 && argc == 2)
		serve();
	else if (strcmp(mode, "rtt") == 0 && argc == 6 && n[1] && n[2] && n[2] <= SIZE_MAX_OCTETS)
		rtt((uint16_t)n[0], n[1], n[2], n[3]);
	else if (strcmp(mode, "bulk") == 0 && argc == 4)
		bulk((uint16_t)n[0], n[1]);
	else if (strcmp(mode, "many") == 0 && argc == 6 && n[3] && n[3] <= SIZE_MAX_OCTETS)
		many((uint16_t)n[0], n[1], n[2], n[3]);
	else if (strcmp(mode, "idle") == 0 && argc == 5 && n[2] && n[2] <= SIZE_MAX_OCTETS)
		idle((uint16_t)n[0], n[1], n[2]);
	else {
		fprintf(stderr, "load: the comment at the top of load.c says how it is called\n");
		return 64;
	}
	return 0;
}
