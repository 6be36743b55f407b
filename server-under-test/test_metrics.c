/* The figures: the text of a fresh server to the letter, and slots over several processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server-under-test/metrics.h"

#define WORKERS 3

static char *render(void)
{
	struct bytes out = { 0 };

	metrics_render(&out);
	bytes_append(&out, "", 1);
	return (char *)out.p + out.start;
}

static void expect(const char *line)
{
	char *text = render();
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (!strstr(text, wanted))
		fail_msg("no line \"%s\" in\n%s", line, text);
	free(text);
}

static double value_of(const char *name)
{
	char *text = render();
	char wanted[256];
	char *at;
	double value;

	snprintf(wanted, sizeof(wanted), "\n%s ", name);
	at = strstr(text, wanted);
	assert_non_null(at);
	value = strtod(at + strlen(wanted), NULL);
	free(text);
	return value;
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned count = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		count++;
	return count;
}

static void test_fresh(void **state)
{
	static const char *const lines[] = {
		"ws_connections_active 0",
		"ws_connections_total 0",
		"ws_refused_total{status=\"429\"} 0",
		"ws_messages_total{direction=\"in\",type=\"publish\"} 0",
		"ws_messages_total{direction=\"in\",type=\"invalid\"} 0",
		"ws_messages_total{direction=\"out\",type=\"welcome\"} 0",
		"ws_messages_total{direction=\"out\",type=\"binary\"} 0",
		"ws_message_duration_seconds_bucket{le=\"0.0001\"} 0",
		"ws_message_duration_seconds_bucket{le=\"+Inf\"} 0",
		"ws_message_duration_seconds_sum 0",
		"ws_message_duration_seconds_count 0",
		"ws_closes_total{code=\"1006\"} 0",
		"ws_slow_consumers_total 0",
		"ws_resumes_total{outcome=\"recovered\"} 0",
		"ws_resumes_total{outcome=\"lost\"} 0",
		"ws_send_queue_bytes 0",
		"ws_backplane_up 0",
	};
	char *text = render();

	(void)state;
	assert_int_equal(strncmp(text, "# HELP ws_connections_active ", 29), 0);
	assert_int_equal(count_of(text, "# HELP "), 12);
	assert_int_equal(count_of(text, "# TYPE "), 12);
	assert_int_equal(count_of(text, "\nws_closes_total{"), 3);
	assert_int_equal(count_of(text, "\nws_refused_total{"), 10);
	assert_int_equal(count_of(text, "\nws_messages_total{"), 21);
	assert_null(strstr(text, "\n\n"));
	assert_int_equal(text[strlen(text) - 1], '\n');
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect(lines[i]);
	assert_true(value_of("process_resident_memory_bytes") > 100000);
	assert_true(value_of("process_open_fds") >= 3);
	free(text);
}

static void test_counts(void **state)
{
	(void)state;
	metrics->closes[4008] += 2;
	metrics->refused[418]++;
	metrics->messages_in[MESSAGE_TYPE_error]++; /* an unlikely one shows, too */
	metrics->backplane_up = true;
	expect("ws_closes_total{code=\"4008\"} 2");
	expect("ws_refused_total{status=\"418\"} 1");
	expect("ws_messages_total{direction=\"in\",type=\"error\"} 1");
	expect("ws_backplane_up 1");
}

static void test_durations(void **state)
{
	(void)state;
	metrics_observe_duration(0.0001); /* a bound belongs to its bucket */
	metrics_observe_duration(0.0002);
	metrics_observe_duration(2.5);
	metrics_observe_duration(7);
	expect("ws_message_duration_seconds_bucket{le=\"0.0001\"} 1");
	expect("ws_message_duration_seconds_bucket{le=\"0.00025\"} 2");
	expect("ws_message_duration_seconds_bucket{le=\"1\"} 2");
	expect("ws_message_duration_seconds_bucket{le=\"2.5\"} 3");
	expect("ws_message_duration_seconds_bucket{le=\"+Inf\"} 4");
	expect("ws_message_duration_seconds_count 4");
	expect("ws_message_duration_seconds_sum 9.5003");
}

static void test_descriptors(void **state)
{
	double before = value_of("process_open_fds");
	int fd = dup(0);

	(void)state;
	assert_true(value_of("process_open_fds") == before + 1);
	close(fd);
}

/* A worker: counts in slot `index`, then waits until it is killed. */
static pid_t worker(unsigned index, int ready_fd)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	metrics_use(index);
	metrics->connections_active = 5;
	metrics->connections_total += 5;
	metrics->send_queue_bytes = 100;
	metrics->backplane_up = index != 1;
	if (write(ready_fd, "", 1) == 1)
		pause();
	_exit(0);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Last, for the slots stay. */
static void test_workers(void **state)
{
	int ready[2];
	char octet;
	pid_t pids[WORKERS];

	(void)state;
	metrics_share(WORKERS);
	assert_int_equal(pipe(ready), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		pids[i] = worker(i, ready[1]);
		assert_int_equal(read(ready[0], &octet, 1), 1);
	}
	assert_int_equal(metrics_connections_active(), 15);
	expect("ws_connections_active 15");
	expect("ws_connections_total 15");
	expect("ws_send_queue_bytes 300");
	expect("ws_backplane_up 0"); /* one worker has lost it */
	end(pids[1]);
	metrics_forget(1);
	expect("ws_connections_active 10");
	expect("ws_connections_total 15");
	expect("ws_send_queue_bytes 200");
	expect("ws_backplane_up 1");
	pids[1] = worker(1, ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	expect("ws_connections_active 15");
	expect("ws_connections_total 20");
	for (unsigned i = 0; i < WORKERS; i++)
		end(pids[i]);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh),	    cmocka_unit_test(test_counts),  cmocka_unit_test(test_durations),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
