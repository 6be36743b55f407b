/* The life of a dialogue: it is stepped when something happened, its words are weighed, its end is told once. */
#include "harness/readiness/dialogue.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"

enum { DIALOGUE_ARENA_MAX = 16 << 20 };

static void on_timer(void *owner)
{
	dialogue_step(owner);
}

int dialogue_new(struct readiness *r, const struct dialogue_row *row, void (*on_done)(void *owner, struct dialogue *d),
		 void *owner, struct dialogue **ret_dialogue)
{
	struct dialogue *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct dialogue){.r = r, .row = row, .verdict = VERDICT_INCONCLUSIVE, .on_done = on_done, .owner = owner};
	d->state = calloc(1, row->state_size + 1);
	if (!d->state) {
		free(d);
		return -ENOMEM;
	}
	snprintf(d->seen, sizeof(d->seen), "it could not be decided");
	buf_init(&d->notes, DIALOGUE_NOTES_MAX);
	arena_init(&d->arena, DIALOGUE_ARENA_MAX);
	rng_init(&d->rng, r->site->seed, row->check);
	*ret_dialogue = d;
	return 0;
}

void dialogue_start(struct dialogue *d)
{
	d->started_us = clock_now_us();
	d->began_lag_us = d->r->lag_us;
	timer_start(&d->timer, d->r->site->loop, 0, on_timer, d);
}

void dialogue_free(struct dialogue *d)
{
	if (!d)
		return;
	timer_fini(&d->timer);
	for (size_t i = 0; i < d->n_links; i++)
		link_free(d->links[i]);
	while (d->readings) {
		struct reading *next = d->readings->next;
		reading_free(d->readings);
		d->readings = next;
	}
	if (d->row->stop)
		d->row->stop(d);
	free(d->links);
	free(d->state);
	buf_fini(&d->notes);
	arena_fini(&d->arena);
	free(d);
}

/* Steps -------------------------------------------------------------------------------------------------------- */

void dialogue_wait(struct dialogue *d, uint64_t ms)
{
	d->until_us = clock_now_us() + ms * 1000;
	timer_start(&d->timer, d->r->site->loop, ms + 1, on_timer, d);
}

bool dialogue_is_late(const struct dialogue *d)
{
	return clock_now_us() >= d->until_us;
}

void dialogue_over(struct dialogue *d)
{
	d->at = -1;
}

void dialogue_step(struct dialogue *d)
{
	if (d->at < 0 || d->busy)
		return;
	d->busy++;
	d->row->talk(d);
	d->busy--;
	if (d->at >= 0)
		return;
	timer_stop(&d->timer);
	dialogue_note(d, "%s: %s", verdict_name(d->verdict), d->seen);
	d->on_done(d->owner, d);
}

/* Words -------------------------------------------------------------------------------------------------------- */

static __attribute__((format(printf, 3, 0))) void say(struct dialogue *d, enum verdict verdict, const char *fmt,
						      va_list ap)
{
	static const int weights[VERDICT_COUNT] = {
		[VERDICT_PASS] = 1, [VERDICT_INCONCLUSIVE] = 2, [VERDICT_WARN] = 3, [VERDICT_FAIL] = 4,
	};
	char text[SEEN_TEXT_MAX];
	vsnprintf(text, sizeof(text), fmt, ap);
	dialogue_note(d, "%s", text);
	if (d->judged && weights[verdict] <= weights[d->verdict])
		return;
	d->judged = true;
	d->verdict = verdict;
	memcpy(d->seen, text, sizeof(text));
}

#define WORD(name, VERDICT) \
	void name(struct dialogue *d, const char *seen, ...) \
	{ \
		va_list ap; \
		va_start(ap, seen); \
		say(d, VERDICT, seen, ap); \
		va_end(ap); \
	}
WORD(dialogue_pass, VERDICT_PASS)
WORD(dialogue_unknown, VERDICT_INCONCLUSIVE)
WORD(dialogue_warn, VERDICT_WARN)
WORD(dialogue_fail, VERDICT_FAIL)

void dialogue_fail_timed(struct dialogue *d, const char *seen, ...)
{
	va_list ap;
	bool late = d->r->lag_us > DIALOGUE_LAG_MS * 1000ull && d->r->lag_us > d->began_lag_us;
	if (late)
		dialogue_note(d, "our own loop was late by %llu ms: nothing that rests on time is judged",
			      (unsigned long long)d->r->lag_us / 1000);
	va_start(ap, seen);
	say(d, late ? VERDICT_INCONCLUSIVE : VERDICT_FAIL, seen, ap);
	va_end(ap);
}

void dialogue_note(struct dialogue *d, const char *fmt, ...)
{
	va_list ap;
	buf_printf(&d->notes, "%9.3f  ", (double)(clock_now_us() - d->started_us) / 1e6);
	va_start(ap, fmt);
	buf_vprintf(&d->notes, fmt, ap);
	va_end(ap);
	buf_append_u8(&d->notes, '\n');
}

uint64_t dialogue_since_ms(uint64_t us)
{
	return (clock_now_us() - us) / 1000;
}

/* Means -------------------------------------------------------------------------------------------------------- */

struct link *dialogue_link(struct dialogue *d, const struct link_options *o)
{
	if (d->n_links == d->links_cap) {
		d->links_cap = d->links_cap ? 2 * d->links_cap : 16;
		d->links = realloc(d->links, d->links_cap * sizeof(struct link *));
		if (!d->links)
			abort(); /* a few pointers: without them nothing else would work either */
	}
	struct link *l = link_new(d, (uint32_t)d->n_links + 1, o);
	d->links[d->n_links++] = l;
	return l;
}

uint64_t dialogue_patience(const struct dialogue *d)
{
	uint64_t told = d->r->site->target->timeout_ms;
	return told > DIALOGUE_PATIENCE_MS ? told : DIALOGUE_PATIENCE_MS;
}

const char *dialogue_channel(struct dialogue *d)
{
	return arena_printf(&d->arena, "wsquall-%llx-r%llu", (unsigned long long)d->r->site->seed & 0xffffff,
			    (unsigned long long)++d->r->channels);
}

void dialogue_render(struct dialogue *d, struct buf *out)
{
	buf_append_span(out, buf_span(&d->notes));
	for (size_t i = 0; i < d->n_links && i < DIALOGUE_SHOWN_MAX; i++) {
		struct link *l = d->links[i];
		buf_printf(out, "\nconnection %u, %s\n", l->number, l->label);
		struct buf text CLEANUP(buf_fini) = {0};
		buf_init(&text, DIALOGUE_SHOWN_OCTETS);
		transcript_render(&l->transcript, &text);
		buf_append_span(out, buf_span(&text));
		if (text.len > DIALOGUE_SHOWN_OCTETS - 256)
			buf_printf(out, "\n...\n");
	}
	if (d->n_links > DIALOGUE_SHOWN_MAX)
		buf_printf(out, "\n%zu more connections\n", d->n_links - DIALOGUE_SHOWN_MAX);
}
