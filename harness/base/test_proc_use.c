/* Ourselves and a child, found by port and pidfile, and what we take; the kernel's own figures are the oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/proc.h"

static struct proc_id ourselves(void)
{
	struct proc_id id;
	assert_int_equal(proc_identify(getpid(), &id), 0);
	return id;
}

static void listeners_are_found(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
		struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		bool six = families[i] == AF_INET6;
		socklen_t len = six ? sizeof(a) : sizeof(a4);
		struct sockaddr *at = six ? (struct sockaddr *)&a : (struct sockaddr *)&a4;
		struct proc_id found;
		int fd = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || bind(fd, at, len) < 0) {
			close(fd); /* a machine without IPv6 */
			continue;
		}
		assert_int_equal(getsockname(fd, at, &len), 0);
		uint16_t port = ntohs(six ? a.sin6_port : a4.sin_port);
		assert_int_equal(proc_listening(port, &found), -ESRCH); /* bound alone is not listening */
		assert_int_equal(listen(fd, 1), 0);
		pid_t child = fork(); /* it holds the socket, too */
		if (child == 0) {
			pause();
			_exit(0);
		}
		assert_int_equal(proc_listening(port, &found), 0);
		assert_int_equal(found.pid, getpid());
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		close(fd);
		assert_int_equal(proc_listening(port, &found), -ESRCH);
	}
}

static void use_grows_with_what_is_used(void **state)
{
	enum { OCTETS = 32 << 20 };
	struct proc_use before, after;
	(void)state;
	assert_int_equal(proc_use(ourselves(), &before), 0);
	char *block = malloc(OCTETS);
	assert_non_null(block);
	memset(block, 1, OCTETS);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(proc_use(ourselves(), &after), 0);
	assert_int_equal(after.descriptors, before.descriptors + 1);
	assert_true(after.resident > before.resident + OCTETS / 2 && block[OCTETS - 1] == 1);
	close(fd);
	free(block);
	struct proc_id other = ourselves();
	other.started++;
	assert_int_equal(proc_use(other, &after), -ESRCH);
}

static void write_pidfile(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void pidfiles_are_read(void **state)
{
	char path[] = "/tmp/test_proc_use_XXXXXX", text[32];
	struct proc_id id;
	(void)state;
	close(mkstemp(path));
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	write_pidfile(path, text);
	assert_int_equal(proc_from_pidfile(path, &id), 0);
	assert_int_equal(id.pid, getpid());
	const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(proc_from_pidfile(path, &id), -ESRCH);
	write_pidfile(path, "no number");
	assert_int_equal(proc_from_pidfile(path, &id), -EINVAL);
	write_pidfile(path, "");
	assert_int_equal(proc_from_pidfile(path, &id), -EINVAL);
	unlink(path);
	assert_int_equal(proc_from_pidfile(path, &id), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_are_found),
		cmocka_unit_test(use_grows_with_what_is_used),
		cmocka_unit_test(pidfiles_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
