/* What stands beside the WebSocket: pages of metrics and health, and on this machine the process that serves them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/proc.h"
#include "harness/init.h"
#include "harness/target/http_ask.h"
#include "harness/target/metrics_text.h"

static const char *const paths[INIT_PAGES] = {
	[INIT_METRICS] = "/metrics", [INIT_READYZ] = "/readyz", [INIT_HEALTHZ] = "/healthz",
	[INIT_READY] = "/ready",     [INIT_HEALTH] = "/health",
};

const char *init_page_path(enum init_page page)
{
	return paths[page];
}

const char *init_origin(struct init *in)
{
	return arena_printf(&in->arena, "http%s://%s", in->target.url.tls ? "s" : "", in->target.url.host_field);
}

struct asking {
	struct init *in;
	enum init_page page;
	struct http_ask *ask;
};

/* "ws_connections_active", "nchan_websockets", "socket_io_clients": a gauge whose name says what it counts. */
static bool may_count_connections(struct span name)
{
	static const char *const who[] = {"connection", "client", "websocket", "socket", "subscriber"};
	static const char *const not [] = {"_total",  "_bucket",  "_sum",    "_count", "_created", "bytes",
					   "seconds", "process_", "nodejs_", "go_",    "python_",  "messages"};
	char text[128];
	snprintf(text, sizeof(text), "%.*s", (int)name.len, (const char *)name.p);
	for (size_t i = 0; i < ARRAY_LEN(not ); i++)
		if (strstr(text, not [i]))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(who); i++)
		if (strcasestr(text, who[i]))
			return true;
	return false;
}

static void propose(struct init *in, struct span line)
{
	struct init_found *f = &in->found;
	size_t len = 0;
	while (len < line.len && line.p[len] != '{' && line.p[len] != ' ' && line.p[len] != '\t')
		len++;
	struct span name = span_sub(line, 0, len);
	struct metrics_selector q;
	char *copy = len ? arena_printf(&in->arena, "%.*s", (int)len, (const char *)line.p) : NULL;
	if (!copy || !may_count_connections(name) || metrics_selector_parse(copy, &in->arena, &q, NULL) < 0)
		return;
	for (size_t i = 0; i < f->n_connections; i++)
		if (strcmp(f->connections[i], copy) == 0)
			return;
	if (f->n_connections < INIT_NAMES_MAX)
		f->connections[f->n_connections++] = copy;
}

static void read_metrics(struct init *in, struct span page)
{
	const struct metrics_selector usual[] = {{.name = SPAN_LIT("process_resident_memory_bytes")},
						 {.name = SPAN_LIT("process_open_fds")}};
	struct metrics_found found[ARRAY_LEN(usual)];
	uint64_t bad, samples = metrics_text_sum(page, usual, ARRAY_LEN(usual), found, &bad);
	in->found.metrics_samples = samples > 0 && bad == 0;
	if (!in->found.metrics_samples)
		return;
	in->found.memory = found[0].samples > 0;
	in->found.descriptors = found[1].samples > 0;
	while (page.len) {
		const uint8_t *end = memchr(page.p, '\n', page.len);
		struct span line = span_trim(span_sub(page, 0, end ? (size_t)(end - page.p) : page.len));
		if (line.len && line.p[0] != '#')
			propose(in, line);
		page = span_sub(page, end ? (size_t)(end - page.p) + 1 : page.len, page.len);
	}
}

static void on_page(void *owner, const struct http_got *got)
{
	struct asking *a = owner;
	a->in->found.pages[a->page] = got->error ? 0 : got->status;
	if (!got->error && got->status == 200 && a->page == INIT_METRICS)
		read_metrics(a->in, got->body);
	http_ask_free(a->ask);
	loop_stop(&a->in->loop);
}

void init_look_http(struct init *in)
{
	struct http_place place = {.url = in->target.url, .addresses = in->addresses};
	for (enum init_page page = 0; page < INIT_PAGES; page++) {
		struct asking a = {.in = in, .page = page};
		struct http_question q = {.place = &place,
					  .target = paths[page],
					  .tls = in->tls,
					  .deadline_ms = in->timeout_ms,
					  .body_max = INIT_PAGE_MAX};
		init_tell(in, "for its page %s", paths[page]);
		if (http_ask_new(&in->loop, &q, on_page, &a, &a.ask) == 0)
			loop_run(&in->loop);
	}
}

void init_look_process(struct init *in)
{
	const char *host = in->target.url.host;
	struct proc_id id;
	struct buf name;
	char path[64];
	bool local = strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
	if (!local || proc_listening(in->target.url.port, &id) < 0)
		return;
	in->found.pid = id.pid;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)id.pid);
	if (file_read(path, 64, &name, NULL) < 0)
		return;
	in->found.command = init_printable(in, span_trim(span_of(name.p, name.len ? name.len - 1 : 0)));
	buf_fini(&name);
}
