/* Buckets on a clock of our own; WebSockets counted by address and over processes that die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server-under-test/limits.h"

#define WORKERS 3
#define DESCRIPTORS 1024 /* the hard limit of these tests: 896 of them for WebSockets */

static enum admission admit(const struct config *config, const char *ip)
{
	unsigned retry_s;

	return limits_admit(config, ip, 0, &retry_s);
}

static void test_bucket(void **state)
{
	/* One after the other: at this time a token is had or not. Rate 2, burst 3. */
	static const struct {
		double at_s;
		bool had;
	} rows[] = {
		{ 10, true }, { 10, true }, { 10, true }, { 10, false }, { 10.25, false }, { 10.5, true }, { 10.5, false },
		{ 9, false }, { 10.75, false }, { 11, true }, { 1000, true }, { 1000, true }, { 1000, true }, { 1000, false },
	};
	struct bucket bucket = { 0 };

	(void)state;
	assert_true(bucket_wait_s(&bucket, 2) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (bucket_take(&bucket, 2, 3, rows[i].at_s) != rows[i].had)
			fail_msg("row %zu", i);
	assert_true(bucket_wait_s(&bucket, 2) == 0.5);
	assert_true(bucket_take(&bucket, 0, 3, 1000));
	assert_true(bucket_wait_s(&bucket, 0) == 0);
}

static void test_handshakes(void **state)
{
	struct config config = { .limit_handshakes = 2 };
	unsigned retry_s = 99;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(limits_admit(&config, "192.0.2.1", 100, &retry_s), ADMIT_OK);
	assert_int_equal(limits_admit(&config, "192.0.2.2", 100, &retry_s), ADMIT_HANDSHAKES);
	assert_int_equal(retry_s, 1);
	assert_int_equal(limits_admit(&config, "192.0.2.2", 100.5, &retry_s), ADMIT_OK);
	assert_int_equal(retry_s, 0);
	limits_release("192.0.2.1");
	limits_release("192.0.2.1");
	limits_release("192.0.2.2");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *held, *other;
		bool same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.2", false },
		{ "2001:db8::1", "2001:db8:0:0:ffff::1", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "::1", "::2", true },
		{ "::1", "127.0.0.1", false },
		{ "", "", false },
		{ "proxy", "proxy", false },
	};
	struct config config = { .limit_per_address = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum admission second;

		assert_int_equal(admit(&config, rows[i].held), ADMIT_OK);
		second = admit(&config, rows[i].other);
		if (second != (rows[i].same ? ADMIT_PER_ADDRESS : ADMIT_OK))
			fail_msg("%s and %s: %d", rows[i].held, rows[i].other, (int)second);
		if (!rows[i].same)
			limits_release(rows[i].other);
		limits_release(rows[i].held);
		assert_int_equal(admit(&config, rows[i].other), ADMIT_OK);
		limits_release(rows[i].other);
	}
}

/* Fewer descriptors than the configuration would like; with TLS each takes three. */
static void test_descriptors(void **state)
{
	struct config config = { .limit_connections = 5000 };

	(void)state;
	for (unsigned i = 0; i < 896; i++)
		assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_OK);
	assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_FULL);
	for (unsigned i = 0; i < 896 - 297; i++)
		limits_release("192.0.2.1");
	config.tls_cert = "cert";
	assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_OK);
	assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_FULL);
	for (unsigned i = 0; i < 298; i++)
		limits_release("192.0.2.1");
}

/* Many addresses come and go in an order of their own; whatever the table moves, each is counted right. */
static void test_table(void **state)
{
	struct config config = { .limit_per_address = 2 };
	static unsigned held[300];
	unsigned random = 1, total = 0;
	char ip[64];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		unsigned n;

		random = random * 1103515245 + 12345;
		n = (random >> 16) % 300;
		snprintf(ip, sizeof(ip), "2001:db8:0:%x::%x", n, i & 0xffff);
		if ((random >> 8) & 1) {
			enum admission wanted = held[n] == 2 ? ADMIT_PER_ADDRESS : ADMIT_OK;

			assert_int_equal(admit(&config, ip), wanted);
			held[n] += wanted == ADMIT_OK;
			total += wanted == ADMIT_OK;
		} else if (held[n] > 0) {
			limits_release(ip);
			held[n]--;
			total--;
		}
	}
	assert_true(total > 0);
	for (unsigned n = 0; n < 300; n++) {
		snprintf(ip, sizeof(ip), "2001:db8:0:%x::", n);
		for (; held[n] > 0; held[n]--)
			limits_release(ip);
	}
}

/* A worker: holds `count`, tells, and then does nothing, or admits and releases without end, until it is killed. */
static pid_t worker(unsigned index, const struct config *config, unsigned count, int ready_fd, bool busy)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	limits_use(index);
	for (unsigned i = 0; i < count; i++)
		if (admit(config, "192.0.2.1") != ADMIT_OK)
			_exit(1);
	if (write(ready_fd, "", 1) != 1)
		_exit(1);
	while (busy) {
		admit(config, "192.0.2.9");
		limits_release("192.0.2.9");
	}
	pause();
	_exit(0);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_workers(void **state)
{
	struct config config = { .limit_connections = 10, .limit_per_address = 8 };
	int ready[2];
	char octet;
	pid_t first, second;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	first = worker(1, &config, 5, ready[1], false);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	second = worker(2, &config, 3, ready[1], false);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_PER_ADDRESS);
	assert_int_equal(admit(&config, "192.0.2.2"), ADMIT_OK);
	assert_int_equal(admit(&config, "192.0.2.2"), ADMIT_OK);
	assert_int_equal(admit(&config, "192.0.2.2"), ADMIT_FULL);
	end(first);
	first = worker(1, &config, 0, ready[1], false); /* its successor holds nothing */
	assert_int_equal(read(ready[0], &octet, 1), 1);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_OK);
	assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_PER_ADDRESS);
	for (unsigned i = 0; i < 5; i++)
		limits_release("192.0.2.1");
	limits_release("192.0.2.2");
	limits_release("192.0.2.2");
	end(first);
	end(second);
	close(ready[0]);
	close(ready[1]);
}

/* Workers that spend their lives at the table are killed there: nobody waits for them for ever. */
static void test_killed_inside(void **state)
{
	struct config config = { .limit_per_address = 8 };
	int ready[2];
	char octet;

	(void)state;
	alarm(60);
	assert_int_equal(pipe(ready), 0);
	for (unsigned i = 0; i < 300; i++) {
		pid_t pid = worker(1, &config, 0, ready[1], true);

		assert_int_equal(read(ready[0], &octet, 1), 1);
		for (unsigned j = 0; j < 50; j++) {
			assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_OK);
			limits_release("192.0.2.1");
		}
		end(pid);
		assert_int_equal(admit(&config, "192.0.2.1"), ADMIT_OK);
		limits_release("192.0.2.1");
	}
	alarm(0);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket),	    cmocka_unit_test(test_handshakes), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_table),      cmocka_unit_test(test_workers),
		cmocka_unit_test(test_killed_inside),
	};
	struct rlimit limit = { DESCRIPTORS / 2, DESCRIPTORS };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limits_share(WORKERS);
	limits_use(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
