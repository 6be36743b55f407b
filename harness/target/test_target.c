/* Target files: what a good one says, and the exact sentence about each bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/target/target.h"

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void a_whole_file_is_read(void **state)
{
	static const char text[] =
		"wsquall: 1\n"
		"name: chat-staging\n"
		"url: wss://staging.example.com/ws\n"
		"echo: /echo\n"
		"headers: {X-Team: chat}\n"
		"subprotocols: [v2, v1]\n"
		"origins: {allowed: https://a.example, forbidden: https://b.example}\n"
		"paths: {absent: /no, protected: /private, redirect: /old, text_only: /text, other: /b}\n"
		"close_trigger: bye\n"
		"tls: {ca: ca.pem, server_name: s.example, insecure: true}\n"
		"contract: {max_message: 1MiB}\n"
		"timeout: 250ms\n"
		"source: 127.0.0.2\n"
		"known:\n"
		"  - {case: a/b, reason: old clients, flaky: true}\n"
		"  - {case: c/d, reason: \"on purpose\"}\n"
		"nodes:\n"
		"  - {name: a, url: ws://127.0.0.1:9401/ws, start: [chat, --port, \"9401\"], ready: http://127.0.0.1:9401/readyz, log: a.log,\n"
		"     pidfile: /run/a.pid, stop_signal: INT, grace: 3s, ready_within: 1m, clock: true, metrics: http://127.0.0.1:9401/metrics}\n"
		"  - {name: b, pidfile: b.pid}\n"
		"backplane: [{name: redis, pidfile: r.pid, ready: \"redis://127.0.0.1:6379\", proxy: r, proxy_api: \"http://127.0.0.1:8474\"}]\n"
		"hooks: {restart: \"kubectl rollout restart deploy/chat\"}\n";
	struct target t;
	struct err e = {0};
	(void)state;
	if (target_load_text(SPAN_LIT(text), "t.yaml", &arena, &t, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(t.name, "chat-staging");
	assert_string_equal(t.url.target, "/ws");
	assert_true(t.url.tls && t.echo.tls && t.echo_known && t.has_echo && t.tls.insecure);
	assert_string_equal(t.echo.text, "wss://staging.example.com/echo");
	assert_string_equal(opt_map_get(&t.headers, "X-Team"), "chat");
	assert_string_equal(t.subprotocols.items[0], "v2");
	assert_string_equal(t.origins.forbidden, "https://b.example");
	assert_string_equal(t.paths.protected_, "/private");
	assert_int_equal(t.contract.max_message, 1048576);
	assert_int_equal(t.timeout_ms, 250);
	assert_string_equal(target_known_find(&t, "c/d")->reason, "on purpose");
	assert_true(target_known_find(&t, "a/b")->flaky && !target_known_find(&t, "c/d")->flaky);
	assert_null(target_known_find(&t, "c"));
	const struct target_node *nodes = t.nodes.items, *broker = t.backplane.items;
	assert_int_equal(t.nodes.len, 2);
	assert_string_equal(nodes[0].start.items[2], "9401");
	assert_string_equal(nodes[0].stop_signal, "INT");
	assert_string_equal(nodes[0].log, "a.log"); /* a text is in no folder */
	assert_true(nodes[0].clock && nodes[0].grace_ms == 3000 && nodes[0].ready_within_ms == 60000);
	assert_string_equal(nodes[1].stop_signal, "TERM");
	assert_true(!nodes[1].clock && nodes[1].grace_ms == 10000 && nodes[1].start.len == 0 && !nodes[1].ready);
	assert_string_equal(broker[0].proxy_api, "http://127.0.0.1:8474");
	assert_string_equal(opt_map_get(&t.hooks, "restart"), "kubectl rollout restart deploy/chat");
}

static void evidence_and_care_are_read(void **state)
{
	static const char text[] =
		"wsquall: 1\n"
		"url: ws://h/\n"
		"dialect: wsquall\n"
		"variables: {token: \"${WSQUALL_TEST_SECRET}\"}\n"
		"credentials: {valid: \"Bearer ${WSQUALL_TEST_SECRET}\", expired: \"Bearer old\"}\n"
		"peak: {connections: 2000, publish_rate: 100/s}\n"
		"logs: {files: [a.log, /l/b.log], format: json, event: /event, code: /code, reason: /reason, connection: /conn,\n"
		"       words: {disconnect: [ws.disconnect, closed], slow: [ws.slow_consumer]}}\n"
		"id_header: X-Request-Id\n"
		"metrics: {url: \"http://127.0.0.1:9401/metrics\", connections: ws_connections_active, also: {out: \"m{d=\\\"out\\\"}\"}}\n"
		"guard: {abort_if: {connections_lost: 50%, for: 20s}, max_affected: 20%, never_between: [\"Fri 16:00\", \"Mon 08:00\"]}\n"
		"front: {idle: 60s, lifetime: 1h, cookie: node, forwards: true}\n"
		"restart: {close_codes: [\"1001\", \"4000\"]}\n";
	struct target t;
	struct err e = {0};
	(void)state;
	setenv("WSQUALL_TEST_SECRET", "hunter2", 1);
	if (target_load_text(SPAN_LIT(text), "t.yaml", &arena, &t, &e) != 0)
		fail_msg("%s", e.text);
	unsetenv("WSQUALL_TEST_SECRET");
	assert_string_equal(t.dialect, "wsquall");
	assert_string_equal(opt_map_get(&t.variables, "token"), "hunter2");
	assert_string_equal(t.credentials.valid, "Bearer hunter2");
	assert_null(t.credentials.wrong);
	assert_true(t.peak.connections == 2000 && t.peak.publish_rate > 99.9 && t.peak.publish_rate < 100.1);
	assert_true(target_has_logs(&t) && t.logs.format == LOG_JSON && t.logs.files.len == 2);
	assert_string_equal(t.logs.words[LOG_WORD_disconnect].items[1], "closed");
	assert_string_equal(t.id_header, "X-Request-Id");
	assert_string_equal(t.metrics.names[TARGET_METRIC_connections], "ws_connections_active");
	assert_string_equal(t.metrics.names[TARGET_METRIC_memory], "process_resident_memory_bytes");
	assert_null(t.metrics.names[TARGET_METRIC_queue]);
	assert_string_equal(opt_map_get(&t.metrics.also, "out"), "m{d=\"out\"}");
	assert_int_equal(t.metrics.every_ms, 1000);
	assert_true(t.guard.abort_if.for_ms == 20000 && t.guard.max_affected > 0.19 && t.guard.max_affected < 0.21);
	assert_true(hours_cover(&t.guard.never, 0) && !hours_cover(&t.guard.never, 8 * 60));
	assert_true(t.front.idle_ms == 60000 && t.front.lifetime_ms == 3600000 && t.front.forwards);
	assert_string_equal(t.restart.close_codes.items[1], "4000");
}

static void a_url_is_enough(void **state)
{
	struct target t;
	struct err e;
	(void)state;
	assert_int_equal(target_load("ws://127.0.0.1:9/x", &arena, &t, &e), 0);
	assert_string_equal(t.name, "ws://127.0.0.1:9/x");
	assert_string_equal(t.echo.target, "/x");
	assert_false(t.echo_known);
	assert_int_equal(t.timeout_ms, 5000);
}

static void echo_may_be_none(void **state)
{
	struct target t;
	struct err e;
	(void)state;
	assert_int_equal(target_load_text(SPAN_LIT("wsquall: 1\nurl: ws://h/x\necho: none\n"), "t", &arena, &t, &e), 0);
	assert_true(t.echo_known && !t.has_echo);
	assert_string_equal(t.echo.target, "/x");
}

struct bad_row {
	const char *text, *sentence;
};

#define HEAD "wsquall: 1\nurl: ws://h/\n"

static const struct bad_row bad_rows[] = {
	{"", "t.yaml:1:1: expected keys and values, but it is empty"},
	{"wsquall: 1\n", "t.yaml:1:1: expected the key \"url\", which is required and missing"},
	{"url: ws://h/\n", "t.yaml:1:1: expected the key \"wsquall\", which is required and missing"},
	{"wsquall: 2\nurl: ws://h/\n", "t.yaml:1:10: wsquall: expected a whole number, 1, not \"2\""},
	{HEAD "subprotocol: [a]\n", "t.yaml:3:1: unknown key \"subprotocol\", did you mean \"subprotocols\"?"},
	{HEAD "tls:\n  server-nam: x\n", "t.yaml:4:3: unknown key \"server-nam\", did you mean \"server_name\"?"},
	{HEAD "name: a\nname: b\n", "t.yaml:4:1: expected each key once, but \"name\" is already in line 3"},
	{HEAD "timeout: 5\n", "t.yaml:3:10: timeout: expected a duration with its unit (ms, s, m, h, d), such as 25s, not \"5\""},
	{HEAD "timeout: 0s\n", NULL},
	{HEAD "contract: {max_message: 64MiB}\n", NULL},
	{HEAD "contract: {max_message: 0B}\n", NULL},
	{HEAD "subprotocols: a\n", NULL},
	{HEAD "known: [{case: a}]\n", NULL},
	{HEAD "known: [{reason: a}]\n", NULL},
	{HEAD "tls: {insecure: yes}\n", NULL},
	{HEAD "headers: [a]\n", NULL},
	{HEAD "headers: {A: \"${WSQUALL_TEST_NOT_SET}\"}\n", NULL},
	{HEAD "close_trigger: 5\n", NULL},
	{"wsquall: 1\nurl: http://h/\n", "expected a ws:// or wss:// URL, got 'http://h/'"},
	{HEAD "headers: {Bad Name: x}\n", "headers: 'Bad Name' is no name of a header field"},
	{HEAD "headers: {\"\\e[2J\": x}\n", "headers: '\\x1b[2J' is no name of a header field"},
	{HEAD "headers: {A: \"x\\r\\nB: y\"}\n", "headers: the value of 'A' holds a line break or another control character"},
	{HEAD "nodes: [{pidfile: p}]\n", NULL},
	{HEAD "nodes: [{name: a, pid: 4}]\n", NULL},
	{HEAD "nodes: [{name: a, start: chat}]\n", NULL},
	{HEAD "nodes: [{name: a, pidfile: p, grace: 5}]\n", NULL},
	{HEAD "nodes: [{name: a}]\n", "nodes: a: how is its process found? Tell `start` or `pidfile`"},
	{HEAD "nodes: [{name: ../a, pidfile: p}]\n", "nodes: expected a name of letters, digits, '-', '_', '.', at most 63 of them"},
	{HEAD "nodes: [{name: all, pidfile: p}]\n", "nodes: 'all' cannot be a name: faults mean something else by it"},
	{HEAD "nodes: [{name: a, pidfile: p}, {name: a, pidfile: q}]\n", "nodes: two are called 'a'"},
	{HEAD "nodes: [{name: a, pidfile: p, url: \"http://h/\"}]\n", "nodes: a: expected a ws:// or wss:// URL, got 'http://h/'"},
	{HEAD "backplane: [{name: r, pidfile: p, proxy: x}]\n", "backplane: r: `proxy` and `proxy_api` belong together"},
	{HEAD "hooks: {restart: \"\"}\n", "hooks: 'restart' has no command"},
	{HEAD "logs: {format: json, event: /e, pattern: x}\n", "logs: a `pattern` belongs to format regex alone"},
	{HEAD "logs: {format: xml}\n", NULL},
	{HEAD "logs: {files: [a], code: /c}\n", "logs: where does a line say what happened? Tell `event`"},
	{HEAD "logs: {event: /e}\n", "logs: which files? Tell `files`, or the `log` of each node"},
	{HEAD "logs: {files: [a], event: e}\n", "logs: event: expected a JSON pointer such as /e, not 'e'"},
	{HEAD "logs: {files: [a], event: /e, words: {conect: [a]}}\n",
	 "t.yaml:3:39: unknown key \"conect\", did you mean \"connect\"?"},
	{HEAD "metrics: {url: \"ws://h/\"}\n", "metrics: url: expected an http:// or https:// URL"},
	{HEAD "metrics: {connections: \"sum(a)\"}\n", "metrics: expected NAME or NAME{LABEL=\"VALUE\"}, not 'sum(a)'"},
	{HEAD "metrics: {also: {a: \"\"}}\n", "metrics: also: expected NAME or NAME{LABEL=\"VALUE\"}, not ''"},
	{HEAD "nodes: [{name: a, pidfile: p, metrics: /metrics}]\n", "nodes: a: metrics: expected an http:// or https:// URL"},
	{HEAD "id_header: \"X Y\"\n", "id_header: expected the name of a header field"},
	{HEAD "credentials: {header: A, query: b, valid: c}\n", "credentials: `header`, `query` and `variable` exclude each other"},
	{HEAD "credentials: {header: A}\n", "credentials: there is a place for them, but none is told"},
	{HEAD "credentials: {header: \"A:\", valid: b}\n", "credentials: header: expected the name of a header field"},
	{HEAD "credentials: {valid: \"a\\nb\"}\n", "credentials: one holds a line break or another control character"},
	{HEAD "peak: {connections: 0}\n", NULL},
	{HEAD "peak: {publish_rate: 5}\n", NULL},
	{HEAD "guard: {max_affected: 20}\n", NULL},
	{HEAD "guard: {max_affected: 120%}\n", NULL},
	{HEAD "guard: {never_between: [\"Fri 16:00\"]}\n", "guard: never_between: 'Fri 16:00' has no end: times come in pairs, from and to"},
	{HEAD "restart: {close_codes: [\"999\"]}\n", "restart: close_codes: expected codes from 1000 to 4999, not '999'"},
	{HEAD "echo: echo\n", "expected a ws:// or wss:// URL, got 'echo'"},
};

static void bad_files_are_refused_with_the_place(void **state)
{
	unsigned wrong = 0;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		const struct bad_row *row = &bad_rows[i];
		struct target t = {.timeout_ms = 7};
		struct err e = {0};
		int r = target_load_text(span_str(row->text), "t.yaml", &arena, &t, &e);
		bool placed = row->sentence || strncmp(e.text, "t.yaml:3:", 9) == 0;
		if (r >= 0 || (row->sentence && strcmp(e.text, row->sentence) != 0) || !placed || strchr(e.text, '\n')) {
			print_error("row %zu: %d, %s\n", i, r, e.text);
			wrong++;
		}
		assert_int_equal(t.timeout_ms, 7);
	}
	assert_int_equal(wrong, 0);
}

/* Files name themselves in each sentence, and a path in them is relative to them. */
static void files_on_disk(void **state)
{
	char folder[] = "/tmp/test_target_XXXXXX", path[64], want[128];
	struct target t;
	struct err e = {0};
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.yaml", folder);
	assert_true(target_load(path, &arena, &t, &e) < 0);
	assert_non_null(strstr(e.text, path));
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("wsquall: 1\nurl: wss://h/\ntls: {ca: ca.pem}\nnodes: [{name: a, pidfile: a.pid, log: /l/a}, {name: b, pidfile: b, folder: sub}]\n", f);
	fclose(f);
	assert_int_equal(target_load(path, &arena, &t, &e), 0);
	snprintf(want, sizeof(want), "%s/ca.pem", folder);
	assert_string_equal(t.tls.ca, want);
	assert_string_equal(t.folder, folder);
	const struct target_node *nodes = t.nodes.items;
	snprintf(want, sizeof(want), "%s/a.pid", folder);
	assert_string_equal(nodes[0].pidfile, want);
	assert_string_equal(nodes[0].log, "/l/a");
	assert_string_equal(nodes[0].folder, folder);
	snprintf(want, sizeof(want), "%s/sub", folder);
	assert_string_equal(nodes[1].folder, want);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("wsquall: 1\nurl: ws://h:0/\n", f);
	fclose(f);
	assert_true(target_load(path, &arena, &t, &e) < 0);
	snprintf(want, sizeof(want), "%s: expected a port from 1 to 65535 after the host in the URL", path);
	assert_string_equal(e.text, want);
	unlink(path);
	rmdir(folder);
}

static void a_secret_stays_secret(void **state)
{
	struct target t;
	struct err e = {0};
	(void)state;
	setenv("WSQUALL_TEST_SECRET", "hunter2\n", 1);
	int r = target_load_text(SPAN_LIT(HEAD "headers: {Authorization: \"Bearer ${WSQUALL_TEST_SECRET}\"}\n"), "t.yaml", &arena, &t, &e);
	assert_int_equal(r, -EINVAL);
	assert_string_equal(e.text, "headers: the value of 'Authorization' holds a line break or another control character");
	static const char *const sections[] = {"credentials: {valid: ", "credentials: {expired: ", "variables: {token: ", "credentials: {wrong: "};
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		char text[256];
		snprintf(text, sizeof(text), HEAD "%s[hunter2]}\n", sections[i]);
		assert_true(target_load_text(span_str(text), "t.yaml", &arena, &t, &e) < 0);
		assert_null(strstr(e.text, "hunter2"));
		snprintf(text, sizeof(text), HEAD "%s\"${WSQUALL_TEST_SECRET}\", header: \"x y\"}\n", sections[i]);
		target_load_text(span_str(text), "t.yaml", &arena, &t, &e);
		assert_null(strstr(e.text, "hunter2"));
	}
	unsetenv("WSQUALL_TEST_SECRET");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_whole_file_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(evidence_and_care_are_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_url_is_enough, set_up, tear_down),
		cmocka_unit_test_setup_teardown(echo_may_be_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_files_are_refused_with_the_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_on_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_secret_stays_secret, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
