/* A target that writes a log, shows metrics and is ready, or not: the events that come of it, by the real history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/target/evidence.h"
#include "harness/target/test_pages.h"

struct rig {
	struct loop loop;
	struct arena arena;
	struct target target;
	struct history_log *history;
	struct evidence evidence;
	struct buf told;               /* one line an event */
	uint64_t zero_us;
	const char *until;             /* the loop stops when this was told */
	char folder[64], log[128];
};

/* "log ok disconnect id=c1 code=1006 note=gone node=1 value=1.5" */
static void on_event(void *owner, const struct event *e)
{
	struct rig *r = owner;
	buf_printf(&r->told, "%s %s", event_kind_name(e->kind), event_type_name(e->type));
	if (e->text)
		buf_printf(&r->told, " %s", e->text);
	if (e->id)
		buf_printf(&r->told, " id=%s", e->id);
	if (e->code)
		buf_printf(&r->told, " code=%d", e->code);
	if (e->node)
		buf_printf(&r->told, " node=%u", e->node);
	if (e->kind != EVENT_METRIC || e->type == EVENT_FAIL || !strstr(e->text, "process_"))
		buf_printf(&r->told, " value=%g", e->value);
	if (e->note)
		buf_printf(&r->told, " note=%s", e->note);
	buf_printf(&r->told, "\n");
	if (r->until && strstr(buf_cstr(&r->told), r->until))
		loop_stop(&r->loop);
}

static uint64_t now_us(void *owner)
{
	return clock_now_us() - ((struct rig *)owner)->zero_us;
}

static int set_up(void **state)
{
	static struct rig r;
	struct err e;
	r = (struct rig){.folder = "/tmp/test_evidence_XXXXXX", .zero_us = clock_now_us()};
	assert_non_null(mkdtemp(r.folder));
	snprintf(r.log, sizeof(r.log), "%s/a.log", r.folder);
	arena_init(&r.arena, 1 << 20);
	buf_init(&r.told, 1 << 22);
	assert_int_equal(loop_init(&r.loop), 0);
	assert_int_equal(history_log_new(NULL, NULL, &r.history, &e), 0);
	history_watch(r.history, on_event, &r);
	*state = &r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	evidence_stop(&r->evidence);
	loop_run(&r->loop);
	loop_fini(&r->loop);
	history_log_free(r->history);
	buf_fini(&r->told);
	arena_fini(&r->arena);
	unlink(r->log);
	rmdir(r->folder);
	return 0;
}

__attribute__((format(printf, 2, 3))) static void start(struct rig *r, const char *fmt, ...)
{
	char text[2048] = "wsquall: 1\nurl: ws://h.invalid/\n";
	struct err e = {0};
	size_t len = strlen(text);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, ap);
	va_end(ap);
	struct evidence_options o = {.loop = &r->loop, .target = &r->target, .history = r->history, .now_us = now_us,
				     .start_s = 1767323045, .owner = r};
	if (target_load_text(span_str(text), "t.yaml", &r->arena, &r->target, &e) < 0 || evidence_start(&r->evidence, &o, &e) < 0)
		fail_msg("%s", e.text);
}

static void append(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void wait_for(struct rig *r, const char *line)
{
	r->until = line;
	if (!strstr(buf_cstr(&r->told), line))
		loop_run(&r->loop);
	r->until = NULL;
}

static void lines_become_events(void **state)
{
	struct rig *r = *state;
	struct log_events_state s;
	append(r->log, "{\"event\":\"ws.connect\",\"conn\":\"before us\"}\n");
	start(r, "logs: {event: /event, connection: /conn, code: /code, reason: /reason, time: /ts, node: /node,\n"
	      "  words: {connect: [ws.connect], disconnect: [ws.disconnect]}}\n"
	      "nodes: [{name: a, pidfile: \"/nowhere\", log: \"%s\"}, {name: b, pidfile: \"/nowhere\"}]\n", r->log);
	append(r->log, "{\"event\":\"ws.connect\",\"conn\":\"c1\",\"ts\":\"2026-01-02T03:04:06.5Z\"}\n"
	       "{\"event\":\"ws.disconnect\",\"conn\":\"c1\",\"code\":1006,\"reason\":\"gone\",\"node\":\"b\"}\n"
	       "\n"
	       "{\"event\":\"other.thing\"}\n"
	       "{\"msg\":\"no event\"}\n"
	       "Segmentation \x1b[2Jfault\n"
	       "{\"event\":\"ws.connect\"");
	log_events_catch_up(r->evidence.log);
	assert_string_equal(buf_cstr(&r->told), "log ok connect id=c1 node=1 value=1.5\n"
			    "log ok disconnect id=c1 code=1006 node=2 value=0 note=gone\n"
			    "log ok other.thing node=1 value=0\n"
			    "log ok node=1 value=0 note={\"msg\":\"no event\"}\n"
			    "log fail node=1 value=0 note=Segmentation \\x1b[2Jfault\n");
	buf_consume(&r->told, r->told.len);
	evidence_finish(&r->evidence);
	assert_string_equal(buf_cstr(&r->told), "log fail node=1 value=0 note={\"event\":\"ws.connect\"\n");
	log_events_state(r->evidence.log, &s);
	assert_true(s.lines == 6 && s.bad == 2 && s.untold == 0 && s.joined == 2 && s.words[LOG_WORD_connect] == 1);
}

static void a_flood_is_counted(void **state)
{
	struct rig *r = *state;
	struct log_events_state s;
	start(r, "logs: {event: /event, files: [\"%s\"]}\n", r->log);
	FILE *f = fopen(r->log, "w");
	assert_non_null(f);
	for (int i = 0; i < LOG_EVENTS_BAD_MAX + 5; i++)
		fputs("no JSON\n", f);
	for (int i = 0; i < LOG_EVENTS_OTHER_MAX + 7; i++)
		fputs("{\"event\":\"x\"}\n", f);
	fclose(f);
	log_events_catch_up(r->evidence.log);
	log_events_state(r->evidence.log, &s);
	assert_int_equal(s.untold, 12);
	assert_int_equal(s.bad, LOG_EVENTS_BAD_MAX + 5);
	assert_int_equal(history_count(r->history), LOG_EVENTS_BAD_MAX + LOG_EVENTS_OTHER_MAX);
}

#define OK "HTTP/1.1 200 OK\r\n\r\n"

static void metrics_become_events(void **state)
{
	static const char *const whole[] = {OK "conns 5\nconns{a=\"b\"} 2\nprocess_resident_memory_bytes 10\nnan NaN\n", NULL};
	static const char *const node[] = {OK "conns 3\nmine{x=\"y\"} 4\n", "HTTP/1.1 503 No\r\n\r\n", "", OK "<html>", OK "conns 9\n", NULL};
	struct rig *r = *state;
	struct pages p, q;
	double value;
	pages_start(&p, whole);
	pages_start(&q, node);
	start(r, "metrics: {url: \"http://127.0.0.1:%u/\", every: 100ms, connections: conns, queue: nan, also: {mine: 'mine{x=\"y\"}'}}\n"
	      "nodes: [{name: a, pidfile: \"/nowhere\", metrics: \"http://127.0.0.1:%u/m\"}]\n", p.port, q.port);
	assert_null(r->evidence.processes);
	wait_for(r, "metric ok connections value=7\nmetric ok process_resident_memory_bytes\n");
	wait_for(r, "metric ok connections node=1 value=3\n");
	wait_for(r, "metric ok mine node=1 value=4\n");
	wait_for(r, "metric fail node=1 value=0 note=HTTP 503\n");
	wait_for(r, "metric ok connections node=1 value=9\n");
	/* Told once for three failures in a row. */
	assert_null(strstr(strstr(buf_cstr(&r->told), "metric fail") + 1, "metric fail"));
	assert_null(strstr(buf_cstr(&r->told), "queue"));
	assert_true(scrape_value(r->evidence.scrape, TARGET_METRIC_connections, &value) && value > 8.9 && value < 9.1);
	assert_true(scrape_value(r->evidence.scrape, TARGET_METRIC_memory, &value) && value > 9.9 && value < 10.1);
	struct scrape_state state_now;
	scrape_state(r->evidence.scrape, &state_now);
	assert_true(state_now.had & 1u << TARGET_METRIC_connections);
	assert_false(state_now.had & 1u << TARGET_METRIC_queue);
	assert_false(scrape_value(r->evidence.scrape, TARGET_METRIC_queue, &value));
	pages_stop(&p);
	pages_stop(&q);
}

static void readiness_becomes_events(void **state)
{
	static const char *const answers[] = {"HTTP/1.1 503 No\r\n\r\n", "HTTP/1.1 503 No\r\n\r\n", OK, OK, "HTTP/1.1 404 No\r\n\r\n", "", OK, NULL};
	struct rig *r = *state;
	struct pages p;
	pages_start(&p, answers);
	start(r, "nodes: [{name: a, pidfile: \"/nowhere\"}, {name: b, pidfile: \"/nowhere\", ready: \"http://127.0.0.1:%u/readyz\"}]\n", p.port);
	wait_for(r, "node ok b node=2 value=0\nnode ok b node=2 value=1\nnode ok b node=2 value=0\nnode ok b node=2 value=1\n");
	assert_string_equal(buf_cstr(&r->told), "node ok b node=2 value=0\nnode ok b node=2 value=1\nnode ok b node=2 value=0\n"
			    "node ok b node=2 value=1\n");
	assert_int_equal(node_watch_ready(r->evidence.nodes, 2), 1);
	assert_int_equal(node_watch_ready(r->evidence.nodes, 1), -1);
	pages_stop(&p);
}

/* Two nodes end: one is asked where its clients go, one elsewhere. Only of the first a closed port says something. */
static void a_port_that_is_closed_turns_clients_away(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct rig *r = *state;
	struct pages p, q;
	pages_start(&p, answers);
	pages_start(&q, answers);
	start(r, "nodes: [{name: a, url: \"ws://127.0.0.1:%u/\", pidfile: \"/nowhere\", ready: \"http://127.0.0.1:%u/\"},\n"
	      "  {name: b, url: \"ws://127.0.0.1:1/\", pidfile: \"/nowhere\", ready: \"http://127.0.0.1:%u/\"}]\n", p.port, p.port, q.port);
	wait_for(r, "node ok a node=1 value=1\n");
	wait_for(r, "node ok b node=2 value=1\n");
	pages_stop(&p);
	wait_for(r, "node ok a node=1 value=0 note=refused\n");
	pages_stop(&q);
	wait_for(r, "node ok b node=2 value=0\n");
}

/* A process of ours by its pidfile, and one by the port it listens on. */
static void processes_are_measured(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct rig *r = *state;
	struct pages p;
	char pid[32];
	pages_start(&p, answers);
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	append(r->log, pid);
	start(r, "metrics: {every: 100ms}\nnodes: [{name: a, pidfile: \"%s\"}, {name: b, start: [x], url: \"ws://127.0.0.1:%u/\"},\n"
	      "  {name: c, pidfile: \"/nowhere\"}, {name: d, start: [x], url: \"ws://h.invalid/\"}]\n", r->log, p.port);
	wait_for(r, "metric ok process_resident_memory_bytes node=1\nmetric ok process_open_fds node=1\n"
		 "metric ok process_resident_memory_bytes node=2\nmetric ok process_open_fds node=2\n");
	evidence_finish(&r->evidence);
	assert_null(strstr(buf_cstr(&r->told), "node=3"));
	assert_null(strstr(buf_cstr(&r->told), "node=4"));
	pages_stop(&p);
}

static void nothing_told_nothing_watched(void **state)
{
	struct rig *r = *state;
	start(r, "name: x\n");
	assert_true(!r->evidence.log && !r->evidence.scrape && !r->evidence.processes && !r->evidence.nodes);
	evidence_finish(&r->evidence);
}

/* What the target file names and the page does not have; memory is looked for unasked, and missed by nobody. */
static void a_metric_that_is_not_there(void **state)
{
	const uint64_t connections = 1u << TARGET_METRIC_connections, queue = 1u << TARGET_METRIC_queue;
	const struct {
		struct scrape_state s;
		const char *says;
	} rows[] = {
		{{.read = 1, .had = connections | queue}, ""},
		{{.read = 1, .had = connections}, "the metrics page has no `b`, which the target file names as queue"},
		{{.read = 1}, "the metrics page has no `a`, which the target file names as connections; no `b`, which the target file names as queue"},
		{{.failed = 3, .why = "HTTP 404"}, "no page of metrics could be read: HTTP 404"},
		{{0}, ""},
	};
	struct rig *r = *state;
	struct target t;
	struct err e;
	if (target_load_text(SPAN_LIT("wsquall: 1\nname: t\nurl: ws://localhost:1/\nmetrics: {connections: a, queue: b}\n"), "t", &r->arena,
			     &t, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scrape_state sum = {0};
		scrape_state_add(&sum, &rows[i].s);
		const char *missing = scrape_missing(&t, &sum, &r->arena);
		assert_string_equal(missing ? missing : "", rows[i].says);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lines_become_events),      TEST(a_flood_is_counted),     TEST(metrics_become_events),
		TEST(readiness_becomes_events), TEST(processes_are_measured), TEST(nothing_told_nothing_watched),
		TEST(a_port_that_is_closed_turns_clients_away), TEST(a_metric_that_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
