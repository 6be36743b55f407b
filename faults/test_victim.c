/*
 * A server to be hurt, for the tests of faults on processes: test_victim PORT [stubborn]. It answers each line on each
 * connection (a thread each) in 127.0.0.1:PORT:
 *	echo TEXT    TEXT
 *	time         seconds since 1970
 *	cpu          milliseconds of processor time that all its threads have used
 *	burn         "ok"; a thread uses all the time that it gets from now on
 *	alloc N      "ok" when N MiB could be allocated and written, "ENOMEM"; freed at once
 *	emfile       how often accept() failed with EMFILE
 *	fork         the number of a new child process, which only waits
 *	exit N       ends with that status
 * stubborn: SIGTERM is ignored. A child outlives its parent; all end after LIFE_S, whatever
 * became of the test.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_OCTETS = 1024, LIFE_S = 600 };

static atomic_int accept_failures;

static void *burn(void *unused)
{
	volatile unsigned n = 0;
	for (;;)
		n++;
	return unused;
}

static long cpu_ms(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

static const char *allocate(size_t mib)
{
	size_t len = mib << 20;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return "ENOMEM";
	memset(p, 1, len);
	munmap(p, len);
	return "ok";
}

static int have_child(void)
{
	int pid = fork();
	if (pid == 0) {
		alarm(LIFE_S);
		for (;;)
			pause();
	}
	return pid;
}

static void answer(FILE *to, char *line)
{
	pthread_t thread;
	line[strcspn(line, "\n")] = 0;
	if (strncmp(line, "echo ", 5) == 0)
		fprintf(to, "%s\n", line + 5);
	else if (strcmp(line, "time") == 0)
		fprintf(to, "%lld\n", (long long)time(NULL));
	else if (strcmp(line, "cpu") == 0)
		fprintf(to, "%ld\n", cpu_ms());
	else if (strcmp(line, "burn") == 0)
		fprintf(to, "%s\n", pthread_create(&thread, NULL, burn, NULL) ? "no" : "ok");
	else if (strncmp(line, "alloc ", 6) == 0)
		fprintf(to, "%s\n", allocate((size_t)atoi(line + 6)));
	else if (strcmp(line, "emfile") == 0)
		fprintf(to, "%d\n", atomic_load(&accept_failures));
	else if (strcmp(line, "fork") == 0)
		fprintf(to, "%d\n", have_child());
	else if (strncmp(line, "exit ", 5) == 0)
		_exit(atoi(line + 5));
	fflush(to);
}

static void *serve(void *owner)
{
	int fd = (int)(intptr_t)owner;
	char line[LINE_MAX_OCTETS];
	FILE *f = fdopen(fd, "r+");
	while (f && fgets(line, sizeof(line), f))
		answer(f, line);
	if (f)
		fclose(f);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(argc > 1 ? (uint16_t)atoi(argv[1]) : 0)};
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	alarm(LIFE_S);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	if (argc > 2 && strcmp(argv[2], "stubborn") == 0)
		signal(SIGTERM, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(listener, 64) < 0) {
		perror("test_victim");
		return 1;
	}
	for (;;) {
		pthread_t thread;
		int fd = accept(listener, NULL, NULL);
		if (fd < 0 && errno == EMFILE) {
			accept_failures++;
			poll(NULL, 0, 10);
		}
		if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
	}
}
