/* Pages of metrics, asked for on the loop. */
#include "harness/readiness/reading.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/readiness/dialogue.h"
#include "harness/target/http_ask.h"

static void add_page(struct reading *r, struct span page)
{
	struct metrics_found found[READING_VALUES_MAX];
	metrics_text_sum(page, r->selectors, r->n, found, NULL);
	for (size_t i = 0; i < r->n; i++) {
		r->values[i] += found[i].samples ? found[i].sum : 0;
		r->found[i] |= found[i].samples > 0;
	}
}

static void fail(struct reading *r, const char *why)
{
	r->failed = true;
	snprintf(r->why, sizeof(r->why), "%s", why);
}

static void on_page(void *owner, const struct http_got *got)
{
	struct reading *r = owner;
	r->pending--;
	if (got->error || got->status != 200) {
		char status[32];
		snprintf(status, sizeof(status), "HTTP %d", got->status);
		fail(r, got->error ? got->why : status);
	} else {
		add_page(r, got->body);
	}
	dialogue_step(r->dialogue);
}

static void ask(struct reading *r, const char *url)
{
	struct dialogue *d = r->dialogue;
	struct http_place *place = ARENA_NEW(&d->arena, struct http_place);
	struct http_question q = {.place = place, .tls = d->r->site->tls};
	struct err e;
	if (r->pages == READING_PAGES_MAX)
		return;
	if (!place || http_place_parse(url, &d->arena, place, &e) < 0 ||
	    http_ask_new(d->r->site->loop, &q, on_page, r, &r->asks[r->pages]) < 0) {
		fail(r, "it cannot be asked");
		return;
	}
	r->pages++;
	r->pending++;
}

struct reading *reading_new(struct dialogue *d, const char *const *names, size_t n)
{
	const struct target *t = d->r->site->target;
	const struct target_node *nodes = t->nodes.items;
	struct reading *r = calloc(1, sizeof(*r));
	struct err e;
	if (!r)
		return NULL;
	*r = (struct reading){.dialogue = d, .next = d->readings, .n = n};
	d->readings = r;
	for (size_t i = 0; i < n; i++)
		if (!names[i] || metrics_selector_parse(names[i], &d->arena, &r->selectors[i], &e) < 0)
			r->selectors[i] = (struct metrics_selector){.name = SPAN_LIT(":none:")};
	size_t own = 0;
	for (size_t i = 0; i < t->nodes.len; i++)
		if (nodes[i].metrics) {
			ask(r, nodes[i].metrics);
			own++;
		}
	if (!own)
		ask(r, t->metrics.url);
	return r;
}

bool reading_done(const struct reading *r)
{
	return !r || r->pending == 0;
}

void reading_free(struct reading *r)
{
	for (size_t i = 0; i < r->pages; i++)
		http_ask_free(r->asks[i]);
	free(r);
}
