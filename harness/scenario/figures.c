/* Counting what checkers have no use for. */
#include "harness/scenario/figures.h"

#include <stdlib.h>
#include <string.h>

enum {
	BOUNDS_MAX = 16,
	TITLE_WIDTH = 44,          /* columns */
};

struct bound {
	uint64_t us;
	const char *label;         /* NULL at the end */
};
static const struct bound away_bounds[] = {
	{100000, "100 ms"}, {200000, "200 ms"}, {500000, "500 ms"}, {1000000, "1 s"},   {2000000, "2 s"},
	{5000000, "5 s"},   {10000000, "10 s"}, {30000000, "30 s"}, {60000000, "60 s"}, {0},
};
static const struct bound latency_bounds[] = {
	{1000, "1 ms"},     {2000, "2 ms"},     {5000, "5 ms"},     {10000, "10 ms"}, {20000, "20 ms"},
	{50000, "50 ms"},   {100000, "100 ms"}, {200000, "200 ms"}, {500000, "500 ms"}, {1000000, "1 s"},
	{2000000, "2 s"},   {5000000, "5 s"},   {10000000, "10 s"}, {0},
};

/* How many were within each bound, and above the last. */
struct spread {
	const struct bound *bounds;
	uint64_t n[BOUNDS_MAX + 1];
};

struct figures {
	uint32_t clients;
	uint64_t *gone_us;         /* by client: when its connection ended; 0: it is there */
	uint64_t *away_in_all_us;  /* by client */
	struct spread latency;
	struct hist away_us, latency_us;
	uint32_t tries[FIGURES_SECONDS]; /* connects in each second, but a client's first */
	uint32_t seen[FIGURES_CODES], logged[FIGURES_CODES]; /* by close code */
	uint64_t reconnects, recovered;
	bool over;                 /* the goodbyes have begun */
};

int figures_new(uint32_t clients, struct figures **ret_figures)
{
	struct figures *f = calloc(1, sizeof(*f));
	uint64_t *gone = calloc((size_t)clients + 1, sizeof(*gone)), *away = calloc((size_t)clients + 1, sizeof(*away));
	if (!f || !gone || !away) {
		free(f);
		free(gone);
		free(away);
		return -ENOMEM;
	}
	f->clients = clients;
	f->gone_us = gone;
	f->away_in_all_us = away;
	f->latency = (struct spread){.bounds = latency_bounds};
	hist_init(&f->away_us);
	hist_init(&f->latency_us);
	*ret_figures = f;
	return 0;
}

void figures_free(struct figures *f)
{
	if (!f)
		return;
	hist_fini(&f->away_us);
	hist_fini(&f->latency_us);
	free(f->gone_us);
	free(f->away_in_all_us);
	free(f);
}

static void spread_add(struct spread *s, uint64_t us)
{
	size_t i = 0;
	while (s->bounds[i].label && us > s->bounds[i].us)
		i++;
	s->n[i]++;
}

static void count_code(uint32_t *codes, int code)
{
	if (code > 0 && code < FIGURES_CODES)
		codes[code]++;
}

static void on_connect(struct figures *f, const struct event *e)
{
	uint64_t second = e->at_us / 1000000;
	if (e->type != EVENT_INVOKE || e->connection < 2)
		return;
	f->reconnects++;
	f->tries[second < FIGURES_SECONDS ? second : FIGURES_SECONDS - 1]++;
}

/* A subscriber is back when its first subscription is confirmed; publishers are not counted. */
static void on_back(struct figures *f, const struct event *e)
{
	if (e->type != EVENT_OK || !f->gone_us[e->client])
		return;
	uint64_t away_us = e->at_us - f->gone_us[e->client];
	hist_record(&f->away_us, away_us);
	f->away_in_all_us[e->client] += away_us;
	f->gone_us[e->client] = 0;
}

void figures_event(struct figures *f, const struct event *e)
{
	bool known = e->client > 0 && e->client <= f->clients;
	switch (e->kind) {
	case EVENT_PHASE:
		f->over |= e->note && strcmp(e->note, "end") == 0;
		break;
	case EVENT_CONNECT:
		on_connect(f, e);
		break;
	case EVENT_SUBSCRIBE:
		f->recovered += e->type == EVENT_OK && e->recovered == RECOVERED_YES;
		if (known)
			on_back(f, e);
		break;
	case EVENT_DELIVER:
		if (!e->corrupt && e->sent_us && e->at_us >= e->sent_us) {
			hist_record(&f->latency_us, e->at_us - e->sent_us);
			spread_add(&f->latency, e->at_us - e->sent_us);
		}
		break;
	case EVENT_END:
		count_code(f->seen, e->code);
		if (known && !f->over)
			f->gone_us[e->client] = e->at_us;
		break;
	case EVENT_LOG:
		if (e->text && strcmp(e->text, "disconnect") == 0)
			count_code(f->logged, e->code);
		break;
	default:
		break;
	}
}

static uint32_t fullest(const struct figures *f)
{
	uint32_t most = 0;
	for (size_t i = 0; i < FIGURES_SECONDS; i++)
		most = f->tries[i] > most ? f->tries[i] : most;
	return most;
}

int figures_line(const struct figures *f, struct buf *b)
{
	if (!hist_count(&f->away_us))
		return 0;
	return buf_printf(
		b,
		"clients were away %.1f s at most, %.1f s in the median; %u tried to come back in the fullest second",
		(double)hist_max(&f->away_us) / 1e6, (double)hist_percentile(&f->away_us, 50) / 1e6, fullest(f));
}

static void print_hist(const struct hist *h, const char *title, struct buf *b)
{
	if (!hist_count(h))
		return;
	buf_printf(b, "%-22s %8llu times; median %.3f s, 99%% within %.3f s, at most %.3f s\n", title,
		   (unsigned long long)hist_count(h), (double)hist_percentile(h, 50) / 1e6,
		   (double)hist_percentile(h, 99) / 1e6, (double)hist_max(h) / 1e6);
}

/* Charts --------------------------------------------------------------------------------------------------------- */

/* The next bar of a chart whose bars have room; beyond RESULT_BARS_MAX nothing is added. */
static void add_bar(struct result_chart *c, struct result_bar *bars, const char *label, uint64_t n, uint64_t m)
{
	if (label && c->n_bars < RESULT_BARS_MAX)
		bars[c->n_bars++] = (struct result_bar){label, n, m};
}

/* From the first bound that somebody was within to the last. */
static void fill_spread(const struct spread *s, struct arena *a, struct result_chart *c, struct result_bar *bars)
{
	size_t first = BOUNDS_MAX, last = 0;
	for (size_t i = 0; i <= BOUNDS_MAX; i++)
		if (s->n[i]) {
			first = first < i ? first : i;
			last = i;
		}
	for (size_t i = first; i <= last; i++)
		add_bar(c, bars, s->bounds[i].label ? arena_printf(a, "up to %s", s->bounds[i].label)
						    : arena_printf(a, "over %s", s->bounds[i - 1].label), s->n[i], 0);
}

static void fill_away(const struct figures *f, struct arena *a, struct result_chart *c, struct result_bar *bars)
{
	struct spread s = {.bounds = away_bounds};
	for (uint32_t i = 1; i <= f->clients; i++)
		if (f->away_in_all_us[i])
			spread_add(&s, f->away_in_all_us[i]);
	fill_spread(&s, a, c, bars);
}

/* Seconds in which nobody tried are shown between others; of a long run, several are one bar. */
static void fill_herd(const struct figures *f, struct arena *a, struct result_chart *c, struct result_bar *bars)
{
	size_t first = FIGURES_SECONDS, last = 0;
	for (size_t i = 0; i < FIGURES_SECONDS; i++)
		if (f->tries[i]) {
			first = first < i ? first : i;
			last = i;
		}
	size_t step = first <= last ? (last - first) / RESULT_BARS_MAX + 1 : 1;
	for (size_t i = first; i <= last; i += step) {
		uint64_t n = 0;
		for (size_t k = i; k < i + step && k <= last; k++)
			n += f->tries[k];
		add_bar(c, bars, step == 1 ? arena_printf(a, "%zu s", i) : arena_printf(a, "%zu to %zu s", i, i + step - 1), n, 0);
	}
}

static void fill_codes(const struct figures *f, struct arena *a, struct result_chart *c, struct result_bar *bars)
{
	for (size_t code = 0; code < FIGURES_CODES; code++)
		if (f->seen[code] || f->logged[code])
			add_bar(c, bars, arena_printf(a, "%zu", code), f->seen[code], f->logged[code]);
}

static void fill_latency(const struct figures *f, struct arena *a, struct result_chart *c, struct result_bar *bars)
{
	fill_spread(&f->latency, a, c, bars);
}

static const struct {
	const char *title, *n_name, *m_name;
	void (*fill)(const struct figures *f, struct arena *a, struct result_chart *c, struct result_bar *bars);
} kinds[] = {
	{"How long a client was away in all", "clients", NULL, fill_away},
	{"Attempts to come back, by second of the run", "attempts", NULL, fill_herd},
	{"Close codes", "seen by clients", "logged by the target", fill_codes},
	{"How long messages took", "messages", NULL, fill_latency},
};

int figures_charts(const struct figures *f, struct arena *a, struct result_chart ret_charts[RESULT_CHARTS_MAX])
{
	int n = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct result_bar bars[RESULT_BARS_MAX];
		struct result_chart c = {.title = kinds[i].title, .n_name = kinds[i].n_name, .m_name = kinds[i].m_name};
		kinds[i].fill(f, a, &c, bars);
		if (!c.n_bars)
			continue;
		struct result_bar *kept = arena_alloc(a, c.n_bars * sizeof(*kept));
		if (!kept)
			return -ENOMEM;
		memcpy(kept, bars, c.n_bars * sizeof(*kept));
		c.bars = kept;
		ret_charts[n++] = c;
	}
	return n;
}

/* Text ----------------------------------------------------------------------------------------------------------- */

static void print_chart(const struct result_chart *c, struct buf *b)
{
	buf_printf(b, "\n%-*s %16s%s%s\n", TITLE_WIDTH, c->title, c->n_name, c->m_name ? "   " : "",
		   c->m_name ? c->m_name : "");
	for (size_t i = 0; i < c->n_bars; i++) {
		buf_printf(b, "%*s %16llu", TITLE_WIDTH, c->bars[i].label, (unsigned long long)c->bars[i].n);
		if (c->m_name)
			buf_printf(b, "   %*llu", (int)strlen(c->m_name), (unsigned long long)c->bars[i].m);
		buf_printf(b, "\n");
	}
}

int figures_print(const struct figures *f, const struct result_chart *charts, size_t n, struct buf *b)
{
	print_hist(&f->latency_us, "messages took", b);
	print_hist(&f->away_us, "clients were away", b);
	if (f->recovered)
		buf_printf(b, "%-22s %8llu times\n", "told recovered", (unsigned long long)f->recovered);
	for (size_t i = 0; i < n; i++)
		print_chart(&charts[i], b);
	return 0;
}
