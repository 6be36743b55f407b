/* The log of a run: whole lines, at once, nothing lost by a kill. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/run/history.h"

static char folder[] = "/tmp/test_history_XXXXXX";
static char path[64];

static int set_up(void **state)
{
	(void)state;
	if (!folder[0] || (strstr(folder, "XXXXXX") && !mkdtemp(folder)))
		return -1;
	snprintf(path, sizeof(path), "%s/history.jsonl", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static const char *content(void)
{
	static char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static void each_event_is_a_line_at_once(void **state)
{
	struct history h;
	struct err e;
	(void)state;
	assert_int_equal(history_open(&h, path, &e), 0);
	assert_string_equal(content(), "");
	assert_int_equal(history_append(&h, json_pack("{s:s,s:i}", "event", "plan", "seed", 1)), 0);
	assert_string_equal(content(), "{\"event\":\"plan\",\"seed\":1}\n");
	assert_int_equal(history_append(&h, json_pack("{s:s}", "seen", "two\nlines \x1b")), 0);
	assert_string_equal(content(), "{\"event\":\"plan\",\"seed\":1}\n{\"seen\":\"two\\nlines \\u001B\"}\n");
	history_close(&h);
	history_close(&h);
	assert_int_equal(history_open(&h, path, &e), 0);
	assert_string_equal(content(), "");
	history_close(&h);
}

static void what_was_appended_survives_a_kill(void **state)
{
	struct err e;
	int status;
	(void)state;
	pid_t child = fork();
	if (child == 0) {
		struct history h;
		if (history_open(&h, path, &e) < 0)
			_exit(1);
		for (int i = 0; i < 20; i++)
			history_append(&h, json_pack("{s:i}", "i", i));
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_non_null(strstr(content(), "{\"i\":0}\n"));
	assert_non_null(strstr(content(), "\n{\"i\":19}\n"));
}

static void failures_are_said(void **state)
{
	struct history h, none = {.fd = -1};
	struct err e = {0};
	(void)state;
	assert_int_equal(history_open(&h, "/nonexistent/history.jsonl", &e), -ENOENT);
	assert_string_equal(e.text, "/nonexistent/history.jsonl cannot be written: No such file or directory");
	assert_int_equal(history_append(&none, json_pack("{s:i}", "i", 1)), 0);
	h.fd = open("/dev/full", O_WRONLY);
	if (h.fd >= 0)
		assert_int_equal(history_append(&h, json_pack("{s:i}", "i", 1)), -ENOSPC);
	assert_true(history_append(&h, NULL) < 0);
	history_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_event_is_a_line_at_once),
		cmocka_unit_test(what_was_appended_survives_a_kill),
		cmocka_unit_test(failures_are_said),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
