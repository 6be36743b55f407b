/* Counting what checkers have no use for. */
#include "harness/scenario/figures.h"

#include <stdlib.h>
#include <string.h>

struct figures {
	uint32_t clients;
	uint64_t *gone_us;         /* by client: when its connection ended; 0: it is there */
	struct hist away_us, latency_us;
	uint32_t tries[FIGURES_SECONDS]; /* connects in each second, but a client's first */
	uint32_t seen[FIGURES_CODES], logged[FIGURES_CODES]; /* by close code */
	uint64_t reconnects, recovered;
	bool over;                 /* the goodbyes have begun */
};

int figures_new(uint32_t clients, struct figures **ret_figures)
{
	struct figures *f = calloc(1, sizeof(*f));
	uint64_t *gone = calloc((size_t)clients + 1, sizeof(*gone));
	if (!f || !gone) {
		free(f);
		free(gone);
		return -ENOMEM;
	}
	f->clients = clients;
	f->gone_us = gone;
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
	free(f);
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
	hist_record(&f->away_us, e->at_us - f->gone_us[e->client]);
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
		if (!e->corrupt && e->sent_us && e->at_us >= e->sent_us)
			hist_record(&f->latency_us, e->at_us - e->sent_us);
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

static void print_codes(const struct figures *f, struct buf *b)
{
	bool any = false;
	for (size_t code = 0; code < FIGURES_CODES; code++) {
		if (!f->seen[code] && !f->logged[code])
			continue;
		if (!any)
			buf_printf(b, "\nclose code   seen by clients   logged by the target\n");
		any = true;
		buf_printf(b, "%10zu   %15u   %20u\n", code, f->seen[code], f->logged[code]);
	}
}

static void print_herd(const struct figures *f, struct buf *b)
{
	if (!f->reconnects)
		return;
	buf_printf(b, "\nreconnects by second of the run\n");
	for (size_t i = 0; i < FIGURES_SECONDS; i++)
		if (f->tries[i])
			buf_printf(b, "%8zu s   %u\n", i, f->tries[i]);
}

int figures_print(const struct figures *f, struct buf *b)
{
	print_hist(&f->latency_us, "messages took", b);
	print_hist(&f->away_us, "clients were away", b);
	if (f->recovered)
		buf_printf(b, "%-22s %8llu times\n", "told recovered", (unsigned long long)f->recovered);
	print_codes(f, b);
	print_herd(f, b);
	return 0;
}
