/* Pages for those who ask for them; none of the code under test is in here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/target/test_pages.h"

static bool read_head(struct pages *p, int fd)
{
	size_t got = 0;
	char head[sizeof(p->request)] = {0};
	while (!strstr(head, "\r\n\r\n")) {
		ssize_t n = recv(fd, head + got, sizeof(head) - 1 - got, 0);
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	memcpy(p->request, head, sizeof(head));
	return true;
}

static void *serve(void *arg)
{
	struct pages *p = arg;
	const char *const *answer = p->answers;
	for (int fd; (fd = accept(p->listener, NULL, NULL)) >= 0;) {
		const char *text = *answer;
		bool keep = strcmp(text, "hold") == 0 || text[0] == '-';
		text += text[0] == '-';
		bool whole = read_head(p, fd);
		atomic_fetch_add(&p->asked, 1);
		if (whole && strcmp(text, "hold") != 0)
			send(fd, text, strlen(text), MSG_NOSIGNAL);
		if (keep && p->n_held < sizeof(p->held) / sizeof(p->held[0]))
			p->held[p->n_held++] = fd;
		else
			close(fd);
		if (answer[1])
			answer++;
	}
	return NULL;
}

void pages_start(struct pages *p, const char *const *answers)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	memset(p, 0, sizeof(*p));
	p->answers = answers;
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(p->listener, 16), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &len), 0);
	p->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

void pages_stop(struct pages *p)
{
	shutdown(p->listener, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->listener);
	while (p->n_held)
		close(p->held[--p->n_held]);
}
