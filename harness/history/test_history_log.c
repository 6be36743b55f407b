/* The log: numbering, watchers, when it is written, and reading back what a killed or a hostile writer left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/history/history.h"

static char folder[] = "/tmp/wsquall-history-XXXXXX", path[64];

static int set_up(void **state)
{
	(void)state;
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/events.jsonl", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static size_t file_size(void)
{
	struct stat st;
	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

struct seen {
	uint64_t numbers[8], times[8];
	size_t n, heads;
	const char *tag;
	char *order;
};

static void on_event(void *owner, const struct event *e)
{
	struct seen *s = owner;
	if (s->n < ARRAY_LEN(s->numbers)) {
		s->numbers[s->n] = e->number;
		s->times[s->n] = e->at_us;
	}
	s->n++;
	if (s->order)
		snprintf(s->order + strlen(s->order), 16, "%s%llu ", s->tag, (unsigned long long)e->number);
}

static void on_head(void *owner, const json_t *head)
{
	struct seen *s = owner;
	s->heads++;
	assert_string_equal(json_string_value(json_object_get(head, "scenario")), "idle");
}

static struct history_log *log_new(const char *where)
{
	struct history_log *log = NULL;
	struct err e;
	if (history_log_new(where, json_pack("{s:s}", "scenario", "idle"), &log, &e) < 0)
		fail_msg("%s", e.text);
	return log;
}

static void add(struct history_log *log, uint64_t at_us)
{
	struct event e = {.at_us = at_us, .kind = EVENT_PHASE, .type = EVENT_OK, .text = "warm up"};
	history_add(log, &e);
}

static void events_are_numbered_and_time_never_goes_back(void **state)
{
	(void)state;
	struct history_log *log = log_new(NULL);
	char order[128] = "";
	struct seen a = {.tag = "a", .order = order}, b = {.tag = "b", .order = order};
	history_watch(log, on_event, &a);
	history_watch(log, on_event, &b);
	add(log, 100);
	add(log, 90);
	add(log, 110);
	assert_string_equal(order, "a1 b1 a2 b2 a3 b3 ");
	assert_true(a.times[0] == 100 && a.times[1] == 100 && a.times[2] == 110 && history_count(log) == 3);
	assert_int_equal(history_log_free(log), 0);
	assert_int_equal(history_log_free(NULL), 0);
}

static void lines_are_written_every_flush_interval(void **state)
{
	(void)state;
	struct history_log *log = log_new(path);
	size_t head = file_size();
	assert_true(head > 0); /* at once: a run that is killed early still says what it was */
	add(log, 1000);
	add(log, HISTORY_FLUSH_MS * 1000 - 1);
	assert_int_equal(file_size(), head);
	add(log, HISTORY_FLUSH_MS * 1000);
	size_t three = file_size();
	assert_true(three > head);
	add(log, HISTORY_FLUSH_MS * 1000 + 1);
	assert_int_equal(file_size(), three);
	history_flush(log);
	assert_true(file_size() > three);
	for (int i = 0; i < HISTORY_BUFFER / 64; i++) /* a full buffer does not wait */
		add(log, HISTORY_FLUSH_MS * 1000 + 1);
	assert_true(file_size() > HISTORY_BUFFER / 2);
	assert_int_equal(history_log_free(log), 0);
}

static void a_file_is_read_back(void **state)
{
	(void)state;
	struct history_log *log = log_new(path);
	for (uint64_t i = 1; i <= 10000; i++)
		add(log, i * 10);
	assert_int_equal(history_log_free(log), 0);
	struct seen seen = {0};
	struct err e;
	assert_int_equal(history_read(path, on_head, on_event, &seen, &e), 0);
	assert_true(seen.heads == 1 && seen.n == 10000 && seen.numbers[7] == 8 && seen.times[7] == 80);
}

#define HEAD "{\"format\":\"wsquall.events/1\",\"scenario\":\"idle\"}\n"
#define LINE "{\"n\":1,\"at\":0.5,\"event\":\"phase\",\"type\":\"ok\"}\n"

static const struct {
	const char *text, *why; /* why NULL: it is read */
	size_t events;
} files_read[] = {
	{HEAD, NULL, 0},
	{HEAD LINE LINE, NULL, 2},
	{HEAD LINE "{\"n\":2,\"at\":0.6,\"eve", NULL, 1},
	{HEAD LINE "{\"n\":2,\"at\":0.6,\"event\":\"phase\",\"type\":\"ok\"}", NULL, 2},
	{HEAD "{\"n\":2,\n" LINE, ":2: ", 0},
	{HEAD LINE "\n" LINE, ":3: ", 1},
	{HEAD LINE "{\"event\":\"phase\",\"type\":\"ok\",\"x\":1}\n", ":3: an event has no field x", 1},
	{"", ":1: ", 0},
	{"{\"form", ":1: ", 0},
	{LINE, ":1: this is no history of events (wsquall.events/1)", 0},
	{"{\"format\":\"wsquall.events/2\"}\n", ":1: this is no history of events (wsquall.events/1)", 0},
};

static void a_cut_end_is_read_and_all_else_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files_read); i++) {
		struct seen seen = {0};
		struct err e;
		assert_int_equal(file_write_atomic(path, span_str(files_read[i].text), &e), 0);
		int r = history_read(path, on_head, on_event, &seen, &e);
		assert_int_equal(r, files_read[i].why ? -EINVAL : 0);
		if (files_read[i].why && !strstr(e.text, files_read[i].why))
			fail_msg("%s: not \"%s\"", e.text, files_read[i].why);
		assert_int_equal(seen.n, files_read[i].events);
	}
}

static void lines_without_end_are_refused(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	struct seen seen = {0};
	struct err e;
	buf_init(&b, HISTORY_HEAD_MAX * 2);
	assert_int_equal(buf_append(&b, HEAD, sizeof(HEAD) - 1), 0);
	assert_int_equal(buf_reserve(&b, HISTORY_HEAD_MAX + (1 << 20)), 0);
	memset(b.p + b.len, ' ', HISTORY_HEAD_MAX + (1 << 20));
	size_t head = b.len;
	b.len += HISTORY_LINE_MAX + 2;
	b.p[b.len - 1] = '\n';
	assert_int_equal(file_write_atomic(path, buf_span(&b), &e), 0);
	assert_int_equal(history_read(path, on_head, on_event, &seen, &e), -EINVAL);
	assert_non_null(strstr(e.text, ":2: the line is too long"));
	b.p[b.len - 1] = ' ';
	b.len = head + HISTORY_HEAD_MAX + (1 << 20);
	assert_int_equal(file_write_atomic(path, buf_span(&b), &e), 0);
	assert_int_equal(history_read(path, on_head, on_event, &seen, &e), -EINVAL);
	assert_non_null(strstr(e.text, ":2: the line is too long"));
}

static void a_full_disk_ends_the_file_and_not_the_run(void **state)
{
	(void)state;
	struct history_log *log = NULL;
	struct seen seen = {0};
	struct err e;
	assert_int_equal(history_log_new("/dev/full", NULL, &log, &e), -ENOSPC);
	assert_int_equal(history_log_new("/nowhere/at/all", json_object(), &log, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nowhere/at/all cannot be written"));
	log = log_new(path);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	for (int fd = 3; fd < full; fd++) { /* the log's own descriptor becomes one of a full disk */
		struct stat of_fd, of_path;
		if (fstat(fd, &of_fd) == 0 && stat(path, &of_path) == 0 && of_fd.st_ino == of_path.st_ino)
			assert_int_equal(dup2(full, fd), fd);
	}
	close(full);
	history_watch(log, on_event, &seen);
	add(log, 1);
	history_flush(log);
	assert_int_equal(history_failed(log), -ENOSPC);
	add(log, 2);
	assert_int_equal(seen.n, 2);
	assert_int_equal(history_log_free(log), -ENOSPC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_are_numbered_and_time_never_goes_back), TEST(lines_are_written_every_flush_interval),
		TEST(a_file_is_read_back), TEST(a_cut_end_is_read_and_all_else_is_refused), TEST(lines_without_end_are_refused),
		TEST(a_full_disk_ends_the_file_and_not_the_run),
	};
	return cmocka_run_group_tests_name("history_log", tests, NULL, NULL);
}
