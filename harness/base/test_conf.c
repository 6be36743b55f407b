/* Strict YAML: what a file may say, its limits, and reading by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/test_conf.h"

static void a_whole_file_is_read(void **state)
{
	struct fixture *f = *state;
	static const char text[] =
		"\xef\xbb\xbf---\n"
		"wsquall: 1\n"
		"name: \"chat-staging\"    # a comment: with a colon\n"
		"url: ws://staging.example.com/ws\n"
		"headers: {X-Team: chat, 'X-Empty': '', X-Two: \"1\"}\n"
		"subprotocols: [wsquall.v1, 'a,b']\n"
		"contract: {delivery: at-least-once, ordered: true, max_message: 1MiB}\n"
		"seed: 18446744073709551615\n"
		"rate: 100/s\n"
		"nodes:\n"
		"  - {name: a, start: [server, --config, a.yaml], contract: {heartbeat: \"2m\"}}\n"
		"  - name: |\n"
		"      two\n"
		"      lines\n"
		"    log: b.log\n"
		"  - name: >-\n"
		"      folded\n"
		"      text \xc3\xa4\n"
		"...\n";
	assert_int_equal(read_text(f, SPAN_LIT(text)), 0);
	const struct target *t = &f->t;
	assert_true(t->version == 1 && t->seed == UINT64_MAX && t->rate == 100 && t->has_contract);
	assert_string_equal(t->name, "chat-staging");
	assert_string_equal(t->echo, "none");
	assert_int_equal(t->headers.len, 3);
	assert_string_equal(t->headers.items[1].key, "X-Empty");
	assert_string_equal(t->headers.items[1].value, "");
	assert_string_equal(opt_map_get(&t->headers, "X-Two"), "1");
	assert_int_equal(t->subprotocols.len, 2);
	assert_string_equal(t->subprotocols.items[1], "a,b");
	assert_true(t->contract.delivery == 1 && t->contract.ordered && t->contract.max_message == 1048576 &&
		    t->contract.heartbeat == 25000);
	assert_int_equal(t->nodes.len, 3);
	const struct node *n = t->nodes.items;
	assert_string_equal(n[0].start.items[2], "a.yaml");
	assert_true(n[0].contract.heartbeat == 120000 && n[1].contract.heartbeat == 25000 &&
		    n[0].contract.max_message == 65536);
	assert_string_equal(n[0].log, "none");
	assert_string_equal(n[1].name, "two\nlines\n");
	assert_string_equal(n[1].log, "b.log");
	assert_string_equal(n[2].name, "folded text \xc3\xa4");
}

static void only_what_is_mentioned_changes(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_text(f, SPAN_LIT("wsquall: 1\nurl: ws://a\nheaders: {A: b}\n")), 0);
	assert_int_equal(f->t.subprotocols.len, 2);
	assert_false(f->t.has_contract);
	assert_int_equal(
		read_text(f, SPAN_LIT("wsquall: 1\nurl: ws://b\nheaders: {C: d}\nsubprotocols: []\ncontract: {}\n")),
		0);
	assert_string_equal(f->t.url, "ws://b");
	assert_null(opt_map_get(&f->t.headers, "A"));
	assert_string_equal(opt_map_get(&f->t.headers, "C"), "d");
	assert_int_equal(f->t.subprotocols.len, 0);
	assert_true(f->t.has_contract);
}

/* YAML 1.2.2, example 10.9 and the tables of 10.3: plain words that are text all the same. */
static void text_that_only_looks_special_is_text(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {"yes", "no",    "on",    "nULL", "tRUE",       "12e03x",
					    "0o8", "0x",    "1_000", "1:30", "2026-01-02", "1.2.3",
					    "-",   "+",     ".",     "e5",   "1e",         ".infx",
					    "nan", "+.nan", "-0x10", "10%",  "50s",        "http://a:5/b#c",
					    "a b", "${",    "$x"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char text[200];
		bool quoted = strchr(texts[i], '{') || texts[i][1] == 0;
		snprintf(text, sizeof(text), GOOD "name: %s%s%s\n", quoted ? "'" : "", texts[i], quoted ? "'" : "");
		int r = read_text(f, span_str(text));
		if (strcmp(texts[i], "${") == 0) {
			assert_int_equal(r, -EINVAL);
			continue;
		}
		if (r != 0)
			fail_msg("%s: %s", texts[i], f->e.text);
		assert_string_equal(f->t.name, texts[i]);
	}
}

static void limits_hold(void **state)
{
	struct fixture *f = *state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, CONF_FILE_MAX + 1);
	buf_printf(&b, GOOD "name: %*s\n", 100, "");
	for (int i = 0; i < CONF_DEPTH_MAX; i++)
		buf_append_u8(&b, '[');
	assert_int_equal(read_text(f, buf_span(&b)), -EINVAL);
	b.len = 0;
	buf_printf(&b, GOOD "name: ");
	for (int i = 0; i < CONF_DEPTH_MAX; i++)
		buf_append_u8(&b, '[');
	buf_append(&b, "\n", 1);
	assert_int_equal(read_text(f, buf_span(&b)), -EINVAL);
	assert_string_equal(f->e.text, "t.yaml:3:22: expected at most 16 levels of nesting");
	b.len = 0;
	buf_printf(&b, GOOD "headers:\n");
	for (int i = 0; i <= CONF_KEYS_MAX; i++)
		buf_printf(&b, "  k%d: v\n", i);
	assert_int_equal(read_text(f, buf_span(&b)), -EINVAL);
	assert_string_equal(f->e.text, "t.yaml:1028:3: expected at most 1024 keys");
	b.len = 0;
	buf_printf(&b, GOOD "# ");
	while (b.len < CONF_FILE_MAX)
		buf_append_u8(&b, 'x');
	assert_int_equal(read_text(f, buf_span(&b)), 0);
	buf_append_u8(&b, 'x');
	assert_int_equal(read_text(f, buf_span(&b)), -EFBIG);
	assert_string_equal(f->e.text, "t.yaml: cannot be read: it has more than 1048576 octets");
}

static void a_full_arena_is_an_error(void **state)
{
	struct fixture *f = *state;
	static const char text[] = GOOD "headers: {A: b}\nsubprotocols: [x]\nnodes: [{name: a, start: [b, c]}]\n";
	int last = -ENOMEM;
	for (size_t max = 0; max < 2000; max += 16) {
		struct arena small;
		struct err e = {.text = ""};
		arena_init(&small, max);
		int r = conf_read_text(SPAN_LIT(text), "t.yaml", table, &f->t, &small, &e);
		assert_true(r == 0 ||
			    (r == -ENOMEM &&
			     strcmp(e.text, "t.yaml: cannot be read: it needs more memory than is allowed") == 0));
		assert_true(r == 0 || last == -ENOMEM);
		last = r;
		arena_fini(&small);
		opt_defaults(table, &f->t, &f->arena);
	}
	assert_int_equal(last, 0);
}

static void files_are_read_by_name(void **state)
{
	struct fixture *f = *state;
	char path[256], want[400];
	const char *base = getenv("TMPDIR");
	snprintf(path, sizeof(path), "%s/test-conf-XXXXXX", base ? base : "/tmp");
	int fd CLEANUP(cleanup_fd) = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(file_write_atomic(path, SPAN_LIT(GOOD "name: from a file\n"), &f->e), 0);
	assert_int_equal(conf_read_file(path, table, &f->t, &f->arena, &f->e), 0);
	assert_string_equal(f->t.name, "from a file");
	assert_int_equal(file_write_atomic(path, SPAN_LIT("wsquall: 1\nuri: ws://a\n"), &f->e), 0);
	assert_int_equal(conf_read_file(path, table, &f->t, &f->arena, &f->e), -EINVAL);
	snprintf(want, sizeof(want), "%s:2:1: unknown key \"uri\", did you mean \"url\"?", path);
	assert_string_equal(f->e.text, want);
	unlink(path);
	assert_int_equal(conf_read_file(path, table, &f->t, &f->arena, &f->e), -ENOENT);
	snprintf(want, sizeof(want), "%s: cannot be read: No such file or directory", path);
	assert_string_equal(f->e.text, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(a_whole_file_is_read),
		WITH_FIXTURE(only_what_is_mentioned_changes),
		WITH_FIXTURE(text_that_only_looks_special_is_text),
		WITH_FIXTURE(limits_hold),
		WITH_FIXTURE(a_full_arena_is_an_error),
		WITH_FIXTURE(files_are_read_by_name),
	};
	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
