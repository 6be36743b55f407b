/* Ready at one of a name's addresses is ready: "localhost" is two of them, and a server may listen at the second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/net/ready.h"

enum { HANG_MS = 60000 };

/* A socket of 127.0.0.1 with a port of its own; who connects is refused unless it listens. */
static int have_port(bool listens, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	assert_true(!listens || listen(fd, 8) == 0);
	memset(ret_address, 0, sizeof(*ret_address));
	memcpy(ret_address, &at, sizeof(at));
	return fd;
}

struct wish {
	struct loop loop;
	struct ready_wait wait;
	int error;
	bool refused, broken;
};

static void on_done(void *owner, int error)
{
	struct wish *w = owner;
	w->error = error;
	w->refused = ready_wait_refused(&w->wait);
	w->broken = ready_wait_broken(&w->wait);
	loop_stop(&w->loop);
}

static struct wish wait_for(const struct ready *ready, uint64_t within_ms)
{
	struct wish w = {.error = 1};
	assert_int_equal(loop_init(&w.loop), 0);
	assert_int_equal(ready_wait_start(&w.wait, &w.loop, ready, within_ms, on_done, &w), 0);
	loop_run(&w.loop);
	ready_wait_stop(&w.wait);
	loop_fini(&w.loop);
	return w;
}

static void any_address_of_a_name(void **state)
{
	static const struct {
		bool listens[3];
		uint64_t within_ms;
		int r;
	} rows[] = {
		{{true, false, false}, 0, 0}, {{false, false, true}, 0, 0}, {{false, true, false}, HANG_MS, 0},
		{{false, false, false}, 0, -ETIMEDOUT}, {{false, false, false}, 120, -ETIMEDOUT},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ready ready;
		int fds[3];
		assert_int_equal(ready_parse("tcp://127.0.0.1:1", &ready, NULL), 0);
		assert_int_equal(ready.at.n, 1);
		for (size_t k = 0; k < 3; k++)
			fds[k] = have_port(rows[i].listens[k], &ready.at.list[k]);
		ready.at.n = 3;
		struct wish w = wait_for(&ready, rows[i].within_ms);
		assert_int_equal(w.error, rows[i].r);
		assert_int_equal(w.refused, rows[i].r != 0);
		assert_false(w.broken);
		for (size_t k = 0; k < 3; k++)
			close(fds[k]);
	}
}

/* Whoever takes a connection and ends it listens. */
static void one_that_listens_is_no_refusal(void **state)
{
	struct ready ready;
	int fds[2];
	(void)state;
	assert_int_equal(ready_parse("http://127.0.0.1:1/", &ready, NULL), 0);
	fds[0] = have_port(true, &ready.at.list[0]);
	fds[1] = have_port(false, &ready.at.list[1]);
	ready.at.n = 2;
	pid_t pid = fork();
	if (pid == 0) {
		close(accept(fds[0], NULL, NULL));
		_exit(0);
	}
	struct wish w = wait_for(&ready, 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(w.error, -ETIMEDOUT);
	assert_false(w.refused);
	assert_true(w.broken);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_address_of_a_name),
		cmocka_unit_test(one_that_listens_is_no_refusal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
