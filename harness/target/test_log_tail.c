/*
 * Files that grow, turn and shrink, written by the test itself. Most is looked at by log_tail_catch_up(), which tells before
 * it returns; that the loop is woken is seen by waiting for a line, for as long as it takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/escape.h"
#include "harness/target/log_tail.h"

struct rig {
	char folder[64], path[128], other[128];
	struct loop loop;
	struct log_tail *tail;
	struct buf told;               /* "a|b!|": lines, '!' behind a cut one */
	uint64_t lines, octets;
	uint64_t stop_at;              /* lines */
};

static void on_line(void *owner, size_t file, struct span line, bool cut)
{
	struct rig *r = owner;
	(void)file;
	r->lines++;
	r->octets += line.len;
	if (line.len <= 100) {
		escape_text(&r->told, line);
		buf_printf(&r->told, "%s|", cut ? "!" : "");
	} else {
		buf_printf(&r->told, "%zu%s|", line.len, cut ? "!" : "");
	}
	if (r->lines == r->stop_at)
		loop_stop(&r->loop);
}

static const struct log_tail_events events = {.on_line = on_line};

static int set_up(void **state)
{
	static struct rig r;
	r = (struct rig){.folder = "/tmp/test_log_tail_XXXXXX"};
	assert_non_null(mkdtemp(r.folder));
	snprintf(r.path, sizeof(r.path), "%s/a.log", r.folder);
	snprintf(r.other, sizeof(r.other), "%s/a.log.1", r.folder);
	buf_init(&r.told, 1 << 20);
	assert_int_equal(loop_init(&r.loop), 0);
	*state = &r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	log_tail_free(r->tail);
	loop_run(&r->loop);
	loop_fini(&r->loop);
	buf_fini(&r->told);
	unlink(r->path);
	unlink(r->other);
	rmdir(r->folder);
	return 0;
}

static void start(struct rig *r)
{
	const char *paths[] = {r->path};
	struct err e = {0};
	if (log_tail_new(&r->loop, paths, 1, &events, r, &r->tail, &e) < 0)
		fail_msg("%s", e.text);
}

static void put(const char *path, int flags, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void append(const char *path, const char *text)
{
	put(path, O_APPEND, text, strlen(text));
}

/* What was told since the last time. */
static void expect(struct rig *r, const char *told)
{
	log_tail_catch_up(r->tail);
	assert_string_equal(buf_cstr(&r->told), told);
	buf_consume(&r->told, r->told.len);
}

static void from_the_end_on(void **state)
{
	struct rig *r = *state;
	append(r->path, "old\nolder\n");
	start(r);
	expect(r, "");
	append(r->path, "one\ntwo\r\n\n");
	expect(r, "one|two||");
	append(r->path, "thr");
	expect(r, "");
	append(r->path, "ee\nfo");
	expect(r, "three|");
	log_tail_finish(r->tail);
	append(r->path, "ur\nfive\n");
	expect(r, "fo!|five|");
}

static void a_line_begun_before_us_is_not_ours(void **state)
{
	struct rig *r = *state;
	append(r->path, "old\nhalf");
	start(r);
	append(r->path, " a line\nwhole\n");
	expect(r, "whole|");
}

static void a_file_that_appears_later(void **state)
{
	struct rig *r = *state;
	struct log_tail_state s;
	start(r);
	expect(r, "");
	log_tail_state(r->tail, 0, &s);
	assert_false(s.there);
	append(r->path, "first\nsecond\n");
	expect(r, "first|second|");
	log_tail_state(r->tail, 0, &s);
	assert_true(s.there && s.lines == 2 && s.octets == 13 && s.error == 0);
}

static void renamed_and_made_anew(void **state)
{
	struct rig *r = *state;
	append(r->path, "");
	start(r);
	append(r->path, "a\n");
	int late = open(r->path, O_WRONLY | O_APPEND | O_CLOEXEC); /* who opens the new one late */
	expect(r, "a|");
	append(r->path, "b\npart");
	assert_int_equal(rename(r->path, r->other), 0);
	expect(r, "b|");
	append(r->path, "new\n");
	expect(r, "new|");
	assert_int_equal(write(late, "ial\nlate\n", 9), 9);
	append(r->path, "newer\n");
	expect(r, "partial|late|newer|");
	assert_int_equal(rename(r->path, r->other), 0);
	append(r->path, "third\n");
	expect(r, "third|");
	struct log_tail_state s;
	log_tail_state(r->tail, 0, &s);
	assert_int_equal(s.rotations, 2);
	close(late);
}

static void removed_and_made_anew(void **state)
{
	struct rig *r = *state;
	append(r->path, "");
	start(r);
	append(r->path, "a\n");
	unlink(r->path);
	expect(r, "a|");
	append(r->path, "b\n");
	expect(r, "b|");
}

static void cut_off(void **state)
{
	struct rig *r = *state;
	append(r->path, "");
	start(r);
	append(r->path, "one\ntwo\nhalf");
	expect(r, "one|two|");
	assert_int_equal(truncate(r->path, 0), 0);
	append(r->path, "x\n");
	expect(r, "half!|x|");
	assert_int_equal(truncate(r->path, 0), 0);
	expect(r, "");
	append(r->path, "longer than before\n");
	expect(r, "longer than before|");
}

static void garbage_and_long_lines(void **state)
{
	static char big[3 * LOG_TAIL_LINE_MAX];
	struct rig *r = *state;
	append(r->path, "");
	start(r);
	put(r->path, O_APPEND, "\0\xff\x1b[2J\n\n", 8);
	expect(r, "\\x00\\xff\\x1b[2J||");
	memset(big, 'x', sizeof(big));
	put(r->path, O_APPEND, big, LOG_TAIL_LINE_MAX);
	append(r->path, "\nafter\n");
	expect(r, "65536|after|");
	put(r->path, O_APPEND, big, LOG_TAIL_LINE_MAX + 1);
	append(r->path, "\nafter\n");
	expect(r, "65536!|after|");
	put(r->path, O_APPEND, big, sizeof(big));
	expect(r, "65536!|");
	put(r->path, O_APPEND, big, sizeof(big));
	append(r->path, " still the same\nafter\n");
	expect(r, "after|");
}

static void the_loop_is_woken(void **state)
{
	struct rig *r = *state;
	append(r->path, "");
	start(r);
	for (int i = 0; i < 20; i++) {
		append(r->path, "line\n");
		r->stop_at = r->lines + 1;
		loop_run(&r->loop);
	}
	assert_int_equal(r->lines, 20);
}

/* inotify of the link's folder sees nothing of the file. */
static void behind_a_link(void **state)
{
	struct rig *r = *state;
	char folder[] = "/tmp/test_log_tail_XXXXXX", file[64];
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/real", folder);
	append(file, "old\n");
	assert_int_equal(symlink(file, r->path), 0);
	start(r);
	append(file, "line\n");
	r->stop_at = 1;
	loop_run(&r->loop);
	assert_string_equal(buf_cstr(&r->told), "line|");
	unlink(file);
	rmdir(folder);
}

/* All of it comes, in order, though a turn reads but LOG_TAIL_TURN. */
static void much_at_once(void **state)
{
	enum { LINES = 100000 };
	struct rig *r = *state;
	append(r->path, "");
	start(r);
	FILE *f = fopen(r->path, "a");
	assert_non_null(f);
	uint64_t octets = 0;
	for (int i = 0; i < LINES; i++)
		octets += (uint64_t)fprintf(f, "line %d of many, as long as a line of a log is wont to be\n", i) - 1;
	fclose(f);
	buf_fini(&r->told);
	buf_init(&r->told, 16 << 20);
	r->stop_at = LINES;
	loop_run(&r->loop);
	assert_int_equal(r->lines, LINES);
	assert_int_equal(r->octets, octets);
	const char *told = buf_cstr(&r->told);
	for (int i = 0; i < LINES; i++) {
		char want[32];
		int len = snprintf(want, sizeof(want), "line %d of", i);
		assert_int_equal(strncmp(told, want, (size_t)len), 0);
		told = strchr(told, '|') + 1;
	}
}

static void what_is_no_file_is_refused(void **state)
{
	struct rig *r = *state;
	struct err e = {0};
	const char *folder[] = {r->folder}, *pipe[] = {r->path}, *missing[] = {"/tmp/no such folder of anyone/a.log"};
	char want[256];
	assert_int_equal(log_tail_new(&r->loop, folder, 1, &events, r, &r->tail, &e), -EINVAL);
	snprintf(want, sizeof(want), "the log %s is no file", r->folder);
	assert_string_equal(e.text, want);
	assert_int_equal(mkfifo(r->path, 0600), 0);
	assert_int_equal(log_tail_new(&r->loop, pipe, 1, &events, r, &r->tail, &e), -EINVAL);
	assert_int_equal(log_tail_new(&r->loop, folder, 0, &events, r, &r->tail, &e), -EINVAL);
	assert_int_equal(log_tail_new(&r->loop, missing, 1, &events, r, &r->tail, &e), 0);
	expect(r, "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(from_the_end_on),   TEST(a_line_begun_before_us_is_not_ours), TEST(a_file_that_appears_later),
		TEST(renamed_and_made_anew), TEST(removed_and_made_anew),          TEST(cut_off),
		TEST(garbage_and_long_lines), TEST(the_loop_is_woken),             TEST(behind_a_link),
		TEST(much_at_once),      TEST(what_is_no_file_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
