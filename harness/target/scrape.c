/* Whoever watches a server in production reads these pages; here they are read while the server is being hurt. */
#include "harness/target/scrape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/target/metrics_text.h"

enum { MISSING_MAX = 4096 };        /* octets of what is told of them */
enum { SCRAPE_ARENA_MAX = 1 << 20, SELECTORS_MAX = TARGET_METRICS + SCRAPE_ALSO_MAX };

struct page {
	struct scrape *scrape;
	struct http_place place;
	uint32_t node;
	struct http_ask *ask;
	struct timer next;
	uint64_t began_us;
	bool failing;
	double newest[TARGET_METRICS];
	bool told[TARGET_METRICS];
};

struct scrape {
	struct scrape_options o;
	struct arena arena;
	struct metrics_selector selectors[SELECTORS_MAX];
	const char *texts[SELECTORS_MAX];
	int metrics[SELECTORS_MAX];    /* enum target_metric, or -1 */
	size_t n;
	struct scrape_state state;
	struct page pages[TARGET_NODES_MAX + 1];
	size_t n_pages;
};

static void look(void *owner);

static void plan_next(struct page *p)
{
	uint64_t took_ms = (clock_now_us() - p->began_us) / 1000, every_ms = p->scrape->o.target->metrics.every_ms;
	timer_start(&p->next, p->scrape->o.loop, took_ms < every_ms ? every_ms - took_ms : 0, look, p);
}

static struct event event_of(const struct page *p, enum event_type type)
{
	const struct scrape_options *o = &p->scrape->o;
	return (struct event){.kind = EVENT_METRIC, .type = type, .at_us = o->now_us(o->owner), .node = p->node};
}

static void fail(struct page *p, const char *why)
{
	struct scrape *s = p->scrape;
	struct event e = event_of(p, EVENT_FAIL);
	s->state.failed++;
	snprintf(s->state.why, sizeof(s->state.why), "%s", why);
	for (size_t m = 0; m < TARGET_METRICS; m++)
		p->told[m] = false;
	if (p->failing)
		return;
	p->failing = true;
	e.note = why;
	history_add(s->o.history, &e);
}

static void tell(struct page *p, struct span body)
{
	struct scrape *s = p->scrape;
	struct metrics_found found[SELECTORS_MAX];
	if (metrics_text_sum(body, s->selectors, s->n, found, NULL) == 0)
		return fail(p, "there is no sample on the page");
	s->state.read++;
	p->failing = false;
	for (size_t i = 0; i < s->n; i++) {
		int m = s->metrics[i];
		bool known = found[i].samples && isfinite(found[i].sum);
		if (m >= 0) {
			p->told[m] = known;
			p->newest[m] = known ? found[i].sum : 0;
			s->state.had |= (uint64_t)known << m;
		}
		if (!known)
			continue;
		struct event e = event_of(p, EVENT_OK);
		e.text = s->texts[i];
		e.value = found[i].sum;
		history_add(s->o.history, &e);
	}
}

static void on_page(void *owner, const struct http_got *got)
{
	struct page *p = owner;
	char why[128];
	if (got->error)
		snprintf(why, sizeof(why), "%s", got->why);
	else
		snprintf(why, sizeof(why), "HTTP %d", got->status);
	if (got->error || got->status != 200)
		fail(p, why);
	else
		tell(p, got->body);
	http_ask_free(TAKE_PTR(p->ask));
	plan_next(p);
}

static void look(void *owner)
{
	struct page *p = owner;
	struct http_question q = {.place = &p->place, .tls = p->scrape->o.tls, .deadline_ms = SCRAPE_DEADLINE_MS};
	if (p->ask)
		return;
	timer_stop(&p->next);
	p->began_us = clock_now_us();
	int r = http_ask_new(p->scrape->o.loop, &q, on_page, p, &p->ask);
	if (r < 0) {
		fail(p, r == -EINVAL ? "https needs the settings of TLS" : strerror(-r));
		plan_next(p);
	}
}

static int add_selector(struct scrape *s, const char *text, const char *selector, int metric, struct err *e)
{
	if (s->n == SELECTORS_MAX)
		return err_set(e, E2BIG, "metrics: more than %d names in `also`", SCRAPE_ALSO_MAX);
	s->texts[s->n] = text;
	s->metrics[s->n] = metric;
	return metrics_selector_parse(selector, &s->arena, &s->selectors[s->n++], e);
}

static int add_selectors(struct scrape *s, struct err *e)
{
	const struct target_metrics *m = &s->o.target->metrics;
	int r = 0;
	for (int i = 0; r == 0 && i < TARGET_METRICS; i++)
		if (m->names[i])
			r = add_selector(s, target_metric_text((enum target_metric)i), m->names[i], i, e);
	for (size_t i = 0; r == 0 && i < m->also.len; i++)
		r = add_selector(s, m->also.items[i].key, m->also.items[i].value, -1, e);
	return r;
}

static int add_page(struct scrape *s, const char *url, uint32_t node, struct err *e)
{
	struct err why;
	if (!url)
		return 0;
	struct page *p = &s->pages[s->n_pages];
	int r = http_place_parse(url, &s->arena, &p->place, &why);
	if (r < 0)
		return err_set(e, -r, "metrics: %.200s: %.200s", url, why.text);
	p->scrape = s;
	p->node = node;
	s->n_pages++;
	return timer_start(&p->next, s->o.loop, 0, look, p);
}

bool scrape_possible(const struct target *t)
{
	const struct target_node *nodes = t->nodes.items;
	for (size_t i = 0; i < t->nodes.len; i++)
		if (nodes[i].metrics)
			return true;
	return t->metrics.url != NULL;
}

int scrape_new(const struct scrape_options *o, struct scrape **ret, struct err *e)
{
	const struct target_node *nodes = o->target->nodes.items;
	struct scrape *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, ENOMEM, "no memory for metrics");
	s->o = *o;
	arena_init(&s->arena, SCRAPE_ARENA_MAX);
	int r = add_selectors(s, e);
	if (r == 0)
		r = add_page(s, o->target->metrics.url, 0, e);
	for (size_t i = 0; r == 0 && i < o->target->nodes.len; i++)
		r = add_page(s, nodes[i].metrics, (uint32_t)i + 1, e);
	if (r < 0)
		scrape_free(s);
	else
		*ret = s;
	return r;
}

void scrape_free(struct scrape *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_pages; i++) {
		http_ask_free(s->pages[i].ask);
		timer_fini(&s->pages[i].next);
	}
	arena_fini(&s->arena);
	free(s);
}

void scrape_now(struct scrape *s)
{
	for (size_t i = 0; i < s->n_pages; i++)
		look(&s->pages[i]);
}

/* Of the nodes' pages (whole false), or of the one of the whole target. */
static bool sum_pages(const struct scrape *s, enum target_metric metric, bool whole, double *ret)
{
	double sum = 0;
	bool told = false;
	for (size_t i = 0; i < s->n_pages; i++) {
		const struct page *p = &s->pages[i];
		if (!p->told[metric] || (p->node == 0) != whole)
			continue;
		sum += p->newest[metric];
		told = true;
	}
	if (told)
		*ret = sum;
	return told;
}

bool scrape_value(const struct scrape *s, enum target_metric metric, double *ret)
{
	return sum_pages(s, metric, false, ret) || sum_pages(s, metric, true, ret);
}

void scrape_state(const struct scrape *s, struct scrape_state *ret)
{
	*ret = s->state;
}

void scrape_state_add(struct scrape_state *to, const struct scrape_state *from)
{
	to->read += from->read;
	to->failed += from->failed;
	to->had |= from->had;
	if (from->why[0])
		snprintf(to->why, sizeof(to->why), "%s", from->why);
}

const char *scrape_missing(const struct target *t, const struct scrape_state *state, struct arena *a)
{
	static const struct {
		const char *key, *usual;
	} rows[TARGET_METRICS] = {
#define METRIC(name, text, selector, about) [TARGET_METRIC_##name] = {#name, selector},
#include "harness/target/metrics.def"
#undef METRIC
	};
	struct buf b CLEANUP(buf_fini) = {0};
	if (!state->read)
		return state->failed ? arena_printf(a, "no page of metrics could be read: %s", state->why) : NULL;
	buf_init(&b, MISSING_MAX);
	for (size_t m = 0; m < TARGET_METRICS; m++) {
		const char *name = t->metrics.names[m];
		if (name && strcmp(name, rows[m].usual) != 0 && !(state->had & (uint64_t)1 << m))
			buf_printf(&b, "%s`%s`, which the target file names as %s", b.len ? "; no " : "the metrics page has no ", name,
				   rows[m].key);
	}
	return b.len ? arena_strdup(a, buf_cstr(&b)) : NULL;
}
