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
	init_metrics_read(in, page);
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
